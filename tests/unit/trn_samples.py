"""Ground, its image map and pictures of it, made with numpy alone: a witness of what flight software makes of them."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from scipy.ndimage import map_coordinates

from lander_common.camera_geometry import Lens
from lander_common.image_map import ImageMap, ImageTile
from lander_common.mission import resolve
from lander_common.reflectance import grid_slope, phase_share
from lander_flight.map_window import CameraPose, shading
from lander_flight.trn_parameters import TrnParameters
from lander_runtime.config import find, read

Array = np.ndarray
LENS = Lens(width_px=512, height_px=512, focal_px=443.4, centre_px=(256.7, 254.9), k1=-0.12, k2=0.015)
RADIUS_M = resolve("nominal", 1, {"map": "flat"}).site_frame.radius_m
STRAIGHT_DOWN = np.array([0.0, 0.0, 1.0])


def trn_parameters() -> TrnParameters:
    """Those that fly."""
    return read(find("trn", "frigoris")).parse(TrnParameters)


def sun_towards(elevation_deg: float, azimuth_deg: float) -> Array:
    """Unit vector along the axes of the map."""
    elevation, azimuth = np.radians(elevation_deg), np.radians(azimuth_deg)
    return np.array([np.cos(elevation) * np.sin(azimuth), np.cos(elevation) * np.cos(azimuth), np.sin(elevation)])


def shade(heights: Array, posting_m: float, sun: Array, view: Array) -> Array:
    """A whole relief as `shading` has it, cell by cell."""
    share = phase_share(float(sun @ view))
    lit = [shading(*grid_slope(heights, i, j, posting_m), sun, view, share) for i, j in np.ndindex(*heights.shape)]
    return np.array(lit, np.float32).reshape(heights.shape)


@dataclass(frozen=True)
class Ground:
    """A square of heights, m, about the target."""

    heights: Array
    spacing_m: float

    @classmethod
    def fractal(cls, seed: int, slope: float = 0.08, cells: int = 1024, spacing_m: float = 20.0) -> Ground:
        """Relief whose spectrum falls as the third power, with a given rms slope over the spacing."""
        f = np.hypot(*np.meshgrid(np.fft.fftfreq(cells), np.fft.fftfreq(cells)))
        f[0, 0] = np.inf
        noise = np.fft.fft2(np.random.default_rng(seed).standard_normal((cells, cells)))
        heights = np.fft.ifft2(noise * f**-1.5).real
        steepness = np.std(np.diff(heights, axis=0)) / spacing_m
        return cls(heights * slope / steepness, spacing_m)

    @property
    def corner_m(self) -> float:
        """Map coordinate of the first row and column."""
        return -0.5 * (len(self.heights) - 1) * self.spacing_m

    def at(self, values: Array, e: Array, n: Array) -> Array:
        """Values on the ground's grid at map coordinates."""
        i, j = (n - self.corner_m) / self.spacing_m, (e - self.corner_m) / self.spacing_m
        return map_coordinates(values, [i, j], order=1, mode="nearest")

    def brightness(self, sun: Array) -> Array:
        """Lambert's law alone, so that the law that flight software assumes is not quite that of the ground."""
        north, east = np.gradient(self.heights, self.spacing_m)
        normal = np.stack([-east, -north, np.ones_like(east)]) / np.sqrt(1.0 + east**2 + north**2)
        return np.clip(np.tensordot(sun, normal, 1), 0.0, None)

    def image_map(self, sun_elevation_deg: float = 45.0, sun_azimuth_deg: float = 250.0) -> ImageMap:
        """As surveyed, without any error but that of 8 bits."""
        lit = self.brightness(sun_towards(sun_elevation_deg, sun_azimuth_deg))
        pixels = np.clip(np.round(lit / np.percentile(lit, 99) * 180.0), 0, 255).astype(np.uint8)
        place = (self.spacing_m, self.corner_m, self.corner_m)
        stated = (15.0, 3.0, sun_elevation_deg, sun_azimuth_deg)
        return ImageMap.from_tiles(
            [ImageTile(pixels, *place, self.heights.astype(np.float32), self.spacing_m, *stated)]
        )

    def picture(self, pose: CameraPose, sun: Array, noise: float = 1.5, seed: int = 0) -> Array:
        """What the camera sees: each ray meets the ground by iteration."""
        u, v = np.meshgrid(np.arange(512.0), np.arange(512.0))
        rays = LENS.directions(np.stack([u.ravel(), v.ravel()], axis=1)) @ pose.R_site_optical.T
        p = pose.r_site + [0.0, 0.0, RADIUS_M]
        height = np.zeros(len(rays))
        for _ in range(5):
            b = rays @ p
            away = -b - np.sqrt(b**2 - p @ p + (RADIUS_M + height) ** 2)
            q = p + rays * away[:, None]
            across = np.hypot(q[:, 0], q[:, 1])
            scale = RADIUS_M * np.arctan2(across, q[:, 2]) / across
            e, n = scale * q[:, 0], scale * q[:, 1]
            height = self.at(self.heights, e, n)
        lit = self.at(self.brightness(sun), e, n).reshape(512, 512)
        noisy = lit / np.percentile(lit, 99) * 190.0 + noise * np.random.default_rng(seed).standard_normal(lit.shape)
        return np.clip(np.round(noisy), 0, 255).astype(np.uint8)


def looking_down(e: float, n: float, up: float, turn_rad: float = 0.0) -> CameraPose:
    """A camera above a place near the target, its image's upper edge to the north, turned about the vertical."""
    c, s = np.cos(turn_rad), np.sin(turn_rad)
    return CameraPose(np.array([e, n, up]), np.array([[c, s, 0.0], [s, -c, 0.0], [0.0, 0.0, -1.0]]))
