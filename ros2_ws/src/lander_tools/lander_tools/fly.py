"""Fly a mission in this process: no ROS, no sockets, no threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from lander_common.mission import Mission, resolve
from lander_runtime.architecture import architecture
from lander_runtime.inprocess import InProcessRun, Observer
from lander_runtime.messages import Message
from lander_runtime.subsystem import Subsystem, Tick
from lander_tools.make_map import ensure_map


@dataclass(frozen=True)
class Flight:
    """What came of a flight."""

    result: Message  # lander_interfaces/msg/LandingResult
    digest: str
    ticks: int
    sim_time_s: float


def subsystem(name: str, mission: Mission) -> Subsystem:
    """The subsystem of a node: class `PayloadManager` in module `payload_manager` of the node's package."""
    module = import_module(f"{architecture().nodes[name].package}.{name}")
    cls = getattr(module, "".join(word.capitalize() for word in name.split("_")))
    built: Subsystem = cls(mission)
    return built


def fly(
    scenario: str = "nominal",
    seed: int = 1,
    choices: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
) -> Flight:
    """Fly a scenario to its end. Raises ConfigError where its description is wrong."""
    mission = resolve(scenario, seed, choices, settings)
    ensure_map(mission)
    results: list[Message] = []

    def keep_result(_tick: Tick, key: str, message: Message, _data: bytes) -> None:
        if key == "result":
            results.append(message)

    run = InProcessRun([subsystem(name, mission) for name in mission.scenario.members], [*observers, keep_result])
    digest = run.run()
    return Flight(results[-1], digest, run.tick.seq + 1, run.tick.time_s)
