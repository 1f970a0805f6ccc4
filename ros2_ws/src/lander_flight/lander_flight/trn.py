"""Terrain-relative navigation: where the camera is over the onboard map."""

from __future__ import annotations

from typing import ClassVar

from lander_common.mission import Mission
from lander_runtime.messages import TrnFix, zeros
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick


class Trn(Subsystem):
    """Finds the place of an image on the map."""

    name: ClassVar[str] = "trn"

    def __init__(self, mission: Mission) -> None:
        self._mission = mission

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Take a frame."""
        waiting = zeros("lander_interfaces/msg/TrnFix")
        waiting.reason = TrnFix.WAITING
        return {"trn_fix": waiting}
