"""Running models behind the health checks: what must be remembered from step to step to judge agreement."""

from __future__ import annotations

from collections import deque
from math import exp, isfinite, nan, sqrt
from typing import Any, NamedTuple

from lander_common.mission import Vehicle
from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_flight.health_parameters import Model
from lander_flight.range_gate import robust_sigma

_SCATTER_SHOTS = 20  # two seconds


class LowPass:
    """First-order low-pass of a sampled value; begins at the first sample."""

    __slots__ = ("_tau_s", "value")

    def __init__(self, tau_s: float) -> None:
        self._tau_s = tau_s
        self.value: float | None = None

    def put(self, sample: float, step_s: float) -> float:
        """Take in a sample that stands for the last `step_s`; return the smoothed value.

        A sample that is not finite comes back as it is, and is not remembered: it would never be forgotten.
        """
        if not isfinite(sample):
            return sample
        if self.value is None:
            self.value = sample
        else:
            self.value += (1.0 - exp(-step_s / self._tau_s)) * (sample - self.value)
        return self.value

    def restart(self) -> None:
        """Forget."""
        self.value = None


class ThrustMonitor:
    """Sensed acceleration along the thrust axis against that of the commanded thrust on the gauged mass."""

    def __init__(self, vehicle: Vehicle, model: Model, loaded_kg: float) -> None:
        """`loaded_kg`: all propellant at the start, as long as there is no gauge reading."""
        self._dry_kg = vehicle.mass.dry_kg
        self._gauge = LowPass(model.gauge_smoothing_s)
        self._sensed = LowPass(model.smoothing_s)
        self._expected = LowPass(model.smoothing_s)
        self._floor = model.thrust_agreement_floor_m_s2
        self.mass_kg = vehicle.mass.dry_kg + loaded_kg
        self.sensed_m_s2 = 0.0  # not smoothed
        self.disagreement = 0.0  # fraction of the expected acceleration
        self._commanded_n: float | None = None  # at the last step

    def step(self, imu: Any, throttle: Any, telemetry: Any, step_s: float) -> None:
        """Take in the newest messages."""
        gauge = telemetry.propellant_gauge_kg + telemetry.rcs_propellant_gauge_kg
        gauge = self._gauge.put(gauge, step_s)
        if isfinite(gauge):
            self.mass_kg = self._dry_kg + gauge
        tick_s = imu.interval_ns * 1e-9
        if tick_s > 0.0:
            self.sensed_m_s2 = float(imu.delta_v_body[2]) / tick_s
        sensed = self._sensed.put(self.sensed_m_s2, step_s)
        expected = self._expected.put(self._acting_n(throttle.thrust_n, tick_s, step_s) / self.mass_kg, step_s)
        self.disagreement = (sensed - expected) / max(expected, self._floor)

    def _acting_n(self, commanded_n: float, tick_s: float, step_s: float) -> float:
        """Mean thrust commanded over the last step: a new command came at one of its ticks and acts from the next."""
        before_n = commanded_n if self._commanded_n is None else self._commanded_n
        self._commanded_n = commanded_n
        share = 0.5 * (1.0 - tick_s / step_s) if step_s > tick_s else 0.0
        return before_n + share * (commanded_n - before_n)


class PropellantMonitor:
    """Gauged propellant against what the sensed acceleration must have cost."""

    def __init__(self, vehicle: Vehicle, model: Model) -> None:
        main, assist = vehicle.main_engine, vehicle.assist
        self._main_n = main.thrust_n
        self._main_flow = 1.0 / (main.isp_s * STANDARD_GRAVITY_M_S2)  # kg/s per N
        self._assist_flow = 1.0 / (assist.isp_s * STANDARD_GRAVITY_M_S2)
        self._settling_s = model.gauge_settling_s
        self._deviation = LowPass(model.gauge_smoothing_s)
        self._time_s = self._readings_kg = self._used_kg = 0.0
        self._readings = 0
        self._lost_before_kg = 0.0  # deviation that a former life had found
        self.deviation_kg = 0.0  # gauged less expected
        self.total_kg = nan  # gauged and used together

    def restore(self, deviation_kg: float) -> None:
        """Go on from a deviation that was found before; the count begins anew."""
        self.deviation_kg = self._lost_before_kg = deviation_kg

    def step(self, thrust: ThrustMonitor, felt_m_s2: float, throttle: Any, telemetry: Any, step_s: float) -> None:
        """Count what was used over the last step and compare. What the ground pushes costs nothing.

        `felt_m_s2`: specific force along the thrust axis as navigation goes by it.
        """
        force = 0.0
        if isfinite(felt_m_s2) and not any(telemetry.contact.tolist()):
            force = max(felt_m_s2, 0.0) * thrust.mass_kg
        main = min(force, self._main_n) if throttle.main_engine else 0.0
        self._used_kg += (main * self._main_flow + (force - main) * self._assist_flow) * step_s
        self._time_s += step_s
        total = self.total_kg = telemetry.propellant_gauge_kg + self._used_kg
        if self._time_s < self._settling_s and isfinite(total):
            self._readings_kg += total
            self._readings += 1
        elif self._readings:
            since_kg = total - self._readings_kg / self._readings
            self.deviation_kg = self._lost_before_kg + self._deviation.put(since_kg, step_s)


