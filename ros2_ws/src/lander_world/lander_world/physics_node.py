"""The physics node: the conductor of the run."""

from __future__ import annotations

from typing import Any

from lander_common.hosting import conduct
from lander_runtime.messages import plain
from lander_runtime.ros_conductor import ConductorHost
from lander_runtime.subsystem import Outputs, Tick
from lander_world.physics import Physics


class PhysicsHost(ConductorHost):
    """The conductor, which keeps the verdict of the truth for the run folder."""

    def __init__(self, *arguments: Any) -> None:
        super().__init__(*arguments)
        self._outcome: dict[str, Any] = {}

    def emit(self, tick: Tick, outputs: Outputs) -> None:
        """Publish, and keep the result."""
        super().emit(tick, outputs)
        if "result" in outputs:
            self._outcome = plain(outputs["result"])

    def outcome(self) -> dict[str, Any]:
        """The fields of LandingResult."""
        return self._outcome


def progress(physics: Physics, tick: Tick) -> dict[str, float]:
    """What the truth has for a live display."""
    return {
        "time_s": tick.time_s,
        "altitude_m": physics.altitude_m,
        "speed_m_s": physics.speed_m_s,
        "propellant_kg": physics.propellant_kg,
    }


def main() -> None:
    """Run the node."""
    conduct(Physics, PhysicsHost, progress=progress)
