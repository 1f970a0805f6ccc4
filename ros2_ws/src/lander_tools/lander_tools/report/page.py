"""The report as one HTML file that opens offline: no script, no font, no picture from elsewhere."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field
from html import escape

from lander_tools.report.flight_data import Event
from lander_tools.report.key_figures import Table, Tile


@dataclass(frozen=True)
class Section:
    """A plot with its title and what it shows."""

    name: str
    title: str
    caption: str
    svg: str


@dataclass(frozen=True)
class Content:
    """Everything on the page."""

    title: str
    outcome: str  # of the verdict; `unknown` where there is none
    headline: str
    reason: str
    subtitle: str
    tiles: Sequence[Tile]
    tables: Sequence[Table]
    sections: Sequence[Section]
    events: Sequence[Event]
    config: str  # YAML
    commands: Sequence[tuple[str, str]]  # what it does, command
    notes: Sequence[str] = field(default_factory=list)


STYLE = """
:root { color-scheme: light dark; --paper: #ffffff; --card: #ffffff; --page: #f4f5f7; --ink: #1c2430; --muted: #5b6675;
  --grid: #c9ced6; --line: #e2e5ea; --link: #2563b0; --good: #1f7a4d; --fair: #a85b12; --bad: #b3261e; }
@media (prefers-color-scheme: dark) { :root { --paper: #11161d; --card: #171e28; --page: #0d1117; --ink: #e6eaf0;
  --muted: #9aa7b8; --grid: #3a4556; --line: #293241; --link: #8fb4f5;
  --good: #5ecb95; --fair: #e5a45c; --bad: #f2857d; } }
* { box-sizing: border-box }
body { margin: 0; background: var(--page); color: var(--ink); line-height: 1.5;
  font: 16px/1.5 system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; }
main, header > div { max-width: 1080px; margin: 0 auto; padding: 0 20px; }
header { background: var(--card); border-bottom: 1px solid var(--line); border-top: 6px solid var(--verdict); }
header > div { padding-top: 28px; padding-bottom: 22px; }
.success, .aborted_safe { --verdict: var(--good) } .survivable { --verdict: var(--fair) }
.lost, .failed_to_run { --verdict: var(--bad) } .unknown { --verdict: var(--muted) }
h1 { margin: 0; font-size: 15px; font-weight: 600; color: var(--muted) }
.headline { font-size: clamp(26px, 5vw, 40px); font-weight: 750; line-height: 1.15; margin: 4px 0 6px;
  color: var(--verdict) }
.reason { font-size: 18px; margin: 0 0 6px } .subtitle { color: var(--muted); margin: 0; font-size: 14px }
.note { border-left: 4px solid var(--fair); padding: 6px 12px; margin: 14px 0 0; background: var(--page) }
.tiles { display: grid; grid-template-columns: repeat(auto-fit, minmax(140px, 1fr)); gap: 12px; margin: 22px 0 }
.tile, section, .table { background: var(--card); border: 1px solid var(--line); border-radius: 10px; }
.tile { padding: 12px 14px } .tile .label { font-size: 13px; color: var(--muted) }
.tile .value { font-size: 26px; font-weight: 700; font-variant-numeric: tabular-nums }
.tile .unit { font-size: 15px; font-weight: 500; color: var(--muted) }
.tile .limit { font-size: 12.5px; color: var(--muted) }
.good .mark { color: var(--good) } .fair .mark { color: var(--fair) } .bad .mark { color: var(--bad) }
nav { display: flex; flex-wrap: wrap; gap: 4px 16px; font-size: 14px; margin: 0 0 18px }
a { color: var(--link); text-decoration: none } a:hover { text-decoration: underline }
section, .table { padding: 18px 20px; margin: 0 0 18px } h2 { font-size: 18px; margin: 0 0 2px }
.caption { color: var(--muted); font-size: 14px; margin: 0 0 10px; max-width: 75ch }
.plot { overflow-x: auto } .plot svg { display: block; width: 100%; min-width: 640px; height: auto }
.plot svg text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif !important }
table { border-collapse: collapse; width: 100%; font-size: 14.5px } th { text-align: left; font-weight: 600 }
th, td { padding: 5px 14px 5px 0; border-bottom: 1px solid var(--line); vertical-align: top }
tr:last-child th, tr:last-child td { border-bottom: 0 }
td.time { font-variant-numeric: tabular-nums; white-space: nowrap }
.tables { columns: 2 400px; column-gap: 18px } .table { break-inside: avoid; display: inline-block; width: 100% }
.tables th { font-weight: 500; color: var(--muted); white-space: nowrap }
.numbers td, .numbers tr:first-child th:not(:first-child) { text-align: right; white-space: nowrap;
  font-variant-numeric: tabular-nums }
.numbers td:last-child, .numbers th:last-child { padding-right: 0 }
pre { overflow-x: auto; font: 13px/1.5 ui-monospace, "SF Mono", Menlo, Consolas, "DejaVu Sans Mono", monospace;
  background: var(--page); border: 1px solid var(--line); border-radius: 8px; padding: 10px 12px; margin: 8px 0 0 }
summary { cursor: pointer; font-weight: 600; font-size: 18px }
dt { margin-top: 10px; font-size: 14px; color: var(--muted) }
dd { margin: 0 } dd pre { margin-top: 2px } footer { color: var(--muted); font-size: 13px; padding: 4px 0 40px }
@media print { body { background: #fff } section, .table { break-inside: avoid } nav { display: none } }
@media (max-width: 520px) { .tables th { white-space: normal } section, .table { padding: 14px } }
"""
_MARKS = {"good": "within the limit", "fair": "beyond the limit", "bad": "beyond what is survivable"}
_SIGNS = {"good": "✓", "fair": "!", "bad": "✗"}


def render(content: Content) -> str:
    """The whole page."""
    sections = "\n".join(_section(section) for section in content.sections)
    tables = "".join(_table(table) for table in content.tables if table.rows)
    links = "".join(f'<a href="#{each.name}">{escape(each.title)}</a>' for each in content.sections)
    notes = "".join(f'<p class="note">{escape(note)}</p>' for note in content.notes)
    return f"""<!DOCTYPE html>
<html lang="en">
<head>
<meta charset="utf-8">
<meta name="viewport" content="width=device-width, initial-scale=1">
<title>{escape(content.title)}</title>
<style>{STYLE}</style>
</head>
<body class="{content.outcome}">
<header><div>
<h1>{escape(content.title)}</h1>
<p class="headline">{escape(content.headline)}</p>
<p class="reason">{escape(content.reason)}</p>
<p class="subtitle">{escape(content.subtitle)}</p>
{notes}
</div></header>
<main>
<div class="tiles">{"".join(_tile(tile) for tile in content.tiles)}</div>
<nav>{links}<a href="#events">Events</a><a href="#configuration">Configuration</a><a href="#again">Replay</a></nav>
<div class="tables">{tables}</div>
{sections}
{_events(content.events)}
{_configuration(content.config)}
{_commands(content.commands)}
<footer>Made from the bag alone. The plots are in plots/ as PNGs too.</footer>
</main>
</body>
</html>
"""


def _tile(tile: Tile) -> str:
    mark = f'<span class="mark" title="{_MARKS[tile.grade]}">{_SIGNS[tile.grade]}</span> ' if tile.grade else ""
    limit = f'<div class="limit">{mark}{escape(tile.limit)}</div>' if tile.limit else ""
    return (
        f'<div class="tile {tile.grade}"><div class="label">{escape(tile.label)}</div>'
        f'<div class="value">{escape(tile.value)} <span class="unit">{escape(tile.unit)}</span></div>{limit}</div>'
    )


def _table(table: Table) -> str:
    kind = ' class="numbers"' if table.headings else ""
    head = "".join(f"<th>{escape(heading)}</th>" for heading in table.headings)
    rows = [f"<tr>{head}</tr>"] if head else []
    for first, *rest in table.rows:
        cells = "".join(f"<td>{escape(cell)}</td>" for cell in rest)
        rows.append(f"<tr><th>{escape(first)}</th>{cells}</tr>")
    body = f'<div class="plot"><table{kind}>{"".join(rows)}</table></div>'
    return f'<div class="table"><h2>{escape(table.title)}</h2>{body}</div>'


def _section(section: Section) -> str:
    return (
        f'<section id="{section.name}"><h2>{escape(section.title)}</h2><p class="caption">{escape(section.caption)}</p>'
        f'<div class="plot">{section.svg}</div></section>'
    )


def _events(events: Sequence[Event]) -> str:
    rows = "".join(
        f'<tr><td class="time">{event.time_s:.2f} s</td><td>{escape(event.kind.replace("_", " "))}</td>'
        f"<td>{escape(event.subject.replace('_', ' '))}</td><td>{escape(event.text)}</td></tr>"
        for event in events
    )
    body = f"<table><tr><th>time</th><th>event</th><th>of</th><th></th></tr>{rows}</table>" if rows else "<p>None.</p>"
    return f'<section id="events"><h2>Events</h2><div class="plot">{body}</div></section>'


def _configuration(config: str) -> str:
    body = f"<pre>{escape(config)}</pre>" if config else "<p>The run folder has no resolved.yaml.</p>"
    return f'<section id="configuration"><details><summary>Configuration</summary>{body}</details></section>'


def _commands(commands: Sequence[tuple[str, str]]) -> str:
    rows = "".join(f"<dt>{escape(about)}</dt><dd><pre>{escape(line)}</pre></dd>" for about, line in commands)
    return f'<section id="again"><h2>Replay</h2><dl>{rows}</dl></section>'
