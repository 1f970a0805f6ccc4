"""The tables of a campaign, for the terminal and as Markdown."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import NamedTuple

from rich.box import SIMPLE
from rich.table import Table

from lander_tools.campaign.flights import Flight
from lander_tools.campaign.score import FaultScore, Score
from lander_tools.markdown import table

COLUMNS = {
    "vertical_speed_m_s": ("vertical, m/s", 2),
    "horizontal_speed_m_s": ("horizontal, m/s", 2),
    "tilt_deg": ("tilt, deg", 2),
    "rest_tilt_deg": ("at rest, deg", 2),
    "miss_m": ("miss, m", 0),
    "slope_deg": ("slope, deg", 1),
    "propellant_used_kg": ("propellant, kg", 1),
}  # fields of Flight: heading and decimals


NOTES = (
    "A finding points to a fault when its row of the [table of faults](fdir.md#the-table) names the subject that has it; it points "
    "elsewhere when none of the subjects that it names has a fault by then. A fault that is there from the start is found only "
    "where its subject is used: a weak rangefinder from 8 km down, an engine at ignition. A flight is changed by a false alarm when "
    "something was done about a finding before any fault had begun."
)


class Grid(NamedTuple):
    """A table as text."""

    title: str
    head: tuple[str, ...]
    rows: Sequence[tuple[str, ...]]

    def rich(self) -> Table:
        """For the terminal."""
        made = Table(*self.head, title=self.title, title_justify="left", box=SIMPLE, pad_edge=False)
        for row in self.rows:
            made.add_row(*row)
        return made

    def markdown(self) -> str:
        """For a document."""
        return f"### {self.title}\n\n{table(self.head, self.rows)}"


def of_flights(flights: Sequence[Flight]) -> Grid:
    """One row for each flight."""
    head = ("seed", "outcome", *(heading for heading, _ in COLUMNS.values()), "reason")
    rows = [
        (
            str(flight.seed),
            flight.outcome,
            *(f"{getattr(flight, key):.{decimals}f}" for key, (_, decimals) in COLUMNS.items()),
            flight.reason,
        )
        for flight in flights
    ]
    return Grid(f"{flights[0].scenario}, {flights[0].logic}", head, rows)


def of_scores(scores: Sequence[Score]) -> list[Grid]:
    """What came of each scenario, how its faults were found, and what was found though it was not there."""
    return [_outcomes(scores), _findings(scores), _errors(scores)]


def markdown(scores: Sequence[Score]) -> str:
    """All tables as a document, or to be put into one."""
    return "\n\n".join([*(grid.markdown() for grid in of_scores(scores)), NOTES]) + "\n"


def _outcomes(scores: Sequence[Score]) -> Grid:
    head = (
        "scenario", "logic", "seeds", "success (95 %)", "landed (95 %)", "as expected", "ended",
        "fastest down, m/s", "least left, kg", "miss, m", "diverts",
    )  # fmt: skip
    return Grid("How they ended", head, [_outcome(score) for score in scores])


def _outcome(score: Score) -> tuple[str, ...]:
    return (
        " ".join(filter(None, [score.scenario, score.changes.replace("\n", " ")])),
        score.logic,
        seeds_text(score.seeds),
        str(score.success),
        str(score.landed),
        f"{score.declared.count} of {score.declared.of}",
        _counts(score.outcomes),
        _number(score.vertical_speed_worst_m_s, 2),
        _number(score.propellant_left_least_kg, 0),
        _number(score.miss_median_m, 0),
        _counts({f"{count} times": flights for count, flights in score.redesignations.items() if count}),
    )


def _findings(scores: Sequence[Score]) -> Grid:
    head = (
        "scenario", "fault", "found", "first by", "after, s: median", "worst", "before the end, s", "response",
    )  # fmt: skip
    rows = [
        (score.scenario, *_finding(fault)) for score in scores if score.logic == "frigoris" for fault in score.faults
    ]
    return Grid(
        "How soon faults were found (from their beginning to the first finding that points to them)", head, rows
    )


def _finding(fault: FaultScore) -> tuple[str, ...]:
    times = (fault.latency_median_s, fault.latency_worst_s, fault.before_end_median_s)
    found = f"{fault.found} of {fault.began}"
    return fault.fault, found, fault.first_row, *(_number(time, 1) for time in times), fault.response


def _errors(scores: Sequence[Score]) -> Grid:
    head = ("scenario", "points elsewhere (flights)", "found before any fault (flights)", "flights changed by it")
    rows = [
        (score.scenario, _counts(score.wrong), _counts(score.alarms), f"{score.disturbed} of {len(score.seeds)}")
        for score in scores
        if score.logic == "frigoris"
    ]
    return Grid("Wrong isolations and false alarms", head, rows)


def seeds_text(seeds: Sequence[int]) -> str:
    """Sorted seeds in few words: 1-20, 25."""
    runs: list[list[int]] = []
    for seed in seeds:
        if runs and seed == runs[-1][1] + 1:
            runs[-1][1] = seed
        else:
            runs.append([seed, seed])
    return ", ".join(str(first) if first == last else f"{first}-{last}" for first, last in runs)


def _counts(counts: Mapping[str, int]) -> str:
    return ", ".join(f"{word}: {count}" for word, count in counts.items()) or "none"


def _number(value: float | None, decimals: int) -> str:
    return "" if value is None else f"{value:.{decimals}f}"
