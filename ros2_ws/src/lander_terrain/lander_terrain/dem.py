"""A user's elevation model: reading, bringing to map coordinates, looking up."""

from __future__ import annotations

from dataclasses import dataclass
from importlib import import_module
from math import floor, radians
from pathlib import Path
from typing import Any, Protocol

import numpy as np
from numpy.typing import NDArray

from lander_common.moon import REFERENCE_RADIUS_M
from lander_terrain.bands import smoothstep, smoothstep_slope
from lander_terrain.jit import jit
from lander_terrain.parameters import Dem

Array = NDArray[np.float64]
Heights = NDArray[np.float32]

# Columns of the frame of a model
EAST, NORTH, SPACING, MARGIN, DETAIL = range(5)

# GeoTIFF tags and keys (OGC 19-008r4)
_PIXEL_SCALE, _TIE_POINT, _GEO_KEYS, _GEO_DOUBLES = 33550, 33922, 34735, 34736
_MODEL_TYPE, _RASTER_TYPE, _SEMI_MAJOR_AXIS, _PROJECTION = 1024, 1025, 2057, 3075
_STANDARD_PARALLEL, _CENTRE_LONGITUDES, _CENTRE_LATITUDES = 3078, (3080, 3088), (3081, 3089)
_GEOGRAPHIC, _EQUIRECTANGULAR, _PIXEL_IS_AREA = 2, 17, 1


class DemError(ValueError):
    """An elevation model cannot be used; the text says which, why, and what to do."""


class SitePose(Protocol):
    """Where the target is: latitude and longitude, deg, elevation above the reference sphere, m."""

    @property
    def latitude_deg(self) -> float: ...

    @property
    def longitude_deg(self) -> float: ...

    @property
    def elevation_m(self) -> float: ...


def no_dem() -> tuple[Heights, Array]:
    """Heights and frame of no model."""
    return np.zeros((0, 0), np.float32), np.zeros(5)


def load_dem(parameters: Dem, site: SitePose) -> tuple[Heights, Array]:
    """Heights, m above their mean, shape (rows from south, columns from west), and frame (5,). Raises DemError."""
    path = parameters.path
    if not path.is_file():
        raise DemError(f"elevation model {path} does not exist")
    if path.suffix == ".npz":
        heights, east, north, spacing = _read_npz(path)
    elif path.suffix.lower() in (".tif", ".tiff"):
        heights, east, north, spacing = _read_geotiff(path, parameters.spacing_m, site)
    else:
        raise DemError(f"elevation model {path}: expected .npz or .tif")
    _check(path, heights, spacing, parameters.margin_m)
    frame = np.array([east, north, spacing, parameters.margin_m, parameters.detail_below_m])
    return np.ascontiguousarray(heights - heights.mean(), np.float32), frame


def _check(path: Path, heights: Array, spacing: float, margin: float) -> None:
    if not np.isfinite(heights).all():
        raise DemError(f"elevation model {path} has gaps: fill them first")
    if min(heights.shape) < 4 or (min(heights.shape) - 3) * spacing < 2.0 * margin:
        raise DemError(
            f"elevation model {path}: {heights.shape} samples at {spacing} m do not leave two margins of {margin} m"
        )


def _read_npz(path: Path) -> tuple[Array, float, float, float]:
    with np.load(path) as file:
        missing = {"heights_m", "spacing_m"} - set(file.files)
        if missing:
            raise DemError(f"elevation model {path}: {', '.join(sorted(missing))} missing")
        heights, spacing = np.asarray(file["heights_m"], float), float(file["spacing_m"])
        if heights.ndim != 2:
            raise DemError(f"elevation model {path}: heights_m must have two dimensions, has {heights.ndim}")
        rows, columns = heights.shape
        east = float(file["east_m"]) if "east_m" in file else -0.5 * (columns - 1) * spacing
        north = float(file["north_m"]) if "north_m" in file else -0.5 * (rows - 1) * spacing
    return heights, east, north, spacing


def _read_geotiff(path: Path, spacing: float, site: SitePose) -> tuple[Array, float, float, float]:
    raster = Raster.read(path)
    half = _largest_square(raster, site, spacing)
    if half < 3:
        raise DemError(
            f"elevation model {path} does not contain the target at {site.latitude_deg} N {site.longitude_deg} E"
        )
    steps = np.arange(-half, half + 1) * spacing
    e, n = np.meshgrid(steps, steps)
    return raster.sample(*map_to_degrees(site, e, n)), float(steps[0]), float(steps[0]), spacing


