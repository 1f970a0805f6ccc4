"""Terrain-relative navigation as a whole, on ground and pictures made with numpy."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from scipy.ndimage import gaussian_filter
from trn_samples import LENS, RADIUS_M, Ground, looking_down, sun_towards, trn_parameters

from lander_flight.map_reader import MapReader
from lander_flight.map_window import CameraPose
from lander_flight.pose_fit import rotation
from lander_flight.trn_matcher import Expectation, Outcome, Pyramid, TrnMatcher

Array = np.ndarray
SUN = sun_towards(25.0, 108.0)
POSE = looking_down(300.0, -500.0, 6000.0, 0.14)


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.fractal(1)


@pytest.fixture(scope="module")
def matcher(ground: Ground) -> TrnMatcher:
    return TrnMatcher(trn_parameters(), LENS, MapReader(ground.image_map(), SUN), RADIUS_M)


@pytest.fixture(scope="module")
def picture(ground: Ground) -> Array:
    return ground.picture(POSE, SUN)


def believed(offset: tuple[float, float, float], across_m: float = 100.0, up_m: float = 30.0) -> Expectation:
    R = rotation(np.array([2e-4, -3e-4, 1e-4])) @ POSE.R_site_optical
    return Expectation(CameraPose(POSE.r_site + offset, R), across_m, up_m, 1e-3)


def test_tracking_is_good_to_a_fraction_of_a_pixel(matcher: TrnMatcher, picture: Array) -> None:
    found = matcher.track(picture, believed((40.0, -60.0, 20.0)))
    assert found.outcome is Outcome.FIX
    assert found.fit is not None
    assert np.linalg.norm(found.fit.steady.r_site - POSE.r_site) < 6.0  # a pixel is 14 m
    assert np.all(np.abs(found.fit.pose.r_site - POSE.r_site) < 4.0 * np.sqrt(np.diag(found.fit.covariance)[:3]))
    assert found.log10_chance < -20.0


@pytest.mark.parametrize("azimuth", [0.4, 1.9, 3.5, 5.1])
def test_acquisition_from_3200_m_and_an_error_of_the_height(
    matcher: TrnMatcher, picture: Array, azimuth: float
) -> None:
    offset = (3200.0 * np.cos(azimuth), 3200.0 * np.sin(azimuth), 300.0)
    found = matcher.acquire(picture, believed(offset, 1200.0, 200.0))
    assert found.outcome is Outcome.FIX
    assert found.fit is not None
    assert np.linalg.norm(found.fit.steady.r_site - POSE.r_site) < 6.0


def test_a_map_of_other_ground_gives_no_fix(picture: Array) -> None:
    other = TrnMatcher(trn_parameters(), LENS, MapReader(Ground.fractal(2).image_map(), SUN), RADIUS_M)
    for found in (
        other.track(picture, believed((0.0, 0.0, 0.0))),
        other.acquire(picture, believed((0.0, 0.0, 0.0), 1000.0)),
    ):
        assert found.outcome in (Outcome.FEW_MATCHES, Outcome.INCONSISTENT, Outcome.CHANCE, Outcome.OFF_MAP)
        assert found.fit is None


def test_level_ground_is_called_bland() -> None:
    ground = replace(Ground.fractal(1), heights=np.zeros((1024, 1024)))
    level = TrnMatcher(trn_parameters(), LENS, MapReader(ground.image_map(), SUN), RADIUS_M)
    assert level.track(ground.picture(POSE, SUN), believed((0.0, 0.0, 0.0))).outcome is Outcome.BLAND


def test_beyond_the_map_there_is_no_fix(matcher: TrnMatcher, picture: Array) -> None:
    assert matcher.track(picture, believed((50e3, 0.0, 0.0))).outcome is Outcome.OFF_MAP
    assert matcher.acquire(picture, believed((50e3, 0.0, 0.0))).outcome is Outcome.OFF_MAP


def test_a_dark_picture_is_not_looked_at(matcher: TrnMatcher, picture: Array) -> None:
    assert matcher.lit(picture)
    assert not matcher.lit(np.full((512, 512), 3, np.uint8))


def test_the_same_picture_gives_the_same_fix_to_the_bit(matcher: TrnMatcher, picture: Array) -> None:
    first, second = (matcher.track(picture, believed((10.0, 20.0, 5.0))) for _ in range(2))
    assert first.fit is not None
    assert second.fit is not None
    np.testing.assert_array_equal(first.fit.covariance, second.fit.covariance)
    np.testing.assert_array_equal(first.fit.pose.r_site, second.fit.pose.r_site)


def _displacement(
    low: TrnMatcher, ground: Ground, moved: Array, astray: tuple[float, float, float]
) -> tuple[Array, Array]:
    """Error of a displacement whose second pose is predicted `astray`, and its 1-sigma, m."""
    after = replace(POSE, r_site=POSE.r_site + moved)
    first, second = (Pyramid(ground.picture(pose, SUN, seed=k)) for k, pose in enumerate((POSE, after)))
    found = low.compare(first, POSE, second, replace(after, r_site=after.r_site + astray), 1e4)
    assert found is not None
    return found.pose.r_site - after.r_site, np.sqrt(np.diag(found.covariance))


@pytest.mark.parametrize("moved", [(0.0, 0.0, 0.0), (300.0, 0.0, 0.0), (0.0, 0.0, -600.0)])
def test_a_displacement_does_not_hang_on_the_prediction(
    matcher: TrnMatcher, ground: Ground, moved: tuple[float, float, float]
) -> None:
    """Peaks of sunlit relief are ridges: met along rows and columns alone, a tenth of what the prediction was off remained."""
    found = [
        _displacement(matcher, ground, np.array(moved), astray)[0] for astray in ((6.0, -6.0, 0.0), (-6.0, 6.0, 0.0))
    ]
    assert np.abs(found[0] - found[1])[:2].max() < 0.4  # of 12 m
    assert np.abs(found).max() < 0.3  # a cell is 16 m


def test_relief_that_the_heights_lack_spoils_a_displacement_along_itself(ground: Ground) -> None:
    """Against matches of a map whose heights err, from patch to patch, by half a cell: they are within what is stated."""
    rough = gaussian_filter(np.random.default_rng(3).standard_normal(ground.heights.shape), 4.0)
    heights = ground.heights + 8.0 * rough / rough.std()
    low = TrnMatcher(trn_parameters(), LENS, MapReader(replace(ground, heights=heights).image_map(), SUN), RADIUS_M)
    (level, stated), (falling, stated_falling) = (
        _displacement(low, ground, np.array(moved), (3.0, 3.0, 3.0)) for moved in ((0.0, 0.0, 0.0), (0.0, 0.0, -600.0))
    )
    assert np.all(np.abs(level) < 4.0 * stated)
    assert np.all(np.abs(falling) < 4.0 * stated_falling)
    assert stated_falling[2] > 3.0 * stated[2]
    assert stated_falling[2] > 3.0 * stated_falling[:2].max()
