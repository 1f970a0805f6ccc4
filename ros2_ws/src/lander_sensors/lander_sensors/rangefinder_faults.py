"""What faults make of the shots of the laser rangefinder."""

from __future__ import annotations

from math import sqrt

from lander_common.faults import rangefinder as faults
from lander_common.faults.injection import Injection
from lander_common.mission import Mission
from lander_runtime.messages import NANOSECONDS, Message, RangeMeasurement


class RangefinderFaults:
    """The faults of this run, in the order of the scenario."""

    def __init__(self, mission: Mission, minimum_range_m: float) -> None:
        self._injections = mission.faults_of("rangefinder")
        self._minimum_range_m = minimum_range_m
        self._active: list[Injection] = []
        self._last_good_m = 0.0

    def look(self, stamp_ns: int, height_m: float) -> None:
        """Take note of what acts at the time of a shot."""
        self._active = [injection for injection in self._injections if injection.active(stamp_ns, height_m)]

    @property
    def loss_db(self) -> float:
        """What the link has lost."""
        return sum(fault.loss_db for fault in self._faults() if isinstance(fault, faults.LinkLoss))

    @property
    def extra_latency_ns(self) -> int:
        """How much older the range is than the device says."""
        extra_s = sum(fault.extra_s for fault in self._faults() if isinstance(fault, faults.Latency))
        return round(extra_s * NANOSECONDS)

    def spoil(self, measurement: Message) -> None:
        """Change a measurement into what the device says in its place."""
        for injection in self._active:
            if isinstance(injection.fault, faults.Stuck):
                self._repeat(measurement)
            elif measurement.valid:
                self._spoil_good(measurement, injection)
        if measurement.valid:
            self._last_good_m = measurement.range_m

    def _faults(self) -> list[object]:
        return [injection.fault for injection in self._active]

    def _repeat(self, measurement: Message) -> None:
        if self._last_good_m > 0.0:
            measurement.valid, measurement.status = True, RangeMeasurement.OK
            measurement.range_m = self._last_good_m

    def _spoil_good(self, measurement: Message, injection: Injection) -> None:
        fault, random = injection.fault, injection.random
        if isinstance(fault, faults.Bias):
            measurement.range_m += fault.bias_m
        elif isinstance(fault, faults.Noise):
            measurement.range_m += fault.noise_sigma_m * random.standard_normal()
        elif isinstance(fault, faults.NoiseFactor):
            measurement.range_m += sqrt(fault.factor**2 - 1.0) * measurement.sigma_m * random.standard_normal()
        elif isinstance(fault, faults.Outliers):
            happens, place = random.random(2)
            if happens < fault.probability:
                measurement.range_m = self._minimum_range_m + place * (measurement.range_m - self._minimum_range_m)
        elif isinstance(fault, faults.Dropout) and random.random() < fault.probability:
            measurement.valid, measurement.status = False, RangeMeasurement.NO_RETURN
            measurement.range_m = measurement.sigma_m = 0.0
        measurement.range_m = max(0.0, measurement.range_m)
