"""The surface as a function of place: what every query of a terrain comes down to, callable from numba code.

`TerrainData` holds all that the functions read. It is a few small tables: nothing is gridded, so nothing has to be
built, and no two levels of detail can disagree.
"""

from __future__ import annotations

from math import atan, degrees, sqrt
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lander_terrain.bands import noise_weight, smoothstep, smoothstep_slope
from lander_terrain.craters import crater_relief
from lander_terrain.dem import DETAIL, dem_height, dem_share
from lander_terrain.features import feature_relief
from lander_terrain.geometry import (
    local_to_site,
    map_to_site,
    normal_from_slopes,
    true_slopes,
)
from lander_terrain.geometry import (
    site_to_map as _site_to_map,
)
from lander_terrain.jit import jit
from lander_terrain.noise import LATTICE, octave_noise, octave_sum

Array = NDArray[np.float64]

# Entries of TerrainData.shape
(
    RIDGE_HEIGHT,
    RIDGE_STEEPNESS,
    RIDGE_THRESHOLD,
    RIDGE_WIDTH,
    ALBEDO_MEAN,
    ALBEDO_FRESH,
    ALBEDO_LOWEST,
    ALBEDO_HIGHEST,
) = range(8)
_MASK_SOFTNESS = 0.5  # of the edges of the areas that have ridges, in standard deviations of the noise that masks them


class TerrainData(NamedTuple):
    """A terrain as numbers. Heights are relative to the sphere through the target; map coordinates as in `geometry`.

    Few arrays, because numba counts the references of each at every call.
    """

    radius: float  # of the sphere through the target, m
    datum: float  # height that the parts sum to at the target, m
    slope_bound: float  # tangent that the surface hardly anywhere exceeds; steps along rays rely on it
    fractal_end: int  # rows of `octaves`: first those of the fractal, coarsest first;
    ridges_end: int  # then those of the ridges: one masks, the others place the crests; then those of the albedo
    octaves: Array
    shape: Array
    craters: Array
    features: Array
    dem: NDArray[np.float32]
    dem_frame: Array


@jit
def relief(data: TerrainData, e: float, n: float, baseline: float) -> tuple[float, float, float, float]:
    """Height, m, its derivatives by e and n, and freshness (0 to 1) at map coordinates, m.

    Detail smaller than the baseline, m, is left out.
    """
    height, height_e, height_n = base_relief(data, e, n, baseline)
    freshness = 0.0
    if data.craters.shape[0] > 0:
        h, h_e, h_n, freshness = crater_relief(data.craters, data.dem, data.dem_frame, e, n, baseline)
        height, height_e, height_n = height + h, height_e + h_e, height_n + h_n
    if data.features.shape[0] > 0:
        h, h_e, h_n = feature_relief(data.features, e, n)
        height, height_e, height_n = height + h, height_e + h_e, height_n + h_n
    return height - data.datum, height_e, height_n, freshness


@jit
def base_relief(data: TerrainData, e: float, n: float, baseline: float) -> tuple[float, float, float]:
    """What craters and features are added to: fractal, ridges and a user's elevation model."""
    if data.dem.shape[0] > 0:
        return _with_dem(data, e, n, baseline)
    return _swells(data, e, n, baseline, 0, data.fractal_end)


@jit
def ridge_relief(data: TerrainData, e: float, n: float, baseline: float) -> tuple[float, float, float]:
    """Wrinkle ridges: height, m, and derivatives."""
    return _ridges(data.octaves, data.fractal_end, data.ridges_end, data.shape, e, n, baseline)


@jit
def _swells(data: TerrainData, e: float, n: float, baseline: float, first: int, end: int) -> tuple[float, float, float]:
    """Some octaves of the fractal, and with the first of them the ridges."""
    height, height_e, height_n = octave_sum(data.octaves, first, end, e, n, baseline)
    if first == 0 and data.ridges_end > data.fractal_end:
        h, h_e, h_n = ridge_relief(data, e, n, baseline)
        height, height_e, height_n = height + h, height_e + h_e, height_n + h_n
    return height, height_e, height_n


@jit
def _with_dem(data: TerrainData, e: float, n: float, baseline: float) -> tuple[float, float, float]:
    """Fractal and ridges, with a user's elevation model in place of all but the octaves below its resolution."""
    split = 0
    while split < data.fractal_end and data.octaves[split, LATTICE] >= data.dem_frame[DETAIL]:
        split += 1
    height, height_e, height_n = _swells(data, e, n, baseline, 0, split)
    share, share_e, share_n = dem_share(data.dem, data.dem_frame, e, n)
    if share > 0.0:
        model, model_e, model_n = dem_height(data.dem, data.dem_frame, e, n)
        height_e += share * (model_e - height_e) + share_e * (model - height)
        height_n += share * (model_n - height_n) + share_n * (model - height)
        height += share * (model - height)
    h, h_e, h_n = octave_sum(data.octaves, split, data.fractal_end, e, n, baseline)
    return height + h, height_e + h_e, height_n + h_n


