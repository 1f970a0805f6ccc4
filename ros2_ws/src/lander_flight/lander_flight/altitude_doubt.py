"""What guidance makes of an altitude that may be less than believed.

Resilience believed 1.5 to 2.1 km too much and was too fast for the height that there was when the first range came. Here
gate, pitch-up and terminal descent are flown as if the ground were as high as can still be believed. Where that is passed
and nothing tells yet where the ground is, the lander goes on as slowly as the propellant allows for the whole height in
doubt: hovering for t costs m (1 - exp(-g t / c)), so that the slowest speed is the height over the time that is left.
"""

from __future__ import annotations

from math import inf, log
from typing import NamedTuple

from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_flight.guidance_parameters import DoubtParameters
from lander_flight.lander_state import LanderState


class Caution(NamedTuple):
    """How much higher the ground is taken to be, and the speed of the descent below that."""

    ground_m: float
    speed_m_s: float


class AltitudeDoubt:
    """Turns the doubt of the altitude into a margin and a speed."""

    def __init__(self, parameters: DoubtParameters | None, assist_isp_s: float, touchdown_speed_m_s: float) -> None:
        self._parameters = parameters
        self._exhaust_m_s = assist_isp_s * STANDARD_GRAVITY_M_S2
        self._slowest_m_s = touchdown_speed_m_s
        self.now = Caution(0.0, touchdown_speed_m_s)

    def judge(self, state: LanderState, mass_kg: float, usable_kg: float, gravity_m_s2: float) -> Caution:
        """Caution from now on, given the usable propellant. Where there are no parameters there is none."""
        p = self._parameters
        doubt_m = state.altitude_m - state.altitude_low_m
        if p is None or state.altitude_m > p.below_m or doubt_m < max(p.free_m, p.free_share * state.altitude_m):
            self.now = Caution(0.0, self._slowest_m_s)
            return self.now
        hover_s = self._hover_s(mass_kg, usable_kg - p.reserve_kg, gravity_m_s2)
        depth_m = max(state.altitude_m, 0.0) + 3.0 * state.altitude_sigma_m
        slowest = depth_m / hover_s if hover_s > 0.0 else inf
        speed = min(max(slowest, self._slowest_m_s), p.fastest_m_s)
        self.now = Caution(min(doubt_m, p.most_m), speed)
        return self.now

    def _hover_s(self, mass_kg: float, propellant_kg: float, gravity_m_s2: float) -> float:
        """How long the assist thrusters carry the weight with this propellant."""
        share = min(max(propellant_kg, 0.0) / mass_kg, 0.9)
        return -self._exhaust_m_s / gravity_m_s2 * log(1.0 - share)


def lowered(state: LanderState, ground_m: float) -> LanderState:
    """The state over ground that is taken to be higher."""
    if ground_m == 0.0:
        return state
    x, y, z = state.position
    return state._replace(position=(x, y, z - ground_m), altitude_m=state.altitude_m - ground_m)
