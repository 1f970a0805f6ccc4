"""Impact craters: their size-frequency law, their profile, and where each one is.

The population is a Poisson process for every octave of diameters. Space is divided into cells; a hash of the cell says
how many craters it holds and where, how wide, how deep and how regular each is. Nothing is stored, nothing repeats.
"""

from __future__ import annotations

from dataclasses import dataclass
from itertools import pairwise
from math import floor, log, pow, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_terrain.bands import CRATER_LOST, crater_weight
from lander_terrain.dem import DETAIL, Heights, dem_share
from lander_terrain.hashing import cell_hash, mix, nth_hash, uniform
from lander_terrain.jit import jit
from lander_terrain.parameters import Craters

Array = NDArray[np.float64]
Shape = tuple[float, float, float, float, float, float, float, float]

EJECTA_REACH = 2.5  # radii over which the ejecta run out
_QUANTILES = 64  # intervals of the table of diameters of a level
_MOST = 16  # craters in a cell; the mean is about one, so a cell with more has probability below 1e-12
_SHAPE = np.uint64(0x632BE59BD9B4E019)  # sets the shape's hash apart from the place's
_FRESH_AGE = 0.25  # share of a crater's life during which its ejecta are bright and rocky (estimate)

# Columns of a table of levels; then the diameters at equal steps of probability, and the cumulative probabilities of
# the number in a cell.
CELL, REACH, LARGEST, SHALLOWEST, DEEPEST, KEY, RIM, IRREGULARITY, CLEARED_RADIUS, CLEARED_DIAMETER, QUANTILE = range(
    11
)
COUNT = QUANTILE + _QUANTILES + 1
_COLUMNS = COUNT + _MOST


@dataclass(frozen=True)
class CraterLaw:
    """Cumulative number of craters per m2: equilibrium, production and large craters, joined without a step."""

    diameters: tuple[float, float, float, float]  # m: smallest, and the upper ends of the three laws
    exponents: tuple[float, float, float]
    density: float  # of craters wider than the smallest, per m2, had the last law no upper end

    @staticmethod
    def of(parameters: Craters) -> CraterLaw:
        """The law with the parameters' numbers."""
        p = parameters
        return CraterLaw(
            (p.smallest_m, p.equilibrium_largest_m, p.production_largest_m, p.largest_m),
            (p.equilibrium_exponent, p.production_exponent, p.large_exponent),
            p.equilibrium_coefficient * pow(p.smallest_m, -p.equilibrium_exponent),
        )

    def cumulative(self, diameter: float) -> float:
        """Number per m2 of craters wider than a diameter, m, and not wider than the largest."""
        return self._unbounded(diameter) - self._unbounded(self.diameters[3])

    def diameter(self, cumulative: float) -> float:
        """Diameter, m, that a number per m2 exceeds; the inverse of `cumulative`."""
        wanted = cumulative + self._unbounded(self.diameters[3])
        law = sum(wanted < self._unbounded(end) for end in self.diameters[1:3])
        start = self.diameters[law]
        return start * pow(wanted / self._unbounded(start), -1.0 / self.exponents[law])

    def _unbounded(self, diameter: float) -> float:
        number = self.density
        for start, end, exponent in zip(self.diameters[:-1], self.diameters[1:], self.exponents, strict=True):
            number *= (max(min(diameter, end), start) / start) ** -exponent
        return number


def depth_to_diameter_limits(parameters: Craters, diameter: float) -> tuple[float, float]:
    """Shallowest and deepest depth over diameter of craters of a diameter, m.

    Simple craters from 1 km keep their ratio up to about 15 km; complex ones above are shallower: depth 1.044 D^0.301
    (km, Pike 1977).
    """
    p = parameters
    rise = log(max(diameter / p.equilibrium_largest_m, 1.0)) / log(max(1e3 / p.equilibrium_largest_m, 1.001))
    share = min(rise, 1.0)
    fresh = (1.0 - share) * p.fresh_depth_to_diameter + share * p.fresh_depth_to_diameter_km
    degraded = (1.0 - share) * p.degraded_depth_to_diameter + share * p.degraded_depth_to_diameter_km
    deepest = min(fresh, 1.044 * (diameter * 1e-3) ** -0.699)
    return min(degraded, deepest), deepest


def crater_table(parameters: Craters | None, random: np.random.Generator) -> Array:
    """Table of the population, a row for every octave of diameters, widest first."""
    if parameters is None:
        return np.empty((0, _COLUMNS))
    law = CraterLaw.of(parameters)
    edges = _octave_edges(parameters)
    rows = []
    for low, high in pairwise(edges):
        reach = 0.5 * high * EJECTA_REACH / (1.0 - 2.0 * parameters.irregularity)
        cell = 2.0 * reach  # so that no crater outside the four nearest cells reaches a point
        shallowest, deepest = depth_to_diameter_limits(parameters, low)
        number_low, number_high = law.cumulative(low), law.cumulative(high)
        place = (cell, reach, high, shallowest, deepest, float(random.integers(2**52)))
        shape = (
            parameters.rim_fraction,
            parameters.irregularity,
            parameters.cleared_radius_m,
            parameters.cleared_diameter_m,
        )
        diameters = [law.diameter(number) for number in np.linspace(number_high, number_low, _QUANTILES + 1)]
        rows.append([*place, *shape, *diameters, *_poisson_cumulative((number_low - number_high) * cell**2)])
    return np.array(rows[::-1])


