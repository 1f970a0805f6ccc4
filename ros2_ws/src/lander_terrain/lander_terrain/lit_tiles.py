"""The ground in sunlight, on square tiles of octaves of spacing: what a camera needs millions of samples of.

A tile holds heights and, for each sample, the albedo times the share of the Sun that is not hidden. It depends on terrain, Sun,
level and place alone, not on the way by which it came to be asked for; so every frame of every run sees the same ground.
"""

from __future__ import annotations

from collections import OrderedDict
from collections.abc import Iterable
from math import ceil, floor, hypot, log2
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lander_terrain import arrays
from lander_terrain.jit import inlined, jit
from lander_terrain.shadows import UNSHADED, cast_shadows
from lander_terrain.sunlight import local_sun
from lander_terrain.terrain import Terrain

Array = NDArray[np.float64]
Pool = NDArray[np.float32]  # all slots one after the other, each LAYERS times AREA samples
Slots = NDArray[np.int64]  # (levels, WINDOW, WINDOW, 3): row, column and slot, at row and column modulo WINDOW
Key = tuple[int, int, int]  # level, row, column

TILE = 256  # samples to a side
APRON = 2  # samples around it, so that interpolation needs no neighbour
SIZE = TILE + 2 * APRON
AREA = SIZE * SIZE
HEIGHT, LIGHT = 0, 1  # layers of a tile
LAYERS = 2
NO_TILE = -1
WINDOW = 16  # tiles to a side of the part of a level that can be looked up at a time

_SUNWARD = 48  # samples towards the Sun that may throw their shadow into a tile; beyond, those of the next level
_SHADOWS = 128  # tiles of shadow heights that are kept: more than a tile asks for, through all levels
_TOP_M = 1000.0  # spacing of the coarsest tiles that throw shadows, at least
_BASELINE = 1.5  # spacings: what is left out is too small for the grid
_ROCKS_BELOW_M = 0.6  # spacing from which on rocks are too small to matter
_ROCK_SAMPLES = 2.0  # smallest rock, in spacings
_ROCK_HEIGHT = 0.5  # over diameter (estimate: half-buried)
_HALF, _TWO = np.float32(0.5), np.float32(2.0)


class TileData(NamedTuple):
    """Tiles as numbers, for use inside numba code."""

    pool: Pool
    slots: Slots
    spacings: Array  # (levels,), m


class _Grid(NamedTuple):
    """A part of the ground."""

    level: int
    spacing: float  # m
    east: float  # of the south-west sample, m
    north: float
    rows: int
    columns: int


class _Ground(NamedTuple):
    """What is on a grid, each of shape (rows, columns), and the Sun over it."""

    heights: Array  # m
    freshness: Array
    shadows: Array  # shadow heights, m
    sun: Array  # unit vector in the local frame of the middle, shape (3,)


