"""The inertial measurement unit: true increments of velocity and angle in, measured ones out."""

from __future__ import annotations

from collections.abc import Mapping
from math import radians
from typing import ClassVar

import numpy as np

from lander_common.mission import Mission, NonNegative, Positive
from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_common.units import HOUR_S, MICRO_G_M_S2
from lander_runtime.config import Parameters
from lander_runtime.messages import ImuIncrements, Message
from lander_runtime.rng import later_stream, stream
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick
from lander_sensors.imu_faults import ImuFaults, Sensed
from lander_sensors.inertial_triad import DRAWS_PER_STEP, Triad, TriadErrors
from lander_sensors.normals import Normals

_ZERO = (0.0, 0.0, 0.0)


class GyroParameters(Parameters):
    """Errors of the gyros, 1-sigma, in the units of data sheets."""

    turn_on_bias_deg_h: NonNegative
    bias_instability_deg_h: NonNegative
    correlation_time_s: Positive
    random_walk_deg_sqrt_h: NonNegative
    scale_factor_ppm: NonNegative
    misalignment_urad: NonNegative
    quantum_urad: NonNegative
    limit_deg_s: Positive

    def errors(self) -> TriadErrors:
        """The same in SI."""
        return TriadErrors(
            turn_on_bias=radians(self.turn_on_bias_deg_h) / HOUR_S,
            bias_instability=radians(self.bias_instability_deg_h) / HOUR_S,
            correlation_time_s=self.correlation_time_s,
            random_walk=radians(self.random_walk_deg_sqrt_h) / HOUR_S**0.5,
            scale_factor=1e-6 * self.scale_factor_ppm,
            misalignment_rad=1e-6 * self.misalignment_urad,
            quantum=1e-6 * self.quantum_urad,
            limit=radians(self.limit_deg_s),
        )


class AccelerometerParameters(Parameters):
    """Errors of the accelerometers, 1-sigma, in the units of data sheets."""

    turn_on_bias_micro_g: NonNegative
    bias_instability_micro_g: NonNegative
    correlation_time_s: Positive
    random_walk_m_s_sqrt_h: NonNegative
    scale_factor_ppm: NonNegative
    misalignment_urad: NonNegative
    quantum_um_s: NonNegative
    limit_g: Positive

    def errors(self) -> TriadErrors:
        """The same in SI."""
        return TriadErrors(
            turn_on_bias=self.turn_on_bias_micro_g * MICRO_G_M_S2,
            bias_instability=self.bias_instability_micro_g * MICRO_G_M_S2,
            correlation_time_s=self.correlation_time_s,
            random_walk=self.random_walk_m_s_sqrt_h / HOUR_S**0.5,
            scale_factor=1e-6 * self.scale_factor_ppm,
            misalignment_rad=1e-6 * self.misalignment_urad,
            quantum=1e-6 * self.quantum_um_s,
            limit=self.limit_g * STANDARD_GRAVITY_M_S2,
        )


class ImuParameters(Parameters):
    """A grade of inertial measurement unit."""

    name: str
    about: str
    gyro: GyroParameters
    accelerometer: AccelerometerParameters


class Imu(Subsystem):
    """Turns the true increments of every tick into measured ones. Works for any length of tick."""

    name: ClassVar[str] = "imu"

    def __init__(self, mission: Mission) -> None:
        parameters = mission.part("imu", ImuParameters)
        build = stream(mission.seed, "imu.build")
        self.gyro = Triad(parameters.gyro.errors(), build)
        self.accelerometer = Triad(parameters.accelerometer.errors(), build)
        self._faults = ImuFaults(mission)
        self._seed = mission.seed
        self.restore({})

    def restore(self, published: Mapping[str, Message]) -> None:
        """Noise that no former life has drawn."""
        self._normals = Normals(later_stream(self._seed, "imu.noise", published), 2 * DRAWS_PER_STEP)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Measure the tick's increments; zeros at the first tick, which has no length."""
        truth = inputs.fresh("truth")
        if truth is None or truth.step_ns == 0:
            return {"imu_increments": _increments(0, Sensed(_ZERO, _ZERO, valid=truth is not None))}
        step_s = truth.step_ns * 1e-9
        normals = self._normals.draw()
        angle, gyro_saturated = self.gyro.sense(truth.delta_theta_body.tolist(), step_s, normals[:DRAWS_PER_STEP])
        velocity, accelerometer_saturated = self.accelerometer.sense(
            truth.delta_v_body.tolist(), step_s, normals[DRAWS_PER_STEP:]
        )
        sensed = Sensed(velocity, angle, saturated=gyro_saturated or accelerometer_saturated)
        sensed = self._faults.spoil(sensed, step_s, tick.stamp_ns, truth.altitude_m)
        return {"imu_increments": _increments(truth.step_ns, sensed)}


def _increments(interval_ns: int, sensed: Sensed) -> Message:
    return ImuIncrements(
        interval_ns=interval_ns,
        delta_v_body=np.array(sensed.velocity),
        delta_theta_body=np.array(sensed.angle),
        valid=sensed.valid,
        saturated=sensed.saturated,
    )
