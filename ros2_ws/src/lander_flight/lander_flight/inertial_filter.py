"""The filter by itself: state, covariance, and the increments of the last seconds. It knows no message and no sensor but the IMU."""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.quaternion import Quaternion
from lander_flight.error_state import SIZE, SUMS_SIZE, accumulate, fade, propagate, update
from lander_flight.strapdown import GYRO_BIAS, NAV_SIZE, Q, R, V, advance, rewind, specific_force

Array = NDArray[np.float64]

# A row of the history: length of the tick, s, increments, whether the accelerometers were used.
_STEP, _THETA, _VELOCITY, _USED, _ROW_SIZE = 0, 1, 4, 7, 8


class InertialFilter:
    """State `nav` (see `strapdown`) and covariance `P` (see `error_state`) at `time_s`; P lags until `carry` is called."""

    def __init__(self, nav: Array, P: Array, time_s: float, noise: Array, history: int) -> None:
        """`noise`: see `error_state.propagate`; `history`: ticks that can be walked back."""
        self.nav = nav
        self.P = P
        self.time_s = time_s
        self.lag_s = 0.0  # of the covariance
        self._noise = noise
        self._sums = np.zeros(SUMS_SIZE)
        self._history = np.zeros((history, _ROW_SIZE))
        self._ticks = 0
        self.motion = np.zeros(6)  # body rate, rad/s, and specific force, m/s2, over the last tick, in body, as corrected

    def advance(self, delta_theta: Array, delta_v: Array, used: bool, dt: float) -> None:
        """Carry the state over a tick, on increments in body; the covariance follows with `carry`."""
        slot = self._ticks % len(self._history)
        self.motion = _tick(self.nav, self._sums, self._history, slot, delta_theta, delta_v, used, self.time_s, dt)
        self._ticks += 1
        self.time_s += dt
        self.lag_s += dt

    def carry(self) -> None:
        """Bring the covariance to the time of the state."""
        if self.lag_s > 0.0:
            propagate(self.P, self._sums, self.nav[R : R + 3], self._noise)
            self.lag_s = 0.0

    def doubt(self, states: slice, variance: float) -> None:
        """Add to the variance of states."""
        indices = np.arange(SIZE)[states]
        self.P[indices, indices] += variance

    def fade(self, state: int, distance: float, correlation: float, variance: float) -> None:
        """Let an error decay over a distance, m, towards its variance where there is no knowledge of it."""
        fade(self.P, self.nav, state, distance, correlation, variance)

    def back(self, age_s: float) -> tuple[Array, Array] | None:
        """The state `age_s` ago as is estimated now, and the integrals from now to then; None where history does not reach."""
        known = min(self._ticks, len(self._history))
        past, sums = self.nav.copy(), np.zeros(SUMS_SIZE)
        left = _walk_back(past, sums, self._history, self._ticks, known, self.time_s, age_s)
        return (past, sums) if left <= 0.0 else None

    def update(self, row: Array, innovation: float, noise_variance: float) -> None:
        """Correct by a scalar measurement."""
        update(self.nav, self.P, row, innovation, noise_variance)


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
    used: bool,
    time_s: float,
    dt: float,
) -> Array:
    """Advance, accumulate, keep the increments; return the corrected rate and specific force, shape (6,)."""
    gained = advance(nav, delta_theta, delta_v, used, time_s, dt)
    x, y, z = delta_theta[0], delta_theta[1], delta_theta[2]
    accumulate(sums, nav, gained, delta_v[2] if used else 0.0, used, sqrt(x * x + y * y + z * z), dt)
    row = history[slot]
    row[_STEP], row[_USED] = dt, 1.0 if used else 0.0
    motion = np.zeros(6)
    for i in range(3):
        row[_THETA + i], row[_VELOCITY + i] = delta_theta[i], delta_v[i]
        motion[i] = delta_theta[i] / dt - nav[GYRO_BIAS + i]
    if used:
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
        theta, velocity, used = share * row[_THETA:_VELOCITY], share * row[_VELOCITY:_USED], row[_USED] > 0.0
        x, y, z = rewind(nav, theta, velocity, used, time_s - dt, dt)
        accumulate(sums, nav, (-x, -y, -z), -velocity[2] if used else 0.0, used, 0.0, -dt)
        time_s -= dt
        left = left - dt if share == 1.0 else 0.0
    return left
