"""A scenario: what is flown, what happens on the way, what happened in history, and what is expected of each logic."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field, model_validator

from lander_common.faults.catalogue import AnyFault
from lander_runtime.config import Document, Parameters

Logic = Literal["frigoris", "heritage"]
Outcome = Literal["success", "survivable", "lost", "aborted_safe"]
LANDED: tuple[Outcome, ...] = ("success", "survivable")


class Heritage(Parameters):
    """What flies in place of our flight software when the logic is `heritage`."""

    about: str  # what is known of it, and what is assumed
    parts: dict[str, str]  # replace those of the scenario
    members: tuple[str, ...] | None = None  # replace those of the scenario


class Expected(Parameters):
    """How a flight may end."""

    frigoris: Annotated[tuple[Outcome, ...], Field(min_length=1)]
    heritage: tuple[Outcome, ...] = ()  # where there is such a logic


class Figure(Parameters):
    """A figure of history, beside which what the heritage logic does is put."""

    quantity: Literal[
        "vertical_speed_m_s",  # at first contact
        "horizontal_speed_m_s",
        "miss_m",
        "speed_m_s",  # down, when first at `at_altitude_m`
        "stopped_at_m",  # true altitude at which the lander first sank no faster than 3 m/s
        "believed_at_stop_m",  # altitude that navigation believed then
        "altitude_error_m",  # believed less true, at the end of the pitch-up
        "first_range_m",  # true altitude at the first valid range of the rangefinder
        "deorbit_burn_s",
        "free_fall_s",  # from the last thrust to the ground
        "redesignations",  # of the target, in flight
    ]
    at_altitude_m: float | None = None
    published: str  # as it was told
    value: float | None = None  # the same as a number, where it is to be met ...
    within: Annotated[float, Field(gt=0, le=1)] | None = (
        None  # ... to this fraction; with a value only: at least that value
    )
    source: str
    mark: Literal["sourced", "computed", "estimate"]


class Landing(Parameters):
    """A landing of history that a scenario flies again."""

    date: str
    line: str  # what happened, in a line
    modelled: str  # how the scenario stands for it on our vehicle, and what of it is estimated
    figures: tuple[Figure, ...]


class Scenario(Parameters):
    """config/scenario/*.yaml."""

    name: str
    title: str
    history: str
    logic: Logic  # that flies unless the user says otherwise
    members: tuple[str, ...]
    parts: dict[str, str]  # kind -> name of the file under config/<kind>/
    faults: tuple[AnyFault, ...]
    landing: Landing | None = None  # where the scenario is one of history
    heritage: Heritage | None = None  # where history's flight logic can fly, too
    expected: Expected | None = None  # where anything can be said of how it ends

    @model_validator(mode="after")
    def _has_its_logic(self) -> Scenario:
        if self.logic == "heritage" and self.heritage is None:
            raise ValueError("has no heritage logic: expected logic: frigoris, or a section heritage")
        if self.expected is not None and bool(self.expected.heritage) != (self.heritage is not None):
            raise ValueError("expected.heritage must name outcomes where there is a section heritage, and only there")
        return self


def choose_logic(document: Document, logic: str | None) -> dict[str, str]:
    """The parts that fly, by kind, with the logic of the scenario or the one that is given. Raises ConfigError."""
    if logic is not None:
        document.data["logic"] = logic
    scenario = document.parse(Scenario)
    if scenario.logic == "frigoris" or scenario.heritage is None:
        return dict(scenario.parts)
    document.data["members"] = list(scenario.heritage.members or scenario.members)
    return {**scenario.parts, **scenario.heritage.parts}
