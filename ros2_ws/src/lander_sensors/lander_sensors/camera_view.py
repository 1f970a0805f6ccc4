"""The sunlit ground before a camera: brightness in every pixel for a pose, without blur or noise."""

from __future__ import annotations

from dataclasses import dataclass
from functools import lru_cache

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import Lens
from lander_sensors.camera_motion import image_motion, smear
from lander_sensors.camera_render import render, tiles_of, trace_lattice
from lander_terrain.lit_tiles import LitTiles
from lander_terrain.terrain import Terrain

Array = NDArray[np.float64]
Image = NDArray[np.float32]

_FINEST_M = 0.125  # spacing of the finest samples of the ground: an image from below 50 m resolves more than is there
_LEVELS = 12  # to 256 m
# Kept, 0.5 MB each: about as many as a descent looks at, so that the next flight in this process finds them.
_TILES = 320
_CLEARANCE_M = 0.1  # of the camera over the level to which rays are traced, at least


@dataclass(frozen=True)
class CameraPose:
    """Where a camera is and how it moves, over the ground."""

    origin_site: Array  # m, shape (3,)
    R_site_optical: Array  # shape (3, 3)
    v_site: Array  # m/s, shape (3,)
    w_optical: Array  # rad/s, shape (3,)


@lru_cache(maxsize=1)
def sunlit(terrain: Terrain, sun_site: tuple[float, float, float]) -> LitTiles:
    """The tiles that all views of a terrain under a Sun share. What they show depends on nobody's way there."""
    return LitTiles(terrain, np.array(sun_site), _FINEST_M, _LEVELS, _TILES)


class CameraView:
    """Renders frames over a terrain under a Sun."""

    def __init__(self, terrain: Terrain, sun_site: Array, lens: Lens) -> None:
        """`sun_site`: unit vector towards the Sun, in site, shape (3,)."""
        self._terrain = terrain
        self._sun_site = sun_site
        self._lens = lens
        x, y, z = sun_site.tolist()
        self._tiles = sunlit(terrain, (x, y, z))
        self._image = np.empty((lens.height_px, lens.width_px), np.float32)

    def frame(self, pose: CameraPose, exposure_s: float) -> Image:
        """Brightness (I/F) in every pixel, smeared by the motion over the exposure, s; shape (height, width).

        Valid until the next call.
        """
        radius, lens = self._terrain.data.radius, self._lens.numbers
        east, north, height = self._terrain.to_map(pose.origin_site.tolist())
        level = min(self._terrain.height(east, north), height - _CLEARANCE_M)
        lattice = trace_lattice(
            lens,
            self._image.shape,
            pose.origin_site,
            pose.R_site_optical,
            self._sun_site,
            radius,
            level,
            self._tiles.data.spacings,
        )
        self._tiles.show(tiles_of(lattice, self._tiles.data.spacings))
        render(lattice, self._tiles.data, level, self._image)
        v_optical = pose.R_site_optical.T @ pose.v_site
        paths = image_motion(
            lens, lattice, radius, level, pose.origin_site, pose.R_site_optical, v_optical, pose.w_optical, exposure_s
        )
        return smear(self._image, paths)
