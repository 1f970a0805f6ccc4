"""The page: one HTML file that opens offline, with the plots in it."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from html import escape
from pathlib import Path

from lander_common.scenario import Landing, Scenario
from lander_tools.campaign.flights import Flight
from lander_tools.history import telling
from lander_tools.history.plots import draw
from lander_tools.report.page import STYLE

_MORE_STYLE = """
header { --verdict: var(--link) } .lead { max-width: 75ch }
section h2 { font-size: 21px } .date { color: var(--muted); font-weight: 500; margin-right: 10px }
section p { max-width: 80ch } .three { display: grid; grid-template-columns: repeat(auto-fit, minmax(260px, 1fr)); gap: 12px }
.three > div { border: 1px solid var(--line); border-radius: 8px; padding: 10px 14px; border-top: 4px solid var(--muted) }
.three > div.heritage { border-top-color: #d97706 } .three > div.frigoris { border-top-color: #2f7fd1 }
.three h3 { margin: 0 0 4px; font-size: 14px; color: var(--muted); font-weight: 600 } .three p { margin: 0 0 6px }
.small { font-size: 14px; color: var(--muted) } td.wide { min-width: 30ch }
"""
LEAD = (
    "Between 2019 and 2025 many landers came to the Moon, and few stood upright on it. Each section takes one of those "
    "landings and flies it twice with our vehicle: with flight logic that does what the software of then is known to have "
    "done, and with Frigoris. History's figures are cited; what is estimated is called an estimate."
)


def write(scenarios: Mapping[str, Scenario], flights: Sequence[Flight], folder: Path) -> Path:
    """Write index.html and a PNG of each plot; return the page."""
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / "index.html"
    path.write_text(render(scenarios, flights, folder), encoding="utf-8")
    return path


def render(scenarios: Mapping[str, Scenario], flights: Sequence[Flight], folder: Path) -> str:
    """The whole page; draws the plots."""
    flown = telling.flown_landings(scenarios, flights)
    sections = "".join(_section(name, scenarios[name], each, folder) for name, each in flown.items())
    rows = "".join(_summary_row(name, scenarios[name], each) for name, each in flown.items())
    return f"""<!DOCTYPE html>
<html lang="en">
<head><meta charset="utf-8"><meta name="viewport" content="width=device-width, initial-scale=1">
<title>Lunar landings, flown again</title><style>{STYLE}{_MORE_STYLE}</style></head>
<body><header><div><h1>Frigoris</h1><p class="headline">Lunar landings, flown again</p>
<p class="lead">{escape(LEAD)}</p></div></header>
<main><div class="table" style="margin-top:18px"><table>
<tr><th>landing</th><th>what happened</th><th>software of then</th><th>Frigoris</th></tr>{rows}</table></div>
{sections}
<footer>Made by ./lander history</footer></main></body></html>
"""


def _summary_row(name: str, scenario: Scenario, flights: Sequence[Flight]) -> str:
    landing = _landing(scenario)
    cells = (
        f'<a href="#{name}">{escape(landing.date)}</a>',
        escape(landing.line),
        escape(telling.outcomes(telling.of_logic(flights, "heritage"))) if scenario.heritage else "",
        escape(telling.outcomes(telling.of_logic(flights, "frigoris"))),
    )
    return "<tr>" + "".join(f"<td>{cell}</td>" for cell in cells) + "</tr>"


def _section(name: str, scenario: Scenario, flights: Sequence[Flight], folder: Path) -> str:
    landing = _landing(scenario)
    boxes = "".join(_box(logic, telling.of_logic(flights, logic)) for logic in ("heritage", "frigoris"))
    return f"""<section id="{name}"><h2><span class="date">{escape(landing.date)}</span>{escape(scenario.title)}</h2>
<p>{escape(scenario.history)}</p>
<div class="three">{boxes}</div>
<div class="plot">{draw(name, scenario, flights, folder)}</div>
{_figures(scenario, telling.of_logic(flights, "heritage"))}
<p class="small"><b>How it is modelled.</b> {escape(landing.modelled)}{_about(scenario)}</p>
<pre>./lander run {name} --logic heritage
./lander run {name}</pre></section>
"""


def _box(logic: str, flights: Sequence[Flight]) -> str:
    if not flights:
        return ""
    title = "With the logic of then" if logic == "heritage" else "With Frigoris"
    lines = [f"<p><b>{escape(telling.ending(flights[0]))}</b></p>"]
    if len(flights) > 1:
        lines.append(f"<p>{escape(telling.outcomes(flights))}, dispersed</p>")
    lines.append(f'<p class="small">noticed: {escape(telling.noticed(flights))}</p>')
    if logic == "frigoris":
        lines.append(f'<p class="small">margin: {escape(telling.margin(flights))}</p>')
    return f'<div class="{logic}"><h3>{title}</h3>{"".join(lines)}</div>'


def _figures(scenario: Scenario, heritage: Sequence[Flight]) -> str:
    """History's figures beside those of the heritage flights."""
    if not _landing(scenario).figures or not heritage:
        return ""
    rows = (_row(each) for each in telling.compared(scenario, heritage))
    head = "".join(f"<th>{title}</th>" for title in telling.COMPARED)
    return f"<table><tr>{head}</tr>{''.join(rows)}</table>"


def _row(cells: Iterable[str]) -> str:
    return "<tr>" + "".join(f"<td>{escape(cell)}</td>" for cell in cells) + "</tr>"


def _about(scenario: Scenario) -> str:
    return f" Logic of then: {escape(scenario.heritage.about)}" if scenario.heritage else ""


def _landing(scenario: Scenario) -> Landing:
    assert scenario.landing is not None
    return scenario.landing
