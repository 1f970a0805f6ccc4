"""Guidance: from where the lander is to the attitude and thrust that land it. The phases are in `phases.py`."""

from __future__ import annotations

from collections.abc import Mapping
from math import isfinite, radians
from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_common.mission_map import mission_target
from lander_common.moon import GM_M3_S2
from lander_common.quaternion import IDENTITY, Quaternion, Vector
from lander_common.start import NominalStart, nominal_start
from lander_flight.abort import AbortAscent
from lander_flight.altitude_doubt import AltitudeDoubt, lowered
from lander_flight.braking import BrakingSolver, Gate
from lander_flight.deorbit import DeorbitBurn
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.heritage.reset_response import ResetResponse
from lander_flight.lander_state import (
    NOTHING,
    ApproachFrame,
    Demand,
    LanderState,
    angle_between,
    body_z,
    norm,
    scaled,
    turning_rate,
    unit,
)
from lander_flight.other_site import OtherSite
from lander_flight.phases import Phase, delta_v_after, time_after
from lander_flight.pitch_up import PitchUp, reference_gate
from lander_flight.pointing import Pointing, attitude
from lander_flight.redesignation import Redesignation
from lander_flight.targeting import Targeting
from lander_flight.terminal import TerminalDescent
from lander_flight.thrust_estimate import ThrustEstimate, gravity, thrust_of
from lander_flight.touchdown import ContactMonitor, RestMonitor, slow_descent_height, slow_descent_speed
from lander_runtime.messages import GuidanceCommand, HealthStatus, Message, NavigationState, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

LEFT: Vector = (0.0, 1.0, 0.0)
AT_REST: Vector = (0.0, 0.0, 0.0)


