"""Navigation: inertial, in mci, corrected by the rangefinder and by fixes of the camera over the onboard maps. An
error-state Kalman filter.

The state is carried at every tick (`strapdown`), the covariance every 0.1 s (`error_state`). A range is used at its time of validity:
the state is walked back to it on the increments of the ticks since, and the measurement row carried to the errors of
now; so is a fix, at the time of its image. The process
noise of the time between is left out; over seconds it is micrometres.
"""

from __future__ import annotations

from collections.abc import Mapping
from math import exp, hypot, inf
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import camera_geometry
from lander_common.mission import Mission, Vehicle
from lander_common.mission_map import mission_map
from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_common.onboard_map import OnboardMap
from lander_common.start import nominal_start
from lander_flight import error_state as es
from lander_flight import navigation_report as report
from lander_flight import strapdown as sd
from lander_flight.acceleration_monitor import AccelerationMonitor
from lander_flight.fix_processor import NO_FIX, FixProcessor
from lander_flight.free_fall import FreeFallCalibration
from lander_flight.heritage.inertial_drift import InertialDrift
from lander_flight.inertial_filter import InertialFilter, history_length, new_state
from lander_flight.initial_covariance import initial_covariance, process_noise
from lander_flight.mass_model import MassModel
from lander_flight.navigation_parameters import NavigationParameters, imu_sheet, rangefinder_mount
from lander_flight.range_gate import Verdict
from lander_flight.range_gate_choice import build_gate
from lander_flight.range_processor import NOT_USED, RangeProcessor
from lander_runtime.messages import Message, NavigationFilter, NavigationState, stamp_ns
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

Array = NDArray[np.float64]

_SHORTEST_TICK_S = 0.02  # that history is sized for


