"""The error state of navigation: its covariance, how it propagates, how a scalar measurement corrects it.

Error = true less estimated, in the order of the constants below; the attitude error is a rotation vector in mci, multiplied from the
left: q_true = quaternion(psi) * q_estimated. With f the specific force in mci, the errors obey (Groves 2013, section 14.2.4, in an
inertial frame):

    r' = v,    v' = (gravity gradient) r - f x psi - R b_a - R k f_z,    psi' = -R b_g

Over an interval only the integrals of R, f and R f_z are needed, so that the matrix is made once for several ticks.
"""

from __future__ import annotations

from math import exp, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.moon import GM_M3_S2
from lander_flight.strapdown import GYRO_BIAS, NAV_SIZE, Q, R, Triple, V, turn_mci

Array = NDArray[np.float64]

POSITION, VELOCITY, ATTITUDE, GYRO, ACCELEROMETER, RANGE, THRUST = 0, 3, 6, 9, 12, 15, 16
MAP, SIGHT, REGISTER, SLOPE, SCENE, ZONE, CAMERA = 19, 21, 25, 27, 29, 32, 34
SIZE = 37
DYNAMIC, DRIVING = 9, 19  # the first rows of the transition are not those of the identity; they have this many columns
NAMES = (
    *(f"position {axis} (m, mci)" for axis in "xyz"),
    *(f"velocity {axis} (m/s, mci)" for axis in "xyz"),
    *(f"attitude {axis} (rad, mci)" for axis in "xyz"),
    *(f"gyro bias {axis} (rad/s, body)" for axis in "xyz"),
    *(f"accelerometer bias {axis} (m/s2, body)" for axis in "xyz"),
    "range bias (m)",
    *(f"accelerometer {axis} per acceleration along z (body)" for axis in "xyz"),
    *(f"map height under beam {beam} (m)" for beam in (0, 1)),
    *(f"boresight {beam} about axis {axis} (rad)" for beam in (0, 1) for axis in (1, 2)),
    "map east (m)",
    "map north (m)",
    *(f"relief under beam {beam} (m)" for beam in (0, 1)),
    *(f"image map {axis} in view (m)" for axis in ("east", "north", "height")),
    *(f"image map {axis} (m)" for axis in ("east", "north")),
    *(f"camera {axis} (rad, body)" for axis in "xyz"),
)

# Integrals over an interval: its length, and over time, once or twice, of f, of R (mci from body), of R f_z.
TAU, SUM_V, SUM_R, TURN, TURN_TWICE, AXIS, AXIS_TWICE = 0, 1, 4, 7, 16, 25, 34
SUMS_SIZE = 43

# Spectral densities of the noise that drives the errors; variance of attitude per square of the angle turned through.
WHITE_GYRO, WHITE_ACCELEROMETER, WALK_GYRO, WALK_ACCELEROMETER, GYRO_PER_ANGLE = range(5)


@njit(cache=True)
def body_axes(nav: Array) -> tuple[Triple, Triple, Triple]:
    """Axes of body in mci: the columns of R_mci_body."""
    x, y, z, w = nav[Q], nav[Q + 1], nav[Q + 2], nav[Q + 3]
    return (
        (1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y + z * w), 2.0 * (x * z - y * w)),
        (2.0 * (x * y - z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z + x * w)),
        (2.0 * (x * z + y * w), 2.0 * (y * z - x * w), 1.0 - 2.0 * (x * x + y * y)),
    )


@njit(cache=True)
def accumulate(sums: Array, nav: Array, delta_v: Triple, read_z: float, dt: float) -> None:
    """Add a tick to the integrals: its delta-v in mci, what the z accelerometer read (m/s).

    A tick that is walked backwards has dt, delta-v and reading with their signs turned: the integrals then lead from
    later errors to earlier ones.
    """
    axes = body_axes(nav)
    for i in range(3):
        sums[SUM_R + i] += (sums[SUM_V + i] + 0.5 * delta_v[i]) * dt
        sums[SUM_V + i] += delta_v[i]
        for j in range(3):
            k, element = 3 * i + j, axes[j][i]
            sums[TURN_TWICE + k] += (sums[TURN + k] + 0.5 * element * dt) * dt
            sums[TURN + k] += element * dt
            sums[AXIS_TWICE + k] += (sums[AXIS + k] + 0.5 * element * read_z) * dt
            sums[AXIS + k] += element * read_z
    sums[TAU] += dt


@njit(cache=True)
def transition(sums: Array, r: Array) -> Array:
    """The rows of position, velocity and attitude of the transition matrix over an interval; shape (9, 18)."""
    rows = np.zeros((DYNAMIC, DRIVING))
    tau = sums[TAU]
    for i in range(DYNAMIC):
        rows[i, i] = 1.0
    r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    central = GM_M3_S2 / (r2 * sqrt(r2))
    for i in range(3):
        rows[i, VELOCITY + i] = tau
        for j in range(3):
            k = 3 * i + j
            gradient = central * (3.0 * r[i] * r[j] / r2 - (1.0 if i == j else 0.0))
            rows[i, j] += 0.5 * gradient * tau * tau
            rows[VELOCITY + i, j] = gradient * tau
            rows[VELOCITY + i, VELOCITY + j] += 0.5 * gradient * tau * tau
            rows[i, ACCELEROMETER + j] = -sums[TURN_TWICE + k]
            rows[i, THRUST + j] = -sums[AXIS_TWICE + k]
            rows[VELOCITY + i, ACCELEROMETER + j] = -sums[TURN + k]
            rows[VELOCITY + i, THRUST + j] = -sums[AXIS + k]
            rows[ATTITUDE + i, GYRO + j] = -sums[TURN + k]
    for i in range(3):
        a, b = (i + 1) % 3, (i + 2) % 3  # minus the cross product matrix of the integrals of f
        rows[i, ATTITUDE + a], rows[i, ATTITUDE + b] = sums[SUM_R + b], -sums[SUM_R + a]
        rows[VELOCITY + i, ATTITUDE + a], rows[VELOCITY + i, ATTITUDE + b] = sums[SUM_V + b], -sums[SUM_V + a]
        for j in range(3):  # the attitude error grows by the gyro bias within the interval
            growth = sums[SUM_V + a] * sums[TURN + 3 * b + j] - sums[SUM_V + b] * sums[TURN + 3 * a + j]
            rows[VELOCITY + i, GYRO + j] = 0.5 * growth
            rows[i, GYRO + j] = growth * tau / 6.0
    return rows


