"""Stand-ins for physics, navigation and guidance: `python stand_in.py NAME --ros-args ...`.

The lander stands on the ground as soon as the file $LANDED exists. For tests of what happens there, which would else wait
for a whole descent.
"""

from __future__ import annotations

import os
import sys
from pathlib import Path

import numpy as np

from lander_common.hosting import members_of
from lander_runtime.messages import GuidanceCommand, Message
from lander_runtime.ros_conductor import ConductorHost
from lander_runtime.ros_host import Blueprint, run_host
from lander_runtime.ros_member import MemberHost
from lander_runtime.stubs import Stub, StubOwner
from lander_runtime.subsystem import Inputs, Outputs, Tick

FOR_EVER = 10**9
TICK_NS = 1_000_000_000
TO_TOUCHDOWN_S = 600.0
ON_THE_GROUND = {
    "vehicle_telemetry": {"contact": np.ones(4, bool), "available_power_w": 180.0},
    "navigation_state": {"specific_force_body": np.array([0.0, 0.0, 1.629])},
    "guidance_command": {"phase": GuidanceCommand.TOUCHDOWN},
}
IN_FLIGHT = {
    "vehicle_telemetry": {"contact": np.zeros(4, bool), "available_power_w": 180.0},
    "navigation_state": {"specific_force_body": np.array([0.0, 0.0, 3.0])},
    "guidance_command": {"phase": GuidanceCommand.BRAKING, "time_to_touchdown_s": TO_TOUCHDOWN_S},
}


def _filled(outputs: dict[str, Message]) -> Outputs:
    facts = ON_THE_GROUND if Path(os.environ["LANDED"]).exists() else IN_FLIGHT
    for key, message in outputs.items():
        for name, value in facts.get(key, {}).items():
            setattr(message, name, value)
    return outputs


class Member(Stub):
    """Navigation or guidance."""

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        return _filled(dict(super().step(tick, inputs)))


class Owner(StubOwner):
    """Physics, in ticks of a second."""

    def next_step_ns(self, inputs: Inputs) -> int:
        return TICK_NS

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        return _filled(dict(super().step(tick, inputs)))


if __name__ == "__main__":
    name = sys.argv[1]
    owner = name == "physics"
    plan = Blueprint(
        name,
        build=lambda _options: Owner(name, FOR_EVER) if owner else Member(name),
        members=members_of,
        parameters=lambda _options: {},
    )
    sys.exit(run_host(ConductorHost if owner else MemberHost, plan))
