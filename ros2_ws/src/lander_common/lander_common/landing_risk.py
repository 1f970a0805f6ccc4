"""How likely the ground is to be too steep under the legs, from a grid of heights: what a landing place is chosen by."""

from __future__ import annotations

from math import radians, tan
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import correlate, gaussian_filter
from scipy.special import chndtr

Array = NDArray[np.float64]

_SIGMAS = 3.0  # the landing ellipse ends there


class Planes(NamedTuple):
    """Least-squares planes of a grid in a round window about each sample; three arrays of the grid's shape."""

    east: Array  # slope (tangent) along the columns
    north: Array  # along the rows
    residual_m: Array  # root mean square of the heights about the plane


def footprint_planes(heights_m: Array, spacing_m: float, radius_m: float) -> Planes:
    """Planes under a footprint; a window takes in the eight neighbours at least, and at the edge the nearest samples again."""
    reach = max(radius_m / spacing_m, 1.5)
    n, e = np.mgrid[-int(reach) : int(reach) + 1, -int(reach) : int(reach) + 1].astype(float)
    window = (np.hypot(e, n) <= reach).astype(float)
    count, square = window.sum(), (window * e**2).sum()
    level = heights_m - heights_m.mean()  # so that the sums of squares keep their digits
    east = correlate(level, window * e, mode="nearest") / square
    north = correlate(level, window * n, mode="nearest") / square
    mean = correlate(level, window, mode="nearest") / count
    scatter = correlate(level**2, window, mode="nearest") / count - mean**2 - (east**2 + north**2) * square / count
    return Planes(east / spacing_m, north / spacing_m, np.sqrt(np.maximum(scatter, 0.0)))


def slope_risk(planes: Planes, pad_radius_m: float, detail_m: float, limit_deg: float) -> Array:
    """Probability that the plane through four pads is steeper than a limit.

    `detail_m`: 1-sigma of what the grid does not show. Each pad stands higher or lower by that and by the residual of
    its plane, independently, so both slopes of the plane through the pads err by sigma / (sqrt(2) r), r the radius of
    the pads' circle (least squares over points at right angles).
    """
    variance = (planes.residual_m**2 + detail_m**2) / (2.0 * pad_radius_m**2)
    return steep_risk(planes.east, planes.north, variance, limit_deg)


def steep_risk(slope_1: Array, slope_2: Array, variance: Array, limit_deg: float) -> Array:
    """Probability that ground of two estimated slopes (tangents, at right angles) is steeper than a limit.

    Both err normally with the same variance, so the squared slope over it follows the noncentral chi-square distribution
    with two degrees of freedom. (Its cumulative function is taken from where it costs guidance no half second to load.)
    """
    seen = slope_1**2 + slope_2**2
    return np.asarray(1.0 - chndtr(tan(radians(limit_deg)) ** 2 / variance, 2.0, seen / variance))


def over_ellipse(risk: Array, sigma_m: float, spacing_m: float) -> Array:
    """The risk of aiming at each sample: the mean over where the lander then comes down, normal about it to 3 sigma."""
    return np.asarray(gaussian_filter(risk, sigma_m / spacing_m, mode="nearest", truncate=_SIGMAS))
