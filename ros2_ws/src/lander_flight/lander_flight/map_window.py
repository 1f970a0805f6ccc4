"""A square of the onboard image map as a camera would see it now, and an image laid over the same square.

Both are made on one grid of map coordinates, so that an image taken where navigation thinks it was differs from the map
by shifts alone: perspective, distortion, curvature and relief are all taken out by projecting each cell of the map, at
its height, into the image. The map was photographed under another Sun; it is lit anew, from its heights, by the Sun of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.camera_geometry import project

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

_DARKEST = 0.02  # of the shading under the Sun of the survey, below which it says nothing of the albedo


@dataclass(frozen=True)
class Window:
    """A grid of map coordinates: south-west cell, m, cells along each axis (rows to north, columns to east), m between them."""

    east_m: float
    north_m: float
    cells: int
    posting_m: float

    @classmethod
    def about(cls, e: float, n: float, cells: int, posting_m: float) -> Window:
        """The window with its middle at map coordinates."""
        half = 0.5 * (cells - 1) * posting_m
        return cls(e - half, n - half, cells, posting_m)

    def place(self, row: Array, column: Array) -> tuple[Array, Array]:
        """Map coordinates (e, n) of places in cells."""
        return self.east_m + self.posting_m * column, self.north_m + self.posting_m * row


@dataclass(frozen=True)
class CameraPose:
    """Where the camera is and how it looks: optical centre in site, m; rotation from camera_optical to site."""

    r_site: Array
    R_site_optical: Array


def site_points(e: Array, n: Array, h: Array, radius_m: float) -> Array:
    """Site coordinates, m, of places on the map (azimuthal equidistant about the target), shape (k, 3)."""
    points = np.empty((e.size, 3))
    for k in range(e.size):
        points[k] = site_point(e[k], n[k], h[k], radius_m)
    return points


@njit(cache=True)
def site_point(e: float, n: float, h: float, radius: float) -> tuple[float, float, float]:
    """Site coordinates, m, of map coordinates and a height above the sphere through the target, m."""
    away = sqrt(e * e + n * n)
    if away < 1e-9:
        return e, n, h
    angle, outward = away / radius, radius + h
    across = outward * sin(angle) / away
    return across * e, across * n, outward * cos(angle) - radius


@njit(cache=True)
def rectify(
    image: Picture,
    level: int,
    lens: Array,
    r_site: Array,
    R_site_optical: Array,
    east: float,
    north: float,
    posting: float,
    heights: Picture,
    radius: float,
) -> Picture:
    """Brightness that the image shows at each cell of a window; NaN where it does not reach.

    `image`: averaged over `level` x `level` pixels, so that its pixels are about as large as the cells.
    """
    rows, columns = heights.shape
    high, wide = image.shape
    found = np.full((rows, columns), np.float32(np.nan))
    R = R_site_optical
    for i in range(rows):
        n = north + posting * i
        for j in range(columns):
            x, y, z = site_point(east + posting * j, n, heights[i, j], radius)
            x, y, z = x - r_site[0], y - r_site[1], z - r_site[2]
            ahead = R[0, 2] * x + R[1, 2] * y + R[2, 2] * z
            if not ahead > 0.0:
                continue
            right = R[0, 0] * x + R[1, 0] * y + R[2, 0] * z
            down = R[0, 1] * x + R[1, 1] * y + R[2, 1] * z
            if right * right + down * down > ahead * ahead:  # beyond 45 deg, where the distortion is not calibrated
                continue
            u, v = project(lens, right, down, ahead)
            u, v = (u + 0.5) / level - 0.5, (v + 0.5) / level - 0.5
            if u < 0.0 or v < 0.0 or u >= wide - 1 or v >= high - 1:
                continue
            a, b = int(u), int(v)
            fu, fv = u - a, v - b
            upper = image[b, a] * (1.0 - fu) + image[b, a + 1] * fu
            lower = image[b + 1, a] * (1.0 - fu) + image[b + 1, a + 1] * fu
            found[i, j] = upper * (1.0 - fv) + lower * fv
    return found


@njit(cache=True)
def shade(heights: Picture, posting: float, sun: Array, view: Array) -> Picture:
    """Reflectance of a relief of unit albedo by the lunar-Lambert law (McEwen 1991), attached shadows included.

    `sun`, `view`: unit vectors towards the Sun and the camera, along the axes of the map (east, north, up).
    """
    rows, columns = heights.shape
    share = lunar_share(sun[0] * view[0] + sun[1] * view[1] + sun[2] * view[2])
    lit = np.zeros((rows, columns), np.float32)
    for i in range(rows):
        south, north = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            west, east = max(j - 1, 0), min(j + 1, columns - 1)
            p = (heights[i, east] - heights[i, west]) / ((east - west) * posting)
            q = (heights[north, j] - heights[south, j]) / ((north - south) * posting)
            scale = 1.0 / sqrt(1.0 + p * p + q * q)
            incidence = (sun[2] - p * sun[0] - q * sun[1]) * scale
            emission = (view[2] - p * view[0] - q * view[1]) * scale
            if incidence > 0.0 and emission > 0.0:
                lit[i, j] = share * 2.0 * incidence / (incidence + emission) + (1.0 - share) * incidence
    return lit


@njit(cache=True)
def lunar_share(cosine: float) -> float:
    """Weight of the Lommel-Seeliger term at a phase angle (McEwen 1996: a cubic in degrees)."""
    g = np.degrees(np.arccos(min(1.0, max(-1.0, cosine))))
    return min(1.0, max(0.0, 1.0 + g * (-0.019 + g * (0.242e-3 - g * 1.46e-6))))


def relight(brightness: Picture, then: Picture, now: Picture) -> Picture:
    """The map's picture, taken under one shading, under another: where the survey was dark, the albedo of its surroundings."""
    known = then > _DARKEST
    if not known.any():
        return now
    albedo = brightness / np.maximum(then, np.float32(_DARKEST))
    return np.asarray(now * np.where(known, albedo, albedo[known].mean()), np.float32)
