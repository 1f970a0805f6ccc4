"""The surface at many places at once."""

from __future__ import annotations

from math import ceil, floor

import numpy as np
from numpy.typing import NDArray

from lander_terrain.bands import CRATER_LOST, NOISE_LOST, noise_weight
from lander_terrain.craters import (
    CELL,
    EJECTA_REACH,
    IRREGULARITY,
    LARGEST,
    REACH,
    count_in_cell,
    crater_at,
    crater_shape,
    crater_share,
    diameter_of,
    is_cleared,
)
from lander_terrain.craters import (
    KEY as CRATER_KEY,
)
from lander_terrain.features import feature_relief
from lander_terrain.hashing import cell_hash, nth_hash, uniform
from lander_terrain.jit import jit
from lander_terrain.noise import AMPLITUDE, COSINE, KEY, LATTICE, SHIFT_E, SHIFT_N, SINE, NoiseCell, in_cell, noise_cell
from lander_terrain.surface import (
    ALBEDO_FRESH,
    ALBEDO_HIGHEST,
    ALBEDO_LOWEST,
    ALBEDO_MEAN,
    TerrainData,
    base_relief,
    relief,
    ridge,
    ridge_cover,
    ridge_size,
    slope_at,
)

Array = NDArray[np.float64]


@jit
def heights(data: TerrainData, e: Array, n: Array, baseline: float) -> Array:
    """Heights, m, at map coordinates, m; shape (k,)."""
    result = np.empty(e.shape[0])
    for i in range(e.shape[0]):
        result[i] = relief(data, e[i], n[i], baseline)[0]
    return result


@jit
def slopes(data: TerrainData, e: Array, n: Array, baseline: float) -> Array:
    """Slopes, deg, over a baseline, m, at map coordinates, m; shape (k,)."""
    result = np.empty(e.shape[0])
    for i in range(e.shape[0]):
        result[i] = slope_at(data, e[i], n[i], baseline)
    return result


@jit
def grid(
    data: TerrainData, east: float, north: float, spacing: float, rows: int, columns: int, baseline: float
) -> Array:
    """Heights, m, at rows to the north and columns to the east of a first sample, m.

    The same sum as `surface.relief`, but part by part over the whole grid, so that a lattice cell or a crater is looked
    up once.
    """
    return relief_grid(data, east, north, spacing, np.empty((rows, columns)), np.empty((0, 0)), baseline)


@jit
def albedo_grid(data: TerrainData, east: float, north: float, spacing: float, freshness: Array) -> Array:
    """Reflectance at normal incidence and zero phase on a grid, from the freshness there: `surface.albedo_from`."""
    result = np.full(freshness.shape, data.shape[ALBEDO_MEAN]) + data.shape[ALBEDO_FRESH] * freshness
    for octave in range(data.ridges_end, data.octaves.shape[0]):
        _add_octave(data.octaves[octave], east, north, spacing, spacing, result)
    return np.minimum(np.maximum(result, data.shape[ALBEDO_LOWEST]), data.shape[ALBEDO_HIGHEST])


@jit
def relief_grid(
    data: TerrainData, east: float, north: float, spacing: float, result: Array, freshness: Array, baseline: float
) -> Array:
    """Fill `result` with heights, m, and `freshness` likewise unless it is empty; return `result`."""
    result[:] = -data.datum
    freshness[:] = 0.0
    if data.dem.shape[0] > 0:
        _add_pointwise(data, east, north, spacing, baseline, result)
    else:
        for octave in range(data.fractal_end):
            if data.octaves[octave, LATTICE] <= NOISE_LOST * baseline:
                break
            _add_octave(data.octaves[octave], east, north, spacing, baseline, result)
        if data.ridges_end > data.fractal_end:
            _add_ridges(data, east, north, spacing, baseline, result)
    for level in range(data.craters.shape[0]):
        if data.craters[level, LARGEST] <= CRATER_LOST * baseline:
            break
        _add_craters(data, level, east, north, spacing, baseline, result, freshness)
    if data.features.shape[0] > 0:
        _add_features(data, east, north, spacing, result)
    return result


@jit
def _add_pointwise(
    data: TerrainData, east: float, north: float, spacing: float, baseline: float, result: Array
) -> None:
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] += base_relief(data, east + j * spacing, north + i * spacing, baseline)[0]


