"""What a campaign says of a scenario: how often it lands, how soon each fault is found, and what is wrongly found."""

from __future__ import annotations

from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from math import sqrt
from statistics import median

from pydantic import BaseModel, ConfigDict

from lander_common.scenario import LANDED, Scenario
from lander_flight.health_parameters import Check, HealthParameters
from lander_tools.campaign.flights import REPORT, Flight
from lander_tools.campaign.fly_tasks import mission_of
from lander_tools.detections import Onset
from lander_tools.verdict import Detection

_Z = 1.959964  # two-sided 95 % of the normal distribution


class _Part(BaseModel):
    model_config = ConfigDict(frozen=True, extra="forbid")


class Share(_Part):
    """How many of how many, and between which shares the true one lies with 95 % confidence."""

    count: int
    of: int
    low: float
    high: float

    def __str__(self) -> str:
        return f"{self.count} of {self.of} ({100 * self.low:.0f}-{100 * self.high:.0f} %)"


class FaultScore(_Part):
    """How a fault of the scenario was found."""

    fault: str  # subject and kind
    began: int  # flights in which it did
    found: int  # of these, in which a finding pointed to its subject afterwards
    first_row: str  # of the table of faults; the one that was first most often
    response: str
    latency_median_s: float | None  # from the fault to the first finding that points to its subject
    latency_worst_s: float | None
    before_end_median_s: float | None  # from that finding to the end of the flight


class Score(_Part):
    """A scenario flown by one logic."""

    scenario: str
    logic: str
    changes: str
    seeds: tuple[int, ...]
    outcomes: dict[str, int]
    success: Share
    landed: Share  # success or survivable
    declared: Share  # as the scenario expects
    faults: tuple[FaultScore, ...]
    wrong: dict[str, int]  # rows that pointed elsewhere than to any fault that had begun, and in how many flights
    alarms: dict[str, int]  # rows that found something before any fault had begun
    disturbed: int  # flights that a false alarm changed
    redesignations: dict[int, int]  # how often the target was changed, and in how many flights
    propellant_left_least_kg: float | None  # of those that landed
    vertical_speed_worst_m_s: float | None
    miss_median_m: float | None


def wilson(count: int, of: int) -> Share:
    """A share with its score interval (Wilson 1927, J. Am. Stat. Assoc. 22, 209)."""
    share, z2 = count / of, _Z**2
    middle = (share + z2 / (2 * of)) / (1 + z2 / of)
    half = _Z / (1 + z2 / of) * sqrt(share * (1 - share) / of + z2 / (4 * of**2))
    return Share(count=count, of=of, low=max(0.0, middle - half), high=min(1.0, middle + half))


def score_all(flights: Iterable[Flight]) -> list[Score]:
    """A score for each scenario and logic, in the order of the flights."""
    groups: dict[tuple[str, str], list[Flight]] = {}
    for flight in flights:
        groups.setdefault((flight.scenario, flight.logic), []).append(flight)
    return [_score_as_flown(group) for group in groups.values()]


def _score_as_flown(flights: Sequence[Flight]) -> Score:
    mission = mission_of(flights[0].task)
    return score(mission.scenario, flights, mission.part("health", HealthParameters).checks)


