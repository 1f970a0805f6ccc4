"""Where the lander is and how it moves as seen from the site, which turns with the Moon."""

from __future__ import annotations

from math import cos, sin

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import conjugate, multiply, rotate
from lander_common.frames import SiteFrame
from lander_common.moon import ROTATION_RATE_RAD_S

Array = NDArray[np.float64]
Vector = tuple[float, float, float]
Quaternion = tuple[float, float, float, float]

# Entries of the table of the site
_Q, _R = 0, 4
TABLE_LENGTH = 7


def site_table(frame: SiteFrame) -> Array:
    """Table for the functions below: q_mcmf_site and r_site_mcmf, m."""
    return np.concatenate([np.array(frame.q_mcmf_site), frame.r_site_mcmf])


@njit(cache=True)
def q_mci_site(site: Array, time_s: float) -> Quaternion:
    """Rotation from site to mci at a time since stamp 0, s."""
    half = 0.5 * ROTATION_RATE_RAD_S * time_s
    q_mci_mcmf = (0.0, 0.0, sin(half), cos(half))
    q: Quaternion = multiply(q_mci_mcmf, (site[_Q], site[_Q + 1], site[_Q + 2], site[_Q + 3]))
    return q


@njit(cache=True)
def to_site(site: Array, q_site_mci: Quaternion, state: Array, time_s: float) -> tuple[Vector, Vector, Quaternion]:
    """Position, m, velocity relative to the rotating Moon, m/s, and q_site_body, in site, from a state in mci."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    ox, oy, oz = site[_R], site[_R + 1], site[_R + 2]
    x, y, z = state[0], state[1], state[2]
    r = rotate(q_site_mci, (x - (c * ox - s * oy), y - (s * ox + c * oy), z - oz))
    v = rotate(q_site_mci, (state[3] + ROTATION_RATE_RAD_S * y, state[4] - ROTATION_RATE_RAD_S * x, state[5]))
    return r, v, multiply(q_site_mci, (state[6], state[7], state[8], state[9]))


@njit(cache=True)
def rate_over_ground(state: Array) -> Vector:
    """Body rate relative to the rotating Moon, rad/s, in body."""
    q_body_mci = conjugate((state[6], state[7], state[8], state[9]))
    wx, wy, wz = rotate(q_body_mci, (0.0, 0.0, ROTATION_RATE_RAD_S))
    return state[10] - wx, state[11] - wy, state[12] - wz
