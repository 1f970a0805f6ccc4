"""Gradient noise: a smooth random surface with one scale, from which fractal relief and ridges are summed."""

from __future__ import annotations

from math import floor, sqrt

import numpy as np
from numpy.polynomial import Polynomial
from numpy.typing import NDArray

from lander_terrain.bands import NOISE_LOST, noise_weight
from lander_terrain.hashing import cell_hash
from lander_terrain.jit import jit

Array = NDArray[np.float64]
Vector = tuple[float, float]
NoiseCell = tuple[Vector, Vector, Vector, Vector]
_SHIFT_33, _MASK_31 = np.uint64(33), np.uint64((1 << 31) - 1)
_UNIT_30 = 2.0**-30

# Columns of a table of octaves; every octave has its own lattice, turned and shifted against the others. Cosine and
# sine of the turn are over the lattice spacing.
LATTICE, AMPLITUDE, COSINE, SINE, SHIFT_E, SHIFT_N, KEY = range(7)

_FADE = Polynomial([0.0, 0.0, 0.0, 10.0, -15.0, 6.0])  # Perlin (2002): first and second derivative vanish at 0 and 1


def _unit_variance_factor() -> float:
    """Factor that gives the noise unit variance, averaged over a cell: an integral of polynomials, done exactly."""
    weight = (1.0 - _FADE) ** 2
    moments = [float((weight * Polynomial([0.0] * k + [1.0])).integ()(1.0)) for k in (0, 2)]
    gradient_variance = 1.0 / 3.0  # of a component uniform in [-1, 1]
    return 1.0 / sqrt(8.0 * moments[0] * moments[1] * gradient_variance)


_FACTOR = _unit_variance_factor()


@jit
def _gradient(key: np.uint64, column: int, row: int) -> tuple[float, float]:
    word = cell_hash(key, column, row)
    return float(np.int64(word >> _SHIFT_33)) * _UNIT_30 - 1.0, float(np.int64(word & _MASK_31)) * _UNIT_30 - 1.0


@jit
def noise_cell(key: np.uint64, column: int, row: int) -> NoiseCell:
    """Gradients at the four corners of a cell."""
    return (
        _gradient(key, column, row),
        _gradient(key, column + 1, row),
        _gradient(key, column, row + 1),
        _gradient(key, column + 1, row + 1),
    )


@jit
def in_cell(cell: NoiseCell, u: float, v: float) -> tuple[float, float, float]:
    """Noise and its derivatives at (u, v), both in [0, 1), of a cell."""
    (ax, ay), (bx, by), (cx, cy), (dx, dy) = cell
    a = ax * u + ay * v
    b = bx * (u - 1.0) + by * v
    c = cx * u + cy * (v - 1.0)
    d = dx * (u - 1.0) + dy * (v - 1.0)
    fu, fv = u * u * u * (u * (u * 6.0 - 15.0) + 10.0), v * v * v * (v * (v * 6.0 - 15.0) + 10.0)
    gu, gv = 30.0 * u * u * (u - 1.0) * (u - 1.0), 30.0 * v * v * (v - 1.0) * (v - 1.0)
    ab, cd = a + fu * (b - a), c + fu * (d - c)
    abx, cdx = ax + fu * (bx - ax) + gu * (b - a), cx + fu * (dx - cx) + gu * (d - c)
    aby, cdy = ay + fu * (by - ay), cy + fu * (dy - cy)
    return (
        _FACTOR * (ab + fv * (cd - ab)),
        _FACTOR * (abx + fv * (cdx - abx)),
        _FACTOR * (aby + fv * (cdy - aby) + gv * (cd - ab)),
    )


@jit
def gradient_noise(key: np.uint64, x: float, y: float) -> tuple[float, float, float]:
    """Noise of unit variance on the unit lattice with its derivatives (value, d/dx, d/dy); twice differentiable.

    Perlin (2002) with gradients uniform in a square instead of a few fixed directions.
    """
    column, row = floor(x), floor(y)
    return in_cell(noise_cell(key, column, row), x - column, y - row)


