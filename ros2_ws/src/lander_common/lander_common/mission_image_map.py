"""Which image map a mission flies with: its description, and the file that `lander_tools.make_image_map` leaves for it."""

from __future__ import annotations

from pathlib import Path
from typing import Annotated

from pydantic import Field

from lander_common.image_map import ImageMap
from lander_common.mission import Mission, NonNegative, Positive
from lander_common.mission_map import Strip, map_file
from lander_runtime.config import ConfigError, Parameters

_METHOD = 1  # of making image maps: a change of it makes new ones


class Survey(Strip):
    """An orbiter's pictures of a strip along the ground track, and the heights that go with them."""

    spacing_m: Positive  # of the image
    height_spacing_m: Positive  # of the heights
    sun_elevation_deg: Annotated[float, Field(gt=0, le=90)]  # when the pictures were taken
    sun_azimuth_deg: Annotated[float, Field(ge=0, lt=360)]  # from north to east
    registration_m: NonNegative  # displacement against the target, 1-sigma per axis
    height_sigma_m: NonNegative
    height_correlation_m: Positive  # distance over which the error of a height decays
    noise: NonNegative  # of a pixel, in its steps of 0 to 255, 1-sigma
    blur_spacings: NonNegative  # 1-sigma of the picture's point spread, in spacings


class ImageMapParameters(Parameters):
    """config/image_map/*.yaml."""

    name: str
    about: str
    zones: Annotated[tuple[Survey, ...], Field(min_length=1)]


def image_map_path(mission: Mission) -> Path:
    """File of the image map of a mission, by everything that makes it what it is."""
    return map_file(mission, "images", _METHOD, ("image_map", "terrain", "site"))


def mission_image_map(mission: Mission) -> ImageMap:
    """The image map of a mission. Raises ConfigError where it has not been made."""
    path = image_map_path(mission)
    if not path.is_file():
        name = mission.part("image_map", ImageMapParameters).name
        raise ConfigError([f"image map {name!r} has not been made: `./lander map` makes it"])
    return ImageMap.load(path)
