"""The ground in sunlight: reflectance, shadows and tiles."""

from __future__ import annotations

from math import cos, pi, radians, tan

import numpy as np
import pytest
from terrain_samples import mare as mare_under
from terrain_samples import only

from lander_common.reflectance import lommel_seeliger_share, lunar_lambert
from lander_common.sun import direction_from_angles
from lander_terrain import arrays, surface
from lander_terrain.lit_tiles import APRON, HEIGHT, LIGHT, SIZE, TILE, LitTiles
from lander_terrain.photometry import brightness, brightness_grid
from lander_terrain.sunlight import local_sun
from lander_terrain.terrain import Terrain

SUN = direction_from_angles(12.0, 90.0)
WALL_M = 100.0


@pytest.fixture(scope="module")
def mare() -> Terrain:
    """The nominal ground."""
    return mare_under(605)


def test_ground_lit_and_seen_from_above_shows_its_normal_albedo() -> None:
    assert brightness(0.17, 1.0, 1.0, 1.0) == pytest.approx(0.17)


def test_at_full_moon_the_disc_is_evenly_bright() -> None:
    share = lommel_seeliger_share(0.0)
    assert [lunar_lambert(mu, mu, share) for mu in (1.0, 0.6, 0.1)] == pytest.approx([1.0, 1.0, 1.0])


def test_the_share_of_lommel_and_seeliger_is_the_published_one() -> None:
    published = [1.0 - 0.019 * g + 0.242e-3 * g**2 - 1.46e-6 * g**3 for g in (0.0, 30.0, 60.0, 90.0)]
    assert [lommel_seeliger_share(g) for g in (0.0, 30.0, 60.0, 90.0)] == pytest.approx(published)


def test_a_lambertian_sphere_reflects_as_much_as_it_must() -> None:
    """At quadrature a Lambertian sphere gives 1/pi of what it gives at full phase (Russell 1916)."""
    x, y = np.meshgrid(np.linspace(-1.0, 1.0, 801), np.linspace(-1.0, 1.0, 801))
    inside = x * x + y * y < 1.0
    z = np.sqrt(np.where(inside, 1.0 - x * x - y * y, 0.0))
    full = sum(lunar_lambert(mu, mu, 0.0) for mu in z[inside])
    quadrature = sum(lunar_lambert(side, mu, 0.0) for side, mu in zip(x[inside], z[inside], strict=True))
    assert quadrature / full == pytest.approx(1.0 / pi, rel=2e-3)


def test_a_slope_is_as_bright_as_level_ground_under_a_sun_that_stands_so_much_higher() -> None:
    slope, heights = 0.2, np.arange(12.0)[None, :] * -0.2 + np.zeros((12, 1))  # falls to the east, where the Sun is
    tilted = brightness_grid(heights, np.ones((12, 12)), 1.0, SUN)[5, 5]
    incidence = cos(radians(90.0 - 12.0) - np.arctan(slope))
    emission = cos(np.arctan(slope))
    assert tilted == pytest.approx(brightness(1.0, incidence, emission, SUN[2]), rel=1e-9)


def wall() -> Terrain:
    """Ground that falls by WALL_M to the west, across the Sun's azimuth, within 2 m about the target."""
    place = {"east_m": 0.0, "north_m": 0.0, "azimuth_deg": 270.0}
    scarp = {"kind": "scarp", "name": "wall", **place, "step_m": WALL_M, "width_m": 2.0, "length_m": 60_000.0}
    return only(features=[scarp])


@pytest.mark.parametrize("elevation_deg", [5.0, 12.0, 30.0])
@pytest.mark.parametrize("spacing_m", [1.0, 4.0])
def test_a_wall_throws_its_shadow_as_far_as_it_must(elevation_deg: float, spacing_m: float) -> None:
    """A crest counts as far to the side as the samples of the level that sees it: a 48th of the distance, or the finest."""
    length = WALL_M / tan(radians(elevation_deg))
    ground = LitTiles(wall(), direction_from_angles(elevation_deg, 90.0), spacing_m, levels=1, capacity=64)
    corner = (-length - 64.0 * spacing_m, 0.0)
    _, light = ground.lit_grid(0, corner, (4, 96))
    edge = corner[0] + spacing_m * np.interp(-0.085, -light[1], np.arange(96.0))
    assert edge == pytest.approx(-length, abs=length / 48.0 + 1.5 * spacing_m)
    assert light[1, 0] == pytest.approx(0.17)
    assert light[1, -1] == 0.0


