"""Fly navigation by itself along the reference descent, with the real device models, and keep what it believed beside what was true."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import exp
from typing import Protocol

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_common.onboard_map import OnboardMap
from lander_common.quaternion import conjugate, multiply, to_rotation_vector
from lander_flight.error_state import GYRO, POSITION, VELOCITY
from lander_flight.mass_model import MassModel
from lander_flight.navigation import Navigation, mean_exhaust_velocity
from lander_flight.strapdown import GYRO_BIAS, Q, R, V
from lander_runtime.messages import Message, header_message, zeros
from lander_runtime.subsystem import Inputs, Tick
from lander_sensors.imu import Imu
from lander_sensors.rangefinder import Rangefinder
from lander_terrain.terrain import Terrain
from lander_tools.reference_descent import PointLander, ReferenceGuidance, matrix, point_lander
from lander_world.initial_state import initial_state

Array = NDArray[np.float64]

_RANGE_PERIOD_NS = 100_000_000
_DYNAMIC = GYRO  # position, velocity, attitude: the errors that are known without looking into the devices


class FixSource(Protocol):
    """Stands for camera and terrain-relative navigation."""

    def look(self, tick: Tick, lander: PointLander, com_body: Array) -> Message | None:
        """The fix that comes out at this tick, if any."""


@dataclass
class Record:
    """Histories of a trial, one row per sample."""

    time_s: list[float] = field(default_factory=list)
    error: list[Array] = field(
        default_factory=list
    )  # true less estimated: position, velocity (mci), attitude, m, m/s, rad; shape (9,)
    covariance: list[Array] = field(default_factory=list)  # shape (9, 9)
    altitude: list[tuple[float, float, float]] = field(default_factory=list)  # true, estimated, 1-sigma, m
    nis: list[float] = field(default_factory=list)
    fix_nis: list[float] = field(default_factory=list)
    nis_time_s: list[float] = field(default_factory=list)
    verdicts: list[int] = field(default_factory=list)

    def nees(self) -> Array:
        """Normalised estimation error squared of position, velocity and attitude, shape (samples,)."""
        return np.array([e @ np.linalg.solve(P, e) for e, P in zip(self.error, self.covariance, strict=True)])


class NavigationTrial:
    """One descent of a point mass, steered by what navigation believes."""

    def __init__(
        self,
        mission: Mission,
        terrain: Terrain,
        onboard_map: OnboardMap,
        tick_s: float,
        fixes: FixSource | None = None,
        ranges: bool = True,
    ) -> None:
        """`fixes`: what gives fixes of terrain-relative navigation; `ranges`: whether the rangefinder works."""
        self._mission = mission
        self._fixes, self._ranges = fixes, ranges
        self._terrain = terrain
        self._step_ns = round(tick_s * 1e9)
        self.navigation = Navigation(mission, onboard_map)
        self._imu = Imu(mission)
        self._rangefinder = Rangefinder(mission, terrain)
        self._guidance = ReferenceGuidance(mission.site_frame, mission.site.approach_azimuth_deg)
        self.lander = dispersed(mission)
        self._mass = MassModel(mission.vehicle, mission.start.propellant_kg, mission.start.rcs_propellant_kg)
        self._propellant_kg = mission.start.propellant_kg
        self._exhaust_m_s = mean_exhaust_velocity(mission.vehicle)
        self._truth = zeros("lander_interfaces/msg/Truth")

    def run(self, sample_s: float, until_s: float | None = None) -> Record:
        """Fly to the last gate, or a time, or the ground."""
        record, end_s = Record(), min(self._guidance.end_s, until_s or self._guidance.end_s)
        every = round(sample_s * 1e9 / self._step_ns)
        seq = 0
        while self.lander.time_s < end_s:
            tick = Tick(seq, seq * self._step_ns, self._step_ns if seq else 0)
            if seq:
                self._move()
            altitude_m = self._observe(tick)
            state = self._navigate(tick)
            self._note(record, tick, state, altitude_m, seq % every == 0)
            if altitude_m < 0.5:
                break
            seq += 1
        return record

    def _move(self) -> None:
        lander, dt, nav = self.lander, self._step_ns * 1e-9, self.navigation.filter.nav
        time_s = lander.time_s
        wanted = self._guidance.thrust(nav[R : R + 3], nav[V : V + 3], time_s + 0.5 * dt)
        axes = self._guidance.attitude(lander.q_mci_body, wanted, time_s + dt, dt)
        axis = matrix(axes)[:, 2]
        force = max(0.0, float(axis @ wanted))
        lander.step(force * axis, axes, dt)
        self._propellant_kg -= self._mass.mass_kg * (1.0 - exp(-force * dt / self._exhaust_m_s))
        self._mass.update(self._propellant_kg, self._mission.start.rcs_propellant_kg)

    def _observe(self, tick: Tick) -> float:
        """Fill the message of the truth; return the altitude of the pads."""
        lander, truth = self.lander, self._truth
        truth = zeros("lander_interfaces/msg/Truth")
        truth.tick, truth.header = tick.seq, header_message(tick.stamp_ns, "mci")
        truth.step_ns = tick.step_ns
        truth.r_lander_mci, truth.v_lander_mci = lander.r_mci, lander.v_mci
        truth.q_mci_body = np.array(lander.q_mci_body)
        truth.delta_v_body, truth.delta_theta_body = lander.delta_v_body, lander.delta_theta_body
        truth.w_mci_body = lander.delta_theta_body / (self._step_ns * 1e-9)
        site = self._mission.site_frame
        truth.r_lander_site, truth.v_lander_site = site.to_site(lander.r_mci, lander.v_mci, lander.time_s)
        truth.q_site_body = np.array(multiply(conjugate(site.q_mci_site(lander.time_s)), lander.q_mci_body))
        truth.r_com_body = np.array(self._mass.com_body_m)
        above = self._terrain.altitude(truth.r_lander_site.tolist())
        pads = pad_depth(
            matrix(lander.q_mci_body), lander.r_mci, truth.r_com_body, self._mission.vehicle.legs.pad_radius_m
        )
        truth.altitude_m = above - pads
        self._truth = truth
        return float(truth.altitude_m)

    def _navigate(self, tick: Tick) -> Message:
        seen = Inputs({"truth": self._truth}, {"truth"})
        fix = self._fixes.look(tick, self.lander, np.array(self._mass.com_body_m)) if self._fixes else None
        latest = {"range": None, "trn_fix": fix, "throttle_command": None}
        latest["imu_increments"] = self._imu.step(tick, seen)["imu_increments"]
        fresh = {"imu_increments", "trn_fix"} if fix is not None else {"imu_increments"}
        if self._ranges and tick.stamp_ns // _RANGE_PERIOD_NS > tick.previous_ns // _RANGE_PERIOD_NS:
            latest["range"] = self._rangefinder.step(tick, seen)["range"]
            fresh.add("range")
        return self.navigation.step(tick, Inputs(latest, fresh))["navigation_state"]

    def _note(self, record: Record, tick: Tick, state: Message, altitude_m: float, sample: bool) -> None:
        nis = self.navigation.take_nis()
        record.fix_nis += self.navigation.take_fix_nis()
        record.nis += nis
        record.nis_time_s += [tick.time_s] * len(nis)
        if not sample:
            return
        record.time_s.append(tick.time_s)
        record.error.append(estimation_error(self.lander, self.navigation.filter.nav))
        self.navigation.filter.carry()
        record.covariance.append(self.navigation.filter.P[:_DYNAMIC, :_DYNAMIC].copy())
        record.altitude.append((altitude_m, float(state.altitude_m), float(state.altitude_sigma_m)))
        record.verdicts.append(int(state.range_verdict))


def dispersed(mission: Mission) -> PointLander:
    """The lander at the start that is true for the mission's seed."""
    lander, state = point_lander(mission), initial_state(mission)
    lander.r_mci, lander.v_mci = state[0:3].copy(), state[3:6].copy()
    lander.q_mci_body = (float(state[6]), float(state[7]), float(state[8]), float(state[9]))
    return lander


def estimation_error(lander: PointLander, nav: Array) -> Array:
    """True less estimated: position, velocity and attitude in mci, shape (9,)."""
    error = np.zeros(_DYNAMIC)
    error[POSITION : POSITION + 3] = lander.r_mci - nav[R : R + 3]
    error[VELOCITY : VELOCITY + 3] = lander.v_mci - nav[V : V + 3]
    x, y, z, w = nav[Q:GYRO_BIAS].tolist()
    error[VELOCITY + 3 :] = to_rotation_vector(multiply(lander.q_mci_body, (-x, -y, -z, w)))
    return error


def pad_depth(R_mci_body: Array, r_mci: Array, com_body: Array, pad_radius_m: float) -> float:
    """How far the lowest point of the pads' circle is below the centre of mass, m."""
    up_body = R_mci_body.T @ (r_mci / np.linalg.norm(r_mci))
    return float(up_body @ com_body + pad_radius_m * np.hypot(up_body[0], up_body[1]))
