"""Where a ray from above meets the surface."""

from __future__ import annotations

from math import acos, sqrt

import numpy as np

from lander_terrain.jit import jit
from lander_terrain.surface import TerrainData, altitude_and_normal_site, altitude_at

_TOLERANCE_M = 2e-4  # of the altitude at the point found
_MOST_STEPS = 2000  # a ray that comes in at an angle (rad) to the ground takes about 20 times the slope bound over it
_SHORTEST_STEP_M = 0.02  # so that a ray along the ground moves on
_HALVINGS = 60


@jit
def ray_range(
    data: TerrainData, x: float, y: float, z: float, dx: float, dy: float, dz: float, max_range: float
) -> tuple[float, float]:
    """Distance, m, along a ray to the surface, and the angle, rad, between ray and surface normal there.

    The ray advances by what the slope bound of the terrain leaves free (Hart 1996, sphere tracing, for a height field),
    and a step too far is bisected. Both results are NaN where the ray meets nothing within `max_range`, or starts below
    the surface; also, for want of steps, where it grazes the ground at less than about 0.3 deg.

    Parameters
    ----------
    x, y, z : origin in site coordinates, m.
    dx, dy, dz : unit direction in site coordinates.
    """
    before, reach = 0.0, 0.0
    for _ in range(_MOST_STEPS):
        altitude = altitude_at(data, x + reach * dx, y + reach * dy, z + reach * dz)
        if altitude < _TOLERANCE_M:
            break
        before = reach
        reach += max(
            altitude / _closing_rate(data, x + reach * dx, y + reach * dy, z + reach * dz, dx, dy, dz), _SHORTEST_STEP_M
        )
        if reach > max_range:
            return np.nan, np.nan
    else:
        return np.nan, np.nan
    if altitude < -_TOLERANCE_M:
        if reach == 0.0:
            return np.nan, np.nan
        reach = _bisect(data, x, y, z, dx, dy, dz, before, reach)
    return reach, _incidence(data, x + reach * dx, y + reach * dy, z + reach * dz, dx, dy, dz)


@jit
def _closing_rate(data: TerrainData, x: float, y: float, z: float, dx: float, dy: float, dz: float) -> float:
    """Altitude lost per distance along the ray at most: its fall plus what the terrain rises to meet it."""
    level = z + data.radius
    rise = (x * dx + y * dy + level * dz) / sqrt(x * x + y * y + level * level)
    return max(-rise, 0.0) + data.slope_bound * sqrt(max(1.0 - rise * rise, 0.0)) + 1e-3


@jit
def _bisect(
    data: TerrainData, x: float, y: float, z: float, dx: float, dy: float, dz: float, above: float, below: float
) -> float:
    for _ in range(_HALVINGS):
        middle = 0.5 * (above + below)
        altitude = altitude_at(data, x + middle * dx, y + middle * dy, z + middle * dz)
        if abs(altitude) < _TOLERANCE_M:
            return middle
        if altitude > 0.0:
            above = middle
        else:
            below = middle
    return 0.5 * (above + below)


@jit
def _incidence(data: TerrainData, x: float, y: float, z: float, dx: float, dy: float, dz: float) -> float:
    _, nx, ny, nz = altitude_and_normal_site(data, x, y, z)
    return acos(min(max(-(nx * dx + ny * dy + nz * dz), -1.0), 1.0))
