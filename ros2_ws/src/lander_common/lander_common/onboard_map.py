"""The onboard map: what the flight software knows of the terrain. It is made before flight; see `lander_tools.make_map`.

Heights above the sphere through the target, on nested grids in map coordinates: azimuthal equidistant about the target, so that
(e, n) is the arc length from the target along that sphere, resolved into east and north at the target.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.whole_file import written_whole

Array = NDArray[np.float64]
Place = tuple[float, float, float]  # map coordinates and height, m

_LEVEL_SAMPLES, _LEVEL_SPACING_M = 12, 200_000.0  # level ground as far as 1100 km

# Columns of the table of grids, one row a grid, finest first.
OFFSET, ROWS, COLUMNS, SPACING, EAST, NORTH, SIGMA, CORRELATION, REGISTRATION = range(9)


@dataclass(frozen=True)
class MapGrid:
    """One grid of heights, and what is stated of its accuracy."""

    heights_m: NDArray[np.float32]  # shape (rows to north, columns to east)
    spacing_m: float
    east_m: float  # of the south-west sample
    north_m: float
    sigma_m: float  # 1-sigma of a height, detail finer than the grid included
    correlation_m: float  # distance over which that error decays
    registration_m: float  # 1-sigma per axis of the place

    def row(self, offset: int) -> list[float]:
        """Its row in the table of grids."""
        place = (offset, *self.heights_m.shape, self.spacing_m, self.east_m, self.north_m)
        return [*(float(value) for value in place), self.sigma_m, self.correlation_m, self.registration_m]


class OnboardMap:
    """Nested grids as two arrays, which numba code takes: `table` (grids, 9) and `values` (all heights, float32).

    `target`: where to land, chosen on this map before flight.
    """

    def __init__(self, table: Array, values: NDArray[np.float32], target: Place = (0.0, 0.0, 0.0)) -> None:
        self.table = table
        self.values = values
        self.target = target

    @classmethod
    def from_grids(cls, grids: Sequence[MapGrid]) -> OnboardMap:
        """Map of the given grids, in whichever order. Where several cover a place, the finest holds."""
        finest_first = sorted(grids, key=lambda grid: grid.spacing_m)
        offsets = np.cumsum([0, *(grid.heights_m.size for grid in finest_first)])
        table = np.array([grid.row(int(offset)) for grid, offset in zip(finest_first, offsets, strict=False)])
        return cls(table, np.concatenate([grid.heights_m.ravel().astype(np.float32) for grid in finest_first]))

    @classmethod
    def load(cls, path: Path) -> OnboardMap:
        """Map from its file. Raises OSError where it cannot be read."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["table"], file["values"], _place(file["target"]))

    def save(self, path: Path) -> None:
        """Write the map; a reader never sees half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            np.savez(partial, table=self.table, values=self.values, target=self.target)

    def height(self, e: float, n: float) -> float:
        """Height, m, at map coordinates, m; outside of the map, of its nearest edge."""
        return float(map_height(self.table, self.values, e, n))

    def heights(self, e: Any, n: Any) -> Array:
        """Heights, m, at arrays of map coordinates, m."""
        e, n = np.broadcast_arrays(np.asarray(e, float), np.asarray(n, float))
        return np.asarray(map_heights(self.table, self.values, e.ravel(), n.ravel())).reshape(e.shape)

    def gradient(self, e: float, n: float) -> tuple[float, float]:
        """Slope of the map (tangent) to east and to north, over the spacing of the grid there."""
        step = 0.5 * float(self.table[map_grid(self.table, e, n), SPACING])
        east = (self.height(e + step, n) - self.height(e - step, n)) / (2.0 * step)
        north = (self.height(e, n + step) - self.height(e, n - step)) / (2.0 * step)
        return east, north


def _place(values: Array) -> Place:
    e, n, h = values.tolist()
    return e, n, h


def level_grid(sigma_m: float, correlation_m: float, registration_m: float) -> MapGrid:
    """The sphere through the target, for where nothing is known of the terrain."""
    heights = np.zeros((_LEVEL_SAMPLES, _LEVEL_SAMPLES), np.float32)
    corner = -0.5 * (_LEVEL_SAMPLES - 1) * _LEVEL_SPACING_M
    return MapGrid(heights, _LEVEL_SPACING_M, corner, corner, sigma_m, correlation_m, registration_m)


@njit(cache=True)
def map_grid(table: Array, e: float, n: float) -> int:
    """Index of the finest grid that covers the place; the coarsest where none does."""
    last = table.shape[0] - 1
    for k in range(last):
        row = table[k]
        i, j = (n - row[NORTH]) / row[SPACING], (e - row[EAST]) / row[SPACING]
        if 0.0 <= i <= row[ROWS] - 1.0 and 0.0 <= j <= row[COLUMNS] - 1.0:
            return k
    return last


@njit(cache=True)
def map_height(table: Array, values: NDArray[np.float32], e: float, n: float) -> float:
    """Height, m, bilinear in the finest grid there."""
    return grid_height(table[map_grid(table, e, n)], values, e, n)


@njit(cache=True)
def grid_height(row: Array, values: NDArray[np.float32], e: float, n: float) -> float:
    """Height, m, bilinear in the grid of a row of the table; outside of it, of its nearest edge."""
    rows, columns = int(row[ROWS]), int(row[COLUMNS])
    i = min(max((n - row[NORTH]) / row[SPACING], 0.0), rows - 1.0)
    j = min(max((e - row[EAST]) / row[SPACING], 0.0), columns - 1.0)
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
