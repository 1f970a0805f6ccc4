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

    def falling(self, delta_v: list[float], dt: float, nav: list[float]) -> bool:
        """Whether a reading is no more than the accelerometers' own error; it is then added to the mean."""
        variance = self._white * dt + (self._bias_sigma * dt) ** 2 + self._quantum**2
        limit = self._parameters.threshold_sigma * sqrt(variance)
        if any(abs(delta_v[i] - nav[i] * dt) > limit for i in (0, 1, 2)):
            return False
        for i in (0, 1, 2):
            self._sum[i] += delta_v[i]
        self._time_s += dt
        return True

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
