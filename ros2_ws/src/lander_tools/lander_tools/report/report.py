"""Make the report of a run."""

from __future__ import annotations

from collections.abc import Mapping
from io import StringIO
from pathlib import Path
from shlex import quote
from typing import Any

import numpy as np
from ruamel.yaml import YAML

from lander_tools import verdict as verdicts
from lander_tools.bag import Bag
from lander_tools.report import key_figures, page, style
from lander_tools.report.flight_data import Array, FlightData, read_flight
from lander_tools.report.ground_plots import terrain_of
from lander_tools.report.plots import PLOTS
from lander_tools.report.trn_plots import read_frames
from lander_tools.run_folder import RunFolder
from lander_tools.verdict import Verdict


def write_report(folder: RunFolder) -> Path:
    """Draw report.html and plots/*.png of a run; return the path of the page.

    Everything comes from the bag; verdict.json and resolved.yaml add what they know where they are there. Raises
    BagError where the bag cannot be read, VerdictError where verdict.json is broken, OSError where nothing can be
    written.
    """
    with Bag(folder.path) as bag:
        flight = read_flight(bag)
        place = bag.path
        flight.frames = read_frames(bag, flight.fixes, flight.truth)
    config = folder.read_config()
    flight.camera_body = _camera_body(config)
    verdict = verdicts.read(folder.verdict) if folder.verdict.is_file() else None
    folder.plots.mkdir(parents=True, exist_ok=True)
    content = page.Content(
        title=_title(flight, config),
        **_judgement(flight, verdict),
        tiles=key_figures.tiles(flight.result, config) if flight.result.get("touched_down") else [],
        tables=_tables(flight, verdict),
        sections=draw_plots(flight, config, folder.plots),
        events=flight.events,
        config=_yaml(config),
        commands=_commands(flight, folder, place),
    )
    folder.report.write_text(page.render(content), encoding="utf-8")
    return folder.report


def draw_plots(flight: FlightData, config: Mapping[str, Any], folder: Path) -> list[page.Section]:
    """Draw every plot that the flight has data for; PNGs go into `folder`."""
    terrain = terrain_of(config)
    sections = []
    with style.applied():
        for plot in PLOTS:
            if all(_rows(getattr(flight, table)) for table in plot.needs):
                svg = style.save(plot.draw(flight, terrain), plot.name, folder)
                sections.append(page.Section(plot.name, plot.title, plot.caption, svg))
    return sections


def _rows(table: Any) -> int:
    """Of a table, or of a list of messages."""
    return len(table["time_s"]) if isinstance(table, dict) else len(table)


def _camera_body(config: Mapping[str, Any]) -> Array:
    """Where the heads of the camera sit in body, m."""
    heads = config.get("camera", {}).get("geometry", {}).get("heads", [])
    return np.array([head["position_m"] for head in heads] or [[0.0, 0.0, 0.0]], float)


def _title(flight: FlightData, config: Mapping[str, Any]) -> str:
    name = config.get("scenario", {}).get("title") or flight.description.get("scenario") or "A flight"
    seed = flight.description.get("seed", config.get("seed"))
    return str(name) if seed is None else f"{name}, seed {seed}"


def _judgement(flight: FlightData, verdict: Verdict | None) -> dict[str, Any]:
    """Outcome, headline, reason, subtitle and notes."""
    subtitle = f"{flight.end_s:.1f} s of flight"
    if flight.description.get("version"):
        subtitle += f" · version {flight.description['version']}"
    if verdict is not None:
        outcome, reason, notes = verdict.outcome, verdict.reason, _notes(verdict)
    elif flight.result:
        outcome, reason, notes = flight.result["outcome"], flight.result["reason"], []
    else:
        reason = f"The record ends at {flight.end_s:.2f} s, before the run was judged."
        return {"outcome": "unknown", "headline": "No verdict", "reason": reason, "subtitle": subtitle}
    headline = _sentence(verdicts.headline(outcome))
    return {"outcome": outcome, "headline": headline, "reason": reason, "subtitle": subtitle, "notes": notes}


def _sentence(capitals: str) -> str:
    return capitals[:1] + capitals[1:].lower()


def _notes(verdict: Verdict) -> list[str]:
    notes = [f"Lost {lost.node} at {lost.time_s:.2f} s: {lost.cause}." for lost in verdict.nodes_lost]
    if verdict.degraded:
        notes.append("Degraded: the machine did not keep up, so this run says nothing about the flight software.")
    return notes


def _tables(flight: FlightData, verdict: Verdict | None) -> list[key_figures.Table]:
    tables = [key_figures.phase_table(flight), key_figures.flight_table(flight), key_figures.navigation_table(flight)]
    if verdict is not None:
        rows = [
            ("simulated", f"{verdict.sim_time_s:.1f} s"),
            ("took", f"{verdict.wall_time_s:.1f} s, {verdict.real_time_factor:.1f} x real time"),
            ("transport", verdict.transport),
            ("flight logic", verdict.logic),
            ("digest", f"{verdict.digest[:16]}…" if verdict.digest else "none"),
            ("nodes lost", ", ".join(lost.node for lost in verdict.nodes_lost) or "none"),
            ("deadline misses", str(verdict.deadline_misses)),
            ("detections", ", ".join(each.fault for each in verdict.detections) or "none"),
        ]
        tables.append(key_figures.Table("Run", (), rows))
    return tables


def _yaml(config: Mapping[str, Any]) -> str:
    if not config:
        return ""
    text = StringIO()
    YAML().dump(dict(config), text)
    return text.getvalue()


def _commands(flight: FlightData, folder: RunFolder, bag: Path) -> list[tuple[str, str]]:
    """What to type, in the folder that holds the run folder."""
    run = folder.path.resolve().name
    place = quote(f"{run}/{bag.name}" if bag.parent == folder.path else bag.name)
    commands = [
        ("Play the bag to rqt, Foxglove or your own nodes, with a full ROS 2", f"ros2 bag play {place} --clock"),
        ("Draw this report again", f"./lander report {quote(run)}"),
    ]
    if {"scenario", "seed"} <= flight.description.keys():
        again = f"./lander run {quote(flight.description['scenario'])} --seed {quote(flight.description['seed'])}"
        commands.insert(0, ("Fly the same run again; the digest will be the same", again))
    return commands
