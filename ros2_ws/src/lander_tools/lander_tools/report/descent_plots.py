"""Plots of the descent: altitude and speeds, the last kilometre, propellant."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lander_tools.report import style
from lander_tools.report.flight_data import Array, FlightData
from lander_tools.report.style import BLUE, GREEN, ORANGE, PURPLE

# The descent as ispace published it for Mission 1: altitude, m, and speed, m/s.
PUBLIC_PLAN = ((1000.0, 33.0), (20.0, 4.7))
_TERMINAL_ALTITUDE_M = 1000.0
_LAST_S = 150.0  # shown where the lander never came below a kilometre


def altitude_and_speeds(flight: FlightData) -> Figure:
    """Altitude, speed over ground and descent rate over time."""
    made, axes = style.figure(3, 6.2, height_ratios=[1.2, 1, 1])
    span = (float(flight.truth["time_s"][0]), flight.end_s)
    time, altitude, across, down = style.thin(flight.truth["time_s"], flight.truth["altitude_m"], *flight.speeds)
    axes[0].plot(time, altitude / 1000.0, color=BLUE)
    axes[0].set_ylabel("altitude, km")
    axes[1].plot(time, across, color=ORANGE)
    axes[1].set_ylabel("speed over\nground, m/s")
    axes[2].plot(time, down, color=GREEN)
    axes[2].set_ylabel("descent\nrate, m/s")
    for each in axes[:2]:
        each.set_ylim(bottom=0.0)
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made


def terminal_descent(flight: FlightData) -> Figure:
    """The last kilometre: speed against altitude, with the published plan, and both against time."""
    made, axes = style.mosaic([["plan", "height"], ["plan", "speed"]], 5.0)
    low = _last_kilometre(flight)
    columns = (flight.truth["time_s"], flight.truth["altitude_m"], *flight.speeds)
    time, height, across, down = style.thin(*(column[low] for column in columns))
    top = max(1.1 * _TERMINAL_ALTITUDE_M, float(height.max()))
    _against_plan(axes["plan"], height, across, down, top)
    begin = flight.touchdown_s if flight.touchdown_s is not None else flight.end_s
    axes["height"].plot(time - begin, height, color=BLUE)
    style.height_axis(axes["height"], top)
    axes["height"].set_ylabel("altitude, m")
    axes["height"].tick_params(labelbottom=False)
    axes["speed"].plot(time - begin, down, color=GREEN)
    axes["speed"].plot(time - begin, across, color=ORANGE)
    axes["speed"].set_ylabel("speed, m/s")
    axes["speed"].sharex(axes["height"])
    axes["speed"].set_xlabel("time from touchdown, s" if flight.touchdown_s is not None else "time from the end, s")
    for name in ("height", "speed"):
        axes[name].axvline(0.0, color=style.MUTED, linewidth=0.9, linestyle=(0, (4, 3)))
    return made


def _against_plan(axes: Axes, height: Array, across: Array, down: Array, top: float) -> None:
    axes.plot(down, height, color=GREEN, label="descent rate")
    axes.plot(across, height, color=ORANGE, label="speed over ground")
    altitudes, speeds = zip(*PUBLIC_PLAN, strict=True)
    axes.scatter(speeds, altitudes, marker="D", s=34, color=PURPLE, zorder=3, label="published plan")
    style.height_axis(axes, top)
    fastest = max(float(down.max()), float(across.max()), *speeds)
    axes.set_xlim(min(0.0, float(down.min())), 1.08 * fastest)
    axes.set_xlabel("speed, m/s")
    axes.set_ylabel("altitude of the lowest pad, m")
    style.legend(axes)


def _last_kilometre(flight: FlightData) -> slice:
    """Rows from the last time at a kilometre until a little after touchdown."""
    time, altitude = flight.truth["time_s"], flight.truth["altitude_m"]
    above = np.flatnonzero(altitude > _TERMINAL_ALTITUDE_M)
    begin = int(above[-1]) + 1 if len(above) else 0
    if begin >= len(time) - 1:
        begin = int(np.searchsorted(time, flight.end_s - _LAST_S))
    end_s = flight.end_s if flight.touchdown_s is None else flight.touchdown_s + 5.0
    return slice(begin, int(np.searchsorted(time, end_s, side="right")))


def propellant(flight: FlightData) -> Figure:
    """Propellant in the tanks, true and as gauged."""
    made, axes = style.figure(2, 4.4, height_ratios=[1.6, 1])
    span = flight.focus
    truth, gauge = style.within(flight.truth, span), style.within(flight.telemetry, span)
    kinds = (("propellant", "main, kg"), ("rcs_propellant", "RCS, kg"))
    for each, (kind, name) in zip(axes, kinds, strict=True):
        dots = style.thin(gauge["time_s"], gauge[f"{kind}_gauge_kg"], points=700)
        each.plot(*dots, ".", color=ORANGE, markersize=2.5, alpha=0.6, label="gauge")
        each.plot(*style.thin(truth["time_s"], truth[f"{kind}_kg"]), color=BLUE, label="true")
        each.set_ylabel(name)
        each.set_ylim(bottom=0.0)
    axes[1].legend(loc="lower left", ncols=2, labelcolor=style.INK, frameon=False)
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made
