"""Nested grids against the surface that they sample."""

from __future__ import annotations

import numpy as np
import pytest
from terrain_samples import mare

from lander_terrain.clipmap import Clipmap, clipmap_height, level_height, margin

DATA = mare(1).data


def _clipmap() -> Clipmap:
    return Clipmap(DATA, finest_m=2.0, levels=5, blocks=4)


def test_samples_are_the_smoothed_heights_of_the_terrain() -> None:
    clipmap = _clipmap()
    clipmap.centre_on(-3e4, 2e4, (0, 3))
    for level, spacing in ((0, 2.0), (3, 16.0)):
        e, n = spacing * np.round(-3e4 / spacing), spacing * np.round(2e4 / spacing)
        for _ in range(50):
            e += spacing
            expected = mare(1).heights(np.array([e]), np.array([n]), 2.0 * spacing)[0]
            assert level_height(clipmap.data, level, e, n)[0] == pytest.approx(expected, abs=1e-4)  # float32


def test_between_samples_heights_are_near_those_of_the_terrain() -> None:
    clipmap = _clipmap()
    clipmap.centre_on(0.0, 0.0, range(5))
    e, n = np.random.default_rng(1).uniform(-70.0, 70.0, (2, 500))
    found = np.array([clipmap_height(clipmap.data, x, y, 2.0)[0] for x, y in zip(e, n, strict=True)])
    assert np.std(found - mare(1).heights(e, n, 4.0)) < 0.02


def test_the_way_by_which_the_window_came_does_not_matter() -> None:
    travelled, direct = _clipmap(), _clipmap()
    for step in range(12):
        travelled.centre_on(-5e3 + 250.0 * step, 700.0 - 90.0 * step, (1, 2))
    last = -5e3 + 250.0 * 11, 700.0 - 90.0 * 11
    direct.centre_on(*last, (1, 2))
    np.testing.assert_array_equal(travelled.data.corners, direct.data.corners)
    np.testing.assert_array_equal(travelled.data.heights, direct.data.heights)


def test_only_new_blocks_are_computed() -> None:
    clipmap = _clipmap()
    assert clipmap.centre_on(10.0, 10.0, (0,)) == 16
    assert clipmap.centre_on(11.0, 10.0, (0,)) == 0
    assert clipmap.centre_on(10.0 + 128.0, 10.0, (0,)) == 4  # one column of blocks of 64 samples at 2 m


def test_heights_do_not_step_where_levels_change() -> None:
    clipmap = _clipmap()
    clipmap.centre_on(0.0, 0.0, range(5))
    e = np.arange(-1500.0, 1500.0, 0.25)
    for footprint in (2.0, 5.0):
        heights = np.array([clipmap_height(clipmap.data, x, 5.0, footprint)[0] for x in e])
        assert np.isfinite(heights).all()
        assert np.max(np.abs(np.diff(heights))) < 0.75 * 0.25
    footprints = np.geomspace(1.0, 30.0, 4000)
    heights = np.array([clipmap_height(clipmap.data, 3.3, 4.4, footprint)[0] for footprint in footprints])
    assert np.max(np.abs(np.diff(heights))) < 0.01


def test_derivatives_are_those_of_the_interpolated_heights() -> None:
    clipmap = _clipmap()
    clipmap.centre_on(0.0, 0.0, range(5))
    for e, n in np.random.default_rng(2).uniform(-40.0, 40.0, (100, 2)):
        _, height_e, height_n = clipmap_height(clipmap.data, e, n, 3.0)
        step = 1e-5
        east = [clipmap_height(clipmap.data, e + d, n, 3.0)[0] for d in (-step, step)]
        north = [clipmap_height(clipmap.data, e, n + d, 3.0)[0] for d in (-step, step)]
        assert height_e == pytest.approx((east[1] - east[0]) / (2 * step), abs=1e-5)
        assert height_n == pytest.approx((north[1] - north[0]) / (2 * step), abs=1e-5)


def test_places_that_no_level_covers_have_no_height() -> None:
    clipmap = _clipmap()
    assert np.isnan(clipmap_height(clipmap.data, 0.0, 0.0, 2.0)[0])
    clipmap.centre_on(0.0, 0.0, (1,))
    assert margin(clipmap.data, 1, 100.0, 100.0) == 127.0 - 25.0  # samples of 4 m, the last one at 127
    assert margin(clipmap.data, 0, 100.0, 100.0) < 0.0
    assert margin(clipmap.data, 1, 1000.0, 100.0) < 0.0
    assert np.isfinite(clipmap_height(clipmap.data, 100.0, 100.0, 2.0)[0])
    assert np.isnan(clipmap_height(clipmap.data, 1000.0, 100.0, 2.0)[0])


def test_blocks_must_be_a_power_of_two() -> None:
    with pytest.raises(ValueError, match="power of two"):
        Clipmap(DATA, 1.0, 2, 6)