def score(scenario: Scenario, flights: Sequence[Flight], checks: Sequence[Check]) -> Score:
    """Sum up flights of one scenario with one logic; at least one. `checks`: the table of faults."""
    blames = _Blames(scenario, checks)
    landed = [flight for flight in flights if flight.landed]
    wrong, alarms = (_rows_of(flights, picked) for picked in (blames.is_wrong, _is_alarm))
    return Score(
        scenario=flights[0].scenario,
        logic=flights[0].logic,
        changes=flights[0].changes,
        seeds=tuple(sorted(flight.seed for flight in flights)),
        outcomes=dict(Counter(flight.outcome for flight in flights).most_common()),
        success=_share(flights, ("success",)),
        landed=_share(flights, LANDED),
        declared=_share(flights, expected_outcomes(scenario, flights[0].logic)),
        faults=tuple(_score_fault(number, scenario, flights, blames) for number in range(len(scenario.faults))),
        wrong=wrong,
        alarms=alarms,
        disturbed=sum(
            any(_is_alarm(flight, found) and found.response != REPORT for found in flight.detections)
            for flight in flights
        ),
        redesignations=dict(sorted(Counter(flight.redesignations for flight in flights).items())),
        propellant_left_least_kg=min((flight.propellant_left_kg for flight in landed), default=None),
        vertical_speed_worst_m_s=max((flight.vertical_speed_m_s for flight in landed), default=None),
        miss_median_m=median(flight.miss_m for flight in landed) if landed else None,
    )


def expected_outcomes(scenario: Scenario, logic: str) -> tuple[str, ...]:
    """How a flight may end by what its scenario says; a landing where it says nothing."""
    if scenario.expected is None:
        return LANDED
    return scenario.expected.heritage if logic == "heritage" else scenario.expected.frigoris


def _share(flights: Sequence[Flight], outcomes: Sequence[str]) -> Share:
    return wilson(sum(flight.outcome in outcomes for flight in flights), len(flights))


class _Blames:
    """What the rows of the table of faults point to, against the faults of a scenario."""

    def __init__(self, scenario: Scenario, checks: Sequence[Check]) -> None:
        self._faults = scenario.faults
        self._rows = {check.name: frozenset(check.blames) for check in checks}

    def point_to(self, found: Detection, onset: Onset) -> bool:
        """Whether a finding names the subject of a fault, or the subject with the kind of the fault."""
        fault = self._faults[onset.number]
        return not self._rows[found.fault].isdisjoint((fault.subject, f"{fault.subject}/{fault.kind}"))

    def is_wrong(self, flight: Flight, found: Detection) -> bool:
        """Whether a finding points only to what has no fault, while something has."""
        begun = _begun(flight, found)
        blames_any = bool(self._rows[found.fault])
        return blames_any and bool(begun) and not any(self.point_to(found, onset) for onset in begun)


def _begun(flight: Flight, found: Detection) -> list[Onset]:
    return [onset for onset in flight.faults if onset.time_s <= found.time_s]


def _is_alarm(flight: Flight, found: Detection) -> bool:
    return not _begun(flight, found)


def _rows_of(flights: Sequence[Flight], picked: Callable[[Flight, Detection], bool]) -> dict[str, int]:
    names = (found.fault for flight in flights for found in flight.detections if picked(flight, found))
    return dict(Counter(names).most_common())


def _score_fault(number: int, scenario: Scenario, flights: Sequence[Flight], blames: _Blames) -> FaultScore:
    fault = scenario.faults[number]
    onsets = [(flight, onset) for flight in flights for onset in flight.faults if onset.number == number]
    firsts = [(flight, onset, found) for flight, onset in onsets if (found := _first_naming(flight, onset, blames))]
    named = Counter((found.fault, found.response) for _, _, found in firsts)
    row, response = named.most_common(1)[0][0] if named else ("", "")
    latencies = [found.time_s - onset.time_s for _, onset, found in firsts]
    return FaultScore(
        fault=f"{fault.subject} {fault.kind}",
        began=len({flight.seed for flight, _ in onsets}),
        found=len({flight.seed for flight, _, _ in firsts}),
        first_row=row,
        response=response,
        latency_median_s=median(latencies) if latencies else None,
        latency_worst_s=max(latencies, default=None),
        before_end_median_s=median(flight.end_s - found.time_s for flight, _, found in firsts) if firsts else None,
    )


def _first_naming(flight: Flight, onset: Onset, blames: _Blames) -> Detection | None:
    after = (found for found in flight.detections if found.time_s >= onset.time_s)
    return next((found for found in after if blames.point_to(found, onset)), None)
