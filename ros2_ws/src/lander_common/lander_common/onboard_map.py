"""The onboard map: what the flight software knows of the terrain. It is made before flight; see `lander_tools.make_map`.

Heights above the sphere through the target, on nested grids in map coordinates: azimuthal equidistant about the target, so that
(e, n) is the arc length from the target along that sphere, resolved into east and north at the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, radians, sin
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Columns of the table of levels, one row a level, finest first.
OFFSET, ROWS, COLUMNS, SPACING, EAST, NORTH, COS, SIN, SIGMA, CORRELATION, REGISTRATION = range(11)


@dataclass(frozen=True)
class MapLevel:
    """One grid: rows run along `azimuth_deg` (from north over east), columns to the right of it, centred where the level says."""

    heights_m: NDArray[np.float32]  # shape (rows, columns)
    spacing_m: float
    centre_m: tuple[float, float]  # east, north
    azimuth_deg: float
    sigma_m: float  # 1-sigma of a height, detail finer than the grid included
    correlation_m: float  # distance over which that error decays
    registration_m: float  # 1-sigma per axis of the place

    def coordinates(self) -> tuple[Array, Array]:
        """East and north of the grid points, m; each of the grid's shape."""
        return grid_coordinates(self.heights_m.shape, self.spacing_m, self.centre_m, self.azimuth_deg)

    def row(self, offset: int) -> list[float]:
        """Its row in the table of levels."""
        azimuth = radians(self.azimuth_deg)
        rows, columns = self.heights_m.shape
        grid = [offset, rows, columns, self.spacing_m, *self.centre_m, cos(azimuth), sin(azimuth)]
        return [*(float(value) for value in grid), self.sigma_m, self.correlation_m, self.registration_m]


def grid_coordinates(
    shape: tuple[int, ...], spacing_m: float, centre_m: tuple[float, float], azimuth_deg: float
) -> tuple[Array, Array]:
    """East and north, m, of the points of a grid (rows along the azimuth, columns to the right of it)."""
    rows, columns = shape
    along = (np.arange(rows) - 0.5 * (rows - 1))[:, None] * spacing_m
    across = (np.arange(columns) - 0.5 * (columns - 1))[None, :] * spacing_m
    c, s = cos(radians(azimuth_deg)), sin(radians(azimuth_deg))
    return centre_m[0] + s * along + c * across, centre_m[1] + c * along - s * across


class OnboardMap:
    """Nested grids as two arrays, which numba code takes: `table` (levels, 11) and `values` (all heights, float32)."""

    def __init__(self, table: Array, values: NDArray[np.float32]) -> None:
        self.table = table
        self.values = values

    @classmethod
    def from_levels(cls, levels: Sequence[MapLevel]) -> OnboardMap:
        """Map of the given levels, whichever order."""
        finest_first = sorted(levels, key=lambda level: level.spacing_m)
        offsets = np.cumsum([0, *(level.heights_m.size for level in finest_first)])
        table = np.array([level.row(int(offset)) for level, offset in zip(finest_first, offsets, strict=False)])
        return cls(table, np.concatenate([level.heights_m.ravel().astype(np.float32) for level in finest_first]))

    @classmethod
    def load(cls, path: Path) -> OnboardMap:
        """Map from its file. Raises OSError where it cannot be read."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["table"], file["values"])

    def save(self, path: Path) -> None:
        """Write the map; a reader never sees half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        partial = path.with_name(f"{path.name}.partial.npz")
        np.savez(partial, table=self.table, values=self.values)
        partial.replace(path)

    def height(self, e: float, n: float) -> float:
        """Height, m, at map coordinates, m; outside of the map, of its nearest edge."""
        return float(map_height(self.table, self.values, e, n))

    def heights(self, e: Any, n: Any) -> Array:
        """Heights, m, at arrays of map coordinates, m."""
        e, n = np.broadcast_arrays(np.asarray(e, float), np.asarray(n, float))
        return np.asarray(map_heights(self.table, self.values, e.ravel(), n.ravel())).reshape(e.shape)

    def gradient(self, e: float, n: float) -> tuple[float, float]:
        """Slope of the map (tangent) to east and to north, over the spacing of the level there."""
        step = 0.5 * float(self.table[map_level(self.table, e, n), SPACING])
        east = (self.height(e + step, n) - self.height(e - step, n)) / (2.0 * step)
        north = (self.height(e, n + step) - self.height(e, n - step)) / (2.0 * step)
        return east, north


def flat_map(sigma_m: float = 0.0, correlation_m: float = 1000.0, registration_m: float = 0.0) -> OnboardMap:
    """A map of level ground: the sphere through the target."""
    heights = np.zeros((2, 2), np.float32)
    return OnboardMap.from_levels([MapLevel(heights, 2e6, (0.0, 0.0), 0.0, sigma_m, correlation_m, registration_m)])


@njit(cache=True)
def _place(row: Array, e: float, n: float) -> tuple[float, float]:
    """Row and column, not whole, of map coordinates in a level."""
    de, dn = e - row[EAST], n - row[NORTH]
    along = row[SIN] * de + row[COS] * dn
    across = row[COS] * de - row[SIN] * dn
    return along / row[SPACING] + 0.5 * (row[ROWS] - 1.0), across / row[SPACING] + 0.5 * (row[COLUMNS] - 1.0)


@njit(cache=True)
def map_level(table: Array, e: float, n: float) -> int:
    """Index of the finest level that covers the place; the coarsest where none does."""
    last = table.shape[0] - 1
    for level in range(last):
        i, j = _place(table[level], e, n)
        if 0.0 <= i <= table[level, ROWS] - 1.0 and 0.0 <= j <= table[level, COLUMNS] - 1.0:
            return level
    return last


@njit(cache=True)
def map_height(table: Array, values: NDArray[np.float32], e: float, n: float) -> float:
    """Height, m, bilinear in the finest level there."""
    row = table[map_level(table, e, n)]
    i, j = _place(row, e, n)
    rows, columns = int(row[ROWS]), int(row[COLUMNS])
    i = min(max(i, 0.0), rows - 1.0)
    j = min(max(j, 0.0), columns - 1.0)
    i0, j0 = min(int(i), rows - 2), min(int(j), columns - 2)
    fi, fj = i - i0, j - j0
    k = int(row[OFFSET]) + i0 * columns + j0
    low = values[k] * (1.0 - fj) + values[k + 1] * fj
    high = values[k + columns] * (1.0 - fj) + values[k + columns + 1] * fj
    return float(low * (1.0 - fi) + high * fi)


@njit(cache=True)
def map_heights(table: Array, values: NDArray[np.float32], e: Array, n: Array) -> Array:
    """Heights, m, at places; shape (k,)."""
    heights = np.empty(e.size)
    for k in range(e.size):
        heights[k] = map_height(table, values, e[k], n[k])
    return heights
