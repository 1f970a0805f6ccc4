"""What a ranging device asks of the ground."""

from __future__ import annotations

from typing import Protocol

from lander_common.mission import Vector3


class Ground(Protocol):
    """A surface that reflects."""

    def ray_range(self, origin_site: Vector3, direction_site: Vector3, max_range_m: float) -> tuple[float, float]:
        """Distance, m, along a unit ray to the surface and the angle of incidence, rad; both NaN where it misses."""

    def albedo(self, east_m: float, north_m: float) -> float:
        """Reflectance at normal incidence and zero phase, 0 to 1."""
