"""A lander over level ground with perfect devices, for tests of navigation."""

from __future__ import annotations

from typing import Any

import numpy as np

from lander_common.mission import Mission, resolve
from lander_common.onboard_map import OnboardMap, level_grid
from lander_common.quaternion import from_rotation_vector, multiply
from lander_flight import error_state as es
from lander_flight.navigation import Navigation
from lander_flight.strapdown import gravity_mci
from lander_runtime.messages import (
    ImuIncrements,
    NavigationFilter,
    RangeMeasurement,
    header_message,
    time_message,
    zeros,
)
from lander_runtime.subsystem import Inputs, Tick
from lander_tools.reference_descent import PointLander, matrix

Array = np.ndarray
STEP_NS = 20_000_000
SIGMAS = np.array(
    [30.0] * 3
    + [0.1] * 3
    + [5e-5] * 3
    + [1e-8] * 3
    + [1e-4] * 3
    + [0.2]
    + [5e-5] * 3
    + [1.0] * 2
    + [1e-3] * 4
    + [10.0] * 2
    + [0.1] * 2
    + [0.0] * 8
)


def flat_mission() -> Mission:
    """The nominal mission, its map level."""
    return resolve("nominal", 1, {"map": "flat"})


def level_map(sigma_m: float = 1.0) -> OnboardMap:
    """Level ground."""
    return OnboardMap.from_grids([level_grid(sigma_m, 1000.0, 10.0)])


def increments(
    step_ns: int, delta_v: Any = (0.0, 0.0, 0.0), delta_theta: Any = (0.0, 0.0, 0.0), valid: bool = True
) -> Any:
    """A message of the IMU."""
    return ImuIncrements(
        interval_ns=step_ns,
        delta_v_body=np.array(delta_v, float),
        delta_theta_body=np.array(delta_theta, float),
        valid=valid,
        saturated=False,
    )


def shot(range_m: float, at_ns: int, valid: bool = True, beam: int = 1) -> Any:
    """A message of the rangefinder."""
    return RangeMeasurement(
        time_of_validity=time_message(at_ns),
        valid=valid,
        status=0,
        beam=beam,
        range_m=range_m,
        sigma_m=0.5,
        signal_db=10.0,
    )


def step(navigation: Navigation, tick: Tick, imu: Any, measurement: Any = None, fix: Any = None) -> Any:
    """One step; the outputs."""
    latest = {"imu_increments": imu, "range": measurement, "trn_fix": fix, "throttle_command": None}
    return navigation.step(tick, Inputs(latest, {key for key, message in latest.items() if message is not None}))


class Hover:
    """Thrust against gravity and a little less, thrust axis tilted from the vertical; navigation begins with an error."""

    def __init__(
        self,
        height_m: float = 1000.0,
        tilt_rad: float = 0.1,
        error: Array | None = None,
        onboard_map: OnboardMap | None = None,
    ) -> None:
        self.mission = flat_mission()
        site = self.mission.site_frame
        r, v = site.to_mci(np.array([50.0, -80.0, height_m]), np.array([2.0, -3.0, -20.0]), 0.0)
        q = multiply(site.q_mci_site(0.0), from_rotation_vector((tilt_rad, -0.5 * tilt_rad, 0.0)))
        self.lander = PointLander(r, v, q, 0.0, np.zeros(3), np.zeros(3))
        self.navigation = Navigation(self.mission, onboard_map or level_map())
        self.navigation.restore(self.messages(np.zeros(es.SIZE) if error is None else error))
        self.seq = 0
        self.thrust_fraction = 1.0

    def messages(self, error: Array) -> dict[str, Any]:
        """State and filter of a navigation whose position and velocity are wrong by `error` (true less estimated)."""
        state = zeros("lander_interfaces/msg/NavigationState")
        state.header = header_message(0, "site")
        state.r_lander_mci, state.v_lander_mci = self.lander.r_mci - error[:3], self.lander.v_mci - error[3:6]
        state.q_mci_body = np.array(self.lander.q_mci_body)
        state.range_age_s, state.trn_age_s = -1.0, -1.0
        filter_ = NavigationFilter(
            states=list(es.NAMES),
            bias=np.zeros(es.SIZE - es.GYRO),
            covariance=np.diag(SIGMAS**2).ravel(),
            nis=np.zeros(0),
            trn_nis=np.zeros(0),
            propellant_kg=self.mission.start.propellant_kg,
        )
        return {"navigation_state": state, "navigation_filter": filter_}

    def move(self) -> tuple[Tick, Any]:
        """Advance the truth by a tick; the tick and the increments."""
        lander, dt = self.lander, STEP_NS * 1e-9
        gravity = np.array(gravity_mci(*lander.r_mci.tolist(), lander.time_s))
        axis = matrix(lander.q_mci_body)[:, 2]
        lander.step(self.thrust_fraction * float(np.linalg.norm(gravity)) * axis, lander.q_mci_body, dt)
        self.seq += 1
        return Tick(self.seq, self.seq * STEP_NS, STEP_NS), increments(
            STEP_NS, lander.delta_v_body, lander.delta_theta_body
        )

    def range_m(self) -> float:
        """True range along the second beam to the sphere through the target."""
        site, mount = self.mission.site_frame, self.navigation.mount
        R = matrix(self.lander.q_mci_body)
        com = self.navigation.com_body()
        origin = self.lander.r_mci + R @ (np.array(mount.position_m) - com)
        direction = R @ np.array(mount.beams[1].direction)
        along = float(origin @ direction)
        return -along - float(np.sqrt(along**2 - origin @ origin + site.radius_m**2))

    def fly(self, ticks: int, ranges: bool = True) -> Any:
        """Some ticks, a range at every fifth; the last state message."""
        for _ in range(ticks):
            tick, imu = self.move()
            measurement = shot(self.range_m(), tick.stamp_ns) if ranges and self.seq % 5 == 0 else None
            outputs = step(self.navigation, tick, imu, measurement)
        return outputs["navigation_state"]

    def error(self) -> Array:
        """True less estimated position and velocity in mci, shape (6,)."""
        nav = self.navigation.filter.nav
        return np.concatenate([self.lander.r_mci - nav[:3], self.lander.v_mci - nav[3:6]])

    def height_m(self) -> float:
        """True height of the centre of mass above the sphere through the target."""
        return float(np.linalg.norm(self.lander.r_mci)) - self.mission.site_frame.radius_m