class Navigation(Subsystem):
    """Estimates where the lander is, how it moves and how it is turned, and how sure that is."""

    name: ClassVar[str] = "navigation"

    def __init__(self, mission: Mission, onboard_map: OnboardMap | None = None) -> None:
        """`onboard_map` replaces the one that was made for the mission, for tests."""
        self._parameters = parameters = mission.part("navigation", NavigationParameters)
        sheet, belief, ground = imu_sheet(mission), parameters.rangefinder, onboard_map or mission_map(mission)
        start = nominal_start(mission)
        covariance = initial_covariance(mission.dispersions, sheet, belief, ground)
        history = history_length(parameters.history_s, _SHORTEST_TICK_S)
        state = new_state(start.r_mci, start.v_mci, start.q_mci_body)
        self.filter = InertialFilter(state, covariance, 0.0, process_noise(sheet), history)
        self._mass = Propellant(mission)
        self._free_fall = FreeFallCalibration(parameters.free_fall, sheet)
        believed = parameters.acceleration
        self._acceleration = None if believed is None else AccelerationMonitor(mission.vehicle, believed)
        self._rate = np.zeros(3)  # mean body rate of the last moments, as measured
        self._altitude_m = inf
        self.mount = rangefinder_mount(mission)
        self._range = RangeProcessor(belief, self.mount, build_gate(parameters.range_gate), ground, mission.site_frame)
        self._fixes = self._fix_processor(mission)
        self._reporter = report.Reporter(mission.site_frame, mission.vehicle.legs, ground, belief)
        self._drift = None if parameters.inertial_drift is None else InertialDrift(parameters.inertial_drift)
        self._time_ns = 0
        self._blind_s = 0.0
        self._last_range = NOT_USED
        self._accepted_s = -inf
        self._last_fix = NO_FIX
        self._fixed_s = -inf
        self._nis: list[float] = []
        self._fix_nis: list[float] = []
        self._reporter.refresh(self.filter, self._range)
        self._range.rehearse(self.filter)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Advance by the increments of the tick, use a range if there is a new one, say what came of it."""
        imu_verdict = self._advance(tick, inputs.fresh("imu_increments"), inputs.fresh("throttle_command"))
        if self._drift is not None:
            self._drift.grow(self.filter, tick.step_s)
        measurement, fix = inputs.fresh("range"), inputs.fresh("trn_fix")
        fixed = fix is not None and (fix.valid or fix.moved)
        if self.filter.lag_s >= self._parameters.covariance_period_s - 1e-6 or measurement is not None or fixed:
            self.filter.carry()
            if fixed:
                self._use_fix(fix)
            if measurement is not None:
                self._use_range(measurement)
            self._reporter.refresh(self.filter, self._range)
        outputs: Outputs = {"navigation_state": self._state_message(imu_verdict)}
        if self.node.outputs[1].is_due(tick.previous_ns, tick.stamp_ns):
            outputs["navigation_filter"] = self._filter_message()
        return outputs

    def _fix_processor(self, mission: Mission) -> FixProcessor | None:
        if "camera" not in mission.documents:
            return None
        return FixProcessor(self._parameters.trn, camera_geometry(mission), mission.site_frame)

    def _advance(self, tick: Tick, imu: Message | None, command: Message | None) -> Verdict:
        """Carry the state to the end of the tick; over what the IMU does not cover, by what was commanded."""
        missed_s = (tick.previous_ns - self._time_ns) * 1e-9
        if missed_s > 0.0:
            self._advance_blind(missed_s)
        self._time_ns = tick.stamp_ns
        if tick.step_ns == 0:
            return Verdict.NOT_USED
        if imu is None or not imu.valid or imu.interval_ns != tick.step_ns:
            self._advance_blind(tick.step_s, command)
            return Verdict.REJECTED
        self._advance_on(imu, tick.step_s, command)
        return Verdict.DEWEIGHTED if imu.saturated or self._is_modelled() else Verdict.ACCEPTED

    def _is_modelled(self) -> bool:
        return self._acceleration is not None and self._acceleration.modelled

    def _advance_on(self, imu: Message, dt: float, command: Message | None) -> None:
        delta_v = measured = imu.delta_v_body.tolist()
        if command is not None and self._acceleration is not None:
            delta_v = self._acceleration.choose(measured, command, self._mass.mass_kg, dt, self._altitude_m)
        self._free_fall.add(imu.delta_theta_body.tolist(), delta_v, dt, self.filter)
        self._mass.spend(delta_v[2])
        self.filter.advance(imu.delta_theta_body, imu.delta_v_body if delta_v is measured else np.array(delta_v), dt)
        self._rate += (self.filter.motion[:3] - self._rate) * (1.0 - exp(-dt / self._parameters.blind.rate_smoothing_s))
        if self._acceleration is not None and self._acceleration.modelled:
            self._doubt_motion(self._acceleration.sigma_m_s2(), 0.0, dt)
        else:
            self._blind_s = 0.0

    def _advance_blind(self, dt: float, command: Message | None = None) -> None:
        """What the commanded valve times must have given; without a command, the force of the last tick and the mean rate."""
        nav, believed = self.filter.nav, self._parameters.blind
        delta_v, sigma = _sensed(nav, self.filter.motion[3:]) * dt, believed.acceleration_sigma_m_s2
        if command is not None and self._acceleration is not None:
            delta_v = np.array(self._acceleration.model(command, self._mass.mass_kg, dt))
            sigma = self._acceleration.sigma_m_s2()
        rate, rate_sigma = self._predicted_rate(command)
        self._mass.spend(float(delta_v[2]))
        self.filter.advance((rate + nav[sd.GYRO_BIAS : sd.ACCELEROMETER_BIAS]) * dt, delta_v, dt)
        self._doubt_motion(sigma, rate_sigma, dt)

    def _predicted_rate(self, command: Message | None) -> tuple[Array, float]:
        """Body rate over a tick that nobody measured, and its 1-sigma, rad/s: what throttle foresaw, or the last mean."""
        believed = self._parameters.blind
        if command is None or not np.isfinite(command.w_mci_body_coming).all():
            return self._rate, believed.held_rate_sigma_rad_s
        rate = command.w_mci_body_coming
        change = float(np.linalg.norm(rate - self._rate))  # since it was measured; what the torques made of it
        return rate, hypot(believed.rate_sigma_rad_s, believed.rate_fraction * change)

    def _doubt_motion(self, acceleration_sigma: float, rate_sigma: float, dt: float) -> None:
        """What stands in for the IMU may be wrong by the same amount for as long as this lasts."""
        growth = dt * (2.0 * self._blind_s + dt)  # of the square of the time
        self.filter.doubt(slice(es.VELOCITY, es.ATTITUDE), acceleration_sigma**2 * growth)
        if rate_sigma > 0.0:
            self.filter.doubt(slice(es.ATTITUDE, es.GYRO), rate_sigma**2 * growth)
        self._blind_s += dt

    def _use_range(self, measurement: Message) -> None:
        vouched = self.filter.time_s - self._fixed_s <= self._parameters.trn.gate.vouch_s
        self._last_range = result = self._range.process(measurement, self.filter, self._mass.com_body(), vouched)
        if result.verdict in (Verdict.ACCEPTED, Verdict.DEWEIGHTED):
            self._accepted_s = self.filter.time_s
            if self._drift is not None:
                self._drift.forget()
            self._nis.append(result.nis)

    def _use_fix(self, fix: Message) -> None:
        if self._fixes is None:
            return
        com_body, ranged_s = self._mass.com_body(), self.filter.time_s - self._accepted_s
        if fix.moved:
            self._fixes.process_motion(fix, self.filter, com_body)
        if not fix.valid:
            return
        self._last_fix = result = self._fixes.process(fix, self.filter, com_body, ranged_s)
        if result.used:
            self._fixed_s = result.time_s
            self._fix_nis.append(result.nis)

    def _state_message(self, imu_verdict: Verdict) -> Message:
        filter_, sure, result, fix = self.filter, self._reporter.sure, self._last_range, self._last_fix
        where = self._reporter.where(filter_, self._mass.com_body())
        nav = filter_.nav[: sd.GYRO_BIAS].copy()
        self._altitude_m, sigma_m = float(where[report.ALTITUDE]), float(sure[report.ALTITUDE_SIGMA])
        return NavigationState(
            r_lander_site=where[0:3],
            v_lander_site=where[3:6],
            q_site_body=where[6:10],
            r_lander_mci=nav[0:3],
            v_lander_mci=nav[3:6],
            q_mci_body=nav[6:10],
            w_mci_body=filter_.motion[0:3],
            specific_force_body=filter_.motion[3:6],
            altitude_m=self._altitude_m,
            altitude_sigma_m=sigma_m,
            altitude_low_m=self._altitude_m - 3.0 * sigma_m - self._range.disputed_m,
            r_sigma_site_m=sure[0:3],
            v_sigma_site_m_s=sure[3:6],
            attitude_sigma_rad=sure[6:9],
            attitude_correction_mci=filter_.attitude_correction,
            imu_verdict=imu_verdict,
            range_verdict=result.verdict,
            range_innovation_m=result.innovation_m,
            range_innovation_sigma_m=result.sigma_m,
            range_age_s=self._age_s(self._accepted_s),
            trn_verdict=fix.verdict,
            trn_innovation_site_m=fix.innovation_m,
            trn_innovation_sigma_m=fix.sigma_m,
            trn_nis=fix.nis,
            trn_age_s=self._age_s(self._fixed_s),
        )

    def _age_s(self, accepted_s: float) -> float:
        return -1.0 if accepted_s == -inf else self.filter.time_s - accepted_s

    def _filter_message(self) -> Message:
        self.filter.carry()
        return NavigationFilter(
            states=list(es.NAMES),
            bias=self.filter.nav[sd.GYRO_BIAS :].copy(),
            covariance=self.filter.P.ravel().copy(),
            nis=np.array(self.take_nis()),
            trn_nis=np.array(self.take_fix_nis()),
            propellant_kg=self._mass.left_kg,
        )

    def com_body(self) -> Array:
        """Centre of mass in body as believed, m, shape (3,)."""
        return self._mass.com_body()

    def take_nis(self) -> list[float]:
        """Normalised innovations squared of the ranges used since the last call."""
        nis, self._nis = self._nis, []
        return nis

    def take_fix_nis(self) -> list[float]:
        """The same of the fixes, 6 degrees of freedom each."""
        nis, self._fix_nis = self._fix_nis, []
        return nis

    def restore(self, published: Mapping[str, Message]) -> None:
        """Go on from the newest state, and from the newest filter, which may be older."""
        state, filter_ = published.get("navigation_state"), published.get("navigation_filter")
        if state is None or filter_ is None:
            return
        nav = np.concatenate([state.r_lander_mci, state.v_lander_mci, state.q_mci_body, filter_.bias])
        self._time_ns = stamp_ns(state)
        self.filter.restore(nav, filter_.covariance.reshape(es.SIZE, es.SIZE), self._time_ns * 1e-9)
        self.filter.motion = np.concatenate([state.w_mci_body, state.specific_force_body])
        self.filter.attitude_correction = state.attitude_correction_mci
        self._mass.restore(filter_.propellant_kg)
        if state.range_age_s >= 0.0:
            self._accepted_s = self.filter.time_s - state.range_age_s
        if state.trn_age_s >= 0.0:
            self._fixed_s = self.filter.time_s - state.trn_age_s
        self._reporter.refresh(self.filter, self._range)


class Propellant:
    """Mass and centre of mass by the velocity gained, for want of a gauge: the rocket equation at the mean exhaust velocity."""

    def __init__(self, mission: Mission) -> None:
        start, vehicle = mission.start, mission.vehicle
        self._model = MassModel(vehicle, start.propellant_kg, start.rcs_propellant_kg)
        self.left_kg, self._rcs_kg = start.propellant_kg, start.rcs_propellant_kg
        self._least_kg = vehicle.mass.unusable_propellant_kg
        self._exhaust_m_s = mean_exhaust_velocity(vehicle)
        self._gained_m_s = 0.0
        self._com = np.array(self._model.com_body_m)

    @property
    def mass_kg(self) -> float:
        """Mass as believed."""
        return self._model.mass_kg

    def spend(self, gained_m_s: float) -> None:
        """Velocity gained along the thrust axis."""
        self._gained_m_s += gained_m_s
        if self._gained_m_s > 1.0:
            self.left_kg -= self._model.mass_kg * (1.0 - exp(-self._gained_m_s / self._exhaust_m_s))
            self.left_kg = max(self.left_kg, self._least_kg)
            self._model.update(self.left_kg, self._rcs_kg)
            self._com = np.array(self._model.com_body_m)
            self._gained_m_s = 0.0

    def restore(self, left_kg: float) -> None:
        """Go on with so much propellant."""
        self.left_kg = left_kg
        self._model.update(self.left_kg, self._rcs_kg)
        self._com = np.array(self._model.com_body_m)

    def com_body(self) -> Array:
        """Centre of mass in body, m, shape (3,)."""
        return self._com


def mean_exhaust_velocity(vehicle: Vehicle) -> float:
    """Of the main engine and all assist thrusters together, m/s."""
    main, assist = vehicle.main_engine, vehicle.assist
    flow = main.thrust_n / main.isp_s + assist.count * assist.thrust_n / assist.isp_s
    return vehicle.full_thrust_n / flow * STANDARD_GRAVITY_M_S2


def _sensed(nav: Array, force: Array) -> Any:
    """What the accelerometers read at a specific force: the inverse of `strapdown.specific_force`."""
    z = (force[2] + nav[sd.ACCELEROMETER_BIAS + 2]) / (1.0 - nav[sd.THRUST_AXIS + 2])
    return force + nav[sd.ACCELEROMETER_BIAS : sd.RANGE_BIAS] + nav[sd.THRUST_AXIS : sd.MAP_HEIGHT] * z
