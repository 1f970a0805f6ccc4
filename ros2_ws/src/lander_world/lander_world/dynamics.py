"""The rigid body with variable mass: one tick of the truth in one compiled call.

State: position and velocity of the centre of mass in mci, attitude q_mci_body, body rate in body, and the integral of
specific force (all but gravity) in mci. Equations of motion for a body that loses mass through nozzles (Thomson 1961,
Introduction to Space Dynamics, 8.4; Meirovitch 1970):

    m dv/dt = F + m g
    I dw/dt = M - w x I w - dI/dt w - sum(mdot_i rho_i x (w x rho_i))

The last two terms are the jet damping. Left out, each below 1e-5 of what is kept here: the motion of the centre of mass
and of the propellant within the body, sloshing, flexible legs and tanks, plume on the ground, the gravity gradient.
"""

from __future__ import annotations

from math import ceil, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_world import contact, thrusters
from lander_world.attitude import conjugate, multiply, rotate, to_rotation_vector
from lander_world.contact import contact_load, settle
from lander_world.gravity import gravity_mci
from lander_world.mass import COM, INERTIA, MASS, PROPERTIES, mass_properties
from lander_world.site_motion import q_mci_site, to_site

Array = NDArray[np.float64]

# Entries of the state
R, V, Q, W, SPECIFIC_IMPULSE = 0, 3, 6, 10, 13
STATE_LENGTH = 16

# Entries of what holds over one sub-step: force and torque in body, mass at its start and rate of change,
# centre of mass, inertia and its inverse (xx yy zz xy xz yz), damping matrix (the same order)
_FORCE, _TORQUE, _MASS, _MASS_RATE, _COM, _INERTIA, _INVERSE, _DAMPING = 0, 3, 6, 7, 8, 11, 17, 23
_LOAD_LENGTH = 29


@njit(cache=True)
def invert_symmetric(m: Array, out: Array) -> None:
    """Inverse of a symmetric 3x3 matrix, both as xx yy zz xy xz yz."""
    xx, yy, zz, xy, xz, yz = m[0], m[1], m[2], m[3], m[4], m[5]
    cxx, cxy, cxz = yy * zz - yz * yz, xz * yz - xy * zz, xy * yz - xz * yy
    scale = 1.0 / (xx * cxx + xy * cxy + xz * cxz)
    out[0], out[3], out[4] = cxx * scale, cxy * scale, cxz * scale
    out[1], out[5], out[2] = (xx * zz - xz * xz) * scale, (xy * xz - xx * yz) * scale, (xx * yy - xy * xy) * scale


