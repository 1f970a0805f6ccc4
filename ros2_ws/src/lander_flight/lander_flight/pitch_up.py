"""Pitch-up: from the gate to upright above the target, on a quadratic acceleration profile.

The reference has a thrust acceleration linear in time; flown backwards from its end it gives the gate, so braking ends
where the pitch-up wants to begin. In flight the profile is solved anew at every step from the present state (Klumpp
1974, Apollo lunar-descent guidance: position, velocity and acceleration at the end are given, and the acceleration is a
quadratic in time). Its duration is the one that costs least velocity change within the thrust limits.
"""

from __future__ import annotations

from math import cos, radians, sin, sqrt

import numpy as np
from numba import njit

from lander_common.quaternion import Vector
from lander_flight.braking import Gate
from lander_flight.guidance_parameters import PitchUpParameters
from lander_flight.lander_state import LanderState

_SAMPLES = 9  # of the acceleration along the profile
_CANDIDATES = 41  # durations compared
_VIOLATION_COST_S = 20.0  # cost of an acceleration beyond the limits, relative to its use over a second
_UPWARD_M_S2 = 0.3  # least vertical thrust acceleration of a profile: it does not point below the horizon
_RENEWAL_SPAN_S = 1.0  # a renewed duration differs from the one before by no more than this

Coefficients = tuple[Vector, Vector, Vector]


def reference_gate(parameters: PitchUpParameters, gravity_m_s2: float) -> Gate:
    """Where and how fast the reference begins: its linear acceleration integrated backwards from its end."""
    T, pitch = parameters.duration_s, radians(parameters.start_pitch_deg)
    start, end = parameters.start_acceleration_m_s2, parameters.end_acceleration_m_s2
    ax = -start * cos(pitch)  # falls to zero at the end
    az, az_end = start * sin(pitch) - gravity_m_s2, end - gravity_m_s2
    vx = -ax * T / 2.0
    vz = -parameters.end_speed_m_s - (az + az_end) * T / 2.0
    x = -(vx * T + ax * T**2 / 3.0)
    z = parameters.end_altitude_m - (vz * T + az * T**2 / 3.0 + az_end * T**2 / 6.0)
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
        self._parameters = p = parameters
        self._gravity = gravity_m_s2
        self._v_end: Vector = (0.0, 0.0, -p.end_speed_m_s)
        self._a_end: Vector = (0.0, 0.0, p.end_acceleration_m_s2 - gravity_m_s2)
        self._profile: Coefficients | None = None
        self._from_s = self._until_s = self._chosen_s = 0.0

    def acceleration(self, state: LanderState, least_m_s2: float, most_m_s2: float) -> tuple[Vector, Vector]:
        """Acceleration wanted now and its rate, in approach, given the limits of the thrust acceleration."""
        if self._profile is None or state.time_s - self._chosen_s >= self._parameters.replan_s:
            self._choose_duration(state, least_m_s2, most_m_s2)
        profile = self._profile
        if profile is None or self.to_go_s(state.time_s) > self._parameters.hold_s:
            whole = self.to_go_s(state.time_s)
            r_end = self._end_position(state, whole)
            self._profile = profile = quadratic(state.position, state.velocity, r_end, self._v_end, self._a_end, whole)
            self._from_s = state.time_s
        whole = self._until_s - self._from_s
        u = (state.time_s - self._from_s) / whole
        return evaluate(profile, u), slope(profile, u, whole)

    def _end_position(self, state: LanderState, time_s: float) -> Vector:
        """Above the target, or as near to that as the divert acceleration reaches."""
        reach = self._parameters.divert_m_s2
        x, y = (_reached(state.position[i], state.velocity[i], time_s, reach) for i in range(2))
        return (x, y, self._parameters.end_altitude_m)

    def to_go_s(self, time_s: float) -> float:
        """Time to the end of the profile."""
        return self._until_s - time_s

    def is_over(self, state: LanderState, step_s: float) -> bool:
        """Whether the profile has been flown, or the ground is too close for it."""
        flown = self._profile is not None and self.to_go_s(state.time_s) < 0.5 * step_s
        return flown or min(state.altitude_m, state.position[2]) < self._parameters.lowest_m

    def _choose_duration(self, state: LanderState, least_m_s2: float, most_m_s2: float) -> None:
        p = self._parameters
        to_go = self.to_go_s(state.time_s)
        if self._profile is None:
            shortest, longest = p.duration_range[0] * p.duration_s, p.duration_range[1] * p.duration_s
        elif to_go > p.hold_s:
            shortest, longest = max(to_go - _RENEWAL_SPAN_S, 0.5 * p.hold_s), to_go + _RENEWAL_SPAN_S
        else:
            return
        start = np.array([*state.position, *state.velocity])
        end = np.array([p.end_altitude_m, self._v_end[2], self._a_end[2]])
        limits = (least_m_s2, most_m_s2, p.divert_m_s2)
        to_go = float(_best_duration(start, end, limits, self._gravity, shortest, longest))
        self._until_s, self._chosen_s = state.time_s + to_go, state.time_s


