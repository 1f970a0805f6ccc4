"""Plots over the ground: the track on the terrain, and the profile of the descent."""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.patches import Ellipse

from lander_terrain import Terrain, TerrainParameters
from lander_tools.report import style
from lander_tools.report.flight_data import Array, FlightData, Phase, to_map
from lander_tools.report.style import BLUE, GREEN, MUTED, ORANGE, PURPLE, RED

_SUN_AZIMUTH_DEG, _SUN_ELEVATION_DEG = 108.0, 20.0  # low in the east-south-east, as at the landing; for shading only
_PIXELS = 420  # across the relief
_EXAGGERATION = 3.0  # of the relief in the shading
_AREA_M, _WIDEST_AREA_M = 2_000.0, 20_000.0  # half height of the map of the landing area, at least and at most
_PROFILE_SAMPLES = 900


@dataclass(frozen=True)
class Site:
    """What a terrain needs to know of a site."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float


def terrain_of(config: Mapping[str, Any]) -> Terrain | None:
    """The terrain that was flown over, from the run's resolved configuration; None where that does not say."""
    try:
        site = Site(*(float(config["site"][key]) for key in ("latitude_deg", "longitude_deg", "elevation_m")))
        seed = int(config["site"]["ground_seed"])
        return Terrain.build(TerrainParameters.model_validate(config["terrain"]), site, seed)
    except (KeyError, TypeError, ValueError):  # pydantic's and the terrain's own errors are ValueErrors
        return None


def ground_track(flight: FlightData, terrain: Terrain | None) -> Figure:
    """The whole track towards the target, and the landing area."""
    made, axes = style.mosaic([["track"], ["area"]], 7.3, height_ratios=[1, 2.7])
    _whole_track(axes["track"], flight, terrain)
    _landing_area(axes["area"], flight, terrain)
    return made


def _whole_track(axes: Axes, flight: FlightData, terrain: Terrain | None) -> None:
    """Along and across the approach, km; the site is at the right."""
    along, across, direction = _along_track(flight)
    reach = (float(along.min()), max(float(along.max()), 0.0))
    half = max(20_000.0, 1.2 * float(np.abs(across).max()))
    reach = (reach[0] - 0.02 * (reach[1] - reach[0]), reach[1] + 0.03 * (reach[1] - reach[0]))
    if terrain is not None:
        shape = (round(_PIXELS / 4), 2 * _PIXELS)
        a, c = np.meshgrid(np.linspace(*reach, shape[1]), np.linspace(-half, half, shape[0]))
        e, n = a * direction[0] + c * direction[1], a * direction[1] - c * direction[0]
        spacing = (reach[1] - reach[0]) / shape[1]
        heights = terrain.heights(e, n, spacing)
        _show_relief(axes, heights, spacing, 2.0 * half / shape[0], (*reach, -half, half))
    axes.plot(*style.thin(along, across), color=RED, linewidth=1.6)
    e_target, n_target = flight.targets[-1]
    ahead, left = e_target * direction[0] + n_target * direction[1], e_target * direction[1] - n_target * direction[0]
    axes.plot(ahead, left, "+", color=ORANGE, markersize=12, markeredgewidth=2)
    axes.set_xlim(*reach)
    axes.set_ylim(-half, half)
    axes.set_aspect("auto")
    _kilometres(axes)
    axes.set_xlabel("along the approach from the site, km")
    axes.set_ylabel("left, km")
    axes.grid(visible=False)


def _along_track(flight: FlightData) -> tuple[Array, Array, Array]:
    """True map position along the approach (negative before the site) and to its left, m; the direction."""
    e, n, _ = flight.place
    first = np.array([e[0], n[0]])
    length = float(np.linalg.norm(first))
    direction = -first / length if length > 0.0 else np.array([0.0, 1.0])
    along = e * direction[0] + n * direction[1]
    left = e * direction[1] - n * direction[0]
    return along, left, direction


def _landing_area(axes: Axes, flight: FlightData, terrain: Terrain | None) -> None:
    """The last kilometres from above, with where navigation believed to be."""
    e, n, _ = flight.place
    half = min(max(_AREA_M, 1.6 * float(np.hypot(e[-1], n[-1]))), _WIDEST_AREA_M)
    aspect = 2.2
    if terrain is not None:
        spacing = 2.0 * half / _PIXELS
        columns = round(_PIXELS * aspect)
        heights = terrain.grid(-half * aspect, -half, spacing, (_PIXELS, columns), spacing)
        _show_relief(axes, heights, spacing, spacing, (-half * aspect, half * aspect, -half, half))
    axes.plot(e, n, color=RED, linewidth=1.8, label="true track")
    if len(flight.state["time_s"]):
        believed_e, believed_n, _ = to_map(flight.state["r_lander_site"], flight.radius_m)
        axes.plot(
            believed_e, believed_n, color=BLUE, linewidth=1.2, linestyle=(0, (4, 2)), label="as navigation believed"
        )
        _uncertainty(axes, flight, believed_e[-1], believed_n[-1])
    _targets(axes, flight)
    axes.plot(e[-1], n[-1], "o", color=RED, markersize=7, markeredgecolor="white", label="at the end", linestyle="none")
    axes.set_aspect("equal")
    axes.set_xlim(-half * aspect, half * aspect)
    axes.set_ylim(-half, half)
    _kilometres(axes)
    axes.set_xlabel("east of the site, km")
    axes.set_ylabel("north, km")
    axes.grid(visible=False)
    style.legend(axes, bbox_to_anchor=(1.0, 1.0))