@jit
def octave_noise(octaves: Array, index: int, e: float, n: float) -> tuple[float, float, float]:
    """Noise of row `index` of a table of octaves at map coordinates, m: value (unit variance) and derivatives, 1/m."""
    c, s = octaves[index, COSINE], octaves[index, SINE]
    x = c * e + s * n + octaves[index, SHIFT_E]
    y = c * n - s * e + octaves[index, SHIFT_N]
    value, dx, dy = gradient_noise(np.uint64(np.int64(octaves[index, KEY])), x, y)
    return value, c * dx - s * dy, s * dx + c * dy


@jit
def octave_sum(octaves: Array, first: int, end: int, e: float, n: float, baseline: float) -> tuple[float, float, float]:
    """Sum of rows [first, end) of a table, coarsest first, without those below a baseline, m: value and derivatives."""
    total, total_e, total_n = 0.0, 0.0, 0.0
    for index in range(first, end):
        lattice = octaves[index, LATTICE]
        if lattice <= NOISE_LOST * baseline:
            break
        size = octaves[index, AMPLITUDE] * noise_weight(lattice, baseline)
        value, value_e, value_n = octave_noise(octaves, index, e, n)
        total += size * value
        total_e += size * value_e
        total_n += size * value_n
    return total, total_e, total_n


def octave_table(lattices: Array, amplitudes: Array, random: np.random.Generator) -> Array:
    """Table of octaves with random turn, shift and key for each; shape (octaves, 7).

    Parameters
    ----------
    lattices : spacings, m.
    amplitudes : root mean square of each octave (any unit).
    random : the stream to draw from.
    """
    table = np.empty((len(lattices), 7))
    for row, lattice, amplitude in zip(table, lattices, amplitudes, strict=True):
        turn = random.uniform(0.0, 2.0 * np.pi)
        waves = (np.cos(turn) / lattice, np.sin(turn) / lattice)
        row[:] = (lattice, amplitude, *waves, *random.uniform(0.0, 1e3, 2), random.integers(2**52))
    return table


def structure_function(lags: Array, lattices: Array, amplitudes: Array) -> Array:
    """Mean square height difference over the given lags, m, of a sum of octaves, averaged over place and direction.

    Computed from the definition of the noise: the corners that two points share carry their covariance.
    """
    return np.asarray(2.0 * _decorrelation(np.outer(lags, 1.0 / lattices)) @ (amplitudes**2))


def _decorrelation(ratios: Array) -> Array:
    """One minus the correlation of the noise over lags in units of the lattice spacing."""
    known = np.linspace(0.025, 3.0, 120)  # from 2 sqrt(2) on, two points share no corner
    curvature = np.interp(ratios, known, _decorrelation_at(known) / known**2)  # level towards 0: right for short lags
    return np.where(ratios < known[-1], curvature * ratios**2, 1.0)


def _decorrelation_at(lags: Array) -> Array:
    places = (np.arange(12) + 0.5) / 12.0
    u, v = (grid.ravel() for grid in np.meshgrid(places, places))
    turns = (np.arange(24) + 0.5) * np.pi / 24.0
    lags = np.concatenate(([0.0], lags))
    covariance = np.zeros(len(lags))
    for turn in turns:
        dx, dy = np.outer(lags, np.full(len(u), np.cos(turn))), np.outer(lags, np.full(len(u), np.sin(turn)))
        covariance += _covariance(u, v, dx, dy).mean(axis=1)
    return np.asarray(1.0 - covariance[1:] / covariance[0])


def _covariance(u: Array, v: Array, dx: Array, dy: Array) -> Array:
    """Covariance of the noise at (u, v) of cell (0, 0) with that at (u + dx, v + dy), up to a factor."""
    total = np.zeros_like(dx)
    for i in (0, 1):
        for j in (0, 1):
            near = _weight(u - i) * _weight(v - j)
            far = _weight(u + dx - i) * _weight(v + dy - j)
            total += near * far * ((u - i) * (u + dx - i) + (v - j) * (v + dy - j))
    return total


def _weight(offset: Array) -> Array:
    return np.array(np.where(np.abs(offset) < 1.0, 1.0 - _FADE(np.abs(offset)), 0.0))
