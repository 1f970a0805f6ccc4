"""Hashes, gradient noise and its statistics."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from scipy.stats import chisquare, kstest

from lander_terrain.hashing import cell_hash, nth_hash, uniform
from lander_terrain.noise import gradient_noise, octave_sum, octave_table, structure_function

Array = NDArray[np.float64]
KEY = np.uint64(20250605)
PLACE = st.floats(-1e5, 1e5)


@njit
def _cell_numbers(size: int, field: int) -> Array:
    numbers = np.empty((size, size))
    for i in range(size):
        for j in range(size):
            numbers[i, j] = uniform(nth_hash(cell_hash(KEY, i - size // 2, j - size // 2), 0), field)
    return numbers


def _noise(x: Array, y: Array) -> Array:
    return np.array([gradient_noise(KEY, float(a), float(b))[0] for a, b in zip(x, y, strict=True)])


@pytest.mark.parametrize("field", [0, 1, 2])
def test_numbers_of_neighbouring_cells_are_uniform(field: int) -> None:
    counts, _ = np.histogram(_cell_numbers(100, field), 100, (0.0, 1.0))
    assert chisquare(counts).pvalue > 1e-3


def test_numbers_of_neighbouring_cells_do_not_correlate() -> None:
    numbers = _cell_numbers(100, 0) - 0.5
    for shift, axis in ((1, 0), (1, 1), (2, 0), (2, 1)):
        correlation = np.mean(numbers * np.roll(numbers, shift, axis)) * 12.0
        assert abs(correlation) < 4.0 / 100.0  # four sigma of 10^4 products


def test_noise_has_unit_variance_and_no_mean() -> None:
    x, y = np.random.default_rng(1).uniform(-1e4, 1e4, (2, 40_000))
    values = _noise(x, y)
    assert np.mean(values) == pytest.approx(0.0, abs=4.0 / 200.0)
    assert np.var(values) == pytest.approx(1.0, rel=0.05)


@given(PLACE, PLACE)
def test_derivatives_of_noise_are_those_of_its_values(x: float, y: float) -> None:
    step = 1e-5
    _, dx, dy = gradient_noise(KEY, x, y)
    assert dx == pytest.approx(
        (gradient_noise(KEY, x + step, y)[0] - gradient_noise(KEY, x - step, y)[0]) / (2 * step), abs=1e-4
    )
    assert dy == pytest.approx(
        (gradient_noise(KEY, x, y + step)[0] - gradient_noise(KEY, x, y - step)[0]) / (2 * step), abs=1e-4
    )


@given(st.integers(-1000, 1000), st.floats(-1000, 1000))
def test_value_and_slope_do_not_jump_between_cells(edge: int, along: float) -> None:
    before, after = np.array(gradient_noise(KEY, edge - 1e-9, along)), np.array(gradient_noise(KEY, edge + 1e-9, along))
    np.testing.assert_allclose(before, after, atol=1e-6)
    before, after = np.array(gradient_noise(KEY, along, edge - 1e-9)), np.array(gradient_noise(KEY, along, edge + 1e-9))
    np.testing.assert_allclose(before, after, atol=1e-6)


def test_structure_function_predicts_the_measured_height_differences() -> None:
    lattices = 64.0 * 0.5 ** np.arange(6)
    amplitudes = lattices**0.75
    lags = np.array([1.0, 4.0, 16.0, 64.0, 300.0])
    random = np.random.default_rng(7)
    squares = np.zeros(len(lags))
    for _ in range(8):
        table = octave_table(lattices, amplitudes, random)
        e, n = random.uniform(-1e5, 1e5, (2, 1500))
        turn = random.uniform(0.0, 2.0 * np.pi, 1500)
        for k, lag in enumerate(lags):
            ends = zip(e, n, e + lag * np.cos(turn), n + lag * np.sin(turn), strict=True)
            steps = [
                octave_sum(table, 0, 6, c, d, 0.0)[0] - octave_sum(table, 0, 6, a, b, 0.0)[0] for a, b, c, d in ends
            ]
            squares[k] += np.mean(np.square(steps)) / 8.0
    np.testing.assert_allclose(squares, structure_function(lags, lattices, amplitudes), rtol=0.06)


def test_structure_function_of_many_octaves_is_a_power_law_with_the_hurst_exponent() -> None:
    lattices = 2.0 ** np.arange(-10, 40)[::-1]  # lags far from both ends: the exponent is that of an endless sum
    lags = np.geomspace(1.0, 100.0, 30)
    squares = structure_function(lags, lattices, lattices**0.75)
    slope, _ = np.polyfit(np.log(lags), 0.5 * np.log(squares), 1)
    assert slope == pytest.approx(0.75, abs=0.005)


def test_noise_has_no_preferred_direction() -> None:
    turns = np.linspace(0.0, np.pi, 8, endpoint=False)
    random = np.random.default_rng(3)
    table = octave_table(0.5 ** np.arange(8), np.ones(8), random)
    e, n = random.uniform(-1e4, 1e4, (2, 3000))
    spread = []
    for turn in turns:
        ends = zip(e, n, e + 0.3 * np.cos(turn), n + 0.3 * np.sin(turn), strict=True)
        steps = [octave_sum(table, 0, 8, c, d, 0.0)[0] - octave_sum(table, 0, 8, a, b, 0.0)[0] for a, b, c, d in ends]
        spread.append(np.std(steps))
    assert max(spread) / min(spread) < 1.1


def test_heights_of_a_sum_of_octaves_are_nearly_normal() -> None:
    random = np.random.default_rng(11)
    table = octave_table(0.5 ** np.arange(8), np.ones(8) / np.sqrt(8.0), random)
    heights = [octave_sum(table, 0, 8, *random.uniform(-1e4, 1e4, 2), 0.0)[0] for _ in range(4000)]
    assert kstest(heights, "norm").statistic < 0.03
