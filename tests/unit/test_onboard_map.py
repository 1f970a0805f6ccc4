"""The onboard map: how it is read, and that it is as wrong as it says."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.mission import Mission, resolve
from lander_common.mission_map import MapParameters, load_target, map_path, mission_map
from lander_common.onboard_map import SIGMA, SPACING, MapGrid, OnboardMap, level_grid, map_grid
from lander_runtime.config import ConfigError
from lander_runtime.rng import stream
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain
from lander_tools.make_map import ensure_map, exponential_field, make_map, tiles

Array = np.ndarray


def plane(spacing_m: float, half_m: float, east: float, north: float, offset: float = 0.0) -> MapGrid:
    e = np.arange(-half_m, half_m + 0.5 * spacing_m, spacing_m)
    heights = offset + east * e[None, :] + north * e[:, None]
    return MapGrid(heights.astype(np.float32), spacing_m, -half_m, -half_m, 1.0, 100.0, 5.0)


places = st.floats(-990.0, 990.0)


@given(e=places, n=places)
def test_a_plane_is_read_exactly(e: float, n: float) -> None:
    onboard_map = OnboardMap.from_grids([plane(20.0, 1000.0, 0.1, -0.05)])
    assert onboard_map.height(e, n) == pytest.approx(0.1 * e - 0.05 * n, abs=1e-4)
    assert onboard_map.gradient(e, n) == pytest.approx((0.1, -0.05), abs=1e-4)


def test_the_finest_grid_holds_where_several_cover_a_place() -> None:
    onboard_map = OnboardMap.from_grids(
        [level_grid(60.0, 1e3, 0.0), plane(50.0, 1000.0, 0, 0, 7.0), plane(5.0, 100.0, 0, 0, 3.0)]
    )
    assert onboard_map.height(0.0, 0.0) == 3.0
    assert onboard_map.height(101.0, 0.0) == 7.0
    assert onboard_map.height(0.0, -5000.0) == 0.0
    spacings = [onboard_map.table[map_grid(onboard_map.table, e, 0.0), SPACING] for e in (99.0, 999.0, 1001.0)]
    assert spacings == [5.0, 50.0, onboard_map.table[-1, SPACING]]


def test_beyond_every_grid_the_nearest_edge_holds() -> None:
    onboard_map = OnboardMap.from_grids([plane(20.0, 1000.0, 0.1, 0.0)])
    assert onboard_map.height(5000.0, 0.0) == pytest.approx(100.0)


def test_arrays_are_read_as_single_places_are() -> None:
    onboard_map = OnboardMap.from_grids([plane(20.0, 1000.0, 0.1, 0.2)])
    e, n = np.meshgrid(np.linspace(-500.0, 500.0, 5), np.linspace(-400.0, 400.0, 4))
    expected = [
        [onboard_map.height(a, b) for a, b in zip(row_e, row_n, strict=True)] for row_e, row_n in zip(e, n, strict=True)
    ]
    np.testing.assert_array_equal(onboard_map.heights(e, n), expected)


def test_a_map_survives_its_file(tmp_path: Path) -> None:
    onboard_map = OnboardMap.from_grids([plane(20.0, 1000.0, 0.1, -0.05), level_grid(60.0, 5e3, 15.0)])
    onboard_map.target = (30.0, -12.0, 3.6)
    onboard_map.save(tmp_path / "maps" / "map.npz")
    again = OnboardMap.load(tmp_path / "maps" / "map.npz")
    np.testing.assert_array_equal(again.table, onboard_map.table)
    np.testing.assert_array_equal(again.values, onboard_map.values)
    assert again.target == load_target(tmp_path / "maps" / "map.npz") == onboard_map.target


def mission(**settings: str) -> Mission:
    return resolve("nominal", 1, {"map": "nominal"}, settings)


def test_a_map_that_was_not_made_is_an_error_that_says_what_to_do(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    with pytest.raises(ConfigError, match="lander map"):
        mission_map(mission())


def test_a_map_is_made_once_and_found_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    of = mission()
    path = ensure_map(of)
    assert path == map_path(of)
    written = path.stat().st_mtime_ns
    ensure_map(of)
    assert path.stat().st_mtime_ns == written
    np.testing.assert_array_equal(mission_map(of).values, make_map(of).values)


def test_another_terrain_has_another_map(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    assert map_path(mission()) != map_path(mission(**{"site.ground_seed": "7"}))
    assert map_path(mission()) != map_path(mission(**{"map.registration_m": "1.0"}))


def test_a_flat_map_needs_no_file() -> None:
    of = resolve("nominal", 1, {"map": "flat"})
    assert ensure_map(of) is None
    assert mission_map(of).height(1e5, -2e5) == 0.0


def zone_errors(of: Mission) -> dict[float, tuple[float, float]]:
    """By spacing: root mean square error of the map against the terrain as it is placed, and what the map states."""
    terrain = Terrain.build(of.part("terrain", TerrainParameters), of.site, of.site.ground_seed)
    onboard_map = make_map(of, terrain)
    shift = of.part("map", MapParameters).registration_m * stream(of.site.ground_seed, "map").standard_normal(2)
    random = np.random.default_rng(0)
    found = {}
    for zone in of.part("map", MapParameters).zones:
        e, n = _places_in(zone.spacing_m, tiles(zone, of.site.approach_azimuth_deg), onboard_map, random)
        error = terrain.heights(e + shift[0], n + shift[1]) - onboard_map.heights(e, n)
        found[zone.spacing_m] = (float(np.sqrt(np.mean(error**2))), zone.sigma_m)
    return found


def _places_in(
    spacing_m: float, boxes: list[tuple[float, ...]], onboard_map: OnboardMap, random: np.random.Generator
) -> tuple[Array, Array]:
    e, n = np.concatenate([random.uniform(box[:2], box[2:], (1500, 2)) for box in boxes]).T
    own = [
        onboard_map.table[map_grid(onboard_map.table, a, b), SPACING] == spacing_m for a, b in zip(e, n, strict=True)
    ]
    return e[own], n[own]


def test_the_map_is_as_wrong_as_it_states() -> None:
    """The coarse zones hold hundreds of independent patches, the fine ones dozens and a few."""
    for (found, stated), tolerance in zip(zone_errors(mission()).values(), (0.15, 0.15, 0.3, 0.5), strict=True):
        assert found == pytest.approx(stated, rel=tolerance)


def test_detail_that_a_grid_cannot_hold_is_what_the_configuration_says() -> None:
    """With a perfect survey in the right place, what is left is the detail; it is not understated."""
    settings = {f"map.zones.{k}.height_sigma_m": "0.0" for k in range(0)}
    of = mission(**{"map.registration_m": "0.0", **settings})
    terrain = Terrain.build(of.part("terrain", TerrainParameters), of.site, of.site.ground_seed)
    random = np.random.default_rng(3)
    for zone in of.part("map", MapParameters).zones:
        west, south, *_ = tiles(zone, of.site.approach_azimuth_deg)[-1]
        size = 60
        heights = terrain.grid(west, south, zone.spacing_m, (size, size), zone.spacing_m)
        onboard_map = OnboardMap.from_grids(
            [MapGrid(heights.astype(np.float32), zone.spacing_m, west, south, 1.0, 1.0, 0.0)]
        )
        e, n = random.uniform(0.0, (size - 1) * zone.spacing_m, (2, 4000)) + [[west], [south]]
        missing = terrain.heights(e, n) - onboard_map.heights(e, n)
        assert float(np.sqrt(np.mean(missing**2))) < 1.3 * zone.detail_m


def test_height_errors_have_the_correlation_that_is_stated() -> None:
    field = exponential_field((400, 400), 0.25, np.random.default_rng(2))
    assert np.var(field) == pytest.approx(1.0, rel=0.1)
    for lag in (1, 4, 8):
        assert np.mean(field[lag:] * field[:-lag]) == pytest.approx(np.exp(-0.25 * lag), abs=0.06)
        assert np.mean(field[:, lag:] * field[:, :-lag]) == pytest.approx(np.exp(-0.25 * lag), abs=0.06)


@pytest.mark.parametrize("azimuth_deg", [0.0, 8.0, 135.0, 270.0])
def test_the_boxes_of_a_zone_cover_its_strip(azimuth_deg: float) -> None:
    zone = mission().part("map", MapParameters).zones[1]
    boxes = np.array(tiles(zone, azimuth_deg))
    azimuth = np.radians(azimuth_deg)
    random = np.random.default_rng(4)
    along = random.uniform(-zone.before_m, zone.beyond_m, 500)
    across = random.uniform(-zone.half_width_m, zone.half_width_m, 500) * 0.7
    e, n = np.sin(azimuth) * along + np.cos(azimuth) * across, np.cos(azimuth) * along - np.sin(azimuth) * across
    inside = (
        (e[:, None] >= boxes[:, 0])
        & (n[:, None] >= boxes[:, 1])
        & (e[:, None] <= boxes[:, 2])
        & (n[:, None] <= boxes[:, 3])
    )
    assert np.all(inside.any(axis=1))


def test_registration_moves_the_terrain_on_the_map() -> None:
    """A map of a terrain whose relief is all at some distance from the target is displaced by the drawn shift."""
    of = mission()
    terrain = Terrain.build(of.part("terrain", TerrainParameters), of.site, of.site.ground_seed)
    onboard_map = make_map(of, terrain)
    shift = of.part("map", MapParameters).registration_m * stream(of.site.ground_seed, "map").standard_normal(2)
    e, n = np.meshgrid(np.linspace(-3000.0, 2000.0, 90), np.linspace(-5000.0, 2000.0, 90))
    right, none = (
        np.std(terrain.heights(e + s * shift[0], n + s * shift[1]) - onboard_map.heights(e, n)) for s in (1.0, 0.0)
    )
    assert right < none
    assert onboard_map.table[0, SIGMA] < onboard_map.table[-1, SIGMA]
