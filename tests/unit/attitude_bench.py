"""A bench for the throttle: a rigid body with thrusters, true navigation, and guidance as the test wants it.

It is written apart from lander_world: thrust is rectangular and late by the valve delay and the time constant, which
gives the same impulse at the same mean time as a first-order build-up and decay; Euler's equations are integrated by
a Runge-Kutta method.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from math import cos, radians, sin
from typing import Any

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial.transform import Rotation
from transforms3d import quaternions

from lander_common.mission import Mission, Vehicle, resolve
from lander_flight.throttle import Throttle
from lander_runtime.messages import GuidanceCommand, header_message, zeros
from lander_runtime.subsystem import Inputs, Tick

Array = NDArray[np.float64]
POWERED_S, COAST_S, GUIDANCE_S = 0.02, 1.0, 0.1
STANDARD_GRAVITY_M_S2 = 9.80665


@dataclass(frozen=True)
class Want:
    """What guidance asks for."""

    q_mci_body: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 1.0)
    w_body: tuple[float, float, float] = (0.0, 0.0, 0.0)
    thrust_n: float = 0.0
    main_engine: bool = False
    assist_engines: bool = False
    low_rate: bool = False
    phase: int = GuidanceCommand.BRAKING


@dataclass(frozen=True)
class Errors:
    """How the true vehicle differs from the file."""

    com_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    torque_body_n_m: tuple[float, float, float] = (0.0, 0.0, 0.0)
    assist_factor: tuple[float, ...] = (1.0,) * 6
    rate_noise_rad_s: float = 0.0  # of the navigation's rate


NO_ERRORS = Errors()


@dataclass
class History:
    """What happened, a row a tick."""

    time_s: list[float] = field(default_factory=list)
    q_mci_body: list[Array] = field(default_factory=list)  # w first
    q_wanted: list[tuple[float, ...]] = field(default_factory=list)  # w last
    thrust_n: list[float] = field(default_factory=list)  # true mean over the tick
    commands: list[Any] = field(default_factory=list)
    rcs_n_s: float = 0.0  # impulse of all RCS thrusters
    rcs_pulses: int = 0
    assist_pulses: int = 0

    def errors(self) -> Array:
        """Rotation vector from the actual to the wanted attitude, in body, deg; shape (ticks, 3)."""
        wanted = Rotation.from_quat(np.array(self.q_wanted))
        actual = Rotation.from_quat(np.roll(np.array(self.q_mci_body), -1, axis=1))
        return np.degrees((actual.inv() * wanted).as_rotvec())

    def norm(self, after_s: float = 0.0) -> Array:
        """Length of the attitude error from a time on, deg."""
        return np.asarray(np.linalg.norm(self.errors()[np.array(self.time_s) >= after_s - 1e-9], axis=1))


@cache
def mission(settings: tuple[tuple[str, str], ...] = ()) -> Mission:
    """The nominal mission with other values of the throttle's parameters."""
    return resolve("nominal", 1, settings={f"throttle.{key}": value for key, value in settings})


def body(vehicle: Vehicle, propellant_kg: float, rcs_kg: float) -> tuple[Array, Array]:
    """Centre of mass, m, and inertia, kg m2, of the vehicle as its file describes it."""
    m = vehicle.mass
    masses = np.array([m.dry_kg, propellant_kg, rcs_kg])
    places = np.array([m.dry_com_m, m.tank_com_m, m.rcs_tank_com_m])
    com = masses @ places / masses.sum()
    inertia = np.diag(m.dry_inertia_kg_m2) + propellant_kg * m.tank_gyration_radius_m**2 * np.eye(3)
    for mass, place in zip(masses, places - com, strict=True):
        inertia += mass * (place @ place * np.eye(3) - np.outer(place, place))
    return com, inertia


@cache
def blank(name: str) -> Any:
    """A message of zeros, the same one each time: the throttle keeps none."""
    return zeros(f"lander_interfaces/msg/{name}")


