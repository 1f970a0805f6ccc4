"""Inertial navigation in mci: attitude, velocity and position from the increments of the IMU and a model of gravity.

The IMU integrates at a high rate inside the device and gives delta-theta as the rotation vector of the interval and delta-v in body
coordinates at its end, so that coning and sculling are compensated there (Savage 1998, parts 1 and 2). What is left is to rotate,
add, and integrate gravity, which a Runge-Kutta-Nystroem step of fourth order does well enough for steps of 20 ms and of 1 s alike.

The navigation state is one array, indexed by the constants below; errors of the sensors are part of it.
"""

from __future__ import annotations

from math import cos, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import from_rotation_vector, multiply, normalised, rotate
from lander_common.moon import C22, GM_M3_S2, GRAVITY_RADIUS_M, J2, ROTATION_RATE_RAD_S
from lander_common.quaternion import Quaternion

Array = NDArray[np.float64]
Triple = tuple[float, float, float]

# Navigation state: r, v in mci (m, m/s), q_mci_body (x, y, z, w), then sensor errors as estimated.
R, V, Q = 0, 3, 6
GYRO_BIAS, ACCELEROMETER_BIAS = 10, 13  # rad/s, m/s2, in body
RANGE_BIAS = 16  # m
THRUST_AXIS = 17  # what the accelerometers x, y, z read per m/s2 along z, less the ideal 0, 0, 1
MAP_HEIGHT = 20  # m, true terrain above the map at the last footprint, beam after beam
BORESIGHT = 22  # rad, rotations of the true boresight about the two axes across it, beam after beam
REGISTRATION = 26  # m, true terrain east and north of the map
RELIEF = 28  # m, terrain above the plane that was fitted to the map, beam after beam
SCENE = 30  # m, true terrain east, north and above the image map where the camera saw it last, beyond the registration
ZONE = 33  # m, true terrain east and north of the zone of the image map: its registration
CAMERA = 35  # rad, rotation vector in body from where the camera should look to where it does
NAV_SIZE = 38
BEAMS = 2  # that there are states for


@njit(cache=True)
def gravity_mcmf(x: float, y: float, z: float) -> Triple:
    """Gravitational acceleration, m/s2, at a place in mcmf, m: GM, J2 and C22 (Montenbruck and Gill 2000, section 3.2)."""
    r2 = x * x + y * y + z * z
    r = sqrt(r2)
    central = GM_M3_S2 / (r2 * r)
    ratio = GRAVITY_RADIUS_M * GRAVITY_RADIUS_M / r2
    zonal = 1.5 * J2 * ratio
    sectoral = 3.0 * C22 * ratio
    sine2 = z * z / r2
    shape = (x * x - y * y) / r2
    common = -1.0 - zonal * (1.0 - 5.0 * sine2) - 5.0 * sectoral * shape
    return (
        central * x * (common + 2.0 * sectoral),
        central * y * (common - 2.0 * sectoral),
        central * z * (common - 2.0 * zonal),
    )


