"""Health: judges age, range and agreement of everything that the flight software hears, ten times a second."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_common.mission_map import mission_target
from lander_flight.health_monitors import LeakMonitor, PropellantMonitor, RangeMonitor, SilenceMonitor, ThrustMonitor
from lander_flight.health_quantities import QUANTITIES, Quantity, Situation
from lander_flight.health_table import AGES, declared_ages_s, parameters
from lander_flight.health_verdict import ERROR, OK, STALE, Verdict, worst
from lander_runtime.messages import NANOSECONDS, GuidanceCommand, HealthStatus, Message, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

ABORT = "abort"  # the response that is advised to guidance
_NOT_APPLICABLE = 0.0  # reported where a check does not apply


@dataclass(frozen=True, slots=True)
class _Watch:
    quantity: Quantity
    phases: frozenset[int]  # empty: all
    verdict: Verdict


class Health(Subsystem):
    """Runs the table of faults. It tells what is wrong and what is done about it, and advises guidance to abort."""

    name: ClassVar[str] = "health"

    def __init__(self, mission: Mission) -> None:
        """Raises ConfigError where the table names what is not watched."""
        table = parameters(mission)
        vehicle, model = mission.vehicle, table.model
        self._situation = Situation(
            vehicle=vehicle,
            model=model,
            radius_m=mission.site_frame.radius_m,
            target_site=mission_target(mission),
            thrust=ThrustMonitor(vehicle, model, mission.start.propellant_kg + mission.start.rcs_propellant_kg),
            propellant=PropellantMonitor(vehicle, model),
            leak=LeakMonitor(model.leak_window_s, vehicle.tanks.gauge_sigma_kg),
            silence=SilenceMonitor(),
            range_monitor=RangeMonitor(model),
            sole_altimeter="trn" not in mission.scenario.members,
            ages_s={},
        )
        self._limits_s = declared_ages_s()
        self._names = [check.name for check in table.checks]
        self._responses = [check.response for check in table.checks]
        self._watches = [
            _Watch(
                QUANTITIES[check.name],
                frozenset(getattr(GuidanceCommand, phase.upper()) for phase in check.phases),
                Verdict(check, self._limits_s.get(AGES.get(check.name, ""), 0.0)),
            )
            for check in table.checks
        ]
        self._since_ns: int | None = None
        self._stepped_ns = 0

    def restore(self, published: Mapping[str, Message]) -> None:
        """Go on from the verdicts that were given last: what was found is not found again, and an advice stands."""
        status = published.get("health_status")
        if status is None:
            return
        told = dict(zip(status.checks, zip(status.verdicts.tolist(), status.values.tolist(), strict=True), strict=True))
        for name, watch in zip(self._names, self._watches, strict=True):
            watch.verdict.put(told[name][0])
        self._situation.propellant.restore(told["propellant_agreement"][1])
        self._situation.leak.restore(float(status.leak_kg_s))

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
        if not silent & {"navigation_state", "throttle_command", "vehicle_telemetry"}:
            felt_m_s2 = float(s.navigation_state.specific_force_body[2])
            s.propellant.step(s.thrust, felt_m_s2, s.throttle_command, s.vehicle_telemetry, step_s)
            s.leak.step(s.propellant.total_kg, step_s)
        else:
            s.leak.forget(step_s)
        if "imu_increments" not in silent:
            s.silence.step(s.imu_increments)
        if not silent & {"range", "navigation_state"}:
            s.range_monitor.step(s.range, s.navigation_state, step_s)

    def _judge(self, now_ns: int, silent: frozenset[str]) -> Any:
        phase = self._situation.guidance_command.phase if self._situation.guidance_command is not None else None
        values, detections, responses, advice = [], [], [], HealthStatus.CONTINUE
        for name, response, watch in zip(self._names, self._responses, self._watches, strict=True):
            value, detected = self._judge_one(watch, phase, now_ns, silent)
            values.append(value)
            if detected:
                detections.append(name)
                responses.append(response)
            if response == ABORT and watch.verdict.now == ERROR:
                advice = HealthStatus.ABORT
        verdicts = [watch.verdict.now for watch in self._watches]
        return HealthStatus(
            overall=worst(verdicts),
            checks=self._names,
            verdicts=np.array(verdicts, dtype=np.uint8),
            values=np.array(values),
            detections=detections,
            responses=responses,
            advice=advice,
            leak_kg_s=self._situation.leak.rate_kg_s,
        )

    def _judge_one(self, watch: _Watch, phase: int | None, now_ns: int, silent: frozenset[str]) -> tuple[float, bool]:
        """Value reported and whether something was found.

        An input that is silent is found once, by its age; what cannot be judged without it is stale, and that is no finding.
        """
        if not silent.isdisjoint(watch.quantity.needs):
            watch.verdict.put(STALE)
            return _NOT_APPLICABLE, False
        value = None
        if not watch.phases or phase in watch.phases:
            value = watch.quantity.value(self._situation)
        if value is None:
            watch.verdict.put(OK)
            return _NOT_APPLICABLE, False
        return value, watch.verdict.judge(value, now_ns)
