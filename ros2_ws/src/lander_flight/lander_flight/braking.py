"""Braking: the fuel-optimal constant-thrust arc from the descent orbit to a gate above the site, found by shooting.

The thrust points along the primer vector p (Lawden 1963), which obeys p'' = G(r) p with G the gradient of spherical
gravity, so an arc is fixed by p and p' at its beginning and by its duration. Newton's method finds them, and one more
quantity that makes the range come out: the time still to coast before ignition, or the thrust level. With that quantity
free, the arc is the cheapest one over all ranges: its transversality condition (the costate of the central angle is zero,
Bryson and Ho 1975, section 2.5) is the seventh equation. The same idea with linearised gravity is unified powered flight
guidance (Jaggers 1977; McHenry et al. 1979); here nothing is linearised, because an arc costs only microseconds.

Vectors are in mci; the gate is given in the `approach` frame: origin at the target, x down range along the approach
azimuth, y left, z up, fixed to the Moon.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import cos, sin, sqrt

import numpy as np
from numba import njit

from lander_common.frames import Array
from lander_common.moon import GM_M3_S2, ROTATION_RATE_RAD_S

# What the seventh unknown is, and which equation goes with it.
BY_IGNITION = 0  # unknown: coast time; equation: transversality
BY_THRUST = 1  # unknown: thrust fraction; equation: transversality
BY_SHAPE = 2  # thrust fraction fixed: the steering alone makes the range, at some cost
ANYWHERE = 3  # thrust fraction fixed and range free: where the target is out of reach

_BURN_STEPS = 24  # of Runge-Kutta 4 over the arc: errors below 1 m over 650 s
_COAST_STEP_S = 60.0
_POSITION_SCALE_M = 1000.0  # residuals and unknowns of Newton's method are scaled to the order of one
_SPEED_SCALE_M_S = 10.0
_TRANSVERSALITY_SCALE_M_S = 1000.0
_ITERATIONS = 12
_CONVERGED = 1e-4  # of the scaled residual: 0.1 m and 1 mm/s


@dataclass(frozen=True)
class Gate:
    """Where and how fast braking ends, in the approach frame."""

    position_m: tuple[float, float, float]
    velocity_m_s: tuple[float, float, float]


@dataclass(frozen=True)
class ThrustModel:
    """What the engines give: `level` 1 is everything they have.

    The main engine gives the same whenever it burns; the rest of the level comes from the assist thrusters.
    """

    full_acceleration_m_s2: float  # at level 1 and the present mass
    main_share: float  # of the full thrust
    main_exhaust_velocity_m_s: float
    assist_exhaust_velocity_m_s: float


@dataclass(frozen=True)
class Arc:
    """A solution: primer vector and its rate at `epoch_s`, in mci, and what follows from then on."""

    epoch_s: float
    primer: tuple[float, float, float]
    primer_rate: tuple[float, float, float]  # 1/s
    coast_s: float  # from epoch to ignition; the primer holds at ignition if this is positive
    burn_s: float
    level: float
    residual: float  # scaled; converged below 1e-4

    @property
    def converged(self) -> bool:
        """Whether the arc reaches the gate."""
        return self.residual < _CONVERGED


class BrakingSolver:
    """Solves arcs to one gate."""

    def __init__(self, gate: Gate, R_mcmf_approach: Array, r_target_mcmf: Array) -> None:
        self._gate = np.array([*gate.position_m, *gate.velocity_m_s])
        self._R = np.ascontiguousarray(R_mcmf_approach)
        self._target = np.ascontiguousarray(r_target_mcmf)
        self._work = np.zeros(_WORK)

    def solve(self, mode: int, guess: Arc, time_s: float, r_mci: Array, v_mci: Array, thrust: ThrustModel) -> Arc:
        """The arc from a state at a time, begun from a guess with the same epoch. Look at `converged` of the result."""
        unknowns = np.array([*guess.primer, *guess.primer_rate, guess.coast_s, guess.burn_s, guess.level])
        residual = _newton(
            mode,
            unknowns,
            float(time_s),
            r_mci,
            v_mci,
            _thrust_array(thrust),
            self._gate,
            self._R,
            self._target,
            self._work,
        )
        x = [float(value) for value in unknowns]
        return Arc(time_s, (x[0], x[1], x[2]), (x[3], x[4], x[5]), x[6], x[7], x[8], float(residual))

    def first_guess(
        self, time_s: float, r_mci: Array, v_mci: Array, thrust: ThrustModel, level: float, coast_s: float
    ) -> Arc:
        """A guess good enough to start from: against the velocity, slowly pitching up, for as long as Tsiolkovsky says."""
        r_mci, v_mci = predict_coast(r_mci, v_mci, coast_s)
        speed = float(np.linalg.norm(v_mci))
        up = r_mci / np.linalg.norm(r_mci)
        against = -v_mci / speed
        a0, ve = _arc_thrust(level, _thrust_array(thrust))
        burn_s = ve / a0 * (1.0 - np.exp(-1.03 * speed / ve))
        primer = against + 0.1 * up
        rate = 0.7 * up / burn_s
        return Arc(time_s, _tuple(primer / np.linalg.norm(primer)), _tuple(rate), coast_s, float(burn_s), level, np.inf)


def advanced(arc: Arc, time_s: float, r_mci: Array) -> Arc:
    """The same arc seen from a later time of its burn or coast; `r_mci` is where the lander is then."""
    elapsed = time_s - arc.epoch_s
    coast = min(elapsed, arc.coast_s)
    burn = elapsed - coast
    p, rate = _primer_after(np.array(arc.primer), np.array(arc.primer_rate), r_mci, burn)
    scale = 1.0 / sqrt(p[0] ** 2 + p[1] ** 2 + p[2] ** 2)
    return replace(
        arc,
        epoch_s=time_s,
        primer=_tuple(p * scale),
        primer_rate=_tuple(rate * scale),
        coast_s=arc.coast_s - coast,
        burn_s=max(arc.burn_s - burn, 0.0),
    )


def predict_end(arc: Arc, r_mci: Array, v_mci: Array, thrust: ThrustModel) -> tuple[Array, Array]:
    """Position and velocity in mci at the end of an arc that begins with a state at its epoch."""
    y = np.array([*r_mci, *v_mci, *arc.primer, *arc.primer_rate])
    _fly(y, arc.coast_s, arc.burn_s, *_arc_thrust(arc.level, _thrust_array(thrust)), np.zeros(_WORK))
    return y[:3], y[3:6]


def predict_coast(r_mci: Array, v_mci: Array, time_s: float) -> tuple[Array, Array]:
    """Position and velocity in mci after a time without thrust."""
    y = np.array([*r_mci, *v_mci, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    _coast(y, time_s, np.zeros(_WORK))
    return y[:3], y[3:6]


def _thrust_array(thrust: ThrustModel) -> Array:
    return np.array(
        [
            thrust.full_acceleration_m_s2,
            thrust.main_share,
            thrust.main_exhaust_velocity_m_s,
            thrust.assist_exhaust_velocity_m_s,
        ]
    )


def _tuple(v: Array) -> tuple[float, float, float]:
    return float(v[0]), float(v[1]), float(v[2])


_WORK = 60  # floats: five stages of twelve


@njit(cache=True)
def _arc_thrust(level, thrust):  # type: ignore[no-untyped-def]
    """Acceleration at the beginning and exhaust velocity at a thrust level."""
    flow = thrust[1] / thrust[2] + (level - thrust[1]) / thrust[3]
    return level * thrust[0], level / flow


@njit(cache=True)
def _rates(y, acceleration, out):  # type: ignore[no-untyped-def]
    """Rates of position, velocity, primer and its rate; thrust along the primer."""
    r2 = y[0] * y[0] + y[1] * y[1] + y[2] * y[2]
    g = GM_M3_S2 / (r2 * sqrt(r2))
    p2 = y[6] * y[6] + y[7] * y[7] + y[8] * y[8]
    a = acceleration / sqrt(p2) if p2 > 0.0 else 0.0
    radial = 3.0 * g * (y[0] * y[6] + y[1] * y[7] + y[2] * y[8]) / r2
    for i in range(3):
        out[i] = y[3 + i]
        out[3 + i] = a * y[6 + i] - g * y[i]
        out[6 + i] = y[9 + i]
        out[9 + i] = radial * y[i] - g * y[6 + i]


@njit(cache=True)
def _step(y, h, a_begin, a_middle, a_end, work):  # type: ignore[no-untyped-def]
    """One step of the classical Runge-Kutta method."""
    k1, k2, k3, k4, z = work[0:12], work[12:24], work[24:36], work[36:48], work[48:60]
    _rates(y, a_begin, k1)
    for i in range(12):
        z[i] = y[i] + 0.5 * h * k1[i]
    _rates(z, a_middle, k2)
    for i in range(12):
        z[i] = y[i] + 0.5 * h * k2[i]
    _rates(z, a_middle, k3)
    for i in range(12):
        z[i] = y[i] + h * k3[i]
    _rates(z, a_end, k4)
    for i in range(12):
        y[i] += h / 6.0 * (k1[i] + 2.0 * (k2[i] + k3[i]) + k4[i])


@njit(cache=True)
def _coast(y, time_s, work):  # type: ignore[no-untyped-def]
    """Carry position and velocity over a time without thrust; the primer is left alone."""
    if time_s == 0.0:
        return
    p = y[6:12].copy()
    steps = int(abs(time_s) / _COAST_STEP_S) + 1
    for _ in range(steps):
        _step(y, time_s / steps, 0.0, 0.0, 0.0, work)
    y[6:12] = p


@njit(cache=True)
def _fly(y, coast_s, burn_s, a0, ve, work):  # type: ignore[no-untyped-def]
    """Carry the state over a coast and a burn of constant thrust."""
    _coast(y, coast_s, work)
    h = burn_s / _BURN_STEPS
    for i in range(_BURN_STEPS):
        spent = a0 / ve * h
        a_begin = a0 / (1.0 - spent * i)
        a_middle = a0 / (1.0 - spent * (i + 0.5))
        a_end = a0 / (1.0 - spent * (i + 1))
        _step(y, h, a_begin, a_middle, a_end, work)


@njit(cache=True)
def _residuals(mode, x, held_level, time_s, r, v, thrust, gate, R, target, work, out):  # type: ignore[no-untyped-def]
    """Scaled residuals of the seven equations. x: primer, its rate, coast time, burn time, level."""
    y = np.empty(12)
    y[0:3] = r
    y[3:6] = v
    y[6:12] = x[0:6]
    a0, ve = _arc_thrust(x[8], thrust)
    _fly(y, x[6], x[7], a0, ve, work)
    angle = ROTATION_RATE_RAD_S * (time_s + x[6] + x[7])
    c, s = cos(angle), sin(angle)
    # Into the Moon-fixed frame, velocity relative to the ground, then into the approach frame.
    rm = (c * y[0] + s * y[1], c * y[1] - s * y[0], y[2])
    w = ROTATION_RATE_RAD_S
    vm = (c * y[3] + s * y[4] + w * rm[1], c * y[4] - s * y[3] - w * rm[0], y[5])
    for i in range(3):
        dr = 0.0
        dv = 0.0
        for j in range(3):
            dr += R[j, i] * (rm[j] - target[j])
            dv += R[j, i] * vm[j]
        out[i] = (dr - gate[i]) / _POSITION_SCALE_M
        out[3 + i] = (dv - gate[3 + i]) / _SPEED_SCALE_M_S
    # The left axis of the approach frame, in mci: turning about it is moving down range.
    n = (c * R[0, 1] - s * R[1, 1], s * R[0, 1] + c * R[1, 1], R[2, 1])
    transversality = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        transversality += y[6 + i] * (n[j] * y[3 + k] - n[k] * y[3 + j])
        transversality -= y[9 + i] * (n[j] * y[k] - n[k] * y[j])
    p = sqrt(y[6] ** 2 + y[7] ** 2 + y[8] ** 2)
    out[6] = transversality / (p * _TRANSVERSALITY_SCALE_M_S)
    if mode == BY_SHAPE:
        out[6] = 100.0 * (x[8] - held_level)
    elif mode == ANYWHERE:
        out[0] = 100.0 * (x[8] - held_level)


@njit(cache=True)
def _moved(x, du, e1, e2, mode, out):  # type: ignore[no-untyped-def]
    """The unknowns moved by scaled steps: two across the primer, three of its rate, burn time, coast time or level."""
    for i in range(3):
        out[i] = x[i] + du[0] * e1[i] + du[1] * e2[i]
        out[3 + i] = x[3 + i] + 1e-3 * du[2 + i]
    scale = 1.0 / sqrt(out[0] ** 2 + out[1] ** 2 + out[2] ** 2)
    out[0:6] *= scale
    out[6] = x[6]
    out[8] = x[8]
    out[7] = x[7] + 100.0 * du[5]
    if mode == BY_IGNITION:
        out[6] = x[6] + 100.0 * du[6]
    else:
        out[8] = x[8] + 0.1 * du[6]


@njit(cache=True)
def _norm(f):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in f:
        total += value * value
    return sqrt(total)


@njit(cache=True)
def _eliminate(A, b):  # type: ignore[no-untyped-def]
    """Solve A x = b in place by Gaussian elimination with row pivots; False where A is singular."""
    n = b.shape[0]
    for k in range(n):
        pivot = k
        for i in range(k + 1, n):
            if abs(A[i, k]) > abs(A[pivot, k]):
                pivot = i
        if not abs(A[pivot, k]) > 1e-14:
            return False
        if pivot != k:
            for j in range(n):
                A[k, j], A[pivot, j] = A[pivot, j], A[k, j]
            b[k], b[pivot] = b[pivot], b[k]
        for i in range(k + 1, n):
            factor = A[i, k] / A[k, k]
            for j in range(k, n):
                A[i, j] -= factor * A[k, j]
            b[i] -= factor * b[k]
    for k in range(n - 1, -1, -1):
        for j in range(k + 1, n):
            b[k] -= A[k, j] * b[j]
        b[k] /= A[k, k]
    return True


@njit(cache=True)
def _across(x, e1, e2):  # type: ignore[no-untyped-def]
    """Two unit vectors across the primer."""
    axis = 0
    for i in range(1, 3):
        if abs(x[i]) < abs(x[axis]):
            axis = i
    e = np.zeros(3)
    e[axis] = 1.0
    e1[:] = np.cross(x[0:3], e)
    e1 /= _norm(e1)
    e2[:] = np.cross(x[0:3], e1)
    e2 /= _norm(e2)


@njit(cache=True)
def _acceptable(x, thrust):  # type: ignore[no-untyped-def]
    """Whether the unknowns describe an arc that can be flown at all: it does not burn more mass than there is."""
    if not (1.0 < x[7] < 2000.0 and thrust[1] < x[8] < 2.0):
        return False
    a0, ve = _arc_thrust(x[8], thrust)
    return a0 / ve * x[7] < 0.95


@njit(cache=True)
def _newton(mode, x, time_s, r, v, thrust, gate, R, target, work):  # type: ignore[no-untyped-def]
    """Damped Newton's method on the seven equations, in place; returns the norm of the scaled residual."""
    n = 7
    held = x[8]
    f, f_moved, du = np.empty(n), np.empty(n), np.empty(n)
    A, trial = np.empty((n, n)), np.empty(9)
    e1, e2 = np.empty(3), np.empty(3)
    _residuals(mode, x, held, time_s, r, v, thrust, gate, R, target, work, f)
    norm = _norm(f)
    for _ in range(_ITERATIONS):
        if norm < 0.01 * _CONVERGED:
            break
        _across(x, e1, e2)
        for j in range(n):
            du[:] = 0.0
            du[j] = 1e-6
            _moved(x, du, e1, e2, mode, trial)
            _residuals(mode, trial, held, time_s, r, v, thrust, gate, R, target, work, f_moved)
            for i in range(n):
                A[i, j] = (f_moved[i] - f[i]) / 1e-6
        du[:] = -f
        if not _eliminate(A, du):
            break
        largest = np.max(np.abs(du))
        if not largest < 1e6:  # also when not a number
            break
        if largest > 0.5:
            du *= 0.5 / largest
        improved = False
        for _ in range(6):
            _moved(x, du, e1, e2, mode, trial)
            if _acceptable(trial, thrust):
                _residuals(mode, trial, held, time_s, r, v, thrust, gate, R, target, work, f_moved)
                trial_norm = _norm(f_moved)
                if trial_norm < norm:
                    improved = True
                    break
            du *= 0.5
        if not improved:
            break
        x[:] = trial
        f[:] = f_moved
        norm = trial_norm
    return norm


@njit(cache=True)
def _primer_after(p, rate, r, time_s):  # type: ignore[no-untyped-def]
    """Primer and its rate after a short time at a place, by the Taylor series to third order."""
    r2 = r[0] * r[0] + r[1] * r[1] + r[2] * r[2]
    g = GM_M3_S2 / (r2 * sqrt(r2))
    radial = 3.0 * g * (r[0] * p[0] + r[1] * p[1] + r[2] * p[2]) / r2
    second = radial * r - g * p
    radial_rate = 3.0 * g * (r[0] * rate[0] + r[1] * rate[1] + r[2] * rate[2]) / r2
    third = radial_rate * r - g * rate
    t = time_s
    return p + t * (rate + t * (0.5 * second + t / 6.0 * third)), rate + t * (second + 0.5 * t * third)
