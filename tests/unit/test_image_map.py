"""The onboard image map."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from lander_common.image_map import NO_TILE, SPACING, ImageMap, ImageTile, image_height


def tile(spacing_m: float, west: float, south: float, size_m: float, level: int) -> ImageTile:
    """A square whose brightness rises to the east and whose heights rise to the north."""
    samples, height_samples = int(size_m / spacing_m) + 1, int(size_m / (2.0 * spacing_m)) + 1
    east = west + spacing_m * np.arange(samples)
    north = south + 2.0 * spacing_m * np.arange(height_samples)
    return ImageTile(
        brightness=np.broadcast_to(level + east / 100.0, (samples, samples)).astype(np.uint8),
        spacing_m=spacing_m,
        east_m=west,
        north_m=south,
        heights_m=np.broadcast_to(north[:, None] / 10.0, (height_samples, height_samples)).astype(np.float32),
        height_spacing_m=2.0 * spacing_m,
        registration_m=1.0,
        height_sigma_m=2.0,
        sun_elevation_deg=30.0,
        sun_azimuth_deg=100.0,
    )


@pytest.fixture(scope="module")
def image_map() -> ImageMap:
    """A coarse zone of two tiles with a fine one within."""
    coarse = [tile(100.0, -10_000.0, -5_000.0, 10_000.0, 100), tile(100.0, 0.0, -5_000.0, 10_000.0, 100)]
    return ImageMap.from_tiles([*coarse, tile(10.0, -500.0, -500.0, 1_000.0, 200)])


def test_a_place_is_read_from_the_zone_that_suits_the_resolution(image_map: ImageMap) -> None:
    e, n = np.array([200.0, 4_000.0, 200.0]), np.array([100.0, 100.0, 100.0])
    fine, coarse = image_map.sample(e, n, 10.0), image_map.sample(e, n, 80.0)
    assert image_map.table[fine.tiles, SPACING].tolist() == [10.0, 100.0, 10.0]
    assert image_map.table[coarse.tiles, SPACING].tolist() == [100.0, 100.0, 100.0]
    np.testing.assert_allclose(fine.brightness, [202.0, 140.0, 202.0])
    np.testing.assert_allclose(coarse.heights_m, 10.0, atol=1e-4)


def test_a_resolution_finer_than_any_zone_gets_the_finest(image_map: ImageMap) -> None:
    assert image_map.spacing_m(0.0, 0.0) == 10.0
    assert image_map.table[image_map.sample(0.0, 0.0, 0.1).tiles, SPACING] == 10.0


def test_outside_of_the_map_there_is_nothing(image_map: ImageMap) -> None:
    outside = image_map.sample(30_000.0, 0.0, 10.0)
    assert outside.tiles == NO_TILE
    assert np.isnan(outside.brightness)
    assert np.isnan(outside.heights_m)
    assert np.isnan(image_map.spacing_m(30_000.0, 0.0))
    assert np.isnan(image_height(image_map.table, image_map.heights, 30_000.0, 0.0, 10.0))


def test_a_patch_is_the_samples_of_its_grid(image_map: ImageMap) -> None:
    patch = image_map.patch(-700.0, -300.0, 10.0, (40, 140))
    for row, column in ((0, 0), (13, 25), (39, 139)):
        place = image_map.sample(-700.0 + 10.0 * column, -300.0 + 10.0 * row, 10.0)
        assert patch.tiles[row, column] == place.tiles
        assert patch.brightness[row, column] == place.brightness
        assert patch.heights_m[row, column] == place.heights_m


def test_the_file_gives_back_the_map(image_map: ImageMap, tmp_path: Path) -> None:
    image_map.save(tmp_path / "maps" / "map.npz")
    read = ImageMap.load(tmp_path / "maps" / "map.npz")
    assert np.array_equal(read.table, image_map.table)
    assert np.array_equal(read.pixels, image_map.pixels)
    assert np.array_equal(read.heights, image_map.heights)
    assert [file.name for file in (tmp_path / "maps").iterdir()] == ["map.npz"]
