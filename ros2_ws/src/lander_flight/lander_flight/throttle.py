"""Throttle: turns the attitude and thrust that guidance wants into valve times of the coming tick."""

from __future__ import annotations

from collections.abc import Mapping
from math import radians
from operator import mul
from typing import Any, NamedTuple

import numpy as np

from lander_common.mission import Mission
from lander_common.quaternion import IDENTITY, Quaternion, Vector, conjugate, multiply, rotate, to_rotation_vector
from lander_flight.allocation import RcsAllocation, along, force_along, torque_about, weighted_sum
from lander_flight.attitude_control import RateObserver, clipped
from lander_flight.attitude_loop import AttitudeLoop
from lander_flight.engine_monitor import EngineMonitor
from lander_flight.mass_model import MassModel
from lander_flight.ring_driver import RingDriver
from lander_flight.throttle_inputs import Command, read_command, read_quaternion, read_rate, turned
from lander_flight.throttle_parameters import ThrottleParameters
from lander_runtime.config import ConfigError
from lander_runtime.messages import GuidanceCommand, Message, NavigationState, ThrottleCommand, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

ZERO: Vector = (0.0, 0.0, 0.0)
_COM_STEP_M = 0.01  # the allocations are computed anew when the centre of mass has moved so far


class Demand(NamedTuple):
    """What attitude control demands of the thrusters in the coming tick; vectors in body."""

    error_rad: Vector  # rotation vector from the actual to the wanted attitude
    torque_n_m: Vector  # of the assist ring
    impulse_n_m_s: Vector  # of the RCS
    low_rate: bool
    tick_s: float  # length of the coming tick


