"""Health: judges age, range and agreement of everything that the flight software hears, ten times a second."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_flight.health_monitors import ChamberMonitor, PropellantMonitor, RangeMonitor, ThrustMonitor
from lander_flight.health_parameters import Band, HealthParameters
from lander_flight.health_quantities import QUANTITIES, Quantity, Situation
from lander_flight.health_verdict import NANOSECONDS, OK, STALE, Verdict, worst
from lander_runtime.architecture import architecture
from lander_runtime.config import ConfigError, did_you_mean
from lander_runtime.messages import GuidanceCommand, HealthStatus, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

_AGES = {
    "imu_age": "imu_increments",
    "range_age": "range",
    "navigation_age": "navigation_state",
    "guidance_age": "guidance_command",
    "throttle_age": "throttle_command",
    "telemetry_age": "vehicle_telemetry",
}
_NOT_APPLICABLE = 0.0  # reported where a check does not apply


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A row of the table of checks, for documents and displays."""

    id: str
    name: str
    about: str
    unit: str
    warn: str
    error: str
    stale: str
    persistence_s: float
    phases: str
    reason: str
    response: str


@dataclass(frozen=True, slots=True)
class _Watch:
    quantity: Quantity
    phases: frozenset[int]  # empty: all
    verdict: Verdict


class Health(Subsystem):
    """Runs the table of checks. It only tells: what is done about a finding is not decided here."""

    name: ClassVar[str] = "health"

    def __init__(self, mission: Mission) -> None:
        """Raises ConfigError where the table names what is not watched."""
        parameters = _parameters(mission)
        vehicle, model = mission.vehicle, parameters.model
        self._situation = Situation(
            vehicle=vehicle,
            model=model,
            radius_m=mission.site_frame.radius_m,
            thrust=ThrustMonitor(vehicle, model, mission.start.propellant_kg + mission.start.rcs_propellant_kg),
            propellant=PropellantMonitor(vehicle, model),
            chamber=ChamberMonitor(vehicle.assist.count, model),
            range_monitor=RangeMonitor(model),
            ages_s={},
        )
        self._limits_s = declared_ages_s()
        self._names = [check.name for check in parameters.checks]
        self._watches = [
            _Watch(
                QUANTITIES[check.name],
                frozenset(getattr(GuidanceCommand, phase.upper()) for phase in check.phases),
                Verdict(check, self._limits_s.get(_AGES.get(check.name, ""), 0.0)),
            )
            for check in parameters.checks
        ]
        self._since_ns: int | None = None
        self._stepped_ns = 0

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Judge every check."""
        if self._since_ns is None:
            self._since_ns = self._stepped_ns = tick.stamp_ns
        silent = self._listen(tick, inputs)
        self._follow(silent, (tick.stamp_ns - self._stepped_ns) * 1e-9)
        self._stepped_ns = tick.stamp_ns
        return {"health_status": self._judge(tick.stamp_ns, silent)}

    def _listen(self, tick: Tick, inputs: Inputs) -> frozenset[str]:
        """Take in the newest messages; return the inputs that are missing or too old to mean anything."""
        situation, silent = self._situation, []
        for key, limit_s in self._limits_s.items():
            message = inputs.latest(key)
            setattr(situation, key, message)
            heard_ns = self._since_ns if message is None else stamp_ns(message)
            age_s = situation.ages_s[key] = (tick.stamp_ns - (heard_ns or 0)) / NANOSECONDS
            if message is None or age_s > limit_s:
                silent.append(key)
        return frozenset(silent)

    def _follow(self, silent: frozenset[str], step_s: float) -> None:
        """Carry the running models on with what is heard."""
        s = self._situation
        if not silent & {"imu_increments", "throttle_command", "vehicle_telemetry"}:
            s.thrust.step(s.imu_increments, s.throttle_command, s.vehicle_telemetry, step_s)
            s.propellant.step(s.thrust, s.throttle_command, s.vehicle_telemetry, step_s)
        if "vehicle_telemetry" not in silent:
            s.chamber.step(s.vehicle_telemetry, step_s)
        if not silent & {"range", "navigation_state"}:
            s.range_monitor.step(s.range, s.navigation_state, step_s)

    def _judge(self, now_ns: int, silent: frozenset[str]) -> Any:
        phase = self._situation.guidance_command.phase if self._situation.guidance_command is not None else None
        values, detections = [], []
        for name, watch in zip(self._names, self._watches, strict=True):
            value, detected = self._judge_one(watch, phase, now_ns, silent)
            values.append(value)
            if detected:
                detections.append(name)
        verdicts = [watch.verdict.now for watch in self._watches]
        return HealthStatus(
            overall=worst(verdicts),
            checks=self._names,
            verdicts=np.array(verdicts, dtype=np.uint8),
            values=np.array(values),
            detections=detections,
        )

    def _judge_one(self, watch: _Watch, phase: int | None, now_ns: int, silent: frozenset[str]) -> tuple[float, bool]:
        """Value reported and whether the verdict became ERROR or STALE."""
        if not silent.isdisjoint(watch.quantity.needs):
            return _NOT_APPLICABLE, watch.verdict.put(STALE)
        value = None
        if not watch.phases or phase in watch.phases:
            value = watch.quantity.value(self._situation)
        if value is None:
            watch.verdict.put(OK)
            return _NOT_APPLICABLE, False
        return value, watch.verdict.judge(value, now_ns)


def declared_ages_s() -> dict[str, float]:
    """Oldest age that each input of health accepts, s; infinity where it takes any."""
    ports = architecture().nodes[Health.name].inputs
    return {p.topic.key: float("inf") if p.max_age_ns is None else p.max_age_ns / NANOSECONDS for p in ports}


def checks(mission: Mission) -> list[CheckRow]:
    """The table of checks as it is flown, in words. Raises ConfigError."""
    limits = declared_ages_s()
    return [
        CheckRow(
            id=check.id,
            name=check.name,
            about=check.about,
            unit=check.unit,
            warn=band_text(check.warn),
            error=band_text(check.error),
            stale=f"> {limits[_AGES[check.name]]:g}" if check.stale else "",
            persistence_s=check.persistence_s,
            phases=", ".join(check.phases) or "all",
            reason=check.reason,
            response=check.response,
        )
        for check in _parameters(mission).checks
    ]


def band_text(band: Band | None) -> str:
    """Which values are beyond a band, in words."""
    if band is None:
        return ""
    low, high = band
    sides = [f"< {low:g}"] if low is not None else []
    return " or ".join([*sides, f"> {high:g}"] if high is not None else sides)


def _parameters(mission: Mission) -> HealthParameters:
    parameters = mission.part("health", HealthParameters)
    path, problems = mission.documents["health"].path, []
    for check in parameters.checks:
        if check.name not in QUANTITIES:
            hint = did_you_mean(check.name, list(QUANTITIES))
            problems.append(f"{path}: checks: {check.id}: nothing named {check.name!r} is watched{hint}")
        elif check.stale and check.name not in _AGES:
            problems.append(f"{path}: checks: {check.id}: stale is for the ages of inputs: {', '.join(_AGES)}")
    if problems:
        raise ConfigError(problems)
    return parameters