class Bench:
    """The loop."""

    def __init__(self, want: Callable[[float], Want], errors: Errors = NO_ERRORS, **settings: float) -> None:
        """`settings`: values of the throttle's parameters by their key, with a double underscore for the dot."""
        flown = mission(tuple((key.replace("__", "."), str(value)) for key, value in settings.items()))
        self.throttle = Throttle(flown)
        self.want, self.errors = want, errors
        vehicle, start = flown.vehicle, flown.start
        self.propellant_kg, self.rcs_kg = start.propellant_kg, start.rcs_propellant_kg
        com, self.inertia = body(vehicle, self.propellant_kg, self.rcs_kg)
        self.inverse = np.linalg.inv(self.inertia)
        com = com + np.array(errors.com_m)
        ring, main, rcs = vehicle.assist, vehicle.main_engine, vehicle.rcs
        azimuths = [radians(ring.first_azimuth_deg) + 2 * np.pi * i / ring.count for i in range(ring.count)]
        rows = [(main.position_m, np.array(main.direction) * main.thrust_n, main)]
        rows += [
            ((ring.radius_m * cos(a), ring.radius_m * sin(a), ring.height_m), np.array([0, 0, ring.thrust_n * f]), ring)
            for a, f in zip(azimuths, errors.assist_factor, strict=True)
        ]
        rows += [(place, np.array(direction) * rcs.thrust_n, rcs) for place, direction in rcs.thrusters]
        self.forces = np.array([force for _, force, _ in rows])
        self.torques = np.array([np.cross(np.array(place) - com, force) for place, force, _ in rows])
        self.delays = np.array([engine.valve_delay_s + engine.rise_time_constant_s for _, _, engine in rows])
        self.valve_s = np.array([engine.valve_delay_s for _, _, engine in rows])
        self.rise_s = np.array([engine.rise_time_constant_s for _, _, engine in rows])
        self.pressure = np.zeros(len(rows))
        self.minimum = np.array([engine.minimum_on_s for _, _, engine in rows])
        self.q = np.array([1.0, 0.0, 0.0, 0.0])  # w first, mci from body
        self.w = np.zeros(3)
        self.mean_w = np.zeros(3)  # over the tick, as gyros that integrate measure it
        self.seq, self.stamp_ns = 0, 0
        self.command: Any = None
        self.open_before = np.zeros(len(rows), dtype=bool)
        self.late: list[tuple[Array, Array]] = []  # begins and ends of thrust, s from the beginning of the tick
        self.history = History()
        self.noise = np.random.default_rng(1)

    def run(self, duration_s: float) -> History:
        """Fly for a time."""
        while self.stamp_ns * 1e-9 < duration_s - 1e-9:
            self.tick()
        return self.history

    def tick(self) -> None:
        """One tick: world, navigation, guidance, throttle."""
        step_s = 0.0
        if self.seq:
            step_s = COAST_S if self.command.low_rate else POWERED_S
            self.move(step_s)
        previous_ns = self.stamp_ns
        self.stamp_ns += round(step_s * 1e9)
        tick = Tick(self.seq, self.stamp_ns, round(step_s * 1e9))
        inputs: dict[str, Any] = {"navigation_state": self.navigation(), "guidance_command": None}
        inputs["vehicle_telemetry"] = None
        period = round(GUIDANCE_S * 1e9)
        if not self.seq or self.stamp_ns // period > previous_ns // period:
            inputs["guidance_command"] = self.guidance()
            inputs["vehicle_telemetry"] = self.telemetry()
        inputs = self.tamper(inputs)
        fresh = {key for key, message in inputs.items() if message is not None}
        self.command = self.throttle.step(tick, Inputs(inputs, fresh))["throttle_command"]
        self.seq += 1
        self.record()

    def tamper(self, inputs: dict[str, Any]) -> dict[str, Any]:
        """For tests that lose or spoil messages."""
        return inputs

    def stamped(self, message: Any) -> Any:
        """A message as the runtime would publish it now."""
        message.tick = self.seq
        message.header = header_message(self.stamp_ns, "mci")
        return message

    def navigation(self) -> Any:
        """The truth, with noise on the rate."""
        message = blank("NavigationState")
        message.q_mci_body = self.q[[1, 2, 3, 0]]
        message.w_mci_body = (
            self.mean_w if self.seq else self.w
        ) + self.errors.rate_noise_rad_s * self.noise.standard_normal(3)
        return self.stamped(message)

    def guidance(self) -> Any:
        """What the test wants."""
        want = self.want(self.stamp_ns * 1e-9)
        message = blank("GuidanceCommand")
        message.phase, message.thrust_n = want.phase, want.thrust_n
        message.q_mci_body_command, message.w_mci_body_command = np.array(want.q_mci_body), np.array(want.w_body)
        message.main_engine, message.assist_engines = want.main_engine, want.assist_engines
        message.low_rate = want.low_rate
        return self.stamped(message)

    def telemetry(self) -> Any:
        """Gauges without error."""
        message = blank("VehicleTelemetry")
        message.propellant_gauge_kg, message.rcs_propellant_gauge_kg = self.propellant_kg, self.rcs_kg
        chambers = self.chambers()
        message.main_chamber_pa = 1.0e6 * float(chambers[0])
        message.assist_chamber_pa = 0.9e6 * chambers[1:7]
        return self.stamped(message)

    def chambers(self) -> Array:
        """Pressure in every chamber over the full one, now, with the noise of the gauges."""
        factor = np.concatenate([[1.0], self.errors.assist_factor, np.ones(len(self.pressure) - 7)])
        return np.asarray(np.abs(self.pressure * factor + 0.005 * self.noise.standard_normal(len(factor))))

    def burn(self, on_s: Array, step_s: float) -> None:
        """Chamber pressures at the end of a tick: first order, and late by the valves' delay at each change."""
        opens = on_s > step_s - 1e-9
        changed = opens != self.open_before
        acting_s = np.where(opens | (on_s == 0.0), step_s - changed * self.valve_s, step_s - self.valve_s - on_s)
        left = np.exp(-np.maximum(acting_s, 0.0) / self.rise_s)
        begun = np.where((on_s > 0.0) & ~opens, 1.0, self.pressure)
        self.pressure = np.where(opens, 1.0 - (1.0 - self.pressure) * left, begun * left)

    def move(self, step_s: float) -> None:
        """Rigid-body motion over a tick under the valve times commanded for it."""
        command = self.command
        on_s = np.concatenate([[step_s if command.main_engine else 0.0], command.assist_on_s, command.rcs_on_s])
        self.burn(on_s, step_s)
        self.check(on_s, step_s)
        self.late.append((self.delays, self.delays + on_s))
        steps = 4 if step_s < 0.1 else 20
        edges = np.linspace(0.0, step_s, steps + 1)[:, None]
        open_s = np.zeros((steps, len(on_s)))
        for begin, end in self.late:
            open_s += np.maximum(np.minimum(end, edges[1:]) - np.maximum(begin, edges[:-1]), 0.0)
        torques = open_s @ self.torques * (steps / step_s) + np.array(self.errors.torque_body_n_m)
        before = Rotation.from_quat(np.roll(self.q, -1))
        self.q, self.w = integrated(self.q, self.w, torques, self.inertia, self.inverse, step_s / steps)
        self.mean_w = (before.inv() * Rotation.from_quat(np.roll(self.q, -1))).as_rotvec() / step_s
        self.late = [(begin - step_s, end - step_s) for begin, end in self.late if end.max() > step_s]
        self.history.thrust_n.append(float(open_s.sum(axis=0) @ self.forces[:, 2]) / step_s)

    def check(self, on_s: Array, step_s: float) -> None:
        """Valves are asked for nothing that they cannot do, and pulses are counted."""
        assert np.all((on_s >= 0.0) & (on_s <= step_s + 1e-12))
        opening = (on_s > 0.0) & ~self.open_before
        assert np.all(on_s[opening] >= self.minimum[opening] * (on_s[opening] < step_s) - 1e-9)
        self.open_before = on_s >= step_s - 1e-9
        self.history.assist_pulses += int(np.count_nonzero(opening[1:7]))
        self.history.rcs_pulses += int(np.count_nonzero(opening[7:]))
        self.history.rcs_n_s += float(on_s[7:] @ np.linalg.norm(self.forces[7:], axis=1))

    def record(self) -> None:
        """A row of the history."""
        now_s = self.stamp_ns * 1e-9
        self.history.time_s.append(now_s)
        self.history.q_mci_body.append(self.q)
        self.history.q_wanted.append(self.want(now_s).q_mci_body)
        self.history.commands.append(self.command)


