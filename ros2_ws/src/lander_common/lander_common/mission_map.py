"""Which onboard map a mission flies with: its description, and the file that `lander_tools.make_map` leaves for it."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Sequence
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from lander_common.mission import Mission, NonNegative, Positive
from lander_runtime.config import ConfigError, Parameters, config_root

if TYPE_CHECKING:
    from lander_common.onboard_map import OnboardMap, Place

_METHOD = 2  # of making maps: a change of it makes new ones


class Accuracy(Parameters):
    """Errors of a map's heights, 1-sigma."""

    height_sigma_m: NonNegative  # of the survey
    correlation_m: Positive  # distance over which that decays
    detail_m: NonNegative  # of the terrain that the grid is too coarse for


class Strip(Parameters):
    """A part of the ground along the track."""

    before_m: Positive  # how far it reaches from the target against the direction of approach
    beyond_m: Positive  # and on the other side
    half_width_m: Positive


class Zone(Accuracy, Strip):
    """A strip along the ground track, of one resolution."""

    spacing_m: Positive

    @property
    def sigma_m(self) -> float:
        """1-sigma of a height."""
        return float((self.height_sigma_m**2 + self.detail_m**2) ** 0.5)


class TargetChoice(Parameters):
    """How the place to aim at is chosen on the map."""

    within_m: Positive  # of the middle of the ground in question: of the landing zone, of what is within reach
    miss_sigma_m: Positive  # of the landing about the place aimed at, per axis, registration of the map included
    slope_deg: Positive  # of the plane through the pads: steeper counts as a hazard


class MapParameters(Parameters):
    """config/map/*.yaml."""

    name: str
    about: str
    registration_m: NonNegative  # of the whole map against the terrain, 1-sigma per axis
    outside: Accuracy  # of level ground, where no zone reaches
    zones: tuple[Zone, ...]
    target: TargetChoice | None  # null: the site's centre


def map_path(mission: Mission) -> Path:
    """File of the map of a mission, by everything that makes it what it is."""
    return map_file(mission, "maps", _METHOD, ("map", "terrain", "site"))


def map_file(mission: Mission, folder: str, method: int, kinds: Sequence[str]) -> Path:
    """File of a product that some parts of a mission's description make what it is."""
    parts = {kind: mission.resolved()[kind] for kind in kinds}
    mistakes = [one.fault.model_dump() for one in mission.faults_of("map")]
    if mistakes:
        parts["faults"] = mistakes
    text = json.dumps([method, parts], sort_keys=True, default=str)
    return map_folder(folder) / f"{hashlib.sha256(text.encode()).hexdigest()[:24]}.npz"


def map_folder(folder: str) -> Path:
    """Where maps are kept: under $XDG_CACHE_HOME, else in build/ beside config/."""
    cache = os.environ.get("XDG_CACHE_HOME")
    return Path(cache) / "frigoris" / folder if cache else config_root().parent / "build" / folder


def mission_map(mission: Mission) -> OnboardMap:
    """The onboard map of a mission. Raises ConfigError where it has not been made."""
    # Its compiled code takes 60 MB, which a node that only wants the target can do without.
    from lander_common.onboard_map import OnboardMap, level_grid

    parameters = mission.part("map", MapParameters)
    if not parameters.zones:
        outside = parameters.outside
        return OnboardMap.from_grids(
            [level_grid(outside.height_sigma_m, outside.correlation_m, parameters.registration_m)]
        )
    return OnboardMap.load(_made(mission))


def mission_target(mission: Mission) -> Place:
    """Where a mission is to land, in site, m: the choice on its map. Raises ConfigError where that has not been made.

    Map coordinates are taken for those of site: within a landing zone the two differ by millimetres.
    """
    return load_target(_made(mission)) if mission.part("map", MapParameters).target else (0.0, 0.0, 0.0)


def load_target(path: Path) -> Place:
    """The target alone, from a map's file. Raises OSError where it cannot be read."""
    with np.load(path, allow_pickle=False) as file:
        e, n, h = file["target"].tolist()
    return e, n, h


def _made(mission: Mission) -> Path:
    path = map_path(mission)
    if not path.is_file():
        raise ConfigError(
            [f"map {mission.part('map', MapParameters).name!r} has not been made: `./lander map` makes it"]
        )
    return path
