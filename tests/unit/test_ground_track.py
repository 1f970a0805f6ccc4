"""The check of the ground track finds the step that lost HAKUTO-R Mission 1."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest

from lander_common.onboard_map import MapGrid, OnboardMap
from lander_tools.ground_track import along_track

AZIMUTH_DEG = 8.0


def stepped(fall_m: float, before_m: float) -> OnboardMap:
    """Level ground that falls by a height over 5 km, beginning so far before the target."""
    spacing = 500.0
    north, east = np.meshgrid(
        np.arange(-160_000.0, 20_000.0, spacing), np.arange(-40_000.0, 40_000.0, spacing), indexing="ij"
    )
    along = east * sin(radians(AZIMUTH_DEG)) + north * cos(radians(AZIMUTH_DEG))
    heights = fall_m * (1.0 - np.clip((along + before_m) / 5000.0, 0.0, 1.0))
    return OnboardMap.from_grids([MapGrid(heights.astype(np.float32), spacing, -40_000.0, -160_000.0, 1.0, 1e3, 1.0)])


def test_a_step_across_the_track_is_found_with_its_height_and_its_place() -> None:
    track = along_track(stepped(3000.0, 43_500.0), AZIMUTH_DEG)
    assert track.step_m == pytest.approx(-3000.0, abs=1.0)
    assert 43_500.0 <= track.step_before_m <= 43_500.0 + 5500.0
    assert track.highest_m == pytest.approx(3000.0, abs=1.0)
    assert "falls by 3000 m over 10 km" in str(track)


def test_level_ground_has_no_step() -> None:
    assert along_track(stepped(0.0, 43_500.0), AZIMUTH_DEG).step_m == 0.0
