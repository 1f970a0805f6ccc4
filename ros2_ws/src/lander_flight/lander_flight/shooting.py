"""Newton's method on the equations of a braking arc, compiled. What it solves is told in `braking.py`.

States are arrays of twelve: position, velocity (m, m/s, mci), primer vector and its rate (1/s). Unknowns are arrays of
nine: primer and its rate at the beginning, coast time (s), burn time (s), thrust level. Division by zero gives infinity
here, as in numpy: a hopeless problem ends in a residual that is not small, never in an exception.
"""

from __future__ import annotations

from math import cos, sin, sqrt
from typing import NamedTuple

import numpy as np
from numba import njit

from lander_common.frames import Array
from lander_common.moon import GM_M3_S2, ROTATION_RATE_RAD_S

# What the seventh unknown is, and which equation goes with it.
BY_IGNITION = 0  # unknown: coast time; equation: transversality
BY_THRUST = 1  # unknown: thrust level; equation: transversality
BY_SHAPE = 2  # thrust level held: the steering alone makes the range, at some cost
ANYWHERE = 3  # thrust level held and range free: where the target is out of reach

CONVERGED = 1e-2  # norm of the scaled residuals: 10 m and 0.1 m/s, less than the pitch-up corrects
WORK = 60  # floats of scratch: five stages of twelve

_BURN_STEPS = 24  # of Runge-Kutta 4 over the arc: errors of metres over 650 s, which replanning takes out
_COAST_STEP_S = 60.0
_POSITION_SCALE_M = 1000.0  # residuals and unknowns are scaled to the order of one
_SPEED_SCALE_M_S = 10.0
_TRANSVERSALITY_SCALE_M_S = 1000.0
_LEVEL_SCALE = 0.01
_BURN_STEP = 0.2  # of the burn time; the primer's rate is scaled by it too
_COAST_STEP = 100.0  # s
_LEVEL_STEP = 0.1
_ITERATIONS = 20
_DONE = 1e-6  # norm below which no more is to be gained
_LARGEST_STEP = 0.5  # of a scaled unknown in one iteration
_HALVINGS = 6  # of a step that does not improve
_DIFFERENCE = 1e-6  # of a scaled unknown, for the Jacobian
_LONGEST_BURN_S = 3000.0
_MOST_SPENT = 0.95  # of the mass


@njit(cache=True, error_model="numpy")
def arc_thrust(level, thrust):  # type: ignore[no-untyped-def]
    """Acceleration at the beginning and exhaust velocity at a thrust level."""
    flow = thrust[1] / thrust[2] + (level - thrust[1]) / thrust[3]
    return level * thrust[0], level / flow


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def coast(y, time_s, work):  # type: ignore[no-untyped-def]
    """Carry position and velocity over a time without thrust; the primer is left alone."""
    if time_s == 0.0:
        return
    p = y[6:12].copy()
    steps = int(abs(time_s) / _COAST_STEP_S) + 1
    for _ in range(steps):
        _step(y, time_s / steps, 0.0, 0.0, 0.0, work)
    y[6:12] = p


@njit(cache=True, error_model="numpy")
def fly(y, coast_s, burn_s, acceleration, exhaust, work):  # type: ignore[no-untyped-def]
    """Carry the state over a coast and a burn of constant thrust; `acceleration` is that at ignition."""
    coast(y, coast_s, work)
    h = burn_s / _BURN_STEPS
    for i in range(_BURN_STEPS):
        spent = acceleration / exhaust * h  # share of the mass in a step
        a_begin = acceleration / (1.0 - spent * i)
        a_middle = acceleration / (1.0 - spent * (i + 0.5))
        a_end = acceleration / (1.0 - spent * (i + 1))
        _step(y, h, a_begin, a_middle, a_end, work)


class Problem(NamedTuple):
    """What is to be solved."""

    mode: int
    level: float  # held in BY_SHAPE and ANYWHERE
    time_s: float
    state: Array  # position and velocity, mci; shape (6,)
    thrust: Array  # ThrustModel.array(), shape (4,)
    gate: Array  # position and velocity, approach frame; shape (6,)
    R_mcmf_approach: Array  # shape (3, 3)
    target_mcmf: Array  # m, shape (3,)


@njit(cache=True, error_model="numpy")
def _residuals(problem, x, y, work, out):  # type: ignore[no-untyped-def]
    """Scaled residuals of the seven equations for the unknowns x; y becomes the state at the end of the arc."""
    y[0:6] = problem.state
    y[6:12] = x[0:6]
    acceleration, exhaust = arc_thrust(x[8], problem.thrust)
    fly(y, x[6], x[7], acceleration, exhaust, work)
    angle = ROTATION_RATE_RAD_S * (problem.time_s + x[6] + x[7])
    c, s = cos(angle), sin(angle)
    _gate_miss(y, c, s, problem, out)
    out[6] = _transversality(y, c, s, problem.R_mcmf_approach)
    if problem.mode == BY_SHAPE:
        out[6] = (x[8] - problem.level) / _LEVEL_SCALE
    elif problem.mode == ANYWHERE:
        out[0] = (x[8] - problem.level) / _LEVEL_SCALE


@njit(cache=True, error_model="numpy")
def _gate_miss(y, c, s, problem, out):  # type: ignore[no-untyped-def]
    """Position and velocity less those of the gate, in the approach frame, scaled; c, s: of the Moon's rotation."""
    R, target, w = problem.R_mcmf_approach, problem.target_mcmf, ROTATION_RATE_RAD_S
    r = (c * y[0] + s * y[1], c * y[1] - s * y[0], y[2])
    v = (c * y[3] + s * y[4] + w * r[1], c * y[4] - s * y[3] - w * r[0], y[5])
    for i in range(3):
        position, velocity = -problem.gate[i], -problem.gate[3 + i]
        for j in range(3):
            position += R[j, i] * (r[j] - target[j])
            velocity += R[j, i] * v[j]
        out[i] = position / _POSITION_SCALE_M
        out[3 + i] = velocity / _SPEED_SCALE_M_S


