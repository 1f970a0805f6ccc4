"""A window of the image map as the camera would see it: from one zone, lit by the Sun of now."""

from __future__ import annotations

from dataclasses import dataclass

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.image_map import (
    COLUMNS,
    EAST,
    HEIGHT_COLUMNS,
    HEIGHT_OFFSET,
    HEIGHT_ROWS,
    HEIGHT_SIGMA,
    HEIGHT_SPACING,
    NO_TILE,
    NORTH,
    OFFSET,
    REGISTRATION,
    ROWS,
    SPACING,
    SUN_AZIMUTH,
    SUN_ELEVATION,
    ImageMap,
    between_samples,
    bilinear,
    covers,
    image_height,
    image_tile,
)
from lander_flight.map_window import Picture, Window, relight

Array = NDArray[np.float64]


@dataclass(frozen=True)
class MapView:
    """A window of the map. Cells of other zones, and beyond the map, have no height (NaN)."""

    window: Window
    expected: Picture
    heights: Picture
    zone: Array  # row of the image map's table

    @property
    def covered(self) -> float:
        """Share of the window that the zone covers."""
        return float(np.mean(np.isfinite(self.heights)))

    def halved(self) -> MapView:
        """The same, at half of the resolution."""
        half = self.window.cells // 2
        even = slice(0, 2 * half)
        corner = self.window.place(np.array(0.5), np.array(0.5))
        window = Window(float(corner[0]), float(corner[1]), half, 2.0 * self.window.posting_m)
        expected, heights = (
            np.asarray(cv2.resize(picture[even, even], (half, half), interpolation=cv2.INTER_AREA), np.float32)
            for picture in (self.expected, self.heights)
        )
        return MapView(window, expected, heights, self.zone)


class MapReader:
    """Reads windows of an image map."""

    def __init__(self, image_map: ImageMap, sun_site: Array) -> None:
        self._map = image_map
        self._sun_site = sun_site

    def zone(self, e: float, n: float, resolution_m: float) -> Array | None:
        """The row of the table that suits a resolution at a place; None beyond the map."""
        tile = image_tile(self._map.table, e, n, resolution_m)
        return None if tile == NO_TILE else self._map.table[tile]

    def height(self, e: float, n: float, resolution_m: float) -> float:
        """Height, m; NaN beyond the map."""
        return float(image_height(self._map.table, self._map.heights, e, n, resolution_m))

    def read(self, window: Window, zone: Array, view: Array, R_site_map: Array) -> MapView:
        """A window lit by the Sun of now, seen along `view` (unit, to the camera, along the axes of the map).

        `R_site_map`: the axes of the map there, in site.
        """
        placed = (window.east_m, window.north_m, window.posting_m, window.cells)
        brightness, heights = read_zone(
            self._map.table, self._map.pixels, self._map.heights, float(zone[SPACING]), *placed
        )
        suns = _sun_then(zone), R_site_map.T @ self._sun_site
        return MapView(window, relight(brightness, heights, window.posting_m, *suns, view), heights, zone)


@njit(cache=True)
def read_zone(
    table: Array,
    pixels: NDArray[np.uint8],
    heights: Picture,
    spacing: float,
    east: float,
    north: float,
    posting: float,
    cells: int,
) -> tuple[Picture, Picture]:
    """Brightness and heights, m, of a window, from the tiles of the zone of a spacing only; heights NaN beyond them."""
    brightness = np.zeros((cells, cells), np.float32)
    height = np.full((cells, cells), np.float32(np.nan))
    for i in range(cells):
        n, j = north + posting * i, 0
        while j < cells:
            tile = _tile_of(table, spacing, east + posting * j, n)
            if tile == NO_TILE:
                j += 1
            else:
                j = _read_row(table[tile], pixels, heights, east, n, posting, j, brightness[i], height[i])
    return brightness, height


@njit(cache=True)
def _read_row(
    tile: Array,
    pixels: NDArray[np.uint8],
    heights: Picture,
    east: float,
    n: float,
    posting: float,
    j: int,
    brightness: Picture,
    height: Picture,
) -> int:
    """Fill a row of a window from cell j on, as far as a tile covers it; return the first cell that it does not."""
    step, height_step = int(tile[COLUMNS]), int(tile[HEIGHT_COLUMNS])
    i, v = between_samples(n - tile[NORTH], tile[SPACING], tile[ROWS])
    height_i, height_v = between_samples(n - tile[NORTH], tile[HEIGHT_SPACING], tile[HEIGHT_ROWS])
    row, height_row = int(tile[OFFSET]) + i * step, int(tile[HEIGHT_OFFSET]) + height_i * height_step
    for cell in range(j, brightness.shape[0]):
        e = east + posting * cell
        if not covers(tile, e, n):
            return cell
        k, u = between_samples(e - tile[EAST], tile[SPACING], tile[COLUMNS])
        height_k, height_u = between_samples(e - tile[EAST], tile[HEIGHT_SPACING], tile[HEIGHT_COLUMNS])
        brightness[cell] = bilinear(pixels, row + k, step, u, v)
        height[cell] = bilinear(heights, height_row + height_k, height_step, height_u, height_v)
    return brightness.shape[0]


@njit(cache=True)
def _tile_of(table: Array, spacing: float, e: float, n: float) -> int:
    for k in range(table.shape[0]):
        if table[k, SPACING] == spacing and covers(table[k], e, n):
            return k
    return NO_TILE


def _sun_then(zone: Array) -> Array:
    elevation, azimuth = np.radians(zone[SUN_ELEVATION]), np.radians(zone[SUN_AZIMUTH])
    return np.array([np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth), np.sin(elevation)])


def accuracy(zone: Array) -> tuple[float, float]:
    """What the zone states: 1-sigma of its place per axis, and of its heights, m."""
    return float(zone[REGISTRATION]), float(zone[HEIGHT_SIGMA])
