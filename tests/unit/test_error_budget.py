"""The error budget: its parts add up, its figures are those of closed forms, and the page shows them."""

from __future__ import annotations

from math import radians, sin
from pathlib import Path

import numpy as np
import pytest
from tests.unit.test_navigation_consistency import RELIEF_SHARE

from lander_common.mission import Mission, resolve
from lander_common.onboard_map import OnboardMap
from lander_tools.error_budget import COLUMNS, Budget, budget, table
from lander_tools.make_map import make_map

ALONG, ACROSS = 0, 1
DELTA_V_M_S, BURN_S = 1850.0, 700.0
PAGE = Path(__file__).parents[2] / "docs" / "error-budget.md"


@pytest.fixture(scope="module")
def mission() -> Mission:
    return resolve("nominal", 1, {"map": "nominal"})


@pytest.fixture(scope="module")
def onboard_map(mission: Mission) -> OnboardMap:
    return make_map(mission)


@pytest.fixture(scope="module")
def inertial(mission: Mission, onboard_map: OnboardMap) -> Budget:
    return budget(mission, onboard_map, ranges=False)


@pytest.fixture(scope="module")
def ranged(mission: Mission, onboard_map: OnboardMap) -> Budget:
    return budget(mission, onboard_map, ranges=True)


def sigma(of: Budget, source: str, column: int) -> float:
    return float(of.sigmas[of.names.index(source), column])


@pytest.mark.parametrize("which", ["inertial", "ranged"])
def test_the_sources_add_up_to_the_covariance_of_the_filter(which: str, request: pytest.FixtureRequest) -> None:
    found: Budget = request.getfixturevalue(which)
    np.testing.assert_allclose(np.sqrt((found.sigmas**2).sum(axis=0)), found.total, rtol=1e-4)


def test_inertial_errors_are_those_of_closed_forms(inertial: Budget) -> None:
    assert sigma(inertial, "initial attitude", ACROSS) == pytest.approx(radians(0.003) * DELTA_V_M_S, rel=0.2)
    assert sigma(inertial, "accelerometer scale factor", ALONG) == pytest.approx(1e-4 * DELTA_V_M_S, rel=0.25)
    schuler = 9.66e-4  # rad/s, sqrt(GM/r^3)
    assert sigma(inertial, "initial position", ACROSS) == pytest.approx(
        300.0 * schuler * sin(schuler * BURN_S), rel=0.2
    )


def test_ranges_over_the_map_leave_room_for_success(inertial: Budget, ranged: Budget) -> None:
    assert np.all(ranged.total < inertial.total)
    assert float(np.max(ranged.total[[ALONG, ACROSS]])) < 0.15


def test_relief_that_no_plane_holds_is_a_fifteenth_of_the_variance_of_innovations(ranged: Budget) -> None:
    """What the consistency of innovations may lack, because the filter states that relief over twice the uncertainty."""
    share = ranged.shares[ranged.names.index("relief within the uncertainty")]
    assert share == pytest.approx(RELIEF_SHARE, rel=0.1)
    assert 0.0 < ranged.shares.sum() < 1.0


def test_the_page_shows_what_is_computed(inertial: Budget, ranged: Budget) -> None:
    lines = PAGE.read_text().splitlines()
    for line in table(inertial, ranged).splitlines()[2:]:
        name, *cells = (cell.strip() for cell in line.strip("|").split("|"))
        shown = next(row for row in lines if row.startswith(f"| {name} |") and row.count(" / ") == len(COLUMNS))
        for cell, on_page in zip(cells, shown.strip("|").split("|")[1:], strict=True):
            values, expected = ([float(part) for part in text.split("/")] for text in (cell, on_page))
            assert values == pytest.approx(expected, rel=0.1, abs=2e-3), name
