"""Contact with the ground: spring, damper and friction at the pads, a stiff hull that must not touch.

The ground is a plane under each point, sampled anew every tick (`lander_world.ground`): n . p = d in site coordinates.
What runs for each point is marked for inlining: calls with arrays and tuples cost three times as much as the work.
"""

from __future__ import annotations

from math import cos, radians, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import conjugate, rotate
from lander_common.mission import Legs
from lander_world.parameters import Hull, Pad
from lander_world.site_motion import Quaternion, q_mci_site, rate_over_ground, to_site

Array = NDArray[np.float64]
Vector = tuple[float, float, float]

# Columns of the table of contact points (pads first): place in body and ground plane in site
POINT, NORMAL, LEVEL = 0, 3, 6
WITHIN_REACH = 7  # 1 where the point may touch the ground in the coming tick; the others are left out
POINT_COLUMNS = 8

# Columns of the state of the pads
ANCHOR = 0  # where friction holds the pad, in site, m
HELD = 3  # 1 while it does
BROKEN = 4  # 1 when the leg is
LOAD = 5  # N, largest of the tick
TOUCHED = 6  # 1 if the pad touched within the tick
PAD_COLUMNS = 7

# Entries of the table of contact laws
_STIFFNESS, _DAMPING, _FRICTION, _STROKE, _BOTTOMING, _CRUSH, _SHEAR, _SHEAR_DAMPING = range(8)
_HULL_STIFFNESS, _HULL_DAMPING, _HULL_FRICTION, _SLIP = range(8, 12)


def pad_places(legs: Legs) -> Array:
    """Centres of the pads in body, m; shape (count, 3). Their plane contains the body origin."""
    azimuths = radians(legs.first_azimuth_deg) + 2.0 * np.pi * np.arange(legs.count) / legs.count
    return np.stack(
        [legs.pad_radius_m * np.cos(azimuths), legs.pad_radius_m * np.sin(azimuths), 0.0 * azimuths], axis=1
    )


def hull_places(hull: Hull) -> Array:
    """Points of the hull in body, m; shape (number, 3)."""
    return np.array(
        [
            (radius * cos(2.0 * np.pi * i / number), radius * sin(2.0 * np.pi * i / number), height)
            for radius, height, number in hull.rings
            for i in range(number)
        ]
    ).reshape(-1, 3)


def contact_points(legs: Legs, hull: Hull) -> Array:
    """Table of contact points, pads first, with the ground far below; shape (number, POINT_COLUMNS)."""
    places = np.concatenate([pad_places(legs), hull_places(hull)])
    planes = np.tile([0.0, 0.0, 1.0, -1e9, 0.0], (len(places), 1))
    return np.concatenate([places, planes], axis=1)


def contact_laws(legs: Legs, pad: Pad, hull: Hull) -> Array:
    """Table of contact laws."""
    return np.array(
        [
            legs.stiffness_n_m,
            legs.damping_n_s_m,
            legs.friction,
            legs.stroke_m,
            pad.bottoming_stiffness_n_m,
            legs.crush_force_n,
            pad.friction_stiffness_n_m,
            pad.friction_damping_n_s_m,
            hull.stiffness_n_m,
            hull.damping_n_s_m,
            hull.friction,
            hull.slip_speed_m_s,
        ]
    )


@njit(cache=True)
def leg_force(laws: Array, depth: float, speed: float) -> float:
    """Force, N, of a leg compressed by a depth, m, at a speed, m/s: spring, damper, stop; it never pulls."""
    force: float = laws[_STIFFNESS] * depth + laws[_DAMPING] * speed
    if depth > laws[_STROKE]:
        force += laws[_BOTTOMING] * (depth - laws[_STROKE])
    return max(force, 0.0)


@njit(cache=True)
def _tangential(normal: Vector, v: Vector) -> Vector:
    along = normal[0] * v[0] + normal[1] * v[1] + normal[2] * v[2]
    return v[0] - along * normal[0], v[1] - along * normal[1], v[2] - along * normal[2]


