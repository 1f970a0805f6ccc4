"""Guidance: from where the lander is to the attitude and thrust that land it. The phases are in `phases.py`."""

from __future__ import annotations

from math import isfinite, radians
from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import Quaternion, Vector, rotate
from lander_common.start import nominal_start
from lander_flight.braking import BrakingSolver, ThrustModel
from lander_flight.deorbit import DeorbitBurn
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.lander_state import ApproachFrame, Demand, LanderState, cross, dot, norm, scaled, turning_rate, unit
from lander_flight.phases import Phase
from lander_flight.pitch_up import (
    Coefficients,
    best_duration,
    evaluate,
    quadratic,
    reference_gate,
    slope,
    thrust_of,
)
from lander_flight.pointing import Pointing, attitude
from lander_flight.targeting import Targeting
from lander_flight.terminal import Limits, TerminalDescent
from lander_flight.thrust_estimate import ThrustEstimate, gravity
from lander_flight.touchdown import ContactMonitor, RestMonitor, slow_descent_height
from lander_runtime.messages import GuidanceCommand
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

UP: Vector = (0.0, 0.0, 1.0)


class Guidance(Subsystem):
    """Flies the phases in order; each has a method that says what it wants and one that says when it ends."""

    name: ClassVar[str] = "guidance"

    def __init__(self, mission: Mission) -> None:
        self._parameters = p = mission.part("guidance", GuidanceParameters)
        self._vehicle = vehicle = mission.vehicle
        self._frame = ApproachFrame(mission.site_frame, mission.site.approach_azimuth_deg)
        self._radius_m = mission.site_frame.radius_m
        self._surface_gravity = GM_M3_S2 / self._radius_m**2
        self._full_n = vehicle.full_thrust_n
        self._main_n = vehicle.main_engine.thrust_n
        self._assist_n = vehicle.assist.count * vehicle.assist.thrust_n
        self._estimate = ThrustEstimate(mission, p.estimator)
        self._start = start = nominal_start(mission)
        self._deorbit = (
            DeorbitBurn(
                start.deorbit_time_s, start.deorbit_delta_v_m_s, self._main_n / self._estimate.mass_kg, p.deorbit
            )
            if start.deorbit_delta_v_m_s > 0.0
            else None
        )
        gate = reference_gate(p.pitch_up, self._surface_gravity)
        solver = BrakingSolver(gate, self._frame.R_mcmf_approach, self._frame.r_target_mcmf)
        self._targeting = Targeting(solver, p.braking)
        self._terminal = TerminalDescent(p.terminal)
        self._contact = ContactMonitor(p.touchdown)
        self._rest = RestMonitor(p.touchdown)
        self._pointing = Pointing()
        self._phase = Phase.COAST if self._deorbit is None else Phase.DEORBIT
        self._state: LanderState | None = None
        self._demand = _nothing()
        self._step_s = 0.0
        self._last_step_s = 0.0
        self._profile: Coefficients | None = None
        self._profile_at_s = 0.0
        self._profile_end_s = 0.0
        self._duration_at_s = -1.0e9
        self._steer = {
            Phase.DEORBIT: self._deorbiting,
            Phase.COAST: self._coasting,
            Phase.BRAKING: self._braking,
            Phase.PITCH_UP: self._pitching_up,
            Phase.TERMINAL: self._descending,
            Phase.TOUCHDOWN: self._touching_down,
            Phase.SAFE: self._standing,
        }

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Command for the coming tenth of a second."""
        self._step_s = tick.time_s - self._last_step_s
        self._last_step_s = tick.time_s
        state = self._read(tick, inputs)
        if state is not None:
            self._state = state
            demand = self._demand
            self._estimate.update(state, demand.thrust_n, demand.main_engine, demand.assist_engines)
            self._demand = self._steer[self._phase](state)
            self._point(state)
        return {"guidance_command": self._message(tick)}

    # -- inputs

    def _read(self, tick: Tick, inputs: Inputs) -> LanderState | None:
        """The state, or None where navigation has nothing new or nothing sound: the last command then stands."""
        telemetry = inputs.latest("vehicle_telemetry")
        if inputs.fresh("vehicle_telemetry") is not None:
            self._estimate.gauge(telemetry.propellant_gauge_kg, telemetry.rcs_propellant_gauge_kg, self._step_s)
        message = inputs.fresh("navigation_state")
        if message is None or not _is_sound(message):
            return None
        contacts = () if telemetry is None else tuple(bool(pressed) for pressed in telemetry.contact)
        return self._state_of(tick, message, contacts)

    def _state_of(self, tick: Tick, message: Any, contacts: tuple[bool, ...]) -> LanderState:
        x, y, z = self._frame.from_site(_vector(message.r_lander_site))
        return LanderState(
            time_s=tick.time_s,
            r_mci=message.r_lander_mci,
            v_mci=message.v_lander_mci,
            q_mci_body=_quaternion(message.q_mci_body),
            w_body=_vector(message.w_mci_body),
            specific_force_body=_vector(message.specific_force_body),
            position=(x, y, z - self._estimate.com_height_m),
            velocity=self._frame.from_site(_vector(message.v_lander_site)),
            altitude_m=float(message.altitude_m),
            altitude_sigma_m=float(message.altitude_sigma_m),
            contacts=contacts,
        )

    # -- phases

    def _enter(self, phase: Phase, state: LanderState) -> Demand:
        self._phase = phase
        return self._steer[phase](state)

    def _deorbiting(self, state: LanderState) -> Demand:
        burn = self._deorbit
        if burn is None:
            return self._enter(Phase.COAST, state)
        to_go = burn.delta_v_to_go(state)
        burning = state.time_s >= burn.begin_s
        if burning and burn.over(state, to_go, self._step_s):
            return self._enter(Phase.COAST, state)
        c = self._parameters.coast
        return Demand(
            direction_mci=burn.direction(state),
            rate_mci=(0.0, 0.0, 0.0),
            thrust_n=self._main_n if burning else 0.0,
            main_engine=burning,
            assist_engines=False,
            low_rate=False,
            slew_rate_rad_s=radians(c.slew_rate_deg_s),
            time_to_go_s=max(burn.begin_s - state.time_s, 0.0) + to_go * self._estimate.mass_kg / self._main_n,
            delta_v_to_go_m_s=to_go,
        )

    def _coasting(self, state: LanderState) -> Demand:
        c, targeting = self._parameters.coast, self._targeting
        if state.horizontal_speed < 300.0:  # braking is behind us: this copy was started late
            return self._enter(Phase.PITCH_UP, state)
        to_ignition = targeting.ignition_in_s(state.time_s)
        due = c.replan_near_s if to_ignition < 2.0 * c.wake_s else c.replan_s
        if targeting.arc is None or targeting.age_s(state.time_s) >= due:
            guess = max(self._start.descent_time_s - state.time_s, 0.0)
            targeting.plan_ignition(state, self._thrust_model(), guess)
            to_ignition = targeting.ignition_in_s(state.time_s)
        if to_ignition <= 0.5 * self._step_s and targeting.arc is not None:
            targeting.ignite(state)
            return self._enter(Phase.BRAKING, state)
        direction = None if targeting.arc is None else unit(targeting.arc.primer)
        return Demand(
            direction_mci=direction,
            rate_mci=(0.0, 0.0, 0.0),
            thrust_n=0.0,
            main_engine=False,
            assist_engines=False,
            low_rate=to_ignition > c.wake_s and self._is_settled(state, direction),
            slew_rate_rad_s=radians(c.slew_rate_deg_s),
            time_to_go_s=to_ignition,
            delta_v_to_go_m_s=0.0,
        )

    def _is_settled(self, state: LanderState, direction: Vector | None) -> bool:
        if direction is None:
            return True
        axis = rotate(state.q_mci_body, UP)
        return norm(cross(axis, direction)) < radians(self._parameters.coast.attitude_settled_deg)

    def _braking(self, state: LanderState) -> Demand:
        p, targeting = self._parameters.braking, self._targeting
        to_go = targeting.burn_to_go_s(state.time_s)
        if targeting.age_s(state.time_s) >= p.replan_s and (to_go > p.steering_hold_s or targeting.arc is None):
            targeting.replan(state, self._thrust_model())
            to_go = targeting.burn_to_go_s(state.time_s)
        steering = targeting.direction(state)
        if to_go <= 0.5 * self._step_s or steering is None or targeting.arc is None:
            return self._enter(Phase.PITCH_UP, state)
        direction, rate = steering
        level = targeting.arc.level
        return Demand(
            direction_mci=direction,
            rate_mci=rate,
            thrust_n=level * self._full_n,
            main_engine=True,
            assist_engines=True,
            low_rate=False,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=self._delta_v(level * self._full_n, to_go),
        )

    def _pitching_up(self, state: LanderState) -> Demand:
        p = self._parameters.pitch_up
        g = gravity(state.position, self._radius_m)
        top = p.end_altitude_m
        if self._is_over(state):
            self._contact.arm(state.contacts)
            return self._enter(Phase.TERMINAL, state)
        self._renew_profile(state, g)
        profile, whole = self._profile, self._profile_end_s - self._profile_at_s
        assert profile is not None
        u = (state.time_s - self._profile_at_s) / whole
        wanted = thrust_of(evaluate(profile, u), g)
        limits = self._limits()
        size = norm(wanted)
        given = min(max(size, limits.main_m_s2), self._parameters.braking.level_most * limits.all_m_s2)
        to_go = self._profile_end_s - state.time_s
        del top
        return Demand(
            direction_mci=self._frame.to_mci(scaled(wanted, 1.0 / size), state.time_s),
            rate_mci=self._frame.to_mci(turning_rate(wanted, slope(profile, u, whole)), state.time_s),
            thrust_n=self._newtons(given),
            main_engine=True,
            assist_engines=True,
            low_rate=False,
            slew_rate_rad_s=radians(self._parameters.braking.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=given * to_go,
        )

    def _is_over(self, state: LanderState) -> bool:
        if state.altitude_m < 0.5 * self._parameters.pitch_up.end_altitude_m:
            return True
        return self._profile is not None and state.time_s >= self._profile_end_s - 0.5 * self._step_s

    def _renew_profile(self, state: LanderState, g: Vector) -> None:
        p = self._parameters.pitch_up
        first = self._profile is None
        to_go = self._profile_end_s - state.time_s
        if first or (to_go > p.hold_s and state.time_s - self._duration_at_s >= p.replan_s):
            shortest, longest = (p.duration_range[0] * p.duration_s, p.duration_range[1] * p.duration_s)
            if not first:
                shortest, longest = max(to_go - 1.0, 0.5 * p.hold_s), to_go + 1.0
            limits = self._limits()
            most = self._parameters.braking.level_most * limits.all_m_s2
            to_go = best_duration(
                state.position, state.velocity, p, (limits.main_m_s2, most), -g[2], (shortest, longest)
            )
            self._profile_end_s = state.time_s + to_go
            self._duration_at_s = state.time_s
        if first or to_go > p.hold_s:
            end = ((0.0, 0.0, p.end_altitude_m), (0.0, 0.0, -p.end_speed_m_s))
            a_end = (0.0, 0.0, p.end_acceleration_m_s2 - self._surface_gravity)
            self._profile = quadratic(state.position, state.velocity, *end, a_end, to_go)
            self._profile_at_s = state.time_s

    def _descending(self, state: LanderState) -> Demand:
        p = self._parameters
        slow_m = slow_descent_height(p.touchdown, state.altitude_sigma_m)
        if self._touched(state) or state.altitude_m < slow_m:
            return self._enter(Phase.TOUCHDOWN, state)
        speed = max(-state.velocity[2], p.terminal.touchdown_speed_m_s)
        to_go = 2.0 * (state.altitude_m - slow_m) / (speed + p.terminal.touchdown_speed_m_s)
        return self._lowered(state, state.altitude_m - slow_m, to_go)

    def _lowered(self, state: LanderState, height_m: float, to_go: float) -> Demand:
        g = -gravity(state.position, self._radius_m)[2]
        wanted = self._terminal.command(state.position, state.velocity, height_m, g, self._limits())
        size = norm(wanted)
        return Demand(
            direction_mci=self._frame.to_mci(scaled(wanted, 1.0 / size), state.time_s),
            rate_mci=None,
            thrust_n=self._newtons(size),
            main_engine=self._terminal.main_engine,
            assist_engines=True,
            low_rate=False,
            slew_rate_rad_s=radians(self._parameters.terminal.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=max(-state.velocity[2] - self._parameters.terminal.touchdown_speed_m_s, 0.0) + g * to_go,
        )

    def _touching_down(self, state: LanderState) -> Demand:
        if self._demand.assist_engines and not self._touched(state):
            speed = self._parameters.terminal.touchdown_speed_m_s
            return self._lowered(state, 0.0, max(state.altitude_m, 0.0) / speed)
        if self._rest.at_rest(state):
            return self._enter(Phase.SAFE, state)
        return _nothing()

    def _standing(self, state: LanderState) -> Demand:
        return _nothing(low_rate=True)

    def _touched(self, state: LanderState) -> bool:
        explained = self._estimate.ratio * self._demand.thrust_n / self._estimate.mass_kg
        return self._contact.touched(state, self._estimate.acceleration_m_s2, explained)

    # -- vehicle

    def _thrust_model(self) -> ThrustModel:
        main, assist = self._vehicle.main_engine, self._vehicle.assist
        return ThrustModel(
            full_acceleration_m_s2=self._estimate.ratio * self._full_n / self._estimate.mass_kg,
            main_share=self._main_n / self._full_n,
            main_exhaust_velocity_m_s=main.isp_s * STANDARD_GRAVITY_M_S2,
            assist_exhaust_velocity_m_s=assist.isp_s * STANDARD_GRAVITY_M_S2,
        )

    def _limits(self) -> Limits:
        unit_m_s2 = self._estimate.ratio / self._estimate.mass_kg
        return Limits(self._main_n * unit_m_s2, self._assist_n * unit_m_s2)

    def _newtons(self, acceleration_m_s2: float) -> float:
        """Nominal thrust to command for an acceleration."""
        return acceleration_m_s2 * self._estimate.mass_kg / self._estimate.ratio

    def _delta_v(self, thrust_n: float, time_s: float) -> float:
        """Velocity change of a constant thrust over a time."""
        model = self._thrust_model()
        exhaust = self._full_n / (
            self._main_n / model.main_exhaust_velocity_m_s + self._assist_n / model.assist_exhaust_velocity_m_s
        )
        mass = self._estimate.mass_kg
        left = max(1.0 - self._estimate.ratio * thrust_n / exhaust * time_s / mass, 0.05)
        return float(-exhaust * np.log(left))

    # -- outputs

    def _point(self, state: LanderState) -> None:
        demand, pointing = self._demand, self._pointing
        if pointing.q_mci_body is None or (self._phase >= Phase.TOUCHDOWN and not demand.assist_engines):
            pointing.hold(state.q_mci_body)
            return
        if demand.direction_mci is None:
            pointing.hold(pointing.q_mci_body)
            return
        left = self._frame.to_mci((0.0, 1.0, 0.0), state.time_s)
        wanted = attitude(demand.direction_mci, left)
        if wanted is not None:
            pointing.move(wanted, demand.rate_mci, demand.slew_rate_rad_s, self._step_s)

    def _message(self, tick: Tick) -> Any:
        demand, state = self._demand, self._state
        q: Quaternion = self._pointing.q_mci_body or (0.0, 0.0, 0.0, 1.0)
        return GuidanceCommand(
            phase=int(self._phase),
            q_mci_body_command=np.array(q),
            w_mci_body_command=np.array(self._pointing.w_body),
            thrust_n=demand.thrust_n,
            main_engine=demand.main_engine,
            assist_engines=demand.assist_engines,
            low_rate=demand.low_rate,
            time_to_go_s=demand.time_to_go_s,
            time_to_touchdown_s=demand.time_to_go_s,
            delta_v_to_go_m_s=demand.delta_v_to_go_m_s,
            range_to_go_m=0.0 if state is None else self._range(state),
        )

    def _range(self, state: LanderState) -> float:
        """Along the ground to the target."""
        target = self._frame.to_mci((0.0, 0.0, 1.0), state.time_s)
        here = unit(_vector(state.r_mci))
        return self._radius_m * float(np.arctan2(norm(cross(here, target)), dot(here, target)))


def _nothing(low_rate: bool = False) -> Demand:
    return Demand(None, None, 0.0, False, False, low_rate, 0.0, 0.0, 0.0)


def _is_sound(message: Any) -> bool:
    """Whether every number that guidance uses is finite: a sum is finite only if all of its terms are."""
    total = float(
        message.r_lander_mci.sum()
        + message.v_lander_mci.sum()
        + message.q_mci_body.sum()
        + message.r_lander_site.sum()
        + message.v_lander_site.sum()
        + message.w_mci_body.sum()
    )
    return isfinite(total + message.altitude_m + message.altitude_sigma_m)


def _vector(values: Any) -> Vector:
    x, y, z = values.tolist()
    return (x, y, z)


def _quaternion(values: Any) -> Quaternion:
    x, y, z, w = values.tolist()
    return (x, y, z, w)
