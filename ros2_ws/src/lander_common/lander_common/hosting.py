"""From a subsystem class to a running ROS node: what every `x_node.py` calls."""

from __future__ import annotations

import sys
from collections.abc import Callable, Iterator, Mapping
from functools import cache, partial
from pathlib import Path
from typing import Any

from lander_common.fault_plan import fault_plan
from lander_common.mission import Mission, resolve
from lander_common.views import VIEWS
from lander_runtime.config import split_setting
from lander_runtime.ros_conductor import ConductorHost
from lander_runtime.ros_host import Blueprint, RunOptions, run_host
from lander_runtime.ros_member import MemberHost
from lander_runtime.subsystem import Subsystem

EXIT_NO_RECORD = 4


@cache
def mission_of(options: RunOptions) -> Mission:
    """The mission that the launch file asks for, read once. Raises ConfigError."""
    choices = {kind: getattr(options, kind) for kind in ("vehicle", "site", "start")}
    return resolve(options.scenario, options.seed, choices, dict(map(split_setting, options.settings)))


def members_of(options: RunOptions) -> list[str]:
    """Every node that takes part in the run."""
    return [*mission_of(options).scenario.members, *(["recorder"] if options.record else [])]


def blueprint(name: str, build: Callable[[Mission], Subsystem | None], **extras: Any) -> Blueprint:
    """What the host needs to know of a node; `extras` are the other fields of a Blueprint."""
    return Blueprint(
        name=name,
        build=lambda options: build(mission_of(options)),
        members=members_of,
        parameters=partial(_shown_parameters, name),
        views=VIEWS,
        faults=lambda options: fault_plan(mission_of(options)),
        **extras,
    )


def serve(subsystem: type[Subsystem], **extras: Any) -> None:
    """Run a subsystem as a node of the run, to its end; exits the process. `extras` as in `blueprint`."""
    build: Callable[[Mission], Subsystem] = subsystem
    sys.exit(run_host(MemberHost, blueprint(subsystem.name, build, **extras)))


def conduct(subsystem: type[Subsystem], host_type: type[ConductorHost], **extras: Any) -> None:
    """Run the time owner as the conductor of the run; exits the process. `extras` as in `blueprint`."""
    build: Callable[[Mission], Subsystem] = subsystem
    sys.exit(run_host(host_type, blueprint(subsystem.name, build, **extras), leave_record))


def leave_record(host: ConductorHost) -> int:
    """Write what the conductor counted, and what it kept of the result, to the run folder, if there is one."""
    if not host.options.out:
        return 0
    try:
        host.record.write(Path(host.options.out), host.options.rate, host.outcome())
    except OSError as error:
        host.get_logger().error(f"the run is over, but its record cannot be written: {error}")
        return EXIT_NO_RECORD
    return 0


def _shown_parameters(name: str, options: RunOptions) -> dict[str, Any]:
    documents = mission_of(options).documents
    return dict(_leaves(documents[name].data, name)) if name in documents else {}


def _leaves(data: Any, prefix: str) -> Iterator[tuple[str, Any]]:
    """Flat `a.b.c` keys of what ROS parameters can hold: numbers, texts, and lists of one kind of them."""
    if isinstance(data, Mapping):
        for key, value in data.items():
            yield from _leaves(value, f"{prefix}.{key}")
    elif isinstance(data, bool | int | float | str):
        yield prefix, _plain(data)
    elif isinstance(data, list) and data and all(isinstance(item, int | float) for item in data):
        yield prefix, [float(item) for item in data]


def _plain(value: Any) -> Any:
    """The value as a plain Python type: YAML's own number types are subclasses that rclpy does not take."""
    for kind in (bool, int, float, str):
        if isinstance(value, kind):
            return kind(value)
    return value