def _largest_square(raster: Raster, site: SitePose, spacing: float) -> int:
    """Half width, in samples, of the largest square around the target that the raster covers."""

    def covered(half: int) -> bool:
        edge = np.linspace(-half, half, 101) * spacing
        side = np.full_like(edge, half * spacing)
        e, n = np.concatenate((edge, edge, side, -side)), np.concatenate((side, -side, edge, edge))
        return raster.covers(*map_to_degrees(site, e, n))

    low, high = 0, int(2e6 / spacing)
    while high - low > 1:
        middle = (low + high) // 2
        low, high = (middle, high) if covered(middle) else (low, middle)
    return low


def map_to_degrees(site: SitePose, e: Array, n: Array) -> tuple[Array, Array]:
    """Latitude and longitude, deg, of map coordinates, m (azimuthal equidistant: Snyder 1987, eqs. 20-14 and 20-15)."""
    radius = REFERENCE_RADIUS_M + site.elevation_m
    arc = np.hypot(e, n)
    c = arc / radius
    lat0 = radians(site.latitude_deg)
    share_e, share_n = (np.divide(x, arc, out=np.zeros_like(arc), where=arc > 0) for x in (e, n))
    lat = np.arcsin(np.clip(np.cos(c) * np.sin(lat0) + share_n * np.sin(c) * np.cos(lat0), -1.0, 1.0))
    east = share_e * np.sin(c)
    along = np.cos(lat0) * np.cos(c) - share_n * np.sin(lat0) * np.sin(c)
    return np.degrees(lat), site.longitude_deg + np.degrees(np.arctan2(east, along))


@dataclass(frozen=True)
class Raster:
    """A raster whose columns go with longitude and rows with latitude."""

    values: Array
    first: tuple[float, float]  # longitude and latitude of the centre of the first sample, deg
    step: tuple[float, float]  # deg per column and row, the latter negative

    @staticmethod
    def read(path: Path) -> Raster:
        """Raises DemError where tifffile is missing or the projection is not supported."""
        try:
            tifffile: Any = import_module("tifffile")
        except ImportError:
            raise DemError(
                f"{path}: reading GeoTIFF needs the package tifffile; install it, or convert to .npz"
            ) from None
        with tifffile.TiffFile(path) as file:
            page = file.pages[0]
            tags = {tag.code: tag.value for tag in page.tags.values()}
            values = np.asarray(page.asarray(), float)
        return georeferenced(path, values, tags)

    def _places(self, latitude: Array, longitude: Array) -> tuple[Array, Array]:
        turn = self.first[0] + 0.5 * self.step[0] * self.values.shape[1]
        nearest = (longitude - turn + 180.0) % 360.0 - 180.0 + turn
        return (latitude - self.first[1]) / self.step[1], (nearest - self.first[0]) / self.step[0]

    def covers(self, latitude: Array, longitude: Array) -> bool:
        """Whether all of the points lie between the raster's samples."""
        rows, columns = self._places(latitude, longitude)
        last = np.array(self.values.shape) - 1
        return bool(rows.min() >= 0 and columns.min() >= 0 and rows.max() <= last[0] and columns.max() <= last[1])

    def sample(self, latitude: Array, longitude: Array) -> Array:
        """Heights at points, bilinear."""
        from scipy.ndimage import map_coordinates

        places = np.array(self._places(latitude, longitude))
        return np.asarray(map_coordinates(self.values, places, order=1, mode="nearest"))


def georeferenced(path: Path, values: Array, tags: dict[int, Any]) -> Raster:
    if not {_PIXEL_SCALE, _TIE_POINT, _GEO_KEYS} <= set(tags):
        raise DemError(f"{path} has no georeference (pixel scale, tie point, geo keys)")
    keys = _geo_keys(tags)
    step_x, step_y = (float(value) for value in tags[_PIXEL_SCALE][:2])
    column, row, _, x, y = (float(value) for value in tags[_TIE_POINT][:5])
    centre = 0.5 if keys.get(_RASTER_TYPE, _PIXEL_IS_AREA) == _PIXEL_IS_AREA else 0.0
    x += (centre - column) * step_x
    y -= (centre - row) * step_y
    if keys.get(_MODEL_TYPE) == _GEOGRAPHIC:
        return Raster(values, (x, y), (step_x, -step_y))
    if keys.get(_PROJECTION) == _EQUIRECTANGULAR:
        return _from_equirectangular(values, keys, (x, y), (step_x, step_y))
    raise DemError(f"{path}: projection is neither geographic nor equirectangular; reproject it, or convert to .npz")


