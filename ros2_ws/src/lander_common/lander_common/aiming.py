"""Where to aim, by the onboard map alone: before flight within the landing zone, in flight within reach of the lander."""

from __future__ import annotations

from math import ceil

import numpy as np
from numpy.typing import NDArray

from lander_common.landing_risk import footprint_planes, over_ellipse, slope_risk
from lander_common.mission_map import TargetChoice, Zone
from lander_common.onboard_map import OnboardMap, Place

Array = NDArray[np.float64]

_MARGIN_SIGMAS = 3.0  # of map around the ground in question that the ellipses at its edge reach into


def safest_place(
    onboard_map: OnboardMap,
    zone: Zone,
    choice: TargetChoice,
    pad_radius_m: float,
    middle: tuple[float, float] = (0.0, 0.0),
) -> Place:
    """Of all samples of the map about a place the one with the least risk over the landing ellipse around it.

    `zone`: the finest one there, which has to cover the ground in question. `middle`: map coordinates, m.
    """
    e, n, risk = aiming_risk(onboard_map, zone, choice, pad_radius_m, middle)
    inside = np.hypot(e - middle[0], n - middle[1]) <= choice.within_m
    best = np.argmin(np.where(inside, risk, np.inf))
    east, north = float(e.flat[best]), float(n.flat[best])
    return east, north, onboard_map.height(east, north)


def aiming_risk(
    onboard_map: OnboardMap, zone: Zone, choice: TargetChoice, pad_radius_m: float, middle: tuple[float, float]
) -> tuple[Array, Array, Array]:
    """East, north, m, of samples of the ground in question and around it, and the risk of aiming there."""
    reach = ceil((choice.within_m + _MARGIN_SIGMAS * choice.miss_sigma_m) / zone.spacing_m)
    line = zone.spacing_m * np.arange(-reach, reach + 1.0)
    e, n = np.meshgrid(line + middle[0], line + middle[1])
    planes = footprint_planes(onboard_map.heights(e, n), zone.spacing_m, pad_radius_m)
    risk = slope_risk(planes, pad_radius_m, zone.detail_m, choice.slope_deg)
    return e, n, over_ellipse(risk, choice.miss_sigma_m, zone.spacing_m)
