"""Fly guidance alone, in seconds: a point mass that turns and thrusts as told, and navigation with constant errors.

It stands in for physics, sensors, navigation and throttle where only guidance is looked at: fuel budgets, dispersions
of thrust and mass, late altitude corrections, and the profile plot of docs/guidance.md
(`python -m lander_tools.point_mass FILE`). Gravity is that of a sphere, the ground is level through the target.
"""

from __future__ import annotations

import sys
from dataclasses import dataclass, field
from math import asin, degrees, sqrt
from pathlib import Path
from typing import Any

import numpy as np
from matplotlib.figure import Figure
from numba import njit

from lander_common.frames import Array, SiteFrame
from lander_common.mission import Mission, resolve
from lander_common.mission_map import mission_target
from lander_common.moon import GM_M3_S2, ROTATION_RATE_RAD_S, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import (
    Quaternion,
    conjugate,
    from_rotation_vector,
    multiply,
    normalised,
    rotate,
    to_rotation_vector,
)
from lander_common.start import nominal_start
from lander_flight.guidance import Guidance
from lander_flight.phases import Phase
from lander_runtime.messages import Message, zeros
from lander_runtime.rng import stream
from lander_runtime.subsystem import Inputs, Tick

STEP_NS = 100_000_000
LONG_STEP_NS = 1_000_000_000
_SLEW_RAD_S = 0.15  # the attitude follows its command no faster than this
_FOLLOW_S = 0.5  # and with this lag
_COM_M = 0.95  # of the centre of mass over the pads
_TIME_LIMIT_S = 6000.0
_UNHEARD = ("throttle_command", "health_status", "safe_site")  # unless advised


@dataclass(frozen=True)
class Errors:
    """What differs between truth and what guidance believes. All zero: nothing does."""

    main_thrust: float = 0.0  # fractions
    assist_thrust: float = 0.0
    mass: float = 0.0
    isp: float = 0.0
    position_mci_m: tuple[float, float, float] = (0.0, 0.0, 0.0)  # truth less nominal start
    velocity_mci_m_s: tuple[float, float, float] = (0.0, 0.0, 0.0)
    navigation_site_m: tuple[float, float, float] = (0.0, 0.0, 0.0)  # believed less true, until the rangefinder helps
    navigation_velocity_m_s: tuple[float, float, float] = (0.0, 0.0, 0.0)  # believed less true, in site
    altitude_known_below_m: float = 8000.0  # the vertical navigation error goes when the true altitude is below this
    altitude_noise_m: float = 0.0  # 1-sigma, once it is known
    altitude_sigma_m: float = 0.5  # that navigation states until then


def dispersed(mission: Mission) -> Errors:
    """Errors drawn from the mission's dispersions with its seed."""
    d, rng = mission.dispersions, stream(mission.seed, "point_mass")

    def three(sigma: float) -> tuple[float, float, float]:
        x, y, z = (float(value) for value in sigma * rng.standard_normal(3))
        return (x, y, z)

    off, drift = three(d.position_m), three(d.velocity_m_s)
    return Errors(
        main_thrust=d.main_thrust_fraction * float(rng.standard_normal()),
        assist_thrust=d.assist_thrust_fraction * float(rng.standard_normal()),
        mass=d.mass_fraction * float(rng.standard_normal()),
        isp=d.isp_fraction * float(rng.standard_normal()),
        position_mci_m=off,
        velocity_mci_m_s=drift,
        altitude_noise_m=0.3,
    )


@dataclass
class Log:
    """History of a flight, one row per step: columns as named."""

    rows: list[tuple[float, ...]] = field(default_factory=list)

    COLUMNS = (
        "time_s", "phase", "altitude_m", "range_m", "vertical_m_s", "horizontal_m_s", "pitch_deg", "thrust_n", "mass_kg"
    )  # fmt: skip

    def column(self, name: str) -> Array:
        """A column by name."""
        return np.array([row[self.COLUMNS.index(name)] for row in self.rows])


