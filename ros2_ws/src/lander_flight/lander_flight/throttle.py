"""Throttle: turns the attitude and thrust that guidance wants into valve times of the coming tick."""

from __future__ import annotations

from math import radians
from typing import Any

import numpy as np

from lander_common.mission import Mission
from lander_common.quaternion import IDENTITY, Quaternion, Vector, conjugate, multiply, rotate, to_rotation_vector
from lander_flight.allocation import RcsAllocation, RingAllocation, torque_about
from lander_flight.attitude_control import RateObserver
from lander_flight.attitude_loop import AttitudeLoop
from lander_flight.mass_model import MassModel
from lander_flight.pulse_width import PulseWidthModulator
from lander_flight.throttle_inputs import Command, read_command, read_quaternion, read_rate, turned
from lander_flight.throttle_parameters import ThrottleParameters
from lander_runtime.messages import GuidanceCommand, ThrottleCommand, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

ZERO: Vector = (0.0, 0.0, 0.0)
_COM_STEP_M = 0.005  # the allocations are computed anew when the centre of mass has moved so far


class Throttle(Subsystem):
    """Attitude control, allocation to main engine, assist ring and RCS, and pulse widths.

    While the assist thrusters fire, their differential duty holds pitch and roll and carries steady torques, and the
    RCS holds yaw; otherwise the RCS holds all axes within a deadband.
    """

    name = "throttle"

    def __init__(self, mission: Mission) -> None:
        self._parameters = parameters = mission.part("throttle", ThrottleParameters)
        self._vehicle = vehicle = mission.vehicle
        limits = {port.topic.key: port.max_age_ns or 0 for port in self.node.inputs}
        self._guidance_limit_ns = limits["guidance_command"]
        self._navigation_limit_ns = limits["navigation_state"] + round(parameters.navigation_hold_s * 1e9)
        self._mass = MassModel(vehicle, mission.start.propellant_kg, mission.start.rcs_propellant_kg)
        self._observer = RateObserver(parameters.misalignment.bandwidth_rad_s, parameters.misalignment.arm_limit_m)
        self._modulator = PulseWidthModulator(
            vehicle.assist.count,
            parameters.ring.frame_ticks,
            parameters.tick_s,
            vehicle.assist.minimum_on_s,
            parameters.ring.minimum_off_s,
        )
        self._allocate()
        self._loop = AttitudeLoop(parameters, self._rcs.torque_n_m, self._rcs.smallest_impulse_n_m_s)
        self._low_error_rad = radians(parameters.low_rate.attitude_error_deg)
        self._low_rate_rad_s = radians(parameters.low_rate.rate_error_deg_s)
        self._command: Command | None = None
        self._safe: Command | None = None
        self._q_mci_body: Quaternion = IDENTITY
        self._navigation_ns: int | None = None
        self._impulse_n_m_s = ZERO  # commanded for the tick that ends now
        self._thrust_n = 0.0  # likewise, mean
        self._rcs_thrust_n = 0.0  # likewise, of it the RCS

    def _allocate(self) -> None:
        """Compute anew what depends on the centre of mass."""
        self._com_allocated = com = self._mass.com_body_m
        self._ring = RingAllocation(self._vehicle.assist, com)
        self._rcs = RcsAllocation(self._vehicle.rcs, com)
        main = self._vehicle.main_engine
        x, y, z = main.direction
        self._main_thrust_n = main.thrust_n * z
        force = (main.thrust_n * x, main.thrust_n * y, main.thrust_n * z)
        self._main_torque_n_m = torque_about(com, main.position_m, force)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Valve times for the tick that begins now."""
        self._take_telemetry(inputs)
        self._take_navigation(tick, inputs)
        command = self._take_guidance(tick, inputs)
        if command is None:
            return {"throttle_command": self._nothing(GuidanceCommand.SAFE)}
        if command.phase == GuidanceCommand.TOUCHDOWN and not command.fires:  # on the ground, or about to be
            return {"throttle_command": self._nothing(command.phase)}
        return {"throttle_command": self._act(tick, command)}

    def _take_telemetry(self, inputs: Inputs) -> None:
        message = inputs.fresh("vehicle_telemetry")
        if message is None:
            return
        self._mass.update(message.propellant_gauge_kg, message.rcs_propellant_gauge_kg)
        if any(abs(a - b) > _COM_STEP_M for a, b in zip(self._mass.com_body_m, self._com_allocated, strict=True)):
            self._allocate()
            self._loop.rcs_torque_n_m = self._rcs.torque_n_m
            self._loop.rcs_smallest_n_m_s = self._rcs.smallest_impulse_n_m_s

    def _take_navigation(self, tick: Tick, inputs: Inputs) -> None:
        """Predict over the tick just past with what was commanded, and correct with what was measured."""
        step_s = tick.step_s
        late = 0.5 if step_s <= self._parameters.tick_s else 0.0  # valve delay and lag are about half a short tick
        self._observer.predict(self._impulse_n_m_s, late, self._thrust_n, self._mass.inertia_kg_m2, step_s)
        message = inputs.fresh("navigation_state")
        if message is None or not self._measured(tick, message):
            self._q_mci_body = turned(self._q_mci_body, self._observer.w_body, step_s)

    def _measured(self, tick: Tick, message: Any) -> bool:
        """Take in a navigation state; False where it says nothing."""
        q_mci_body, w_body = read_quaternion(message.q_mci_body), read_rate(message.w_mci_body)
        if q_mci_body is None or w_body is None:
            return False
        if self._navigation_ns is None or tick.stamp_ns - self._navigation_ns > self._navigation_limit_ns:
            self._observer.restart(w_body)
        else:
            self._observer.correct(w_body, self._thrust_n, self._mass.inertia_kg_m2, tick.step_s)
        self._navigation_ns = stamp = tick.stamp_ns if message.tick == tick.seq else stamp_ns(message)
        late_s = (tick.stamp_ns - stamp) * 1e-9
        self._q_mci_body = turned(q_mci_body, w_body, late_s) if late_s > 0.0 else q_mci_body
        return True

    def _take_guidance(self, tick: Tick, inputs: Inputs) -> Command | None:
        """The command to act upon; without a recent one: engines off, and the attitude that was wanted last."""
        message = inputs.fresh("guidance_command")
        received = None if message is None else read_command(message)
        if received is not None:
            self._command = received
        command, now_ns = self._command, tick.stamp_ns
        if command is None or command is self._safe or now_ns - command.stamp_ns <= self._guidance_limit_ns:
            return command
        attitude = command.attitude(now_ns)
        self._command = self._safe = Command(now_ns, GuidanceCommand.SAFE, attitude, ZERO, 0.0, False, False, False)
        return self._safe

    def _act(self, tick: Tick, command: Command) -> Any:
        """Control the attitude where it is known, and give the thrust that is wanted."""
        ring = self._parameters.ring
        main_n = self._main_thrust_n if command.main_engine else 0.0
        ring_n = max(command.thrust_n - main_n - self._rcs_thrust_n, 0.0) if command.assist_engines else 0.0
        authority = min(ring.torque_limit_n_m, 0.5 * ring_n * self._vehicle.assist.radius_m)
        if authority < ring.minimum_authority_n_m:
            authority = 0.0
        error, low_rate, torque, impulse = ZERO, False, ZERO, ZERO
        inertia = self._mass.inertia_kg_m2
        rate = self._observer.coming_rate(inertia)
        if self._navigation_ns is not None and tick.stamp_ns - self._navigation_ns <= self._navigation_limit_ns:
            turn = multiply(conjugate(self._q_mci_body), command.attitude(tick.stamp_ns))
            error, w_wanted = to_rotation_vector(turn), rotate(turn, command.w_body)
            low_rate = self._may_run_slowly(command, error, w_wanted, rate)
            tick_s = self._parameters.long_tick_s if low_rate else self._parameters.tick_s
            torque, impulse = self._loop.control(error, w_wanted, rate, inertia, authority, command.fires, tick_s)
        else:
            tick_s = self._parameters.tick_s
        if authority > 0.0:
            torque = self._trimmed(torque, rate, min(main_n + ring_n, self._vehicle.full_thrust_n), command, authority)
        return self._fire(command, error, ring_n, torque, impulse, low_rate, tick_s)

    def _may_run_slowly(self, command: Command, error: Vector, w_wanted: Vector, rate: Vector) -> bool:
        if not command.low_rate or command.fires:
            return False
        turning = max(abs(wanted - actual) for wanted, actual in zip(w_wanted, rate, strict=True))
        return max(map(abs, error)) < self._low_error_rad and turning < self._low_rate_rad_s

    def _trimmed(self, torque: Vector, rate: Vector, thrust_n: float, command: Command, limit_n_m: float) -> Vector:
        """Torque for the ring less what is known to act beside it: misalignment, main engine, gyroscopic torque."""
        ax, ay, _ = self._observer.arm_body_m
        mx, my, _ = self._main_torque_n_m if command.main_engine else ZERO
        ix, iy, iz = self._mass.inertia_kg_m2
        wx, wy, wz = rate
        x = torque[0] - thrust_n * ax - mx + (iz - iy) * wy * wz
        y = torque[1] - thrust_n * ay - my + (ix - iz) * wz * wx
        return (min(max(x, -limit_n_m), limit_n_m), min(max(y, -limit_n_m), limit_n_m), 0.0)

    def _fire(
        self,
        command: Command,
        error: Vector,
        ring_n: float,
        torque: Vector,
        impulse: Vector,
        low_rate: bool,
        tick_s: float,
    ) -> Any:
        """Allocate, modulate, remember what was commanded, and say what could not be given."""
        if command.assist_engines:
            duties = self._ring.duties(ring_n, torque[0], torque[1])
            assist_on_s = self._modulator.step(duties)
        else:
            duties = assist_on_s = [0.0] * self._vehicle.assist.count
            self._modulator.reset()
        given = weighted_sum(duties, self._ring.torques_n_m)
        if torque != ZERO:  # what the ring cannot give is left to the RCS
            impulse = ((torque[0] - given[0]) * tick_s, (torque[1] - given[1]) * tick_s, impulse[2])
        rcs_on_s = self._rcs.on_times_s(impulse, tick_s)
        rcs_impulse = weighted_sum(rcs_on_s, self._rcs.torques_n_m)
        self._rcs_thrust_n = sum(map(_product, rcs_on_s, self._rcs.thrusts_n)) / tick_s
        self._remember(command, assist_on_s, rcs_impulse, tick_s)
        thrust_n = sum(duties) * self._vehicle.assist.thrust_n + self._rcs_thrust_n
        thrust_n += self._main_thrust_n if command.main_engine else 0.0
        wanted = (torque[0] + impulse[0] / tick_s, torque[1] + impulse[1] / tick_s, impulse[2] / tick_s)
        if torque != ZERO:
            wanted = (torque[0], torque[1], impulse[2] / tick_s)
        return ThrottleCommand(
            main_engine=command.main_engine,
            assist_on_s=np.array(assist_on_s),
            rcs_on_s=np.array(rcs_on_s),
            low_rate=low_rate,
            thrust_n=thrust_n,
            thrust_not_given_n=command.thrust_n - thrust_n,
            torque_command_body=np.array(wanted),
            torque_not_given_body=np.array([wanted[i] - given[i] - rcs_impulse[i] / tick_s for i in (0, 1, 2)]),
            attitude_error_body=np.array(error),
            phase=command.phase,
        )

    def _remember(self, command: Command, assist_on_s: list[float], rcs_impulse: Vector, tick_s: float) -> None:
        ring = weighted_sum(assist_on_s, self._ring.torques_n_m)
        mx, my, mz = self._main_torque_n_m if command.main_engine else ZERO
        self._impulse_n_m_s = (
            ring[0] + rcs_impulse[0] + mx * tick_s,
            ring[1] + rcs_impulse[1] + my * tick_s,
            ring[2] + rcs_impulse[2] + mz * tick_s,
        )
        main_n = self._main_thrust_n if command.main_engine else 0.0
        self._thrust_n = main_n + sum(assist_on_s) * self._vehicle.assist.thrust_n / tick_s

    def _nothing(self, phase: int) -> Any:
        """All valves closed."""
        self._modulator.reset()
        self._impulse_n_m_s, self._thrust_n, self._rcs_thrust_n = ZERO, 0.0, 0.0
        return ThrottleCommand(
            main_engine=False,
            assist_on_s=np.zeros(self._vehicle.assist.count),
            rcs_on_s=np.zeros(len(self._vehicle.rcs.thrusters)),
            low_rate=False,
            thrust_n=0.0,
            thrust_not_given_n=0.0,
            torque_command_body=np.zeros(3),
            torque_not_given_body=np.zeros(3),
            attitude_error_body=np.zeros(3),
            phase=phase,
        )


def _product(a: float, b: float) -> float:
    return a * b


def weighted_sum(weights: list[float], vectors: list[Vector]) -> Vector:
    """Sum of vectors, each times its weight."""
    x = y = z = 0.0
    for weight, vector in zip(weights, vectors, strict=True):
        if weight != 0.0:
            x += weight * vector[0]
            y += weight * vector[1]
            z += weight * vector[2]
    return (x, y, z)
