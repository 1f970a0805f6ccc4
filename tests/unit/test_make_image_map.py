"""Making the image map: as wrong as it says, and made once."""

from __future__ import annotations

from itertools import pairwise
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from ruamel.yaml import YAML
from terrain_samples import flat, mare

from lander_common.image_map import EAST, HEIGHT_SIGMA, NORTH, REGISTRATION, SPACING, SUN_ELEVATION
from lander_common.mission import Mission, resolve
from lander_common.mission_image_map import ImageMapParameters, image_map_path, mission_image_map
from lander_common.sun import direction_from_angles
from lander_runtime.config import ConfigError, find
from lander_terrain.photometry import brightness_grid
from lander_tools.make_image_map import ensure_image_map, make_image_map
from lander_tools.maps import ensure_maps

EXACT = {"registration_m": 0.0, "height_sigma_m": 0.0, "noise": 0.0, "blur_spacings": 0.0}


def mission(folder: Path, **changes: Any) -> Mission:
    """The nominal mission with an image map of one small zone of 4 m, exact but for the given values."""
    zone = YAML(typ="safe").load(find("image_map", "nominal").read_text())["zones"][4]
    size = {"before_m": 400.0, "beyond_m": 300.0, "half_width_m": 350.0, "spacing_m": 4.0, "height_spacing_m": 8.0}
    path = folder / "image_map.yaml"
    with path.open("w") as file:
        YAML().dump({"name": "small", "about": "", "zones": [{**zone, **size, **EXACT, **changes}]}, file)
    return resolve("nominal", 1, {"image_map": str(path)})


def test_without_errors_it_shows_the_terrain_from_above_under_its_own_sun(tmp_path: Path) -> None:
    made = make_image_map(mission(tmp_path), mare(605))
    east, north = made.table[0, [EAST, NORTH]] + 160.0  # on its own samples
    patch = made.patch(east, north, 4.0, (100, 100))
    heights = mare(605).grid(east, north, 4.0, (100, 100), 6.0)
    albedo = np.array([[mare(605).albedo(east + 4.0 * j, north + 4.0 * i) for j in range(100)] for i in range(100)])
    expected = brightness_grid(heights, albedo, 4.0, direction_from_angles(20.0, 130.0))
    assert np.corrcoef(patch.brightness.ravel(), expected.ravel())[0, 1] > 0.97
    survey = mare(605).grid(east, north, 8.0, (50, 50), 8.0)
    np.testing.assert_allclose(patch.heights_m[::2, ::2], survey, atol=1e-3)


def test_level_ground_is_grey_all_over(tmp_path: Path) -> None:
    patch = make_image_map(mission(tmp_path), flat()).patch(-200.0, -200.0, 4.0, (100, 100))
    assert patch.brightness.min() == patch.brightness.max() == 90.0


def test_picture_and_heights_are_displaced_together_by_as_much_as_stated(tmp_path: Path) -> None:
    exact = make_image_map(mission(tmp_path), mare(605))
    displaced = make_image_map(mission(tmp_path, registration_m=6.0), mare(605))
    assert displaced.table[0, REGISTRATION] == 6.0
    places = np.arange(-150.0, 150.0, 4.0)
    e, n = np.meshgrid(places, places)
    shifts = [(x, y) for x in np.arange(-18.0, 19.0) for y in np.arange(-18.0, 19.0)]
    moved = displaced.sample(e, n, 4.0)
    misfits = []
    for x, y in shifts:
        there = exact.sample(e + x, n + y, 4.0)
        misfits.append((np.var(moved.brightness - there.brightness), np.var(moved.heights_m - there.heights_m)))
    best, by_height = (np.array(shifts[k]) for k in np.argmin(misfits, axis=0))
    assert 0.0 < np.hypot(*best) < 18.0
    np.testing.assert_allclose(best, by_height, atol=1.5)


def test_noise_and_height_errors_are_as_large_as_stated(tmp_path: Path) -> None:
    exact = make_image_map(mission(tmp_path), flat())
    wrong = make_image_map(mission(tmp_path, noise=3.0, height_sigma_m=2.0, height_correlation_m=20.0), flat())
    assert wrong.table[0, HEIGHT_SIGMA] == 2.0
    inside = np.s_[: min(exact.pixels.size, wrong.pixels.size)]
    assert np.std(wrong.pixels[inside].astype(float)) == pytest.approx(np.hypot(3.0, np.sqrt(1.0 / 12.0)), rel=0.05)
    assert np.std(wrong.heights) == pytest.approx(2.0, rel=0.25)


def test_blur_takes_away_what_is_small(tmp_path: Path) -> None:
    sharp, soft = (make_image_map(mission(tmp_path, blur_spacings=blur), mare(605)) for blur in (0.0, 2.0))
    assert soft.pixels.std() < 0.9 * sharp.pixels.std()


def test_it_is_made_once_and_found_again_and_missed_where_it_was_not_made(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of = mission(tmp_path)
    with pytest.raises(ConfigError, match="lander map"):
        mission_image_map(of)
    path = ensure_image_map(of)
    assert path == image_map_path(of)
    written = path.stat().st_mtime_ns
    ensure_image_map(of)
    assert path.stat().st_mtime_ns == written
    assert np.array_equal(mission_image_map(of).pixels, make_image_map(of).pixels)
    assert image_map_path(mission(tmp_path, noise=1.0)) != path


def test_a_mission_without_a_camera_needs_no_image_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert ensure_image_map(resolve("nominal", 1)) is None
    assert ensure_maps(resolve("nominal", 1, {"map": "flat"})) == []


def test_zones_of_the_nominal_map_are_finer_by_two_or_more_and_under_another_sun_than_the_landing() -> None:
    zones = resolve("nominal", 1, {"image_map": "nominal"}).part("image_map", ImageMapParameters).zones
    spacings = [zone.spacing_m for zone in zones]
    assert all(coarse >= 2.0 * fine for coarse, fine in pairwise(spacings))
    assert min(abs(zone.sun_elevation_deg - 11.8) for zone in zones) > 3.0


def test_the_table_says_what_the_file_says(tmp_path: Path) -> None:
    made = make_image_map(mission(tmp_path), flat())
    assert made.table[0, [SPACING, SUN_ELEVATION]].tolist() == [4.0, 20.0]
