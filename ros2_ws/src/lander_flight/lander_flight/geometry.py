"""Vectors as triples, the axes of site and of places on the map, for numba code."""

from __future__ import annotations

from math import atan2, cos, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.moon import ROTATION_RATE_RAD_S

Array = NDArray[np.float64]
Triple = tuple[float, float, float]
Axes = tuple[Triple, Triple, Triple]  # x, y, z of a frame, in mci


@njit(cache=True)
def site_axes(R_mcmf_site: Array, time_s: float) -> Axes:
    """Axes of site in mci at a time since stamp 0."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    M = R_mcmf_site
    return (
        (c * M[0, 0] - s * M[1, 0], s * M[0, 0] + c * M[1, 0], M[2, 0]),
        (c * M[0, 1] - s * M[1, 1], s * M[0, 1] + c * M[1, 1], M[2, 1]),
        (c * M[0, 2] - s * M[1, 2], s * M[0, 2] + c * M[1, 2], M[2, 2]),
    )


@njit(cache=True)
def dot(a: Triple, b: Triple) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


@njit(cache=True)
def cross(a: Triple, b: Triple) -> Triple:
    """Vector product."""
    return a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0]


@njit(cache=True)
def to_mci(axes: Axes, v: Triple) -> Triple:
    """Vector in mci from one along axes given in mci."""
    x, y, z = axes
    return (
        x[0] * v[0] + y[0] * v[1] + z[0] * v[2],
        x[1] * v[0] + y[1] * v[1] + z[1] * v[2],
        x[2] * v[0] + y[2] * v[1] + z[2] * v[2],
    )


@njit(cache=True)
def local_axes(site: Axes, p: Triple) -> tuple[Triple, Triple, Triple, float]:
    """East, north (as on the map, carried along the great circle from the target) and up at a place, in mci, and its distance, m.

    `site`: the axes of site in mci; `p`: from the Moon's centre in mci, m.
    """
    radius = sqrt(dot(p, p))
    ux, uy, uz = dot(site[0], p) / radius, dot(site[1], p) / radius, dot(site[2], p) / radius
    k = 1.0 / (1.0 + uz)
    east = to_mci(site, (1.0 - k * ux * ux, -k * ux * uy, -ux))
    north = to_mci(site, (-k * ux * uy, 1.0 - k * uy * uy, -uy))
    return east, north, (p[0] / radius, p[1] / radius, p[2] / radius), radius


@njit(cache=True)
def map_place(site: Axes, p: Triple, site_radius: float) -> tuple[float, float]:
    """Map coordinates (e, n), m, of a place given from the Moon's centre in mci, m."""
    x, y, z = dot(site[0], p), dot(site[1], p), dot(site[2], p)
    across = sqrt(x * x + y * y)
    if across < 1e-6 * z:
        return x * site_radius / z, y * site_radius / z
    scale = site_radius * atan2(across, z) / across
    return x * scale, y * scale


@njit(cache=True)
def site_point(e: float, n: float, h: float, radius: float) -> tuple[float, float, float]:
    """Site coordinates, m, of map coordinates and a height above the sphere through the target, m."""
    away = sqrt(e * e + n * n)
    if away < 1e-9:
        return e, n, h
    angle, outward = away / radius, radius + h
    across = outward * sin(angle) / away
    return across * e, across * n, outward * cos(angle) - radius
