"""Parameters of the throttle: config/throttle/*.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lander_common.mission import Fraction, NonNegative, Positive
from lander_runtime.config import Parameters


class AttitudeParameters(Parameters):
    """Closed-loop response and the limits of slews."""

    natural_frequency_rad_s: Positive
    damping: Positive
    slew_rate_limit_deg_s: Positive
    torque_fraction: Fraction  # of the torque at hand that a slew counts on for its stop
    sampled_gain_limit: Fraction  # greatest part of an error that may be taken out within one tick


class RingParameters(Parameters):
    """Attitude and thrust by the pulsed assist thrusters."""

    torque_limit_n_m: Positive
    minimum_authority_n_m: NonNegative  # below this torque at hand the RCS holds pitch and roll
    frame_ticks: Annotated[int, Field(ge=1)]  # length of a pulse-width frame
    minimum_off_s: NonNegative


class DeadbandParameters(Parameters):
    """What the RCS lets be."""

    attitude_deg: Positive  # error about each axis
    drift_rate_deg_s: Positive  # inside the deadband
    rate_tolerance_deg_s: NonNegative  # of the rate wanted outside it; never less than one smallest pulse


class RcsParameters(Parameters):
    """Phase-plane logic of the RCS."""

    coast: DeadbandParameters
    powered: DeadbandParameters


class MisalignmentParameters(Parameters):
    """Estimate of the lever arm between thrust and centre of mass."""

    bandwidth_rad_s: Positive
    arm_limit_m: Positive


class EngineParameters(Parameters):
    """How engines are found to work or not, by their chamber pressures."""

    main_chamber_pa: Positive  # at full thrust
    assist_chamber_pa: Positive
    deviation: Fraction  # of full pressure, from which on an engine is not what it was believed to be
    samples: Annotated[int, Field(ge=1)]  # in a row
    least_fraction: Fraction  # of nominal thrust: an engine that gives less is given up
    retry_s: Positive  # and tried again after this time


class LowRateParameters(Parameters):
    """When the flight computer may run its long tick."""

    attitude_error_deg: Positive
    rate_error_deg_s: Positive


class ThrottleParameters(Parameters):
    """config/throttle/*.yaml."""

    tick_s: Positive
    long_tick_s: Positive
    navigation_hold_s: NonNegative  # attitude control on the predicted state for this long after the last navigation
    attitude: AttitudeParameters
    ring: RingParameters
    rcs: RcsParameters
    misalignment: MisalignmentParameters
    engines: EngineParameters
    low_rate: LowRateParameters