@njit(cache=True)
def _length(v: Vector) -> float:
    return sqrt(v[0] * v[0] + v[1] * v[1] + v[2] * v[2])


@njit(cache=True)
def pad_friction(laws: Array, load: float, stretch: Vector, slide: Vector) -> Vector:
    """Friction on a pad, N: a spring to its anchor and a damper, limited to Coulomb's force (Cundall, Strack 1979)."""
    k, c = laws[_SHEAR], laws[_SHEAR_DAMPING]
    fx, fy, fz = -k * stretch[0] - c * slide[0], -k * stretch[1] - c * slide[1], -k * stretch[2] - c * slide[2]
    force, limit = _length((fx, fy, fz)), laws[_FRICTION] * load
    share = limit / force if force > limit else 1.0
    return fx * share, fy * share, fz * share


@njit(cache=True)
def hull_friction(laws: Array, load: float, slide: Vector) -> Vector:
    """Friction on a point of the hull, N: Coulomb's force, fading below the slip speed."""
    share = -laws[_HULL_FRICTION] * load / sqrt(_length(slide) ** 2 + laws[_SLIP] ** 2)
    return share * slide[0], share * slide[1], share * slide[2]


@njit(cache=True, inline="always")
def _vector(table: Array, row: int, first: int) -> Vector:
    return table[row, first], table[row, first + 1], table[row, first + 2]


@njit(cache=True, inline="always")
def _point_motion(
    points: Array, i: int, com: Array, r: Vector, v: Vector, q_site_body: Quaternion, w: Vector
) -> tuple[Vector, Vector, Vector, float]:
    """Of a contact point: arm from the centre of mass in body, place and velocity in site, depth in the ground."""
    arm = (points[i, POINT] - com[0], points[i, POINT + 1] - com[1], points[i, POINT + 2] - com[2])
    turning = (w[1] * arm[2] - w[2] * arm[1], w[2] * arm[0] - w[0] * arm[2], w[0] * arm[1] - w[1] * arm[0])
    ax, ay, az = rotate(q_site_body, arm)
    ux, uy, uz = rotate(q_site_body, turning)
    x, y, z = r[0] + ax, r[1] + ay, r[2] + az
    height = points[i, NORMAL] * x + points[i, NORMAL + 1] * y + points[i, NORMAL + 2] * z
    depth: float = points[i, LEVEL] - height
    return arm, (x, y, z), (v[0] + ux, v[1] + uy, v[2] + uz), depth


@njit(cache=True)
def _stretch(pads: Array, pad: int, normal: Vector, place: Vector) -> Vector:
    """How far the pad is from its anchor along the ground; nothing where it has none yet."""
    if pads[pad, HELD] == 0.0:
        return 0.0, 0.0, 0.0
    away = (place[0] - pads[pad, ANCHOR], place[1] - pads[pad, ANCHOR + 1], place[2] - pads[pad, ANCHOR + 2])
    stretch: Vector = _tangential(normal, away)
    return stretch


@njit(cache=True, inline="always")
def _point_force(
    i: int, pads: Array, laws: Array, normal: Vector, depth: float, place: Vector, velocity: Vector
) -> Vector:
    """Force of the ground on a contact point, N, in site."""
    slide = _tangential(normal, velocity)
    speed = -(normal[0] * velocity[0] + normal[1] * velocity[1] + normal[2] * velocity[2])
    if i < pads.shape[0]:
        load = leg_force(laws, depth, speed)
        fx, fy, fz = pad_friction(laws, load, _stretch(pads, i, normal, place), slide)
    else:
        load = max(laws[_HULL_STIFFNESS] * depth + laws[_HULL_DAMPING] * speed, 0.0)
        fx, fy, fz = hull_friction(laws, load, slide)
    return load * normal[0] + fx, load * normal[1] + fy, load * normal[2] + fz


