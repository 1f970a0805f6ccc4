"""A user's elevation model in place of the fractal."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import numpy as np
import pytest
from numpy.typing import NDArray
from terrain_samples import SITE, changed, mare, only

from lander_common.moon import REFERENCE_RADIUS_M
from lander_terrain import DemError, Terrain
from lander_terrain.dem import georeferenced, map_to_degrees
from lander_terrain.surface import relief

Array = NDArray[np.float64]
SPACING = 50.0


def _hills(e: Array, n: Array) -> Array:
    return 40.0 * np.sin(e / 900.0) * np.cos(n / 700.0) - 2500.0


def _dem(path: Path, **changes: Any) -> dict[str, Any]:
    return {"path": path, "spacing_m": SPACING, "margin_m": 1000.0, "detail_below_m": 100.0, **changes}


@pytest.fixture
def hills(tmp_path: Path) -> Path:
    e, n = np.meshgrid(*[np.arange(-100, 101) * SPACING] * 2)
    path = tmp_path / "hills.npz"
    np.savez(path, heights_m=_hills(e, n), spacing_m=SPACING)
    return path


def test_a_model_gives_its_heights_above_the_target(hills: Path) -> None:
    terrain = only(dem=_dem(hills))
    e, n = np.random.default_rng(1).uniform(-3500.0, 3500.0, (2, 500))
    expected = _hills(e, n) - _hills(np.zeros(1), np.zeros(1))
    np.testing.assert_allclose(terrain.heights(e, n), expected, atol=0.01)  # interpolation of 5.7 km waves at 50 m


def test_interpolation_gains_three_orders(tmp_path: Path) -> None:
    errors = []
    for spacing in (200.0, 100.0):
        e, n = np.meshgrid(*[np.arange(-40, 41) * spacing] * 2)
        np.savez(tmp_path / "hills.npz", heights_m=_hills(e, n), spacing_m=spacing)
        terrain = only(dem=_dem(tmp_path / "hills.npz", detail_below_m=1.0))
        places = np.random.default_rng(2).uniform(-2000.0, 2000.0, (2, 400))
        errors.append(np.std(terrain.heights(*places) - _hills(*places)))
    assert np.log2(errors[0] / errors[1]) > 2.8  # Catmull-Rom: third order (Keys 1981)


def test_outside_of_the_model_the_fractal_goes_on_and_inside_it_keeps_its_detail(hills: Path) -> None:
    terrain = Terrain.build(changed("mare_frigoris", dem=_dem(hills), features=()), SITE, 1)
    bare = mare(1)
    far = np.array([2e4, 3e4]), np.array([1e4, -2e4])
    assert np.ptp(terrain.heights(*far) - bare.heights(*far)) == pytest.approx(0.0, abs=1e-9)
    e = np.linspace(0.0, 300.0, 3000)
    rough = np.diff(terrain.heights(e, np.zeros_like(e)), 2)
    smooth = np.diff(_hills(e, np.zeros_like(e)), 2)
    assert np.std(rough) > 10.0 * np.std(smooth)


def test_edges_of_the_model_are_smooth(hills: Path) -> None:
    terrain = Terrain.build(changed("mare_frigoris", dem=_dem(hills), craters=None, features=()), SITE, 1)
    e, step = np.linspace(-8000.0, 8000.0, 2001), 1e-4
    slopes = np.array([relief(terrain.data, x, 300.0, 0.0)[1] for x in e])
    differences = terrain.heights(e + step, np.full_like(e, 300.0)) - terrain.heights(e - step, np.full_like(e, 300.0))
    np.testing.assert_allclose(slopes, differences / (2.0 * step), atol=1e-5)
    assert np.max(np.abs(slopes)) < 0.5


def test_a_grid_over_a_model_is_what_the_queries_say(hills: Path) -> None:
    terrain = Terrain.build(changed("mare_frigoris", dem=_dem(hills)), SITE, 1)
    e, n = np.meshgrid(3800.0 + 20.0 * np.arange(40), -200.0 + 20.0 * np.arange(30))
    np.testing.assert_allclose(terrain.grid(3800.0, -200.0, 20.0, (30, 40), 0.0), terrain.heights(e, n), atol=1e-9)


def test_a_model_may_lie_beside_the_target(tmp_path: Path) -> None:
    path = tmp_path / "beside.npz"
    np.savez(path, heights_m=np.full((101, 101), 70.0) + np.eye(101), spacing_m=100.0, east_m=2e4, north_m=0.0)
    terrain = only(dem=_dem(path))
    assert terrain.height(0.0, 0.0) == 0.0
    assert terrain.height(2e4 + 5000.0, 5000.0) == pytest.approx(1.0, abs=0.02)


@pytest.mark.parametrize(
    ("content", "message"),
    [
        ({"spacing_m": 10.0}, "heights_m missing"),
        ({"heights_m": np.zeros((3, 3)), "spacing_m": 10.0}, "do not leave two margins"),
        ({"heights_m": np.full((300, 300), np.nan), "spacing_m": 10.0}, "has gaps"),
        ({"heights_m": np.zeros(300), "spacing_m": 10.0}, "two dimensions"),
    ],
)
def test_an_unusable_model_is_refused_with_its_reason(tmp_path: Path, content: dict[str, Any], message: str) -> None:
    path = tmp_path / "bad.npz"
    np.savez(path, **content)
    with pytest.raises(DemError, match=message):
        only(dem=_dem(path))


def test_a_missing_or_unknown_file_is_refused(tmp_path: Path) -> None:
    with pytest.raises(DemError, match="does not exist"):
        only(dem=_dem(tmp_path / "none.npz"))
    (tmp_path / "dem.xyz").touch()
    with pytest.raises(DemError, match=r"expected \.npz or \.tif"):
        only(dem=_dem(tmp_path / "dem.xyz"))


# GeoTIFF tags: pixel scale, tie point (raster 0, 0 at the upper left corner), geo keys
_GEOGRAPHIC = (1, 1, 0, 2, 1024, 0, 1, 2, 1025, 0, 1, 1)
_EQUIRECTANGULAR = (1, 1, 0, 5, 1024, 0, 1, 1, 1025, 0, 1, 1, 2057, 34736, 1, 0, 3075, 0, 1, 17, 3078, 34736, 1, 1)


def _plane(latitude: Array, longitude: Array) -> Array:
    return 100.0 * (latitude - 60.5) + 10.0 * (longitude + 4.6)


def _raster(step_deg: float) -> Array:
    latitude = 61.5 - step_deg * (np.arange(round(2.0 / step_deg)) + 0.5)
    longitude = -6.6 + step_deg * (np.arange(round(4.0 / step_deg)) + 0.5)
    return _plane(latitude[:, None], longitude[None, :])


def test_a_raster_in_degrees_is_read_at_its_places() -> None:
    tags = {33550: (0.01, 0.01, 0.0), 33922: (0.0, 0.0, 0.0, -6.6, 61.5, 0.0), 34735: _GEOGRAPHIC}
    raster = georeferenced(Path("x.tif"), _raster(0.01), tags)
    latitude, longitude = np.array([60.7, 60.123]), np.array([-4.0, -5.5])
    np.testing.assert_allclose(raster.sample(latitude, longitude), _plane(latitude, longitude), atol=1e-9)
    np.testing.assert_allclose(raster.sample(latitude, longitude + 360.0), _plane(latitude, longitude), atol=1e-9)


def test_an_equirectangular_raster_is_read_at_its_places() -> None:
    metres = np.radians(1.0) * REFERENCE_RADIUS_M
    east = metres * np.cos(np.radians(60.0))
    tags = {
        33550: (0.01 * east, 0.01 * metres, 0.0),
        33922: (0.0, 0.0, 0.0, -6.6 * east, 61.5 * metres, 0.0),
        34735: _EQUIRECTANGULAR,
        34736: (REFERENCE_RADIUS_M, 60.0),
    }
    raster = georeferenced(Path("x.tif"), _raster(0.01), tags)
    latitude, longitude = np.array([60.7, 60.123]), np.array([-4.0, -5.5])
    np.testing.assert_allclose(raster.sample(latitude, longitude), _plane(latitude, longitude), atol=1e-9)


def test_a_raster_without_a_known_projection_is_refused() -> None:
    tags: dict[int, Any] = {33550: (1.0, 1.0, 0.0), 33922: (0.0,) * 6, 34735: (1, 1, 0, 1, 1024, 0, 1, 1)}
    with pytest.raises(DemError, match="projection is neither"):
        georeferenced(Path("x.tif"), np.zeros((4, 4)), tags)
    with pytest.raises(DemError, match="no georeference"):
        georeferenced(Path("x.tif"), np.zeros((4, 4)), {})


def test_a_geotiff_file_becomes_the_terrain_around_the_target(tmp_path: Path) -> None:
    tifffile = pytest.importorskip("tifffile")
    path = tmp_path / "plane.tif"
    tags = [
        (33550, "d", 3, (0.01, 0.01, 0.0), True),
        (33922, "d", 6, (0.0, 0.0, 0.0, -6.6, 61.5, 0.0), True),
        (34735, "H", len(_GEOGRAPHIC), _GEOGRAPHIC, True),
    ]
    tifffile.imwrite(path, _raster(0.01).astype(np.float32), extratags=tags)
    terrain = only(dem=_dem(path, spacing_m=200.0))
    e, n = np.random.default_rng(3).uniform(-2e4, 2e4, (2, 200))
    latitude, longitude = map_to_degrees(SITE, e, n)
    np.testing.assert_allclose(terrain.heights(e, n), _plane(latitude, longitude), atol=0.05)
