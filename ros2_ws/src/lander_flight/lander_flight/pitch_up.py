"""Pitch-up: from the gate to upright above the target, on a quadratic acceleration profile.

The reference has a thrust acceleration linear in time; flown backwards from its end it gives the gate, so braking ends
where the pitch-up wants to begin. In flight the profile is solved anew at every step from the present state (Klumpp
1974, Apollo lunar-descent guidance, eq. 12: position, velocity and acceleration at the end are given, the acceleration
between is a quadratic). Its duration is what costs least velocity change within the thrust limits.
"""

from __future__ import annotations

from math import cos, radians, sin, sqrt

import numpy as np
from numba import njit

from lander_common.quaternion import Vector
from lander_flight.braking import Gate
from lander_flight.guidance_parameters import PitchUpParameters

_SAMPLES = 9  # of the acceleration along the profile
_CANDIDATES = 41  # durations compared
_VIOLATION_COST_S = 20.0  # cost of an acceleration beyond the limits, relative to its use over a second
_UPWARD_M_S2 = 0.3  # least vertical thrust acceleration of a profile: it does not point below the horizon

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
    c0, c1, c2 = [], [], []
    for i in range(3):
        p = (v_end[i] - v[i]) / time_s
        q = (r_end[i] - r[i] - v[i] * time_s) / time_s**2
        first = a_end[i] - 6.0 * p + 12.0 * q
        second = 24.0 * q - 6.0 * p - 6.0 * first
        c0.append(first)
        c1.append(second)
        c2.append(6.0 * p - 12.0 * q - second)
    return (c0[0], c0[1], c0[2]), (c1[0], c1[1], c1[2]), (c2[0], c2[1], c2[2])


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


def best_duration(
    r: Vector,
    v: Vector,
    parameters: PitchUpParameters,
    limits: tuple[float, float],
    gravity_m_s2: float,
    between: tuple[float, float],
) -> float:
    """Duration, s, of the cheapest profile to the end of the reference, within limits of thrust acceleration, m/s2."""
    state = np.array([*r, *v])
    end = np.array(
        [parameters.end_altitude_m, -parameters.end_speed_m_s, parameters.end_acceleration_m_s2 - gravity_m_s2]
    )
    return float(_best_duration(state, end, limits[0], limits[1], gravity_m_s2, between[0], between[1]))


@njit(cache=True)
def _best_duration(state, end, least, most, g, shortest, longest):  # type: ignore[no-untyped-def]
    best, best_cost = shortest, np.inf
    for k in range(_CANDIDATES):
        duration = shortest + (longest - shortest) * k / (_CANDIDATES - 1)
        cost = _cost(state, end, least, most, g, duration)
        if cost < best_cost:
            best, best_cost = duration, cost
    return best


@njit(cache=True)
def _cost(state, end, least, most, g, duration):  # type: ignore[no-untyped-def]
    """Velocity change of a profile plus a penalty for leaving the limits."""
    c = np.zeros((3, 3))
    for i in range(3):
        r_end = end[0] if i == 2 else 0.0
        v_end = end[1] if i == 2 else 0.0
        a_end = end[2] if i == 2 else 0.0
        p = (v_end - state[3 + i]) / duration
        q = (r_end - state[i] - state[3 + i] * duration) / duration**2
        c[0, i] = a_end - 6.0 * p + 12.0 * q
        c[1, i] = 24.0 * q - 6.0 * p - 6.0 * c[0, i]
        c[2, i] = 6.0 * p - 12.0 * q - c[1, i]
    total = 0.0
    for k in range(_SAMPLES):
        u = k / (_SAMPLES - 1)
        x = c[0, 0] + u * (c[1, 0] + u * c[2, 0])
        y = c[0, 1] + u * (c[1, 1] + u * c[2, 1])
        z = c[0, 2] + u * (c[1, 2] + u * c[2, 2]) + g
        a = sqrt(x * x + y * y + z * z)
        beyond = max(a - most, 0.0) + max(least - a, 0.0) + max(_UPWARD_M_S2 - z, 0.0)
        weight = 0.5 if k in (0, _SAMPLES - 1) else 1.0
        total += weight * (a * duration / (_SAMPLES - 1) + _VIOLATION_COST_S * beyond)
    return total


def thrust_of(acceleration: Vector, gravity: Vector) -> Vector:
    """Thrust acceleration that gives an acceleration under gravity."""
    return (acceleration[0] - gravity[0], acceleration[1] - gravity[1], acceleration[2] - gravity[2])
