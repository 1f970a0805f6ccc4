"""A made-up run for the tests of bags, reports and tables: plausible to look at, flown by nobody."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import atan2, cos, pi, radians, sin
from pathlib import Path
from typing import Any

import numpy as np
from scipy.interpolate import PchipInterpolator

from lander_common.frames import SiteFrame
from lander_common.quaternion import from_axes, from_rotation_vector, multiply
from lander_runtime.architecture import architecture
from lander_runtime.messages import (
    GuidanceCommand,
    NodeEvent,
    RangeMeasurement,
    TrnFix,
    encode,
    header_message,
    time_message,
    zeros,
)
from lander_tools.recorder import Recorder

TICK_NS = 20_000_000
SITE = SiteFrame(60.5, -4.6, -2600.0)
APPROACH_DEG = 8.0
# Share of the descent; altitude of the pads, m; speed over ground, m/s; thrust axis from the vertical, deg
PROFILE = np.array(
    [
        [0.00, 20000.0, 1680.0, 92.0],
        [0.40, 15500.0, 1050.0, 84.0],
        [0.75, 5600.0, 260.0, 72.0],
        [0.86, 3000.0, 80.0, 55.0],
        [0.91, 1000.0, 4.0, 6.0],
        [0.985, 20.0, 0.1, 0.5],
        [1.00, 0.0, 0.0, 0.2],
    ]
)
PHASES = (
    (0.0, GuidanceCommand.COAST),
    (0.02, GuidanceCommand.BRAKING),
    (0.86, GuidanceCommand.PITCH_UP),
    (0.91, GuidanceCommand.TERMINAL),
    (0.999, GuidanceCommand.TOUCHDOWN),
)
TARGETS_SITE = ((40.0, -30.0, 1.0), (-20.0, 10.0, 0.5))  # m; before the terminal descent, and in it


@dataclass
class State:
    """The made-up truth at a tick."""

    tick: int
    stamp_ns: int
    share: float  # of the descent
    altitude_m: float
    r_site: Any
    v_site: Any
    tilt_rad: float
    q_site_body: tuple[float, float, float, float]
    phase: int


def states(duration_s: float) -> Iterator[State]:
    """One state a tick."""
    time = np.arange(0.0, duration_s + 1e-9, TICK_NS * 1e-9)
    share = time / duration_s
    curves = [PchipInterpolator(PROFILE[:, 0], PROFILE[:, column]) for column in (1, 2, 3)]
    altitude, speed, tilt = (curve(share) for curve in curves)
    travelled = np.concatenate([[0.0], np.cumsum(0.5 * (speed[1:] + speed[:-1]) * TICK_NS * 1e-9)])
    angle = (travelled[-1] - travelled) / SITE.radius_m
    back = radians(APPROACH_DEG) + pi
    radius = SITE.radius_m + altitude + 0.98
    r_site = np.stack(
        [
            radius * np.sin(angle) * sin(back),
            radius * np.sin(angle) * cos(back),
            radius * np.cos(angle) - SITE.radius_m,
        ],
        axis=1,
    )
    v_site = np.gradient(r_site, TICK_NS * 1e-9, axis=0)
    for k in range(len(time)):
        phase = max(number for begin, number in PHASES if share[k] >= begin)
        tilt_rad = radians(float(tilt[k]))
        yield State(
            k,
            k * TICK_NS,
            float(share[k]),
            float(altitude[k]),
            r_site[k],
            v_site[k],
            tilt_rad,
            _attitude(tilt_rad, angle[k]),
            phase,
        )


def _attitude(tilt_rad: float, angle: float) -> tuple[float, float, float, float]:
    """Thrust axis leaning back by the tilt, in the plane of the approach."""
    azimuth = radians(APPROACH_DEG)
    ahead = np.array([sin(azimuth), cos(azimuth), 0.0])
    up = np.array([0.0, 0.0, 1.0])
    z_axis = cos(tilt_rad + angle) * up - sin(tilt_rad + angle) * ahead
    y_axis = np.cross(up, ahead)
    x_axis = np.cross(y_axis, z_axis)
    x, y, z = (tuple(map(float, axis)) for axis in (x_axis, y_axis, z_axis))
    return from_axes(x, y, z)


class Maker:
    """Makes the messages of every topic from the states."""

    def __init__(self, duration_s: float, lost: dict[str, int] | None = None) -> None:
        self.duration_s = duration_s
        self.lost = lost or {}  # node -> first tick without it
        self.random = np.random.default_rng(7)
        self.blank = {key: zeros(topic.type) for key, topic in architecture().topics.items()}
        self.mass_kg = 776.0
        self.last_phase = -1
        self.contact = False
        self.shown: State | None = None  # at the last picture

    def messages(self) -> Iterator[tuple[int, str, bytes]]:
        """Stamp, topic key and CDR bytes of every message, in order."""
        topics = architecture().topics
        for state in states(self.duration_s):
            previous = state.stamp_ns - TICK_NS if state.tick else -1
            for key, topic in topics.items():
                publisher = architecture().publisher_of(topic)
                if state.tick >= self.lost.get(publisher or "", state.tick + 1):
                    continue
                if topic.is_due(previous, state.stamp_ns):
                    yield state.stamp_ns, key, self._encoded(key, self._fill(key, state), state)
            yield from self._events(state)
        yield state.stamp_ns, "result", self._encoded("result", self._result(), state)

    def _encoded(self, key: str, message: Any, state: State) -> bytes:
        topic = architecture().topics[key]
        if hasattr(message, "tick"):
            message.tick = state.tick
        if hasattr(message, "header"):
            message.header = header_message(state.stamp_ns, topic.frame)
        return encode(message, topic.type)

    def _fill(self, key: str, state: State) -> Any:
        message = self.blank[key]
        fill = getattr(self, f"_{key}", None)
        if fill:
            fill(message, state)
        return message

    def _tick(self, message: Any, state: State) -> None:
        message.step_ns = TICK_NS if state.tick else 0

    def _tf(self, message: Any, state: State) -> None:
        transform = zeros("geometry_msgs/msg/TransformStamped")
        transform.header = header_message(state.stamp_ns, "site")
        message.transforms = [transform]

    def _clock(self, message: Any, state: State) -> None:
        message.clock = time_message(state.stamp_ns)

    def _truth(self, message: Any, state: State) -> None:
        burning = state.phase in (GuidanceCommand.BRAKING, GuidanceCommand.PITCH_UP)
        terminal = state.phase == GuidanceCommand.TERMINAL
        message.main_thrust_n = 420.0 if burning else 0.0
        message.assist_thrust_n = 1200.0 if burning else 680.0 * terminal
        flow = message.main_thrust_n / (320.0 * 9.80665) + message.assist_thrust_n / (293.6 * 9.80665)
        self.mass_kg -= flow * 640.0 / self.duration_s * TICK_NS * 1e-9
        message.step_ns = TICK_NS if state.tick else 0
        message.r_lander_site, message.v_lander_site = state.r_site, state.v_site
        message.q_site_body = np.array(state.q_site_body)
        message.r_lander_mci = SITE.R_mcmf_site @ state.r_site + SITE.r_site_mcmf
        message.v_lander_mci = SITE.R_mcmf_site @ state.v_site
        message.q_mci_body = np.array(multiply(SITE.q_mcmf_site, state.q_site_body))
        message.w_mci_body = np.array([0.0, -0.002 * (1 + 5 * (0.86 < state.share < 0.91)), 0.0])
        message.altitude_m = state.altitude_m
        message.mass_kg = self.mass_kg
        message.propellant_kg = max(self.mass_kg - 352.0, 0.0)
        message.rcs_propellant_kg = 12.0 - 3.0 * state.share
        message.contact = 15 if state.share >= 0.9995 else 0

    def _navigation_state(self, message: Any, state: State) -> None:
        terminal = min(1.0, max(0.0, (state.share - 0.8) / 0.15))
        sigma_r = np.array([120.0, 140.0, 90.0 * (1 - terminal) + 1.5])
        share = state.share
        error_r = sigma_r * np.array([0.6 * sin(9 * share + 1), -0.8 + 0.2 * share, cos(14 * share)])
        sigma_v = np.array([0.25, 0.3, 0.2 * (1 - terminal) + 0.05])
        error_v = sigma_v * np.array(
            [0.5 * sin(11 * state.share), 0.7 * cos(6 * state.share), 0.4 * sin(25 * state.share)]
        )
        sigma_a = np.array([1e-4, 1.2e-4, 2e-4]) * (1 + state.share)
        error_a = sigma_a * np.array([0.5, -0.7 * cos(5 * state.share), 1.1 * sin(8 * state.share)])
        message.r_lander_site, message.v_lander_site = state.r_site + error_r, state.v_site + error_v
        q = multiply(state.q_site_body, from_rotation_vector(tuple(map(float, error_a))))
        message.q_site_body, message.q_mci_body = np.array(q), np.array(multiply(SITE.q_mcmf_site, q))
        message.altitude_m = state.altitude_m + float(error_r[2])
        message.altitude_sigma_m = float(sigma_r[2])
        message.r_sigma_site_m, message.v_sigma_site_m_s, message.attitude_sigma_rad = sigma_r, sigma_v, sigma_a
        usable = state.altitude_m < 10000.0
        message.range_verdict = 0
        message.range_innovation_m = 0.0
        message.range_innovation_sigma_m = 4.0 + float(sigma_r[2])
        message.range_age_s = -1.0
        if usable:
            spread = float(self.random.normal()) * message.range_innovation_sigma_m
            message.range_innovation_m = spread * (6.0 if self.random.random() < 0.02 else 0.8)
            ratio = abs(message.range_innovation_m) / message.range_innovation_sigma_m
            message.range_verdict = 1 if ratio < 2.5 else 2 if ratio < 4 else 3
            message.range_age_s = 0.02 * (state.tick % 5)

    def _range(self, message: Any, state: State) -> None:
        message.valid = state.altitude_m < 10000.0
        message.status = RangeMeasurement.OK if message.valid else RangeMeasurement.NO_RETURN
        message.range_m = state.altitude_m / max(cos(state.tilt_rad * 0.5), 0.3) if message.valid else 0.0
        message.signal_db = 30.0 - 20.0 * atan2(state.altitude_m, 10000.0)
        message.time_of_validity = time_message(max(state.stamp_ns - 20_000_000, 0))

    def _image(self, message: Any, state: State) -> None:
        message.valid, message.width, message.height = True, 64, 64
        message.data = self.random.integers(40, 200, 64 * 64).astype(np.uint8)
        self.shown = state

    def _trn_fix(self, message: Any, state: State) -> None:
        message.valid = state.stamp_ns % 1_000_000_000 == 300_000_000
        message.reason = TrnFix.FIX if message.valid else TrnFix.WAITING
        count = 16 * message.valid
        message.u_px, message.v_px, message.residual_u_px, message.residual_v_px = self.random.uniform(
            5.0, 60.0, (4, count)
        ).astype(np.float32)
        message.matched = np.arange(count) > 2
        if message.valid:
            message.time_of_validity = time_message(self.shown.stamp_ns)
            message.r_camera_site = self.shown.r_site + 4.0 * self.random.standard_normal(3)
            message.covariance = np.diag([9.0, 9.0, 4.0, 1e-8, 1e-8, 1e-8]).ravel()
            message.scene_map_m = self.shown.r_site[:2].copy()
            message.patches, message.matches, message.residual_px, message.log10_chance = 20, 13, 0.3, -25.0
            message.zone_spacing_m = 20.0 if state.share < 0.5 else 2.0
            message.registration_m, message.height_sigma_m = 5.0, 2.0

    def _guidance_command(self, message: Any, state: State) -> None:
        message.r_target_site = np.array(TARGETS_SITE[state.phase == GuidanceCommand.TERMINAL])
        message.phase = state.phase
        message.thrust_n = {1: 0.0, 2: 1620.0, 3: 1620.0, 4: 690.0}.get(state.phase, 0.0)
        message.main_engine = state.phase in (2, 3)
        message.assist_engines = state.phase in (2, 3, 4)
        message.time_to_touchdown_s = (1.0 - state.share) * self.duration_s
        message.q_mci_body_command = np.array(multiply(SITE.q_mcmf_site, state.q_site_body))

    def _throttle_command(self, message: Any, state: State) -> None:
        message.main_engine = state.phase in (2, 3)
        duty = {2: 1.0, 3: 1.0, 4: 0.57}.get(state.phase, 0.0)
        trim = 0.06 * np.sin(60 * state.share + np.arange(6))
        message.assist_on_s = np.clip(0.02 * (duty + trim * (duty > 0)), 0.0, 0.02)
        fires = self.random.random(8) < (0.08 if state.phase != 3 else 0.35)
        message.rcs_on_s = np.where(fires, 0.01, 0.0)
        message.thrust_n = 420.0 * message.main_engine + float(np.sum(message.assist_on_s)) / 0.02 * 200.0
        message.thrust_not_given_n = 12.0 * (state.phase == 4)
        message.attitude_error_body = 0.004 * np.array(
            [sin(70 * state.share), cos(55 * state.share), 0.5 * sin(33 * state.share)]
        )
        message.phase = state.phase

    def _vehicle_telemetry(self, message: Any, state: State) -> None:
        message.tank_pressure_pa = np.array([1.7e6, 1.7e6, 2.2e6 - 4e5 * state.share])
        message.propellant_gauge_kg = max(self.mass_kg - 352.0, 0.0) + float(self.random.normal()) * 2.0
        message.rcs_propellant_gauge_kg = 12.0 - 3.0 * state.share
        message.contact = np.full(4, state.share >= 0.9995)
        message.assist_valve_open = np.zeros(6, dtype=bool)

    def _health_status(self, message: Any, state: State) -> None:
        message.checks = [
            "imu age",
            "imu range",
            "range age",
            "range agreement",
            "navigation sigma",
            "attitude error",
            "propellant",
        ]
        stale = 3 if state.altitude_m > 10000.0 else 0
        message.verdicts = np.array(
            [0, 0, stale, 1 if 0.5 < state.share < 0.52 else 0, 0, 1 if 0.86 < state.share < 0.875 else 0, 0]
        )
        message.verdicts = message.verdicts.astype(np.uint8)
        message.overall = int(message.verdicts.max())
        message.values = np.zeros(7)
        message.detections = ["range age"] if state.tick == 50 else []

    def _payload_status(self, message: Any, state: State) -> None:
        message.payloads = ["radiation probe", "food module", "Tenacious"]
        message.states = ["on", "heater", "off"]
        message.power_w = np.array([2.0, 6.0, 0.0])
        message.total_power_w, message.power_budget_w = 8.0, 10.0
        message.activity = "waiting for touchdown"

    def _events(self, state: State) -> Iterator[tuple[int, str, bytes]]:
        if state.tick == 0:
            yield state.stamp_ns, "tf_static", self._encoded("tf_static", self._fill("tf", state), state)
        if state.phase != self.last_phase:
            kinds = {2: ("ignition", "main engine"), 4: ("cut_off", "main engine")}
            if state.phase in kinds:
                yield self._event(state, *kinds[state.phase])
            self.last_phase = state.phase
        if state.share >= 0.9995 and not self.contact:
            self.contact = True
            yield self._event(state, "first_contact", "pad 2")
        for node in [name for name, tick in self.lost.items() if tick == state.tick]:
            event = zeros("lander_interfaces/msg/NodeEvent")
            event.node, event.from_tick, event.cause, event.kind = node, state.tick, "killed", NodeEvent.LOST
            yield state.stamp_ns, "node_events", self._encoded("node_events", event, state)

    def _event(self, state: State, kind: str, subject: str) -> tuple[int, str, bytes]:
        event = zeros("lander_interfaces/msg/SimEvent")
        event.kind, event.subject, event.text = kind, subject, f"{subject}: {kind.replace('_', ' ')}"
        return state.stamp_ns, "events", self._encoded("events", event, state)

    def _result(self) -> Any:
        result = zeros("lander_interfaces/msg/LandingResult")
        result.outcome, result.reason, result.touched_down = "success", "at rest, upright", True
        result.touchdown_time_s, result.vertical_speed_m_s, result.horizontal_speed_m_s = self.duration_s, 1.21, 0.14
        result.tilt_deg, result.rate_deg_s, result.miss_m, result.slope_deg = 0.8, 0.3, 212.0, 1.7
        result.propellant_used_kg, result.propellant_left_kg = 371.5, 52.5
        return result


DESCRIPTION = {"scenario": "nominal", "seed": "1", "version": "0.1.0"}


def record_run(
    folder: Path, duration_s: float = 20.0, lost: dict[str, int] | None = None, skip: tuple[str, ...] = ()
) -> Path:
    """Record a made-up run into `folder`; `skip`: topic keys to leave out. Returns the folder."""

    def fail(failure: Exception) -> None:
        raise failure

    recorder = Recorder(folder, DESCRIPTION, fail)
    for stamp_ns, key, data in Maker(duration_s, lost).messages():
        if key not in skip:
            recorder.observe(stamp_ns, key, data)
    recorder.close()
    return folder