class _Second(NamedTuple):
    """Mean of the readings within a second."""

    time_s: float
    total_kg: float
    readings: int


class LeakMonitor:
    """How fast propellant goes that no engine has used: slope of gauge and use over time (weighted least squares)."""

    _SIGMAS = 6.0  # of the gauge's noise in the slope, below which it says nothing

    def __init__(self, window_s: float, gauge_sigma_kg: float) -> None:
        self._window_s = window_s
        self._sigma_kg = gauge_sigma_kg
        self._points: deque[_Second] = deque()
        self._time_s = self._begun_s = self._sum_kg = self._told_until_s = 0.0
        self._count = 0
        self.rate_kg_s = 0.0

    def restore(self, rate_kg_s: float) -> None:
        """Believe a rate that was found before, until there is one of its own or a whole window shows none."""
        self.rate_kg_s, self._told_until_s = rate_kg_s, self._window_s

    def forget(self, step_s: float) -> None:
        """Propellant is used that nobody counts: what comes after cannot be compared with what was before."""
        self._time_s += step_s
        self._points.clear()
        self._begun_s, self._sum_kg, self._count = self._time_s, 0.0, 0

    def step(self, total_kg: float, step_s: float) -> None:
        """Take in gauged plus used propellant."""
        self._time_s += step_s
        if not isfinite(total_kg):
            return
        self._sum_kg, self._count = self._sum_kg + total_kg, self._count + 1
        if self._time_s - self._begun_s < 1.0:
            return
        self._points.append(_Second(self._time_s, self._sum_kg / self._count, self._count))
        self._begun_s, self._sum_kg, self._count = self._time_s, 0.0, 0
        while self._points[0].time_s < self._time_s - self._window_s:
            self._points.popleft()
        slope_kg_s = self._slope()
        if slope_kg_s > 0.0 or self._time_s >= self._told_until_s:
            self.rate_kg_s = slope_kg_s

    def _slope(self) -> float:
        """Loss, kg/s, over the shortest part of the window that shows it; 0 where the noise of the gauge may make it."""
        for part in (0.125, 0.25, 0.5, 1.0):
            since_s = self._time_s - part * self._window_s
            loss = self._loss([point for point in self._points if point.time_s >= since_s])
            if loss > 0.0:
                return loss
        return 0.0

    def _loss(self, points: list[_Second]) -> float:
        readings = sum(point.readings for point in points)
        mean_s = sum(point.readings * point.time_s for point in points) / readings
        moment = sum(point.readings * (point.time_s - mean_s) ** 2 for point in points)
        if moment == 0.0:
            return 0.0
        loss = -sum(p.readings * (p.time_s - mean_s) * p.total_kg for p in points) / moment
        return loss if loss > self._SIGMAS * self._sigma_kg / sqrt(moment) else 0.0


class SilenceMonitor:
    """Axes of the IMU that say exactly zero, again and again: a working one is never that quiet."""

    def __init__(self) -> None:
        self._silent = [0] * 6

    def step(self, imu: Any) -> None:
        """Take in the newest increments: gyros, then accelerometers."""
        axes = (*imu.delta_theta_body.tolist(), *imu.delta_v_body.tolist())
        live = imu.valid and imu.interval_ns > 0
        self._silent = [
            count + 1 if live and axis == 0.0 else 0 for count, axis in zip(self._silent, axes, strict=True)
        ]

    @property
    def longest(self) -> int:
        """How many times in a row the most silent axis has said nothing."""
        return max(self._silent)


class RangeMonitor:
    """The rangefinder where valid ranges are to be expected."""

    def __init__(self, model: Model) -> None:
        self._below_m = model.range_expected_below_m
        self._above_m = model.range_expected_above_m
        self._misses = LowPass(model.smoothing_s)
        self._innovations: deque[float] = deque(maxlen=_SCATTER_SHOTS)
        self._margin = LowPass(model.smoothing_s)
        self._expected_s = 0.0
        self.expected = False
        self.dropouts = 0.0  # fraction of shots without a valid range
        self.margin_db = 0.0
        self.without_s = 0.0  # time without an accepted range, since one is expected
        self.scatter = 0.0  # of the ranges about their median innovation, over what is expected of an innovation

    def step(self, measurement: Any, navigation: Any, step_s: float) -> None:
        """Take in a shot and what navigation made of it."""
        self.expected = self._above_m <= navigation.altitude_m <= self._below_m
        if not self.expected:
            self._misses.restart()
            self._innovations.clear()
            self._margin.restart()
            self._expected_s = self.dropouts = self.margin_db = self.without_s = 0.0
            return
        self._expected_s += step_s
        self.dropouts = self._misses.put(float(not measurement.valid), step_s)
        self.margin_db = self._margin.put(measurement.signal_db, step_s)
        self._look_at_scatter(measurement, navigation)
        age = navigation.range_age_s
        self.without_s = min(self._expected_s, age) if age >= 0.0 else self._expected_s

    def _look_at_scatter(self, measurement: Any, navigation: Any) -> None:
        if not measurement.valid or navigation.range_innovation_sigma_m <= 0.0:
            return
        self._innovations.append(navigation.range_innovation_m)
        full = len(self._innovations) == _SCATTER_SHOTS
        self.scatter = robust_sigma(self._innovations) / navigation.range_innovation_sigma_m if full else 0.0
