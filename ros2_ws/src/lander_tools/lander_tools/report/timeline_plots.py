"""Plots of phases, events and health."""

from __future__ import annotations

from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lander_runtime.messages import HealthStatus, NavigationState
from lander_tools.report import style
from lander_tools.report.flight_data import Array, Event, FlightData
from lander_tools.report.style import BLUE, CYAN, GREEN, MUTED, ORANGE, PURPLE, RED

_EVENT_COLOURS = {"world": BLUE, "nodes": RED, "health": ORANGE}
_LANES = 5  # rows over which the names of events are spread
_HEALTH = (
    (HealthStatus.WARN, "warning", ORANGE),
    (HealthStatus.ERROR, "error", RED),
    (HealthStatus.STALE, "stale", PURPLE),
)
# Changes of the tick's length are no news to people.
_QUIET = ("low_rate_on", "low_rate_off")


def timeline(flight: FlightData) -> Figure:
    """Phases, engines, rangefinder and contact as bars, and events by name."""
    events = [event for event in flight.events if event.kind not in _QUIET]
    span = (float(flight.truth["time_s"][0]), flight.end_s)
    rows = _bars(flight)
    placed = _place(events, span)
    lanes = max(lane for _, _, lane in placed) + 1 if placed else 1
    made, axes = style.figure(2, 0.8 + 0.44 * (len(rows) + lanes), height_ratios=[len(rows), lanes])
    for row, (_, spans, colour) in enumerate(rows):
        axes[0].broken_barh([(a, b - a) for a, b in spans], (row - 0.34, 0.68), color=colour, alpha=0.8)
    for number, phase in enumerate(flight.phases):
        bar = [(phase.begin_s, phase.end_s - phase.begin_s)]
        axes[0].broken_barh(bar, (-0.34, 0.68), color=MUTED, alpha=(0.45, 0.2)[number % 2])
        if phase.end_s - phase.begin_s > 0.07 * (span[1] - span[0]):
            axes[0].text(0.5 * (phase.begin_s + phase.end_s), 0, phase.name, ha="center", va="center", fontsize=8.5)
    axes[0].set_yticks(range(len(rows)), [name for name, _, _ in rows])
    axes[0].set_ylim(len(rows) - 0.5, -0.5)
    axes[0].grid(axis="y", visible=False)
    _plot_events(axes[1], placed, lanes)
    style.finish_time_axis(axes, span)
    return made


def _bars(flight: FlightData) -> list[tuple[str, list[tuple[float, float]], str]]:
    truth, state = flight.truth, flight.state
    used = np.isin(state["range_verdict"], (NavigationState.ACCEPTED, NavigationState.DEWEIGHTED))
    rejected = state["range_verdict"] == NavigationState.REJECTED
    return [
        ("phase", [], MUTED),
        ("main engine", spans_of(truth["time_s"], truth["main_thrust_n"] > 1.0), ORANGE),
        ("assist engines", spans_of(truth["time_s"], truth["assist_thrust_n"] > 1.0, 1.0), ORANGE),
        ("range used", spans_of(state["time_s"], used, 1.0), GREEN),
        ("range rejected", spans_of(state["time_s"], rejected, 0.3), RED),
        ("contact", spans_of(truth["time_s"], truth["contact"] > 0, 0.3), CYAN),
    ]


def spans_of(time: Array, active: style.Mask, bridge_s: float = 0.0) -> list[tuple[float, float]]:
    """Stretches of time in which something is active; gaps shorter than `bridge_s` are bridged."""
    if not len(time) or not active.any():
        return []
    edges = np.flatnonzero(np.diff(active.astype(np.int8), prepend=0, append=0))
    spans: list[tuple[float, float]] = []
    for begin, end in zip(edges[::2], edges[1::2], strict=True):
        begin_s, end_s = float(time[begin]), float(time[min(end, len(time) - 1)])
        if spans and begin_s - spans[-1][1] < bridge_s:
            spans[-1] = (spans[-1][0], end_s)
        else:
            spans.append((begin_s, end_s))
    return spans


