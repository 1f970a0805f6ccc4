"""What faults make of the increments that the inertial measurement unit has sensed."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import radians

from lander_common.faults import imu
from lander_common.faults.base import Fault
from lander_common.mission import Mission, Vector3

_ZERO = (0.0, 0.0, 0.0)


@dataclass(frozen=True, slots=True)
class Sensed:
    """What the device says of a tick."""

    velocity: Vector3  # m/s, increment in body
    angle: Vector3  # rad, increment in body
    valid: bool = True
    saturated: bool = False


class ImuFaults:
    """The faults of this run, in the order of the scenario."""

    def __init__(self, mission: Mission) -> None:
        self._injections = mission.faults_of("imu")

    def spoil(self, sensed: Sensed, step_s: float, stamp_ns: int, height_m: float) -> Sensed:
        """What the device says in place of what it sensed over a tick that ended at a stamp."""
        for injection in self._injections:
            if injection.active(stamp_ns, height_m):
                sensed = _spoilt(sensed, injection.fault, step_s)
        return sensed


def _spoilt(sensed: Sensed, fault: Fault, step_s: float) -> Sensed:
    match fault:
        case imu.AccelerometerAxisOff():
            return replace(sensed, velocity=_without(sensed.velocity, fault.axis))
        case imu.GyroAxisOff():
            return replace(sensed, angle=_without(sensed.angle, fault.axis))
        case imu.AccelerometerBias():
            return replace(sensed, velocity=_moved(sensed.velocity, fault.bias_m_s2, step_s))
        case imu.GyroBias():
            return replace(sensed, angle=_moved(sensed.angle, fault.bias_deg_s, radians(step_s)))
        case imu.Saturation():
            return _saturated(sensed, fault.limit_m_s2 * step_s)
        case imu.Zeros():
            return replace(sensed, velocity=_ZERO)
        case imu.Reset():
            return Sensed(_ZERO, _ZERO, valid=False)
    return sensed


def _without(vector: Vector3, axis: imu.Axis) -> Vector3:
    x, y, z = (0.0 if name == axis else value for name, value in zip("xyz", vector, strict=True))
    return x, y, z


def _moved(vector: Vector3, rate: Vector3, duration: float) -> Vector3:
    x, y, z = (value + duration * change for value, change in zip(vector, rate, strict=True))
    return x, y, z


def _saturated(sensed: Sensed, limit: float) -> Sensed:
    x, y, z = (min(max(value, -limit), limit) for value in sensed.velocity)
    return replace(sensed, velocity=(x, y, z), saturated=sensed.saturated or (x, y, z) != sensed.velocity)