@njit(cache=True)
def contact_load(
    state: Array, time_s: float, site: Array, com: Array, points: Array, pads: Array, laws: Array, out: Array
) -> None:
    """Fill the force in mci, N, and the torque about the centre of mass in body, N m, of all contacts: out[0:6]."""
    q = q_mci_site(site, time_s)
    r, v, q_site_body = to_site(site, conjugate(q), state, time_s)
    w = rate_over_ground(state)
    q_body_site = conjugate(q_site_body)
    out[:6] = 0.0
    for i in range(points.shape[0]):
        if points[i, WITHIN_REACH] == 0.0 or (i < pads.shape[0] and pads[i, BROKEN] != 0.0):
            continue
        arm, place, velocity, depth = _point_motion(points, i, com, r, v, q_site_body, w)
        if depth <= 0.0:
            continue
        normal = _vector(points, i, NORMAL)
        force = _point_force(i, pads, laws, normal, depth, place, velocity)
        # The force acts at the surface, which is where the point would be if nothing gave way.
        bx, by, bz = rotate(q_body_site, force)
        nx, ny, nz = rotate(q_body_site, normal)
        ax, ay, az = arm[0] + depth * nx, arm[1] + depth * ny, arm[2] + depth * nz
        out[0] += force[0]
        out[1] += force[1]
        out[2] += force[2]
        out[3] += ay * bz - az * by
        out[4] += az * bx - ax * bz
        out[5] += ax * by - ay * bx
    out[0], out[1], out[2] = rotate(q, (out[0], out[1], out[2]))


@njit(cache=True)
def settle(
    state: Array, time_s: float, site: Array, com: Array, points: Array, pads: Array, laws: Array
) -> tuple[bool, int]:
    """Between two steps: note touches and loads, break legs, move anchors of pads that slip.

    Returns whether anything touches, and the point of the hull that is deepest in the ground (-1 if none).
    """
    r, v, q_site_body = to_site(site, conjugate(q_mci_site(site, time_s)), state, time_s)
    w = rate_over_ground(state)
    touching, hull, deepest = False, -1, 0.0
    for i in range(points.shape[0]):
        if points[i, WITHIN_REACH] == 0.0:
            continue
        _, place, velocity, depth = _point_motion(points, i, com, r, v, q_site_body, w)
        touching = touching or depth > 0.0
        if i < pads.shape[0]:
            _settle_pad(pads, i, laws, _vector(points, i, NORMAL), depth, place, velocity)
        elif depth > deepest:
            hull, deepest = i - pads.shape[0], depth
    return touching, hull


@njit(cache=True)
def _settle_pad(
    pads: Array, i: int, laws: Array, normal: Vector, depth: float, place: Vector, velocity: Vector
) -> None:
    if depth <= 0.0 or pads[i, BROKEN] != 0.0:
        pads[i, HELD] = 0.0
        return
    load = leg_force(laws, depth, -(normal[0] * velocity[0] + normal[1] * velocity[1] + normal[2] * velocity[2]))
    pads[i, TOUCHED] = 1.0
    pads[i, LOAD] = max(pads[i, LOAD], load)
    if load > laws[_CRUSH]:
        pads[i, BROKEN] = 1.0
    _move_anchor(pads, i, laws, load, normal, place)


@njit(cache=True)
def _move_anchor(pads: Array, i: int, laws: Array, load: float, normal: Vector, place: Vector) -> None:
    """Set the anchor of a pad that has none; drag it along where its spring alone would exceed Coulomb's force."""
    keep = 0.0
    stretch = _stretch(pads, i, normal, place)
    if pads[i, HELD] != 0.0:
        length, limit = _length(stretch), laws[_FRICTION] * load / laws[_SHEAR]
        keep = limit / length if length > limit else 1.0
    pads[i, HELD] = 1.0
    for axis in range(3):
        pads[i, ANCHOR + axis] = place[axis] - keep * stretch[axis]
