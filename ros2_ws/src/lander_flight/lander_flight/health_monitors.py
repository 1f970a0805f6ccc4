"""Running models behind the health checks: what must be remembered from step to step to judge agreement."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite
from typing import Any

from lander_common.mission import Vehicle
from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_flight.health_parameters import Model


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
        self.deviation_kg = 0.0  # gauged less expected

    def step(self, thrust: ThrustMonitor, throttle: Any, telemetry: Any, step_s: float) -> None:
        """Count what was used over the last step and compare. What the ground pushes costs nothing."""
        force = 0.0
        if isfinite(thrust.sensed_m_s2) and not telemetry.contact.any():
            force = max(thrust.sensed_m_s2, 0.0) * thrust.mass_kg
        main = min(force, self._main_n) if throttle.main_engine else 0.0
        self._used_kg += (main * self._main_flow + (force - main) * self._assist_flow) * step_s
        self._time_s += step_s
        total = telemetry.propellant_gauge_kg + self._used_kg
        if self._time_s < self._settling_s and isfinite(total):
            self._readings_kg += total
            self._readings += 1
        elif self._readings:
            self.deviation_kg = self._deviation.put(total - self._readings_kg / self._readings, step_s)


class ChamberMonitor:
    """Chamber pressures against valves: a closed valve has none, an open one the full pressure."""

    def __init__(self, count: int, model: Model) -> None:
        self._main_pa = model.main_chamber_pa
        self._assist_pa = model.assist_chamber_pa
        self._main = LowPass(model.smoothing_s)
        self._assist = [LowPass(model.smoothing_s) for _ in range(count)]
        self.main = 0.0  # fraction of full pressure, measured less expected
        self.assist = 0.0  # that of the thruster that disagrees most

    def step(self, telemetry: Any, step_s: float) -> None:
        """Take in a telemetry message."""
        main = telemetry.main_chamber_pa / self._main_pa - float(telemetry.main_valve_open)
        self.main = self._main.put(main, step_s)
        pressures: Sequence[float] = telemetry.assist_chamber_pa.tolist()
        valves: Sequence[bool] = telemetry.assist_valve_open.tolist()
        smooth = (
            low_pass.put(pressure / self._assist_pa - float(valve), step_s)
            for low_pass, pressure, valve in zip(self._assist, pressures, valves, strict=True)
        )
        self.assist = max(smooth, key=abs)


class RangeMonitor:
    """The rangefinder where valid ranges are to be expected."""

    def __init__(self, model: Model) -> None:
        self._below_m = model.range_expected_below_m
        self._above_m = model.range_expected_above_m
        self._misses = LowPass(model.smoothing_s)
        self._margin = LowPass(model.smoothing_s)
        self._expected_s = 0.0
        self.expected = False
        self.dropouts = 0.0  # fraction of shots without a valid range
        self.margin_db = 0.0
        self.without_s = 0.0  # time without an accepted range, since one is expected

    def step(self, measurement: Any, navigation: Any, step_s: float) -> None:
        """Take in a shot and what navigation made of it."""
        self.expected = self._above_m <= navigation.altitude_m <= self._below_m
        if not self.expected:
            self._misses.restart()
            self._margin.restart()
            self._expected_s = self.dropouts = self.margin_db = self.without_s = 0.0
            return
        self._expected_s += step_s
        self.dropouts = self._misses.put(float(not measurement.valid), step_s)
        self.margin_db = self._margin.put(measurement.signal_db, step_s)
        age = navigation.range_age_s
        self.without_s = min(self._expected_s, age) if age >= 0.0 else self._expected_s