@njit(cache=True)
def times(m: Array, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Symmetric matrix (xx yy zz xy xz yz) times a vector."""
    return m[0] * x + m[3] * y + m[4] * z, m[3] * x + m[1] * y + m[5] * z, m[4] * x + m[5] * y + m[2] * z


@njit(cache=True)
def _sum_thrust(table: Array, state: Array, load: Array) -> None:
    """Force and torque about the centre of mass, and what the jets take from the body's rotation."""
    load[_FORCE : _FORCE + 6] = 0.0
    for i in range(table.shape[0]):
        mean = state[i, thrusters.MEAN]
        if mean == 0.0:
            continue
        fx = mean * table[i, thrusters.DIRECTION]
        fy = mean * table[i, thrusters.DIRECTION + 1]
        fz = mean * table[i, thrusters.DIRECTION + 2]
        x = table[i, thrusters.POSITION] - load[_COM]
        y = table[i, thrusters.POSITION + 1] - load[_COM + 1]
        z = table[i, thrusters.POSITION + 2] - load[_COM + 2]
        load[_FORCE] += fx
        load[_FORCE + 1] += fy
        load[_FORCE + 2] += fz
        load[_TORQUE] += y * fz - z * fy
        load[_TORQUE + 1] += z * fx - x * fz
        load[_TORQUE + 2] += x * fy - y * fx
        flow = mean * table[i, thrusters.FLOW]
        load[_DAMPING] += flow * (y * y + z * z)
        load[_DAMPING + 1] += flow * (x * x + z * z)
        load[_DAMPING + 2] += flow * (x * x + y * y)
        load[_DAMPING + 3] -= flow * x * y
        load[_DAMPING + 4] -= flow * x * z
        load[_DAMPING + 5] -= flow * y * z


@njit(cache=True)
def _prepare(table: Array, state: Array, before: Array, after: Array, length: float, load: Array) -> None:
    """What holds over a sub-step, from the mass properties at its ends and the mean thrusts."""
    load[_MASS] = before[MASS]
    load[_MASS_RATE] = (after[MASS] - before[MASS]) / length
    for i in range(3):
        load[_COM + i] = 0.5 * (before[COM + i] + after[COM + i])
    for i in range(6):
        load[_INERTIA + i] = 0.5 * (before[INERTIA + i] + after[INERTIA + i])
        load[_DAMPING + i] = (after[INERTIA + i] - before[INERTIA + i]) / length
    invert_symmetric(load[_INERTIA:], load[_INVERSE:])
    _sum_thrust(table, state, load)


@njit(cache=True)
def _derivative(
    x: Array,
    time_s: float,
    since_s: float,
    load: Array,
    touching: bool,
    ground: tuple[Array, Array, Array, Array],
    work: Array,
    out: Array,
) -> None:
    """Time derivative of the state at a time, `since_s` after the sub-step began."""
    q = (x[Q], x[Q + 1], x[Q + 2], x[Q + 3])
    wx, wy, wz = x[W], x[W + 1], x[W + 2]
    fx, fy, fz = rotate(q, (load[_FORCE], load[_FORCE + 1], load[_FORCE + 2]))
    hx, hy, hz = times(load[_INERTIA:], wx, wy, wz)
    dx, dy, dz = times(load[_DAMPING:], wx, wy, wz)
    mx = load[_TORQUE] - (wy * hz - wz * hy) - dx
    my = load[_TORQUE + 1] - (wz * hx - wx * hz) - dy
    mz = load[_TORQUE + 2] - (wx * hy - wy * hx) - dz
    if touching:
        site, points, pads, laws = ground
        contact_load(x, time_s, site, load[_COM : _COM + 3], points, pads, laws, work)
        fx, fy, fz = fx + work[0], fy + work[1], fz + work[2]
        mx, my, mz = mx + work[3], my + work[4], mz + work[5]
    inverse_mass = 1.0 / (load[_MASS] + load[_MASS_RATE] * since_s)
    ax, ay, az = fx * inverse_mass, fy * inverse_mass, fz * inverse_mass
    gx, gy, gz = gravity_mci(x[R], x[R + 1], x[R + 2], time_s)
    out[R], out[R + 1], out[R + 2] = x[V], x[V + 1], x[V + 2]
    out[V], out[V + 1], out[V + 2] = ax + gx, ay + gy, az + gz
    qx, qy, qz, qw = multiply(q, (0.5 * wx, 0.5 * wy, 0.5 * wz, 0.0))
    out[Q], out[Q + 1], out[Q + 2], out[Q + 3] = qx, qy, qz, qw
    out[W], out[W + 1], out[W + 2] = times(load[_INVERSE:], mx, my, mz)
    out[SPECIFIC_IMPULSE], out[SPECIFIC_IMPULSE + 1], out[SPECIFIC_IMPULSE + 2] = ax, ay, az


@njit(cache=True)
def _runge_kutta(
    x: Array,
    time_s: float,
    h: float,
    load: Array,
    touching: bool,
    ground: tuple[Array, Array, Array, Array],
    work: Array,
) -> None:
    """One classical fourth-order step, in place."""
    k, stage, total = work[1], work[2], work[3]
    _derivative(x, time_s, 0.0, load, touching, ground, work[0], k)
    for i in range(STATE_LENGTH):
        total[i] = k[i]
        stage[i] = x[i] + 0.5 * h * k[i]
    _derivative(stage, time_s + 0.5 * h, 0.5 * h, load, touching, ground, work[0], k)
    for i in range(STATE_LENGTH):
        total[i] += 2.0 * k[i]
        stage[i] = x[i] + 0.5 * h * k[i]
    _derivative(stage, time_s + 0.5 * h, 0.5 * h, load, touching, ground, work[0], k)
    for i in range(STATE_LENGTH):
        total[i] += 2.0 * k[i]
        stage[i] = x[i] + h * k[i]
    _derivative(stage, time_s + h, h, load, touching, ground, work[0], k)
    for i in range(STATE_LENGTH):
        x[i] += h / 6.0 * (total[i] + k[i])
    _normalise(x)


@njit(cache=True)
def _normalise(x: Array) -> None:
    scale = 1.0 / sqrt(x[Q] ** 2 + x[Q + 1] ** 2 + x[Q + 2] ** 2 + x[Q + 3] ** 2)
    for i in range(Q, Q + 4):
        x[i] *= scale


@njit(cache=True)
def _draw(table: Array, engines: Array, tanks: Array, start: float, end: float) -> None:
    """Fire the thrusters over a sub-step and take what they need from the tanks; an empty tank ends its thrusters."""
    wanted_main, wanted_rcs = thrusters.fire_all(table, engines, start, end)
    for tank, wanted in ((0, wanted_main), (1, wanted_rcs)):
        if wanted > tanks[tank]:
            thrusters.starve(table, engines, float(tank), tanks[tank] / wanted)
            tanks[tank] = 0.0
        else:
            tanks[tank] -= wanted


@njit(cache=True)
def advance(
    state: Array,
    tanks: Array,
    table: Array,
    engines: Array,
    on_s: Array,
    mass_table: Array,
    residual: float,
    ground: tuple[Array, Array, Array, Array],
    first_contact: Array,
    time_s: float,
    step_s: float,
    longest_s: tuple[float, float],
    near_ground: bool,
) -> tuple[int, int]:
    """Move the world over one tick, in place.

    Parameters
    ----------
    state : shape (STATE_LENGTH,); the specific impulse starts at zero and is that of the tick in the end.
    tanks : usable propellant in the main and the RCS tank, kg.
    table, engines : thrusters (`lander_world.thrusters`), with what they gave in `engines`.
    on_s : commanded open times, s.
    mass_table, residual : see `lander_world.mass`; unusable propellant, kg.
    ground : tables of site, contact points, pads and contact laws (`lander_world.contact`).
    first_contact : filled once, when anything first touches: the time, s, and the state; the time is NaN before.
    time_s, step_s : beginning of the tick since stamp 0, and its length.
    longest_s : longest sub-step with and without thrust, both where the ground is far (in contact: the first).
    near_ground : compute contact.

    Returns how many commands were too short for their valve, and the point of the hull that hit the ground first (-1).
    """
    site, points, pads, laws = ground
    load = np.empty(_LOAD_LENGTH)
    work = np.empty((4, STATE_LENGTH))
    before, after = np.empty(PROPERTIES), np.empty(PROPERTIES)
    state[SPECIFIC_IMPULSE:] = 0.0
    pads[:, contact.LOAD :] = 0.0
    refused = thrusters.begin_tick(table, engines, on_s, step_s)
    longest = longest_s[1] if thrusters.quiet(table, engines) and not near_ground else longest_s[0]
    number = int(ceil(step_s / longest - 1e-9))
    h = step_s / number
    mass_properties(mass_table, tanks[0] + residual, tanks[1], before)
    hull = -1
    for i in range(number):
        start = i * h
        now = time_s + start
        _draw(table, engines, tanks, start, start + h)
        mass_properties(mass_table, tanks[0] + residual, tanks[1], after)
        _prepare(table, engines, before, after, h, load)
        if near_ground:
            touching, point = settle(state, now, site, load[_COM : _COM + 3], points, pads, laws)
            hull = point if hull < 0 else hull
            if touching and np.isnan(first_contact[0]):
                first_contact[0] = now
                first_contact[1:] = state[: W + 3]
        _runge_kutta(state, now, h, load, near_ground, ground, work)
        for j in range(table.shape[0]):
            engines[j, thrusters.IMPULSE] += engines[j, thrusters.MEAN] * h
        before[:] = after
    thrusters.end_tick(table, engines, step_s)
    return refused, hull
