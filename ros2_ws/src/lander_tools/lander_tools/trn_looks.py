"""One look of the matcher at a picture, for benchmarks: from where, believed how, and whether it was right."""

from __future__ import annotations

from collections import Counter
from collections.abc import Iterable
from dataclasses import dataclass
from math import radians
from time import process_time

import numpy as np
from numpy.typing import NDArray

from lander_flight.map_window import CameraPose
from lander_flight.trn_matcher import Expectation, Outcome, Sighting, TrnMatcher
from lander_tools.reference_descent import GATES
from lander_tools.trn_scene import Scene, looking_down, turn

Array = NDArray[np.float64]

CORRECT_M = 40.0  # a correct fix: within this, or ...
CORRECT_CELLS = 2.0  # ... two cells of the map there, if that is more
_TILT_DEG = 6.0  # 1-sigma of the camera's boresight from the vertical
_MOUNT_DEG = 0.02  # 1-sigma, of the camera against the axes of the IMU


@dataclass(frozen=True)
class Try:
    """A picture, and what the matcher made of it."""

    sighting: Sighting
    error_m: Array  # of the fix in site; NaN where there is none
    altitude_m: float
    seconds: float  # of one core

    @property
    def correct(self) -> bool:
        """Whether the fix is where the camera was."""
        cells = CORRECT_CELLS * self.sighting.view.window.posting_m if self.sighting.view else 0.0
        return bool(np.linalg.norm(self.error_m[:2]) <= max(CORRECT_M, cells))


def truth_at(scene: Scene, altitude_m: float, random: np.random.Generator) -> tuple[CameraPose, Array]:
    """A pose along the reference descent, up to two kilometres beside it, and its velocity in site, m/s."""
    heights = np.array([gate.height_m for gate in GATES])[::-1]
    short = float(np.interp(altitude_m, heights, np.array([gate.short_m for gate in GATES])[::-1]))
    forward = float(np.interp(altitude_m, heights, np.array([gate.forward_m_s for gate in GATES])[::-1]))
    azimuth = radians(scene.mission.site.approach_azimuth_deg)
    along, left = np.array([np.sin(azimuth), np.cos(azimuth)]), np.array([-np.cos(azimuth), np.sin(azimuth)])
    beside = min(2000.0, 0.1 * altitude_m) * random.uniform(-1.0, 1.0)
    e, n = (-short * along + beside * left).tolist()
    tilt = radians(_TILT_DEG) * random.standard_normal(3)
    pose = looking_down(scene.place(e, n, altitude_m), scene.terrain.data.radius, -azimuth, tilt)
    return pose, np.array([*(forward * along), 0.0])


def believed(pose: CameraPose, offset: Array, sigma_m: tuple[float, float], random: np.random.Generator) -> Expectation:
    """What navigation would think: off by an offset, m, in site, the attitude by that of the mount."""
    R = turn(radians(_MOUNT_DEG) * random.standard_normal(3)) @ pose.R_site_optical
    return Expectation(CameraPose(pose.r_site + offset, R), *sigma_m, radians(0.05))


def attempt(
    matcher: TrnMatcher, picture: NDArray[np.uint8], pose: CameraPose, expected: Expectation, wide: bool
) -> Try:
    """One image through a matcher."""
    began = process_time()
    sighting = matcher.acquire(picture, expected) if wide else matcher.track(picture, expected)
    took = process_time() - began
    fit = sighting.fit
    error = fit.steady.r_site - pose.r_site if fit is not None else np.full(3, np.nan)
    return Try(sighting, error, float(pose.r_site[2]), took)


def reasons(outcomes: Iterable[Outcome]) -> str:
    """How often each outcome was."""
    counts = Counter(each.name.lower().replace("_", " ") for each in outcomes)
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())