@dataclass(frozen=True)
class PointMassLanding:
    """How a flight ended."""

    landed: bool
    time_s: float
    vertical_m_s: float
    horizontal_m_s: float
    tilt_deg: float
    miss_m: float
    propellant_kg: float
    log: Log


class PointMassFlight:
    """A flight of guidance on a point mass."""

    def __init__(self, mission: Mission, errors: Errors) -> None:
        self._mission, self.errors = mission, errors
        self._site: SiteFrame = mission.site_frame
        start = nominal_start(mission)
        self.y = np.array([*(start.r_mci + errors.position_mci_m), *(start.v_mci + errors.velocity_mci_m_s)])
        self.q_mci_body: Quaternion = start.q_mci_body
        self._rcs_kg = mission.start.rcs_propellant_kg
        dry = mission.vehicle.mass.dry_kg + self._rcs_kg
        self.mass_kg = (dry + mission.start.propellant_kg) * (1.0 + errors.mass)
        self._dry_kg = dry * (1.0 + errors.mass)
        self._start_kg = self.mass_kg
        self._rng = stream(mission.seed, "point_mass noise")
        self.contact = False
        self.time_ns = self._step_ns = self._seq = 0
        self.log = Log()
        self.advice: dict[str, Message] = {}  # what throttle and health say, for those who look at faults
        self._telemetry = zeros("lander_interfaces/msg/VehicleTelemetry")
        self._state = zeros("lander_interfaces/msg/NavigationState")

    def fly(self, guidance: Guidance | None = None, until_s: float = _TIME_LIMIT_S) -> PointMassLanding:
        """Fly on to the ground, or to a time; another copy of guidance may take over then."""
        guidance = guidance or Guidance(self._mission)
        while self.time_ns * 1e-9 < until_s and not self.contact:
            command = guidance.step(Tick(self._seq, self.time_ns, self._step_ns), self.inputs())["guidance_command"]
            self._record(command)
            self._step_ns = LONG_STEP_NS if command.low_rate else STEP_NS
            self._move(command, self._step_ns * 1e-9)
            self.time_ns, self._seq = self.time_ns + self._step_ns, self._seq + 1
        return self._landing()

    def _landing(self) -> PointMassLanding:
        r_site, v_site = self._in_site()
        return PointMassLanding(
            landed=self.contact,
            time_s=self.time_ns * 1e-9,
            vertical_m_s=-float(v_site[2]),
            horizontal_m_s=float(np.hypot(v_site[0], v_site[1])),
            tilt_deg=90.0 - self._pitch_deg(),
            miss_m=float(np.hypot(*(r_site - mission_target(self._mission))[:2])),
            propellant_kg=self._start_kg - self.mass_kg,
            log=self.log,
        )

    def _move(self, command: Message, step_s: float) -> None:
        """Turn and thrust for a step."""
        main, assist = self._mission.vehicle.main_engine, self._mission.vehicle.assist
        main_n = main.thrust_n if command.main_engine else 0.0
        said = self.advice.get("throttle_command")
        known_n = main_n if said is None else min(main_n, said.main_limit_n)
        assist_n = (
            min(max(command.thrust_n - known_n, 0.0), assist.count * assist.thrust_n) if command.assist_engines else 0.0
        )
        if self.mass_kg <= self._dry_kg:
            main_n = assist_n = 0.0
        flow = (main_n / main.isp_s + assist_n / assist.isp_s) / STANDARD_GRAVITY_M_S2 / (1.0 + self.errors.isp)
        true_n = main_n * (1.0 + self.errors.main_thrust) + assist_n * (1.0 + self.errors.assist_thrust)
        flow *= true_n / max(main_n + assist_n, 1e-9)
        self._turn(command, step_s)
        axis = np.array(rotate(self.q_mci_body, (0.0, 0.0, 1.0)))
        self.contact = self._advance(axis * true_n, flow, step_s)

    def _advance(self, force: Array, flow: float, step_s: float) -> bool:
        """Integrate the point mass; True when it reaches the ground."""
        ground = self._site.radius_m + _COM_M
        spent = _integrate(self.y, force, self.mass_kg, flow, step_s, ground)
        self.mass_kg -= flow * spent
        return bool(spent < step_s)

    def _turn(self, command: Message, step_s: float) -> None:
        """The attitude follows its command with a lag and a limited rate."""
        x, y, z, w = command.q_mci_body_command.tolist()
        rate = command.w_mci_body_command.tolist()
        ahead = from_rotation_vector((rate[0] * step_s, rate[1] * step_s, rate[2] * step_s))
        error = to_rotation_vector(multiply(conjugate(self.q_mci_body), multiply((x, y, z, w), ahead)))
        share = min(step_s / _FOLLOW_S, 1.0)
        turn = np.array(rate) * step_s * (1.0 - share) + np.array(error) * share
        size = float(np.linalg.norm(turn))
        turn *= min(1.0, _SLEW_RAD_S * step_s / max(size, 1e-12))
        a, b, c = (float(value) for value in turn)
        self.q_mci_body = normalised(multiply(self.q_mci_body, from_rotation_vector((a, b, c))))

    def inputs(self) -> Inputs:
        """What guidance receives: the truth with the errors of navigation."""
        errors, altitude = self.errors, self._altitude()
        off, v_off = np.array(errors.navigation_site_m), np.array(errors.navigation_velocity_m_s)
        if altitude < errors.altitude_known_below_m:
            off[2] = errors.altitude_noise_m * self._rng.standard_normal()
            v_off[2] = 0.0
        r_site, v_site = self._in_site()
        R = self._site.R_mci_site(self.time_ns * 1e-9)
        state, telemetry = self._state, self._telemetry
        state.r_lander_site, state.v_lander_site = r_site + off, v_site + v_off
        r_off = R @ off
        state.r_lander_mci, state.v_lander_mci = self.y[:3] + r_off, self.y[3:6] + R @ v_off + _turned(r_off)
        state.q_mci_body = np.array(self.q_mci_body)
        state.altitude_m = altitude + float(off[2])
        state.altitude_sigma_m = errors.altitude_sigma_m if altitude >= errors.altitude_known_below_m else 0.5
        state.altitude_low_m = state.altitude_m - 3.0 * state.altitude_sigma_m
        nominal = 1.0 + errors.mass
        telemetry.propellant_gauge_kg = (self.mass_kg - self._dry_kg) / nominal
        telemetry.rcs_propellant_gauge_kg = self._rcs_kg
        telemetry.contact = np.array([self.contact] * self._mission.vehicle.legs.count)
        messages: dict[str, Any] = {"navigation_state": state, "vehicle_telemetry": telemetry, **self.advice}
        return Inputs({**dict.fromkeys(_UNHEARD), **messages}, set(messages))

    def _in_site(self) -> tuple[Array, Array]:
        """Position and velocity relative to the ground in site."""
        R = self._site.R_mci_site(self.time_ns * 1e-9)
        r_site = self.y[:3] @ R
        r_site[2] -= self._site.radius_m
        return r_site, (self.y[3:6] - _turned(self.y[:3])) @ R

    def _radius(self) -> float:
        return sqrt(self.y[0] ** 2 + self.y[1] ** 2 + self.y[2] ** 2)

    def _altitude(self) -> float:
        """Of the pads above the level ground."""
        return self._radius() - self._site.radius_m - _COM_M

    def _pitch_deg(self) -> float:
        """Of the thrust axis above the horizontal."""
        x, y, z = rotate(self.q_mci_body, (0.0, 0.0, 1.0))
        sine = (x * self.y[0] + y * self.y[1] + z * self.y[2]) / self._radius()
        return degrees(asin(min(max(float(sine), -1.0), 1.0)))

    def _record(self, command: Message) -> None:
        v = self.y[3:6] - _turned(self.y[:3])
        climb = float(v @ self.y[:3]) / self._radius()
        level = sqrt(max(float(v @ v) - climb**2, 0.0))
        row = (self.time_ns * 1e-9, float(command.phase), self._altitude(), float(command.range_to_go_m))
        self.log.rows.append((*row, climb, level, self._pitch_deg(), float(command.thrust_n), self.mass_kg))


