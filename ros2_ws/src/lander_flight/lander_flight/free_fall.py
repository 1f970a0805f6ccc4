"""Calibration of the accelerometers in free fall, where what they read is their own error."""

from __future__ import annotations

from math import sqrt

import numpy as np

from lander_flight.error_state import calibrate
from lander_flight.inertial_filter import InertialFilter
from lander_flight.navigation_parameters import AccelerometerSheet, FreeFall
from lander_flight.strapdown import ACCELEROMETER_BIAS


class FreeFallCalibration:
    """Tells free fall from thrust, and gathers the mean of the readings until an engine runs."""

    def __init__(self, parameters: FreeFall, sheet: AccelerometerSheet) -> None:
        self._parameters = parameters
        self._white = sheet.white
        self._bias_sigma = sheet.bias_sigma
        self._quantum = 1e-6 * sheet.quantum_um_s
        self._sum = [0.0, 0.0, 0.0]
        self._time_s = 0.0
        self._step_s, self._limit = 0.0, 0.0

    def falling(self, delta_v: list[float], dt: float, bias: list[float]) -> bool:
        """Whether a reading is no more than the accelerometers' own error; it is then added to the mean."""
        if dt != self._step_s:
            self._set_step(dt)
        limit = self._limit
        x, y, z = delta_v
        if abs(x - bias[0] * dt) > limit or abs(y - bias[1] * dt) > limit or abs(z - bias[2] * dt) > limit:
            return False
        self._sum = [self._sum[0] + x, self._sum[1] + y, self._sum[2] + z]
        self._time_s += dt
        return True

    def _set_step(self, dt: float) -> None:
        variance = self._white * dt + (self._bias_sigma * dt) ** 2 + self._quantum**2
        self._step_s, self._limit = dt, self._parameters.threshold_sigma * sqrt(variance)

    def conclude(self, delta_v: list[float], dt: float, filter_: InertialFilter) -> None:
        """Once an engine runs, correct the filter by the mean of the fall before."""
        if self._time_s == 0.0 or max(abs(value) for value in delta_v) < self._parameters.thrust_m_s2 * dt:
            return
        variance = (
            self._white / self._time_s + (self._quantum / self._time_s) ** 2 + self._parameters.unmodelled_m_s2**2
        )
        filter_.carry()
        calibrate(filter_.nav, filter_.P, np.array(self._sum) / self._time_s, variance)
        self._sum, self._time_s = [0.0, 0.0, 0.0], 0.0


def bias(filter_: InertialFilter) -> list[float]:
    """Accelerometer bias as estimated, m/s2, in body."""
    values: list[float] = filter_.nav[ACCELEROMETER_BIAS : ACCELEROMETER_BIAS + 3].tolist()
    return values
