"""Heights on nested grids that follow a place, for those who need millions of them: a camera, a hazard map.

A geometry clipmap (Losasso and Hoppe 2004): every level has twice the spacing of the one below and the same number of
samples around the place. Blocks of samples are computed when the window first covers them, always from the same corner,
so that the heights do not depend on the way by which the window came.
"""

from __future__ import annotations

from collections.abc import Iterable
from math import floor, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lander_terrain import arrays
from lander_terrain.jit import jit
from lander_terrain.surface import TerrainData

BLOCK = 64  # samples to a side
_FADE = 0.5 * BLOCK  # samples at the edge of a window over which the next level takes over
_BASELINE = 2.0  # spacings: what is left out is too small for the grid


class ClipmapData(NamedTuple):
    """The grids as numbers, for use inside numba code."""

    heights: NDArray[
        np.float32
    ]  # (levels, size, size), m: sample (row, column) is at (row modulo size, column modulo size)
    corners: NDArray[np.int64]  # (levels, 2): first row and column that a level holds
    ready: NDArray[np.bool_]  # (levels,): whether a level holds anything
    spacings: NDArray[np.float64]  # (levels,), m


class Clipmap:
    """Nested grids over a terrain.

    Parameters
    ----------
    finest_m : spacing of level 0, m.
    levels : number of levels; level k has the spacing finest_m * 2^k.
    blocks : to a side of every level, a power of two; a level reaches at least (blocks - 1) / 2 * 64 spacings from its
        centre.
    """

    def __init__(self, terrain: TerrainData, finest_m: float, levels: int, blocks: int) -> None:
        if blocks & (blocks - 1):
            raise ValueError(f"blocks must be a power of two, got {blocks}")
        size = blocks * BLOCK
        self.data = ClipmapData(
            heights=np.zeros((levels, size, size), np.float32),
            corners=np.zeros((levels, 2), np.int64),
            ready=np.zeros(levels, np.bool_),
            spacings=np.array([finest_m * 2.0**level for level in range(levels)]),
        )
        self._terrain = terrain
        self._blocks = blocks
        self._held: list[dict[tuple[int, int], tuple[int, int]]] = [{} for _ in range(levels)]  # slot -> block

    def centre_on(self, e: float, n: float, levels: Iterable[int]) -> int:
        """Move some levels' windows to map coordinates, m; return the number of blocks that had to be computed."""
        return sum(self._move(level, e, n) for level in levels)

    def _move(self, level: int, e: float, n: float) -> int:
        side = self.data.spacings[level] * BLOCK
        first_row, first_column = (floor(x / side - 0.5 * self._blocks + 0.5) for x in (n, e))
        self.data.corners[level] = first_row * BLOCK, first_column * BLOCK
        self.data.ready[level] = True
        window = [(first_row + i, first_column + j) for i in range(self._blocks) for j in range(self._blocks)]
        missing = [block for block in window if self._held[level].get(self._slot(block)) != block]
        for block in missing:
            self._compute(level, block)
        return len(missing)

    def _slot(self, block: tuple[int, int]) -> tuple[int, int]:
        return block[0] % self._blocks, block[1] % self._blocks

    def _compute(self, level: int, block: tuple[int, int]) -> None:
        spacing = float(self.data.spacings[level])
        north, east = (index * BLOCK * spacing for index in block)
        row, column = (BLOCK * index for index in self._slot(block))
        self.data.heights[level, row : row + BLOCK, column : column + BLOCK] = arrays.grid(
            self._terrain, east, north, spacing, BLOCK, BLOCK, _BASELINE * spacing
        )
        self._held[level][self._slot(block)] = block


@jit
def margin(data: ClipmapData, level: int, e: float, n: float) -> float:
    """Samples from map coordinates, m, to the nearest edge of a level's window; negative outside of it."""
    if level >= data.ready.shape[0] or not data.ready[level]:
        return -1.0
    spacing, last = data.spacings[level], data.heights.shape[1] - 1
    row, column = n / spacing - data.corners[level, 0], e / spacing - data.corners[level, 1]
    return float(min(min(row, last - row), min(column, last - column)))


@jit
def level_height(data: ClipmapData, level: int, e: float, n: float) -> tuple[float, float, float]:
    """Height, m, and derivatives by e and n at map coordinates, m, that the level covers: bilinear."""
    spacing: float = data.spacings[level]
    mask = data.heights.shape[1] - 1  # the size is a power of two
    x, y = e / spacing, n / spacing
    column, row = floor(x), floor(y)
    u, v = x - column, y - row
    left, right, below, above = column & mask, (column + 1) & mask, row & mask, (row + 1) & mask
    a, b = float(data.heights[level, below, left]), float(data.heights[level, below, right])
    c, d = float(data.heights[level, above, left]), float(data.heights[level, above, right])
    low, high = a + u * (b - a), c + u * (d - c)
    return low + v * (high - low), (b - a + v * (d - c - b + a)) / spacing, (high - low) / spacing


@jit
def clipmap_height(data: ClipmapData, e: float, n: float, footprint: float) -> tuple[float, float, float]:
    """Height, m, and derivatives at map coordinates, m, with the detail that a footprint, m, can see.

    Blends the two levels whose spacings are next to the footprint, or the finest two that cover the place, so that
    nothing steps where levels change. NaN where no level covers the place.
    """
    wanted = max(log2(footprint / data.spacings[0]), 0.0)
    level = int(wanted)
    share = wanted - level
    inside = margin(data, level, e, n)
    while inside < 0.0:
        level, share = level + 1, 0.0
        if level >= data.ready.shape[0]:
            return np.nan, np.nan, np.nan
        inside = margin(data, level, e, n)
    fine, fine_e, fine_n = level_height(data, level, e, n)
    share = max(share, 1.0 - inside / _FADE)
    if share == 0.0 or margin(data, level + 1, e, n) < 0.0:
        return fine, fine_e, fine_n
    coarse, coarse_e, coarse_n = level_height(data, level + 1, e, n)
    return (
        fine + share * (coarse - fine),
        fine_e + share * (coarse_e - fine_e),
        fine_n + share * (coarse_n - fine_n),
    )