@njit(cache=True)
def propagate(P: Array, sums: Array, r: Array, noise: Array, turned: float) -> None:
    """Carry the covariance over the interval of the integrals, and reset these.

    `turned`: by how much the square of the angle that the body has turned through has grown, rad^2.
    """
    rows = transition(sums, r)
    moved = np.zeros((DYNAMIC, SIZE))
    for i in range(DYNAMIC):
        for k in range(DRIVING):
            factor = rows[i, k]
            if factor != 0.0:
                for j in range(SIZE):
                    moved[i, j] += factor * P[k, j]
    for i in range(DYNAMIC):
        for j in range(i + 1):
            total = 0.0
            for k in range(DRIVING):
                total += moved[i, k] * rows[j, k]
            P[i, j] = total
            P[j, i] = total
        for j in range(DYNAMIC, SIZE):
            P[i, j] = moved[i, j]
            P[j, i] = moved[i, j]
    for i in range(3):
        P[VELOCITY + i, VELOCITY + i] += noise[WHITE_ACCELEROMETER] * sums[TAU]
        P[ATTITUDE + i, ATTITUDE + i] += noise[WHITE_GYRO] * sums[TAU] + noise[GYRO_PER_ANGLE] * turned
        P[GYRO + i, GYRO + i] += noise[WALK_GYRO] * sums[TAU]
        P[ACCELEROMETER + i, ACCELEROMETER + i] += noise[WALK_ACCELEROMETER] * sums[TAU]
    sums[:] = 0.0


@njit(cache=True)
def fade(P: Array, nav: Array, state: int, distance: float, correlation: float, variance: float) -> None:
    """Carry a first-order Gauss-Markov error over a distance (Gelb 1974, section 3.8, with distance for time)."""
    phi = exp(-distance / correlation)
    before = P[state, state]
    for j in range(SIZE):
        P[state, j] *= phi
        P[j, state] = P[state, j]
    P[state, state] = phi * phi * before + (1.0 - phi * phi) * variance
    nav[state + 1] *= phi


@njit(cache=True)
def backwards(row: Array, sums: Array, r: Array) -> Array:
    """A measurement row for errors at an earlier time as a row for errors now.

    `sums`: integrals of the ticks walked backwards from now to then.
    """
    rows = transition(sums, r)
    now = row.copy()
    now[:DYNAMIC] = 0.0
    for i in range(DYNAMIC):
        for j in range(DRIVING):
            now[j] += row[i] * rows[i, j]
    return now


@njit(cache=True)
def covered(P: Array, row: Array) -> tuple[Array, float]:
    """P times the row, and the variance of what the row measures."""
    shared = np.zeros(SIZE)
    variance = 0.0
    for i in range(SIZE):
        total = 0.0
        for j in range(SIZE):
            total += P[i, j] * row[j]
        shared[i] = total
        variance += row[i] * total
    return shared, variance


@njit(cache=True)
def reduce_covariance(P: Array, shared: Array, gain: Array, total: float) -> None:
    """Covariance after a scalar measurement, in place, in Joseph's form (Bucy and Joseph 1968).

    `shared`: P times the row, shape (37,); `total`: variance of the innovation.
    """
    for i in range(SIZE):
        for j in range(i + 1):
            value = P[i, j] - gain[i] * shared[j] - shared[i] * gain[j] + gain[i] * total * gain[j]
            P[i, j] = value
            P[j, i] = value


@njit(cache=True)
def update(nav: Array, P: Array, row: Array, innovation: float, noise_variance: float) -> Array:
    """Correct state and covariance by a scalar measurement; return what error was taken out, shape (37,)."""
    shared, variance = covered(P, row)
    total = variance + noise_variance
    gain = shared / total
    reduce_covariance(P, shared, gain, total)
    taken = gain * innovation
    correct(nav, taken)
    return taken


@njit(cache=True)
def update_all(nav: Array, P: Array, rows: Array, innovations: Array) -> Array:
    """Correct by measurements whose errors are independent and of unit variance, one after the other; rows (k, 37), innovations (k,).

    Returns what error was taken out, shape (37,).

    The rows stand for one linearisation, so that what has been corrected already is taken out of the innovations to come.
    """
    taken = np.zeros(SIZE)
    for k in range(innovations.size):
        shared, variance = covered(P, rows[k])
        total = variance + 1.0
        gain = shared / total
        reduce_covariance(P, shared, gain, total)
        taken += gain * (innovations[k] - rows[k] @ taken)
    correct(nav, taken)
    return taken


@njit(cache=True)
def correct(nav: Array, error: Array) -> None:
    """Take an estimated error out of the state."""
    for i in range(3):
        nav[R + i] += error[POSITION + i]
        nav[V + i] += error[VELOCITY + i]
    turn_mci(nav, error[ATTITUDE], error[ATTITUDE + 1], error[ATTITUDE + 2])
    for i in range(GYRO_BIAS, NAV_SIZE):
        nav[i] += error[i - 1]
