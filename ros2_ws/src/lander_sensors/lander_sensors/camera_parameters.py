"""config/camera/*.yaml: what the descent camera is made of."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lander_common.camera_geometry import CameraGeometry
from lander_common.mission import Fraction, NonNegative, Positive
from lander_runtime.config import Parameters


class Imager(Parameters):
    """The sensor and its electronics."""

    full_well_e: Positive  # electrons at the largest number
    read_noise_e: NonNegative  # 1-sigma
    response_nonuniformity: NonNegative  # of the pixels' sensitivity, 1-sigma
    electrons_per_s: (
        Positive  # in a pixel, of a surface with the brightness of a white Lambertian one under an overhead Sun
    )
    dark_current_e_s: NonNegative
    bits: Annotated[int, Field(ge=4, le=8)]  # of the converter


class Exposure(Parameters):
    """Automatic exposure: what the last frame shows sets the next one's."""

    first_s: Positive
    shortest_s: Positive
    longest_s: Positive
    target: Fraction  # of the full well, at the percentile
    percentile: Annotated[float, Field(gt=0, lt=100)]
    largest_step: Annotated[float, Field(gt=1)]  # factor from a frame to the next

    @model_validator(mode="after")
    def _ordered(self) -> Exposure:
        if not self.shortest_s <= self.first_s <= self.longest_s:
            raise ValueError("shortest_s, first_s and longest_s must rise in this order")
        return self


class PlumeDust(Parameters):
    """Dust that the engines raise, as a veil before the ground."""

    begins_below_m: NonNegative  # height of the pads above the ground
    opacity_at_ground: NonNegative  # optical depth straight down
    brightness: Fraction  # of the veil where it is opaque, as `Imager.electrons_per_s` counts


class CameraParameters(Parameters):
    """A descent camera."""

    name: str
    about: str
    geometry: CameraGeometry
    alignment_sigma_deg: NonNegative  # of each head about each axis, unknown to the flight software
    highest_altitude_m: Positive  # of the pads above the ground; off above,
    lowest_altitude_m: float  # and off below
    largest_off_nadir_deg: Annotated[float, Field(gt=0, lt=90)]  # of a boresight: no head beyond it is read out
    lens_blur_px: NonNegative  # 1-sigma of the lens' point spread
    imager: Imager
    exposure: Exposure
    dust: PlumeDust

    @model_validator(mode="after")
    def _on_somewhere(self) -> CameraParameters:
        if not self.lowest_altitude_m < self.highest_altitude_m:
            raise ValueError("lowest_altitude_m must be below highest_altitude_m")
        return self