class LitTiles:
    """Tiles of a terrain under a Sun, made when they are asked for and kept while there is room.

    Parameters
    ----------
    sun_site : unit vector towards the Sun in site coordinates, shape (3,).
    finest_m : spacing of level 0, m; level k has finest_m * 2^k.
    levels : number of levels.
    capacity : tiles that are kept.
    """

    def __init__(self, terrain: Terrain, sun_site: Array, finest_m: float, levels: int, capacity: int) -> None:
        self._terrain = terrain
        self._sun_site = sun_site
        self._top = max(levels, ceil(log2(_TOP_M / finest_m)) + 1)
        self._spacings = np.array([finest_m * 2.0**level for level in range(self._top)])
        self.data = TileData(
            pool=np.zeros(capacity * LAYERS * AREA, np.float32),
            slots=np.full((levels, WINDOW, WINDOW, 3), NO_TILE, np.int64),
            spacings=self._spacings[:levels].copy(),
        )
        self._kept: OrderedDict[Key, int] = OrderedDict()  # slot of each tile, the longest unused first
        self._free = list(range(capacity))
        self._shadows: OrderedDict[Key, NDArray[np.float32]] = OrderedDict()

    def show(self, wanted: Iterable[Key]) -> int:
        """Make just these tiles available in `data`; return how many had to be computed.

        Of two tiles of a level that are WINDOW rows or columns apart, only one can be had. The finest are left out where there is
        no room.
        """
        keys = sorted(wanted, reverse=True)[: len(self._free) + len(self._kept)]
        made = [key for key in keys if key not in self._kept]
        for key in keys:
            if key in self._kept:
                self._kept.move_to_end(key)
        for key in made:
            self._make(key)
        self.data.slots[:] = NO_TILE
        for level, row, column in keys:
            self.data.slots[level, row % WINDOW, column % WINDOW] = row, column, self._kept[level, row, column]
        return len(made)

    def _make(self, key: Key) -> None:
        slot = self._free.pop() if self._free else self._kept.popitem(last=False)[1]
        self.data.pool[slot * LAYERS * AREA : (slot + 1) * LAYERS * AREA] = self.tile(key).ravel()
        self._kept[key] = slot

    def tile(self, key: Key) -> NDArray[np.float32]:
        """Heights and light of a tile, shape (2, SIZE, SIZE): rows to the north, columns to the east, from the apron's corner."""
        grid = self._tile_grid(key)
        ground = self._shaded(grid)
        self._keep_shadows(key, ground.shadows)
        return np.array([ground.heights, self._light(grid, ground)], np.float32)

    def lit_grid(self, level: int, corner_m: tuple[float, float], shape: tuple[int, int]) -> tuple[Array, Array]:
        """Heights, m, and light on a grid of the spacing of a level, from its south-west sample (e, n), m."""
        grid = _Grid(level, float(self._spacings[level]), *corner_m, *shape)
        ground = self._shaded(grid)
        return ground.heights, self._light(grid, ground)

    def _tile_grid(self, key: Key) -> _Grid:
        level, row, column = key
        spacing = float(self._spacings[level])
        east, north = (column * TILE - APRON) * spacing, (row * TILE - APRON) * spacing
        return _Grid(level, spacing, east, north, SIZE, SIZE)

    def _light(self, grid: _Grid, ground: _Ground) -> Array:
        """Albedo times the share of the Sun that is not hidden."""
        albedo = arrays.albedo_grid(self._terrain.data, grid.east, grid.north, grid.spacing, ground.freshness)
        softness = grid.spacing * ground.sun[2] / hypot(ground.sun[0], ground.sun[1])  # an edge is a sample wide
        lit = np.clip((ground.heights - ground.shadows) / softness + 0.5, 0.0, 1.0)
        return np.asarray(albedo * lit)

    def _shaded(self, grid: _Grid) -> _Ground:
        """Ground and shadows on a grid: of one that reaches further towards the Sun, what is asked for."""
        middle = (
            grid.east + 0.5 * grid.spacing * grid.columns,
            grid.north + 0.5 * grid.spacing * grid.rows,
        )
        sun = local_sun(self._terrain.data.radius, *middle, self._sun_site)
        top, left = (_SUNWARD if part < 0.0 else 0 for part in (sun[1], sun[0]))
        east, north = grid.east - left * grid.spacing, grid.north - top * grid.spacing
        wide = _Grid(grid.level, grid.spacing, east, north, grid.rows + _SUNWARD, grid.columns + _SUNWARD)
        heights, freshness = self._relief(wide)
        shadows = self._edge_shadows(wide, sun)
        cast_shadows(heights, shadows, grid.spacing, sun)
        inside = slice(top, top + grid.rows), slice(left, left + grid.columns)
        heights, freshness, shadows = (np.ascontiguousarray(values[inside]) for values in (heights, freshness, shadows))
        return _Ground(heights, freshness, shadows, sun)

    def _relief(self, grid: _Grid) -> tuple[Array, Array]:
        """Heights, m, with rocks, and freshness."""
        _, spacing, east, north, rows, columns = grid
        heights, freshness = np.empty((rows, columns)), np.empty((rows, columns))
        arrays.relief_grid(self._terrain.data, east, north, spacing, heights, freshness, _BASELINE * spacing)
        if spacing < _ROCKS_BELOW_M:
            rocks = self._terrain.rocks((east, east + columns * spacing, north, north + rows * spacing))
            _add_rocks(heights, rocks, east, north, spacing)
        return heights, freshness

    def _edge_shadows(self, grid: _Grid, sun: Array) -> Array:
        """A grid of shadow heights, m, of which only the two edges towards the Sun are known: from the next level."""
        shadows = np.full((grid.rows, grid.columns), UNSHADED)
        row, column = (0 if part < 0.0 else -1 for part in (sun[1], sun[0]))
        e = np.asarray(grid.east + grid.spacing * np.arange(grid.columns), float)
        n = np.asarray(grid.north + grid.spacing * np.arange(grid.rows), float)
        shadows[row] = self._shadow_heights(grid.level + 1, e, np.full(grid.columns, n[row]))
        shadows[:, column] = self._shadow_heights(grid.level + 1, np.full(grid.rows, e[column]), n)
        return shadows

    def _shadow_heights(self, level: int, e: Array, n: Array) -> Array:
        """Shadow heights, m, at map coordinates, m, from the tiles of a level."""
        if level >= self._top:
            return np.full(e.shape, UNSHADED)
        side = TILE * self._spacings[level]
        rows, columns = np.floor(n / side).astype(int), np.floor(e / side).astype(int)
        found = np.empty(e.shape)
        for row, column in sorted(set(zip(rows.tolist(), columns.tolist(), strict=True))):
            here = (rows == row) & (columns == column)
            x, y = e[here] / side - column, n[here] / side - row
            found[here] = _bilinear(self._shadow_tile((level, row, column)), TILE * y + APRON, TILE * x + APRON)
        return found

    def _shadow_tile(self, key: Key) -> NDArray[np.float32]:
        """Shadow heights, m, of a tile with its apron."""
        if key not in self._shadows:
            self._keep_shadows(key, self._shaded(self._tile_grid(key)).shadows)
        self._shadows.move_to_end(key)
        return self._shadows[key]

    def _keep_shadows(self, key: Key, shadows: Array) -> None:
        self._shadows[key] = shadows.astype(np.float32)
        if len(self._shadows) > _SHADOWS:
            self._shadows.popitem(last=False)


