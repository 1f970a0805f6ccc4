"""How the plots look, and how they follow the reader's light or dark theme."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from contextlib import AbstractContextManager
from io import StringIO
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib import rc_context
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.backends.backend_svg import FigureCanvasSVG
from matplotlib.colors import LinearSegmentedColormap, to_rgba
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lander_tools.report.flight_data import FlightData

Mask = NDArray[np.bool_]

# Mid tones that stand out from white and from near-black alike, and from each other to colour-blind readers.
BLUE, ORANGE, GREEN, RED, PURPLE, CYAN = "#2f7fd1", "#d97706", "#2e9e6b", "#d6455d", "#8b6fd8", "#1a9bb0"
AXES_COLOURS = (RED, GREEN, BLUE)  # x y z, east north up
INK, MUTED, GRID = "#1c2430", "#5b6675", "#c9ced6"  # become CSS variables in the page
PAPER = "#ffffff"  # of the PNGs

WIDTH_IN = 10.0
_DPI = 110
_POINTS = 1500  # more than a plot has pixels
_PHASE_ALPHA = (0.10, 0.0)  # every other phase is shaded
_LETTER = 0.0065  # width of a letter in the name of a phase, as a share of the width of the axes

_STYLE: Any = {
    "font.size": 9.5,
    "axes.titlesize": 10.5,
    "axes.titlelocation": "left",
    "axes.titleweight": "bold",
    "axes.titlecolor": INK,
    "axes.labelcolor": MUTED,
    "axes.edgecolor": GRID,
    "axes.linewidth": 0.8,
    "axes.spines.top": False,
    "axes.spines.right": False,
    "axes.grid": True,
    "axes.axisbelow": True,
    "grid.color": GRID,
    "grid.linewidth": 0.6,
    "grid.alpha": 0.7,
    "text.color": INK,
    "xtick.color": MUTED,
    "ytick.color": MUTED,
    "xtick.major.size": 3,
    "ytick.major.size": 3,
    "lines.linewidth": 1.5,
    "legend.frameon": False,
    "legend.fontsize": 9,
    "legend.labelcolor": INK,
    "figure.facecolor": "none",
    "axes.facecolor": "none",
    "savefig.facecolor": "none",
    "svg.fonttype": "none",
}


def applied() -> AbstractContextManager[None]:
    """The context in which plots are to be made and saved."""
    return rc_context(_STYLE)


def figure(rows: int, height_in: float, columns: int = 1, **grid: Any) -> tuple[Figure, list[Axes]]:
    """A figure with its axes in reading order; those of one column share their time axis."""
    made = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    axes = made.subplots(rows, columns, squeeze=False, **({"sharex": "col"} | grid))
    return made, list(np.ravel(axes))


def mosaic(layout: Any, height_in: float, **options: Any) -> tuple[Figure, dict[str, Axes]]:
    """A figure with named axes; `layout`: rows of names, as in matplotlib's `subplot_mosaic`."""
    made = Figure(figsize=(WIDTH_IN, height_in), layout="constrained")
    return made, made.subplot_mosaic(layout, **options)


def save(made: Figure, name: str, folder: Path) -> str:
    """Write `name`.png, and return the figure as SVG for the page."""
    # The canvases directly: Figure.savefig draws everything twice.
    made.set_dpi(_DPI)
    made.patch.set_facecolor(PAPER)
    FigureCanvasAgg(made).print_png(folder / f"{name}.png")  # type: ignore[no-untyped-call]
    made.set_layout_engine("none")  # laid out once is enough for both files
    made.patch.set_facecolor("none")
    text = StringIO()
    with rc_context({"svg.hashsalt": name}):
        FigureCanvasSVG(made).print_svg(text, metadata={"Date": None, "Creator": None})  # type: ignore[no-untyped-call]
    return themed(text.getvalue(), name)


def themed(svg: str, name: str) -> str:
    """The SVG without its head, its ids its own, ink and grid in the colours of the page."""
    svg = svg[svg.index("<svg") :]
    svg = re.sub(r'\b(id="|href="#|url\(#)', rf"\g<1>{name}-", svg)
    for colour, variable in ((INK, "--ink"), (MUTED, "--muted"), (GRID, "--grid")):
        svg = svg.replace(colour, f"var({variable})")
    svg = re.sub(r'(<svg[^>]*?) width="[^"]*pt"', r"\1", svg)
    svg = re.sub(r'(<svg[^>]*?) height="[^"]*pt"', r"\1", svg)
    return re.sub(r"<metadata>.*?</metadata>", "", svg, flags=re.DOTALL)


