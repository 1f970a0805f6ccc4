"""How likely the ground is to be too steep under the legs, from one image of it under a low Sun and the onboard map.

Brightness tells the slope along the Sun (photoclinometry: Rindfleisch 1966; under the lunar-Lambert law of McEwen 1991),
to the resolution of a pixel; it tells nothing of the slope across. There the onboard map is believed, which is coarser.
By how much it is wrong, the image tells along the Sun, and craters are round: so the local mean square of that
difference is taken for the variance of the slope across. What slopes scatter within a footprint makes its pads stand
higher and lower, by that scatter times half the width of a bump.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate, gaussian_filter

from lander_common.landing_risk import over_ellipse, steep_risk
from lander_common.reflectance import phase_share
from lander_flight.hazards_parameters import HazardsParameters

Array = NDArray[np.float64]

_STATIONS = np.linspace(0.0, 1.0, 201)  # of the cosine of incidence, at which the law is tabulated
_UNSEEN = 1.0  # risk of what is not seen


@dataclass(frozen=True)
class Light:
    """Where the light comes from: unit vectors towards Sun and camera (east, north, up)."""

    sun: Array
    view: Array

    @property
    def across(self) -> tuple[float, float]:
        """The horizontal direction (east, north) towards the Sun."""
        level = hypot(self.sun[0], self.sun[1])
        return float(self.sun[0] / level), float(self.sun[1] / level)

    def slope(self, relative: Array) -> Array:
        """Rise towards the Sun (tangent) of ground so many times as bright as level ground; in shadow, that of its edge."""
        share, emission = phase_share(float(self.sun @ self.view)), float(self.view[2])
        brightness = share * 2.0 * _STATIONS / (_STATIONS + emission) + (1.0 - share) * _STATIONS
        level = np.interp(self.sun[2], _STATIONS, brightness)
        incidence = np.interp(relative * level, brightness, _STATIONS)
        return np.asarray((self.sun[2] - incidence) / hypot(self.sun[0], self.sun[1]))


def hazard_map(
    image: Array, heights: Array, posting_m: float, light: Light, pad_m: float, p: HazardsParameters
) -> Array:
    """Risk of aiming at each cell of a grid, rows to north.

    `image`: brightness on the grid, NaN where it is not seen; `heights`: of the onboard map there, m.
    """
    seen = np.isfinite(image)
    filled = np.where(seen, image, 0.0)
    around = gaussian_filter(filled, p.level_m / posting_m) / np.maximum(
        gaussian_filter(seen.astype(float), p.level_m / posting_m), 1e-6
    )
    relative = np.where(seen, filled / np.maximum(around, 1e-6), 1.0)
    north, east = np.gradient(heights, posting_m)
    toward = light.across
    map_along, map_across = east * toward[0] + north * toward[1], north * toward[0] - east * toward[1]
    along = light.slope(relative) + gaussian_filter(map_along, p.level_m / posting_m)
    window = disc(pad_m / posting_m)
    tilt, map_tilt, across = (correlate(slope, window, mode="nearest") for slope in (along, map_along, map_across))
    wrong = correlate((tilt - map_tilt) ** 2, disc(p.unseen_m / posting_m), mode="nearest")
    rough = correlate((along - tilt) ** 2, window, mode="nearest")
    variance = p.slope_noise**2 + 0.5 * wrong + 0.5 * (p.bump_m / pad_m) ** 2 * rough
    risk = steep_risk(tilt, across, variance, p.slope_deg)
    shadow = correlate((relative < p.darkest).astype(float), window, mode="nearest") > p.shadow_share
    return over_ellipse(np.where(seen & ~shadow, risk, _UNSEEN), p.landing_sigma_m, posting_m)


def disc(radius: float) -> Array:
    """Equal weights over a disc of a radius in cells, the eight neighbours at least; their sum is 1."""
    reach = max(radius, 1.5)
    n, e = np.mgrid[-int(reach) : int(reach) + 1, -int(reach) : int(reach) + 1]
    weights = (np.hypot(e, n) <= reach).astype(float)
    return weights / weights.sum()
