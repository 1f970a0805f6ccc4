"""Plots of attitude and thrust."""

from __future__ import annotations

import numpy as np
from matplotlib.axes import Axes
from matplotlib.colors import PowerNorm
from matplotlib.figure import Figure

from lander_tools.columns import Columns
from lander_tools.report import style
from lander_tools.report.flight_data import Array, FlightData
from lander_tools.report.style import AXES_COLOURS, BLUE, GREEN, MUTED, ORANGE

_BINS = 400  # columns of the duty map


def attitude(flight: FlightData) -> Figure:
    """Lean of the thrust axis, body rates and attitude error."""
    made, axes = style.figure(3, 6.0)
    span = flight.focus
    truth, throttle = style.within(flight.truth, span), style.within(flight.throttle, span)
    time, q, r = style.thin(truth["time_s"], truth["q_mci_body"], truth["r_lander_mci"])
    axes[0].plot(time, lean_deg(q, r), color=BLUE, label="true")
    _plot_commanded_lean(axes[0], flight, span)
    axes[0].set_ylabel("thrust axis from\nthe vertical, deg")
    style.legend(axes[0], bbox_to_anchor=(1.0, 1.07))
    time, w = style.thin(truth["time_s"], truth["w_mci_body"])
    _plot_axes(axes[1], time, np.degrees(w))
    axes[1].set_ylabel("body rate, deg/s")
    if len(throttle["time_s"]):
        time, error = style.thin(throttle["time_s"], throttle["attitude_error_body"])
        _plot_axes(axes[2], time, np.degrees(error))
    axes[2].set_ylabel("attitude error, deg")
    axes[1].legend(loc="upper left", ncols=3, labelcolor=style.INK, frameon=False)
    style.shade_phases(axes, flight, span)
    style.finish_time_axis(axes, span)
    return made


def lean_deg(q_mci_body: Array, r_lander_mci: Array) -> Array:
    """Angle of body z (the thrust axis) from the local vertical, deg; arguments of shape (n, 4) and (n, 3)."""
    x, y, z, w = q_mci_body.T
    axis = np.stack([2.0 * (x * z + w * y), 2.0 * (y * z - w * x), 1.0 - 2.0 * (x * x + y * y)], axis=1)
    up = r_lander_mci / np.linalg.norm(r_lander_mci, axis=1)[:, None]
    lean: Array = np.degrees(np.arccos(np.clip(np.sum(axis * up, axis=1), -1.0, 1.0)))
    return lean


def _plot_commanded_lean(axes: Axes, flight: FlightData, span: tuple[float, float]) -> None:
    command = style.within(flight.guidance, span)
    norms = np.linalg.norm(command["q_mci_body_command"], axis=1) if len(command["time_s"]) else np.empty(0)
    given = norms > 0.5  # a command that says nothing has a zero quaternion
    if not given.any():
        return
    time, q = command["time_s"][given], command["q_mci_body_command"][given]
    at = np.clip(np.searchsorted(flight.truth["time_s"], time), 0, len(flight.truth["time_s"]) - 1)
    time, q, r = style.thin(time, q, flight.truth["r_lander_mci"][at])
    axes.plot(time, lean_deg(q, r), color=ORANGE, linewidth=1.0, linestyle=(0, (3, 2)), label="commanded")


def _plot_axes(axes: Axes, time: Array, values: Array) -> None:
    for column, (name, colour) in enumerate(zip("xyz", AXES_COLOURS, strict=True)):
        axes.plot(time, values[:, column], color=colour, linewidth=1.0, label=name)


def thrust(flight: FlightData) -> Figure:
    """Thrust wanted, commanded and true, and the duty of every thruster."""
    span = flight.focus
    truth, throttle = style.within(flight.truth, span), style.within(flight.throttle, span)
    guidance = style.within(flight.guidance, span)
    duties, names = _duties(throttle, flight)
    made, axes = style.figure(2, 3.6 + 0.19 * len(names), height_ratios=[10, len(names)])
    time, main = style.means(truth["time_s"], truth["main_thrust_n"])
    _, assist = style.means(truth["time_s"], truth["assist_thrust_n"])
    wanted = style.thin(guidance["time_s"], guidance["thrust_n"])
    axes[0].plot(*wanted, color=ORANGE, linewidth=3.5, alpha=0.45, label="wanted by guidance")
    axes[0].plot(time, main + assist, color=BLUE, linewidth=1.0, label="true")
    axes[0].plot(time, main, color=GREEN, linewidth=1.0, label="true, main engine alone")
    axes[0].set_ylabel("thrust, N")
    axes[0].set_ylim(bottom=0.0)
    style.legend(axes[0], bbox_to_anchor=(1.0, 1.06))
    _plot_duties(axes[1], throttle["time_s"], duties, names)
    style.shade_phases(axes[:1], flight, span)
    style.finish_time_axis(axes, span)
    return made


def _duties(throttle: Columns, flight: FlightData) -> tuple[Array, list[str]]:
    """Share of each tick for which each thruster was commanded open, shape (ticks, thrusters), and their names."""
    step = np.interp(throttle["time_s"], flight.truth["time_s"], flight.truth["step_ns"] * 1e-9)
    step = np.where(step > 0.0, step, np.inf)[:, None]  # the first tick has no length
    assist, rcs = throttle["assist_on_s"] / step, throttle["rcs_on_s"] / step
    duties = np.concatenate([throttle["main_engine"][:, None].astype(float), assist, rcs], axis=1)
    kinds = (("assist", assist), ("RCS", rcs))
    names = ["main", *(f"{kind} {i + 1}" for kind, table in kinds for i in range(table.shape[1]))]
    return np.clip(duties, 0.0, 1.0), names


def _plot_duties(axes: Axes, time: Array, duties: Array, names: list[str]) -> None:
    """A map of duty: thrusters by time."""
    edges = np.linspace(time[0], time[-1], _BINS + 1)
    starts = np.searchsorted(time, edges[:-1])
    counts = np.diff(np.append(starts, len(time)))
    # A bin without a tick, in a coast of long ticks, has the duty of the tick before it.
    sums = np.add.reduceat(duties, np.minimum(starts, len(time) - 1), axis=0)
    binned = sums / np.maximum(counts, 1)[:, None]
    image = axes.imshow(
        binned.T, aspect="auto", interpolation="nearest", cmap=style.ramp(BLUE), norm=PowerNorm(0.5, 0.0, 1.0),
        extent=(edges[0], edges[-1], len(names) - 0.5, -0.5),
    )  # fmt: skip
    axes.set_yticks(range(len(names)), names, fontsize=8)
    axes.grid(False)
    bar = axes.figure.colorbar(image, ax=axes, fraction=0.03, pad=0.01, ticks=[0.0, 0.1, 0.5, 1.0])
    bar.set_label("duty", color=MUTED)
    bar.outline.set_visible(False)
