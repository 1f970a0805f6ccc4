"""Rocks on the surface: how many, and where, near a place. They are a hazard beside the heights, not part of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import exp, floor, pi

import numpy as np
from numpy.typing import NDArray

from lander_terrain.hashing import cell_hash, nth_hash, uniform
from lander_terrain.jit import jit
from lander_terrain.parameters import Rocks
from lander_terrain.surface import TerrainData, relief

Array = NDArray[np.float64]
_CELL_M = 4.0
_QUANTILES = 256


@dataclass(frozen=True)
class RockField:
    """Rocks whose cumulative share of the area falls exponentially with their diameter (Golombek and Rapp 1997)."""

    parameters: Rocks
    key: int

    def area_share(self, diameter_m: float) -> float:
        """Share of the area under rocks of a diameter, m, and more."""
        return self.parameters.coverage * exp(-self.parameters.decay_per_m * diameter_m)

    def density(self, diameter_m: float) -> float:
        """Number per m2 of rocks wider than a diameter, m, and not wider than the largest, away from fresh craters.

        The integral of the area share's density over the area of one rock: 4 k q / pi times that of exp(-q x) / x^2.
        """
        return self._beyond(diameter_m) - self._beyond(self.parameters.largest_m)

    def within(self, data: TerrainData, bounds_m: tuple[float, float, float, float]) -> Array:
        """Rocks with centres in bounds (e from, e to, n from, n to), m: rows of e, n, diameter."""
        rows: list[tuple[float, float, float]] = _rocks(
            data,
            np.uint64(self.key),
            self.density(self.parameters.smallest_m),
            self.parameters.ejecta_factor,
            self._diameters,
            np.array(bounds_m, float),
        )
        return np.array(rows).reshape(-1, 3)

    def _beyond(self, diameter: float) -> float:
        from scipy.special import exp1

        q = self.parameters.decay_per_m
        integral = exp(-q * diameter) / diameter - q * float(exp1(q * diameter))
        return float(4.0 * self.parameters.coverage * q / pi * integral)

    @cached_property
    def _diameters(self) -> Array:
        """Diameters, m, at equal steps of probability, smallest first."""
        fine = np.geomspace(self.parameters.smallest_m, self.parameters.largest_m, 2000)
        share = 1.0 - np.array([self.density(d) for d in fine]) / self.density(self.parameters.smallest_m)
        return np.asarray(np.interp(np.linspace(0.0, 1.0, _QUANTILES + 1), share, fine))


@jit
def _rocks(
    data: TerrainData,
    key: np.uint64,
    density: float,
    ejecta_factor: float,
    diameters: Array,
    bounds: Array,
) -> list[tuple[float, float, float]]:
    found = [(0.0, 0.0, 0.0) for _ in range(0)]
    for column in range(floor(bounds[0] / _CELL_M), floor(bounds[1] / _CELL_M) + 1):
        for row in range(floor(bounds[2] / _CELL_M), floor(bounds[3] / _CELL_M) + 1):
            freshness = relief(data, (column + 0.5) * _CELL_M, (row + 0.5) * _CELL_M, 0.0)[3]
            mean = density * _CELL_M * _CELL_M * (1.0 + (ejecta_factor - 1.0) * freshness)
            word = cell_hash(key, column, row)
            for index in range(_poisson(mean, uniform(word, 0))):
                place = nth_hash(word, index)
                e, n = (column + uniform(place, 0)) * _CELL_M, (row + uniform(place, 1)) * _CELL_M
                if bounds[0] <= e < bounds[1] and bounds[2] <= n < bounds[3]:
                    found.append((e, n, _interpolated(diameters, uniform(place, 2))))
    return found


@jit
def _poisson(mean: float, share: float) -> int:
    """Poisson number by inversion."""
    count, term = 0, exp(-mean)
    total = term
    while share >= total and term > 1e-18:
        count += 1
        term *= mean / count
        total += term
    return count


@jit
def _interpolated(table: Array, share: float) -> float:
    place: float = share * (table.shape[0] - 1)
    index: int = min(int(place), table.shape[0] - 2)
    low: float = table[index]
    high: float = table[index + 1]
    return low + (place - index) * (high - low)
