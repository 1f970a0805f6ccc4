"""Plots of navigation: its errors against what it believed of them, and its judgement of the rangefinder."""

from __future__ import annotations

from collections.abc import Callable

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from lander_runtime.messages import NavigationState, RangeMeasurement
from lander_tools.report import style
from lander_tools.report.flight_data import Array, FlightData
from lander_tools.report.style import AXES_COLOURS, BLUE, CYAN, GREEN, MUTED, ORANGE, RED

_LAST_S = 100.0  # shown once more, enlarged
_SIGMAS = 3.0
_DOTS = 1000
_LEAD_IN_S = 30.0  # shown before the first valid range
_LOWEST_DB = -15.0  # no return at all is drawn no lower
_FARTHEST = 30.0  # sigma; farther outliers are drawn here
VERDICTS = (
    (NavigationState.ACCEPTED, "accepted", GREEN),
    (NavigationState.DEWEIGHTED, "down-weighted", ORANGE),
    (NavigationState.REJECTED, "rejected", RED),
)


def position_error(flight: FlightData) -> Figure:
    """Error of the estimated position with its 3-sigma."""
    return _errors(flight, "r_lander_site", "r_sigma_site_m", ("east, m", "north, m", "up, m"))


def velocity_error(flight: FlightData) -> Figure:
    """Error of the estimated velocity with its 3-sigma."""
    return _errors(flight, "v_lander_site", "v_sigma_site_m_s", ("east, m/s", "north, m/s", "up, m/s"))


def attitude_error(flight: FlightData) -> Figure:
    """Error of the estimated attitude with its 3-sigma."""
    names = ("x, mdeg", "y, mdeg", "z, mdeg")
    return _errors(flight, "q_mci_body", "attitude_sigma_rad", names, rotation_error, np.degrees(1.0) * 1000.0)


def rotation_error(q_estimated: Array, q_true: Array) -> Array:
    """Rotation vector from the true to the estimated attitude, in body, rad; quaternions x y z w of shape (n, 4)."""
    x, y, z, w = q_true.T
    a, b, c, d = q_estimated.T
    vector = np.stack(
        [w * a - x * d - y * c + z * b, w * b + x * c - y * d - z * a, w * c - x * b + y * a - z * d], axis=1
    )
    real = w * d + x * a + y * b + z * c
    length = np.linalg.norm(vector, axis=1)
    angle = 2.0 * np.arctan2(length, np.abs(real)) * np.sign(real)
    scale = np.divide(angle, length, out=np.full_like(length, 2.0), where=length > 1e-12)
    rotation: Array = vector * scale[:, None]
    return rotation


def _difference(estimated: Array, true: Array) -> Array:
    return estimated - true


def _errors(
    flight: FlightData,
    quantity: str,
    sigma: str,
    names: tuple[str, ...],
    difference: Callable[[Array, Array], Array] = _difference,
    scale: float = 1.0,
) -> Figure:
    """A row for each axis: the whole powered descent at the left, its end enlarged at the right."""
    made, axes = style.figure(3, 6.0, columns=2, width_ratios=[1.5, 1], sharex="col")
    _, truths, states = np.intersect1d(flight.truth["tick"], flight.state["tick"], return_indices=True)
    time = flight.state["time_s"][states]
    error = difference(flight.state[quantity][states], flight.truth[quantity][truths]) * scale
    bound = _SIGMAS * flight.state[sigma][states] * scale
    end = flight.touchdown_s if flight.touchdown_s is not None else flight.end_s
    spans = (flight.focus, (max(flight.focus[0], end - _LAST_S), end))
    for column, span in enumerate(spans):
        shown = (time >= span[0]) & (time <= span[1])
        times, errors, bounds = style.thin(time[shown], error[shown], bound[shown], points=500)
        for row, name in enumerate(names):
            _plot_error(axes[2 * row + column], times, errors, bounds, row)
            if column == 0:
                axes[2 * row].set_ylabel(name)
        style.shade_phases(axes[column::2], flight, span, letter=0.014)
        style.finish_time_axis(axes[column::2], span)
    _name_lines(axes[0])
    return made