def _octave_edges(parameters: Craters) -> list[float]:
    edges = [parameters.smallest_m]
    while edges[-1] * 2.0 < parameters.largest_m:
        edges.append(edges[-1] * 2.0)
    return [*edges, parameters.largest_m]


def _poisson_cumulative(mean: float) -> Array:
    terms = np.cumprod(np.concatenate(([1.0], mean / np.arange(1, _MOST))))
    return np.asarray(np.exp(-mean) * np.cumsum(terms))


@jit
def profile(rho: float, depth: float, rim: float, floor_share: float) -> tuple[float, float]:
    """Height of a crater over its surroundings and its derivative, at `rho` radii of the rim crest from the centre.

    A wall that is level at the floor and at the crest, and ejecta that fall nearly as the inverse cube of the distance
    (McGetchin et al. 1973) and end smoothly at 2.5 radii.

    Parameters
    ----------
    depth : from crest to floor, m.
    rim : of the crest above the surroundings, m.
    floor_share : radius of the level floor over that of the crest.
    """
    if rho >= EJECTA_REACH:
        return 0.0, 0.0
    if rho >= 1.0:
        q = (rho - 1.0) / (EJECTA_REACH - 1.0)
        left = 1.0 - q
        return rim * left**4 * (1.0 + 4.0 * q), -20.0 * rim * q * left**3 / (EJECTA_REACH - 1.0)
    if rho <= floor_share:
        return rim - depth, 0.0
    t = (rho - floor_share) / (1.0 - floor_share)
    return rim - depth + depth * t * t * (3.0 - 2.0 * t), 6.0 * depth * t * (1.0 - t) / (1.0 - floor_share)


@jit
def count_in_cell(levels: Array, level: int, word: np.uint64) -> int:
    """Number of craters in a cell with a hash (Poisson, by inversion)."""
    share = float(np.int64(word >> np.uint64(12))) * 2.0**-52
    count = 0
    while count < _MOST and share >= levels[level, COUNT + count]:
        count += 1
    return count


@jit
def diameter_of(levels: Array, level: int, share: float) -> float:
    """Diameter, m, at a share of the level's population (0: the widest)."""
    place = share * _QUANTILES
    index = min(int(place), _QUANTILES - 1)
    low: float = levels[level, QUANTILE + index]
    high: float = levels[level, QUANTILE + index + 1]
    return low + (place - index) * (high - low)


@jit
def depth_of(levels: Array, level: int, age: float) -> float:
    """Depth over diameter at an age in [0, 1): diffusion fills a crater so that its inverse depth grows evenly."""
    fresh: float = 1.0 / levels[level, DEEPEST]
    old: float = 1.0 / levels[level, SHALLOWEST]
    return 1.0 / (fresh + age * (old - fresh))


@jit
def is_cleared(levels: Array, level: int, e: float, n: float, diameter: float) -> bool:
    """Whether a crater is left out because the site was chosen without it."""
    if diameter <= levels[level, CLEARED_DIAMETER]:
        return False
    limit: float = levels[level, CLEARED_RADIUS] + 0.5 * EJECTA_REACH * diameter
    return e * e + n * n < limit * limit


@jit
def crater_share(dem: Heights, dem_frame: Array, e: float, n: float, diameter: float, baseline: float) -> float:
    """Share of a crater with its centre at map coordinates, m, that shows at a baseline, m.

    A user's elevation model has the wider craters within it already.
    """
    share = crater_weight(diameter, baseline)
    if dem.shape[0] > 0 and diameter > dem_frame[DETAIL]:
        share *= 1.0 - dem_share(dem, dem_frame, e, n)[0]
    return share


