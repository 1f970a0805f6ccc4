"""Parts of terrain-relative navigation, each against a witness of its own."""

from __future__ import annotations

from math import comb, pi

import cv2
import numpy as np
import pytest
from hypothesis import assume, given, settings
from hypothesis import strategies as st
from scipy.ndimage import fourier_shift
from trn_samples import LENS, RADIUS_M, STRAIGHT_DOWN, Ground, looking_down, shade, sun_towards

from lander_flight.consensus import agree, log10_chance
from lander_flight.map_window import Window, rectify, relight, site_points
from lander_flight.patch_matching import Limits, best_shift, find_patches
from lander_flight.pose_fit import MapErrors, fit_pose, linearise, rotation
from lander_flight.trn_matcher import map_axes, to_map
from lander_terrain.geometry import map_to_site

Array = np.ndarray
LIMITS = Limits(least_contrast=0.01, least_score=0.5, least_lead=0.1)


def landmarks(seed: int, height_m: float, count: int = 60) -> Array:
    random = np.random.default_rng(seed)
    half = 0.5 * height_m
    return np.column_stack([random.uniform(-half, half, (count, 2)), random.uniform(-0.05, 0.05, count) * height_m])


# Geometry


@given(st.floats(-3e5, 3e5), st.floats(-3e5, 3e5), st.floats(-4e3, 2e4))
def test_places_on_the_map_are_where_the_terrain_has_them(e: float, n: float, h: float) -> None:
    found = site_points(np.array([e]), np.array([n]), np.array([h]), RADIUS_M)[0]
    np.testing.assert_allclose(found, map_to_site(RADIUS_M, e, n, h), atol=1e-6)
    np.testing.assert_allclose(to_map(found, RADIUS_M), (e, n), atol=1e-5)


def test_the_axes_of_the_map_are_orthogonal_and_point_along_growing_coordinates() -> None:
    e, n = np.array([-120e3]), np.array([-300e3])
    here = site_points(e, n, np.zeros(1), RADIUS_M)[0]
    axes = map_axes(here + [0.0, 0.0, RADIUS_M])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    outward = here[:2] / np.linalg.norm(here[:2])
    further = site_points(e + outward[0], n + outward[1], np.zeros(1), RADIUS_M)[0]
    np.testing.assert_allclose(axes @ [*outward, 0.0], further - here, atol=1e-6)


def test_how_pixels_move_agrees_with_opencv() -> None:
    points = landmarks(1, 900.0)
    pose = looking_down(30.0, -40.0, 900.0, 0.4)
    R_optical_site = rotation(np.array([0.05, -0.1, 0.02])) @ pose.R_site_optical.T
    t = -R_optical_site @ pose.r_site
    vector, _ = cv2.Rodrigues(R_optical_site)
    distortion = np.array([LENS.k1, LENS.k2, 0.0, 0.0])
    seen, jacobian = cv2.projectPoints(points, vector, t, LENS.matrix, distortion)
    residuals, rows = linearise(points, seen.reshape(-1, 2), LENS.numbers, pose.r_site, R_optical_site.T.copy())
    np.testing.assert_allclose(residuals, 0.0, atol=1e-9)
    by_translation = jacobian[:, 3:6].reshape(-1, 2, 3)  # OpenCV's translation is -R r
    np.testing.assert_allclose(rows[:, :, :3], -by_translation @ R_optical_site, atol=1e-9)


def test_how_pixels_move_with_attitude_agrees_with_finite_differences() -> None:
    points, pose = landmarks(2, 500.0), looking_down(10.0, 20.0, 500.0, -1.0)
    pixels = LENS.pixels((points - pose.r_site) @ pose.R_site_optical)
    _, rows = linearise(points, pixels, LENS.numbers, pose.r_site, pose.R_site_optical)
    for axis in np.eye(3):
        moved = [
            LENS.pixels((points - pose.r_site) @ rotation(sign * 1e-5 * axis) @ pose.R_site_optical)
            for sign in (1.0, -1.0)
        ]
        np.testing.assert_allclose(rows[:, :, 3:] @ axis, (moved[0] - moved[1]) / 2e-5, atol=1e-4)


def test_the_pose_is_that_of_opencv_and_its_covariance_that_of_many_draws() -> None:
    points, pose = landmarks(3, 1000.0), looking_down(0.0, 0.0, 1000.0, 0.3)
    exact = LENS.pixels((points - pose.r_site) @ pose.R_site_optical)
    first = looking_down(15.0, -10.0, 1010.0, 0.3)
    random, errors = np.random.default_rng(4), []
    for draw in range(200):
        pixels = exact + 0.3 * random.standard_normal(exact.shape)
        fit = fit_pose(points, pixels, 0.05, LENS, first, 1e-3)
        error = fit.pose.R_site_optical @ pose.R_site_optical.T
        turn = 0.5 * np.array([error[2, 1] - error[1, 2], error[0, 2] - error[2, 0], error[1, 0] - error[0, 1]])
        errors.append(np.concatenate([fit.pose.r_site - pose.r_site, turn]))
        if draw < 3:
            distortion = np.array([LENS.k1, LENS.k2, 0.0, 0.0])
            _, vector, t = cv2.solvePnP(points, pixels, LENS.matrix, distortion, flags=cv2.SOLVEPNP_ITERATIVE)
            R, _ = cv2.Rodrigues(vector)
            assert np.linalg.norm(fit.pose.r_site + R.T @ t[:, 0]) < 1.5  # Huber's weights against none; 1-sigma is 2 m
    nees = np.mean([error @ np.linalg.solve(fit.covariance, error) for error in errors])
    assert 5.0 < nees < 7.5  # 6; Huber's weights and the sigma from the median cost a little


