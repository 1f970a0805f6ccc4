"""The Sun over a terrain: its direction in the local frame of a place. Its rays are parallel; the ground turns under them."""

from __future__ import annotations

from math import cos, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_terrain.jit import jit

Array = NDArray[np.float64]

_NO_ARC_M = 1e-6  # m: too short for a direction


@jit
def to_local(radius: float, e: float, n: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A vector in site coordinates in the local frame of the map point (e, n): the inverse of `geometry.local_to_site`."""
    arc = sqrt(e * e + n * n)
    if arc < _NO_ARC_M:
        return x, y, z
    c, s = cos(arc / radius), sin(arc / radius)
    de, dn = e / arc, n / arc
    outward, across = x * de + y * dn, y * de - x * dn
    radial = c * outward - s * z
    return radial * de - across * dn, radial * dn + across * de, s * outward + c * z


def local_sun(radius_m: float, e: float, n: float, sun_site: Array) -> Array:
    """Unit vector towards the Sun in the local frame of map coordinates, m; shape (3,)."""
    x, y, z = (float(value) for value in sun_site)
    return np.array(to_local(radius_m, float(e), float(n), x, y, z))
