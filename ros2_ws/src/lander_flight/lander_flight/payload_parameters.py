"""Payloads as data: the schema of config/payload_manager/*.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, model_validator

from lander_common.mission import NonNegative, Positive
from lander_runtime.config import Parameters

StateKey = Annotated[str, Field(pattern=r"^[a-z0-9_]+/[a-z0-9_]+$")]  # payload/state


class State(Parameters):
    """A state of a payload, and the rules for entering it."""

    name: str
    power_w: NonNegative
    in_descent: bool  # allowed from some time before touchdown to some time after it
    after_touchdown_s: NonNegative | None = None  # earliest; not given: before touchdown too
    reached_from: tuple[str, ...] = ()  # states of the same payload; none: from any
    needs_any: tuple[StateKey, ...] = ()  # one of these states of other payloads
    not_while: tuple[StateKey, ...] = ()  # none of these states of other payloads
    commanded: bool = True  # by the switching service; else only as a part of an activity
    lasts_s: Positive | None = None  # then it goes on by itself
    then: str | None = None  # to this state

    @model_validator(mode="after")
    def _timed(self) -> State:
        if (self.lasts_s is None) != (self.then is None):
            raise ValueError("lasts_s and then go together")
        return self


class Payload(Parameters):
    """A payload."""

    name: Annotated[str, Field(pattern=r"^[a-z0-9_]+$")]
    about: str
    mass_kg: Positive
    priority: int  # the highest number is switched to its safe state first where power runs short
    initial: str
    safe: str  # state of least power that it may always be put into
    states: Annotated[tuple[State, ...], Field(min_length=1)]

    def state(self, name: str) -> State | None:
        """One of its states by name."""
        return next((state for state in self.states if state.name == name), None)

    @model_validator(mode="after")
    def _consistent(self) -> Payload:
        names = [state.name for state in self.states]
        named = [self.initial, self.safe, *(state.then for state in self.states if state.then)]
        named += [source for state in self.states for source in state.reached_from]
        unknown = sorted(set(named) - set(names))
        if unknown or len(names) != len(set(names)):
            raise ValueError(f"states of {self.name} are named twice or not at all: {', '.join(unknown) or names}")
        return self


class Quiet(Parameters):
    """When payloads must be quiet for the landing."""

    before_touchdown_s: NonNegative
    after_touchdown_s: NonNegative


class Standstill(Parameters):
    """How the lander knows that it stands."""

    legs: Annotated[int, Field(ge=1)]  # contact switches pressed
    rate_deg_s: Positive  # body rate below
    specific_force_tolerance_m_s2: Positive  # of gravity at the site
    lasting_s: NonNegative


class Step(Parameters):
    """A step of the checkout sequence."""

    at_s: NonNegative  # after touchdown
    payload: str
    state: str
    about: str


class DeploymentStep(Parameters):
    """A step of lowering the rover."""

    name: str
    duration_s: Positive


class Deployment(Parameters):
    """How the rover gets to the ground."""

    rover: str
    during: str  # its state while the winch runs
    held: str  # while it is stopped on the way
    done: str  # on the ground
    steps: Annotated[tuple[DeploymentStep, ...], Field(min_length=1)]


class PayloadManagerParameters(Parameters):
    """All payloads of a lander and what is done with them."""

    name: str
    about: str
    time_compression: Annotated[float, Field(ge=1)]
    capacity_kg: Positive
    quiet: Quiet
    standstill: Standstill
    payloads: Annotated[tuple[Payload, ...], Field(min_length=1)]
    checkout: tuple[Step, ...]
    deployment: Deployment

    @model_validator(mode="after")
    def _consistent(self) -> PayloadManagerParameters:
        problems = [f"{key} is no state of any payload" for key in self._named() if key not in self._known()]
        mass = sum(payload.mass_kg for payload in self.payloads)
        if mass > self.capacity_kg:
            problems.append(f"payloads of {mass:.1f} kg exceed the capacity of {self.capacity_kg:.1f} kg")
        if [step.at_s for step in self.checkout] != sorted(step.at_s for step in self.checkout):
            problems.append("steps of checkout must be in the order of at_s")
        if len({payload.name for payload in self.payloads}) != len(self.payloads):
            problems.append("a payload is listed twice")
        if problems:
            raise ValueError("; ".join(problems))
        return self

    def _known(self) -> set[str]:
        return {f"{payload.name}/{state.name}" for payload in self.payloads for state in payload.states}

    def _named(self) -> list[str]:
        states = [state for payload in self.payloads for state in payload.states]
        rover = self.deployment
        named = [key for state in states for key in (*state.needs_any, *state.not_while)]
        named += [f"{step.payload}/{step.state}" for step in self.checkout]
        return named + [f"{rover.rover}/{name}" for name in (rover.during, rover.held, rover.done)]