def _turned(r_mci: Array) -> Array:
    """Velocity of a point that turns with the Moon."""
    return np.array([-ROTATION_RATE_RAD_S * r_mci[1], ROTATION_RATE_RAD_S * r_mci[0], 0.0])


@njit(cache=True)
def _integrate(y, force, mass, flow, step, ground):  # type: ignore[no-untyped-def]
    """Velocity Verlet in short sub-steps to the end of the step or to the ground, in place; returns the time taken."""
    parts = 10
    h = step / parts
    done = 0.0
    for _ in range(parts):
        for i in range(3):
            y[3 + i] += 0.5 * h * _acceleration(y, force, mass - flow * done, i)
        for i in range(3):
            y[i] += h * y[3 + i]
        done += h
        for i in range(3):
            y[3 + i] += 0.5 * h * _acceleration(y, force, mass - flow * done, i)
        if sqrt(y[0] ** 2 + y[1] ** 2 + y[2] ** 2) < ground:
            return min(done, step * (1.0 - 1e-9))
    return step


@njit(cache=True)
def _acceleration(y, force, mass, i):  # type: ignore[no-untyped-def]
    r2 = y[0] ** 2 + y[1] ** 2 + y[2] ** 2
    return force[i] / mass - GM_M3_S2 / (r2 * sqrt(r2)) * y[i]