class Guidance(Subsystem):
    """Flies the phases in order. A phase says what it wants, or hands over to the next one when it is over.

    A copy that is started in mid-flight without a last command finds its phase at its first step, because each phase
    ends by the state.
    """

    name: ClassVar[str] = "guidance"

    def __init__(self, mission: Mission) -> None:
        self._parameters = p = mission.part("guidance", GuidanceParameters)
        self._site, self._azimuth_deg = mission.site_frame, mission.site.approach_azimuth_deg
        self._aim_at(mission_target(mission))
        self._radius_m = mission.site_frame.radius_m
        self._estimate = ThrustEstimate(mission, p.estimator)
        self._start = start = nominal_start(mission)
        self._gravity = g = GM_M3_S2 / self._radius_m**2
        self._time_after = {phase: time_after(phase, p) for phase in Phase}
        self._delta_v_after = {phase: delta_v_after(phase, p, g) for phase in Phase}
        self._share = 1.0  # of the planned thrust, that is at hand
        R_mcmf_approach, target = self._frame.R_mcmf_approach, self._frame.r_target_mcmf
        solvers = [BrakingSolver(gate, R_mcmf_approach, target) for gate in self._gates()]
        self._deorbit = self._planned_deorbit(start)
        self._targeting = Targeting(solvers, p.braking)
        self._pitch_up = PitchUp(p.pitch_up, g)
        self._terminal = TerminalDescent(p.terminal)
        self._redesignation = Redesignation(p.redesignation, OtherSite.of(mission, p.other_site))
        self._contact = ContactMonitor(p.touchdown)
        self._rest = RestMonitor(p.touchdown, g)
        self._doubt = AltitudeDoubt(p.doubt, mission.vehicle.assist.isp_s, p.terminal.touchdown_speed_m_s)
        self._ascent = None if p.abort is None else AbortAscent(p.abort, self._radius_m)
        self._pointing = Pointing()
        self._reset_response = None if p.reset_response is None else ResetResponse(p.reset_response)
        self._phase = Phase.DEORBIT
        self._demand = NOTHING
        self._state: LanderState | None = None
        self._step_s = self._last_s = 0.0
        self._steer = {
            Phase.DEORBIT: self._deorbiting,
            Phase.COAST: self._coasting,
            Phase.BRAKING: self._braking,
            Phase.PITCH_UP: self._pitching_up,
            Phase.TERMINAL: self._descending,
            Phase.TOUCHDOWN: self._touching_down,
            Phase.SAFE: self._standing,
            Phase.ABORT: self._aborting,
        }

    def _planned_deorbit(self, start: NominalStart) -> DeorbitBurn | None:
        if start.deorbit_delta_v_m_s <= 0.0:
            return None
        acceleration = self._estimate.acceleration(self._estimate.main_n)
        return DeorbitBurn(
            start.deorbit_time_s, start.deorbit_delta_v_m_s, acceleration, self._parameters.deorbit.time_limit_factor
        )

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Command from now until the next step."""
        self._step_s, self._last_s = tick.time_s - self._last_s, tick.time_s
        self._redesignate(tick, inputs)
        state = self._read(tick, inputs)
        if state is None:
            self._fly_blind(tick.time_s, inputs)
        else:
            self._state = state
            self._estimate.update(state, self._demand)
            self._be_cautious(state)
            if self._is_to_abort(state, inputs):
                self._phase = Phase.ABORT
            self._demand = self._limited(self._steer[self._phase](state), inputs, tick.time_s)
            self._point(state)
        return {"guidance_command": self._message()}

    def _limited(self, demand: Demand, inputs: Inputs, time_s: float) -> Demand:
        if self._reset_response is None:
            return demand
        navigation = inputs.latest("navigation_state")
        failed = navigation is not None and navigation.imu_verdict == NavigationState.REJECTED
        return self._reset_response.limited(demand, failed, time_s)

    def restore(self, published: Mapping[str, Message]) -> None:
        """Go on in the phase and from the attitude that were commanded last; plans are made anew."""
        command = published.get("guidance_command")
        if command is None:
            return
        self._phase = Phase(command.phase)
        self._last_s = stamp_ns(command) * 1e-9
        self._aim_at(_vector(command.r_target_site))
        self._redesignation.count = int(command.redesignations)
        self._pointing.resume(_quaternion(command.q_mci_body_command), _vector(command.w_mci_body_command))
        self._terminal.main_engine = bool(command.main_engine)
        if self._deorbit is not None and self._phase is Phase.DEORBIT:
            self._deorbit.resume(command.delta_v_to_go_m_s)
        self._demand = Demand(
            thrust_n=command.thrust_n,
            main_engine=bool(command.main_engine),
            assist_engines=bool(command.assist_engines),
            time_to_go_s=command.time_to_go_s,
            delta_v_to_go_m_s=command.delta_v_to_go_m_s,
        )

    # Inputs

    def _read(self, tick: Tick, inputs: Inputs) -> LanderState | None:
        """The state, or None where navigation says nothing new or nothing sound."""
        telemetry = inputs.fresh("vehicle_telemetry")
        if telemetry is not None:
            self._estimate.gauge(telemetry.propellant_gauge_kg, telemetry.rcs_propellant_gauge_kg, self._step_s)
        engines = inputs.fresh("throttle_command")
        if engines is not None:
            self._estimate.engines(engines.main_limit_n, engines.assist_limit_n)
        message = inputs.fresh("navigation_state")
        if message is None or not _is_sound(message):
            return None
        x, y, z = self._frame.place(_vector(message.r_lander_site))
        return LanderState(
            time_s=tick.time_s,
            r_mci=_vector(message.r_lander_mci),
            v_mci=_vector(message.v_lander_mci),
            q_mci_body=_quaternion(message.q_mci_body),
            w_body=_vector(message.w_mci_body),
            position=(x, y, z - self._estimate.com_height_m),
            velocity=self._frame.from_site(_vector(message.v_lander_site)),
            altitude_m=float(message.altitude_m),
            altitude_sigma_m=float(message.altitude_sigma_m),
            altitude_low_m=float(message.altitude_low_m),
            contacts=_contacts(inputs),
        )

    def _aim_at(self, target_site: Vector) -> None:
        self._target_site = target_site
        self._frame = ApproachFrame(self._site, self._azimuth_deg, target_site)

    def _redesignate(self, tick: Tick, inputs: Inputs) -> None:
        """In the terminal descent, land elsewhere if the target is out of reach or hazardous."""
        state = self._state
        if self._phase != Phase.TERMINAL or state is None:
            return
        choice, r_lander_site = self._redesignation, self._frame.to_site(state.position)
        elsewhere = choice.within_reach(state.altitude_m, self._target_site, r_lander_site)
        elsewhere = elsewhere or choice.elsewhere(tick.time_s, state.altitude_m, inputs.fresh("safe_site"))
        if elsewhere is not None:
            self._aim_at(elsewhere)

    def _fly_blind(self, time_s: float, inputs: Inputs) -> None:
        """Without navigation: the last thrust, the last turn for a while; and off when the legs are on the ground."""
        blind_s = 0.0 if self._state is None else time_s - self._state.time_s
        turning = blind_s <= self._parameters.blind.turn_s
        self._pointing.turn_on(self._step_s) if turning else self._pointing.stop()
        if self._phase in (Phase.TERMINAL, Phase.TOUCHDOWN) and self._contact.is_stood(_contacts(inputs)):
            self._phase, self._demand = Phase.TOUCHDOWN, NOTHING

    # Faults

    def _be_cautious(self, state: LanderState) -> None:
        """Reckon with ground that is as high as can still be believed."""
        estimate, ground_m = self._estimate, self._doubt.now.ground_m
        caution = self._doubt.judge(state, estimate.mass_kg, estimate.usable_kg, self._gravity)
        if estimate.share != self._share or caution.ground_m != ground_m:
            self._share = estimate.share
            self._pitch_up.weaken(self._share)
            self._targeting.aim(self._gates(), caution.ground_m)

    def _gates(self) -> list[Gate]:
        """Where braking may end, for the thrust that is at hand."""
        p = self._parameters.pitch_up
        return [reference_gate(p, end, self._gravity, self._share) for end in p.ends]

    def _is_to_abort(self, state: LanderState, inputs: Inputs) -> bool:
        """Whether health advises it, and it is possible from here."""
        status = inputs.fresh("health_status")
        if status is None or status.advice != HealthStatus.ABORT:
            return False
        ascent = self._ascent
        if ascent is None or self._phase > Phase.BRAKING or not ascent.is_due(state.time_s):
            return False
        estimate = self._estimate
        return ascent.is_possible(state, estimate.model(), estimate.mass_kg, estimate.usable_kg, status.leak_kg_s)

    def _aborting(self, state: LanderState) -> Demand:
        p, estimate, ascent = self._parameters.abort, self._estimate, self._ascent
        if p is None or ascent is None or ascent.is_done(state.r_mci, state.v_mci):
            return self._enter(Phase.SAFE, state)
        thrust_n = p.level * estimate.full_n
        direction = ascent.direction(state.r_mci, state.v_mci, estimate.acceleration(thrust_n))
        aligned = angle_between(body_z(state.q_mci_body), direction) < radians(p.aligned_deg)
        return Demand(
            direction_mci=direction,
            rate_mci=AT_REST,
            thrust_n=thrust_n if aligned else 0.0,
            main_engine=aligned,
            assist_engines=aligned,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
        )

    # Phases

    def _enter(self, phase: Phase, state: LanderState) -> Demand:
        self._phase = phase
        return self._steer[phase](state)

    def _deorbiting(self, state: LanderState) -> Demand:
        burn, p = self._deorbit, self._parameters.coast
        if burn is None or burn.is_over(state, self._step_s):
            return self._enter(Phase.COAST, state)
        burning = state.time_s >= burn.begin_s
        return Demand(
            direction_mci=burn.direction(state),
            rate_mci=AT_REST,
            thrust_n=self._estimate.main_n if burning else 0.0,
            main_engine=burning,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
            time_to_go_s=burn.time_to_go_s(state),
            delta_v_to_go_m_s=burn.delta_v_to_go_m_s,
        )

    def _coasting(self, state: LanderState) -> Demand:
        p, targeting = self._parameters, self._targeting
        if state.speed < p.braking.late_start_speed_m_s:
            return self._enter(Phase.PITCH_UP, state)
        to_ignition = targeting.ignition_in_s(state.time_s)
        near = to_ignition < 2.0 * p.coast.wake_s
        if targeting.is_due(state.time_s, p.coast.replan_near_s if near else p.coast.replan_s) or targeting.arc is None:
            guess = max(self._start.descent_time_s - state.time_s, 0.0)
            targeting.plan_ignition(state, self._estimate.model(), guess)
            to_ignition = targeting.ignition_in_s(state.time_s)
        if targeting.arc is not None and to_ignition <= 0.5 * self._step_s:
            targeting.ignite(state)
            return self._enter(Phase.BRAKING, state)
        direction = None if targeting.arc is None else targeting.arc.primer
        return Demand(
            direction_mci=direction,
            rate_mci=AT_REST,
            low_rate=to_ignition > p.coast.wake_s and self._is_settled(state, direction),
            slew_rate_rad_s=radians(p.coast.slew_rate_deg_s),
            time_to_go_s=to_ignition,
            delta_v_to_go_m_s=self._planned_delta_v(),
        )

    def _planned_delta_v(self) -> float:
        """Of the burn that is planned, m/s."""
        arc, estimate = self._targeting.arc, self._estimate
        return 0.0 if arc is None else estimate.delta_v(arc.level * estimate.full_n, arc.burn_s)

    def _is_settled(self, state: LanderState, direction: Vector | None) -> bool:
        settled = radians(self._parameters.coast.attitude_settled_deg)
        return direction is None or angle_between(body_z(state.q_mci_body), direction) < settled

    def _braking(self, state: LanderState) -> Demand:
        p, targeting = self._parameters.braking, self._targeting
        if targeting.is_due(state.time_s, p.replan_s) and (
            targeting.arc is None or targeting.burn_to_go_s(state.time_s) > p.steering_hold_s
        ):
            targeting.replan(state, self._estimate.model())
        arc, steering, to_go = targeting.arc, targeting.direction(state), targeting.burn_to_go_s(state.time_s)
        lost = targeting.failures >= p.abandon_failures and to_go < p.abandon_s
        if arc is None or steering is None or lost or to_go <= 0.5 * self._step_s:
            return self._enter(Phase.PITCH_UP, state)
        thrust_n = arc.level * self._estimate.full_n
        return Demand(
            direction_mci=steering[0],
            rate_mci=steering[1],
            thrust_n=thrust_n,
            main_engine=True,
            assist_engines=True,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=self._estimate.delta_v(thrust_n, to_go),
        )

    def _pitching_up(self, state: LanderState) -> Demand:
        p, pitch_up, limits = self._parameters.braking, self._pitch_up, self._estimate.limits()
        state = lowered(state, self._doubt.now.ground_m)
        if pitch_up.is_over(state, self._step_s):
            self._contact.arm(state.contacts)
            return self._enter(Phase.TERMINAL, state)
        most = p.level_most * limits.all_m_s2
        acceleration, jerk = pitch_up.acceleration(state, limits.main_m_s2, most)
        wanted = thrust_of(acceleration, gravity(state.position, self._radius_m))
        given = min(max(norm(wanted), limits.main_m_s2), most)
        to_go = pitch_up.to_go_s(state.time_s)
        return Demand(
            direction_mci=self._frame.to_mci(unit(wanted), state.time_s),
            rate_mci=self._frame.to_mci(turning_rate(wanted, jerk), state.time_s),
            thrust_n=self._estimate.thrust(given),
            main_engine=True,
            assist_engines=True,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=given * to_go,
        )

    def _descending(self, state: LanderState) -> Demand:
        slow_m, caution = slow_descent_height(self._parameters.touchdown, state.altitude_sigma_m), self._doubt.now
        near = state.altitude_m < slow_m and caution.ground_m == 0.0
        if near or self._is_touched(state):
            return self._enter(Phase.TOUCHDOWN, state)
        end = caution.speed_m_s
        to_go = 2.0 * max(state.altitude_m - slow_m, 0.0) / (max(-state.velocity[2], end) + end)
        return self._lowered(state, state.altitude_m - caution.ground_m - slow_m, to_go, end)

    def _touching_down(self, state: LanderState) -> Demand:
        if self._demand.assist_engines and not self._is_touched(state):
            slow_m = slow_descent_height(self._parameters.touchdown, state.altitude_sigma_m)
            end = slow_descent_speed(self._parameters, state)
            return self._lowered(state, max(state.altitude_m - slow_m, 0.0), max(state.altitude_m, 0.0) / end, end)
        at_rest = self._rest.is_at_rest(state, self._estimate.acceleration_m_s2, self._contact.is_stood(state.contacts))
        return self._enter(Phase.SAFE, state) if at_rest else NOTHING

    def _standing(self, _state: LanderState) -> Demand:
        return NOTHING._replace(low_rate=True)

    def _lowered(self, state: LanderState, height_m: float, to_go: float, end_speed_m_s: float) -> Demand:
        """The terminal descent at a height above the beginning of the slow descent."""
        p = self._parameters.terminal
        g = -gravity(state.position, self._radius_m)[2]
        wanted = self._terminal.thrust(
            state.position, state.velocity, height_m, g, self._estimate.limits(), end_speed_m_s
        )
        size = norm(wanted)
        return Demand(
            direction_mci=self._frame.to_mci(scaled(wanted, 1.0 / size), state.time_s),
            rate_mci=None,
            thrust_n=self._estimate.thrust(size),
            main_engine=self._terminal.main_engine,
            assist_engines=True,
            slew_rate_rad_s=radians(p.slew_rate_deg_s),
            time_to_go_s=to_go,
            delta_v_to_go_m_s=max(-state.velocity[2] - p.touchdown_speed_m_s, 0.0) + g * to_go,
        )

    def _is_touched(self, state: LanderState) -> bool:
        explained = self._estimate.acceleration(self._demand.thrust_n)
        return self._contact.is_touched(state, self._estimate.acceleration_m_s2, explained)

    # Outputs

    def _point(self, state: LanderState) -> None:
        demand, pointing = self._demand, self._pointing
        on_the_ground = self._phase in (Phase.TOUCHDOWN, Phase.SAFE) and not demand.assist_engines
        if pointing.q_mci_body is None or on_the_ground:
            pointing.hold(state.q_mci_body)
            return
        left = self._frame.to_mci(LEFT, state.time_s)
        wanted = None if demand.direction_mci is None else attitude(demand.direction_mci, left)
        if wanted is None:
            pointing.stop()
        else:
            pointing.move(wanted, demand.rate_mci, demand.slew_rate_rad_s, self._step_s)

    def _message(self) -> Any:
        demand, state = self._demand, self._state
        return GuidanceCommand(
            phase=int(self._phase),
            q_mci_body_command=np.array(self._pointing.q_mci_body or IDENTITY),
            w_mci_body_command=np.array(self._pointing.w_body),
            thrust_n=demand.thrust_n,
            main_engine=demand.main_engine,
            assist_engines=demand.assist_engines,
            low_rate=demand.low_rate,
            time_to_go_s=demand.time_to_go_s,
            time_to_touchdown_s=self._time_to_touchdown(),
            delta_v_to_go_m_s=demand.delta_v_to_go_m_s + self._delta_v_after[self._phase],
            range_to_go_m=0.0 if state is None else self._range_to_go(state),
            r_target_site=np.array(self._target_site),
            redesignations=self._redesignation.count,
        )

    def _time_to_touchdown(self) -> float:
        """Planned time until the ground, s."""
        after = self._time_after[self._phase]
        if self._phase == Phase.DEORBIT:
            return max(self._start.descent_time_s - self._last_s, 0.0) + after
        if self._phase == Phase.COAST:
            return max(self._targeting.burn_to_go_s(self._last_s), 0.0) + after
        return self._demand.time_to_go_s + after

    def _range_to_go(self, state: LanderState) -> float:
        """Along the ground to the target, m."""
        return self._radius_m * angle_between(
            unit(state.r_mci), self._frame.to_mci(self._frame.up_target, state.time_s)
        )


def _is_sound(message: Any) -> bool:
    """Whether every number that guidance uses is finite: a sum is finite only if all of its terms are."""
    arrays = (
        message.r_lander_mci,
        message.v_lander_mci,
        message.q_mci_body,
        message.w_mci_body,
        message.r_lander_site,
        message.v_lander_site,
    )
    return isfinite(sum(map(sum, (array.tolist() for array in arrays))) + message.altitude_m + message.altitude_sigma_m)


def _contacts(inputs: Inputs) -> tuple[bool, ...]:
    telemetry = inputs.latest("vehicle_telemetry")
    return () if telemetry is None else tuple(telemetry.contact.tolist())


def _vector(values: Any) -> Vector:
    x, y, z = values.tolist()
    return (x, y, z)


def _quaternion(values: Any) -> Quaternion:
    x, y, z, w = values.tolist()
    return (x, y, z, w)
