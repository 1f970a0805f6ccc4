"""The table of health checks as data: the schema of config/health/*.yaml."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lander_common.mission import NonNegative, Positive
from lander_runtime.config import Parameters

Phase = Literal["deorbit", "coast", "braking", "pitch_up", "terminal", "touchdown", "safe"]
Band = tuple[float | None, float | None]  # lowest and highest value that is still good; null: no limit on that side


class Check(Parameters):
    """One row of the table."""

    id: Annotated[str, Field(pattern=r"^H\d\d$")]
    name: Annotated[str, Field(pattern=r"^[a-z][a-z0-9_]*$")]
    about: str  # what is watched; the code that computes it has the same name
    unit: str
    warn: Band | None = None
    error: Band | None = None
    stale: Literal["declared"] | None = None  # beyond the oldest age that the port declares
    persistence_s: NonNegative  # a verdict changes when the value has been beyond (or back) for so long
    phases: tuple[Phase, ...]  # in which it applies; none named: in all
    reason: str  # why these limits
    fault: str  # what is said to be wrong
    blames: tuple[str, ...]  # devices, nodes, topics or subject/kind, one of which has it; none: a state of the flight
    response: str  # what the flight software does about it: one of the responses

    @model_validator(mode="after")
    def _limited(self) -> Check:
        if self.warn is None and self.error is None and self.stale is None:
            raise ValueError("a check needs at least one of warn, error and stale")
        return self


class Response(Parameters):
    """What is done about a fault."""

    by: str  # who does it
    about: str


class Model(Parameters):
    """What the checks know of the vehicle beyond its file, and how they smooth."""

    smoothing_s: Positive  # time constant of the low-pass behind what is noisy or pulsed
    gauge_smoothing_s: Positive  # the same for the propellant gauge
    gauge_settling_s: Positive  # the gauge's mean over this time is where the count of propellant begins
    thrust_agreement_floor_m_s2: Positive  # the smallest acceleration that a disagreement is referred to
    range_expected_below_m: Positive  # altitude from which the rangefinder is to give valid ranges
    range_expected_above_m: NonNegative
    contact_possible_below_m: Positive  # altitude: above it a contact switch lies
    doubt_counts_below_m: Positive  # altitude by which ranges have told for sure
    leak_kg_s: Positive  # a smaller loss is not told from the errors of gauge and use
    leak_window_s: Positive  # over which the loss of propellant is fitted
    engine_deviation: Positive  # of nominal thrust, from which on an assist thruster counts as not working


class HealthParameters(Parameters):
    """Health monitoring."""

    name: str
    about: str
    model: Model
    responses: dict[str, Response]
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> HealthParameters:
        for key in ("id", "name"):
            values = [getattr(check, key) for check in self.checks]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} {', '.join(twice)} is given to more than one check")
        unknown = sorted({check.response for check in self.checks} - self.responses.keys())
        if unknown:
            raise ValueError(f"response {', '.join(unknown)} is not described under responses")
        return self