_PANELS = (  # label of the axis, and what is drawn: column and its name
    ("altitude of the pads, km", (("altitude_m", 1e-3, ""),)),
    ("speed, m/s", (("horizontal_m_s", 1.0, "horizontal"), ("vertical_m_s", 1.0, "vertical"))),
    ("pitch of the thrust, deg", (("pitch_deg", 1.0, ""),)),
    ("thrust commanded, N", (("thrust_n", 1.0, ""),)),
)


def plot_profile(landing: PointMassLanding, path: Path) -> None:
    """Altitude, speeds, pitch and thrust of a flight over time, with its phases; on the right the last two minutes."""
    figure = Figure(figsize=(11, 10), constrained_layout=True)
    axes = figure.subplots(len(_PANELS), 2, width_ratios=(3, 2))
    time, phase = landing.log.column("time_s"), landing.log.column("phase")
    changes = np.flatnonzero(np.diff(phase) > 0) + 1
    late = time > time[-1] - 120.0
    for (label, lines), row in zip(_PANELS, axes, strict=True):
        row[0].set_ylabel(label)
        for axis, part in zip(row, (time >= 0.0, late), strict=True):
            for name, scale, shown in lines:
                axis.plot(time[part], scale * landing.log.column(name)[part], label=shown or None)
            axis.grid(alpha=0.3)
            axis.set_xlim(time[part][0], time[part][-1] + 1.0)
            for change in changes[part[changes]]:
                axis.axvline(time[change], color="0.5", linewidth=0.8, linestyle="--")
        if lines[0][2]:
            row[0].legend(loc="upper right")
    for change in changes[late[changes]]:
        name = Phase(int(phase[change])).name.replace("_", "-").lower()
        axes[0][1].annotate(name, (time[change] + 1.0, 0.97), xycoords=("data", "axes fraction"), rotation=90, va="top")
    for axis in axes[-1]:
        axis.set_xlabel("time, s")
    figure.savefig(path, dpi=110)


def main(arguments: list[str]) -> None:
    """Plot the nominal profile to a file."""
    mission = resolve("nominal", 1)
    plot_profile(PointMassFlight(mission, Errors()).fly(), Path(arguments[0]))


if __name__ == "__main__":
    main(sys.argv[1:])
