"""A bench for the throttle: a rigid body with thrusters, true navigation, and guidance as the test wants it.

It is written apart from lander_world: thrust is rectangular and late by the valve delay and the time constant, which gives
the same impulse at the same mean time as a first-order build-up and decay; Euler's equations are integrated with RK4.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field, replace
from functools import cache
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray
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


@dataclass
class History:
    """What happened, a row a tick."""

    time_s: list[float] = field(default_factory=list)
    error_deg: list[Array] = field(default_factory=list)  # rotation vector from actual to wanted
    w_body: list[Array] = field(default_factory=list)
    thrust_n: list[float] = field(default_factory=list)  # true mean over the tick
    commands: list[Any] = field(default_factory=list)
    rcs_n_s: float = 0.0  # impulse of all RCS thrusters
    rcs_pulses: int = 0
    assist_pulses: int = 0

    def errors(self) -> Array:
        """Attitude error, deg; shape (ticks, 3)."""
        return np.array(self.error_deg)

    def norm(self, after_s: float = 0.0) -> Array:
        """Length of the attitude error from a time on, deg."""
        return np.asarray(np.linalg.norm(self.errors()[np.array(self.time_s) >= after_s - 1e-9], axis=1))


@cache
def mission() -> Mission:
    """The nominal mission."""
    return resolve("nominal", 1)


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


class Bench:
    """The loop."""

    def __init__(self, want: Callable[[float], Want], errors: Errors = Errors(), propellant_kg: float = 424.0) -> None:
        self.throttle = Throttle(mission())
        self.want, self.errors = want, errors
        vehicle = mission().vehicle
        self.propellant_kg, self.rcs_kg = propellant_kg, 12.0
        com, self.inertia = body(vehicle, propellant_kg, self.rcs_kg)
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
        self.minimum = np.array([engine.minimum_on_s for _, _, engine in rows])
        self.q = np.array([1.0, 0.0, 0.0, 0.0])  # w first, mci from body
        self.w = np.zeros(3)
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
        message = zeros("lander_interfaces/msg/NavigationState")
        message.q_mci_body = self.q[[1, 2, 3, 0]]
        message.w_mci_body = self.w + self.errors.rate_noise_rad_s * self.noise.standard_normal(3)
        return self.stamped(message)

    def guidance(self) -> Any:
        """What the test wants."""
        want = self.want(self.stamp_ns * 1e-9)
        message = zeros("lander_interfaces/msg/GuidanceCommand")
        message.phase, message.thrust_n = want.phase, want.thrust_n
        message.q_mci_body_command, message.w_mci_body_command = np.array(want.q_mci_body), np.array(want.w_body)
        message.main_engine, message.assist_engines = want.main_engine, want.assist_engines
        message.low_rate = want.low_rate
        return self.stamped(message)

    def telemetry(self) -> Any:
        """Gauges without error."""
        message = zeros("lander_interfaces/msg/VehicleTelemetry")
        message.propellant_gauge_kg, message.rcs_propellant_gauge_kg = self.propellant_kg, self.rcs_kg
        return self.stamped(message)

    def move(self, step_s: float) -> None:
        """Rigid-body motion over a tick under the valve times commanded for it."""
        command = self.command
        on_s = np.concatenate([[step_s if command.main_engine else 0.0], command.assist_on_s, command.rcs_on_s])
        self.check(on_s, step_s)
        self.late.append((self.delays, self.delays + on_s))
        steps = 4 if step_s < 0.1 else 100
        h = step_s / steps
        thrust = 0.0
        for i in range(steps):
            open_s = sum(overlap(begin, end, i * h, (i + 1) * h) for begin, end in self.late)
            self.substep(open_s / h @ self.torques + np.array(self.errors.torque_body_n_m), h)
            thrust += float(open_s @ self.forces[:, 2])
        self.late = [(begin - step_s, end - step_s) for begin, end in self.late if end.max() > step_s]
        self.history.thrust_n.append(thrust / step_s)

    def check(self, on_s: Array, step_s: float) -> None:
        """Valves are asked for nothing that they cannot do, and pulses are counted."""
        assert np.all((on_s >= 0.0) & (on_s <= step_s + 1e-12))
        opening = (on_s > 0.0) & ~self.open_before
        assert np.all(on_s[opening] >= self.minimum[opening] * (on_s[opening] < step_s) - 1e-9)
        self.open_before = on_s >= step_s - 1e-9
        self.history.assist_pulses += int(np.count_nonzero(opening[1:7]))
        self.history.rcs_pulses += int(np.count_nonzero(opening[7:]))
        self.history.rcs_n_s += float(on_s[7:] @ np.linalg.norm(self.forces[7:], axis=1))

    def substep(self, torque: Array, h: float) -> None:
        """Runge-Kutta step of Euler's equations and the quaternion."""

        def rates(state: Array) -> Array:
            q, w = state[:4], state[4:]
            dq = 0.5 * quaternions.qmult(q, np.concatenate([[0.0], w]))
            return np.concatenate([dq, self.inverse @ (torque - np.cross(w, self.inertia @ w))])

        state = np.concatenate([self.q, self.w])
        k1 = rates(state)
        k2 = rates(state + 0.5 * h * k1)
        k3 = rates(state + 0.5 * h * k2)
        k4 = rates(state + h * k3)
        state = state + h / 6.0 * (k1 + 2 * k2 + 2 * k3 + k4)
        self.q, self.w = state[:4] / np.linalg.norm(state[:4]), state[4:]

    def record(self) -> None:
        """A row of the history."""
        now_s = self.stamp_ns * 1e-9
        x, y, z, w = self.want(now_s).q_mci_body
        turn = quaternions.qmult(quaternions.qconjugate(self.q), np.array([w, x, y, z]))
        axis, angle = quaternions.quat2axangle(turn)
        angle = (angle + np.pi) % (2 * np.pi) - np.pi
        self.history.time_s.append(now_s)
        self.history.error_deg.append(np.degrees(angle * np.asarray(axis)))
        self.history.w_body.append(self.w.copy())
        self.history.commands.append(self.command)


def overlap(begin: Array, end: Array, start: float, stop: float) -> Array:
    """Length of the parts of intervals that lie between start and stop."""
    return np.maximum(np.minimum(end, stop) - np.maximum(begin, start), 0.0)


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
