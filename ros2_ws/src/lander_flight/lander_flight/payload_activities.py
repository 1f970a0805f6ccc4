"""What the payload manager does over time: the checkout sequence after touchdown, and the deployment of the rover."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lander_flight.payload_bay import Conditions, PayloadBay
from lander_flight.payload_parameters import Deployment, DeploymentStep, Step


class Checkout:
    """Switches payloads one by one after touchdown. A refused step is tried again until another one replaces it."""

    def __init__(self, steps: Sequence[Step]) -> None:
        self._steps = steps
        self._begun = 0  # steps that have become due
        self._open: dict[str, Step] = {}  # by payload: due, and refused so far
        self.refusal = ""

    def step(self, bay: PayloadBay, conditions: Conditions, now_s: float) -> None:
        """Do what is due. `now_s`: payload clock."""
        since_s = conditions.since_touchdown_s
        while since_s is not None and self._begun < len(self._steps) and self._steps[self._begun].at_s <= since_s:
            step = self._steps[self._begun]
            self._open[step.payload] = step
            self._begun += 1
        self.refusal = ""
        for payload, step in list(self._open.items()):
            self.refusal = bay.why_not(payload, step.state, conditions, commanded=False)
            if not self.refusal:
                bay.put(payload, step.state, now_s)
                del self._open[payload]

    def describe(self, since_touchdown_s: float) -> tuple[str, float]:
        """What is being done, and how much of it is done, 0 to 1."""
        if self._begun == 0:
            return "quiet after touchdown", _fraction(
                since_touchdown_s, 0.0, self._steps[0].at_s
            ) if self._steps else 1.0
        step = self._steps[self._begun - 1]
        text = f"checkout: {step.about}" + (f" (refused: {self.refusal})" if self.refusal else "")
        if self._begun < len(self._steps):
            return text, _fraction(since_touchdown_s, step.at_s, self._steps[self._begun].at_s)
        return text, 1.0


@dataclass(frozen=True, slots=True)
class DeploymentStatus:
    """Where a deployment stands."""

    active: bool  # the winch runs
    deployed: bool
    step: str
    progress: float  # 0 to 1
    reason: str  # why it stopped, if it did


class RoverDeployment:
    """Lowers the rover step by step. Stopped on the way, it goes on from there."""

    def __init__(self, parameters: Deployment) -> None:
        self._parameters = parameters
        self._total_s = sum(step.duration_s for step in parameters.steps)
        self._done_s = 0.0
        self._active = False
        self._reason = ""

    @property
    def rover(self) -> str:
        """Its name."""
        return self._parameters.rover

    @property
    def deployed(self) -> bool:
        """Whether the rover is on the ground."""
        return self._done_s >= self._total_s

    def why_not(self, rover: str, bay: PayloadBay, conditions: Conditions) -> str:
        """Why the deployment may not be begun or gone on with; empty where it may."""
        if rover != self.rover:
            return f"{rover!r} is no rover; there is {self.rover}"
        if self.deployed:
            return f"{rover} is deployed already"
        if self._active:
            return f"{rover} is being deployed"
        return bay.why_not(rover, self._parameters.during, conditions, commanded=False)

    def start(self, bay: PayloadBay, now_s: float) -> None:
        """Begin, or go on."""
        self._active, self._reason = True, ""
        bay.put(self.rover, self._parameters.during, now_s)

    def stop(self, bay: PayloadBay, now_s: float, reason: str) -> None:
        """Stop the winch where it is."""
        self._active, self._reason = False, reason
        bay.put(self.rover, self._parameters.held, now_s)

    def step(self, bay: PayloadBay, now_s: float, step_s: float) -> None:
        """Go on by `step_s` of the payload clock."""
        if not self._active:
            return
        if bay.state(self.rover) != self._parameters.during:
            self._active, self._reason = False, f"{self.rover} was switched to {bay.state(self.rover)}"
            return
        self._done_s = min(self._done_s + step_s, self._total_s)
        if self.deployed:
            self._active = False
            bay.put(self.rover, self._parameters.done, now_s)

    def status(self) -> DeploymentStatus:
        """Where it stands."""
        return DeploymentStatus(
            active=self._active,
            deployed=self.deployed,
            step=self._step().name,
            progress=self._done_s / self._total_s,
            reason=self._reason,
        )

    def _step(self) -> DeploymentStep:
        end_s = 0.0
        for step in self._parameters.steps:
            end_s += step.duration_s
            if self._done_s < end_s:
                return step
        return self._parameters.steps[-1]


def _fraction(now_s: float, begin_s: float, end_s: float) -> float:
    return min(max((now_s - begin_s) / (end_s - begin_s), 0.0), 1.0) if end_s > begin_s else 1.0