def _targets(axes: Axes, flight: FlightData) -> None:
    """The last target, and those that it took the place of."""
    *former, last = flight.targets
    if former:
        axes.plot(*np.transpose(former), "x", color=ORANGE, markersize=9, label="earlier target", linestyle="none")
    axes.plot(*last, "+", color=ORANGE, markersize=16, markeredgewidth=2.4, label="target", linestyle="none")


def _uncertainty(axes: Axes, flight: FlightData, e: float, n: float) -> None:
    """The 3-sigma ellipse of navigation at the end."""
    east, north, _ = flight.state["r_sigma_site_m"][-1]
    axes.add_patch(
        Ellipse((e, n), 6.0 * east, 6.0 * north, fill=False, color=BLUE, linewidth=1.2, label="3-sigma at the end")
    )


def _show_relief(axes: Axes, heights: Array, dx: float, dy: float, extent: tuple[float, float, float, float]) -> None:
    image = axes.imshow(
        shaded(heights, dx, dy), extent=extent, origin="lower", cmap="gray", vmin=0.0, vmax=1.15, alpha=0.9
    )
    image.set_interpolation("bilinear")


def shaded(heights: Array, dx: float, dy: float) -> Array:
    """Lambertian shading of a grid of heights, m (rows to north, columns to east), under a low Sun; 0 to 1."""
    slope_n, slope_e = np.gradient(_EXAGGERATION * heights, dy, dx)
    azimuth, elevation = np.radians(_SUN_AZIMUTH_DEG), np.radians(_SUN_ELEVATION_DEG)
    sun = (np.sin(azimuth) * np.cos(elevation), np.cos(azimuth) * np.cos(elevation), np.sin(elevation))
    cosine = (sun[2] - slope_e * sun[0] - slope_n * sun[1]) / np.sqrt(1.0 + slope_e**2 + slope_n**2)
    lit: Array = np.clip(cosine / (2.0 * sun[2]), 0.0, 1.0)
    return lit


def _kilometres(axes: Axes) -> None:
    for axis in (axes.xaxis, axes.yaxis):
        axis.set_major_formatter(lambda value, _: f"{value / 1000.0:g}")


def profile(flight: FlightData, terrain: Terrain | None) -> Figure:
    """Height against the way to go, whole and at the end, above the terrain."""
    made, axes = style.figure(1, 3.9, columns=2, sharex=False, width_ratios=[1.4, 1])
    along, _, direction = _along_track(flight)
    height = flight.place[2]
    phases = flight.phases or [Phase("flight", float(flight.truth["time_s"][0]), flight.end_s)]
    phase_at = np.searchsorted([phase.begin_s for phase in phases], flight.truth["time_s"], side="right") - 1
    whole, near = float(along.min()), max(-20_000.0, float(along.min()))
    for each, begin in ((axes[0], whole), (axes[1], near)):
        shown = (along >= begin) & (along <= 0.02 * abs(begin) + 500.0)
        for number, phase in enumerate(phases):
            chosen = shown & (phase_at == number)
            if chosen.any():
                a, h = style.thin(along[chosen], height[chosen])
                each.plot(-a / 1000.0, h / 1000.0, color=_PHASE_COLOURS[number % len(_PHASE_COLOURS)], label=phase.name)
        if terrain is not None:
            _ground_line(each, terrain, begin, direction)
        each.set_xlim(-begin / 1000.0, -0.02 * abs(begin) / 1000.0)
        each.set_xlabel("way to go along the approach, km")
    axes[0].set_ylabel("height above the\nsite's sphere, km")
    style.legend(axes[1])
    return made


_PHASE_COLOURS = (MUTED, BLUE, ORANGE, GREEN, PURPLE, RED)


def _ground_line(axes: Axes, terrain: Terrain, begin: float, direction: Array) -> None:
    along = np.linspace(begin, 0.02 * abs(begin), _PROFILE_SAMPLES)
    spacing = float(along[1] - along[0])
    heights = terrain.heights(along * direction[0], along * direction[1], spacing)
    axes.fill_between(
        -along / 1000.0, heights / 1000.0, heights.min() / 1000.0 - 0.5, color=MUTED, alpha=0.35, linewidth=0
    )