@njit(cache=True)
def _axis(r, v, r_end, v_end, a_end, time_s):  # type: ignore[no-untyped-def]
    """Coefficients along one axis."""
    p = (v_end - v) / time_s
    q = (r_end - r - v * time_s) / time_s**2
    c0 = a_end - 6.0 * p + 12.0 * q
    c1 = 24.0 * q - 6.0 * p - 6.0 * c0
    return c0, c1, 6.0 * p - 12.0 * q - c1


@njit(cache=True)
def _reached(r, v, time_s, divert):  # type: ignore[no-untyped-def]
    """Where a horizontal axis ends: at zero, or as near as an extra acceleration of at most `divert` brings it.

    With an acceleration linear in time to zero it would end at r + v T / 3; ending elsewhere by d needs 12 d / T^2 more
    at the beginning.
    """
    natural = r + v * time_s / 3.0
    reach = divert * time_s**2 / 12.0
    return natural - min(max(natural, -reach), reach)


@njit(cache=True)
def _best_duration(state, end, limits, g, shortest, longest):  # type: ignore[no-untyped-def]
    """Duration of least cost between two; `end`: height, climb rate and vertical acceleration there."""
    best, best_cost = shortest, np.inf
    for k in range(_CANDIDATES):
        duration = shortest + (longest - shortest) * k / (_CANDIDATES - 1)
        cost = _cost(state, end, limits, g, duration)
        if cost < best_cost:
            best, best_cost = duration, cost
    return best


@njit(cache=True)
def _cost(state, end, limits, g, duration):  # type: ignore[no-untyped-def]
    """Velocity change of a profile plus a penalty for leaving the limits."""
    least, most, divert = limits
    x_end, y_end = (_reached(state[0], state[3], duration, divert), _reached(state[1], state[4], duration, divert))
    x0, x1, x2 = _axis(state[0], state[3], x_end, 0.0, 0.0, duration)
    y0, y1, y2 = _axis(state[1], state[4], y_end, 0.0, 0.0, duration)
    z0, z1, z2 = _axis(state[2], state[5], end[0], end[1], end[2], duration)
    total = 0.0
    for k in range(_SAMPLES):
        u = k / (_SAMPLES - 1)
        x = x0 + u * (x1 + u * x2)
        y = y0 + u * (y1 + u * y2)
        z = z0 + u * (z1 + u * z2) + g
        a = sqrt(x * x + y * y + z * z)
        beyond = max(a - most, 0.0) + max(least - a, 0.0) + max(_UPWARD_M_S2 - z, 0.0)
        weight = 0.5 if k in (0, _SAMPLES - 1) else 1.0
        total += weight * (a * duration / (_SAMPLES - 1) + _VIOLATION_COST_S * beyond)
    return total
