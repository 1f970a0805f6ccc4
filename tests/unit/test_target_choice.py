"""Where to aim: the risk of the ground by a grid of heights, and the choice on the onboard map."""

from __future__ import annotations

from math import exp, radians, tan
from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.aiming import safest_place
from lander_common.landing_risk import Planes, footprint_planes, over_ellipse, slope_risk
from lander_common.mission import Mission, resolve
from lander_common.mission_map import MapParameters, TargetChoice, Zone, mission_map, mission_target
from lander_common.onboard_map import MapGrid, OnboardMap
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain
from lander_tools.make_map import ensure_map

Array = np.ndarray
PAD_RADIUS_M = 1.3
slopes = st.floats(-0.5, 0.5)


def zone(spacing_m: float = 2.0) -> Zone:
    return Zone(
        spacing_m=spacing_m, before_m=300.0, beyond_m=300.0, half_width_m=300.0, height_sigma_m=0.5, correlation_m=300.0,
        detail_m=0.1,
    )  # fmt: skip


def level(slope_east: float = 0.0, slope_north: float = 0.0, residual_m: float = 0.0) -> Planes:
    return Planes(*(np.array([[value]]) for value in (slope_east, slope_north, residual_m)))


@given(east=slopes, north=slopes, offset=st.floats(-3000.0, 3000.0))
def test_the_plane_under_a_footprint_on_a_plane_is_that_plane(east: float, north: float, offset: float) -> None:
    n, e = np.mgrid[0:9, 0:9] * 2.0
    found = footprint_planes(offset + east * e + north * n, 2.0, PAD_RADIUS_M)
    assert found.east[4, 4] == pytest.approx(east, abs=1e-9)
    assert found.north[4, 4] == pytest.approx(north, abs=1e-9)
    assert found.residual_m[4, 4] == pytest.approx(0.0, abs=1e-5)


def test_it_is_the_least_squares_plane_of_the_samples_in_the_window() -> None:
    heights = np.random.default_rng(3).standard_normal((11, 11))
    found = footprint_planes(heights, 0.5, PAD_RADIUS_M)
    n, e = np.mgrid[-2:3, -2:3] * 0.5
    inside = np.hypot(e, n) <= PAD_RADIUS_M
    design = np.column_stack([e[inside], n[inside], np.ones(inside.sum())])
    seen = heights[3:8, 3:8][inside]
    solution, *_ = np.linalg.lstsq(design, seen, rcond=None)
    assert [found.east[5, 5], found.north[5, 5]] == pytest.approx(solution[:2])
    assert found.residual_m[5, 5] == pytest.approx(np.sqrt(np.mean((seen - design @ solution) ** 2)))


def test_on_level_ground_the_risk_is_that_of_rayleighs_distribution() -> None:
    sigma = 0.1 / (np.sqrt(2.0) * PAD_RADIUS_M)
    expected = exp(-(tan(radians(8.0)) ** 2) / (2.0 * sigma**2))
    assert slope_risk(level(), PAD_RADIUS_M, 0.1, 8.0)[0, 0] == pytest.approx(expected)


def test_the_risk_is_the_share_of_pads_set_down_on_rough_ground_that_lean_too_far() -> None:
    random, r = np.random.default_rng(5), PAD_RADIUS_M
    pads = np.array([[r, 0.0], [0.0, r], [-r, 0.0], [0.0, -r]])
    heights = 0.08 * pads[:, 0] + np.hypot(0.06, 0.08) * random.standard_normal((200_000, 4))
    east, north = (heights @ pads[:, k] / (2.0 * r**2) for k in (0, 1))
    share = np.mean(np.hypot(east, north) > tan(radians(8.0)))
    risk = slope_risk(level(0.08, 0.0, residual_m=0.08), r, 0.06, 8.0)[0, 0]
    assert risk == pytest.approx(share, rel=0.02)


def test_the_risk_of_aiming_is_the_chance_of_coming_down_on_the_hazard() -> None:
    """A single bad cell of 1 m2: the normal density of the landing at its distance."""
    hazard = np.zeros((161, 161))
    hazard[80, 80] = 1.0
    aiming = over_ellipse(hazard, 18.0, 1.0)
    for distance in (0, 10, 25):
        density = exp(-(distance**2) / (2.0 * 18.0**2)) / (2.0 * np.pi * 18.0**2)
        assert aiming[80, 80 + distance] == pytest.approx(density, rel=0.02)


@given(east=st.floats(-60.0, 60.0), north=st.floats(-60.0, 60.0))
def test_the_one_clearing_in_a_field_of_craters_is_found(east: float, north: float) -> None:
    line = np.arange(-160.0, 160.1, 2.0)
    e, n = np.meshgrid(line, line)
    rough = np.sin(e / 2.0) * np.sin(n / 2.0) * np.clip(np.hypot(e - east, n - north) - 30.0, 0.0, 1.0)
    onboard_map = OnboardMap.from_grids([MapGrid(rough.astype(np.float32), 2.0, -160.0, -160.0, 0.5, 300.0, 15.0)])
    choice = TargetChoice(within_m=100.0, miss_sigma_m=12.0, slope_deg=8.0)
    found = safest_place(onboard_map, zone(), choice, PAD_RADIUS_M)
    assert np.hypot(found[0] - east, found[1] - north) < 4.0


def mission(choice: str = "nominal") -> Mission:
    return resolve("nominal", 1, {"map": choice})


def true_risk(terrain: Terrain, place: tuple[float, float, float], sigma_m: float) -> float:
    """Share of true ground around a place that is steeper than 10 deg over the footprint."""
    random = np.random.default_rng(11)
    e, n = random.normal(0.0, sigma_m, (2, 20_000)) + [[place[0]], [place[1]]]
    return float(np.mean(terrain.slopes_deg(e, n, 2.0 * PAD_RADIUS_M) > 10.0))


def test_the_chosen_target_is_safer_on_the_true_ground_than_the_centre_of_the_zone() -> None:
    """The terrain judges here; the choice knew the map alone."""
    of = mission()
    ensure_map(of)
    terrain = Terrain.build(of.part("terrain", TerrainParameters), of.site, of.site.ground_seed)
    choice = of.part("map", MapParameters).target
    assert choice is not None
    chosen, centre = (true_risk(terrain, place, choice.miss_sigma_m) for place in (mission_target(of), (0.0, 0.0, 0.0)))
    assert chosen < 0.5 * centre
    assert np.hypot(*mission_target(of)[:2]) <= choice.within_m


def test_the_target_is_read_from_the_map_and_a_flat_map_leaves_it_at_the_centre(tmp_path: Path) -> None:
    ensure_map(mission())
    assert mission_target(mission()) == mission_map(mission()).target != (0.0, 0.0, 0.0)
    assert mission_target(mission("flat")) == (0.0, 0.0, 0.0)