def _place(events: list[Event], span: tuple[float, float]) -> list[tuple[Event, bool, int]]:
    """Each event with the side of its name (True: left) and a lane in which it collides with no other; -1 for none."""
    free_from = [-np.inf] * _LANES
    width = (span[1] - span[0]) / 110.0  # of a letter
    placed = []
    for event in events:
        left = event.time_s > span[0] + 0.7 * (span[1] - span[0])
        length = width * (len(_name(event)) + 2)
        begin = event.time_s - length if left else event.time_s
        lane = next((lane for lane in range(_LANES) if free_from[lane] <= begin), -1)
        if lane >= 0:
            free_from[lane] = begin + length
        placed.append((event, left, lane))
    return placed


def _name(event: Event) -> str:
    """What happened, and to what where that is not said already."""
    if event.subject in ("", "lander") or event.kind.startswith(event.subject):
        return event.kind.replace("_", " ")
    return f"{event.kind.replace('_', ' ')}: {event.subject.replace('_', ' ')}"


def _plot_events(axes: Axes, placed: list[tuple[Event, bool, int]], lanes: int) -> None:
    """Names of events at their times; where there is no room for a name, the table of events has it."""
    for event, left, lane in placed:
        colour = _EVENT_COLOURS[event.source]
        axes.axvline(event.time_s, color=colour, linewidth=0.8, alpha=0.5)
        if lane >= 0:
            offset, side = (-6, "right") if left else (6, "left")
            axes.plot(event.time_s, lane, "o", color=colour, markersize=4)
            at: dict[str, Any] = {"textcoords": "offset points", "ha": side, "va": "center", "fontsize": 8.5}
            axes.annotate(_name(event), (event.time_s, lane), (offset, 0), **at)
    axes.set_ylim(lanes - 0.4, -0.6)
    axes.set_yticks([])
    axes.grid(visible=False)
    axes.spines["left"].set_visible(False)


def health(flight: FlightData) -> Figure:
    """The health checks that were not ok at some time, and the age of the newest range that navigation used."""
    span = flight.focus
    failing = failing_checks(flight)
    rows = max(len(failing), 1)
    made, axes = style.figure(2, 2.6 + 0.24 * rows, height_ratios=[0.24 * rows, 1.6])
    for row, bars in enumerate(failing.values()):
        for colour, spans in bars.items():
            axes[0].broken_barh([(a, max(b - a, 0.05)) for a, b in spans], (row - 0.38, 0.76), color=colour)
    if failing:
        for _, name, colour in _HEALTH:
            axes[0].plot([], [], "s", color=colour, label=name)
        style.legend(axes[0], bbox_to_anchor=(1.0, 1.0 + 1.1 / rows))
    axes[0].set_yticks(range(rows), [name.replace("_", " ") for name in failing] or ["every check: ok"], fontsize=8.5)
    axes[0].set_ylim(rows - 0.5, -0.5)
    age = np.where(flight.state["range_age_s"] < 0.0, np.nan, flight.state["range_age_s"])
    shown = (flight.state["time_s"] >= span[0]) & (flight.state["time_s"] <= span[1])
    axes[1].plot(*style.peaks(flight.state["time_s"][shown], age[shown]), color=BLUE, linewidth=1.2)
    axes[1].set_ylabel("age of the range\nin use, at most, s")
    axes[1].set_ylim(bottom=0.0)
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made


def failing_checks(flight: FlightData) -> dict[str, dict[str, list[tuple[float, float]]]]:
    """Name of every check that was not ok at some time -> colour of a verdict -> when."""
    table = flight.health
    if table["verdicts"].ndim != 2 or not len(table["time_s"]):
        return {}
    failing: dict[str, dict[str, list[tuple[float, float]]]] = {}
    for column in np.flatnonzero((table["verdicts"] != HealthStatus.OK).any(axis=0)):
        verdicts = table["verdicts"][:, column]
        bars = {colour: spans_of(table["time_s"], verdicts == value) for value, _, colour in _HEALTH}
        failing[str(table["checks"][0][column])] = bars
    return failing


def payload_power(flight: FlightData) -> Figure:
    """Power that the payloads draw, and what they may draw."""
    made, axes = style.figure(1, 2.6)
    span = (float(flight.truth["time_s"][0]), flight.end_s)
    time = flight.payload["time_s"]
    axes[0].step(time, flight.payload["power_budget_w"], where="post", color=MUTED, label="allowed")
    axes[0].step(time, flight.payload["total_power_w"], where="post", color=BLUE, label="drawn")
    axes[0].set_ylabel("power, W")
    axes[0].set_ylim(bottom=0.0)
    style.legend(axes[0], bbox_to_anchor=(1.0, 1.08))
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made