@jit
def crater_relief(
    levels: Array, dem: Heights, dem_frame: Array, e: float, n: float, baseline: float
) -> tuple[float, float, float, float]:
    """Sum of all craters at map coordinates, m.

    Returns height, m, its derivatives by e and n, and freshness: up to 1 at the rim of the youngest craters.

    Parameters
    ----------
    baseline : m; craters below it fade out.
    dem, dem_frame : a user's elevation model, which has the wider craters within it already.
    """
    height, height_e, height_n, freshness = 0.0, 0.0, 0.0, 0.0
    for level in range(levels.shape[0]):
        if levels[level, LARGEST] <= CRATER_LOST * baseline:
            break
        cell, reach2 = levels[level, CELL], levels[level, REACH] ** 2
        key = np.uint64(levels[level, KEY])
        first_column, first_row = floor(e / cell - 0.5), floor(n / cell - 0.5)
        for column in range(first_column, first_column + 2):
            for row in range(first_row, first_row + 2):
                word = cell_hash(key, column, row)
                for index in range(count_in_cell(levels, level, word)):
                    place = nth_hash(word, index)
                    x = e - (column + uniform(place, 0)) * cell
                    y = n - (row + uniform(place, 1)) * cell
                    if x * x + y * y >= reach2:
                        continue
                    diameter = diameter_of(levels, level, uniform(place, 2))
                    if is_cleared(levels, level, e - x, n - y, diameter):
                        continue
                    weight = crater_share(dem, dem_frame, e - x, n - y, diameter, baseline)
                    if weight == 0.0:
                        continue
                    shape = crater_shape(levels, level, place, diameter)
                    h, h_e, h_n, fresh = crater_at(shape, diameter, x, y)
                    height += weight * h
                    height_e += weight * h_e
                    height_n += weight * h_n
                    freshness = max(freshness, weight * fresh)
    return height, height_e, height_n, freshness


@jit
def crater_shape(levels: Array, level: int, place: np.uint64, diameter: float) -> Shape:
    """What `crater_at` needs to know of a crater."""
    word, outline = mix(place ^ _SHAPE), mix(place + _SHAPE)
    age = uniform(word, 0)
    depth = depth_of(levels, level, age) * diameter
    lobe = levels[level, IRREGULARITY] / sqrt(2.0)
    return (
        depth,
        levels[level, RIM] * depth,
        _floor_share(diameter),
        max(0.0, 1.0 - age / _FRESH_AGE),
        lobe * (2.0 * uniform(outline, 0) - 1.0),
        lobe * (2.0 * uniform(outline, 1) - 1.0),
        lobe * (2.0 * uniform(outline, 2) - 1.0),
        lobe * (2.0 * uniform(word, 1) - 1.0),
    )


@jit
def crater_at(shape: Shape, diameter: float, x: float, y: float) -> tuple[float, float, float, float]:
    """Height, m, its derivatives, and freshness of a crater at (x, y), m, from its centre.

    The outline departs from a circle by two and by three lobes, of the sizes in the last four items of `shape`.
    """
    depth, rim, floor_share, youth, a, b, c, d = shape
    distance = sqrt(x * x + y * y)
    if distance < 1e-9 * diameter:
        return rim - depth, 0.0, 0.0, youth
    cx, cy = x / distance, y / distance
    cos2, sin2 = cx * cx - cy * cy, 2.0 * cx * cy
    cos3, sin3 = cx * (cos2 - 2.0 * cy * cy), cy * (3.0 * cx * cx - cy * cy)
    scale = 2.0 / diameter
    stretch = 1.0 + a * cos2 + b * sin2 + c * cos3 + d * sin3
    rho = distance * scale * stretch
    if rho >= EJECTA_REACH:
        return 0.0, 0.0, 0.0, 0.0
    height, slope = profile(rho, depth, rim, floor_share)
    along = slope * scale * stretch
    across = slope * scale * (2.0 * (b * cos2 - a * sin2) + 3.0 * (d * cos3 - c * sin3))
    halo = 1.0 if rho < 1.0 else ((EJECTA_REACH - rho) / (EJECTA_REACH - 1.0)) ** 2
    return height, along * cx - across * cy, along * cy + across * cx, youth * halo


@jit
def _floor_share(diameter: float) -> float:
    """Radius of the level floor over that of the rim: none in simple craters, growing from 10 km (estimate)."""
    return min(max((diameter - 1e4) / 2e4, 0.0), 0.6)


@jit
def list_craters(levels: Array, bounds: Array, smallest: float, found: Array) -> int:
    """Write (e, n, diameter, depth) of the craters with centres in bounds (e from, e to, n from, n to) into `found`.

    Returns their number, which may exceed the rows of `found`; only so many are written.
    """
    number = 0
    for level in range(levels.shape[0]):
        if levels[level, LARGEST] <= smallest:
            break
        cell, key = levels[level, CELL], np.uint64(levels[level, KEY])
        for column in range(floor(bounds[0] / cell), floor(bounds[1] / cell) + 1):
            for row in range(floor(bounds[2] / cell), floor(bounds[3] / cell) + 1):
                word = cell_hash(key, column, row)
                for index in range(count_in_cell(levels, level, word)):
                    place = nth_hash(word, index)
                    e, n = (column + uniform(place, 0)) * cell, (row + uniform(place, 1)) * cell
                    diameter = diameter_of(levels, level, uniform(place, 2))
                    outside = e < bounds[0] or e >= bounds[1] or n < bounds[2] or n >= bounds[3]
                    if outside or diameter < smallest or is_cleared(levels, level, e, n, diameter):
                        continue
                    if number < found.shape[0]:
                        age = uniform(mix(place ^ _SHAPE), 0)
                        found[number, 0], found[number, 1], found[number, 2] = e, n, diameter
                        found[number, 3] = depth_of(levels, level, age) * diameter
                    number += 1
    return number
