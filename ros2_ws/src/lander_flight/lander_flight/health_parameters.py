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
    response: Literal["none"]  # what the flight software does about it

    @model_validator(mode="after")
    def _limited(self) -> Check:
        if self.warn is None and self.error is None and self.stale is None:
            raise ValueError("a check needs at least one of warn, error and stale")
        return self


class Model(Parameters):
    """What the checks know of the vehicle beyond its file, and how they smooth."""

    smoothing_s: Positive  # time constant of the low-pass behind what is noisy or pulsed
    gauge_smoothing_s: Positive  # the same for the propellant gauge
    gauge_settling_s: Positive  # the gauge's mean over this time is where the count of propellant begins
    main_chamber_pa: Positive  # at full thrust
    assist_chamber_pa: Positive
    thrust_agreement_floor_m_s2: Positive  # the smallest acceleration that a disagreement is referred to
    range_expected_below_m: Positive  # altitude from which the rangefinder is to give valid ranges
    range_expected_above_m: NonNegative
    contact_possible_below_m: Positive  # altitude: above it a contact switch lies


class HealthParameters(Parameters):
    """Health monitoring."""

    name: str
    about: str
    model: Model
    checks: Annotated[tuple[Check, ...], Field(min_length=1)]

    @model_validator(mode="after")
    def _distinct(self) -> HealthParameters:
        for key in ("id", "name"):
            values = [getattr(check, key) for check in self.checks]
            twice = sorted({value for value in values if values.count(value) > 1})
            if twice:
                raise ValueError(f"{key} {', '.join(twice)} is given to more than one check")
        return self
