"""Touchdown: when the engines are cut, and when the lander is at rest."""

from __future__ import annotations

from math import radians

from lander_flight.guidance_parameters import GuidanceParameters, TouchdownParameters
from lander_flight.lander_state import LanderState, norm


class ContactMonitor:
    """Decides that the lander stands on the ground.

    Two switches at once are contact. One alone is believed only where the ground can be, for a switch may be stuck or
    may have been shaken by the deployment of its leg (as Mars Polar Lander's were). And where switches fail, a specific
    force that the thrust does not explain, step after step, says that the ground carries the lander.
    """

    def __init__(self, parameters: TouchdownParameters) -> None:
        self._parameters = parameters
        self._reactions = 0
        self._stuck: frozenset[int] = frozenset()

    def arm(self, contacts: tuple[bool, ...]) -> None:
        """Note which switches are closed already, high above the ground: they say nothing."""
        self._stuck = frozenset(i for i, pressed in enumerate(contacts) if pressed)

    def is_stood(self, contacts: tuple[bool, ...]) -> bool:
        """Whether two legs or more are on the ground by their switches alone."""
        return sum(pressed for i, pressed in enumerate(contacts) if i not in self._stuck) >= 2

    def is_touched(self, state: LanderState, sensed_m_s2: float, explained_m_s2: float) -> bool:
        """Whether there is contact, given sensed specific force and what the thrust explains, along body z."""
        p = self._parameters
        near = state.altitude_m < p.contact_altitude_m + 3.0 * state.altitude_sigma_m
        slow = abs(state.velocity[2]) < p.contact_speed_m_s
        pressed = any(pressed for i, pressed in enumerate(state.contacts) if i not in self._stuck)
        self._reactions = self._reactions + 1 if near and sensed_m_s2 > explained_m_s2 + p.reaction_m_s2 else 0
        carried = self._reactions >= p.reaction_steps
        return self.is_stood(state.contacts) or (pressed and near and slow) or carried


class RestMonitor:
    """Decides that the lander has come to rest: it hardly turns, and the ground carries its weight.

    The velocity is not asked: on the ground the inertial estimate drifts. Two closed switches stand for the weight where
    accelerometers are out of order.
    """

    def __init__(self, parameters: TouchdownParameters, gravity_m_s2: float) -> None:
        self._rate_rad_s = radians(parameters.still_rate_deg_s)
        self._least, self._most = (share * gravity_m_s2 for share in parameters.still_weight_range)
        self._needed_s = parameters.still_s
        self._since_s: float | None = None

    def is_at_rest(self, state: LanderState, sensed_m_s2: float, stood: bool) -> bool:
        """Whether it has been still for long enough, given the sensed specific force along body z and the switches."""
        carried = stood or self._least < sensed_m_s2 < self._most
        if norm(state.w_body) > self._rate_rad_s or not carried:
            self._since_s = None
            return False
        if self._since_s is None:
            self._since_s = state.time_s
        return state.time_s - self._since_s >= self._needed_s


def slow_descent_height(parameters: TouchdownParameters, altitude_sigma_m: float) -> float:
    """Altitude, m, at which the constant slow descent begins."""
    p = parameters
    return min(p.altitude_m + p.altitude_sigmas * altitude_sigma_m, p.highest_m)


def slow_descent_speed(parameters: GuidanceParameters, state: LanderState) -> float:
    """Speed of the constant slow descent, m/s: faster where the ground is not where it was believed to be."""
    sunk = state.altitude_m < -(parameters.touchdown.sunk_m + 3.0 * state.altitude_sigma_m)
    return parameters.touchdown.sunk_speed_m_s if sunk else parameters.terminal.touchdown_speed_m_s
