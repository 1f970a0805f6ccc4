"""Smear of an image by the motion of the camera during the exposure."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import project
from lander_sensors.camera_render import DETAIL, KNOT, MISSED, E, N
from lander_terrain.geometry import map_to_site
from lander_terrain.jit import jit

Array = NDArray[np.float64]
Image = NDArray[np.float32]

_NOTICED_PX = 0.2  # shorter paths are less than the blur of the lens
_TAPS_PER_PX = 2.0


@jit
def image_motion(
    lens: Array,
    lattice: Array,
    radius: float,
    level_m: float,
    origin: Array,
    R_site_optical: Array,
    v_optical: Array,
    w_optical: Array,
    exposure_s: float,
) -> Array:
    """Path of the ground over the image during an exposure, pixels (u, v), at the knots of a lattice; shape (rows, columns, 2).

    `v_optical`, m/s, and `w_optical`, rad/s, are the camera's over the ground, in camera_optical.
    """
    rows, columns = lattice.shape[:2]
    paths = np.zeros((rows, columns, 2))
    for i in range(rows):
        for j in range(columns):
            if lattice[i, j, DETAIL] == MISSED:
                continue
            x, y, z = map_to_site(radius, lattice[i, j, E], lattice[i, j, N], level_m)
            dx, dy, dz = x - origin[0], y - origin[1], z - origin[2]
            a = R_site_optical[0, 0] * dx + R_site_optical[1, 0] * dy + R_site_optical[2, 0] * dz
            b = R_site_optical[0, 1] * dx + R_site_optical[1, 1] * dy + R_site_optical[2, 1] * dz
            c = R_site_optical[0, 2] * dx + R_site_optical[1, 2] * dy + R_site_optical[2, 2] * dz
            da = -v_optical[0] - (w_optical[1] * c - w_optical[2] * b)
            db = -v_optical[1] - (w_optical[2] * a - w_optical[0] * c)
            dc = -v_optical[2] - (w_optical[0] * b - w_optical[1] * a)
            half = 0.5 * exposure_s
            after = project(lens, a + half * da, b + half * db, c + half * dc)
            before = project(lens, a - half * da, b - half * db, c - half * dc)
            paths[i, j, 0], paths[i, j, 1] = after[0] - before[0], after[1] - before[1]
    return paths


def smear(image: Image, paths: Array) -> Image:
    """The image smeared along the paths at its knots; the image itself where none is long enough to be noticed."""
    if np.abs(paths).max() < _NOTICED_PX:
        return image
    smeared = np.empty_like(image)
    _smear(image, paths, smeared)
    return smeared


@jit
def _smear(image: Image, paths: Array, smeared: Image) -> None:
    rows, columns = image.shape
    for row in range(rows):
        i, y = row // KNOT, (row % KNOT) / KNOT
        for column in range(columns):
            j, x = column // KNOT, (column % KNOT) / KNOT
            low_u, low_v = _mix(paths, i, j, x)
            high_u, high_v = _mix(paths, i + 1, j, x)
            u, v = low_u + y * (high_u - low_u), low_v + y * (high_v - low_v)
            taps = 1 + ceil(_TAPS_PER_PX * sqrt(u * u + v * v))
            total = 0.0
            for k in range(taps):
                along = (k + 0.5) / taps - 0.5
                total += _bilinear(image, row + along * v, column + along * u)
            smeared[row, column] = total / taps


@jit
def _mix(paths: Array, i: int, j: int, x: float) -> tuple[float, float]:
    return (
        paths[i, j, 0] + x * (paths[i, j + 1, 0] - paths[i, j, 0]),
        paths[i, j, 1] + x * (paths[i, j + 1, 1] - paths[i, j, 1]),
    )


@jit
def _bilinear(image: Image, row: float, column: float) -> float:
    row, column = min(max(row, 0.0), image.shape[0] - 1.001), min(max(column, 0.0), image.shape[1] - 1.001)
    i, j = int(row), int(column)
    v, u = row - i, column - j
    low = image[i, j] + u * (image[i, j + 1] - image[i, j])
    high = image[i + 1, j] + u * (image[i + 1, j + 1] - image[i + 1, j])
    return low + v * (high - low)
