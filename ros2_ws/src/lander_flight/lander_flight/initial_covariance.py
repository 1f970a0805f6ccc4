"""How wrong the filter may be at the start, and what makes it worse on the way: from dispersions, data sheets and the map."""

from __future__ import annotations

from math import radians

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Dispersions
from lander_common.onboard_map import REGISTRATION, SIGMA, OnboardMap
from lander_flight import error_state as es
from lander_flight.navigation_parameters import ImuSheet, RangeBelief

Array = NDArray[np.float64]


def initial_covariance(
    dispersions: Dispersions, sheet: ImuSheet, belief: RangeBelief, onboard_map: OnboardMap
) -> Array:
    """Covariance of the error state at the nominal start, shape (37, 37); the map in view and the mount of the camera
    come with the first fix.
    """
    sigmas = np.zeros(es.SIZE)
    sigmas[es.POSITION : es.VELOCITY] = dispersions.position_m
    sigmas[es.VELOCITY : es.ATTITUDE] = dispersions.velocity_m_s
    sigmas[es.ATTITUDE : es.GYRO] = radians(dispersions.attitude_deg)
    sigmas[es.GYRO : es.ACCELEROMETER] = sheet.gyro.bias_sigma
    sigmas[es.ACCELEROMETER : es.RANGE] = sheet.accelerometer.bias_sigma
    sigmas[es.RANGE] = belief.bias_sigma_m
    sigmas[es.THRUST : es.MAP] = sheet.accelerometer.thrust_axis_sigmas
    sigmas[es.MAP : es.SIGHT] = onboard_map.table[-1, SIGMA]
    sigmas[es.SIGHT : es.REGISTER] = radians(belief.boresight_sigma_deg)
    sigmas[es.REGISTER : es.SLOPE] = onboard_map.table[-1, REGISTRATION]
    return np.diag(sigmas**2)


def process_noise(sheet: ImuSheet) -> Array:
    """Densities that `error_state.propagate` takes, shape (5,)."""
    noise = np.zeros(5)
    noise[es.WHITE_GYRO] = sheet.gyro.white
    noise[es.WHITE_ACCELEROMETER] = sheet.accelerometer.white
    noise[es.WALK_GYRO] = sheet.gyro.bias_drive
    noise[es.WALK_ACCELEROMETER] = sheet.accelerometer.bias_drive
    noise[es.GYRO_PER_ANGLE] = sheet.gyro.per_angle
    return noise
