"""Pitch-up: from the gate to upright above the target, on a quadratic acceleration profile.

The reference has a thrust acceleration linear in time; flown backwards from its end it gives the gate, so braking ends
where the pitch-up wants to begin. In flight the profile is solved anew at every step from the present state (Klumpp
1974, Apollo lunar-descent guidance: position, velocity and acceleration at the end are given, and the acceleration is a
quadratic in time). Its duration is the one that costs least velocity change within the thrust limits.
"""

from __future__ import annotations

from math import cos, inf, radians, sin, sqrt

import numpy as np
from numba import njit

from lander_common.quaternion import Vector
from lander_flight.braking import Gate
from lander_flight.guidance_parameters import PitchUpEnd, PitchUpParameters
from lander_flight.lander_state import LanderState

_SAMPLES = 9  # of the acceleration along the profile
_CANDIDATES = 41  # durations compared
_VIOLATION_COST_S = 20.0  # cost of an acceleration beyond the limits, relative to its use over a second
_UPWARD_M_S2 = 0.3  # least vertical thrust acceleration of a profile: it does not point below the horizon

Coefficients = tuple[Vector, Vector, Vector]


def reference_gate(
    parameters: PitchUpParameters, end: PitchUpEnd, gravity_m_s2: float, thrust_share: float = 1.0
) -> Gate:
    """Where and how fast the reference to an end begins: its linear acceleration integrated backwards.

    `thrust_share`: of the planned thrust, that is at hand.
    """
    T, pitch = parameters.duration_s, radians(parameters.start_pitch_deg)
    start, last = (thrust_share * a for a in (parameters.start_acceleration_m_s2, parameters.end_acceleration_m_s2))
    ax = -start * cos(pitch)  # falls to zero at the end
    az, az_end = start * sin(pitch) - gravity_m_s2, last - gravity_m_s2
    vx = -ax * T / 2.0
    vz = -end.speed_m_s - (az + az_end) * T / 2.0
    x = -(vx * T + ax * T**2 / 3.0)
    z = end.altitude_m - (vz * T + az * T**2 / 3.0 + az_end * T**2 / 6.0)
    return Gate((x, 0.0, z), (vx, 0.0, vz))


def quadratic(r: Vector, v: Vector, r_end: Vector, v_end: Vector, a_end: Vector, time_s: float) -> Coefficients:
    """Coefficients c of the acceleration c0 + c1 u + c2 u^2, u = t / time_s, that meets the end (Klumpp 1974)."""
    x, y, z = (_axis(r[i], v[i], r_end[i], v_end[i], a_end[i], time_s) for i in range(3))
    return (x[0], y[0], z[0]), (x[1], y[1], z[1]), (x[2], y[2], z[2])


def evaluate(c: Coefficients, u: float) -> Vector:
    """Acceleration of the profile at a fraction of its time."""
    return (
        c[0][0] + u * (c[1][0] + u * c[2][0]),
        c[0][1] + u * (c[1][1] + u * c[2][1]),
        c[0][2] + u * (c[1][2] + u * c[2][2]),
    )


def slope(c: Coefficients, u: float, time_s: float) -> Vector:
    """Jerk of the profile at a fraction of its time."""
    return (
        (c[1][0] + 2.0 * u * c[2][0]) / time_s,
        (c[1][1] + 2.0 * u * c[2][1]) / time_s,
        (c[1][2] + 2.0 * u * c[2][2]) / time_s,
    )


class PitchUp:
    """Holds the profile that is flown and renews it."""

    def __init__(self, parameters: PitchUpParameters, gravity_m_s2: float) -> None:
        self._parameters = parameters
        self._gravity = gravity_m_s2
        self.weaken(1.0)
        self._end = parameters.ends[0]
        self._profile: Coefficients | None = None
        self._begun_s = self._from_s = self._until_s = self._chosen_s = 0.0

    def weaken(self, thrust_share: float) -> None:
        """Plan with this share of the planned thrust from now on."""
        self._a_end: Vector = (0.0, 0.0, thrust_share * self._parameters.end_acceleration_m_s2 - self._gravity)

    def acceleration(self, state: LanderState, least_m_s2: float, most_m_s2: float) -> tuple[Vector, Vector]:
        """Acceleration wanted now and its rate, in approach, given the limits of the thrust acceleration."""
        p, profile = self._parameters, self._profile
        if profile is None:
            self._begun_s = self._chosen_s = state.time_s
            self._choose_end(state, (least_m_s2, most_m_s2, p.divert_m_s2))
        elif self.to_go_s(state.time_s) > p.choice_hold_s and state.time_s - self._chosen_s >= p.replan_s:
            self._chosen_s = state.time_s
            self._choose_end(state, (least_m_s2, most_m_s2, p.divert_m_s2))
        if profile is None or self.to_go_s(state.time_s) > p.hold_s:
            self._profile = profile = self._solved(state)
        whole = self._until_s - self._from_s
        u = (state.time_s - self._from_s) / whole
        return evaluate(profile, u), slope(profile, u, whole)

    def to_go_s(self, time_s: float) -> float:
        """Time to the end of the profile."""
        return self._until_s - time_s

    def is_over(self, state: LanderState, step_s: float) -> bool:
        """Whether the profile has been flown, or the ground is too close for it."""
        flown = self._profile is not None and self.to_go_s(state.time_s) < 0.5 * step_s
        end = self._end if self._profile is not None else self._parameters.ends[-1]
        return flown or min(state.altitude_m, state.position[2]) < self._parameters.lowest * end.altitude_m

    def _solved(self, state: LanderState) -> Coefficients:
        """The profile from a state: to above the target, or as near to that as the divert acceleration reaches."""
        time_s, reach = self.to_go_s(state.time_s), self._parameters.divert_m_s2
        x, y = (_reached(state.position[i], state.velocity[i], time_s, reach) for i in range(2))
        self._from_s = state.time_s
        end = self._end
        return quadratic(
            state.position, state.velocity, (x, y, end.altitude_m), (0.0, 0.0, -end.speed_m_s), self._a_end, time_s
        )

    def _stops(self, end: PitchUpEnd, most_m_s2: float) -> bool:
        """Whether the thrust stops the descent from an end; from the planned one it has to."""
        net = most_m_s2 - self._gravity
        return end is self._parameters.ends[0] or end.speed_m_s**2 < 2.0 * net * end.altitude_m

    def _choose_end(self, state: LanderState, limits: tuple[float, float, float]) -> None:
        """The first end whose best profile keeps to the limits of thrust, or else the one that comes nearest to it."""
        p = self._parameters
        held = p.duration_s if self._profile is None else self.to_go_s(state.time_s)  # at first that of the reference
        longest = max(self._begun_s + p.longest_s - state.time_s, p.shortest_s)
        start = np.array([*state.position, *state.velocity])
        best_violation = inf
        for end in p.ends:
            if end.altitude_m > state.position[2] or not self._stops(end, limits[1]):
                continue
            target = np.array([end.altitude_m, -end.speed_m_s, self._a_end[2]])
            old = held if end is self._end else 0.0
            span = (p.shortest_s, longest)
            duration, violation = _best_duration(start, target, limits, self._gravity, span, old, p.better)
            if violation < best_violation:
                best_violation, best_end, best_duration = violation, end, duration
            if violation < p.end_need_m_s2:
                break
        if best_violation < inf:
            self._end, self._until_s = best_end, state.time_s + float(best_duration)


