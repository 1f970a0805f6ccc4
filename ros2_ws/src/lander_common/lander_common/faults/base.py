"""What every fault has: a beginning, an end, a subject and a kind."""

from __future__ import annotations

from typing import Any, get_args

from pydantic import Field, model_validator

from lander_runtime.config import Parameters
from lander_runtime.messages import NANOSECONDS


class Fault(Parameters):
    """Something that a scenario does to a run. Subclasses name their subject, their kind and what they need to know."""

    subject: str = Field(description="what it happens to")
    kind: str = Field(description="what happens")
    at_s: float | None = Field(default=None, ge=0, description="when it begins, after the start of the run")

    @classmethod
    def of_kind(cls) -> str:
        """The kind that a model is for."""
        return str(get_args(cls.model_fields["kind"].annotation)[0])

    @classmethod
    def of_subject(cls) -> str:
        """The subject that a model is for, where it is for one only."""
        return str(get_args(cls.model_fields["subject"].annotation)[0])

    @property
    def at_ns(self) -> int:
        """Stamp of the beginning; only where `at_s` is given."""
        assert self.at_s is not None
        return round(self.at_s * NANOSECONDS)


class TimedFault(Fault):
    """Begins at a time, which must be given."""

    at_s: float = Field(ge=0, description="when it begins, after the start of the run")


class LastingFault(TimedFault):
    """Begins at a time and lasts."""

    duration_s: float | None = Field(
        default=None, gt=0, description="how long it lasts; to the end of the run if left out"
    )


class DeviceFault(Fault):
    """Begins at a time, or when the lander first comes below a height over the ground, and lasts."""

    below_m: float | None = Field(default=None, gt=0, description="begins at this height over ground, in place of at_s")
    duration_s: float | None = Field(
        default=None, gt=0, description="how long it lasts; to the end of the run if left out"
    )

    @model_validator(mode="after")
    def _one_beginning(self) -> DeviceFault:
        if (self.at_s is None) == (self.below_m is None):
            raise ValueError("needs either at_s or below_m")
        return self


class StandingFault(Fault):
    """True from the start of the run to its end."""

    at_s: float = Field(default=0.0, ge=0, le=0, description="always 0: it is there from the start")


Model = type[Fault]
Data = dict[str, Any]
