"""Choose where to aim within the landing zone, before flight, from the onboard map alone."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from lander_common.landing_risk import footprint_planes, over_ellipse, slope_risk
from lander_common.mission_map import TargetChoice, Zone
from lander_common.onboard_map import OnboardMap, Place

Array = NDArray[np.float64]

_MARGIN_SIGMAS = 3.0  # of map around the landing zone that the ellipses at its edge reach into


def safest_target(onboard_map: OnboardMap, zone: Zone, choice: TargetChoice, pad_radius_m: float) -> Place:
    """Of all samples of the map in the landing zone the one with the least risk over the landing ellipse around it.

    `zone`: the finest one, which has to cover the landing zone.
    """
    e, n, risk = aiming_risk(onboard_map, zone, choice, pad_radius_m)
    inside = np.hypot(e, n) <= choice.within_m
    best = np.argmin(np.where(inside, risk, np.inf))
    east, north = float(e.flat[best]), float(n.flat[best])
    return east, north, onboard_map.height(east, north)


def aiming_risk(
    onboard_map: OnboardMap, zone: Zone, choice: TargetChoice, pad_radius_m: float
) -> tuple[Array, Array, Array]:
    """East, north, m, of samples over the landing zone and around it, and the risk of aiming there."""
    reach = ceil((choice.within_m + _MARGIN_SIGMAS * choice.miss_sigma_m) / zone.spacing_m)
    line = zone.spacing_m * np.arange(-reach, reach + 1.0)
    e, n = np.meshgrid(line, line)
    planes = footprint_planes(onboard_map.heights(e, n), zone.spacing_m, pad_radius_m)
    risk = slope_risk(planes, pad_radius_m, zone.detail_m, choice.slope_deg)
    return e, n, over_ellipse(risk, choice.miss_sigma_m, zone.spacing_m)
