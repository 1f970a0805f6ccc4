"""What can happen to the inertial measurement unit."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import DeviceFault

Axis = Literal["x", "y", "z"]
Vector3 = tuple[float, float, float]


class ImuFault(DeviceFault):
    """A fault of the inertial measurement unit."""

    subject: Literal["imu"]


class AccelerometerAxisOff(ImuFault):
    """One accelerometer says zero."""

    kind: Literal["accelerometer_axis_off"]
    axis: Axis = Field(description="of the body")


class GyroAxisOff(ImuFault):
    """One gyro says zero."""

    kind: Literal["gyro_axis_off"]
    axis: Axis = Field(description="of the body")


class AccelerometerBias(ImuFault):
    """A step of the accelerometers' bias."""

    kind: Literal["accelerometer_bias"]
    bias_m_s2: Vector3 = Field(description="added, along the axes of the body")


class GyroBias(ImuFault):
    """A step of the gyros' bias."""

    kind: Literal["gyro_bias"]
    bias_deg_s: Vector3 = Field(description="added, about the axes of the body")


class Saturation(ImuFault):
    """The accelerometers cannot show more than a limit, and say that they are saturated."""

    kind: Literal["saturation"]
    limit_m_s2: float = Field(gt=0, description="the most that an accelerometer shows")


class Zeros(ImuFault):
    """Accelerometers that were never switched on: zeros, marked as valid."""

    kind: Literal["accelerometers_zero"]


class Reset(ImuFault):
    """The device starts anew and says nothing meanwhile."""

    kind: Literal["reset"]
    duration_s: float = Field(gt=0, description="until it speaks again")


KINDS = (AccelerometerAxisOff, GyroAxisOff, AccelerometerBias, GyroBias, Saturation, Zeros, Reset)