@njit(cache=True, error_model="numpy")
def _transversality(y, c, s, R):  # type: ignore[no-untyped-def]
    """Costate of the central angle, scaled: -p' . (n x r) + p . (n x v), n the axis of turning down range (mci)."""
    n = (c * R[0, 1] - s * R[1, 1], s * R[0, 1] + c * R[1, 1], R[2, 1])
    total = 0.0
    for i in range(3):
        j, k = (i + 1) % 3, (i + 2) % 3
        total += y[6 + i] * (n[j] * y[3 + k] - n[k] * y[3 + j])
        total -= y[9 + i] * (n[j] * y[k] - n[k] * y[j])
    return total / (_norm(y[6:9]) * _TRANSVERSALITY_SCALE_M_S)


@njit(cache=True, error_model="numpy")
def _moved(x, du, bases, mode, out):  # type: ignore[no-untyped-def]
    """The unknowns moved by scaled steps: two across the primer, three of its rate, burn time, coast time or level."""
    for i in range(3):
        out[i] = x[i] + du[0] * bases[0, i] + du[1] * bases[1, i]
        out[3 + i] = x[3 + i] + du[2 + i] / x[7]
    out[0:6] /= _norm(out[0:3])
    out[6] = x[6]
    out[8] = x[8]
    out[7] = x[7] * (1.0 + _BURN_STEP * du[5])
    if mode == BY_IGNITION:
        out[6] = x[6] + _COAST_STEP * du[6]
    else:
        out[8] = x[8] + _LEVEL_STEP * du[6]


@njit(cache=True, error_model="numpy")
def _norm(f):  # type: ignore[no-untyped-def]
    total = 0.0
    for value in f:
        total += value * value
    return sqrt(total)


@njit(cache=True, error_model="numpy")
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


@njit(cache=True, error_model="numpy")
def _across(x, bases):  # type: ignore[no-untyped-def]
    """Two unit vectors across the primer."""
    least = np.argmin(np.abs(x[0:3]))
    axis = np.zeros(3)
    axis[least] = 1.0
    bases[0] = np.cross(x[0:3], axis)
    bases[0] /= _norm(bases[0])
    bases[1] = np.cross(x[0:3], bases[0])
    bases[1] /= _norm(bases[1])


@njit(cache=True, error_model="numpy")
def _acceptable(x, thrust):  # type: ignore[no-untyped-def]
    """Whether the unknowns describe an arc that can be flown at all: it does not burn more mass than there is."""
    if not (0.0 < x[7] < _LONGEST_BURN_S and thrust[1] < x[8] < 2.0):
        return False
    acceleration, exhaust = arc_thrust(x[8], thrust)
    return acceleration / exhaust * x[7] < _MOST_SPENT


@njit(cache=True, error_model="numpy")
def _jacobian(problem, x, f, bases, y, work, A):  # type: ignore[no-untyped-def]
    """Forward differences of the residuals by the scaled unknowns."""
    n = f.shape[0]
    du, moved, f_moved = np.zeros(n), np.empty(9), np.empty(n)
    for j in range(n):
        du[j] = _DIFFERENCE
        _moved(x, du, bases, problem.mode, moved)
        _residuals(problem, moved, y, work, f_moved)
        for i in range(n):
            A[i, j] = (f_moved[i] - f[i]) / _DIFFERENCE
        du[j] = 0.0


@njit(cache=True, error_model="numpy")
def _improve(problem, x, f, norm, du, bases, y, work):  # type: ignore[no-untyped-def]
    """Take the step du, or a fraction of it, if that makes the residual smaller; returns the residual's norm."""
    moved, f_moved = np.empty(9), np.empty(f.shape[0])
    for _ in range(_HALVINGS):
        _moved(x, du, bases, problem.mode, moved)
        if _acceptable(moved, problem.thrust):
            _residuals(problem, moved, y, work, f_moved)
            norm_moved = _norm(f_moved)
            if norm_moved < norm:
                x[:], f[:] = moved, f_moved
                return norm_moved
        du *= 0.5
    return norm


@njit(cache=True, error_model="numpy")
def newton(problem, x, work):  # type: ignore[no-untyped-def]
    """Damped Newton's method on the seven equations; x in place.

    Returns the norm of the scaled residual and the sine of the thrust's pitch at the end of the arc. They may be not a
    number where the input is; it never raises and never runs long.
    """
    f, y, A, bases = np.empty(7), np.empty(12), np.empty((7, 7)), np.empty((2, 3))
    _residuals(problem, x, y, work, f)
    norm = _norm(f)
    for _ in range(_ITERATIONS):
        if norm < _DONE:
            break
        _across(x, bases)
        _jacobian(problem, x, f, bases, y, work, A)
        du = -f
        if not _eliminate(A, du):
            break
        largest = np.max(np.abs(du))
        if not largest < np.inf:  # also when not a number
            break
        if largest > _LARGEST_STEP:
            du *= _LARGEST_STEP / largest
        before = norm
        norm = _improve(problem, x, f, norm, du, bases, y, work)
        if not norm < before:
            break
    _residuals(problem, x, y, work, f)
    return norm, np.dot(y[0:3], y[6:9]) / (_norm(y[0:3]) * _norm(y[6:9]))
