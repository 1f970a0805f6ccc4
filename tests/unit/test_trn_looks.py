"""Benchmarks of the matcher by themselves: what counts as wrong, what a bound is, where pictures are taken."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import numpy as np
import pytest
from terrain_samples import SITE, changed, flat, mare, parameters
from trn_samples import looking_down, sun_towards

from lander_common.image_map import HEIGHT_SIGMA, ImageMap, ImageTile
from lander_common.mission import resolve
from lander_flight.map_window import Window
from lander_flight.trn_matcher import Expectation, Outcome, Sighting, to_map
from lander_terrain import Terrain
from lander_tools.trn_false_fixes import KINDS, Look, Shot, between, expectation, page, upper_bound, veiled, worsened
from lander_tools.trn_looks import Try, believed, reasons, truth_at
from lander_tools.trn_scene import Scene, sun_vector

POSE = looking_down(0.0, 0.0, 1000.0)


def tried(east_m: float, posting_m: float = 2.0, fixed: bool = True) -> Try:
    """A look whose fix, if it is one, is that far off."""
    view = cast(Any, SimpleNamespace(window=Window.about(0.0, 0.0, 100, posting_m)))
    fit = cast(Any, SimpleNamespace(steady=POSE)) if fixed else None
    sighting = Sighting(Outcome.FIX if fixed else Outcome.BLAND, fit=fit, view=view, log10_chance=-12.0)
    return Try(sighting, np.array([east_m, 0.0, 0.0]) if fixed else np.full(3, np.nan), 1000.0, 0.1)


def shot(sun_deg: float = 10.0) -> Shot:
    """A picture from 1000 m."""
    return Shot(np.zeros((2, 2), np.float32), POSE, 1000.0, sun_deg, cast(Any, None), {})


def look(kind: str, found: Try, sun_deg: float = 10.0) -> Look:
    """A look of a kind."""
    return Look.at(shot(sun_deg), kind, found)


@pytest.mark.parametrize(
    ("off_m", "posting_m", "correct"), [(39.9, 2.0, True), (40.1, 2.0, False), (79.0, 40.0, True), (81.0, 40.0, False)]
)
def test_a_fix_is_correct_within_40_m_or_two_cells(off_m: float, posting_m: float, correct: bool) -> None:
    found = tried(off_m, posting_m)
    assert found.correct is correct
    assert look("as flown", found).wrong is not correct


def test_no_fix_is_never_wrong_and_every_fix_on_a_map_of_elsewhere_is() -> None:
    for kind in KINDS:
        assert not look(kind, tried(0.0, fixed=False)).wrong
    assert look("map of another ground", tried(0.0)).wrong


@pytest.mark.parametrize("of", [1, 59, 800, 10_000])
def test_the_bound_without_a_wrong_fix_is_the_closed_form(of: int) -> None:
    """None in n with probability (1 - p)^n = 5 %."""
    assert upper_bound(0, of) == pytest.approx(1.0 - 0.05 ** (1.0 / of), rel=1e-9)


def test_the_bound_of_one_in_ten_has_a_binomial_tail_of_five_percent() -> None:
    p = upper_bound(1, 10)
    assert (1.0 - p) ** 10 + 10.0 * p * (1.0 - p) ** 9 == pytest.approx(0.05, rel=1e-9)
    assert upper_bound(10, 10) == 1.0


def test_a_page_counts_by_kind_and_lists_what_was_wrong() -> None:
    flown = [look("as flown", tried(error)) for error in (3.0, 7.0)]
    found = [*flown, look("as flown", tried(0.0, fixed=False), 30.0), look("bland", tried(500.0))]
    text = page(found, 2)
    assert "4 looks at 2 pictures" in text
    assert "| as flown | 3 | 2 | 0 | 6.3e-01 | 5, 7, 7 | fix 2, bland 1 |" in text
    assert "| 24 to 45 deg | 1 | 0 | 0 |" in text
    assert [line for line in text.splitlines() if line.startswith("wrong")] == [
        "wrong: bland, 1000 m, Sun 10 deg: [500.   0.   0.] m, 10^-12"
    ]


def test_draws_on_a_logarithmic_scale_have_the_geometric_mean_as_their_median() -> None:
    random = np.random.default_rng(1)
    values = np.array([between(random, 3.0, 48.0) for _ in range(4000)])
    assert 3.0 <= values.min() < values.max() <= 48.0
    assert np.median(values) == pytest.approx(12.0, rel=0.1)


def test_a_veil_keeps_the_mean_and_leaves_so_much_of_the_contrast() -> None:
    seen = np.random.default_rng(2).uniform(0.0, 1.0, (64, 64)).astype(np.float32)
    left = veiled(seen, 0.05)
    assert left.mean() == pytest.approx(seen.mean(), rel=1e-5)
    assert left.std() == pytest.approx(0.05 * seen.std(), rel=1e-3)


def test_a_worse_map_errs_by_up_to_three_times_what_it_states_and_shares_nothing() -> None:
    level = np.zeros((40, 40), np.float32)
    tile = ImageTile(np.full((80, 80), 90, np.uint8), 1.0, 0.0, 0.0, level, 2.0, 0.3, 0.5, 17.0, 120.0)
    sound, random = ImageMap.from_tiles([tile]), np.random.default_rng(3)
    worst = max(float(np.abs(worsened(sound, random).heights).max()) for _ in range(10))
    assert 0.6 < worst / float(sound.table[-1, HEIGHT_SIGMA]) <= 3.0
    assert not np.any(sound.heights)
    assert np.all(sound.pixels == 90)


@pytest.mark.parametrize("wide", [True, False])
def test_elsewhere_is_three_to_six_altitudes_away_beyond_the_error_that_is_stated(wide: bool) -> None:
    random = np.random.default_rng(4)
    for _ in range(50):
        there: Expectation = expectation(shot(), True, wide, random)
        away = float(np.linalg.norm((there.pose.r_site - POSE.r_site)[:2]))
        assert 3000.0 - 5.0 * there.across_m < away < 6000.0 + 5.0 * there.across_m


def test_what_is_believed_is_off_by_the_offset_and_by_the_mount() -> None:
    random, offset = np.random.default_rng(5), np.array([30.0, -20.0, 10.0])
    angles = []
    for _ in range(300):
        there = believed(POSE, offset, (50.0, 20.0), random)
        np.testing.assert_allclose(there.pose.r_site - POSE.r_site, offset)
        turned = there.pose.R_site_optical @ POSE.R_site_optical.T
        angles.append(np.degrees([turned[2, 1], turned[0, 2], turned[1, 0]]))
    assert np.std(angles) == pytest.approx(0.02, rel=0.1)


@pytest.mark.parametrize("altitude_m", [300.0, 3000.0, 12_000.0])
def test_pictures_are_taken_along_the_reference_descent(altitude_m: float) -> None:
    mission, random = resolve("nominal_trn", 1), np.random.default_rng(6)
    scene, radius_m = Scene(mission, flat(), *cast(Any, (None, np.zeros(3), None, None))), flat().data.radius
    azimuth = np.radians(mission.site.approach_azimuth_deg)
    along = np.array([np.sin(azimuth), np.cos(azimuth)])
    for _ in range(20):
        pose, v_site = truth_at(scene, altitude_m, random)
        above = float(np.linalg.norm(pose.r_site + [0.0, 0.0, radius_m])) - radius_m
        assert above == pytest.approx(altitude_m, abs=0.1)
        place = np.array(to_map(pose.r_site, radius_m))
        assert abs(float(place @ [along[1], -along[0]])) <= min(2000.0, 0.1 * altitude_m) + 1.0
        assert float(place @ along) <= 1.0  # before the target
        assert v_site[:2] @ [along[1], -along[0]] == pytest.approx(0.0, abs=1e-9)


def test_reasons_are_counted_the_most_frequent_first() -> None:
    assert reasons([Outcome.FIX, Outcome.BLAND, Outcome.FIX]) == "fix 2, bland 1"


def test_the_sun_of_a_benchmark_is_where_it_is_said_to_be() -> None:
    np.testing.assert_allclose(sun_vector(25.0, 108.0), sun_towards(25.0, 108.0))


def test_terrains_are_equal_where_their_ground_is() -> None:
    """By their fingerprint: so that tiles of one serve for the other, and for no other ground."""
    again = Terrain.build(parameters("mare_frigoris"), SITE, 1)
    assert again == mare(1)
    assert hash(again) == hash(mare(1))
    assert again.fingerprint != mare(2).fingerprint
    without_rocks = Terrain.build(changed("mare_frigoris", rocks=None), SITE, 1)
    assert without_rocks != again
    assert again != "terrain"
