"""Make the onboard image map of a mission before flight, from pictures as orbiters would have taken them of the terrain.

Straight from above, under another Sun than at the landing, through a lens with noise, and displaced. What is smaller than about two
pixels is not there. The flight software never sees the terrain.
"""

from __future__ import annotations

from math import ceil
from pathlib import Path

import cv2
import numpy as np
from numpy.typing import NDArray

from lander_common.image_map import ImageMap, ImageTile
from lander_common.mission import Mission
from lander_common.mission_image_map import ImageMapParameters, Survey, image_map_path
from lander_common.sun import direction_from_angles
from lander_runtime.rng import stream
from lander_terrain.geometry import local_to_site
from lander_terrain.lit_tiles import LitTiles
from lander_terrain.photometry import brightness_grid
from lander_terrain.terrain import Terrain
from lander_tools.make_map import Box, HeightErrors, displacement, prune, surveyed_terrain, tiles

Array = NDArray[np.float64]

_SHADOW_TILES = 64  # kept of those that throw shadows from outside a picture
_MEAN = 90.0  # brightness of level ground, of 255: bright slopes then rarely saturate

cv2.setNumThreads(1)


def ensure_image_map(mission: Mission) -> Path | None:
    """Make the image map of a mission unless it is there already; return its file, None where the mission has none."""
    if "image_map" not in mission.documents:
        return None
    path = image_map_path(mission)
    if not path.is_file():
        make_image_map(mission).save(path)
        prune(path.parent)
    return path


def make_image_map(mission: Mission, terrain: Terrain | None = None) -> ImageMap:
    """The image map of a mission; `terrain` is that of the mission where it is at hand already."""
    surveyed = terrain or Terrain.build(surveyed_terrain(mission), mission.site_frame, mission.site.ground_seed)
    made: list[ImageTile] = []
    for index, zone in enumerate(mission.part("image_map", ImageMapParameters).zones):
        random = stream(mission.site.ground_seed, f"image_map/{index}")
        shift = zone.registration_m * random.standard_normal(2) + displacement(mission)
        boxes = tiles(zone, mission.site.approach_azimuth_deg)
        errors = HeightErrors((zone.height_sigma_m, zone.height_correlation_m), zone.height_spacing_m, boxes, random)
        made += [_tile(surveyed, zone, box, shift, errors, random) for box in boxes]
    return ImageMap.from_tiles(made)


def _tile(
    terrain: Terrain, zone: Survey, box: Box, shift: Array, errors: HeightErrors, random: np.random.Generator
) -> ImageTile:
    """Picture and heights of the ground that lies `shift` to the east and north of the map."""
    west, south = box[:2]
    shape, spacing = _shape(box, zone.height_spacing_m), zone.height_spacing_m
    heights = terrain.grid(west + shift[0], south + shift[1], spacing, shape, spacing)
    return ImageTile(
        brightness=_picture(terrain, zone, box, shift, random),
        spacing_m=zone.spacing_m,
        east_m=west,
        north_m=south,
        heights_m=(heights + errors.grid(west, south, spacing, shape)).astype(np.float32),
        height_spacing_m=spacing,
        registration_m=zone.registration_m,
        height_sigma_m=zone.height_sigma_m,
        sun_elevation_deg=zone.sun_elevation_deg,
        sun_azimuth_deg=zone.sun_azimuth_deg,
    )


def _picture(terrain: Terrain, zone: Survey, box: Box, shift: Array, random: np.random.Generator) -> NDArray[np.uint8]:
    """Brightness of the ground as seen from above, 0 to 255; the Sun stands as the zone says in the middle of the box."""
    west, south, east, north = box
    sun = direction_from_angles(zone.sun_elevation_deg, zone.sun_azimuth_deg)
    middle = 0.5 * (west + east) + float(shift[0]), 0.5 * (south + north) + float(shift[1])
    sun_site = np.array(local_to_site(terrain.data.radius, *middle, *sun.tolist()))
    ground = LitTiles(terrain, sun_site, zone.spacing_m, levels=1, capacity=_SHADOW_TILES)
    heights, light = ground.lit_grid(0, (west + float(shift[0]), south + float(shift[1])), _shape(box, zone.spacing_m))
    radiance = brightness_grid(heights, light, zone.spacing_m, sun)
    level = brightness_grid(np.zeros((2, 2)), np.full((2, 2), light.mean()), 1.0, sun)[0, 0]
    picture = np.asarray(cv2.GaussianBlur(radiance, (0, 0), zone.blur_spacings)) if zone.blur_spacings else radiance
    picture = picture * (_MEAN / level) + zone.noise * random.standard_normal(picture.shape)
    return np.clip(np.rint(picture), 0.0, 255.0).astype(np.uint8)


def _shape(box: Box, spacing: float) -> tuple[int, int]:
    west, south, east, north = box
    return ceil((north - south) / spacing) + 1, ceil((east - west) / spacing) + 1