def _plot_error(axes: Axes, time: Array, error: Array, bound: Array, axis: int) -> None:
    axes.fill_between(time, -bound[:, axis], bound[:, axis], color=MUTED, alpha=0.16, linewidth=0, label="3-sigma")
    axes.plot(time, error[:, axis], color=AXES_COLOURS[axis], linewidth=1.2, label="error")
    axes.axhline(0.0, color=style.GRID, linewidth=0.8)


def _name_lines(axes: Axes) -> None:
    axes.legend(loc="upper left", ncols=2, labelcolor=style.INK, frameon=False)


def ranges(flight: FlightData) -> Figure:
    """What the rangefinder measured, and what navigation made of it."""
    made, axes = style.figure(3, 6.8, height_ratios=[1.3, 0.7, 1.2])
    span = _span_of_ranges(flight)
    measured, truth = style.within(flight.range, span), style.within(flight.truth, span)
    axes[0].plot(*style.thin(truth["time_s"], truth["altitude_m"]), color=MUTED, linewidth=1.0, label="true altitude")
    axes[0].set_yscale("log")
    axes[0].set_ylim(1.0, 1.5 * max(float(truth["altitude_m"].max()), 10.0))
    axes[0].set_ylabel("slant range, m")
    axes[1].set_ylabel("link margin, dB")
    axes[1].axhline(0.0, color=MUTED, linewidth=0.9)
    if len(measured["time_s"]):
        valid = measured["valid"].astype(bool)
        time, distance = style.thin(measured["time_s"][valid], measured["range_m"][valid], points=_DOTS)
        axes[0].plot(time, distance, ".", color=BLUE, markersize=3, label="measured")
        _plot_signal(axes[1], measured["time_s"], measured["signal_db"], measured["status"] == RangeMeasurement.OFF)
    _plot_innovations(axes[2], flight, span)
    style.legend(axes[0], bbox_to_anchor=(1.0, 1.06))
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made


def _span_of_ranges(flight: FlightData) -> tuple[float, float]:
    """From a little before the first valid range to touchdown."""
    begin, end = flight.focus
    valid = np.flatnonzero(flight.range["valid"])
    if len(valid):
        begin = max(begin, float(flight.range["time_s"][valid[0]]) - _LEAD_IN_S)
    return begin, end if flight.touchdown_s is None else flight.touchdown_s + 1.0


def _plot_signal(axes: Axes, time: Array, signal_db: Array, off: style.Mask) -> None:
    time, signal_db = style.thin(time[~off], signal_db[~off], points=_DOTS)
    axes.plot(time, signal_db, ".", color=CYAN, markersize=2.5)
    axes.set_ylim(bottom=max(float(np.min(signal_db, initial=0.0)), _LOWEST_DB))


def _plot_innovations(axes: Axes, flight: FlightData, span: tuple[float, float]) -> None:
    """Innovations in units of what the filter expected, in the colours of the verdicts."""
    state = style.within(flight.state, span)
    fresh = np.isin(state["tick"], flight.range["tick"]) & (state["range_innovation_sigma_m"] > 0.0)
    time, innovation = state["time_s"][fresh], state["range_innovation_m"][fresh]
    ratio, verdict = innovation / state["range_innovation_sigma_m"][fresh], state["range_verdict"][fresh]
    for value, name, colour in VERDICTS:
        chosen = verdict == value
        label = f"{name} ({int(chosen.sum())})"
        dots = style.thin(time[chosen], np.clip(ratio[chosen], -_FARTHEST, _FARTHEST), points=_DOTS)
        axes.plot(*dots, ".", color=colour, markersize=3.5, label=label)
    for bound in (1.0, 3.0):
        axes.axhspan(-bound, bound, color=MUTED, alpha=0.07, linewidth=0)
    axes.set_yscale("symlog", linthresh=4.0)
    ticks = (-_FARTHEST, -10, -3, -1, 0, 1, 3, 10, _FARTHEST)
    axes.set_yticks(ticks, [f"{tick:g}" for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(-1.2 * _FARTHEST, 1.2 * _FARTHEST)
    axes.set_ylabel("innovation / sigma")
    style.legend(axes, bbox_to_anchor=(1.0, 0.99))
