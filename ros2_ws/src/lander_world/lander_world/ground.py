"""The terrain under the lander: altitude, and the planes that the contact points may touch."""

from __future__ import annotations

from math import sqrt

import numpy as np
from lander_terrain.surface import TerrainData, altitude_and_normal_site
from numba import njit
from numpy.typing import NDArray

from lander_world.attitude import conjugate, rotate
from lander_world.contact import LEVEL, NORMAL, POINT
from lander_world.site_motion import q_mci_site, to_site

Array = NDArray[np.float64]
_NEAR_M = 20.0  # altitude of the pads below which every point is looked at: more than the lander's size


@njit(cache=True)
def _plane(terrain: TerrainData, points: Array, i: int, place: tuple[float, float, float]) -> float:
    """Set the ground plane under a point; return the altitude of the point."""
    x, y, z = place
    altitude, nx, ny, nz = altitude_and_normal_site(terrain, x, y, z)
    level = z + terrain.radius
    scale = altitude / sqrt(x * x + y * y + level * level)
    points[i, NORMAL], points[i, NORMAL + 1], points[i, NORMAL + 2] = nx, ny, nz
    points[i, LEVEL] = nx * (x - scale * x) + ny * (y - scale * y) + nz * (z - scale * level)
    return altitude


@njit(cache=True)
def look_down(
    terrain: TerrainData, site: Array, state: Array, time_s: float, com: Array, points: Array, pads: int
) -> tuple[float, float]:
    """Altitude of the lowest pad and clearance of the lowest point of all, m; sets the planes of points that are near.

    Far from the ground only the pad that is lowest is looked at, and the clearance is a lower bound.
    """
    r, _, q_site_body = to_site(site, conjugate(q_mci_site(site, time_s)), state, time_s)
    places = np.empty((points.shape[0], 3))
    lowest, lowest_height = 0, np.inf
    for i in range(points.shape[0]):
        ax, ay, az = rotate(
            q_site_body, (points[i, POINT] - com[0], points[i, POINT + 1] - com[1], points[i, POINT + 2] - com[2])
        )
        x, y, z = r[0] + ax, r[1] + ay, r[2] + az
        places[i, 0], places[i, 1], places[i, 2] = x, y, z
        height = x * x + y * y + z * (z + 2.0 * terrain.radius)  # rises with the distance from the Moon's centre
        if i < pads and height < lowest_height:
            lowest, lowest_height = i, height
    altitude = _plane(terrain, points, lowest, (places[lowest, 0], places[lowest, 1], places[lowest, 2]))
    if altitude > _NEAR_M:
        return altitude, altitude - 0.5 * _NEAR_M
    clearance = np.inf
    for i in range(points.shape[0]):
        above = _plane(terrain, points, i, (places[i, 0], places[i, 1], places[i, 2]))
        clearance = min(clearance, above)
        if i < pads:
            altitude = min(altitude, above)
    return altitude, clearance
