"""The terrain under the lander: altitude, and the planes that the contact points may touch."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import conjugate, rotate
from lander_terrain.surface import TerrainData, altitude_and_normal_site
from lander_world.contact import LEVEL, NORMAL, POINT, WITHIN_REACH
from lander_world.plant import Plant
from lander_world.site_motion import q_mci_site, to_site

Array = NDArray[np.float64]
_NEAR_M = 20.0  # altitude of the pads below which every point is looked at: more than the lander's size


@njit(cache=True)
def _set_plane(terrain: TerrainData, points: Array, i: int, places: Array) -> float:
    """Set the ground plane under a point; return the altitude of the point."""
    x, y, z = places[i, 0], places[i, 1], places[i, 2]
    altitude, nx, ny, nz = altitude_and_normal_site(terrain, x, y, z)
    level = z + terrain.radius
    scale = altitude / sqrt(x * x + y * y + level * level)
    points[i, NORMAL], points[i, NORMAL + 1], points[i, NORMAL + 2] = nx, ny, nz
    points[i, LEVEL] = nx * (x - scale * x) + ny * (y - scale * y) + nz * (z - scale * level)
    return altitude


@njit(cache=True)
def look_down(plant: Plant, terrain: TerrainData, time_s: float, com: Array, reach_m: float) -> tuple[float, float]:
    """Altitude of the lowest pad and clearance of the lowest point of all, m.

    Sets the planes of the points that are near, and which of them are within reach of the ground. Far from the ground
    only the pad that is lowest is looked at, and the clearance is a lower bound.
    """
    ground = plant.ground
    points, pads = ground.points, ground.pads.shape[0]
    r, _, q_site_body = to_site(ground.site, conjugate(q_mci_site(ground.site, time_s)), plant.state, time_s)
    places = np.empty((points.shape[0], 3))
    lowest, lowest_height = 0, np.inf
    for i in range(points.shape[0]):
        arm = (points[i, POINT] - com[0], points[i, POINT + 1] - com[1], points[i, POINT + 2] - com[2])
        ax, ay, az = rotate(q_site_body, arm)
        x, y, z = r[0] + ax, r[1] + ay, r[2] + az
        places[i, 0], places[i, 1], places[i, 2] = x, y, z
        height = x * x + y * y + z * (z + 2.0 * terrain.radius)  # rises with the distance from the Moon's centre
        if i < pads and height < lowest_height:
            lowest, lowest_height = i, height
    altitude = _set_plane(terrain, points, lowest, places)
    if altitude > _NEAR_M:
        return altitude, altitude - 0.5 * _NEAR_M
    clearance = np.inf
    for i in range(points.shape[0]):
        above = _set_plane(terrain, points, i, places)
        points[i, WITHIN_REACH] = 1.0 if above < reach_m else 0.0
        clearance = min(clearance, above)
        if i < pads:
            altitude = min(altitude, above)
    return altitude, clearance
