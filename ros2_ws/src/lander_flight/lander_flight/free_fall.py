"""Calibration of the accelerometers in free fall, where what they read is their own error.

Small thrusters fire in free fall too, and a pulse may hide in the noise of an accelerometer. None hides from the gyros: a
thruster that holds attitude changes the rate. So a tick counts as free fall when neither its own rate nor that of the
next differs from the one before by more than the noise of the gyros.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from numpy.typing import NDArray

from lander_flight.inertial_filter import InertialFilter
from lander_flight.navigation_parameters import FreeFall, ImuSheet
from lander_flight.strapdown import ACCELEROMETER_BIAS

Array = NDArray[np.float64]
Vector = list[float]

_ZERO = (0.0, 0.0, 0.0)


@dataclass(slots=True)
class _Limits:
    """What noise may do in a tick of one length."""

    step_s: float
    rate_change: float  # rad/s
    velocity: float  # m/s


class FreeFallCalibration:
    """Gathers the mean of what the accelerometers read in free fall, and corrects the filter by it."""

    def __init__(self, parameters: FreeFall, sheet: ImuSheet) -> None:
        self._parameters = parameters
        self._sheet = sheet
        self._limits = _Limits(0.0, 0.0, 0.0)
        self._rate: tuple[float, float, float] | None = None  # of the tick before
        self._candidate: Vector | None = None  # delta-v of the tick before, if it may be one of free fall
        self._sum: Vector = list(_ZERO)
        self.time_s = 0.0  # of free fall gathered

    def add(self, delta_theta: Vector, delta_v: Vector, dt: float, filter_: InertialFilter) -> None:
        """Look at the increments of a tick; correct the filter when an engine starts, or enough has been gathered."""
        if max(map(abs, delta_v)) > self._parameters.thrust_m_s2 * dt:
            self._conclude(filter_)
            self._rate = self._candidate = None
            return
        if dt != self._limits.step_s:
            self._set_step(dt)
        rate = (delta_theta[0] / dt, delta_theta[1] / dt, delta_theta[2] / dt)
        steady = self._rate is not None and _near(rate, self._rate, self._limits.rate_change)
        if steady and self._candidate is not None:
            self._gather(self._candidate, dt)
        bias = filter_.nav[ACCELEROMETER_BIAS : ACCELEROMETER_BIAS + 3].tolist()
        own_error = (bias[0] * dt, bias[1] * dt, bias[2] * dt)
        self._candidate = delta_v if steady and _near(delta_v, own_error, self._limits.velocity) else None
        self._rate = rate
        if self.time_s >= self._parameters.longest_mean_s:
            self._conclude(filter_)

    def _set_step(self, dt: float) -> None:
        gyro, accelerometer, sigmas = self._sheet.gyro, self._sheet.accelerometer, self._parameters.threshold_sigma
        angle = sqrt(2.0 * (gyro.white * dt + gyro.quantum**2))
        velocity = sqrt(accelerometer.white * dt + (accelerometer.bias_sigma * dt) ** 2 + accelerometer.quantum**2)
        self._limits = _Limits(dt, sigmas * angle / dt, sigmas * velocity)
        self._rate = self._candidate = None

    def _gather(self, delta_v: Vector, dt: float) -> None:
        self._sum = [self._sum[i] + delta_v[i] for i in (0, 1, 2)]
        self.time_s += dt

    def _conclude(self, filter_: InertialFilter) -> None:
        if self.time_s < self._parameters.shortest_mean_s:
            return
        sheet = self._sheet.accelerometer
        variance = sheet.white / self.time_s + (sheet.quantum / self.time_s) ** 2 + self._parameters.unmodelled_m_s2**2
        filter_.carry()
        filter_.calibrate(np.array(self._sum) / self.time_s, variance)
        self._sum, self.time_s = list(_ZERO), 0.0


def _near(a: Vector | tuple[float, ...], b: Vector | tuple[float, ...], limit: float) -> bool:
    return abs(a[0] - b[0]) <= limit and abs(a[1] - b[1]) <= limit and abs(a[2] - b[2]) <= limit
