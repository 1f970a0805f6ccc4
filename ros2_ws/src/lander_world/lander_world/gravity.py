"""Gravity of the Moon: point mass, J2 and C22."""

from __future__ import annotations

from math import cos, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.moon import C22, GM_M3_S2, GRAVITY_RADIUS_M, J2, ROTATION_RATE_RAD_S

Array = NDArray[np.float64]

# Entries of a gravity model: GM, 3/2 J2 GM R^2, 3 C22 GM R^2
_GM, _J2, _C22 = 0, 1, 2


def gravity_model(j2: float = J2, c22: float = C22) -> Array:
    """Table for the functions below, from unnormalised coefficients."""
    scale = GM_M3_S2 * GRAVITY_RADIUS_M**2
    return np.array([GM_M3_S2, 1.5 * j2 * scale, 3.0 * c22 * scale])


@njit(cache=True)
def potential_mcmf(model: Array, x: float, y: float, z: float) -> float:
    """Gravitational potential per unit mass, m2/s2, positive and falling outwards, at a place in mcmf, m.

    U = GM/r [1 - J2 (R/r)^2 (3 sin^2 lat - 1)/2 + 3 C22 (R/r)^2 cos^2 lat cos 2 lon], with unnormalised coefficients
    (Kaula 1966, Theory of Satellite Geodesy, chapter 1).
    """
    r2 = x * x + y * y + z * z
    r = sqrt(r2)
    r3 = r2 * r
    zonal = model[_J2] / 3.0 / r3 * (1.0 - 3.0 * z * z / r2)
    potential: float = model[_GM] / r + zonal + model[_C22] * (x * x - y * y) / (r3 * r2)
    return potential


@njit(cache=True)
def gravity_mcmf(model: Array, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Gravitational acceleration, m/s2, in mcmf: the gradient of `potential_mcmf`."""
    r2 = x * x + y * y + z * z
    r3 = r2 * sqrt(r2)
    r5 = r3 * r2
    tesseral = 5.0 * model[_C22] * (x * x - y * y) / (r5 * r2)
    zonal = model[_J2] * (1.0 - 5.0 * z * z / r2) / r5
    along = -(model[_GM] / r3 + zonal + tesseral)
    return (
        x * (along + 2.0 * model[_C22] / r5),
        y * (along - 2.0 * model[_C22] / r5),
        z * (along - 2.0 * model[_J2] / r5),
    )


@njit(cache=True)
def gravity_mci(model: Array, x: float, y: float, z: float, time_s: float) -> tuple[float, float, float]:
    """Gravitational acceleration, m/s2, in mci at a place in mci, m, and a time since stamp 0, s."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    gx, gy, gz = gravity_mcmf(model, c * x + s * y, c * y - s * x, z)
    return c * gx - s * gy, s * gx + c * gy, gz
