"""Accelerometers against the commanded thrust, tick by tick; the model stands in where they disagree.

Luna 25's accelerometers said zero through its whole burn. A velocity that nobody measured is not zero: commanded valve
times, what the chambers show of each engine, and the mass say what it must have been, to about one per cent.
"""

from __future__ import annotations

from collections import deque
from math import exp, sqrt
from typing import Any

from lander_common.mission import Vehicle
from lander_common.quaternion import Vector
from lander_flight.navigation_parameters import AccelerationParameters

ZERO: Vector = (0.0, 0.0, 0.0)


class CommandedThrust:
    """What the commanded valve times give in a tick, N s along body z, with engines as they are found to be."""

    def __init__(self, vehicle: Vehicle) -> None:
        self._main_n = vehicle.main_engine.thrust_n
        self._assist_n = vehicle.assist.thrust_n

    def impulse(self, command: Any, step_s: float) -> float:
        """Impulse in the tick that the command was for."""
        main, *ring = command.engine_fraction.tolist()
        main_stuck, *ring_stuck = command.engine_stuck_open.tolist()
        total = main * self._main_n * step_s if command.main_engine or main_stuck else 0.0
        for on_s, fraction, stuck in zip(command.assist_on_s.tolist(), ring, ring_stuck, strict=True):
            total += fraction * self._assist_n * (step_s if stuck else min(on_s, step_s))
        return float(total)


class AccelerationMonitor:
    """Chooses between measured and modelled velocity increments.

    The disagreement has to last for longer than a dead engine takes to show in its chamber, so that it is not taken for a
    dead accelerometer. What was lost meanwhile is made good when the model takes over.
    """

    def __init__(self, vehicle: Vehicle, parameters: AccelerationParameters) -> None:
        self._parameters = p = parameters
        self._thrust = CommandedThrust(vehicle)
        self._sensed_sum, self._model_sum = 0.0, 0.0  # fading sums of increments, whose ratio calibrates the model
        self._recent: deque[tuple[float, Vector]] = deque()  # end of the tick, modelled less measured increment
        self._unproven: deque[tuple[float, float, float]] = deque()  # end of the tick, measured and modelled increment
        self._keep_s = 2.0 * (p.persistence_s + p.smoothing_s)
        self._difference = self._expected = self._sideways = 0.0  # smoothed, m/s2
        self._time_s = self._odd_s = self._good_s = 0.0
        self.modelled = False  # whether the model stands in

    @property
    def ratio(self) -> float:
        """Acceleration measured over modelled, while the accelerometers were good."""
        return self._sensed_sum / self._model_sum if self._model_sum > self._parameters.calibrated_m_s else 1.0

    def sigma_m_s2(self) -> float:
        """1-sigma of the modelled acceleration."""
        p = self._parameters
        return max(p.model_fraction * abs(self._expected), p.model_floor_m_s2)

    def model(self, command: Any, mass_kg: float, step_s: float) -> Vector:
        """Modelled velocity increment of a tick, m/s, in body."""
        return (0.0, 0.0, self.ratio * self._thrust.impulse(command, step_s) / mass_kg)

    def choose(self, measured: Vector, command: Any, mass_kg: float, step_s: float, altitude_m: float) -> Vector:
        """The velocity increment to go on with, m/s, in body.

        Where the ground may be near enough to push, only too little acceleration counts.
        """
        p = self._parameters
        self._time_s += step_s
        modelled = self.model(command, mass_kg, step_s)
        x, y, z = measured[0] - modelled[0], measured[1] - modelled[1], measured[2] - modelled[2]
        weight = 1.0 - exp(-step_s / p.smoothing_s)
        self._difference += weight * (z / step_s - self._difference)
        self._sideways += weight * (sqrt(x * x + y * y) / step_s - self._sideways)
        self._expected += weight * (modelled[2] / step_s - self._expected)
        self._recent.append((self._time_s, (-x, -y, -z)))
        while self._recent[0][0] < self._time_s - self._keep_s:
            self._recent.popleft()
        limit = p.floor_m_s2 + p.fraction * abs(self._expected)
        odd = (
            -self._difference if altitude_m < p.touch_below_m else max(abs(self._difference), self._sideways)
        ) / limit
        if self.modelled:
            return measured if self._readmitted(odd, step_s) else modelled
        if self._isolated(odd, step_s):
            lost = self._lost()
            return (measured[0] + lost[0], measured[1] + lost[1], measured[2] + lost[2])
        self._calibrate(odd, measured[2], modelled[2], step_s)
        return measured

    def _isolated(self, odd: float, step_s: float) -> bool:
        self._odd_s = self._odd_s + step_s if odd > 1.0 else 0.0
        self.modelled = self._odd_s >= self._parameters.persistence_s
        self._good_s = 0.0
        if self.modelled:
            self._unproven.clear()
        return self.modelled

    def _readmitted(self, odd: float, step_s: float) -> bool:
        self._good_s = self._good_s + step_s if odd < 0.5 else 0.0
        if self._good_s < self._parameters.readmit_s:
            return False
        self.modelled, self._odd_s = False, 0.0
        return True

    def _lost(self) -> Vector:
        """What the accelerometers missed since they disagree, with the time that the smoothing took to see it."""
        since = self._time_s - self._odd_s - 2.0 * self._parameters.smoothing_s
        missed = [change for time_s, change in self._recent if time_s > since]
        x, y, z = (sum(change[axis] for change in missed) for axis in range(3))
        return (x, y, z)

    def _calibrate(self, odd: float, measured: float, modelled: float, step_s: float) -> None:
        """Learn from increments once what came after them has shown that the accelerometers were good."""
        p = self._parameters
        if modelled != 0.0:
            self._unproven.append((self._time_s, measured, modelled / self.ratio))
        proven_s, keep = self._time_s - p.persistence_s, exp(-step_s / p.calibration_s)
        while self._unproven and self._unproven[0][0] <= proven_s:
            _, sensed, raw = self._unproven.popleft()
            if odd < 0.5:
                self._sensed_sum, self._model_sum = keep * self._sensed_sum + sensed, keep * self._model_sum + raw
