"""Plots of terrain-relative navigation: its fixes against the truth, where it looked, and what it saw."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numpy.typing import NDArray

from lander_flight.fix_update import rotation_matrix
from lander_flight.trn_picture import annotated, caption
from lander_runtime.architecture import architecture
from lander_runtime.messages import NANOSECONDS, Message, TrnFix, stamp_ns
from lander_tools.bag import Bag
from lander_tools.report import style
from lander_tools.report.flight_data import Array, FlightData
from lander_tools.report.style import AXES_COLOURS, BLUE, CYAN, GREEN, MUTED, ORANGE, PURPLE, RED

_FRAMES = 4  # shown
_SIGMAS = 3.0
_ZONE_COLOURS = (BLUE, ORANGE, GREEN, PURPLE, CYAN, RED, MUTED)


@dataclass(frozen=True)
class Frame:
    """A picture, and what was made of it."""

    image: Message
    fix: Message


def time_of(fix: Message) -> float:
    """Of the image, s."""
    return float(fix.time_of_validity.sec + fix.time_of_validity.nanosec / NANOSECONDS)


def finished(flight: FlightData) -> list[Message]:
    """Messages about an image that was looked at."""
    idle = (TrnFix.WAITING, TrnFix.NO_IMAGE)
    return [fix for fix in flight.fixes if fix.reason not in idle]


def fix_errors(flight: FlightData) -> tuple[list[Message], Array, Array]:
    """Fixes, their errors in site, m, and their 1-sigma with the registration and the heights of the map, m; (k, 3) each."""
    fixes = [fix for fix in flight.fixes if fix.valid]
    truth, errors, sigmas = flight.truth, [], []
    rows = np.searchsorted(truth["time_s"], [time_of(fix) - 1e-6 for fix in fixes])
    for fix, row in zip(fixes, np.minimum(rows, len(truth["time_s"]) - 1), strict=True):
        arm = rotation_matrix(truth["q_site_body"][row]) @ (flight.camera_body[fix.head] - truth["r_com_body"][row])
        errors.append(fix.r_camera_site - truth["r_lander_site"][row] - arm)
        own = np.diag(fix.covariance.reshape(6, 6))[:3]
        of_map = np.array([fix.registration_m, fix.registration_m, fix.height_sigma_m])
        sigmas.append(np.sqrt(own + of_map**2))
    return fixes, np.array(errors).reshape(-1, 3), np.array(sigmas).reshape(-1, 3)


def fixes_over_time(flight: FlightData) -> Figure:
    """Errors with their 3-sigma, matches and residuals, and images without a fix."""
    made, axes = style.figure(5, 8.6)
    fixes, errors, sigmas = fix_errors(flight)
    times = [time_of(fix) for fix in fixes]
    for axis, name in enumerate(("east, m", "north, m", "up, m")):
        bound = _SIGMAS * sigmas[:, axis]
        axes[axis].fill_between(times, -bound, bound, color=AXES_COLOURS[axis], alpha=0.15, lw=0)
        axes[axis].plot(times, errors[:, axis], ".", ms=3, color=AXES_COLOURS[axis])
        axes[axis].set_yscale("symlog", linthresh=1.0)
        axes[axis].set_ylabel(name)
    looked = finished(flight)
    when = [time_of(fix) for fix in looked]
    axes[3].plot(when, [fix.patches for fix in looked], ".", ms=3, color=MUTED, label="searched")
    axes[3].plot(when, [fix.matches for fix in looked], ".", ms=3, color=GREEN, label="agree")
    for time, fix in zip(when, looked, strict=True):
        if not fix.valid:
            axes[3].axvline(time, color=RED, lw=0.6, alpha=0.5)
    axes[3].set_ylabel("patches")
    axes[3].legend(loc="lower left", ncols=2)
    axes[4].plot(times, [fix.residual_px for fix in fixes], ".", ms=3, color=PURPLE)
    axes[4].set_ylabel("residual, px")
    axes[4].set_xlabel("time, s")
    return made


def views_on_the_map(flight: FlightData) -> Figure:
    """Where the matched patches were, by the zone of the map, beside the true track; the whole way and its end."""
    made, axes = style.figure(1, 5.0, columns=2, sharex="none")
    east, north, _ = flight.place
    fixes = [fix for fix in flight.fixes if fix.valid]
    zones = sorted({float(fix.zone_spacing_m) for fix in fixes})
    for ax, reach, unit, scale in ((axes[0], np.inf, "km", 1e-3), (axes[1], 1500.0, "m", 1.0)):
        near = np.hypot(east, north) < reach
        ax.plot(east[near] * scale, north[near] * scale, color=MUTED, lw=1.0, label="true track")
        for zone, colour in zip(zones, _ZONE_COLOURS, strict=False):
            places = np.array([fix.scene_map_m for fix in fixes if fix.zone_spacing_m == zone])
            shown = places[np.hypot(*places.T) < reach] * scale
            if len(shown):
                ax.plot(*shown.T, "o", ms=3, mfc="none", color=colour, label=f"map of {zone:g} m")
        ax.plot(*(flight.targets[-1] * scale), "+", ms=10, color=RED, label="target")
        ax.set_xlabel(f"east, {unit}")
        ax.set_ylabel(f"north, {unit}")
    axes[0].set_title("Middle of the matched patches")
    axes[1].set_title("The last 1500 m")
    axes[1].set_aspect("equal", "datalim")
    axes[0].legend(loc="lower right")
    return made


def frames(flight: FlightData) -> Figure:
    """Some pictures with the matches and residuals drawn on them."""
    made, axes = style.figure(2, 10.4, columns=2, sharex="none")
    for ax in axes:
        ax.set_axis_off()
    for ax, frame in zip(axes, flight.frames, strict=False):
        pixels = frame.image.data.reshape(frame.image.height, frame.image.width)
        ax.imshow(annotated(pixels, frame.fix, text=False)[:, :, ::-1], interpolation="nearest")
        height = np.interp(time_of(frame.fix), flight.truth["time_s"], flight.truth["altitude_m"])
        first, second = caption(frame.fix)
        ax.set_title(f"{time_of(frame.fix):.0f} s, {height:,.0f} m: {first}\n{second}", fontsize=8)
    return made


def read_frames(bag: Bag, fixes: Sequence[Message], truth: Mapping[str, NDArray[Any]]) -> list[Frame]:
    """The pictures of a few fixes, evenly by the logarithm of the altitude."""
    chosen = {stamp: fix for fix, stamp in _chosen([fix for fix in fixes if fix.valid], truth)}
    return sorted(_pictures(bag, chosen), key=lambda frame: time_of(frame.fix))


def _chosen(fixes: Sequence[Message], truth: Mapping[str, NDArray[Any]]) -> Iterator[tuple[Message, int]]:
    if not fixes:
        return
    heights = np.log(np.maximum(np.interp([time_of(fix) for fix in fixes], truth["time_s"], truth["altitude_m"]), 1.0))
    for height in np.linspace(heights.max(), heights.min(), _FRAMES):
        fix = fixes[int(np.argmin(np.abs(heights - height)))]
        yield fix, fix.time_of_validity.sec * NANOSECONDS + fix.time_of_validity.nanosec


def _pictures(bag: Bag, chosen: Mapping[int, Message]) -> Iterator[Frame]:
    topic = architecture().topics["image"].name
    if not chosen or topic not in bag.topics:
        return
    for _, image in bag.messages(topic):
        fix = chosen.get(stamp_ns(image))
        if fix is not None and image.valid:
            yield Frame(image, fix)