@njit(cache=True)
def derivatives(state: Array, torque: Array, inertia: Array, inverse: Array) -> Array:
    """Euler's equations and the kinematics of the quaternion (w first) in `state`, shape (7,)."""
    q0, q1, q2, q3 = state[0], state[1], state[2], state[3]
    w = state[4:]
    rate = np.empty(7)
    rate[0] = 0.5 * (-q1 * w[0] - q2 * w[1] - q3 * w[2])
    rate[1] = 0.5 * (q0 * w[0] + q2 * w[2] - q3 * w[1])
    rate[2] = 0.5 * (q0 * w[1] + q3 * w[0] - q1 * w[2])
    rate[3] = 0.5 * (q0 * w[2] + q1 * w[1] - q2 * w[0])
    rate[4:] = inverse @ (torque - np.cross(w, inertia @ w))
    return rate


@njit(cache=True)
def integrated(q: Array, w: Array, torques: Array, inertia: Array, inverse: Array, h: float) -> tuple[Array, Array]:
    """Attitude and rate after sub-steps of length h with a constant torque in each (Runge-Kutta, 4th order)."""
    state = np.concatenate((q, w))
    for torque in torques:
        k1 = derivatives(state, torque, inertia, inverse)
        k2 = derivatives(state + 0.5 * h * k1, torque, inertia, inverse)
        k3 = derivatives(state + 0.5 * h * k2, torque, inertia, inverse)
        k4 = derivatives(state + h * k3, torque, inertia, inverse)
        state = state + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return state[:4] / np.linalg.norm(state[:4]), state[4:]


def about(axis: tuple[float, float, float], angle_deg: float) -> tuple[float, float, float, float]:
    """Quaternion x, y, z, w of a rotation about an axis."""
    w, x, y, z = quaternions.axangle2quat(axis, radians(angle_deg))
    return (float(x), float(y), float(z), float(w))


def steady(want: Want) -> Callable[[float], Want]:
    """Guidance that always wants the same."""
    return lambda _time_s: want


def turning(want: Want, axis: tuple[float, float, float], rate_deg_s: float) -> Callable[[float], Want]:
    """Guidance that turns at a rate from stamp 0 on."""
    rate = tuple(float(value) for value in radians(rate_deg_s) * np.array(axis))
    return lambda time_s: replace(want, q_mci_body=about(axis, rate_deg_s * time_s), w_body=rate)  # type: ignore[arg-type]