class Throttle(Subsystem):
    """Attitude control, allocation to main engine, assist ring and RCS, and pulse widths.

    While the assist thrusters fire, their differential duty holds pitch and roll and carries steady torques, and the
    RCS holds yaw; otherwise the RCS holds all axes within a deadband.
    """

    name = "throttle"

    def __init__(self, mission: Mission) -> None:
        """Raises ConfigError where the parameters or the vehicle's thrusters cannot be flown."""
        parameters = mission.part("throttle", ThrottleParameters)
        self._vehicle = vehicle = mission.vehicle
        limits = {port.topic.key: port.max_age_ns or 0 for port in self.node.inputs}
        self._guidance_limit_ns = limits["guidance_command"]
        self._navigation_limit_ns = limits["navigation_state"] + round(parameters.navigation_hold_s * 1e9)
        self._mass = MassModel(vehicle, mission.start.propellant_kg, mission.start.rcs_propellant_kg)
        self._observer = RateObserver(parameters.misalignment.bandwidth_rad_s, parameters.misalignment.arm_limit_m)
        self._tick_s, self._long_tick_s = parameters.tick_s, parameters.long_tick_s
        self._engines = EngineMonitor(vehicle, parameters.engines)
        ring, com = parameters.ring, self._mass.com_body_m
        try:
            self._ring = RingDriver(vehicle.assist, com, ring.frame_ticks, parameters.tick_s, ring.minimum_off_s)
            self._believe()
            self._allocate()
        except ValueError as error:
            raise ConfigError([f"vehicle {vehicle.name!r} with this throttle: {error}"]) from None
        self._ring_limit_n_m, self._ring_least_n_m = ring.torque_limit_n_m, ring.minimum_authority_n_m
        self._ring_arm_m = 0.5 * vehicle.assist.radius_m  # torque that the ring can give per thrust that it gives
        self._late_part = min(
            (vehicle.assist.valve_delay_s + vehicle.assist.rise_time_constant_s) / parameters.tick_s, 1.0
        )
        self._ring_full_n = vehicle.assist.count * vehicle.assist.thrust_n
        self._loop = AttitudeLoop(parameters, self._rcs.torque_n_m, self._rcs.smallest_impulse_n_m_s)
        self._low_error_rad = radians(parameters.low_rate.attitude_error_deg)
        self._low_rate_rad_s = radians(parameters.low_rate.rate_error_deg_s)
        self._command: Command | None = None
        self._safe: Command | None = None
        self._q_mci_body: Quaternion = IDENTITY
        self._navigation_ns: int | None = None
        self._obeyed = True  # what was commanded went out
        self._main_on = False  # what was commanded for the tick that ends now: main engine, assist ring, RCS
        self._assist_on_s = self._ring.stop()
        self._rcs_on_s = self._rcs.closed_s
        self._rcs_thrust_n = 0.0

    def _allocate(self) -> None:
        """Compute anew what depends on the centre of mass."""
        self._com_allocated = com = self._mass.com_body_m
        self._ring.move_com(com)
        self._rcs = RcsAllocation(self._vehicle.rcs, com)
        main = self._vehicle.main_engine
        force = force_along(main.direction, main.thrust_n)
        x, y, z = torque_about(com, main.position_m, force)
        given = self._engines.fraction[0]
        self._main_thrust_n = given * force[2]
        self._main_torque_n_m = (given * x, given * y, given * z)

    def restore(self, published: Mapping[str, Message]) -> None:
        """Go on with the engines as they were found to be."""
        last = published.get("throttle_command")
        if last is not None:
            self._engines.restore(last.engine_fraction.tolist(), last.engine_stuck_open.tolist())
            self._believe()
            self._allocate()

    def _believe(self) -> None:
        """Take up what was found of the engines: the main engine, then the ring."""
        fraction, stuck_open = self._engines.fraction, self._engines.stuck_open
        self._ring.believe(fraction[1:], stuck_open[1:])
        self._fraction, self._stuck_open = np.array(fraction), np.array(stuck_open)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Valve times for the tick that begins now."""
        if not self._obeyed:
            self._nothing(GuidanceCommand.SAFE)
        self._obeyed = self.heard
        if tick.step_ns:
            self._engines.command(self._main_on, self._assist_on_s, tick.step_s)
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
        may_retry = self._command is not None and self._command.phase < GuidanceCommand.TERMINAL
        found = self._engines.look(message, may_retry)
        if found:
            self._believe()
        if found or any(
            abs(a - b) > _COM_STEP_M for a, b in zip(self._mass.com_body_m, self._com_allocated, strict=True)
        ):
            self._allocate()
            self._loop.rcs_torque_n_m = self._rcs.torque_n_m
            self._loop.rcs_smallest_n_m_s = self._rcs.smallest_impulse_n_m_s

    def _take_navigation(self, tick: Tick, inputs: Inputs) -> None:
        """Predict over the tick just past with what was commanded, and correct with what was measured."""
        step_s = tick.step_s
        impulse, self._thrust_n = self._commanded(step_s)
        self._observer.predict(impulse, self._late(step_s), self._thrust_n, self._mass.inertia_kg_m2, step_s)
        message = inputs.fresh("navigation_state")
        if message is None or not self._measured(tick, message):
            self._q_mci_body = turned(self._q_mci_body, self._observer.mean_w_body, step_s)

    def _late(self, step_s: float) -> float:
        """Part of what is commanded for a tick that comes in the next, for thrust lags behind its valve's command."""
        return self._late_part if step_s <= self._tick_s else 0.0

    def _coming_rate(self, step_s: float) -> Vector:
        """Mean body rate over the coming tick with what has been commanded for it, rad/s."""
        impulse, thrust_n = self._commanded(step_s)
        return self._observer.foresee(impulse, self._late(step_s), thrust_n, self._mass.inertia_kg_m2, step_s)[1]

    def _measured(self, tick: Tick, message: Any) -> bool:
        """Take in a navigation state; False where it says nothing."""
        q_mci_body, w_body = read_quaternion(message.q_mci_body), read_rate(message.w_mci_body)
        if q_mci_body is None or w_body is None:
            return False
        if message.imu_verdict == NavigationState.REJECTED and self._navigation_ns is not None:
            self._navigation_ns = tick.stamp_ns  # nobody measures the rate: the predicted one knows the own torques
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
        ring_n = 0.0
        if command.assist_engines:
            main_n = self._main_thrust_n if command.main_engine else 0.0
            ring_n = max(command.thrust_n - main_n - self._rcs_thrust_n, 0.0)
        authority = min(self._ring_limit_n_m, self._ring_arm_m * ring_n)
        if authority < self._ring_least_n_m:
            authority = 0.0
        return self._fire(command, self._control(tick.stamp_ns, command, ring_n, authority), ring_n)

    def _control(self, now_ns: int, command: Command, ring_n: float, authority_n_m: float) -> Demand:
        """What attitude control demands; where the attitude is not known, only what is known to be in the way."""
        inertia = self._mass.inertia_kg_m2
        rate = self._observer.coming_rate(inertia)
        error, torque, impulse, low_rate, tick_s = ZERO, ZERO, ZERO, False, self._tick_s
        if self._navigation_ns is not None and now_ns - self._navigation_ns <= self._navigation_limit_ns:
            turn = multiply(conjugate(self._q_mci_body), command.attitude(now_ns))
            error, w_wanted = to_rotation_vector(turn), rotate(turn, command.w_body)
            if command.low_rate and not command.fires and self._is_quiet(error, w_wanted, rate):
                low_rate, tick_s = True, self._long_tick_s
            torque, impulse = self._loop.control(error, w_wanted, rate, inertia, authority_n_m, command.fires, tick_s)
        if authority_n_m > 0.0:
            torque = self._trimmed(torque, rate, command, ring_n, authority_n_m)
        return Demand(error, torque, impulse, low_rate, tick_s)

    def _is_quiet(self, error: Vector, w_wanted: Vector, rate: Vector) -> bool:
        turning = max(abs(wanted - actual) for wanted, actual in zip(w_wanted, rate, strict=True))
        return max(map(abs, error)) < self._low_error_rad and turning < self._low_rate_rad_s

    def _trimmed(self, torque: Vector, rate: Vector, command: Command, ring_n: float, limit_n_m: float) -> Vector:
        """Torque for the ring less what is known to act beside it: misalignment, main engine, gyroscopic torque."""
        ax, ay, _ = self._observer.arm_body_m
        ix, iy, iz = self._mass.inertia_kg_m2
        wx, wy, wz = rate
        thrust_n = min(ring_n, self._ring_full_n)
        x = torque[0] + (iz - iy) * wy * wz
        y = torque[1] + (ix - iz) * wz * wx
        if command.main_engine:
            thrust_n += self._main_thrust_n
            x -= self._main_torque_n_m[0]
            y -= self._main_torque_n_m[1]
        x -= thrust_n * ax
        y -= thrust_n * ay
        return (clipped(x, limit_n_m), clipped(y, limit_n_m), 0.0)

    def _fire(self, command: Command, demand: Demand, ring_n: float) -> Any:
        """Allocate and modulate, remember what was commanded, and say what could not be given."""
        tick_s, ring, rcs = demand.tick_s, self._ring, self._rcs
        self._assist_on_s = ring.fire(ring_n, demand.torque_n_m) if command.assist_engines else ring.stop()
        ring_wanted, ring_given = ring.wanted_n_m, ring.torque_n_m
        impulse = demand.impulse_n_m_s
        if ring_wanted is not ring_given:  # the RCS does what it can of the rest
            rest_x = clipped(ring_wanted[0] - ring_given[0], rcs.torque_n_m[0])
            rest_y = clipped(ring_wanted[1] - ring_given[1], rcs.torque_n_m[1])
            impulse = (rest_x * tick_s, rest_y * tick_s, impulse[2])
        self._rcs_on_s = rcs_on_s = rcs.on_times_s(impulse, tick_s)
        self._main_on = command.main_engine
        self._rcs_thrust_n, not_given = 0.0, ZERO
        if impulse != ZERO:
            x, y, z = weighted_sum(rcs_on_s, rcs.torques_n_m)
            not_given = ((impulse[0] - x) / tick_s, (impulse[1] - y) / tick_s, (impulse[2] - z) / tick_s)
            self._rcs_thrust_n = sum(map(mul, rcs_on_s, rcs.thrusts_n)) / tick_s
        thrust_n = ring.thrust_n + self._rcs_thrust_n + (self._main_thrust_n if command.main_engine else 0.0)
        return ThrottleCommand(
            main_engine=command.main_engine,
            assist_on_s=np.array(self._assist_on_s),
            rcs_on_s=np.array(rcs_on_s),
            low_rate=demand.low_rate,
            thrust_n=thrust_n,
            thrust_not_given_n=command.thrust_n - thrust_n,
            torque_command_body=np.array(along(ring_given, impulse, 1.0 / tick_s)),
            torque_not_given_body=np.array(not_given),
            attitude_error_body=np.array(demand.error_rad),
            w_mci_body_coming=np.array(self._coming_rate(tick_s)),
            phase=command.phase,
            **self._found(),
        )

    def _found(self) -> dict[str, Any]:
        """What is found of the engines."""
        return {
            "engine_fraction": self._fraction,
            "engine_stuck_open": self._stuck_open,
            "main_limit_n": self._main_thrust_n,
            "assist_limit_n": self._ring.limit_n,
        }

    def _commanded(self, step_s: float) -> tuple[Vector, float]:
        """Angular impulse, N m s, and mean thrust of the engines, N, of the last command over a tick of this length."""
        if step_s == 0.0:
            return ZERO, 0.0
        x, y, ring_n_s = self._ring.impulse(self._assist_on_s)
        standing_n, (standing_x, standing_y, _) = self._ring.standing
        x, y = x + standing_x * step_s, y + standing_y * step_s
        z, thrust_n = 0.0, ring_n_s / step_s + standing_n
        if self._rcs_on_s is not self._rcs.closed_s:
            rx, ry, rz = weighted_sum([min(on_s, step_s) for on_s in self._rcs_on_s], self._rcs.torques_n_m)
            x, y, z = x + rx, y + ry, z + rz
        if self._main_on:
            mx, my, mz = self._main_torque_n_m
            x, y, z = x + mx * step_s, y + my * step_s, z + mz * step_s
            thrust_n += self._main_thrust_n
        return (x, y, z), thrust_n

    def _nothing(self, phase: int) -> Any:
        """All valves closed."""
        self._assist_on_s, self._rcs_on_s = self._ring.stop(), self._rcs.closed_s
        self._main_on, self._rcs_thrust_n = False, 0.0
        return ThrottleCommand(
            main_engine=False,
            assist_on_s=np.array(self._assist_on_s),
            rcs_on_s=np.array(self._rcs_on_s),
            low_rate=False,
            thrust_n=0.0,
            thrust_not_given_n=0.0,
            torque_command_body=np.zeros(3),
            torque_not_given_body=np.zeros(3),
            attitude_error_body=np.zeros(3),
            w_mci_body_coming=np.array(self._coming_rate(self._tick_s)),
            phase=phase,
            **self._found(),
        )