def _from_equirectangular(
    values: Array, keys: dict[int, float], first: tuple[float, float], step: tuple[float, float]
) -> Raster:
    radius = keys.get(_SEMI_MAJOR_AXIS, REFERENCE_RADIUS_M)
    centre_longitude = next((keys[key] for key in _CENTRE_LONGITUDES if key in keys), 0.0)
    centre_latitude = next((keys[key] for key in _CENTRE_LATITUDES if key in keys), 0.0)
    north = float(np.degrees(1.0 / radius))
    east = north / float(np.cos(np.radians(keys.get(_STANDARD_PARALLEL, 0.0))))
    corner = (centre_longitude + first[0] * east, centre_latitude + first[1] * north)
    return Raster(values, corner, (step[0] * east, -step[1] * north))


def _geo_keys(tags: dict[int, Any]) -> dict[int, float]:
    """Geo keys with their numbers; texts are left out."""
    directory = np.asarray(tags[_GEO_KEYS]).reshape(-1, 4)[1:]
    doubles = np.atleast_1d(np.asarray(tags.get(_GEO_DOUBLES, ()), float))
    keys = {}
    for key, location, _, value in directory.tolist():
        if location == 0:
            keys[key] = float(value)
        elif location == _GEO_DOUBLES:
            keys[key] = float(doubles[value])
    return keys


@jit
def dem_share(heights: Heights, frame: Array, e: float, n: float) -> tuple[float, float, float]:
    """Weight of the model at map coordinates, m, and its derivatives: 1 inside, 0 outside, smooth over the margin."""
    if heights.shape[0] == 0:
        return 0.0, 0.0, 0.0
    share_e, slope_e = _inside(e - frame[EAST], heights.shape[1], frame)
    share_n, slope_n = _inside(n - frame[NORTH], heights.shape[0], frame)
    return share_e * share_n, slope_e * share_n, share_e * slope_n


@jit
def _inside(offset: float, samples: int, frame: Array) -> tuple[float, float]:
    spacing, margin = frame[SPACING], frame[MARGIN]
    left, right = (
        offset - spacing,
        (samples - 2) * spacing - offset,
    )  # the outermost samples only carry the interpolation
    if left < right:
        return smoothstep(left / margin), smoothstep_slope(left / margin) / margin
    return smoothstep(right / margin), -smoothstep_slope(right / margin) / margin


@jit
def dem_height(heights: Heights, frame: Array, e: float, n: float) -> tuple[float, float, float]:
    """Height, m, and derivatives of the model where its share is above 0 (Catmull-Rom: continuous slopes)."""
    x, y = (e - frame[EAST]) / frame[SPACING], (n - frame[NORTH]) / frame[SPACING]
    column, row = floor(x), floor(y)
    wx, dx = _catmull_rom(x - column)
    wy, dy = _catmull_rom(y - row)
    height, height_e, height_n = 0.0, 0.0, 0.0
    for j in range(4):
        value, slope = 0.0, 0.0
        for i in range(4):
            sample = float(heights[row - 1 + j, column - 1 + i])
            value += wx[i] * sample
            slope += dx[i] * sample
        height += wy[j] * value
        height_e += wy[j] * slope
        height_n += dy[j] * value
    return height, height_e / frame[SPACING], height_n / frame[SPACING]


@jit
def _catmull_rom(
    t: float,
) -> tuple[tuple[float, float, float, float], tuple[float, float, float, float]]:
    """Weights of four samples at a place between the middle two, and their derivatives."""
    weights = (
        0.5 * t * (t * (2.0 - t) - 1.0),
        0.5 * (t * t * (3.0 * t - 5.0) + 2.0),
        0.5 * t * (t * (4.0 - 3.0 * t) + 1.0),
        0.5 * t * t * (t - 1.0),
    )
    slopes = (
        0.5 * (t * (4.0 - 3.0 * t) - 1.0),
        0.5 * t * (9.0 * t - 10.0),
        0.5 * (t * (8.0 - 9.0 * t) + 1.0),
        0.5 * t * (3.0 * t - 2.0),
    )
    return weights, slopes
