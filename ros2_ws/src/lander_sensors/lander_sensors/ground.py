"""What a ranging device asks of the ground, and a smooth ground to test it against."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, nan, sqrt
from typing import Protocol

from lander_common.mission import Vector3


class Ground(Protocol):
    """A surface that reflects."""

    def ray_range(self, origin_site: Vector3, direction_site: Vector3, max_range_m: float) -> tuple[float, float]:
        """Distance, m, along a unit ray to the surface and the angle of incidence, rad; both NaN where it misses."""

    def albedo(self, east_m: float, north_m: float) -> float:
        """Reflectance at normal incidence and zero phase, 0 to 1."""


@dataclass(frozen=True)
class SmoothGround:
    """A sphere through the origin of the site frame, equally bright everywhere."""

    radius_m: float
    reflectance: float

    def ray_range(self, origin_site: Vector3, direction_site: Vector3, max_range_m: float) -> tuple[float, float]:
        """First intersection with the sphere: the smaller root of |o + t d| = R, in a form without cancellation."""
        x, y, z = origin_site[0], origin_site[1], origin_site[2] + self.radius_m
        along = x * direction_site[0] + y * direction_site[1] + z * direction_site[2]
        above = x * x + y * y + origin_site[2] * (origin_site[2] + 2.0 * self.radius_m)  # |o|^2 - R^2
        discriminant = along * along - above
        if along >= 0.0 or discriminant < 0.0 or above < 0.0:
            return nan, nan
        root = sqrt(discriminant)
        distance = above / (root - along)
        return (distance, acos(min(1.0, root / self.radius_m))) if distance <= max_range_m else (nan, nan)

    def albedo(self, east_m: float, north_m: float) -> float:
        """The same everywhere."""
        return self.reflectance
