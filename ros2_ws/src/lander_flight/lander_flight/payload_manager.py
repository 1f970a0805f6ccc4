"""The payload manager: keeps payloads quiet for the landing, checks them out after it, and switches them on request."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_flight.payload_activities import Checkout, DeploymentStatus, RoverDeployment
from lander_flight.payload_bay import Conditions, PayloadBay
from lander_flight.payload_parameters import PayloadManagerParameters
from lander_flight.standstill import StandstillDetector
from lander_runtime.messages import Message, PayloadStatus
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick


class PayloadManager(Subsystem):
    """Owns the states of all payloads.

    Requests from outside (`request_switch`, `deploy_start`, `deploy_cancel`) are answered at once, by the rules as of
    the last step and what has been asked for since, and take effect in order at the beginning of the next step.
    """

    name: ClassVar[str] = "payload_manager"

    def __init__(self, mission: Mission) -> None:
        self._parameters = parameters = mission.part("payload_manager", PayloadManagerParameters)
        self._power = mission.vehicle.power
        self._names = [payload.name for payload in parameters.payloads]
        self.bay = PayloadBay(parameters.payloads)
        self._standstill = StandstillDetector(parameters.standstill, mission.site_frame.radius_m)
        self._checkout = Checkout(parameters.checkout)
        self._deployment = RoverDeployment(parameters.deployment)
        self._planned = self.bay.copy()  # with what has been asked for since the last step
        self._requests: list[Callable[[float], None]] = []
        self._notes: list[str] = []  # what was done unasked in this step, or not done though promised
        self._stamp_ns = 0
        self._clock_s = 0.0  # payload clock: runs `time_compression` times as fast after touchdown
        self._landed_s: float | None = None  # payload clock at touchdown
        self.conditions = Conditions(True, None, self._power.descent_payload_power_w)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """One second's work: requests, the clock, the rules, the activities."""
        step_s = self._advance_clock(tick)
        self._standstill.step(
            tick.stamp_ns,
            inputs.latest("navigation_state"),
            inputs.latest("guidance_command"),
            inputs.latest("vehicle_telemetry"),
        )
        self._land()
        self.conditions = self._judge(inputs)
        self._notes = []
        self._apply_requests()
        self.bay.run_on(self._clock_s)
        forced = self.bay.enforce(self.conditions, self._clock_s)
        self._notes += [f"{name} had to be switched to {self.bay.state(name)}" for name in forced]
        self._checkout.step(self.bay, self.conditions, self._clock_s)
        self._deployment.step(self.bay, self._clock_s, step_s)
        self._planned = self.bay.copy()
        return {"payload_status": self._status()}

    def restore(self, published: Mapping[str, Message]) -> None:
        """Take the payloads as they were left; an activity that was under way is not taken up again."""
        status = published.get("payload_status")
        if status is not None:
            for payload, state in zip(status.payloads, status.states, strict=True):
                self.bay.put(payload, state, self._clock_s)
            self._planned = self.bay.copy()

    def request_switch(self, payload: str, state: str) -> tuple[bool, str]:
        """Ask for a payload to be put into a state: accepted or not, and why not."""
        reason = self._planned.why_not(payload, state, self.conditions)
        if reason:
            return False, reason
        self._planned.put(payload, state, self._clock_s)
        self._requests.append(lambda now_s: self._switch(payload, state, now_s))
        return True, ""

    def deploy_start(self, rover: str) -> tuple[bool, str]:
        """Ask for the rover to be lowered, or for going on with it: accepted or not, and why not."""
        reason = self._deployment.why_not(rover, self._planned, self.conditions)
        if reason:
            return False, reason
        self._planned.put(rover, self._parameters.deployment.during, self._clock_s)
        self._requests.append(lambda now_s: self._deploy(rover, now_s))
        return True, ""

    def deploy_cancel(self) -> tuple[bool, str]:
        """Ask for the winch to be stopped where it is: accepted or not, and why not."""
        if not self._deployment.status().active:
            return False, f"{self._deployment.rover} is not being deployed"
        self._requests.append(self._stop)
        return True, ""

    def deploy_feedback(self) -> DeploymentStatus:
        """Where the deployment stands, as of the last step."""
        return self._deployment.status()

    def _apply_requests(self) -> None:
        requests, self._requests = self._requests, []
        for apply in requests:
            apply(self._clock_s)

    def _switch(self, payload: str, state: str, now_s: float) -> None:
        """Apply a request, unless what has changed since forbids it."""
        if not self._noted(self.bay.why_not(payload, state, self.conditions)):
            self.bay.put(payload, state, now_s)

    def _deploy(self, rover: str, now_s: float) -> None:
        if not self._noted(self._deployment.why_not(rover, self.bay, self.conditions)):
            self._deployment.start(self.bay, now_s)

    def _stop(self, now_s: float) -> None:
        if self._deployment.status().active:
            self._deployment.stop(self.bay, now_s, "cancelled")

    def _noted(self, reason: str) -> bool:
        """Whether there is a reason against a request; it is noted."""
        if reason:
            self._notes.append(f"not done after all: {reason}")
        return bool(reason)

    def _advance_clock(self, tick: Tick) -> float:
        """Move the payload clock; return by how much, s."""
        factor = 1.0 if self._landed_s is None else self._parameters.time_compression
        step_s = factor * (tick.stamp_ns - self._stamp_ns) * 1e-9
        self._stamp_ns = tick.stamp_ns
        self._clock_s += step_s
        return step_s

    def _land(self) -> None:
        """Begin the time after touchdown, with what has passed of it until it was certain."""
        touchdown_ns = self._standstill.touchdown_ns
        if self._landed_s is None and touchdown_ns is not None:
            self._landed_s = self._clock_s - (self._stamp_ns - touchdown_ns) * 1e-9

    def _judge(self, inputs: Inputs) -> Conditions:
        telemetry, guidance = inputs.latest("vehicle_telemetry"), inputs.latest("guidance_command")
        since_s = None if self._landed_s is None else self._clock_s - self._landed_s
        quiet = self._must_be_quiet(since_s, guidance)
        available = telemetry.available_power_w if telemetry is not None else self._power.available_power_w
        return Conditions(quiet, since_s, min(available, self._power.descent_payload_power_w) if quiet else available)

    def _must_be_quiet(self, since_touchdown_s: float | None, guidance: Any) -> bool:
        """Whether the load rule of the landing holds; also while nothing is known of when the landing will be."""
        rule = self._parameters.quiet
        if since_touchdown_s is not None:
            return since_touchdown_s < rule.after_touchdown_s
        return guidance is None or not guidance.time_to_touchdown_s > rule.before_touchdown_s

    def _status(self) -> Any:
        power = self.bay.power_w()
        activity, progress = self._describe()
        return PayloadStatus(
            payloads=self._names,
            states=self.bay.states(),
            power_w=np.array(power),
            total_power_w=sum(power),
            power_budget_w=self.conditions.budget_w,
            activity="; ".join([activity, *self._notes]),
            activity_progress=progress,
        )

    def _describe(self) -> tuple[str, float]:
        deployment, since_s = self._deployment.status(), self.conditions.since_touchdown_s
        if deployment.active:
            return f"deploying {self._deployment.rover}: {deployment.step}", deployment.progress
        if since_s is not None:
            return self._checkout.describe(since_s)
        return ("quiet for the landing" if self.conditions.quiet else "cruise"), 0.0
