"""The filter by itself: state, covariance, and the increments of the last seconds. It knows no message and no sensor but the IMU."""

from __future__ import annotations

from math import acos, ceil

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.quaternion import Quaternion
from lander_flight.error_state import (
    ACCELEROMETER,
    ATTITUDE,
    GYRO,
    SIZE,
    SUMS_SIZE,
    accumulate,
    fade,
    propagate,
    update,
    update_all,
)
from lander_flight.strapdown import (
    ACCELEROMETER_BIAS,
    GYRO_BIAS,
    NAV_SIZE,
    Q,
    R,
    V,
    advance,
    rewind,
    specific_force,
    velocity_gained,
)

Array = NDArray[np.float64]

# A row of the history: length of the tick, s, and its increments.
_STEP, _THETA, _VELOCITY, _ROW_SIZE = 0, 1, 4, 7


class InertialFilter:
    """State `nav` (see `strapdown`) and covariance `P` (see `error_state`) at `time_s`; P lags until `carry` is called."""

    def __init__(self, nav: Array, P: Array, time_s: float, noise: Array, history: int) -> None:
        """`noise`: see `error_state.propagate`; `history`: ticks that can be walked back."""
        self.nav = nav
        self.P = P
        self.time_s = time_s
        self.lag_s = 0.0  # of the covariance
        self.noise = noise
        self.sums = np.zeros(SUMS_SIZE)
        self.attitude_correction = np.zeros(3)  # sum of what measurements turned the attitude by, rad in mci
        self.history = np.zeros((history, _ROW_SIZE))
        self._ticks = 0
        self._first_attitude = nav[Q : Q + 4].copy()
        self._turned = 0.0
        self.motion = np.zeros(
            6
        )  # body rate, rad/s, and specific force, m/s2, over the last tick, in body, as corrected

    def restore(self, nav: Array, P: Array, time_s: float) -> None:
        """Go on from a state and a covariance; the angle turned until then is in the covariance already."""
        self.nav[:], self.P[:] = nav, P
        self.time_s = time_s
        self._turn()

    def advance(self, delta_theta: Array, delta_v: Array, dt: float) -> None:
        """Carry the state over a tick, on increments in body; the covariance follows with `carry`."""
        slot = self._ticks % len(self.history)
        self.motion = _tick(self.nav, self.sums, self.history, slot, delta_theta, delta_v, self.time_s, dt)
        self._ticks += 1
        self.time_s += dt
        self.lag_s += dt

    def carry(self) -> None:
        """Bring the covariance to the time of the state."""
        if self.lag_s > 0.0:
            propagate(self.P, self.sums, self.nav[R : R + 3], self.noise, self._turn())
            self.lag_s = 0.0

    def _turn(self) -> float:
        """Growth of the square of the largest angle from the first attitude, rad^2.

        Scale factors and misalignments of the gyros err by the attitude reached; what is turned back is undone.
        """
        cosine = min(1.0, abs(float(self._first_attitude @ self.nav[Q : Q + 4])))
        before, self._turned = self._turned, max(self._turned, 4.0 * acos(cosine) ** 2)
        return self._turned - before

    def doubt(self, states: slice, variance: float) -> None:
        """Add to the variance of states."""
        indices = np.arange(SIZE)[states]
        self.P[indices, indices] += variance

    def calibrate(self, mean: Array, variance: float) -> None:
        """Free fall: what the accelerometers read on the mean, m/s2, is their bias."""
        for i in range(3):
            row = np.zeros(SIZE)
            row[ACCELEROMETER + i] = 1.0
            self.update(row, float(mean[i] - self.nav[ACCELEROMETER_BIAS + i]), variance)

    def fade(self, state: int, distance: float, correlation: float, variance: float) -> None:
        """Let an error decay over a distance, m, towards its variance where there is no knowledge of it."""
        fade(self.P, self.nav, state, distance, correlation, variance)

    def back(self, age_s: float) -> tuple[Array, Array] | None:
        """The state `age_s` ago as is estimated now, and the integrals from now to then; None where history does not reach."""
        known = min(self._ticks, len(self.history))
        past, sums = self.nav.copy(), np.zeros(SUMS_SIZE)
        left = _walk_back(past, sums, self.history, self._ticks, known, self.time_s, age_s)
        return (past, sums) if left <= 0.0 else None

    def update(self, row: Array, innovation: float, noise_variance: float) -> None:
        """Correct by a scalar measurement."""
        self._note(update(self.nav, self.P, row, innovation, noise_variance))

    def update_all(self, rows: Array, innovations: Array) -> None:
        """Correct by measurements of unit variance that are independent of each other."""
        self._note(update_all(self.nav, self.P, rows, innovations))

    def _note(self, taken: Array) -> None:
        self.attitude_correction = self.attitude_correction + taken[ATTITUDE:GYRO]


def history_length(history_s: float, tick_s: float) -> int:
    """Ticks that a history takes."""
    return ceil(history_s / tick_s)


def new_state(r_mci: Array, v_mci: Array, q_mci_body: Quaternion) -> Array:
    """Navigation state with no sensor errors estimated yet."""
    nav = np.zeros(NAV_SIZE)
    nav[R : R + 3], nav[V : V + 3], nav[Q : Q + 4] = r_mci, v_mci, q_mci_body
    return nav


@njit(cache=True)
def _tick(
    nav: Array,
    sums: Array,
    history: Array,
    slot: int,
    delta_theta: Array,
    delta_v: Array,
    time_s: float,
    dt: float,
) -> Array:
    """Advance, accumulate, keep the increments; return the corrected rate and specific force, shape (6,)."""
    gained = advance(nav, delta_theta, delta_v, time_s, dt)
    accumulate(sums, nav, gained, delta_v[2], dt)
    row = history[slot]
    row[_STEP] = dt
    motion = np.zeros(6)
    for i in range(3):
        row[_THETA + i], row[_VELOCITY + i] = delta_theta[i], delta_v[i]
        motion[i] = delta_theta[i] / dt - nav[GYRO_BIAS + i]
    motion[3:] = specific_force(nav, delta_v, dt)
    return motion


@njit(cache=True)
def _walk_back(nav: Array, sums: Array, history: Array, ticks: int, known: int, time_s: float, age_s: float) -> float:
    """Walk `nav` back by an age, the last tick by a fraction; return what of the age is left where history ends."""
    left = age_s
    for k in range(known):
        if left <= 0.0:
            break
        row = history[(ticks - 1 - k) % history.shape[0]]
        share = min(1.0, left / row[_STEP])
        dt = share * row[_STEP]
        theta, velocity = share * row[_THETA:_VELOCITY], share * row[_VELOCITY:]
        x, y, z = velocity_gained(nav, velocity, dt)
        accumulate(sums, nav, (-x, -y, -z), -velocity[2], -dt)
        rewind(nav, theta, velocity, time_s - dt, dt)
        time_s -= dt
        left = left - dt if share == 1.0 else 0.0
    return left