def test_what_errors_of_the_map_do_to_the_pose_is_that_of_many_maps() -> None:
    """Heights that err together over 300 m, drawn anew each time; the matches themselves are exact."""
    points, pose = landmarks(5, 800.0), looking_down(0.0, 0.0, 800.0, 0.2)
    exact = LENS.pixels((points - pose.r_site) @ pose.R_site_optical)
    errors = MapErrors(height_m=2.0, height_correlation_m=300.0, shift_m=0.3, shift_correlation_m=100.0)
    random, found = np.random.default_rng(6), []
    apart = np.linalg.norm(points[:, None] - points[None], axis=2)
    heights, shifts = (np.linalg.cholesky(np.exp(-apart / reach) + 1e-9 * np.eye(60)) for reach in (300.0, 100.0))
    for _ in range(300):
        wrong = np.column_stack(
            [0.3 * shifts @ random.standard_normal((60, 2)), 2.0 * heights @ random.standard_normal(60)]
        )
        fit = fit_pose(points + wrong - wrong.mean(axis=0), exact, 0.05, LENS, pose, 1e-2, errors)
        turned = fit.pose.R_site_optical @ pose.R_site_optical.T
        turn = 0.5 * np.array([turned[2, 1] - turned[1, 2], turned[0, 2] - turned[2, 0], turned[1, 0] - turned[0, 1]])
        found.append(np.concatenate([fit.pose.r_site - pose.r_site, turn]))
    sample, stated = np.std(found, axis=0), np.sqrt(np.diag(fit.covariance))
    assert np.all(stated > 0.9 * sample)
    assert np.all(stated < 1.6 * sample)  # what they leave of residuals counts once more, as noise of the matches


# Light


def test_a_plane_is_shaded_by_the_law_in_closed_form() -> None:
    e, n = np.meshgrid(np.arange(9.0), np.arange(9.0))
    heights, sun = (0.1 * e - 0.2 * n).astype(np.float32), sun_towards(20.0, 108.0)
    normal = np.array([-0.1, 0.2, 1.0]) / np.sqrt(1.05)
    i, e_, phase = normal @ sun, normal @ STRAIGHT_DOWN, np.degrees(np.arccos(sun @ STRAIGHT_DOWN))
    share = 1.0 - 0.019 * phase + 0.242e-3 * phase**2 - 1.46e-6 * phase**3
    expected = share * 2.0 * i / (i + e_) + (1.0 - share) * i
    np.testing.assert_allclose(shade(heights, 1.0, sun, STRAIGHT_DOWN), expected, rtol=1e-5)


def test_slopes_away_from_the_sun_are_dark() -> None:
    e = np.tile(np.arange(8.0, dtype=np.float32), (8, 1))
    assert np.all(shade(-e, 1.0, sun_towards(30.0, 270.0), STRAIGHT_DOWN) == 0.0)  # falls to the east, Sun in the west


def test_a_map_lit_anew_is_the_map_under_the_other_sun() -> None:
    ground, albedo = Ground.fractal(5, cells=128), 0.5 + np.random.default_rng(6).random((128, 128))
    heights = ground.heights.astype(np.float32)
    suns = sun_towards(50.0, 200.0), sun_towards(15.0, 100.0)
    then, now = (shade(heights, 20.0, sun, STRAIGHT_DOWN) for sun in suns)
    lit = then > 0.02
    np.testing.assert_allclose(
        relight((albedo * then).astype(np.float32), heights, 20.0, *suns, STRAIGHT_DOWN)[lit],
        (albedo * now)[lit],
        rtol=1e-4,
    )


def test_a_picture_laid_over_the_map_is_the_ground_under_the_same_sun() -> None:
    """Through perspective, distortion, curvature and relief, in a tilted view: the renderer of the samples is the witness."""
    ground, sun = Ground.fractal(7), sun_towards(30.0, 100.0)
    pose = looking_down(400.0, -300.0, 6000.0, 0.3)
    tilted = type(pose)(pose.r_site, rotation(np.array([0.08, -0.05, 0.0])) @ pose.R_site_optical)
    picture = ground.picture(tilted, sun, noise=0.0).astype(np.float32)
    window = Window.about(400.0, -300.0, 200, 20.0)
    e, n = np.meshgrid(window.east_m + 20.0 * np.arange(200), window.north_m + 20.0 * np.arange(200))
    heights = ground.at(ground.heights, e, n).astype(np.float32)
    placed = (window.east_m, window.north_m, window.posting_m)
    laid = rectify(picture, 1, LENS.numbers, tilted.r_site, tilted.R_site_optical, *placed, heights, RADIUS_M)
    seen = np.isfinite(laid)
    assert seen.mean() > 0.9
    assert np.corrcoef(laid[seen], ground.at(ground.brightness(sun), e, n)[seen])[0, 1] > 0.98


