"""A square of the onboard image map as a camera would see it now, and an image laid over the same square.

Both are made on one grid of map coordinates, so that an image taken where navigation thinks it was differs from the map
by shifts alone: perspective, distortion, curvature and relief are all taken out by projecting each cell of the map, at
its height, into the image. The map was photographed under another Sun; it is lit anew, from its heights, by the Sun of now.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.camera_geometry import project
from lander_common.reflectance import grid_slope, lunar_lambert, phase_share
from lander_flight.geometry import site_point

Array = NDArray[np.float64]
Picture = NDArray[np.float32]

_DARKEST = 0.02  # of the shading under the Sun of the survey, below which it says nothing of the albedo

_PIECE = 16  # cells of a row


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


@njit(cache=True, error_model="numpy")
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

    `image`: averaged over `level` x `level` pixels, so that its pixels are about as large as the cells. Between every
    sixteenth cell the sphere is taken for straight, which is wrong by 16^2 / 8 R posting^2: a thousandth of a cell at 50 m.
    """
    rows, columns = heights.shape
    high, wide = image.shape
    share = 1.0 / level
    found = np.full((rows, columns), np.float32(np.nan))
    # Of both ends of a piece of a row: at height 0, and per metre above.
    foot, lift = np.empty((2, 3)), np.empty((2, 3))
    for i in range(rows):
        n = north + posting * i
        _in_camera(east, n, radius, r_site, R_site_optical, foot[1], lift[1])
        for first in range(0, columns, _PIECE):
            foot[0], lift[0] = foot[1], lift[1]
            _in_camera(east + posting * (first + _PIECE), n, radius, r_site, R_site_optical, foot[1], lift[1])
            for j in range(first, min(first + _PIECE, columns)):
                s, h = (j - first) / _PIECE, heights[i, j]
                ahead = _along(foot, lift, 2, s, h)
                if not ahead > 0.0:
                    continue
                right, down = _along(foot, lift, 0, s, h), _along(foot, lift, 1, s, h)
                if right * right + down * down > ahead * ahead:  # beyond 45 deg, where the distortion is not calibrated
                    continue
                u, v = project(lens, right, down, ahead)
                u, v = (u + 0.5) * share - 0.5, (v + 0.5) * share - 0.5
                if u < 0.0 or v < 0.0 or u >= wide - 1 or v >= high - 1:
                    continue
                a, b = int(u), int(v)
                fu, fv = u - a, v - b
                upper = image[b, a] * (1.0 - fu) + image[b, a + 1] * fu
                lower = image[b + 1, a] * (1.0 - fu) + image[b + 1, a + 1] * fu
                found[i, j] = upper * (1.0 - fv) + lower * fv
    return found


@njit(cache=True)
def _in_camera(
    e: float, n: float, radius: float, r_site: Array, R_site_optical: Array, foot: Array, lift: Array
) -> None:
    """Fill with a place of the map at height 0, m in camera_optical, and with its way up, unit."""
    x, y, z = site_point(e, n, 0.0, radius)
    up = x / radius, y / radius, (z + radius) / radius
    away = x - r_site[0], y - r_site[1], z - r_site[2]
    for axis in range(3):
        a, b, c = R_site_optical[0, axis], R_site_optical[1, axis], R_site_optical[2, axis]
        foot[axis] = a * away[0] + b * away[1] + c * away[2]
        lift[axis] = a * up[0] + b * up[1] + c * up[2]


@njit(cache=True)
def _along(foot: Array, lift: Array, axis: int, s: float, h: float) -> float:
    """Coordinate of a point between two places of the map, at a height above it."""
    low = foot[0, axis] + s * (foot[1, axis] - foot[0, axis])
    return float(low + h * (lift[0, axis] + s * (lift[1, axis] - lift[0, axis])))


@njit(cache=True)
def _dot(a: Array, b: Array) -> float:
    return float(a[0] * b[0] + a[1] * b[1] + a[2] * b[2])


@njit(cache=True, error_model="numpy")
def shading(p: float, q: float, sun: Array, view: Array, share: float) -> float:
    """Reflectance of ground of unit albedo by the lunar-Lambert law, from its slope (tangents to east and north).

    `sun`, `view`: unit vectors towards the Sun and the camera, along the axes of the map (east, north, up); `share` that of
    their phase angle. 0 in attached shadow, and beyond the map, where the slope is NaN.
    """
    scale = 1.0 / sqrt(1.0 + p * p + q * q)
    incidence = (sun[2] - p * sun[0] - q * sun[1]) * scale
    emission = (view[2] - p * view[0] - q * view[1]) * scale
    return float(lunar_lambert(incidence, emission, share))


@njit(cache=True, error_model="numpy")
def relight(
    brightness: Picture, heights: Picture, posting: float, sun_then: Array, sun_now: Array, view: Array
) -> Picture:
    """The map's picture, taken from straight above under one Sun, as seen along `view` under another; Suns and view as in `shading`.

    Where the survey was dark, the albedo is that of the surroundings.
    """
    rows, columns = heights.shape
    above = np.array([0.0, 0.0, 1.0])
    share_then, share_now = phase_share(sun_then[2]), phase_share(_dot(sun_now, view))
    lit, albedo = np.empty((rows, columns), np.float32), np.empty((rows, columns), np.float32)
    total, known = 0.0, 0
    for i in range(rows):
        for j in range(columns):
            p, q = grid_slope(heights, i, j, posting)
            then = shading(p, q, sun_then, above, share_then)
            lit[i, j] = shading(p, q, sun_now, view, share_now)
            albedo[i, j] = brightness[i, j] / then if then > _DARKEST else np.nan
            if then > _DARKEST:
                total += albedo[i, j]
                known += 1
    mean = total / known if known else 1.0
    for i in range(rows):
        for j in range(columns):
            lit[i, j] *= mean if np.isnan(albedo[i, j]) else albedo[i, j]
    return lit
