"""What navigation is told: its own configuration, and its views of the files that describe the devices."""

from __future__ import annotations

from math import radians
from typing import Annotated

from pydantic import ConfigDict, Field

from lander_common.mission import Mission, NonNegative, Positive, Vector3
from lander_common.units import HOUR_S, MICRO_G_M_S2
from lander_flight.fix_gate import FixGateParameters
from lander_flight.heritage.inertial_drift import InertialDriftParameters
from lander_flight.range_gate_choice import RangeGateParameters
from lander_runtime.config import Parameters


class FreeFall(Parameters):
    """When the accelerometers are taken to read nothing but their bias, and what that tells of it."""

    threshold_sigma: Positive
    thrust_m_s2: Positive
    shortest_mean_s: Positive
    longest_mean_s: Positive
    unmodelled_m_s2: NonNegative


class Blind(Parameters):
    """How wrong that is which stands in for the increments while there is none that is valid; all 1-sigma."""

    acceleration_sigma_m_s2: Positive  # of the last specific force, where no command says better
    rate_sigma_rad_s: Positive  # of the rate that throttle predicts, at the beginning, and ...
    rate_fraction: Positive  # ... this much of what its torques have changed it by since
    held_rate_sigma_rad_s: Positive  # of the last mean rate, where throttle says nothing either
    rate_smoothing_s: Positive  # that rate is the mean over about this time


class AccelerationParameters(Parameters):
    """When the accelerometers are not believed against the commanded thrust, and how good that is in their place."""

    smoothing_s: Positive
    floor_m_s2: Positive  # disagreement that is let be, and in addition to it ...
    fraction: Positive  # ... this much of the modelled acceleration
    persistence_s: Positive
    readmit_s: Positive  # within half of the limit for so long
    calibration_s: Positive  # time constant over which the model learns from good accelerometers
    calibrated_m_s: Positive  # of modelled velocity change, from which on it is used
    model_fraction: Positive  # 1-sigma of the modelled acceleration, relative
    model_floor_m_s2: Positive  # and at least
    touch_below_m: Positive  # altitude, below which the ground may push


class RangeBelief(Parameters):
    """What is believed of the rangefinder and of the ground under its beam."""

    bias_sigma_m: Positive
    boresight_sigma_deg: Positive
    roughness_m: NonNegative
    least_descent: Annotated[float, Field(gt=0, lt=1)]
    widening: Annotated[float, Field(ge=1)]
    relief_correlation: Positive


class FixBelief(Parameters):
    """What is believed of fixes beyond what they state: of the camera's mount and of the map in its view."""

    mount_sigma_deg: Positive
    detail_sigma: Positive
    detail_correlation: Positive
    tilt_correlation_m: Positive
    largest_motion_nis: Positive
    gate: FixGateParameters


class NavigationParameters(Parameters):
    """config/navigation/*.yaml."""

    name: str
    covariance_period_s: Positive
    history_s: Positive
    free_fall: FreeFall
    blind: Blind
    acceleration: AccelerationParameters | None  # null: accelerometers are believed whatever they say (heritage logic)
    rangefinder: RangeBelief
    range_gate: RangeGateParameters
    trn: FixBelief
    inertial_drift: InertialDriftParameters | None  # of heritage logic only


class _View(Parameters):
    """A file that another package owns, of which only a part is read here."""

    model_config = ConfigDict(extra="ignore", frozen=True, allow_inf_nan=False)


class GyroSheet(_View):
    """Data sheet of the gyros, 1-sigma."""

    turn_on_bias_deg_h: NonNegative
    bias_instability_deg_h: NonNegative
    correlation_time_s: Positive
    random_walk_deg_sqrt_h: NonNegative
    scale_factor_ppm: NonNegative
    misalignment_urad: NonNegative
    quantum_urad: NonNegative

    @property
    def quantum(self) -> float:
        """rad."""
        return 1e-6 * self.quantum_urad

    @property
    def bias_sigma(self) -> float:
        """rad/s."""
        return radians((self.turn_on_bias_deg_h**2 + self.bias_instability_deg_h**2) ** 0.5) / HOUR_S

    @property
    def bias_drive(self) -> float:
        """Density of the random walk that a Gauss-Markov bias is over times short against its correlation, (rad/s)^2/s."""
        return 2.0 * (radians(self.bias_instability_deg_h) / HOUR_S) ** 2 / self.correlation_time_s

    @property
    def white(self) -> float:
        """rad^2/s."""
        return radians(self.random_walk_deg_sqrt_h) ** 2 / HOUR_S

    @property
    def per_angle(self) -> float:
        """Variance of attitude per square of the angle turned through."""
        return 1e-12 * (self.scale_factor_ppm**2 + self.misalignment_urad**2)


class AccelerometerSheet(_View):
    """Data sheet of the accelerometers, 1-sigma."""

    turn_on_bias_micro_g: NonNegative
    bias_instability_micro_g: NonNegative
    correlation_time_s: Positive
    random_walk_m_s_sqrt_h: NonNegative
    scale_factor_ppm: NonNegative
    misalignment_urad: NonNegative
    quantum_um_s: NonNegative

    @property
    def quantum(self) -> float:
        """m/s."""
        return 1e-6 * self.quantum_um_s

    @property
    def bias_sigma(self) -> float:
        """m/s2."""
        return float((self.turn_on_bias_micro_g**2 + self.bias_instability_micro_g**2) ** 0.5) * MICRO_G_M_S2

    @property
    def bias_drive(self) -> float:
        """Density of the random walk of the bias, (m/s2)^2/s."""
        return 2.0 * (self.bias_instability_micro_g * MICRO_G_M_S2) ** 2 / self.correlation_time_s

    @property
    def white(self) -> float:
        """(m/s)^2/s."""
        return self.random_walk_m_s_sqrt_h**2 / HOUR_S

    @property
    def thrust_axis_sigmas(self) -> Vector3:
        """What x, y and z read in error per acceleration along z."""
        return 1e-6 * self.misalignment_urad, 1e-6 * self.misalignment_urad, 1e-6 * self.scale_factor_ppm


class ImuSheet(_View):
    """config/imu/*.yaml, as its data sheet."""

    gyro: GyroSheet
    accelerometer: AccelerometerSheet


class Beam(_View):
    """A beam of the rangefinder."""

    direction: Vector3  # unit, in body


class Mount(_View):
    """Where the rangefinder sits and points."""

    position_m: Vector3  # in body
    beams: Annotated[tuple[Beam, ...], Field(min_length=1, max_length=2)]


class RangefinderMount(_View):
    """config/rangefinder/*.yaml, the part that flight software knows."""

    mount: Mount


def imu_sheet(mission: Mission) -> ImuSheet:
    """The data sheet of the mission's IMU. Raises ConfigError."""
    return mission.part("imu", ImuSheet)


def rangefinder_mount(mission: Mission) -> Mount:
    """The mount of the mission's rangefinder. Raises ConfigError."""
    return mission.part("rangefinder", RangefinderMount).mount
