"""Which engines work: chamber pressures against the valve times that were commanded."""

from __future__ import annotations

from collections.abc import Sequence
from math import exp, isfinite
from typing import Any

from lander_common.mission import Engine, Vehicle
from lander_flight.throttle_parameters import EngineParameters

_ROUNDING_S = 1e-9
_TELLING = 0.5  # of full pressure: where less is expected, a chamber says little


class _Watch:
    """One engine."""

    def __init__(self, engine: Engine, full_pa: float, retry_s: float) -> None:
        self._delay_s = engine.valve_delay_s
        self._rise_s = max(engine.rise_time_constant_s, 1e-6)
        self._fall_s = max(engine.tail_off_time_constant_s, 1e-6)
        self._full_pa = full_pa
        self._odd: list[float] = []  # samples in a row that disagree with what is believed
        self.open_s = self.shut_s = 0.0  # for which the valve has been commanded so
        self.fraction = 1.0
        self.stuck_open = False
        self.retry_s = (
            retry_s  # an engine that is given up is tried again after this time, and then after twice as long
        )
        self.until_s = 0.0

    def command(self, on_s: float, step_s: float) -> None:
        """Take in the open time commanded for the tick just past."""
        if on_s > step_s - _ROUNDING_S:
            self.open_s, self.shut_s = self.open_s + step_s, 0.0
        elif on_s > 0.0:
            self.open_s = self.shut_s = 0.0
        else:
            self.open_s, self.shut_s = 0.0, self.shut_s + step_s

    def sample(self, pressure_pa: float) -> float | None:
        """Thrust over nominal by the chamber pressure; negative for an excess while shut; None where it tells nothing."""
        pressure = pressure_pa / self._full_pa
        expected = 1.0 - exp(-max(self.open_s - self._delay_s, 0.0) / self._rise_s)
        if expected > _TELLING:
            return pressure / expected
        if exp(-max(self.shut_s - self._delay_s, 0.0) / self._fall_s) < 1.0 - _TELLING:
            return -max(pressure - 1.0 + _TELLING, 0.0)
        return None

    def believe(self, sample: float, deviation: float, samples: int) -> bool:
        """Take in a sample; True where it changes what is believed of the engine."""
        shut = sample <= 0.0 and self.open_s == 0.0
        agrees = (sample < 0.0) == self.stuck_open if shut else abs(sample - self.fraction) <= deviation
        if agrees:
            self._odd.clear()
            return False
        self._odd.append(sample)
        if len(self._odd) < samples:
            return False
        if shut:
            self.stuck_open = sample < 0.0
        else:
            self.fraction = sum(self._odd) / len(self._odd)
        self._odd.clear()
        return True


class EngineMonitor:
    """What each engine gives when it is open, over nominal: the main engine, then the assist thrusters.

    It sits with the valve commands, because only there is known at every tick which valve should be open. An engine that
    gives next to nothing is given up, and tried again later where the lander can bear the trial.
    """

    def __init__(self, vehicle: Vehicle, parameters: EngineParameters) -> None:
        self._parameters = p = parameters
        ring = [_Watch(vehicle.assist, p.assist_chamber_pa, p.retry_s) for _ in range(vehicle.assist.count)]
        self._watches = [_Watch(vehicle.main_engine, p.main_chamber_pa, p.retry_s), *ring]
        self._last: list[float] = []
        self._time_s = 0.0

    @property
    def fraction(self) -> list[float]:
        """Thrust of each engine over nominal; 0 for one that is given up."""
        least = self._parameters.least_fraction
        return [watch.fraction if watch.fraction >= least else 0.0 for watch in self._watches]

    @property
    def stuck_open(self) -> list[bool]:
        """Engines that burn though their valves are commanded shut."""
        return [watch.stuck_open for watch in self._watches]

    def restore(self, fraction: Sequence[float], stuck_open: Sequence[bool]) -> None:
        """Go on from what a former life had found; an engine that it gave up is tried again after the first wait."""
        for watch, given, is_open in zip(self._watches, fraction, stuck_open, strict=True):
            watch.fraction, watch.stuck_open, watch.until_s = given, is_open, self._time_s + watch.retry_s

    def command(self, main_on: bool, assist_on_s: Sequence[float], step_s: float) -> None:
        """Take in what was commanded for the tick just past."""
        self._time_s += step_s
        main, *ring = self._watches
        main.command(step_s if main_on else 0.0, step_s)
        for watch, on_s in zip(ring, assist_on_s, strict=True):
            watch.command(on_s, step_s)

    def look(self, telemetry: Any, may_retry: bool) -> bool:
        """Take in chamber pressures; True where what is believed of an engine has changed."""
        pressures = [float(telemetry.main_chamber_pa), *telemetry.assist_chamber_pa.tolist()]
        frozen, self._last = pressures == self._last, pressures  # gauges are noisy: the same again is no reading
        if frozen or len(pressures) != len(self._watches):
            return False
        changed = False
        for watch, pressure in zip(self._watches, pressures, strict=True):
            changed |= self._judge(watch, pressure) or (may_retry and self._retry(watch))
        return changed and self._plausible()

    def _judge(self, watch: _Watch, pressure_pa: float) -> bool:
        sample = watch.sample(pressure_pa)
        if sample is None or not isfinite(sample):
            return False
        p = self._parameters
        changed = watch.believe(sample, p.deviation, p.samples)
        if changed and watch.fraction < p.least_fraction:
            watch.until_s = self._time_s + watch.retry_s
            watch.retry_s *= 2.0
        return changed

    def _retry(self, watch: _Watch) -> bool:
        """Give an engine that is given up another chance when its time has come."""
        if watch.fraction >= self._parameters.least_fraction or self._time_s < watch.until_s:
            return False
        watch.fraction = 1.0
        return True

    def _plausible(self) -> bool:
        """Where most of the ring seems dead at once, it is the gauges: forget it."""
        ring = self._watches[1:]
        dead = sum(watch.fraction < self._parameters.least_fraction for watch in ring)
        if 2 * dead > len(ring):
            for watch in ring:
                watch.fraction = 1.0
        return True