@jit
def _ridges(
    octaves: Array, first: int, end: int, shape: Array, e: float, n: float, baseline: float
) -> tuple[float, float, float]:
    """Swells along the zero lines of a noise, where another noise is high."""
    mask, mask_e, mask_n = octave_noise(octaves, first, e, n)
    if ridge_cover(shape, mask) <= 0.0:
        return 0.0, 0.0, 0.0
    x, x_e, x_n = octave_sum(octaves, first + 1, end, e, n, 0.0)
    size = ridge_size(shape, baseline)
    height, by_mask, by_x = ridge(shape, size, mask, x)
    return height, size * (by_x * x_e + by_mask * mask_e), size * (by_x * x_n + by_mask * mask_n)


@jit
def ridge_cover(shape: Array, mask: float) -> float:
    """Where a mask, in standard deviations, lets ridges be: from 0 on at their ends, from 1 on in full."""
    return float((mask - shape[RIDGE_THRESHOLD]) / _MASK_SOFTNESS + 0.5)


@jit
def ridge_size(shape: Array, baseline: float) -> float:
    """Height, m, of a crest that is covered in full, over a baseline, m."""
    return float(shape[RIDGE_HEIGHT] * noise_weight(shape[RIDGE_WIDTH], baseline))


@jit
def ridge(shape: Array, size: float, mask: float, x: float) -> tuple[float, float, float]:
    """Height, m, of a ridge of a size, m, and over the size its derivatives by the mask and by the noise whose zeros are the crests."""
    steepness = shape[RIDGE_STEEPNESS]
    inverse = 1.0 / (1.0 + x * x * steepness * steepness)
    crest, crest_slope = inverse * inverse, -4.0 * x * steepness * steepness * inverse * inverse * inverse
    place = ridge_cover(shape, mask)
    covered, covered_slope = smoothstep(place), smoothstep_slope(place) / _MASK_SOFTNESS
    return size * crest * covered, crest * covered_slope, crest_slope * covered


@jit
def height_at(data: TerrainData, e: float, n: float) -> float:
    """Height, m, above the sphere through the target, at map coordinates, m."""
    return relief(data, e, n, 0.0)[0]


@jit
def height_smooth(data: TerrainData, e: float, n: float, baseline: float) -> float:
    """The same without detail smaller than a baseline, m, as a map of that resolution would have it."""
    return relief(data, e, n, baseline)[0]


@jit
def height_and_normal(data: TerrainData, e: float, n: float) -> tuple[float, float, float, float]:
    """Height, m, and unit normal at map coordinates, m, in the local frame there (`geometry.local_to_site`)."""
    height, height_e, height_n, _ = relief(data, e, n, 0.0)
    slope_e, slope_n = true_slopes(data.radius, e, n, height, height_e, height_n)
    x, y, z = normal_from_slopes(slope_e, slope_n)
    return height, x, y, z


@jit
def site_to_map(data: TerrainData, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Map coordinates and height above the sphere (e, n, h), m, of a point in site coordinates, m."""
    return _site_to_map(data.radius, x, y, z)


@jit
def map_to_site_at(data: TerrainData, e: float, n: float, h: float) -> tuple[float, float, float]:
    """Site coordinates, m, of a point at map coordinates and a height above the sphere, m."""
    return map_to_site(data.radius, e, n, h)


@jit
def altitude_at(data: TerrainData, x: float, y: float, z: float) -> float:
    """Height, m, of a point in site coordinates, m, above the surface, along the local radius."""
    e, n, h = _site_to_map(data.radius, x, y, z)
    return h - relief(data, e, n, 0.0)[0]


@jit
def altitude_and_normal_site(data: TerrainData, x: float, y: float, z: float) -> tuple[float, float, float, float]:
    """Altitude, m, of a point in site coordinates, m, and the unit normal of the surface below it, in site."""
    e, n, h = _site_to_map(data.radius, x, y, z)
    height, east, north, up = height_and_normal(data, e, n)
    nx, ny, nz = local_to_site(data.radius, e, n, east, north, up)
    return h - height, nx, ny, nz


@jit
def slope_at(data: TerrainData, e: float, n: float, baseline: float) -> float:
    """Slope, deg, at map coordinates, m: of the plane through points half a baseline, m, to either side."""
    half = 0.5 * baseline
    slope_e = (height_at(data, e + half, n) - height_at(data, e - half, n)) / baseline
    slope_n = (height_at(data, e, n + half) - height_at(data, e, n - half)) / baseline
    return degrees(atan(sqrt(slope_e * slope_e + slope_n * slope_n)))


@jit
def albedo_at(data: TerrainData, e: float, n: float) -> float:
    """Reflectance at normal incidence and zero phase, at map coordinates, m."""
    return albedo_from(data, e, n, relief(data, e, n, 0.0)[3])


@jit
def albedo_from(data: TerrainData, e: float, n: float, freshness: float) -> float:
    """The same where the freshness is known."""
    varied = octave_sum(data.octaves, data.ridges_end, data.octaves.shape[0], e, n, 0.0)[0]
    value: float = data.shape[ALBEDO_MEAN] + data.shape[ALBEDO_FRESH] * freshness + varied
    return float(min(max(value, data.shape[ALBEDO_LOWEST]), data.shape[ALBEDO_HIGHEST]))
