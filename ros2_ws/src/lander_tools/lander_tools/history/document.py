"""docs/history.md: the same as the page, as a document of the repository, with the tables of the campaign."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from pathlib import Path
from shutil import copyfile

from lander_common.scenario import Scenario
from lander_tools.campaign.flights import Flight
from lander_tools.campaign.score import score_all
from lander_tools.campaign.tables import markdown, seeds_text
from lander_tools.history import telling
from lander_tools.history.page import LEAD
from lander_tools.markdown import table

PICTURES = Path("images") / "history"


def write(scenarios: Mapping[str, Scenario], flights: Sequence[Flight], plots: Path, folder: Path) -> Path:
    """Write history.md, and the plots that the page has left in `plots` beside it; return its path."""
    (folder / PICTURES).mkdir(parents=True, exist_ok=True)
    for name in telling.flown_landings(scenarios, flights):
        copyfile(plots / f"{name}.png", folder / PICTURES / f"{name}.png")
    path = folder / "history.md"
    path.write_text(render(scenarios, flights), encoding="utf-8")
    return path


_SHORT = {"heritage": "by the logic of then", "frigoris": "by ours"}


def _seeds(flown: Mapping[str, Sequence[Flight]], logic: str) -> str:
    return seeds_text(sorted({flight.seed for found in flown.values() for flight in telling.of_logic(found, logic)}))


def render(scenarios: Mapping[str, Scenario], flights: Sequence[Flight]) -> str:
    """The document; `./lander history` writes it."""
    flown = telling.flown_landings(scenarios, flights)
    seeds = " and ".join(f"{_SHORT[logic]} with seeds {_seeds(flown, logic)}" for logic in _SHORT)
    parts = [
        "# Lunar landings, flown again",
        f"{LEAD} This page is written by `./lander history`; it was flown {seeds}.",
        _summary(scenarios, flown),
        "Landed hard: within what the legs survive, beyond the limits of success. Ranges behind shares are 95 % score intervals.",
        *(_chapter(name, scenarios[name], flown[name]) for name in flown),
        "## All flights in numbers",
        markdown(score_all(flight for each in flown.values() for flight in each)).rstrip(),
    ]
    return "\n\n".join(parts) + "\n"


def _summary(scenarios: Mapping[str, Scenario], flown: Mapping[str, Sequence[Flight]]) -> str:
    head = ("landing", "what happened", "logic of then", "Frigoris", "margin of ours")
    return table(head, (_summary_row(name, scenarios[name], flights) for name, flights in flown.items()))


def _summary_row(name: str, scenario: Scenario, flights: Sequence[Flight]) -> tuple[str, ...]:
    assert scenario.landing is not None
    heritage, ours = (telling.of_logic(flights, logic) for logic in ("heritage", "frigoris"))
    ends = (telling.outcomes(each) if each else "" for each in (heritage, ours))
    return f"[{scenario.landing.date}](#{name})", scenario.landing.line, *ends, telling.margin(ours)


def _chapter(name: str, scenario: Scenario, flights: Sequence[Flight]) -> str:
    landing = scenario.landing
    assert landing is not None
    heritage, ours = (telling.of_logic(flights, logic) for logic in ("heritage", "frigoris"))
    parts = [
        f'<a id="{name}"></a>\n\n## {scenario.title}',
        scenario.history,
        f"![height and speed of both flights of seed 1]({PICTURES / name}.png)",
    ]
    if heritage:
        parts.append(f"**With the logic of then**: {telling.told(heritage)}")
    if ours:
        parts.append(f"**With Frigoris**: {telling.told(ours)} Noticed: {telling.noticed(ours)}.")
    if heritage and landing.figures:
        parts.append(table(telling.COMPARED, telling.compared(scenario, heritage)))
    about = f" Logic of then: {scenario.heritage.about}" if scenario.heritage else ""
    parts.append(
        f"*How it is modelled.* {landing.modelled}{about} Fly it: `./lander run {name} --logic heritage`, `./lander run {name}`."
    )
    return "\n\n".join(parts)
