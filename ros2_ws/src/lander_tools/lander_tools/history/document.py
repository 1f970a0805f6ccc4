"""docs/history.md: the same as the page, as a document of the repository."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path

from lander_common.scenario import Scenario
from lander_tools.campaign.flights import Flight
from lander_tools.history import telling
from lander_tools.history.page import LEAD


def write(scenarios: Mapping[str, Scenario], flights: Sequence[Flight], folder: Path) -> Path:
    """Write history.md; return its path."""
    path = folder / "history.md"
    path.write_text(render(scenarios, flights), encoding="utf-8")
    return path


def render(scenarios: Mapping[str, Scenario], flights: Sequence[Flight]) -> str:
    """The document; `./lander history` writes it."""
    flown = {name: [flight for flight in flights if flight.scenario == name] for name in scenarios}
    told = {name: each for name, each in scenarios.items() if flown[name]}
    parts = [
        "# Lunar landings, flown again",
        LEAD + " This page is written by `./lander history`.",
        _summary(told, flown),
    ]
    parts += [_chapter(name, scenario, flown[name]) for name, scenario in told.items()]
    return "\n\n".join(parts) + "\n"


def _summary(scenarios: Mapping[str, Scenario], flown: Mapping[str, Sequence[Flight]]) -> str:
    lines = ["| landing | scenario | what happened | logic of then | Frigoris | margin |", "|---|---|---|---|---|---|"]
    for name, scenario in scenarios.items():
        assert scenario.landing is not None
        ours = telling.of_logic(flown[name], "frigoris")
        cells = (
            scenario.landing.date,
            f"[{name}](#{name})",
            scenario.landing.line,
            telling.outcomes(telling.of_logic(flown[name], "heritage")),
            telling.outcomes(ours),
            telling.margin(ours),
        )
        lines.append("| " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _chapter(name: str, scenario: Scenario, flights: Sequence[Flight]) -> str:
    landing = scenario.landing
    assert landing is not None
    heritage, ours = (telling.of_logic(flights, logic) for logic in ("heritage", "frigoris"))
    parts = [f"## {name}", f"{landing.date}: {scenario.title}. {scenario.history}"]
    if heritage:
        parts.append(f"**Logic of then**: {telling.ending(heritage[0])} (seed {heritage[0].seed}).")
    if ours:
        parts.append(
            f"**Frigoris**: {telling.ending(ours[0])} (seed {ours[0].seed}); in all: {telling.outcomes(ours)}. "
            f"Noticed: {telling.noticed(ours)}."
        )
    if heritage and landing.figures:
        parts.append(_figures(scenario, heritage[0]))
    about = f" Logic of then: {scenario.heritage.about}" if scenario.heritage else ""
    parts.append(f"How it is modelled: {landing.modelled}{about}")
    return "\n\n".join(parts)


def _figures(scenario: Scenario, flight: Flight) -> str:
    assert scenario.landing is not None
    lines = ["| figure | in history | flown with the logic of then | difference |", "|---|---|---|---|"]
    for figure, value in zip(scenario.landing.figures, flight.figures, strict=True):
        told = f"{figure.published} ({figure.mark}: {figure.source})"
        flown, difference = telling.flown_value(figure, value), telling.agreement(figure, value)
        lines.append(f"| {telling.name_of(figure)} | {told} | {flown} | {difference} |")
    return "\n".join(lines)