@inlined
def find_tile(data: TileData, level: int, e: float, n: float) -> tuple[int, float, float, float]:
    """Slot and spacing, m, of the tile of a level, or of the finest coarser one that is there, at map coordinates, m.

    Also the map coordinates, m, of its first sample. The slot is NO_TILE where there is none.
    """
    for k in range(level, data.spacings.shape[0]):
        side: float = TILE * data.spacings[k]
        row, column = floor(n / side), floor(e / side)
        i, j = row & (WINDOW - 1), column & (WINDOW - 1)
        if data.slots[k, i, j, 0] == row and data.slots[k, i, j, 1] == column and data.slots[k, i, j, 2] != NO_TILE:
            apron = APRON * data.spacings[k]
            return data.slots[k, i, j, 2], data.spacings[k], column * side - apron, row * side - apron
    return NO_TILE, 1.0, 0.0, 0.0


@inlined
def tile_height(pool: Pool, slot: int, x: float, y: float) -> tuple[float, float, float]:
    """Height, m, and its derivatives by samples, at a place in a tile, in samples (column, row): bilinear."""
    i, j = int(y), int(x)
    u, v = np.float32(x - j), np.float32(y - i)
    k = (slot * LAYERS + HEIGHT) * AREA + i * SIZE + j
    a, b, c, d = pool[k], pool[k + 1], pool[k + SIZE], pool[k + SIZE + 1]
    low, high = a + u * (b - a), c + u * (d - c)
    return low + v * (high - low), b - a + v * (d - c - b + a), high - low