@jit
def _add_ridges(data: TerrainData, east: float, north: float, spacing: float, baseline: float, result: Array) -> None:
    columns = result.shape[1]
    mask, swell, x, y = np.empty(columns), np.empty(columns), np.empty(columns), np.empty(columns)
    size = ridge_size(data.shape, baseline)
    for i in range(result.shape[0]):
        n = north + i * spacing
        mask[:] = 0.0
        _add_octave_row(data.octaves[data.fractal_end], 1.0, east, n, spacing, x, y, mask)
        if ridge_cover(data.shape, mask.max()) <= 0.0:
            continue
        swell[:] = 0.0
        for octave in range(data.fractal_end + 1, data.ridges_end):
            _add_octave_row(data.octaves[octave], data.octaves[octave, AMPLITUDE], east, n, spacing, x, y, swell)
        for j in range(columns):
            result[i, j] += ridge(data.shape, size, mask[j], swell[j])[0]


@jit
def _add_features(data: TerrainData, east: float, north: float, spacing: float, result: Array) -> None:
    for i in range(result.shape[0]):
        for j in range(result.shape[1]):
            result[i, j] += feature_relief(data.features, east + j * spacing, north + i * spacing)[0]


@jit
def _add_octave(octave: Array, east: float, north: float, spacing: float, baseline: float, result: Array) -> None:
    size = octave[AMPLITUDE] * noise_weight(octave[LATTICE], baseline)
    x, y = np.empty(result.shape[1]), np.empty(result.shape[1])
    for i in range(result.shape[0]):
        _add_octave_row(octave, size, east, north + i * spacing, spacing, x, y, result[i])


@jit
def _add_octave_row(
    octave: Array, size: float, east: float, n: float, spacing: float, x: Array, y: Array, result: Array
) -> None:
    """Add an octave of a size to a row of samples, run by run of those in one cell; `x`, `y` are room to work in.

    What is done to each run has no branch, so that the compiler makes it vector instructions.
    """
    c, s, key = octave[COSINE], octave[SINE], np.uint64(np.int64(octave[KEY]))
    for j in range(result.shape[0]):
        e = east + j * spacing
        x[j], y[j] = c * e + s * n + octave[SHIFT_E], c * n - s * e + octave[SHIFT_N]
    start = 0
    while start < result.shape[0]:
        column, row = floor(x[start]), floor(y[start])
        end = start + 1
        while end < result.shape[0] and floor(x[end]) == column and floor(y[end]) == row:
            end += 1
        cell: NoiseCell = noise_cell(key, column, row)
        for j in range(start, end):
            result[j] += size * in_cell(cell, x[j] - column, y[j] - row)[0]
        start = end


@jit
def _add_craters(
    data: TerrainData,
    level: int,
    east: float,
    north: float,
    spacing: float,
    baseline: float,
    result: Array,
    freshness: Array,
) -> None:
    levels = data.craters
    cell, reach, key = levels[level, CELL], levels[level, REACH], np.uint64(np.int64(levels[level, CRATER_KEY]))
    rows, columns = result.shape
    for column in range(floor((east - reach) / cell), floor((east + (columns - 1) * spacing + reach) / cell) + 1):
        for row in range(floor((north - reach) / cell), floor((north + (rows - 1) * spacing + reach) / cell) + 1):
            word = cell_hash(key, column, row)
            for index in range(count_in_cell(levels, level, word)):
                place = nth_hash(word, index)
                e, n = (column + uniform(place, 0)) * cell, (row + uniform(place, 1)) * cell
                diameter = diameter_of(levels, level, uniform(place, 2))
                share = crater_share(data.dem, data.dem_frame, e, n, diameter, baseline)
                if share > 0.0 and not is_cleared(levels, level, e, n, diameter):
                    _add_crater(levels, level, place, diameter, share, e - east, n - north, spacing, result, freshness)


@jit
def _add_crater(
    levels: Array,
    level: int,
    place: np.uint64,
    diameter: float,
    share: float,
    x: float,
    y: float,
    spacing: float,
    result: Array,
    freshness: Array,
) -> None:
    """Add a crater whose centre is at (x, y), m, from the first sample."""
    shape = crater_shape(levels, level, place, diameter)
    reach = 0.5 * diameter * EJECTA_REACH / (1.0 - 2.0 * levels[level, IRREGULARITY])
    for i in range(max(ceil((y - reach) / spacing), 0), min(floor((y + reach) / spacing) + 1, result.shape[0])):
        for j in range(max(ceil((x - reach) / spacing), 0), min(floor((x + reach) / spacing) + 1, result.shape[1])):
            height, _, _, fresh = crater_at(shape, diameter, j * spacing - x, i * spacing - y)
            result[i, j] += share * height
            if freshness.size > 0:
                freshness[i, j] = max(freshness[i, j], share * fresh)
