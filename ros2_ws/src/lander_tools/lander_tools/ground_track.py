"""The ground track against the onboard map, before flight: what the rangefinder is going to see on the way.

HAKUTO-R Mission 1 was lost over a step that its map knew and nobody had flown over.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np

from lander_common.mission import Mission
from lander_common.mission_map import mission_map
from lander_common.onboard_map import OnboardMap

_BEFORE_M = 150_000.0  # from where a rangefinder can see the ground
_SPACING_M = 250.0
_STEP_OVER_M = 10_000.0  # crossed in about 20 s: a step for a filter


@dataclass(frozen=True)
class GroundTrack:
    """Relief along the last part of the track; heights over the target."""

    highest_m: float
    lowest_m: float
    step_m: float  # greatest change over 10 km, in the direction of flight: negative where the ground falls
    step_before_m: float  # where that begins, before the target

    def __str__(self) -> str:
        """In a line."""
        turns = "falls" if self.step_m < 0.0 else "rises"
        return (
            f"ground track, last {_BEFORE_M / 1e3:.0f} km: {self.lowest_m:+.0f} to {self.highest_m:+.0f} m over the target; "
            f"{turns} by {abs(self.step_m):.0f} m over {_STEP_OVER_M / 1e3:.0f} km, {self.step_before_m / 1e3:.0f} km before it"
        )


def check_track(mission: Mission) -> GroundTrack:
    """The track of a mission on its onboard map. Raises ConfigError where that has not been made."""
    return along_track(mission_map(mission), mission.site.approach_azimuth_deg)


def along_track(onboard_map: OnboardMap, azimuth_deg: float) -> GroundTrack:
    """Relief along a straight track that leads over the target."""
    before = np.arange(_BEFORE_M, -_SPACING_M, -_SPACING_M)
    azimuth = radians(azimuth_deg)
    heights = onboard_map.heights(-before * sin(azimuth), -before * cos(azimuth))
    reach = round(_STEP_OVER_M / _SPACING_M)
    steps = heights[reach:] - heights[:-reach]
    worst = int(np.argmax(np.abs(steps)))
    over = heights - heights[-1]
    return GroundTrack(float(over.max()), float(over.min()), float(steps[worst]), float(before[worst]))
