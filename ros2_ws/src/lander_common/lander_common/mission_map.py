"""Which onboard map a mission flies with."""

from __future__ import annotations

from typing import Literal

from lander_runtime.config import Parameters

from lander_common.mission import Mission, NonNegative, Positive
from lander_common.onboard_map import OnboardMap, flat_map


class FlatMap(Parameters):
    """Level ground, with what is stated of its accuracy."""

    kind: Literal["flat"]
    sigma_m: NonNegative  # of a height, 1-sigma
    correlation_m: Positive  # distance over which that error decays
    registration_m: NonNegative  # of the place, 1-sigma per axis


class MissionMap(Parameters):
    """config/map/*.yaml."""

    name: str
    about: str
    map: FlatMap


def mission_map(mission: Mission) -> OnboardMap:
    """The onboard map of a mission."""
    description = mission.part("map", MissionMap).map
    return flat_map(description.sigma_m, description.correlation_m, description.registration_m)
