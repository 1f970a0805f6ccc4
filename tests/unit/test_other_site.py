"""Another site, where the target is out of reach."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lander_common.mission import Mission, resolve
from lander_common.mission_map import Zone
from lander_common.onboard_map import MapGrid, OnboardMap, level_grid
from lander_common.start import nominal_start
from lander_flight.guidance import Guidance
from lander_flight.guidance_parameters import GuidanceParameters, OtherSiteParameters
from lander_flight.other_site import OtherSite
from lander_runtime.subsystem import Tick
from lander_terrain.geometry import site_to_map
from lander_tools.point_mass import Errors, PointMassFlight

RADIUS_M, PAD_RADIUS_M, SPACING_M = 1_734_800.0, 1.3, 10.0
BELOW = (12_000.0, -9_000.0)  # map coordinates of the ground below the lander
PARAMETERS = OtherSiteParameters(beyond_m=300.0, within_m=140.0, miss_sigma_m=20.0, slope_deg=8.0)
ZONE = Zone(
    spacing_m=SPACING_M, before_m=500.0, beyond_m=500.0, half_width_m=500.0, height_sigma_m=1.0, correlation_m=1000.0,
    detail_m=0.1,
)  # fmt: skip


def other_site(clearing: tuple[float, float]) -> OtherSite:
    """With a map that is rough but for a clearing, m from what is below the lander."""
    line = np.arange(-400.0, 400.1, SPACING_M)
    e, n = np.meshgrid(line, line)
    rough = 3.0 * np.random.default_rng(2).standard_normal(e.shape)
    heights = 50.0 + rough * np.clip((np.hypot(e - clearing[0], n - clearing[1]) - 50.0) / 30.0, 0.0, 1.0)
    corner = (BELOW[0] + line[0], BELOW[1] + line[0])
    grid = MapGrid(heights.astype(np.float32), SPACING_M, *corner, 1.0, 1000.0, 15.0)
    onboard_map = OnboardMap.from_grids([grid, level_grid(60.0, 5000.0, 15.0)])
    return OtherSite(PARAMETERS, onboard_map, [ZONE], PAD_RADIUS_M, RADIUS_M)


def above(place: tuple[float, float], height_m: float) -> tuple[float, float, float]:
    """Site coordinates over a place of the map: the zenith of the site turned along the great circle to there."""
    e, n = place
    turn = Rotation.from_rotvec(np.array([-n, e, 0.0]) / RADIUS_M)
    x, y, z = turn.apply([0.0, 0.0, RADIUS_M + height_m]).tolist()
    return x, y, z - RADIUS_M


offsets = st.floats(-80.0, 80.0)


@given(east=offsets, north=offsets)
def test_the_clearing_near_what_is_below_the_lander_is_taken(east: float, north: float) -> None:
    found = other_site((east, north)).in_place_of((0.0, 0.0, 0.0), above(BELOW, 1050.0))
    assert found is not None
    e, n, h = site_to_map(RADIUS_M, *found)
    assert np.hypot(e - BELOW[0] - east, n - BELOW[1] - north) < 30.0
    assert h == pytest.approx(50.0, abs=1.0)


def test_a_target_within_reach_is_kept() -> None:
    target = above((BELOW[0] + 290.0, BELOW[1]), 50.0)
    assert other_site((0.0, 0.0)).in_place_of(target, above(BELOW, 1050.0)) is None


def test_where_the_map_does_not_reach_no_place_is_better_than_another() -> None:
    assert other_site((0.0, 0.0)).in_place_of((0.0, 0.0, 0.0), above((30_000.0, 0.0), 1050.0)) is None


def mission() -> Mission:
    return resolve("nominal", 1)


def test_a_lander_that_comes_down_far_from_the_target_lands_at_the_site_that_it_chose_there() -> None:
    """Started 70 km too far on, from where no braking reaches the target."""
    along = nominal_start(mission()).v_mci
    late = tuple((70_000.0 * along / np.linalg.norm(along)).tolist())
    flight, guidance = PointMassFlight(mission(), Errors(position_mci_m=late)), Guidance(mission())
    landing = flight.fly(guidance)
    inputs = flight.inputs()
    command = guidance.step(Tick(1_000_000, flight.time_ns + 20_000_000, 20_000_000), inputs)["guidance_command"]
    away = inputs.latest("navigation_state").r_lander_site - command.r_target_site
    assert landing.landed
    assert landing.miss_m > 5_000.0
    assert command.redesignations == 1
    assert np.hypot(*away[:2]) < 20.0
    assert landing.vertical_m_s < 1.6
    assert landing.horizontal_m_s < 0.2


def test_a_logic_that_shall_not_choose_does_not() -> None:
    of = mission()
    assert OtherSite.of(of, None) is None
    assert OtherSite.of(of, of.part("guidance", GuidanceParameters).other_site) is not None
    assert OtherSite.of(resolve("nominal", 1, {"map": "flat"}), PARAMETERS) is None