# Matching


@pytest.mark.parametrize("shift", [(0.0, 0.0), (0.3, -0.4), (2.7, 4.2)])
def test_a_known_shift_is_found_to_a_tenth_of_a_cell(shift: tuple[float, float]) -> None:
    random = np.random.default_rng(8)
    f = np.hypot(*np.meshgrid(np.fft.fftfreq(200), np.fft.fftfreq(200)))
    f[0, 0] = np.inf
    spectrum = np.fft.fft2(random.standard_normal((200, 200))) / f
    expected = 100.0 + 10.0 * np.fft.ifft2(spectrum).real / np.std(np.fft.ifft2(spectrum).real)
    seen = np.fft.ifft2(fourier_shift(np.fft.fft2(expected), shift)).real
    matches = find_patches(expected.astype(np.float32), seen.astype(np.float32), 25, 8, LIMITS)
    assert matches.count == matches.searched == 49
    assert abs(np.mean(matches.shift_row) - shift[0]) < 0.1
    assert abs(np.mean(matches.shift_column) - shift[1]) < 0.1


@given(st.floats(-0.5, 0.5), st.floats(-0.5, 0.5), st.floats(0.2, 5.0), st.floats(0.0, np.pi))
def test_the_summit_of_a_ridge_in_any_direction_is_found(
    row: float, column: float, sharper: float, turn: float
) -> None:
    """A paraboloid is known by nine values; `sharper`: one of its principal curvatures over the other."""
    i, j = np.mgrid[-4:5, -4:5]
    along = (i - row) * np.cos(turn) + (j - column) * np.sin(turn)
    across = (j - column) * np.cos(turn) - (i - row) * np.sin(turn)
    scores = 1.0 - 0.01 * (along**2 + sharper * across**2)
    top = np.unravel_index(np.argmax(scores), scores.shape)
    assume(abs(top[0] - 4 - row) < 1.0 and abs(top[1] - 4 - column) < 1.0)
    found = best_shift(scores, 0.0, 0.0)
    np.testing.assert_allclose(found[:2], (4.0 + row, 4.0 + column), atol=1e-9)


def test_patches_without_structure_or_beyond_the_view_are_not_searched() -> None:
    random = np.random.default_rng(9)
    rough = (100.0 + random.standard_normal((100, 100))).astype(np.float32)
    assert find_patches(np.full_like(rough, 100.0), rough, 15, 4, LIMITS).searched == 0
    assert find_patches(rough, np.full_like(rough, np.nan), 15, 4, LIMITS).searched == 0


def test_unrelated_pictures_do_not_match() -> None:
    random = np.random.default_rng(10)
    one, other = (100.0 + 5.0 * random.standard_normal((2, 300, 300))).astype(np.float32)
    matches = find_patches(one, other, 25, 8, LIMITS)
    assert matches.searched > 50
    assert matches.count == 0


# Agreement


def scattered(seed: int, count: int, reach: float) -> tuple[Array, Array]:
    random = np.random.default_rng(seed)
    return random.uniform(0.0, 300.0, (count, 2)), random.uniform(-reach, reach, (count, 2))


@given(st.integers(0, 1000), st.floats(0.0, 0.6), st.floats(-0.03, 0.03), st.floats(-5.0, 5.0))
@settings(max_examples=30)
def test_those_that_agree_are_found_among_those_that_do_not(
    seed: int, wrong: float, stretch: float, shift: float
) -> None:
    place, shifts = scattered(seed, 60, 8.0)
    random = np.random.default_rng(seed)
    right = random.random(60) >= wrong
    shifts[right] = shift + stretch * (place[right] - 150.0) + 0.1 * random.standard_normal((int(right.sum()), 2))
    found = agree(place, shifts, 1.0, 0.06, 8.0)
    assert np.all(found.members[right])
    assert found.count - right.sum() <= 5
    assert found.log10_chance < -8.0


def test_the_chance_of_an_agreement_is_its_formula() -> None:
    """Moisan and Stival (2004), equation of the number of false alarms, in whole numbers."""
    alone = pi * 1.0 / 17.0**2
    exact = (40 - 2) * comb(40, 9) * comb(9, 2) * alone**7
    assert log10_chance(40, 9, 1.0, 8.0) == pytest.approx(np.log10(exact), abs=1e-9)


def test_random_matches_agree_no_more_often_than_expected() -> None:
    """A number of false alarms of 0.3 or less is to be met in no more than 30 % of draws of random matches."""
    draws = [agree(*scattered(seed, 40, 8.0), 1.0, 0.06, 8.0).log10_chance for seed in range(300)]
    for level in (0.3, 0.1):
        assert np.mean(np.array(draws) < np.log10(level)) <= level
