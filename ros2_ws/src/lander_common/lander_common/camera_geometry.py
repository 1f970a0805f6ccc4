"""The descent camera as a geometric device: what its maker hands over, and what the flight software knows of it.

Pixel coordinates (u, v): u to the right, v down, whole numbers at the centres of pixels, as in OpenCV and ROS.
Axes of `camera_optical`: x right, y down, z along the boresight (REP-103).
"""

from __future__ import annotations

from functools import cached_property
from math import sqrt
from typing import Annotated, Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from pydantic import ConfigDict, Field, model_validator

from lander_common.mission import Mission, Positive, Vector3
from lander_runtime.config import Parameters

Array = NDArray[np.float64]

_ITERATIONS = (
    8  # of undoing the distortion: an error shrinks to a tenth or less each time at the corners of such lenses
)
_PERPENDICULAR = 1e-6  # cosine between a head's axes that passes for none

# Entries of `Lens.numbers`
FOCAL, CENTRE_U, CENTRE_V, K1, K2 = range(5)


class Lens(Parameters):
    """A lens with its imager: pinhole with radial distortion (Brown 1966), square pixels."""

    width_px: Annotated[int, Field(ge=16)]
    height_px: Annotated[int, Field(ge=16)]
    focal_px: Positive
    centre_px: tuple[float, float]  # (u, v) of the boresight
    k1: float  # radial distortion: r is multiplied by 1 + k1 r^2 + k2 r^4, r in focal lengths from the boresight
    k2: float

    @cached_property
    def numbers(self) -> Array:
        """What `project` and `direction` take, shape (5,)."""
        return np.array([self.focal_px, *self.centre_px, self.k1, self.k2])

    @cached_property
    def matrix(self) -> Array:
        """Camera matrix K, shape (3, 3)."""
        u, v = self.centre_px
        return np.array([[self.focal_px, 0.0, u], [0.0, self.focal_px, v], [0.0, 0.0, 1.0]])

    def pixels(self, points_optical: Any) -> Array:
        """Pixel coordinates, shape (k, 2), of points ahead of the camera, in camera_optical, shape (k, 3)."""
        return np.asarray(_project_all(self.numbers, np.ascontiguousarray(points_optical, float)))

    def directions(self, pixels: Any) -> Array:
        """Unit directions in camera_optical, shape (k, 3), of what is seen at pixel coordinates, shape (k, 2)."""
        return np.asarray(_directions(self.numbers, np.ascontiguousarray(pixels, float)))


class Head(Parameters):
    """An optical head as the drawings have it."""

    name: str
    position_m: Vector3  # of the entrance pupil, in body
    boresight: Vector3  # unit, in body
    image_up: Vector3  # unit, in body: towards the upper edge of the image, perpendicular to the boresight

    @model_validator(mode="after")
    def _perpendicular(self) -> Head:
        axes = np.array([self.boresight, self.image_up])
        if not np.allclose(axes @ axes.T, np.eye(2), rtol=0.0, atol=_PERPENDICULAR):
            raise ValueError("boresight and image_up must be unit vectors, perpendicular to each other")
        return self

    @cached_property
    def R_body_optical(self) -> Array:
        """Rotation from camera_optical to body, shape (3, 3)."""
        forward, down = np.array(self.boresight), -np.array(self.image_up)
        return np.array([np.cross(down, forward), down, forward]).T


class CameraGeometry(Parameters):
    """Lens and heads; all heads have the same lens and imager, and one of them is read out at a time."""

    lens: Lens
    heads: Annotated[tuple[Head, ...], Field(min_length=1)]


class _Known(Parameters):
    """config/camera/*.yaml, the part that flight software knows."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)

    geometry: CameraGeometry


def camera_geometry(mission: Mission) -> CameraGeometry:
    """The geometry of the mission's camera. Raises ConfigError."""
    return mission.part("camera", _Known).geometry


@njit(cache=True, error_model="numpy")
def project(lens: Array, x: float, y: float, z: float) -> tuple[float, float]:
    """Pixel (u, v) of a point in camera_optical with z > 0."""
    inverse = 1.0 / z
    a, b = x * inverse, y * inverse
    r2 = a * a + b * b
    stretch = lens[FOCAL] * (1.0 + r2 * (lens[K1] + r2 * lens[K2]))
    return lens[CENTRE_U] + stretch * a, lens[CENTRE_V] + stretch * b


@njit(cache=True)
def direction(lens: Array, u: float, v: float) -> tuple[float, float, float]:
    """Unit vector in camera_optical of what is seen at a pixel: the inverse of `project`, by fixed-point iteration."""
    a, b = (u - lens[CENTRE_U]) / lens[FOCAL], (v - lens[CENTRE_V]) / lens[FOCAL]
    x, y = a, b
    for _ in range(_ITERATIONS):
        r2 = x * x + y * y
        stretch = 1.0 + r2 * (lens[K1] + r2 * lens[K2])
        x, y = a / stretch, b / stretch
    scale = 1.0 / sqrt(1.0 + x * x + y * y)
    return x * scale, y * scale, scale


@njit(cache=True)
def _project_all(lens: Array, points: Array) -> Array:
    pixels = np.empty((points.shape[0], 2))
    for k in range(points.shape[0]):
        pixels[k] = project(lens, points[k, 0], points[k, 1], points[k, 2])
    return pixels


@njit(cache=True)
def _directions(lens: Array, pixels: Array) -> Array:
    found = np.empty((pixels.shape[0], 3))
    for k in range(pixels.shape[0]):
        found[k] = direction(lens, pixels[k, 0], pixels[k, 1])
    return found
