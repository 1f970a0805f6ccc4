"""The rigid body with variable mass: one tick of the truth.

Equations of motion of a body that loses mass through nozzles, about its centre of mass (Thomson 1961, Introduction to
Space Dynamics; Meirovitch 1970, Methods of Analytical Dynamics):

    m dv/dt = F + m g
    I dw/dt = M - w x I w - dI/dt w - sum(mdot_i rho_i x (w x rho_i))

The last two terms are the jet damping; rho_i is the arm of nozzle i. Not modelled: sloshing, flexible structure, the
motion of the centre of mass within the body (0.1 mm/s), the gravity gradient (1e-4 N m), the plume.
"""

from __future__ import annotations

from math import ceil, isnan, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import multiply, rotate
from lander_world import contact, thrusters
from lander_world.contact import contact_load, settle
from lander_world.gravity import gravity_mci
from lander_world.initial_state import SPECIFIC_IMPULSE, STATE_LENGTH, Q, R, V, W
from lander_world.mass import COM, INERTIA, MASS, PROPERTIES, mass_properties
from lander_world.plant import Plant

Array = NDArray[np.float64]

# Entries of what holds over one sub-step: force and torque in body, mass at its start and rate of change,
# centre of mass, inertia and its inverse (xx yy zz xy xz yz), damping matrix (the same order)
_FORCE, _TORQUE, _MASS, _MASS_RATE, _COM, _INERTIA, _INVERSE, _DAMPING = 0, 3, 6, 7, 8, 11, 17, 23
_LOAD_LENGTH = 29

_STAGES = (
    (0.0, 1.0),
    (0.5, 2.0),
    (0.5, 2.0),
    (1.0, 1.0),
)  # of the classical Runge-Kutta method: place in the step, weight


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
    x: Array, time_s: float, since_s: float, load: Array, touching: bool, plant: Plant, work: Array, out: Array
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
        ground = plant.ground
        contact_load(x, time_s, ground.site, load[_COM : _COM + 3], ground.points, ground.pads, ground.laws, work)
        fx, fy, fz = fx + work[0], fy + work[1], fz + work[2]
        mx, my, mz = mx + work[3], my + work[4], mz + work[5]
    inverse_mass = 1.0 / (load[_MASS] + load[_MASS_RATE] * since_s)
    ax, ay, az = fx * inverse_mass, fy * inverse_mass, fz * inverse_mass
    gx, gy, gz = gravity_mci(plant.gravity, x[R], x[R + 1], x[R + 2], time_s)
    out[R], out[R + 1], out[R + 2] = x[V], x[V + 1], x[V + 2]
    out[V], out[V + 1], out[V + 2] = ax + gx, ay + gy, az + gz
    qx, qy, qz, qw = multiply(q, (0.5 * wx, 0.5 * wy, 0.5 * wz, 0.0))
    out[Q], out[Q + 1], out[Q + 2], out[Q + 3] = qx, qy, qz, qw
    out[W], out[W + 1], out[W + 2] = times(load[_INVERSE:], mx, my, mz)
    out[SPECIFIC_IMPULSE], out[SPECIFIC_IMPULSE + 1], out[SPECIFIC_IMPULSE + 2] = ax, ay, az


@njit(cache=True)
def _runge_kutta(x: Array, time_s: float, h: float, load: Array, touching: bool, plant: Plant, work: Array) -> None:
    """One classical fourth-order step, in place."""
    k, at, total = work[1], work[2], work[3]
    k[:] = 0.0
    total[:] = 0.0
    for place, weight in _STAGES:
        for i in range(STATE_LENGTH):
            at[i] = x[i] + place * h * k[i]
        _derivative(at, time_s + place * h, place * h, load, touching, plant, work[0], k)
        for i in range(STATE_LENGTH):
            total[i] += weight * k[i]
    for i in range(STATE_LENGTH):
        x[i] += h / 6.0 * total[i]
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
            thrusters.starve(table, engines, float(tank), tanks[tank] / wanted, end - start)
            tanks[tank] = 0.0
        else:
            tanks[tank] -= wanted


@njit(cache=True)
def _watch_ground(plant: Plant, time_s: float, com: Array) -> int:
    """Between two sub-steps near the ground: what touches, and the state just before the first touch.

    Returns the point of the hull that touches, or -1.
    """
    ground, first = plant.ground, plant.first_contact
    hull: int
    touching, hull = settle(plant.state, time_s, ground.site, com, ground.points, ground.pads, ground.laws)
    if isnan(first[0]):
        if not touching or isnan(first[1]):
            first[1:] = plant.state
        if touching:
            first[0] = time_s
    return hull


@njit(cache=True)
def advance(plant: Plant, on_s: Array, time_s: float, step_s: float, near: bool) -> tuple[int, int]:
    """Move the world over one tick, in place.

    Parameters
    ----------
    plant : everything that moves (`lander_world.plant`); its planes of the ground are those of the tick before.
    on_s : commanded open times, s; infinity: stays open.
    time_s, step_s : beginning of the tick since stamp 0, and its length.
    near : compute contact.

    Returns how many commands were too short for their valve, and the point of the hull that hit the ground first (-1).
    """
    state, tanks, engines = plant.state, plant.tanks, plant.engines
    load = np.empty(_LOAD_LENGTH)
    work = np.empty((4, STATE_LENGTH))
    before, after = np.empty(PROPERTIES), np.empty(PROPERTIES)
    state[SPECIFIC_IMPULSE:] = 0.0
    plant.ground.pads[:, contact.LOAD :] = 0.0
    refused = thrusters.begin_tick(plant.table, engines, on_s, step_s)
    powered, coast, touching = plant.longest_s
    longest = touching if near else coast if thrusters.quiet(plant.table, engines) else powered
    number = ceil(step_s / longest - 1e-9)
    h = step_s / number
    mass_properties(plant.mass, tanks[0] + plant.residual, tanks[1], before)
    hull = -1
    for i in range(number):
        start = i * h
        _draw(plant.table, engines, tanks, start, start + h)
        mass_properties(plant.mass, tanks[0] + plant.residual, tanks[1], after)
        _prepare(plant.table, engines, before, after, h, load)
        if near:
            point = _watch_ground(plant, time_s + start, load[_COM : _COM + 3])
            hull = point if hull < 0 else hull
        _runge_kutta(state, time_s + start, h, load, near, plant, work)
        before[:] = after
    thrusters.end_tick(plant.table, engines, step_s)
    return refused, hull
