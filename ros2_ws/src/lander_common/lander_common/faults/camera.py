"""What can happen to the camera."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import DeviceFault


class CameraFault(DeviceFault):
    """A fault of the camera."""

    subject: Literal["camera"]


class Dark(CameraFault):
    """Too little light reaches the detector."""

    kind: Literal["dark"]
    light_fraction: float = Field(ge=0, lt=1, description="of the light that is left")


class Blurred(CameraFault):
    """Out of focus."""

    kind: Literal["blurred"]
    blur_sigma_px: float = Field(gt=0, le=50, description="1-sigma of the blur")


class Stuck(CameraFault):
    """The last image again and again, as if it were new."""

    kind: Literal["stuck"]


class Dust(CameraFault):
    """Dust between the camera and the ground."""

    kind: Literal["dust"]
    opacity_fraction: float = Field(gt=0, le=1, description="of the ground's contrast that is hidden")


KINDS = (Dark, Blurred, Stuck, Dust)
