"""The judge: what the lander did at first contact and how it stands a minute later, against the limits."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import acos, atan, degrees, hypot, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import rotate
from lander_common.moon import GM_M3_S2, REFERENCE_RADIUS_M, ROTATION_RATE_RAD_S
from lander_world.initial_state import Q, R, V
from lander_world.parameters import LandingLimits, TouchdownLimits
from lander_world.site_motion import rate_over_ground

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Motion:
    """How the lander moves over the ground and stands on it."""

    vertical_speed_m_s: float  # along the local vertical, downward positive
    horizontal_speed_m_s: float
    tilt_deg: float  # of body z from the local vertical
    rate_deg_s: float  # relative to the Moon


def motion(state: Array) -> Motion:
    """Motion over the ground from the state of the rigid body (`lander_world.initial_state`)."""
    return Motion(*_motion(state))


@njit(cache=True)
def _motion(state: Array) -> tuple[float, float, float, float]:
    x, y, z = state[R], state[R + 1], state[R + 2]
    vx, vy, vz = state[V] + ROTATION_RATE_RAD_S * y, state[V + 1] - ROTATION_RATE_RAD_S * x, state[V + 2]
    radius = sqrt(x * x + y * y + z * z)
    up = (x / radius, y / radius, z / radius)
    climb = vx * up[0] + vy * up[1] + vz * up[2]
    across = sqrt((vx - climb * up[0]) ** 2 + (vy - climb * up[1]) ** 2 + (vz - climb * up[2]) ** 2)
    ax, ay, az = rotate((state[Q], state[Q + 1], state[Q + 2], state[Q + 3]), (0.0, 0.0, 1.0))
    tilt = acos(min(1.0, max(-1.0, ax * up[0] + ay * up[1] + az * up[2])))
    wx, wy, wz = rate_over_ground(state)
    return -climb, across, degrees(tilt), degrees(sqrt(wx * wx + wy * wy + wz * wz))


def perilune_height_m(state: Array) -> float:
    """Lowest height over the reference sphere on the Kepler orbit through a state of the rigid body, m: p / (1 + e)."""
    r, v = state[R : R + 3], state[V : V + 3]
    momentum = np.cross(r, v)
    excentricity = np.cross(v, momentum) / GM_M3_S2 - r / np.linalg.norm(r)
    return float(momentum @ momentum / GM_M3_S2 / (1.0 + np.linalg.norm(excentricity))) - REFERENCE_RADIUS_M


def footprint_slope_deg(heights: Sequence[float], places: Sequence[tuple[float, float]]) -> float:
    """Slope, deg, of the plane fitted to heights, m, at (east, north) places, m."""
    design = np.array([(east, north, 1.0) for east, north in places])
    (slope_e, slope_n, _), *_ = np.linalg.lstsq(design, np.array(heights), rcond=None)
    return degrees(atan(hypot(float(slope_e), float(slope_n))))


def excess(motion: Motion, slope_deg: float, limits: TouchdownLimits) -> list[str]:
    """What of a touchdown was beyond the limits, in words; tilt counts beyond the slope."""
    watched = (
        ("vertical speed", motion.vertical_speed_m_s, limits.vertical_speed_m_s, "m/s"),
        ("horizontal speed", motion.horizontal_speed_m_s, limits.horizontal_speed_m_s, "m/s"),
        ("tilt", max(motion.tilt_deg - slope_deg, 0.0), limits.tilt_deg, "deg beyond the slope"),
        ("rate", motion.rate_deg_s, limits.rate_deg_s, "deg/s"),
    )
    return [
        f"{name} {value:.2f} {unit} (limit {limit:g})" for name, value, limit, unit in watched if not value <= limit
    ]


@dataclass(frozen=True)
class Verdict:
    """How the run ended."""

    outcome: str
    reason: str


def verdict(
    touchdown: Motion, slope_deg: float, rest: Motion, rest_slope_deg: float, still: bool, limits: LandingLimits
) -> Verdict:
    """Judge a lander that has not crashed, some time after its touchdown."""
    if not still:
        return Verdict("lost", f"not at rest {limits.rest.after_s:g} s after first contact")
    rest_tilt = max(rest.tilt_deg - rest_slope_deg, 0.0)
    worst = limits.survivable
    beyond = excess(touchdown, slope_deg, worst)
    if beyond:
        return Verdict("lost", f"touchdown beyond what is survivable: {', '.join(beyond)}")
    if rest_tilt > worst.tilt_deg:
        return Verdict("lost", f"not upright: at rest {rest_tilt:.1f} deg beyond the slope (limit {worst.tilt_deg:g})")
    beyond = excess(touchdown, slope_deg, limits.success)
    if rest_tilt > limits.success.tilt_deg:
        beyond.append(f"at rest {rest_tilt:.1f} deg beyond the slope (limit {limits.success.tilt_deg:g})")
    if beyond:
        return Verdict("survivable", f"landed beyond the limits of success: {', '.join(beyond)}")
    return Verdict("success", "upright and still")


def is_still(motion: Motion, limits: LandingLimits) -> bool:
    """Whether the lander counts as still."""
    speed = sqrt(motion.vertical_speed_m_s**2 + motion.horizontal_speed_m_s**2)
    return speed <= limits.rest.speed_m_s and motion.rate_deg_s <= limits.rest.rate_deg_s
