"""What is kept of a retold flight, and the file that keeps it: one JSON object a line, so that a stopped retelling goes on."""

from __future__ import annotations

from collections.abc import Iterable
from pathlib import Path

from pydantic import BaseModel, ConfigDict

from lander_tools.verdict import Detection


class _Kept(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


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
    outcome: str
    reason: str
    vertical_speed_m_s: float
    horizontal_speed_m_s: float
    tilt_deg: float
    miss_m: float
    end_s: float
    propellant_left_kg: float
    figures: list[float | None]  # of history, in the order of the scenario's
    detections: tuple[Detection, ...]  # in the order of time
    curve: Curve | None

    @property
    def key(self) -> tuple[str, str, int]:
        """What makes a flight another one."""
        return self.scenario, self.logic, self.seed

    @property
    def acted_upon(self) -> Detection | None:
        """The first finding to which the software responded; else the first one of all."""
        acted = [found for found in self.detections if found.response != "report"]
        return next(iter([*acted, *self.detections]), None)

    @property
    def landed(self) -> bool:
        """Whether the lander survived its landing."""
        return self.outcome in ("success", "survivable")


def read_flights(path: Path) -> list[Flight]:
    """Flights that were kept before. Raises pydantic's ValidationError where the file is of another version."""
    if not path.is_file():
        return []
    return [Flight.model_validate_json(line) for line in path.read_text().splitlines() if line]


def append_flights(path: Path, flights: Iterable[Flight]) -> None:
    """Keep more flights, each as soon as it is there."""
    path.parent.mkdir(parents=True, exist_ok=True)
    for flight in flights:
        with path.open("a") as file:
            file.write(flight.model_dump_json() + "\n")