def thin(*arrays: NDArray[Any], points: int = _POINTS) -> tuple[NDArray[Any], ...]:
    """Every n-th row of each array, so that about `points` are left."""
    step = max(1, len(arrays[0]) // points)
    return tuple(array[::step] for array in arrays)


def means(time: NDArray[Any], values: NDArray[Any], bins: int = 600) -> tuple[NDArray[Any], NDArray[Any]]:
    """The mean of each of `bins` stretches of rows, at its middle: what pulses amount to."""
    size = max(1, len(time) // bins)
    full = len(time) // size * size
    return time[:full].reshape(-1, size).mean(axis=1), values[:full].reshape(-1, size).mean(axis=1)


def peaks(time: NDArray[Any], values: NDArray[Any], bins: int = 400) -> tuple[NDArray[Any], NDArray[Any]]:
    """The largest value in each of `bins` stretches of rows, at its time; NaN where a stretch has no value."""
    size = max(1, len(time) // bins)
    full = len(time) // size * size
    blocks = values[:full].reshape(-1, size)
    known = ~np.isnan(blocks).all(axis=1)
    largest = np.full(len(blocks), np.nan)
    largest[known] = np.nanmax(blocks[known], axis=1)
    return time[:full:size], largest


def within(table: dict[str, NDArray[Any]], span: tuple[float, float]) -> dict[str, NDArray[Any]]:
    """The rows of a table in a span of time."""
    chosen = (table["time_s"] >= span[0]) & (table["time_s"] <= span[1])
    return {name: column[chosen] for name, column in table.items()}


def shade_phases(axes: Iterable[Axes], flight: FlightData, span: tuple[float, float], letter: float = _LETTER) -> None:
    """Shade every other guidance phase, and name above the first axes those that have room for their name.

    `letter`: width of a letter as a share of the width of the axes.
    """
    for row, each in enumerate(axes):
        for number, phase in enumerate(flight.phases):
            begin, end = max(phase.begin_s, span[0]), min(phase.end_s, span[1])
            if begin >= end:
                continue
            each.axvspan(begin, end, color=MUTED, alpha=_PHASE_ALPHA[number % 2], linewidth=0, zorder=0)
            if row == 0 and end - begin > letter * len(phase.name) * (span[1] - span[0]):
                each.text(
                    *(0.5 * (begin + end), 1.0, phase.name),
                    transform=each.get_xaxis_transform(),
                    ha="center",
                    va="bottom",
                    color=MUTED,
                    fontsize=8.5,
                )
        mark_touchdown(each, flight, span)


def mark_touchdown(axes: Axes, flight: FlightData, span: tuple[float, float]) -> None:
    """A line at first contact."""
    if flight.touchdown_s is not None and span[0] <= flight.touchdown_s <= span[1]:
        axes.axvline(flight.touchdown_s, color=MUTED, linewidth=0.9, linestyle=(0, (4, 3)))


def height_axis(axes: Axes, top: float) -> None:
    """A vertical axis of altitude that shows the last metres as well as the first hundreds."""
    axes.set_yscale("symlog", linthresh=10.0, linscale=0.6)
    ticks = [tick for tick in (0, 5, 10, 20, 50, 100, 200, 500, 1000, 2000, 5000, 10000, 20000) if tick <= top]
    axes.set_yticks(ticks, [str(tick) for tick in ticks])
    axes.minorticks_off()
    axes.set_ylim(0.0, top)


def finish_time_axis(axes: Sequence[Axes], span: tuple[float, float]) -> None:
    """Limits and label of the common time axis."""
    axes[-1].set_xlim(*span)
    axes[-1].set_xlabel("time, s")


def legend(axes: Axes, **options: Any) -> None:
    """A legend beside the axes' title, out of the way of the data."""
    place = {"loc": "lower right", "bbox_to_anchor": (1.0, 1.0), "ncols": 6, "borderaxespad": 0.2, "handlelength": 1.4}
    if axes.get_legend_handles_labels()[0]:
        axes.legend(**(place | options))


def ramp(colour: str) -> LinearSegmentedColormap:
    """From nothing to a colour, for maps that lie on either theme."""
    red, green, blue, _ = to_rgba(colour)
    return LinearSegmentedColormap.from_list("ramp", [(red, green, blue, 0.0), (red, green, blue, 1.0)])