@inlined
def tile_slopes(pool: Pool, slot: int, x: float, y: float) -> tuple[float, float]:
    """Derivatives of height by samples at a place in a tile, without steps: of a quadratic B-spline through the heights."""
    i, j = int(y + 0.5), int(x + 0.5)
    u, v = np.float32(x - j), np.float32(y - i)
    k = (slot * LAYERS + HEIGHT) * AREA + i * SIZE + j
    a, b, c = _weights(u)
    low, low_x = _spline(pool, k - SIZE, u, a, b, c)
    middle, middle_x = _spline(pool, k, u, a, b, c)
    high, high_x = _spline(pool, k + SIZE, u, a, b, c)
    a, b, c = _weights(v)
    across = (v - _HALF) * low - _TWO * v * middle + (v + _HALF) * high
    return float(a * low_x + b * middle_x + c * high_x), float(across)


@inlined
def _weights(u: np.float32) -> tuple[np.float32, np.float32, np.float32]:
    """Of the quadratic B-spline, at a place between -1/2 and 1/2 from the middle one of three samples."""
    return _HALF * (_HALF - u) * (_HALF - u), np.float32(0.75) - u * u, _HALF * (_HALF + u) * (_HALF + u)


@inlined
def _spline(
    pool: Pool, k: int, u: np.float32, a: np.float32, b: np.float32, c: np.float32
) -> tuple[np.float32, np.float32]:
    """Height along a row of samples, m, and its derivative."""
    left, middle, right = pool[k - 1], pool[k], pool[k + 1]
    return a * left + b * middle + c * right, (u - _HALF) * left - _TWO * u * middle + (u + _HALF) * right


@inlined
def tile_light(pool: Pool, slot: int, x: float, y: float) -> float:
    """Albedo times the share of the Sun that is not hidden, at a place in a tile, in samples (column, row): bilinear."""
    i, j = int(y), int(x)
    u, v = np.float32(x - j), np.float32(y - i)
    k = (slot * LAYERS + LIGHT) * AREA + i * SIZE + j
    a, b, c, d = pool[k], pool[k + 1], pool[k + SIZE], pool[k + SIZE + 1]
    low, high = a + u * (b - a), c + u * (d - c)
    return low + v * (high - low)


@jit
def _bilinear(grid: NDArray[np.float32], rows: Array, columns: Array) -> Array:
    """Values at places between samples."""
    found = np.empty(rows.size)
    for k in range(rows.size):
        i, j = min(int(rows[k]), grid.shape[0] - 2), min(int(columns[k]), grid.shape[1] - 2)
        v, u = rows[k] - i, columns[k] - j
        low = grid[i, j] + u * (grid[i, j + 1] - grid[i, j])
        high = grid[i + 1, j] + u * (grid[i + 1, j + 1] - grid[i + 1, j])
        found[k] = low + v * (high - low)
    return found


@jit
def _add_rocks(heights: Array, rocks: Array, east: float, north: float, spacing: float) -> None:
    """Put rocks (e, n, diameter, m) on a grid as half ellipsoids that stand on the ground at their centre."""
    rows, columns = heights.shape
    for k in range(rocks.shape[0]):
        radius = 0.5 * rocks[k, 2]
        if 2.0 * radius < _ROCK_SAMPLES * spacing:
            continue
        x, y = (rocks[k, 0] - east) / spacing, (rocks[k, 1] - north) / spacing
        base = heights[min(max(int(y), 0), rows - 1), min(max(int(x), 0), columns - 1)]
        reach = radius / spacing
        for i in range(max(int(y - reach), 0), min(int(y + reach) + 2, rows)):
            for j in range(max(int(x - reach), 0), min(int(x + reach) + 2, columns)):
                left = 1.0 - ((i - y) ** 2 + (j - x) ** 2) / (reach * reach)
                if left > 0.0:
                    heights[i, j] = max(heights[i, j], base + 2.0 * _ROCK_HEIGHT * radius * left**0.5)
