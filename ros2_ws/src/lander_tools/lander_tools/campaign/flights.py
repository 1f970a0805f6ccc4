"""What is kept of a flight, and the file that keeps it: one JSON object a line, so that a stopped campaign goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path
from typing import NamedTuple

from pydantic import BaseModel, ConfigDict, ValidationError

from lander_common.scenario import LANDED
from lander_tools.detections import Onset
from lander_tools.verdict import Detection

FILE = "flights.jsonl"
REPORT = "report"  # the response that changes nothing


class FlightsError(ValueError):
    """Kept flights cannot be read; the text says which, and what to do."""


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Task(NamedTuple):
    """A flight that is to be flown."""

    scenario: str
    logic: str
    seed: int
    changes: str = ""  # what differs from the scenario: `key=value`, one a line


class Curve(_Kept):
    """A flight as its plots need it; all of the same length."""

    time_s: list[float]
    altitude_m: list[float]
    believed_altitude_m: list[float]
    down_m_s: list[float]
    across_m_s: list[float]


class Flight(_Kept):
    """One flight of one scenario with one logic."""

    scenario: str
    logic: str
    seed: int
    changes: str
    outcome: str
    reason: str
    touched_down: bool
    vertical_speed_m_s: float
    horizontal_speed_m_s: float
    tilt_deg: float
    rest_tilt_deg: float
    slope_deg: float
    miss_m: float
    end_s: float
    propellant_used_kg: float
    propellant_left_kg: float
    redesignations: int  # of the target, in flight
    figures: list[float | None]  # of history, in the order of the scenario's
    faults: tuple[Onset, ...]  # that began
    detections: tuple[Detection, ...]  # in the order of time
    curve: Curve | None

    @property
    def task(self) -> Task:
        """What makes a flight another one."""
        return Task(self.scenario, self.logic, self.seed, self.changes)

    @property
    def acted_upon(self) -> Detection | None:
        """The first finding to which the software responded; else the first one of all."""
        acted = [found for found in self.detections if found.response != REPORT]
        return next(iter([*acted, *self.detections]), None)

    @property
    def landed(self) -> bool:
        """Whether the lander survived its landing."""
        return self.outcome in LANDED


def read_flights(folder: Path) -> list[Flight]:
    """Flights that were kept in a folder before. Raises FlightsError."""
    path = folder / FILE
    if not path.is_file():
        return []
    try:
        return [Flight.model_validate_json(line) for line in path.read_text().splitlines() if line]
    except ValidationError as error:
        what = error.errors()[0]
        where = ".".join(map(str, what["loc"]))
        raise FlightsError(f"{path}: {where}: {what['msg']}: kept by another version; fly --anew") from None


def append_flights(folder: Path, flights: Iterable[Flight]) -> None:
    """Keep more flights, each as soon as it is there."""
    folder.mkdir(parents=True, exist_ok=True)
    with (folder / FILE).open("a") as file:
        for flight in flights:
            file.write(flight.model_dump_json() + "\n")
            file.flush()


def forget(folder: Path, tasks: Iterable[Task]) -> None:
    """Drop flights that were kept before. Raises FlightsError."""
    dropped, kept = set(tasks), read_flights(folder)
    (folder / FILE).unlink(missing_ok=True)
    append_flights(folder, [flight for flight in kept if flight.task not in dropped])