@njit(cache=True, error_model="numpy")
def _axis(r, v, r_end, v_end, a_end, time_s):  # type: ignore[no-untyped-def]
    """Coefficients along one axis."""
    p = (v_end - v) / time_s
    q = (r_end - r - v * time_s) / time_s**2
    c0 = a_end - 6.0 * p + 12.0 * q
    c1 = 24.0 * q - 6.0 * p - 6.0 * c0
    return c0, c1, 6.0 * p - 12.0 * q - c1


@njit(cache=True, error_model="numpy")
def _reached(r, v, time_s, divert):  # type: ignore[no-untyped-def]
    """Where a horizontal axis ends: at zero, or as near as an extra acceleration of at most `divert` brings it.

    With an acceleration linear in time to zero it would end at r + v T / 3; ending elsewhere by d needs 12 d / T^2 more
    at the beginning.
    """
    natural = r + v * time_s / 3.0
    reach = divert * time_s**2 / 12.0
    return natural - min(max(natural, -reach), reach)


@njit(cache=True, error_model="numpy")
def _best_duration(state, end, limits, g, span, old, better):  # type: ignore[no-untyped-def]
    """Duration of least cost within a span, and by how much its profile leaves the limits of thrust, m/s2.

    `end`: height, climb rate and vertical acceleration there. `old`, where it is positive: the duration held so far,
    which is kept unless another one is better by a share.
    """
    coarse = (span[1] - span[0]) / (_CANDIDATES - 1)
    best = _cheapest(state, end, limits, g, span[0], coarse)
    best = _cheapest(state, end, limits, g, max(best - coarse, span[0]), 2.0 * coarse / (_CANDIDATES - 1))
    cost, violation = _cost(state, end, limits, g, best)
    if old > 0.0:
        old_cost, old_violation = _cost(state, end, limits, g, old)
        if old_cost * (1.0 - better) < cost:
            return old, old_violation
    return best, violation


@njit(cache=True, error_model="numpy")
def _cheapest(state, end, limits, g, shortest, spacing):  # type: ignore[no-untyped-def]
    """Of equally spaced durations the one of least cost."""
    best, best_cost = shortest, np.inf
    for k in range(_CANDIDATES):
        duration = shortest + k * spacing
        cost, _ = _cost(state, end, limits, g, duration)
        if cost < best_cost:
            best, best_cost = duration, cost
    return best


@njit(cache=True, error_model="numpy")
def _cost(state, end, limits, g, duration):  # type: ignore[no-untyped-def]
    """Velocity change of a profile plus a penalty for leaving the limits; and the largest such violation, m/s2."""
    least, most, divert = limits
    x_end, y_end = (_reached(state[0], state[3], duration, divert), _reached(state[1], state[4], duration, divert))
    x0, x1, x2 = _axis(state[0], state[3], x_end, 0.0, 0.0, duration)
    y0, y1, y2 = _axis(state[1], state[4], y_end, 0.0, 0.0, duration)
    z0, z1, z2 = _axis(state[2], state[5], end[0], end[1], end[2], duration)
    total = 0.0
    violation = 0.0
    for k in range(_SAMPLES):
        u = k / (_SAMPLES - 1)
        x = x0 + u * (x1 + u * x2)
        y = y0 + u * (y1 + u * y2)
        z = z0 + u * (z1 + u * z2) + g
        a = sqrt(x * x + y * y + z * z)
        beyond = max(a - most, 0.0) + max(least - a, 0.0) + max(_UPWARD_M_S2 - z, 0.0)
        violation = max(violation, beyond)
        weight = 0.5 if k in (0, _SAMPLES - 1) else 1.0
        total += weight * (a * duration / (_SAMPLES - 1) + _VIOLATION_COST_S * beyond)
    return total, violation
