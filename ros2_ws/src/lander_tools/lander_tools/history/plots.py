"""A picture of a retold landing: height over time, and speed over height, with what history tells."""

from __future__ import annotations

from collections.abc import Sequence
from pathlib import Path

import numpy as np
from matplotlib.axes import Axes

from lander_common.scenario import Figure, Scenario
from lander_tools.campaign.flights import Curve, Flight
from lander_tools.report.style import BLUE, INK, ORANGE, applied, figure, save

_COLOURS = {"heritage": ORANGE, "frigoris": BLUE}
_LAST_S = 260.0  # shown before the first of the flights ends
_LONG_S = 1800.0  # flights that last longer are shown whole
_LOW_M = 3000.0  # the right plot reaches at least this high


def draw(name: str, scenario: Scenario, flights: Sequence[Flight], folder: Path) -> str:
    """Write `name`.png; return the same as SVG."""
    shown = {flight.logic: flight.curve for flight in flights if flight.curve is not None}
    with applied():
        made, (left, right) = figure(1, 3.7, columns=2, sharex=False)
        for logic, curve in shown.items():
            _draw_height(left, curve, logic)
            _draw_speed(right, curve, logic)
        _frame_height(left, list(shown.values()))
        _frame_speed(right, scenario, list(shown.values()))
        return save(made, name, folder)


def _draw_height(axes: Axes, curve: Curve, logic: str) -> None:
    colour, time = _COLOURS[logic], np.array(curve.time_s)
    axes.plot(time, np.array(curve.altitude_m) / 1e3, color=colour, label=logic)
    believed = np.array(curve.believed_altitude_m) / 1e3
    axes.plot(time, believed, color=colour, linestyle=":", label=f"{logic}, believed")


def _draw_speed(axes: Axes, curve: Curve, logic: str) -> None:
    flying = np.array(curve.altitude_m) > 0.0
    height, down = np.array(curve.altitude_m)[flying] / 1e3, np.array(curve.down_m_s)[flying]
    axes.plot(down, height, color=_COLOURS[logic], label=logic)


def _frame_height(axes: Axes, curves: Sequence[Curve]) -> None:
    last, first_end = max(curve.time_s[-1] for curve in curves), min(curve.time_s[-1] for curve in curves)
    begin = 0.0 if last > _LONG_S else max(first_end - _LAST_S, 0.0)
    tops = [max(h for t, h in zip(c.time_s, c.altitude_m, strict=True) if t >= begin) for c in curves]
    axes.set_xlim(begin, last)
    axes.set_ylim(-0.05 * max(tops) / 1e3, 1.05 * max(tops) / 1e3)
    axes.set(title="height over the ground", xlabel="time, s", ylabel="km")
    axes.legend()


def _frame_speed(axes: Axes, scenario: Scenario, curves: Sequence[Curve]) -> None:
    figures = scenario.landing.figures if scenario.landing else ()
    stops = [each.value for each in figures if each.quantity == "stopped_at_m" and each.value]
    top = max([_LOW_M, *(1.2 * stop for stop in stops)])
    low = [v for c in curves for v, h in zip(c.down_m_s, c.altitude_m, strict=True) if 0.0 < h < top]
    axes.set_ylim(0.0, top / 1e3)
    axes.set_xlim(min([-2.0, *low]), 1.08 * max([10.0, *low]))
    for each in figures:
        _mark(axes, each)
    axes.set(title="speed down", xlabel="m/s", ylabel="height over the ground, km")
    axes.legend()


def _mark(axes: Axes, told: Figure) -> None:
    """A point of history, where it has a place in the picture."""
    places = {"speed_m_s": (told.value, told.at_altitude_m), "vertical_speed_m_s": (told.value, 0.0)}
    speed, height = places.get(told.quantity, (None, None))
    if told.quantity == "stopped_at_m":
        speed, height = 0.0, told.value
    if speed is None or height is None:
        return
    axes.plot([speed], [height / 1e3], marker="D", color=INK, linestyle="none", clip_on=False, zorder=5)
    axes.annotate("history", (speed, height / 1e3), xytext=(7, 5), textcoords="offset points", color=INK, fontsize=8)
