"""The onboard image map: orthoimages of the ground along the track, as an orbiter saw them, with heights to the same scale.

It is made before flight; see `lander_tools.make_image_map`. Tiles are rectangles along the axes of map coordinates (e, n):
azimuthal equidistant about the target, as in `onboard_map`. Several tiles make a zone of one resolution. Zones overlap, the finer
within the coarser, by factors of two or more, so that a place near the target can be had at every resolution. Image and heights of
a tile are displaced together against the terrain.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import sqrt
from pathlib import Path
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.whole_file import written_whole

Array = NDArray[np.float64]
Pixels = NDArray[np.uint8]
Heights = NDArray[np.float32]

NO_TILE = -1

# Columns of the table of tiles, one row a tile, finest first.
(
    OFFSET,
    ROWS,
    COLUMNS,
    SPACING,
    EAST,
    NORTH,
    HEIGHT_OFFSET,
    HEIGHT_ROWS,
    HEIGHT_COLUMNS,
    HEIGHT_SPACING,
    REGISTRATION,
    HEIGHT_SIGMA,
    SUN_ELEVATION,
    SUN_AZIMUTH,
) = range(14)


@dataclass(frozen=True)
class ImageTile:
    """A rectangle of one resolution, and what is stated of its accuracy."""

    brightness: Pixels  # shape (rows to north, columns to east): linear in radiance, on a scale of the zone's own
    spacing_m: float
    east_m: float  # of the south-west sample of image and heights
    north_m: float
    heights_m: Heights  # above the sphere through the target, shape (rows to north, columns to east)
    height_spacing_m: float
    registration_m: float  # 1-sigma per axis of the place; one and the same displacement for all tiles of a zone
    height_sigma_m: float  # 1-sigma of a height
    sun_elevation_deg: float  # when the image was taken
    sun_azimuth_deg: float  # from north to east

    def row(self, offset: int, height_offset: int) -> list[float]:
        """Its row in the table of tiles."""
        image = (offset, *self.brightness.shape, self.spacing_m, self.east_m, self.north_m)
        heights = (height_offset, *self.heights_m.shape, self.height_spacing_m)
        accuracy = (self.registration_m, self.height_sigma_m, self.sun_elevation_deg, self.sun_azimuth_deg)
        return [float(value) for value in (*image, *heights, *accuracy)]


@dataclass(frozen=True)
class Samples:
    """What the map says of some places; the arrays have the shape of the places."""

    brightness: Array  # 0 to 255; NaN outside of the map
    heights_m: Array  # NaN outside of the map
    tiles: NDArray[np.int64]  # row of `ImageMap.table` that it comes from; NO_TILE outside of the map


class ImageMap:
    """Tiles as arrays that numba code takes: `table` (tiles, 14), `pixels` (all brightness) and `heights` (all heights)."""

    def __init__(self, table: Array, pixels: Pixels, heights: Heights) -> None:
        self.table = table
        self.pixels = pixels
        self.heights = heights

    @classmethod
    def from_tiles(cls, tiles: Sequence[ImageTile]) -> ImageMap:
        """Map of the given tiles, in whichever order."""
        finest_first = sorted(tiles, key=lambda tile: tile.spacing_m)
        offsets = np.cumsum([0, *(tile.brightness.size for tile in finest_first)])
        height_offsets = np.cumsum([0, *(tile.heights_m.size for tile in finest_first)])
        rows = [
            tile.row(int(offset), int(height_offset))
            for tile, offset, height_offset in zip(finest_first, offsets, height_offsets, strict=False)
        ]
        return cls(
            np.array(rows),
            np.concatenate([tile.brightness.ravel() for tile in finest_first]),
            np.concatenate([tile.heights_m.ravel().astype(np.float32) for tile in finest_first]),
        )

    @classmethod
    def load(cls, path: Path) -> ImageMap:
        """Map from its file. Raises OSError where it cannot be read."""
        with np.load(path, allow_pickle=False) as file:
            return cls(file["table"], file["pixels"], file["heights"])

    def save(self, path: Path) -> None:
        """Write the map; a reader never sees half a file."""
        path.parent.mkdir(parents=True, exist_ok=True)
        with written_whole(path) as partial:
            np.savez(partial, table=self.table, pixels=self.pixels, heights=self.heights)

    def sample(self, e: Any, n: Any, resolution_m: float) -> Samples:
        """Brightness and heights at arrays of map coordinates, m, from the zone that suits a resolution, m."""
        e, n = np.broadcast_arrays(np.asarray(e, float), np.asarray(n, float))
        found = image_samples(self.table, self.pixels, self.heights, e.ravel(), n.ravel(), float(resolution_m))
        return Samples(*(values.reshape(e.shape) for values in found))

    def patch(self, east_m: float, north_m: float, spacing_m: float, shape: tuple[int, int]) -> Samples:
        """The same on a grid from its south-west sample; shape (rows to north, columns to east)."""
        e = east_m + spacing_m * np.arange(shape[1])
        n = north_m + spacing_m * np.arange(shape[0])
        return self.sample(e[None, :], n[:, None], spacing_m)

    def spacing_m(self, e: float, n: float) -> float:
        """Spacing, m, of the finest image of a place; NaN outside of the map."""
        tile = image_tile(self.table, e, n, 0.0)
        return float("nan") if tile == NO_TILE else float(self.table[tile, SPACING])


_AS_FINE = sqrt(
    2.0
)  # a zone suits a resolution up to this factor of its spacing: half a step of two on a scale of octaves


@njit(cache=True)
def covers(row: Array, e: float, n: float) -> bool:
    """Whether the tile of a row of the table covers map coordinates, m."""
    y, x = n - row[NORTH], e - row[EAST]
    return bool(0.0 <= y <= (row[ROWS] - 1.0) * row[SPACING] and 0.0 <= x <= (row[COLUMNS] - 1.0) * row[SPACING])


@njit(cache=True)
def image_tile(table: Array, e: float, n: float, resolution: float) -> int:
    """Tile that suits a resolution, m, at a place: the coarsest that shows it, else the finest there; NO_TILE for none."""
    finest = NO_TILE
    for k in range(table.shape[0] - 1, -1, -1):
        if covers(table[k], e, n):
            finest = k
            if table[k, SPACING] <= _AS_FINE * resolution:
                break
    return finest


@njit(cache=True)
def tile_brightness(row: Array, pixels: Pixels, e: float, n: float) -> float:
    """Brightness, bilinear in the tile of a row of the table, which must cover the place."""
    return _bilinear(pixels, row[OFFSET], row[ROWS], row[COLUMNS], row[SPACING], e - row[EAST], n - row[NORTH])


@njit(cache=True)
def tile_height(row: Array, heights: Heights, e: float, n: float) -> float:
    """Height, m, bilinear in the tile of a row of the table, which must cover the place."""
    return _bilinear(
        heights,
        row[HEIGHT_OFFSET],
        row[HEIGHT_ROWS],
        row[HEIGHT_COLUMNS],
        row[HEIGHT_SPACING],
        e - row[EAST],
        n - row[NORTH],
    )


@njit(cache=True)
def _bilinear(
    values: Any, offset: float, rows: float, columns: float, spacing: float, east: float, north: float
) -> float:
    i, v = between_samples(north, spacing, rows)
    j, u = between_samples(east, spacing, columns)
    step = int(columns)
    return float(bilinear(values, int(offset) + i * step + j, step, u, v))


@njit(cache=True, forceinline=True)
def between_samples(x: float, spacing: float, count: float) -> tuple[int, float]:
    """Index of the sample before a place at `x`, m from the first of `count`, and the share of the way to the next."""
    place = min(max(x / spacing, 0.0), count - 1.0)
    before = min(int(place), int(count) - 2)
    return before, place - before


@njit(cache=True, forceinline=True)
def bilinear(values: Any, k: int, step: int, u: float, v: float) -> float:
    """Value between sample k, its neighbour to the east and, `step` further, those to the north; u, v: shares of the way."""
    low = values[k] * (1.0 - u) + values[k + 1] * u
    high = values[k + step] * (1.0 - u) + values[k + step + 1] * u
    return float(low * (1.0 - v) + high * v)


@njit(cache=True)
def image_height(table: Array, heights: Heights, e: float, n: float, resolution: float) -> float:
    """Height, m, from the tile that suits a resolution, m; NaN outside of the map."""
    tile = image_tile(table, e, n, resolution)
    return np.nan if tile == NO_TILE else tile_height(table[tile], heights, e, n)


@njit(cache=True)
def _still_suits(row: Array, e: float, n: float, resolution: float) -> bool:
    """Whether the tile of the place before will do: then no zone that is coarser by a factor of two could suit."""
    return bool(resolution < _AS_FINE * row[SPACING] <= 2.0 * resolution and covers(row, e, n))


@njit(cache=True)
def image_samples(
    table: Array, pixels: Pixels, heights: Heights, e: Array, n: Array, resolution: float
) -> tuple[Array, Array, NDArray[np.int64]]:
    """Brightness, heights, m, and tiles at places; each of shape (k,)."""
    brightness, height = np.full(e.size, np.nan), np.full(e.size, np.nan)
    tiles = np.full(e.size, NO_TILE)
    for k in range(e.size):
        tile = tiles[k - 1] if k > 0 else NO_TILE
        if tile == NO_TILE or not _still_suits(table[tile], e[k], n[k], resolution):
            tile = image_tile(table, e[k], n[k], resolution)
        tiles[k] = tile
        if tile != NO_TILE:
            brightness[k] = tile_brightness(table[tile], pixels, e[k], n[k])
            height[k] = tile_height(table[tile], heights, e[k], n[k])
    return brightness, height, tiles
