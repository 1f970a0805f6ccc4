"""How far the camera has moved from one image to the next, without the map's picture: its heights only give the distance to the ground.

Both images are laid over the same window of the map, each by its own pose; what then differs is the error of the second
pose against the first. So the displacement is that between the two poses, corrected; an error that both poses share drops out of it.
"""

from __future__ import annotations

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray

from lander_flight.map_window import CameraPose
from lander_flight.pose_fit import rotation
from lander_flight.trn_matcher import Pyramid, TrnMatcher

Array = NDArray[np.float64]
Image = NDArray[np.uint8]


@dataclass(frozen=True)
class Frame:
    """An image with the pose that it was taken at, as well as is known."""

    at_ns: int
    head: int
    pyramid: Pyramid
    pose: CameraPose
    up_sigma_m: float | None  # of the pose over the map's ground, by its fix; None without one
    correction_site: Array  # rad, rotation vector: what navigation had turned its attitude by until then


@dataclass(frozen=True)
class Motion:
    """A displacement of the camera, m in site, and its covariance, m^2."""

    since_ns: int
    displacement_site: Array
    covariance: Array


class MotionMeter:
    """Keeps the image before."""

    def __init__(self, matcher: TrnMatcher, below_m: float) -> None:
        """`below_m`: distance to the ground beyond which nothing is measured."""
        self._matcher = matcher
        self._below_m = below_m
        self._before: Frame | None = None

    def measure(self, now: Frame) -> Motion | None:
        """Displacement since the image before, if the same head took both and enough of the ground is in both."""
        before, self._before = self._before, now
        if before is None or before.head != now.head:
            return None
        found = self._matcher.compare(before.pyramid, as_of(before, now), now.pyramid, now.pose, self._below_m)
        if found is None:
            return None
        moved = found.pose.r_site - before.pose.r_site
        # The distance to the ground scales what is measured. A fix finds it by the map's places: it is better than the map's heights.
        up_sigma_m = found.height_sigma_m if before.up_sigma_m is None else before.up_sigma_m
        covariance = found.covariance + np.outer(moved, moved) * (up_sigma_m / found.distance_m) ** 2
        return Motion(before.at_ns, moved, covariance)


def as_of(before: Frame, now: Frame) -> CameraPose:
    """The pose of a frame with what navigation has learned of its attitude until a later one.

    A correction between the two would turn the second against the first, and pass for a displacement of as much of the height.
    """
    learned = rotation(now.correction_site - before.correction_site)
    return replace(before.pose, R_site_optical=learned @ before.pose.R_site_optical)
