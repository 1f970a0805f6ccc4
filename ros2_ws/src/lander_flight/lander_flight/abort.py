"""Abort to a safe orbit: the way back up from the braking burn, and whether there is one.

While the horizontal speed is still near that of an orbit, what is left of the propellant brings the lander back to it. The
law is explicit: as much of the thrust upwards as holds the lander to a height, a damped second-order response to it,
and the rest along the horizontal velocity, until the lowest point of the orbit is high enough. The same law is
integrated ahead to say whether it would get there, with the propellant and without coming near the ground.

In the coast from the parking orbit the descent orbit itself is safe, but low. There all the thrust goes along the
horizontal velocity until the lowest point is as high as can be asked of it: at once, not at the next apolune, for a
tank that leaks would be empty by then.
"""

from __future__ import annotations

from math import inf, pi, sqrt

from lander_common.moon import GM_M3_S2
from lander_common.quaternion import Vector
from lander_flight.braking import ThrustModel, predict_coast
from lander_flight.guidance_parameters import AbortParameters
from lander_flight.lander_state import LanderState, angle_between, body_z, combined, cross, dot, norm, scaled, unit
from lander_flight.shooting import arc_thrust

_STEP_S = 1.0
_LONGEST_S = 900.0
_LEAST_SPEED_M_S = 1.0  # a lander that stands still has no direction of flight


class AbortAscent:
    """The steering law and its prediction."""

    def __init__(self, parameters: AbortParameters, radius_m: float) -> None:
        """`radius_m`: of the Moon at the target, over which heights count."""
        self._parameters = parameters
        self._radius_m = radius_m
        self._judged_s = -inf

    def is_due(self, time_s: float) -> bool:
        """Whether it is time to look again whether an abort is possible; takes note that it is looked at."""
        due = time_s - self._judged_s >= self._parameters.judged_s
        self._judged_s = time_s if due else self._judged_s
        return due

    def is_safe(self, r_mci: Vector, v_mci: Vector) -> bool:
        """Whether the orbit stays clear of the ground all around."""
        return perilune_m(r_mci, v_mci) - self._radius_m > self._parameters.perilune_m

    def is_done(self, r_mci: Vector, v_mci: Vector) -> bool:
        """Whether the orbit is as good as it can be made from here: safe, and raised where the lander is high above it."""
        raised = perilune_m(r_mci, v_mci) - self._radius_m > self._parameters.raised_m
        return self.is_safe(r_mci, v_mci) and (raised or not self._is_high(r_mci))

    def _is_high(self, r_mci: Vector) -> bool:
        """Above the perilune of a raised orbit, so that speed alone raises it."""
        return norm(r_mci) - self._radius_m > self._parameters.raised_m

    def direction(self, r_mci: Vector, v_mci: Vector, acceleration_m_s2: float) -> Vector:
        """Thrust direction in mci, for an acceleration by thrust."""
        p, radius, up = self._parameters, norm(r_mci), unit(r_mci)
        climb = dot(v_mci, up)
        across = combined(1.0, v_mci, -climb, up)
        speed = norm(across)
        pull = GM_M3_S2 / radius**2 - speed**2 / radius
        missing = max(p.height_m - (radius - self._radius_m), 0.0)
        wanted = missing / p.time_constant_s**2 - 2.0 * climb / p.time_constant_s + pull
        rise = 0.0 if self._is_high(r_mci) else min(max(wanted / acceleration_m_s2, 0.0), p.most_upwards)
        return combined(rise, up, sqrt(1.0 - rise**2) / max(speed, _LEAST_SPEED_M_S), across)

    def is_possible(
        self, state: LanderState, thrust: ThrustModel, mass_kg: float, usable_kg: float, leak_kg_s: float
    ) -> bool:
        """Whether the law reaches a safe orbit from here at full thrust, with what is left, without coming too low.

        First the lander has to turn, without thrust.
        """
        if self.is_safe(state.r_mci, state.v_mci):
            return True
        full, exhaust = arc_thrust(self._parameters.level, thrust.array())
        if full <= 0.0:
            return False
        angle = angle_between(body_z(state.q_mci_body), self.direction(state.r_mci, state.v_mci, full))
        turn_s = self._parameters.turn_s * angle / pi
        r, v = predict_coast(state.r_mci, state.v_mci, turn_s)
        time_s = 0.0
        while time_s < _LONGEST_S:
            if self.is_safe(r, v):
                return True
            share = 1.0 - full * time_s / exhaust
            used_kg = (1.0 - share) * mass_kg + leak_kg_s * (turn_s + time_s)
            if used_kg > usable_kg or norm(r) - self._radius_m < self._parameters.lowest_m:
                return False
            r, v = self._step(r, v, full / share)
            time_s += _STEP_S
        return False

    def _step(self, r: Vector, v: Vector, acceleration: float) -> tuple[Vector, Vector]:
        """Midpoint rule."""
        half_r, half_v = _euler(r, v, self._felt(r, v, acceleration), 0.5 * _STEP_S)
        felt = self._felt(half_r, half_v, acceleration)
        return combined(1.0, r, _STEP_S, half_v), combined(1.0, v, _STEP_S, felt)

    def _felt(self, r: Vector, v: Vector, acceleration: float) -> Vector:
        return combined(acceleration, self.direction(r, v, acceleration), -GM_M3_S2 / norm(r) ** 3, r)


def _euler(r: Vector, v: Vector, a: Vector, step_s: float) -> tuple[Vector, Vector]:
    return combined(1.0, r, step_s, v), combined(1.0, v, step_s, a)


def perilune_m(r_mci: Vector, v_mci: Vector) -> float:
    """Radius of the lowest point of the Kepler orbit through a state, m: p / (1 + e)."""
    momentum = cross(r_mci, v_mci)
    parameter = dot(momentum, momentum) / GM_M3_S2
    excentricity = combined(1.0 / GM_M3_S2, cross(v_mci, momentum), -1.0, scaled(r_mci, 1.0 / norm(r_mci)))
    return parameter / (1.0 + norm(excentricity))