@njit(cache=True)
def gravity_mci(x: float, y: float, z: float, time_s: float) -> Triple:
    """The same at a place in mci at a time since stamp 0."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    gx, gy, gz = gravity_mcmf(c * x + s * y, c * y - s * x, z)
    return c * gx - s * gy, s * gx + c * gy, gz


@njit(cache=True)
def attitude(nav: Array) -> Quaternion:
    """q_mci_body of a navigation state."""
    return nav[Q], nav[Q + 1], nav[Q + 2], nav[Q + 3]


@njit(cache=True)
def turn_body(nav: Array, x: float, y: float, z: float) -> None:
    """Turn the attitude by a rotation vector in body, rad."""
    _set_attitude(nav, multiply(attitude(nav), from_rotation_vector((x, y, z))))


@njit(cache=True)
def turn_mci(nav: Array, x: float, y: float, z: float) -> None:
    """Turn the attitude by a rotation vector in mci, rad."""
    _set_attitude(nav, multiply(from_rotation_vector((x, y, z)), attitude(nav)))


@njit(cache=True)
def _set_attitude(nav: Array, q: Quaternion) -> None:
    nav[Q], nav[Q + 1], nav[Q + 2], nav[Q + 3] = normalised(q)


@njit(cache=True)
def specific_force(nav: Array, delta_v: Array, dt: float) -> Triple:
    """Mean specific force in body, m/s2, without the estimated errors of the accelerometers."""
    b, k, z = ACCELEROMETER_BIAS, THRUST_AXIS, delta_v[2]
    return (
        (delta_v[0] - nav[k] * z) / dt - nav[b],
        (delta_v[1] - nav[k + 1] * z) / dt - nav[b + 1],
        (delta_v[2] - nav[k + 2] * z) / dt - nav[b + 2],
    )


@njit(cache=True)
def velocity_gained(nav: Array, delta_v: Array, dt: float) -> Triple:
    """Delta-v in mci, m/s, from that in body."""
    x, y, z = specific_force(nav, delta_v, dt)
    return rotate(attitude(nav), (x * dt, y * dt, z * dt))


@njit(cache=True)
def fall(nav: Array, ax: float, ay: float, az: float, time_s: float, dt: float) -> None:
    """Position and velocity over `dt` from `time_s` under gravity and a constant acceleration, m/s2 in mci; dt may be negative.

    Nystroem's method of fourth order (Hairer, Norsett, Wanner 1993, section II.14, table 14.1).
    """
    x, y, z, u, v, w = nav[R], nav[R + 1], nav[R + 2], nav[V], nav[V + 1], nav[V + 2]
    h, h2 = 0.5 * dt, dt * dt
    gx, gy, gz = gravity_mci(x, y, z, time_s)
    k1x, k1y, k1z = gx + ax, gy + ay, gz + az
    e = h2 / 8.0
    gx, gy, gz = gravity_mci(x + h * u + e * k1x, y + h * v + e * k1y, z + h * w + e * k1z, time_s + h)
    k2x, k2y, k2z = gx + ax, gy + ay, gz + az
    e = h2 / 2.0
    gx, gy, gz = gravity_mci(x + dt * u + e * k2x, y + dt * v + e * k2y, z + dt * w + e * k2z, time_s + dt)
    k3x, k3y, k3z = gx + ax, gy + ay, gz + az
    nav[R] = x + dt * u + h2 / 6.0 * (k1x + 2.0 * k2x)
    nav[R + 1] = y + dt * v + h2 / 6.0 * (k1y + 2.0 * k2y)
    nav[R + 2] = z + dt * w + h2 / 6.0 * (k1z + 2.0 * k2z)
    nav[V] = u + dt / 6.0 * (k1x + 4.0 * k2x + k3x)
    nav[V + 1] = v + dt / 6.0 * (k1y + 4.0 * k2y + k3y)
    nav[V + 2] = w + dt / 6.0 * (k1z + 4.0 * k2z + k3z)


@njit(cache=True)
def advance(nav: Array, delta_theta: Array, delta_v: Array, time_s: float, dt: float) -> Triple:
    """Advance the state over an interval from `time_s`, s; return the delta-v in mci, m/s, as corrected.

    `delta_theta`: rotation vector, rad, in body; `delta_v`: m/s, in body coordinates at the end of the interval.
    """
    b = GYRO_BIAS
    turn_body(nav, delta_theta[0] - nav[b] * dt, delta_theta[1] - nav[b + 1] * dt, delta_theta[2] - nav[b + 2] * dt)
    gained = velocity_gained(nav, delta_v, dt)
    fall(nav, gained[0] / dt, gained[1] / dt, gained[2] / dt, time_s, dt)
    return gained


@njit(cache=True)
def rewind(nav: Array, delta_theta: Array, delta_v: Array, time_s: float, dt: float) -> None:
    """Undo `advance`: from the state at `time_s` + dt back to `time_s`."""
    b = GYRO_BIAS
    gained = velocity_gained(nav, delta_v, dt)
    fall(nav, gained[0] / dt, gained[1] / dt, gained[2] / dt, time_s + dt, -dt)
    turn_body(nav, nav[b] * dt - delta_theta[0], nav[b + 1] * dt - delta_theta[1], nav[b + 2] * dt - delta_theta[2])