def test_the_sun_over_another_place_is_higher_by_the_angle_towards_it() -> None:
    radius = 1.7348e6
    sun = local_sun(radius, radians(3.0) * radius, 0.0, SUN)
    assert np.degrees(np.arcsin(sun[2])) == pytest.approx(12.0 + 3.0, abs=1e-9)


def test_a_tile_does_not_depend_on_what_was_asked_for_before(mare: Terrain) -> None:
    first, second = (LitTiles(mare, SUN, 2.0, levels=3, capacity=8) for _ in range(2))
    second.show([(0, 3, 3), (2, -1, 0), (1, 0, 0)])
    assert np.array_equal(first.tile((0, 0, 0)), second.tile((0, 0, 0)))


def test_neighbours_agree_where_they_overlap(mare: Terrain) -> None:
    ground = LitTiles(mare, SUN, 8.0, levels=1, capacity=8)
    west, east = ground.tile((0, 0, 0)), ground.tile((0, 0, 1))
    overlap = 2 * APRON
    np.testing.assert_allclose(west[HEIGHT, :, TILE:], east[HEIGHT, :, :overlap], atol=1e-4)
    assert np.mean(np.abs(west[LIGHT, :, TILE:] - east[LIGHT, :, :overlap]) > 0.02) < 0.01


def test_the_oldest_tiles_make_room_and_all_that_are_wanted_are_there(mare: Terrain) -> None:
    ground = LitTiles(mare, SUN, 4.0, levels=2, capacity=3)
    assert ground.show([(0, 0, 0), (0, 0, 1), (1, 0, 0)]) == 3
    assert ground.show([(0, 0, 1), (0, 0, 2), (1, 0, 0)]) == 1
    slots = {int(ground.data.slots[level, 0, column, 2]) for level, column in ((0, 1), (0, 2), (1, 0))}
    assert slots == {0, 1, 2}
    assert ground.data.slots[0, 0, 0, 2] == -1


def test_grids_of_albedo_and_freshness_are_those_of_single_places(mare: Terrain) -> None:
    east, north, spacing = -3000.0, 2000.0, 25.0
    heights, freshness = np.empty((40, 40)), np.empty((40, 40))
    arrays.relief_grid(mare.data, east, north, spacing, heights, freshness, 0.0)
    albedo = arrays.albedo_grid(mare.data, east, north, spacing, freshness)
    for row, column in ((0, 0), (7, 31), (20, 20), (39, 39)):
        e, n = east + spacing * column, north + spacing * row
        height, _, _, fresh = surface.relief(mare.data, e, n, 0.0)
        assert heights[row, column] == pytest.approx(height, abs=1e-9)
        assert freshness[row, column] == pytest.approx(fresh, abs=1e-12)
        assert albedo[row, column] == pytest.approx(mare.albedo(e, n), abs=1e-3)


def test_rocks_stand_on_the_ground_with_their_shadows(mare: Terrain) -> None:
    ground = LitTiles(mare, SUN, 0.125, levels=1, capacity=64)
    tile = ground.tile((0, 2, 2))
    side = TILE * 0.125
    rocks = mare.rocks((2.0 * side, 3.0 * side, 2.0 * side, 3.0 * side))
    e, n, diameter = rocks[np.argmax(rocks[:, 2])]
    row, column = (round(x / 0.125) - 2 * TILE + APRON for x in (n, e))
    below = tile[HEIGHT, row, max(column - SIZE // 8, 0)]
    assert diameter > 0.5
    assert tile[HEIGHT, row, column] - below == pytest.approx(0.5 * diameter, abs=0.3)
    shade = column - round((0.5 * diameter + 0.5 * diameter) / 0.125)
    assert tile[LIGHT, row, shade] < 0.05
