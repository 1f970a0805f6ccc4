"""What a report shows of a flight: arrays from its bag, read in one pass and without decoding what is not shown."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import dataclass, field
from functools import cached_property
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lander_runtime.architecture import architecture
from lander_runtime.messages import NANOSECONDS, GuidanceCommand, NodeEvent, plain, stamp_ns
from lander_tools.bag import Bag, BagError
from lander_tools.columns import Columns, columns, gather

Array = NDArray[np.float64]

PHASE_NAMES = {
    GuidanceCommand.DEORBIT: "deorbit",
    GuidanceCommand.COAST: "coast",
    GuidanceCommand.BRAKING: "braking",
    GuidanceCommand.PITCH_UP: "pitch-up",
    GuidanceCommand.TERMINAL: "terminal",
    GuidanceCommand.TOUCHDOWN: "touchdown",
    GuidanceCommand.SAFE: "safe",
}
_LEAD_IN_S, _LEAD_OUT_S = 20.0, 12.0  # shown before the powered descent and after touchdown

# Fields that are shown, by topic key.
_FIELDS = {
    "truth": [
        *("r_lander_site", "v_lander_site", "r_lander_mci", "q_site_body", "q_mci_body", "w_mci_body", "altitude_m"),
        *(
            "r_com_body",
            "propellant_kg",
            "rcs_propellant_kg",
            "main_thrust_n",
            "assist_thrust_n",
            "contact",
            "mass_kg",
            "step_ns",
        ),
    ],
    "navigation_state": [
        *("r_lander_site", "v_lander_site", "q_mci_body", "altitude_m", "r_sigma_site_m", "v_sigma_site_m_s"),
        *("attitude_sigma_rad", "range_verdict", "range_innovation_m", "range_innovation_sigma_m", "range_age_s"),
    ],
    "guidance_command": ["phase", "thrust_n", "q_mci_body_command", "r_target_site"],
    "throttle_command": ["main_engine", "assist_on_s", "rcs_on_s", "thrust_n", "attitude_error_body", "low_rate"],
    "vehicle_telemetry": ["propellant_gauge_kg", "rcs_propellant_gauge_kg"],
    "range": ["valid", "status", "range_m", "signal_db"],
    "health_status": ["overall", "checks", "verdicts"],
    "payload_status": ["total_power_w", "power_budget_w"],
}
_DECODED = ("events", "node_events", "result", "trn_fix")


@dataclass(frozen=True)
class Event:
    """Something that happened, for the timeline."""

    time_s: float
    source: str  # world | nodes | health
    kind: str
    subject: str
    text: str


@dataclass(frozen=True)
class Phase:
    """A stretch of the flight in one guidance phase."""

    name: str
    begin_s: float
    end_s: float


@dataclass
class FlightData:
    """A flight as arrays. Every table has `time_s` and `tick`; a topic without messages has empty arrays."""

    description: dict[str, str]
    truth: Columns
    state: Columns
    guidance: Columns
    throttle: Columns
    telemetry: Columns
    range: Columns
    health: Columns
    payload: Columns
    fixes: list[Any] = field(default_factory=list)  # TrnFix messages
    frames: list[Any] = field(default_factory=list)  # a few pictures with their fixes, see `trn_plots`
    camera_body: Array = field(default_factory=lambda: np.zeros((1, 3)))  # heads of the camera in body, m
    events: list[Event] = field(default_factory=list)
    result: dict[str, Any] = field(default_factory=dict)  # the fields of LandingResult; empty where the run has none

    @property
    def end_s(self) -> float:
        """Time of the last truth, s."""
        return float(self.truth["time_s"][-1])

    @cached_property
    def phases(self) -> list[Phase]:
        """Guidance phases in their order, each until the next begins."""
        time, phase = self.guidance["time_s"], self.guidance["phase"]
        if not len(time):
            return []
        starts = np.flatnonzero(np.diff(phase, prepend=-1))
        ends = [*time[starts[1:]], max(float(time[-1]), self.end_s)]
        return [
            Phase(PHASE_NAMES.get(int(phase[start]), str(int(phase[start]))), float(time[start]), float(end))
            for start, end in zip(starts, ends, strict=True)
        ]

    @cached_property
    def touchdown_s(self) -> float | None:
        """Time of first contact, s."""
        touching = np.flatnonzero(self.truth["contact"])
        return float(self.truth["time_s"][touching[0]]) if len(touching) else None

    @cached_property
    def focus(self) -> tuple[float, float]:
        """The time that most plots show: the powered descent, without an hour of coast before and the rest after it."""
        braking = [phase.begin_s for phase in self.phases if phase.name == "braking"]
        begin, end = float(self.truth["time_s"][0]), self.end_s
        if self.touchdown_s is not None:
            end = min(end, self.touchdown_s + _LEAD_OUT_S)
        return (max(begin, braking[0] - _LEAD_IN_S) if braking else begin, end)

    @cached_property
    def radius_m(self) -> float:
        """Radius of the sphere through the site, m: how far the site frame's origin is from the Moon's centre."""
        # |r_mci| is the distance of the lander from the centre, and so is |r_site + (0, 0, R)|: solved for R.
        x, y, z = self.truth["r_lander_site"][-1]
        distance = float(np.linalg.norm(self.truth["r_lander_mci"][-1]))
        return float(np.sqrt(distance**2 - x**2 - y**2) - z)

    @cached_property
    def place(self) -> tuple[Array, Array, Array]:
        """True map coordinates (azimuthal equidistant about the site): east, north, height above its sphere, m."""
        return to_map(self.truth["r_lander_site"], self.radius_m)

    @cached_property
    def targets(self) -> Array:
        """Map coordinates, east and north, m, of every target that guidance flew to, in their order; shape (n, 2).

        The site itself where guidance said nothing.
        """
        aimed = self.guidance["r_target_site"]
        if not len(aimed):
            return np.zeros((1, 2))
        changed = np.flatnonzero(np.any(np.diff(aimed, axis=0, prepend=np.inf) != 0.0, axis=1))
        return np.column_stack(to_map(aimed[changed], self.radius_m)[:2])

    @cached_property
    def speeds(self) -> tuple[Array, Array]:
        """True horizontal speed and descent rate (downward positive) in the local horizon, m/s."""
        up = self.truth["r_lander_site"] + np.array([0.0, 0.0, self.radius_m])
        up = up / np.linalg.norm(up, axis=1)[:, None]
        v = self.truth["v_lander_site"]
        climb = np.sum(v * up, axis=1)
        return np.linalg.norm(v - climb[:, None] * up, axis=1), -climb


def read_flight(bag: Bag) -> FlightData:
    """Read what a report shows. Raises BagError where the bag has no truth, or is damaged."""
    names = {key: architecture().topics[key].name for key in (*_FIELDS, *_DECODED)}
    messages = gather(bag, names.values())
    if not messages[names["truth"]]:
        raise BagError(f"{bag.path} has no {names['truth']}: there is no flight to report on")
    tables = {key: _table(bag, names[key], messages[names[key]], _FIELDS[key]) for key in _FIELDS}
    decoded = {key: [bag.decode(names[key], data) for data in messages[names[key]]] for key in _DECODED}
    health = [bag.decode(names["health_status"], data) for data in _detecting(messages[names["health_status"]])]
    events = [*_world_events(decoded["events"]), *_node_events(decoded["node_events"]), *_detections(health)]
    return FlightData(
        description=bag.description,
        truth=tables["truth"],
        state=tables["navigation_state"],
        guidance=tables["guidance_command"],
        throttle=tables["throttle_command"],
        telemetry=tables["vehicle_telemetry"],
        range=tables["range"],
        health=tables["health_status"],
        payload=tables["payload_status"],
        fixes=decoded["trn_fix"],
        events=sorted(events, key=lambda event: event.time_s),
        result=plain(decoded["result"][-1]) if decoded["result"] else {},
    )


def to_map(r_site: Array, radius_m: float) -> tuple[Array, Array, Array]:
    """Map coordinates (east and north arc lengths, height above the sphere through the site), m, from site ones.

    The azimuthal equidistant projection that the terrain uses; `r_site` has shape (n, 3).
    """
    x, y, z = r_site.T
    across, level = np.hypot(x, y), z + radius_m
    arc = radius_m * np.arctan2(across, level)
    scale = np.divide(arc, across, out=np.ones_like(arc), where=across > 0.0)
    return x * scale, y * scale, np.hypot(across, level) - radius_m


def _table(bag: Bag, topic: str, messages: list[bytes], fields: Iterable[str]) -> Columns:
    stamps = ("header.stamp.sec", "header.stamp.nanosec")
    table = columns(bag, topic, messages, ["tick", *stamps, *fields])
    seconds, nanoseconds = (table.pop(name) for name in stamps)
    table["time_s"] = seconds + nanoseconds / NANOSECONDS
    return table


def _detecting(messages: list[bytes]) -> list[bytes]:
    """Health messages that differ in length from their predecessor: a list of detections came or went."""
    return [now for before, now in zip([b"", *messages], messages, strict=False) if len(now) != len(before)]


def _world_events(messages: list[Any]) -> list[Event]:
    return [Event(stamp_ns(each) * 1e-9, "world", each.kind, each.subject, each.text) for each in messages]


def _node_events(messages: list[Any]) -> list[Event]:
    names = {NodeEvent.LOST: "lost", NodeEvent.JOINED: "joined"}
    return [
        Event(stamp_ns(each) * 1e-9, "nodes", names[each.kind], each.node, f"{each.node}: {each.cause}")
        for each in messages
        if each.kind in names
    ]


def _detections(messages: list[Any]) -> list[Event]:
    return [
        Event(stamp_ns(each) * 1e-9, "health", "detected", name, f"health check {name!r} failed")
        for each in messages
        for name in each.detections
    ]
