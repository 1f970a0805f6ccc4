"""The surface as a whole: statistics, smoothness, determinism, levels of detail, features."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from terrain_samples import SITE, flat, mare, only, parameters, part

from lander_common.frames import SiteFrame
from lander_terrain import Terrain, height_at, height_smooth, site_to_map
from lander_terrain.surface import altitude_and_normal_site, relief

Array = NDArray[np.float64]
SEEDS = range(1, 5)
PLACE = st.floats(-6e5, 6e5)

CRATER = {
    "kind": "crater",
    "name": "rim",
    "east_m": 1000.0,
    "north_m": -40_000.0,
    "diameter_m": 40_000.0,
    "depth_m": 3000.0,
    "rim_height_m": 500.0,
    "wall_width_m": 6000.0,
}
SCARP = {
    "kind": "scarp",
    "name": "step",
    "east_m": 0.0,
    "north_m": -30_000.0,
    "azimuth_deg": 10.0,
    "step_m": 3000.0,
    "width_m": 5000.0,
    "length_m": 200_000.0,
}


def _places(seed: int, number: int) -> tuple[Array, Array]:
    e, n = np.random.default_rng(seed).uniform(-2.5e5, 2.5e5, (2, number))
    return e, n


def _slopes(baseline_m: float) -> Array:
    return np.concatenate([mare(seed).slopes_deg(*_places(seed, 5000), baseline_m) for seed in SEEDS])


@pytest.mark.parametrize(
    ("baseline_m", "median_deg", "within"),
    [
        (17.0, 2.0, 0.2),  # lunar maria (Rosenburg et al. 2011)
        (57.0, 2.0 * (57 / 17) ** -0.25, 0.2),  # and what a Hurst exponent of 0.75 makes of it
        (225.0, 2.0 * (225 / 17) ** -0.25, 0.2),
        (560.0, 2.0 * (560 / 17) ** -0.25, 0.2),
    ],
)
def test_median_slopes_are_those_of_lunar_maria(baseline_m: float, median_deg: float, within: float) -> None:
    assert np.median(_slopes(baseline_m)) == pytest.approx(median_deg, abs=within)


def test_most_of_the_area_is_as_level_as_measured_mare_regions() -> None:
    assert np.mean(_slopes(30.0) < 5.0) == pytest.approx(0.80, abs=0.07)  # Chang'e 3 region
    assert np.mean(_slopes(30.0) < 3.0) == pytest.approx(0.75, abs=0.07)  # Mons Ruemker plateau, at 30 m


def test_structure_function_has_the_hurst_exponent_of_maria() -> None:
    lags = 17.0 * 2.0 ** np.arange(8)
    deviations = []
    for lag in lags:
        steps = []
        for seed in SEEDS:
            e, n = _places(seed, 5000)
            turn = np.random.default_rng(seed).uniform(0.0, 2.0 * np.pi, len(e))
            steps.append(mare(seed).heights(e + lag * np.cos(turn), n + lag * np.sin(turn)) - mare(seed).heights(e, n))
        deviations.append(np.sqrt(np.mean(np.square(steps))))
    exponent, _ = np.polyfit(np.log(lags), np.log(deviations), 1)
    assert exponent == pytest.approx(0.75, abs=0.05)


def test_relief_of_660_square_kilometres_is_mostly_about_300_metres() -> None:
    reliefs = []
    for seed in SEEDS:
        for east in (-2e5, -1e5, 1e5):
            reliefs.append(np.ptp(mare(seed).grid(east, 5e4, 100.0, (257, 257), 100.0)))
    assert 200.0 < np.median(reliefs) < 330.0


def test_the_target_is_on_the_surface() -> None:
    for seed in SEEDS:
        assert mare(seed).height(0.0, 0.0) == pytest.approx(0.0, abs=1e-9)
        assert mare(seed).altitude((0.0, 0.0, 0.0)) == pytest.approx(0.0, abs=1e-9)


def test_the_same_seed_gives_the_same_heights_and_another_seed_or_site_others() -> None:
    e, n = _places(5, 300)
    parameters_ = parameters("mare_frigoris")
    again = Terrain.build(parameters_, SITE, 1)
    np.testing.assert_array_equal(again.heights(e, n), mare(1).heights(e, n))
    elsewhere = Terrain.build(parameters_, SiteFrame(60.5, -15.0, -2600.0), 1)
    for other in (mare(2), elsewhere):
        assert np.min(np.abs(other.heights(e, n) - mare(1).heights(e, n))) > 1e-6


def test_another_depth_of_craters_leaves_the_fractal_as_it_was() -> None:
    shallow = part("craters", fresh_depth_to_diameter_km=0.15)
    changed_ = Terrain.build(parameters("mare_frigoris").model_copy(update={"craters": None}), SITE, 1)
    other = Terrain.build(
        parameters("mare_frigoris").model_copy(
            update={"craters": type(parameters("mare_frigoris").craters)(**shallow)}
        ),
        SITE,
        1,
    )
    np.testing.assert_array_equal(changed_.data.octaves, other.data.octaves)
    np.testing.assert_array_equal(changed_.data.octaves, mare(1).data.octaves)


@pytest.mark.parametrize(("east", "north"), [(-3e4, 1e4), (-50_250.0, -44_500.0)], ids=["ridges", "where ridges end"])
@pytest.mark.parametrize("baseline", [0.0, 50.0])
def test_scalar_array_and_grid_queries_agree(east: float, north: float, baseline: float) -> None:
    e, n = np.meshgrid(east + 25.0 * np.arange(40), north + 25.0 * np.arange(30))
    grid = mare(1).grid(east, north, 25.0, (30, 40), baseline)
    np.testing.assert_allclose(grid, mare(1).heights(e, n, baseline), atol=1e-9)
    assert mare(1).height(east, north) == mare(1).heights(np.array([east]), np.array([north]))[0]


@given(st.integers(1, 4), PLACE, PLACE)
def test_normal_is_that_of_finite_differences(seed: int, e: float, n: float) -> None:
    data, step = mare(seed).data, 1e-4

    def site(de: float, dn: float) -> Array:
        return mare(seed).to_site(e + de, n + dn, height_at(data, e + de, n + dn))

    normal = np.cross(site(step, 0.0) - site(-step, 0.0), site(0.0, step) - site(0.0, -step))
    r = site(0.0, 0.0)
    altitude, *ours = altitude_and_normal_site(data, *r)
    assert altitude == pytest.approx(0.0, abs=1e-7)
    np.testing.assert_allclose(ours, normal / np.linalg.norm(normal), atol=2e-3)  # the step meets kinks of curvature


@given(st.integers(1, 4), PLACE, PLACE, st.floats(0.0, 2.0 * np.pi))
def test_surface_and_slope_are_continuous(seed: int, e: float, n: float, turn: float) -> None:
    step = 1e-6
    before = np.array(relief(mare(seed).data, e, n, 0.0)[:3])
    after = np.array(relief(mare(seed).data, e + step * np.cos(turn), n + step * np.sin(turn), 0.0)[:3])
    assert abs(after[0] - before[0]) < 2.0 * step
    assert np.max(np.abs(after[1:] - before[1:])) < 20.0 * step  # curvature below 20 per m


def test_nothing_steps_along_a_line_through_all_kinds_of_boundaries() -> None:
    # cell borders of every octave and crater level lie within a kilometre
    e = np.linspace(-500.0, 500.0, 200_001)
    for seed in SEEDS:
        steps = np.diff(mare(seed).heights(e, np.full_like(e, 12.3)))
        assert np.max(np.abs(steps)) < 1.5 * (e[1] - e[0])
        # no kink either: nothing curves more than the floor of the smallest fresh crater, 6 * 0.15 * 2 m / (1 m)^2
        assert np.max(np.abs(np.diff(steps))) < 2.0 * (e[1] - e[0]) ** 2


@given(st.integers(1, 4), PLACE, PLACE, st.floats(1.0, 1000.0))
def test_less_detail_fades_in_without_a_step(seed: int, e: float, n: float, baseline: float) -> None:
    data = mare(seed).data
    near = height_smooth(data, e, n, baseline * (1 + 1e-6))
    assert near == pytest.approx(height_smooth(data, e, n, baseline), abs=1e-5 * baseline)


def test_a_smoothed_height_is_nearer_to_the_mean_over_its_baseline_than_the_height_itself() -> None:
    baseline = 50.0
    e, n = _places(9, 400)
    corners = zip(e - 24.0, n - 24.0, strict=True)
    mean = np.array([mare(1).grid(*corner, 2.0, (25, 25), 0.0).mean() for corner in corners])
    rough, smooth = mare(1).heights(e, n) - mean, mare(1).heights(e, n, baseline) - mean
    assert np.std(smooth) < 0.6 * np.std(rough)
    assert np.mean(smooth) == pytest.approx(0.0, abs=0.3 * np.std(rough))


def test_slopes_over_long_baselines_do_not_see_what_a_smoothed_surface_lacks() -> None:
    e, n = _places(3, 4000)
    steps = [mare(1).heights(e + d, n, b) for b in (0.0, 50.0) for d in (-280.0, 280.0)]
    full, smooth = np.abs(steps[1] - steps[0]), np.abs(steps[3] - steps[2])
    assert np.median(smooth) == pytest.approx(np.median(full), rel=0.1)


def test_a_smooth_sphere_has_no_height_and_its_normal_is_radial() -> None:
    assert flat().height(1e5, -2e5) == 0.0
    np.testing.assert_allclose(flat().normal(1e5, -2e5), [0.0, 0.0, 1.0])
    assert flat().slope_deg(1e3, 1e3, 17.0) == 0.0
    assert flat().altitude((3e5, 4e5, 2e4)) == pytest.approx(
        np.sqrt(5e5**2 + (flat().data.radius + 2e4) ** 2) - flat().data.radius
    )
    assert flat().albedo(1.0, 2.0) == 0.17


def test_slope_of_an_inclined_wall_is_its_inclination() -> None:
    terrain = only(features=(SCARP,))
    middle = terrain.slope_deg(0.0, -30_000.0, 10.0)
    assert np.tan(np.radians(middle)) == pytest.approx(
        1.5 * 3000.0 / 5000.0, rel=1e-4
    )  # steepest part of a smooth step
    normal = terrain.normal(0.0, -30_000.0)
    assert np.degrees(np.arctan2(normal[0], normal[1])) == pytest.approx(
        10.0, abs=0.3
    )  # the ground falls towards the azimuth


def test_a_crater_rim_is_a_step_of_its_depth_on_the_ground_track() -> None:
    terrain = only(features=(CRATER,))
    floor, rim, outside = (terrain.height(1000.0, -40_000.0 + d) for d in (0.0, -20_000.0, -60_000.0))
    assert rim - floor == pytest.approx(3000.0)
    assert rim - outside == pytest.approx(500.0)
    assert terrain.height(1000.0, -40_000.0 - 13_900.0) == pytest.approx(floor)  # the floor is level up to the wall


def test_a_scarp_is_high_behind_and_level_ahead() -> None:
    terrain = only(features=(SCARP,))
    track = np.array([np.sin(np.radians(10.0)), np.cos(np.radians(10.0))])
    foot = np.array([0.0, -30_000.0])
    behind, ahead = foot - 2600.0 * track, foot + 2600.0 * track
    assert terrain.height(*behind) - terrain.height(*ahead) == pytest.approx(3000.0)
    assert terrain.height(*(foot - 50_000.0 * track)) == pytest.approx(terrain.height(*behind))
    across = np.array([track[1], -track[0]])
    assert terrain.height(*(behind + 101_000.0 * across)) == pytest.approx(terrain.height(*ahead))


@pytest.mark.parametrize("feature", [CRATER, SCARP])
def test_features_have_continuous_slopes(feature: dict[str, Any]) -> None:
    terrain = only(features=(feature,))
    n = np.linspace(-70_000.0, 0.0, 70_001)
    e = np.full_like(n, 350.0)
    heights = terrain.heights(e, n)
    slopes = np.array([relief(terrain.data, x, y, 0.0)[2] for x, y in zip(e[1:-1:50], n[1:-1:50], strict=True)])
    np.testing.assert_allclose(slopes, ((heights[2:] - heights[:-2]) / 2.0)[::50], atol=2e-4)
    assert np.max(np.abs(np.diff(heights, 2))) < 2e-3


def test_albedo_stays_in_its_bounds_and_varies_about_its_mean() -> None:
    e, n = _places(8, 4000)
    values = np.array([mare(1).albedo(*place) for place in zip(e, n, strict=True)])
    assert values.min() >= 0.15
    assert values.max() <= 0.20
    assert np.median(values) == pytest.approx(0.17, abs=0.004)
    assert 0.004 < values.std() < 0.012


def test_young_craters_are_brighter_than_their_surroundings() -> None:
    terrain = only(craters=part("craters"), albedo=part("albedo", variation=0.0))
    e, n = _places(8, 8000)
    bright = np.array([terrain.albedo(*place) for place in zip(e, n, strict=True)])
    assert bright.min() == 0.17
    assert 0.01 < np.mean(bright > 0.175) < 0.5


@njit
def _lowest_altitude(data: Any, points: Array) -> float:
    lowest = np.inf
    for i in range(points.shape[0]):
        e, n, h = site_to_map(data, points[i, 0], points[i, 1], points[i, 2])
        lowest = min(lowest, h - height_at(data, e, n))
    return lowest


def test_numba_code_may_ask_with_the_terrains_data() -> None:
    points = np.array([[10.0, 0.0, 5.0], [-10.0, 3.0, 7.0]])
    assert _lowest_altitude(mare(1).data, points) == min(mare(1).altitude(point) for point in points)


@pytest.mark.parametrize("name", ["flat", "mare_frigoris", "crater_rim"])
def test_every_terrain_file_builds(name: str) -> None:
    terrain = Terrain.build(parameters(name), SITE, 3)
    assert np.isfinite(terrain.height(1e5, 2e5))


def test_the_crater_rim_file_has_its_step_of_three_kilometres() -> None:
    terrain = Terrain.build(parameters("crater_rim"), SITE, 3)
    before, after = (terrain.heights(np.linspace(-1e3, 1e3, 50), np.full(50, n)).mean() for n in (-43.5e3, -35e3))
    assert before - after == pytest.approx(3000.0, abs=150.0)
