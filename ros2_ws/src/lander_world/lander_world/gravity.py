"""Gravity of the Moon: point mass, J2 and C22."""

from __future__ import annotations

from math import cos, sin, sqrt

from lander_common.moon import C22, GM_M3_S2, GRAVITY_RADIUS_M, J2, ROTATION_RATE_RAD_S
from numba import njit

_J2_FACTOR = 1.5 * J2 * GM_M3_S2 * GRAVITY_RADIUS_M**2
_C22_FACTOR = 3.0 * C22 * GM_M3_S2 * GRAVITY_RADIUS_M**2


@njit(cache=True)
def potential_mcmf(x: float, y: float, z: float) -> float:
    """Gravitational potential per unit mass, m2/s2, positive and falling outwards, at a place in mcmf, m.

    U = GM/r [1 - J2 (R/r)^2 (3 sin^2 lat - 1)/2 + 3 C22 (R/r)^2 cos^2 lat cos 2 lon], unnormalised coefficients (Kaula 1966, 1.31).
    """
    r2 = x * x + y * y + z * z
    r = sqrt(r2)
    r3 = r2 * r
    return GM_M3_S2 / r - _J2_FACTOR / 3.0 / r3 * (3.0 * z * z / r2 - 1.0) + _C22_FACTOR * (x * x - y * y) / (r3 * r2)


@njit(cache=True)
def gravity_mcmf(x: float, y: float, z: float) -> tuple[float, float, float]:
    """Gravitational acceleration, m/s2, in mcmf: the gradient of `potential_mcmf`."""
    r2 = x * x + y * y + z * z
    r3 = r2 * sqrt(r2)
    r5 = r3 * r2
    tesseral = 5.0 * _C22_FACTOR * (x * x - y * y) / (r5 * r2)
    zonal = _J2_FACTOR * (1.0 - 5.0 * z * z / r2) / r5
    central = GM_M3_S2 / r3
    along = -(central + zonal + tesseral)
    return (
        x * (along + 2.0 * _C22_FACTOR / r5),
        y * (along - 2.0 * _C22_FACTOR / r5),
        z * (along - 2.0 * _J2_FACTOR / r5),
    )


@njit(cache=True)
def gravity_mci(x: float, y: float, z: float, time_s: float) -> tuple[float, float, float]:
    """Gravitational acceleration, m/s2, in mci at a place in mci, m, and a time since stamp 0, s."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    gx, gy, gz = gravity_mcmf(c * x + s * y, c * y - s * x, z)
    return c * gx - s * gy, s * gx + c * gy, gz
