"""Rocks against the law of their area."""

from __future__ import annotations

import numpy as np
import pytest
from scipy.integrate import quad
from scipy.stats import chi2
from terrain_samples import mare, only, part

from lander_terrain.parameters import Rocks
from lander_terrain.rocks import RockField

ROCKS = part("rocks", ejecta_factor=1.0)
FIELD = RockField(Rocks.model_validate(ROCKS), 1)


def test_density_integrates_to_the_law_of_the_area() -> None:
    # share of the area under rocks between two diameters, from their number
    def share(diameter: float) -> float:
        step = 1e-5
        density = (FIELD.density(diameter - step) - FIELD.density(diameter + step)) / (2.0 * step)
        return density * np.pi / 4.0 * diameter**2

    assert quad(share, 0.2, 1.5)[0] == pytest.approx(FIELD.area_share(0.2) - FIELD.area_share(1.5), rel=1e-6)


def test_counts_follow_the_law() -> None:
    terrain = only(rocks=ROCKS)
    side, edges = 150.0, [0.1, 0.15, 0.25, 0.5, 5.0]
    found = terrain.rocks((0.0, side, -side, 0.0))
    counts = np.histogram(found[:, 2], edges)[0]
    expected = -np.diff([FIELD.density(edge) for edge in edges]) * side**2
    misfit = np.sum((counts - expected) ** 2 / expected)
    assert chi2(len(counts)).ppf(0.001) < misfit < chi2(len(counts)).ppf(0.999)


def test_rocks_are_the_same_whoever_asks_for_which_part() -> None:
    whole = mare(1).rocks((-10.0, 10.0, -10.0, 10.0))
    part_ = mare(1).rocks((-3.0, 6.0, 1.0, 9.0))
    inside = (whole[:, 0] >= -3.0) & (whole[:, 0] < 6.0) & (whole[:, 1] >= 1.0) & (whole[:, 1] < 9.0)
    assert len(part_) > 3
    np.testing.assert_array_equal(whole[inside], part_)


def test_there_are_no_rocks_where_the_file_has_none() -> None:
    assert only().rocks((0.0, 100.0, 0.0, 100.0)).shape == (0, 3)
