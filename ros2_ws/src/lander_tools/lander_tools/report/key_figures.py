"""The numbers of a flight that a report shows, each with the limit that it is held against."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np

from lander_runtime.messages import NavigationState
from lander_tools.report.flight_data import FlightData, to_map
from lander_tools.report.navigation_plots import rotation_error

_SIGMAS = 3.0
_USED = (NavigationState.ACCEPTED, NavigationState.DEWEIGHTED)


@dataclass(frozen=True)
class Tile:
    """A number of the touchdown, with its judgement."""

    label: str
    value: str
    unit: str
    limit: str = ""
    grade: str = ""  # good | fair | bad, or empty where there is no limit


@dataclass(frozen=True)
class Table:
    """A table of texts; the first column names the rows."""

    title: str
    headings: Sequence[str]  # empty: none are shown
    rows: Sequence[Sequence[str]]


def tiles(result: Mapping[str, Any], config: Mapping[str, Any]) -> list[Tile]:
    """The touchdown (fields of LandingResult) against its limits (section `limits` of the configuration)."""
    limits = config.get("limits", {})
    beyond_slope = max(float(result["tilt_deg"]) - float(result["slope_deg"]), 0.0)
    return [
        _judged("descent rate", float(result["vertical_speed_m_s"]), "m/s", "vertical_speed_m_s", limits),
        _judged("speed across", float(result["horizontal_speed_m_s"]), "m/s", "horizontal_speed_m_s", limits),
        _judged("tilt over slope", beyond_slope, "deg", "tilt_deg", limits),
        _judged("turning", float(result["rate_deg_s"]), "deg/s", "rate_deg_s", limits),
        Tile("from the target", f"{float(result['miss_m']):.0f}", "m"),
        Tile("propellant left", f"{float(result['propellant_left_kg']):.1f}", "kg"),
    ]


def _judged(label: str, value: float, unit: str, key: str, limits: Mapping[str, Any]) -> Tile:
    success, survivable = (limits.get(kind, {}).get(key) for kind in ("success", "survivable"))
    if success is None or survivable is None:
        return Tile(label, f"{value:.2f}", unit)
    grade = "good" if value <= success else "fair" if value <= survivable else "bad"
    return Tile(label, f"{value:.2f}", unit, f"limit {success:g} ({survivable:g})", grade)


def phase_table(flight: FlightData) -> Table:
    """When each phase began, and where."""
    across, down = flight.speeds
    rows = []
    for phase in flight.phases:
        row = _row_at(flight, phase.begin_s)
        altitude = f"{flight.truth['altitude_m'][row]:,.0f} m"
        rows.append((phase.name, f"{phase.begin_s:.1f} s", altitude, f"{across[row]:.1f} m/s", f"{down[row]:.1f} m/s"))
    return Table("Phases", ("", "from", "altitude", "across", "down"), rows)


def _row_at(flight: FlightData, time_s: float) -> int:
    return min(int(np.searchsorted(flight.truth["time_s"], time_s)), len(flight.truth["time_s"]) - 1)


def navigation_table(flight: FlightData) -> Table:
    """How far navigation was off at first contact (or at the end), with its own 3-sigma."""
    at_s = flight.touchdown_s if flight.touchdown_s is not None else flight.end_s
    title = "Navigation error at touchdown" if flight.touchdown_s is not None else "Navigation error at the end"
    _, truths, states = np.intersect1d(flight.truth["tick"], flight.state["tick"], return_indices=True)
    if not len(states):
        return Table(title, (), ())
    row = min(int(np.searchsorted(flight.state["time_s"][states], at_s)), len(states) - 1)
    true = {name: column[truths[row : row + 1]] for name, column in flight.truth.items()}
    believed = {name: column[states[row : row + 1]] for name, column in flight.state.items()}
    r = believed["r_lander_site"] - true["r_lander_site"]
    v = believed["v_lander_site"] - true["v_lander_site"]
    turn = np.degrees(rotation_error(believed["q_mci_body"], true["q_mci_body"])) * 1000.0
    turn_sigma = np.degrees(believed["attitude_sigma_rad"]) * 1000.0
    altitude = float(believed["altitude_m"][0] - true["altitude_m"][0])
    rows = [
        *_error_rows("position", "m", ("east", "north", "up"), r[0], believed["r_sigma_site_m"][0], 2),
        *_error_rows("velocity", "m/s", ("east", "north", "up"), v[0], believed["v_sigma_site_m_s"][0], 3),
        *_error_rows("attitude", "mdeg", ("x", "y", "z"), turn[0], turn_sigma[0], 1),
        ("altitude over ground, m", f"{altitude:+.2f}", ""),
    ]
    return Table(title, ("", "error", "3-sigma"), rows)


def _error_rows(
    quantity: str, unit: str, axes: Sequence[str], error: Any, sigma: Any, digits: int
) -> list[tuple[str, str, str]]:
    return [
        (f"{quantity} {axis}, {unit}", f"{error[i]:+.{digits}f}", f"{_SIGMAS * sigma[i]:.{digits}f}")
        for i, axis in enumerate(axes)
    ]


def flight_table(flight: FlightData) -> Table:
    """What the flight took."""
    truth = flight.truth
    used = truth["propellant_kg"][0] - truth["propellant_kg"][-1]
    used_rcs = truth["rcs_propellant_kg"][0] - truth["rcs_propellant_kg"][-1]
    rows = [
        ("propellant used", f"{used:.1f} kg main, {used_rcs:.2f} kg RCS"),
        ("mass at the end", f"{truth['mass_kg'][-1]:.1f} kg"),
        ("at the end", _place(flight)),
    ]
    if len(flight.throttle["time_s"]):
        error = np.degrees(np.linalg.norm(flight.throttle["attitude_error_body"], axis=1))
        text = f"{np.percentile(error, 50):.3f} deg median, {error.max():.2f} deg at most"
        rows.append(("attitude error", text))
    return Table("Flight", (), [*rows, *_range_rows(flight)])


def _range_rows(flight: FlightData) -> list[tuple[str, str]]:
    fresh = np.isin(flight.state["tick"], flight.range["tick"])
    verdicts = flight.state["range_verdict"]
    kinds = {"accepted": _USED[0], "down-weighted": _USED[1], "rejected": NavigationState.REJECTED}
    counts = [f"{int(np.sum(verdicts[fresh] == kind))} {name}" for name, kind in kinds.items()]
    rows = [("ranges", ", ".join(counts))]
    used = np.flatnonzero(np.isin(verdicts, _USED))
    if len(used):
        first_s = float(flight.state["time_s"][used[0]])
        altitude = flight.truth["altitude_m"][_row_at(flight, first_s)]
        rows.append(("first range used", f"at {first_s:.1f} s, {altitude:,.0f} m above the ground"))
    return rows


def _place(flight: FlightData) -> str:
    (east,), (north,), _ = to_map(flight.truth["r_lander_site"][-1:], flight.radius_m)
    east, north = (east, north) - flight.targets[-1]
    east_or_west, north_or_south = "east" if east >= 0.0 else "west", "north" if north >= 0.0 else "south"
    return f"{abs(north):.0f} m {north_or_south}, {abs(east):.0f} m {east_or_west} of the target"
