"""Another site, where the target is out of reach: the safest place by the onboard map near where the lander comes down."""

from __future__ import annotations

from collections.abc import Sequence
from math import hypot

from lander_common.aiming import safest_place
from lander_common.mission import Mission
from lander_common.mission_map import MapParameters, Zone, mission_map
from lander_common.onboard_map import SPACING, OnboardMap, map_grid
from lander_common.quaternion import Vector
from lander_flight.geometry import map_place, site_point
from lander_flight.guidance_parameters import OtherSiteParameters

_SITE_AXES = ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))


class OtherSite:
    """Says where to land in place of a target."""

    def __init__(
        self,
        parameters: OtherSiteParameters,
        onboard_map: OnboardMap,
        zones: Sequence[Zone],
        pad_radius_m: float,
        radius_m: float,
    ) -> None:
        """`radius_m`: of the sphere through the site, which the map's heights are above."""
        self._parameters = parameters
        self._map = onboard_map
        self._zones = {zone.spacing_m: zone for zone in zones}
        self._pad_radius_m = pad_radius_m
        self._radius_m = radius_m

    @classmethod
    def of(cls, mission: Mission, parameters: OtherSiteParameters | None) -> OtherSite | None:
        """That of a mission; None where it shall have none, or has no map of the ground."""
        zones = mission.part("map", MapParameters).zones
        if parameters is None or not zones:
            return None
        return cls(
            parameters, mission_map(mission), zones, mission.vehicle.legs.pad_radius_m, mission.site_frame.radius_m
        )

    def in_place_of(self, target_site: Vector, r_lander_site: Vector) -> Vector | None:
        """Where to land, m in site, for a lander that comes down more or less straight; None: at the target.

        Also None where the map does not reach, for there no place is known to be better than another.
        """
        x, y, z = r_lander_site
        if hypot(target_site[0] - x, target_site[1] - y) <= self._parameters.beyond_m:
            return None
        below = map_place(_SITE_AXES, (x, y, z + self._radius_m), self._radius_m)
        zone = self._zones.get(float(self._map.table[map_grid(self._map.table, *below), SPACING]))
        if zone is None:
            return None
        place = safest_place(self._map, zone, self._parameters, self._pad_radius_m, below)
        return site_point(*place, self._radius_m)
