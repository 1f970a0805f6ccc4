"""Redesignation: whether to land elsewhere than at the target, which is out of reach or is found to be hazardous."""

from __future__ import annotations

from typing import Any

from lander_common.quaternion import Vector
from lander_flight.guidance_parameters import RedesignationParameters
from lander_flight.other_site import OtherSite
from lander_runtime.messages import Message


class Redesignation:
    """Counts how often the target was changed, and weighs a change."""

    def __init__(self, parameters: RedesignationParameters, other_site: OtherSite | None = None) -> None:
        """`other_site`: None where a target that is out of reach stands all the same."""
        self._parameters = parameters
        self._other_site = other_site
        self._last_s = -parameters.apart_s
        self.count = 0

    def within_reach(self, altitude_m: float, target_site: Vector, r_lander_site: Vector) -> Vector | None:
        """Another site, m in site, in place of a target that is out of reach; None where it is within reach."""
        if self._other_site is None or altitude_m < self._parameters.lowest_m:
            return None
        place = self._other_site.in_place_of(target_site, r_lander_site)
        self.count += place is not None
        return place

    def elsewhere(self, time_s: float, altitude_m: float, offer: Message | None) -> Vector | None:
        """The place to land at in place of a hazardous target, in site; None to stay with the target."""
        p = self._parameters
        if offer is None or not offer.valid or altitude_m < p.lowest_m:
            return None
        spent = self.count >= p.most or time_s - self._last_s < p.apart_s
        if spent or offer.target_risk < p.tolerated_risk or offer.risk > p.better * offer.target_risk:
            return None
        self.count, self._last_s = self.count + 1, time_s
        return _vector(offer.r_safe_site)


def _vector(values: Any) -> Vector:
    x, y, z = values.tolist()
    return x, y, z
