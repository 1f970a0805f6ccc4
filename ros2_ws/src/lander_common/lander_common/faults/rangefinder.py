"""What can happen to the laser rangefinder."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import DeviceFault


class RangefinderFault(DeviceFault):
    """A fault of the rangefinder."""

    subject: Literal["rangefinder"]


class LinkLoss(RangefinderFault):
    """Less light comes back, or the laser has less power: the ground is first seen from lower down."""

    kind: Literal["link_loss"]
    loss_db: float = Field(ge=0, le=80, description="taken from the link budget; 6 dB halve the greatest range")


class Dropout(RangefinderFault):
    """Shots without an answer."""

    kind: Literal["dropout"]
    probability: float = Field(gt=0, le=1, description="that a shot is lost")


class Bias(RangefinderFault):
    """Every range is wrong by the same length."""

    kind: Literal["bias"]
    bias_m: float = Field(description="added to every range")


class Noise(RangefinderFault):
    """Ranges scatter more than the device says."""

    kind: Literal["noise"]
    noise_sigma_m: float = Field(gt=0, description="1-sigma of the noise that is added")


class NoiseFactor(RangefinderFault):
    """The device's own noise, multiplied; the device does not know it."""

    kind: Literal["noise_factor"]
    factor: float = Field(ge=1, le=1000, description="of the noise of the device")


class Outliers(RangefinderFault):
    """False ranges that look like good ones, anywhere between the device and the ground."""

    kind: Literal["outliers"]
    probability: float = Field(gt=0, le=1, description="that a range is false")


class Stuck(RangefinderFault):
    """The last good range again and again, as if it were new."""

    kind: Literal["stuck"]


class Latency(RangefinderFault):
    """Ranges are older than their stamps say."""

    kind: Literal["latency"]
    extra_s: float = Field(gt=0, le=1.0, description="how much older")


KINDS = (LinkLoss, Dropout, Bias, Noise, NoiseFactor, Outliers, Stuck, Latency)
