"""What a historical flight computer did when its inertial measurement unit fell silent."""

from __future__ import annotations

from lander_common.mission import Positive
from lander_flight.lander_state import NOTHING, Demand
from lander_runtime.config import Parameters


class ResetResponseParameters(Parameters):
    """How long the engines are off."""

    engines_off_s: Positive


class ResetResponse:
    """Beresheet (11 April 2019): the reset of an inertial unit made the flight computer restart, which shut the engine.

    Known (SpaceIL, 17 April 2019): one unit failed at 14 km; the command to switch it on again led to a chain of restarts,
    five or six of them, and the main engine was off until 149 m above the ground, where nothing could be done any more.
    Assumed: the time that the engines are off, which is as long as our vehicle needs for that fall.
    """

    def __init__(self, parameters: ResetResponseParameters) -> None:
        self._off_s = parameters.engines_off_s
        self._until_s = 0.0

    def limited(self, demand: Demand, inertial_unit_failed: bool, time_s: float) -> Demand:
        """The demand, or nothing while the computer restarts."""
        if inertial_unit_failed and self._until_s == 0.0:
            self._until_s = time_s + self._off_s
        return NOTHING if time_s < self._until_s else demand
