"""Allocation of thrust and torque to thrusters that only push."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from itertools import combinations
from math import cos, radians, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import AssistRing, Rcs
from lander_common.quaternion import Vector

Array = NDArray[np.float64]
Matrix3 = tuple[Vector, Vector, Vector]

_ITERATIONS = 20  # the solver needs fewer than ten; a bound, so that a tick's work is bounded
_CONVERGED = 1e-10  # of full thrust
_SINGULAR = 1e-9  # determinant of order 1: fewer than three actuators work, or they stand in a line
_SMALLEST_SHARE = 0.02  # of a thruster in an RCS combination: less is not worth a valve's opening


def cross(a: Vector, b: Vector) -> Vector:
    """Cross product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def torque_about(com_body_m: Vector, position_body_m: Vector, force_body_n: Vector) -> Vector:
    """Torque of a force about the centre of mass, N m, in body."""
    cx, cy, cz = com_body_m
    px, py, pz = position_body_m
    return cross((px - cx, py - cy, pz - cz), force_body_n)


def force_along(direction_body: Vector, thrust_n: float) -> Vector:
    """Force, N, of a thruster that pushes along a direction, which need not be of unit length."""
    x, y, z = direction_body
    scale = thrust_n / sqrt(x * x + y * y + z * z)
    return (scale * x, scale * y, scale * z)


def weighted_sum(weights: Sequence[float], vectors: Sequence[Vector]) -> Vector:
    """Sum of vectors, each times its weight."""
    x = y = z = 0.0
    for weight, vector in zip(weights, vectors):  # noqa: B905 - in the hot path, of equal length by construction
        if weight != 0.0:
            x += weight * vector[0]
            y += weight * vector[1]
            z += weight * vector[2]
    return (x, y, z)


def ring_positions(ring: AssistRing) -> list[Vector]:
    """Where the assist thrusters stand, m, in body."""
    azimuths = [radians(ring.first_azimuth_deg + 360.0 * i / ring.count) for i in range(ring.count)]
    return [(ring.radius_m * cos(azimuth), ring.radius_m * sin(azimuth), ring.height_m) for azimuth in azimuths]


class BoundedAllocation:
    """Levels u in [0, 1] of actuators with effects B (3 x n) such that B u is a wanted 3-vector.

    Minimises |u|^2 + sum_r (B u - v)_r^2 / softness_r over the box. It is solved in its dual, three unknowns y: u is
    B^T y clipped to the box, and the residual v - B u is softness * y. The dual is convex and piecewise quadratic, so
    Newton steps with an exact line search come to an end (Hager and Hearn, 1993). Where v is within reach, the residual
    vanishes with the softness; where it is not, the row with the greatest softness gives way first.
    """

    def __init__(self, columns: Sequence[Vector], softness: Vector) -> None:
        """`columns`: effect of each actuator at full level, in units in which full effects are of order 1."""
        self._columns = [(float(a), float(b), float(c)) for a, b, c in columns]
        self._softness = softness
        (xx, xy, xz), (_, yy, yz), (_, _, zz) = self._curvature(self._columns)
        x, y, z = softness
        exact = ((xx - x, xy, xz), (xy, yy - y, yz), (xz, yz, zz - z))
        regular = abs(determinant3(exact)) > _SINGULAR
        self._inverse = inverse3(exact) if regular else None  # exact where nothing is bounded

    def solve(self, wanted: Vector) -> tuple[list[float], bool]:
        """Levels for a wanted effect, within the box whatever is wanted; and whether no level had to be bounded."""
        if self._inverse is None:
            y0, y1, y2 = self._bounded(wanted, (0.0, 0.0, 0.0))
            return [min(max(a * y0 + b * y1 + c * y2, 0.0), 1.0) for a, b, c in self._columns], False
        y0, y1, y2 = y = multiply3(self._inverse, wanted)
        levels = [a * y0 + b * y1 + c * y2 for a, b, c in self._columns]
        if min(levels) >= 0.0 and max(levels) <= 1.0:
            return levels, True
        y0, y1, y2 = self._bounded(wanted, y)
        return [min(max(a * y0 + b * y1 + c * y2, 0.0), 1.0) for a, b, c in self._columns], False

    def _bounded(self, wanted: Vector, y: Vector) -> Vector:
        slope = self._slope(wanted, y)
        for _ in range(_ITERATIONS):
            if max(map(abs, slope)) < _CONVERGED:
                break
            y0, y1, y2 = y
            free = [(a, b, c) for a, b, c in self._columns if 0.0 < a * y0 + b * y1 + c * y2 < 1.0]
            step = multiply3(inverse3(self._curvature(free)), (-slope[0], -slope[1], -slope[2]))
            y, slope = self._advanced(wanted, y, slope, step)
        return y

    def _advanced(self, wanted: Vector, y: Vector, slope: Vector, step: Vector) -> tuple[Vector, Vector]:
        """The end of a Newton step and the slope there; it ends where the dual stops to fall."""
        there = along(y, step, 1.0)
        slope_there = self._slope(wanted, there)
        if dot(slope_there, step) <= _CONVERGED:
            return there, slope_there
        there = along(y, step, self._line_search(y, step, dot(slope, step)))
        return there, self._slope(wanted, there)

    def _slope(self, wanted: Vector, y: Vector) -> Vector:
        """Gradient of the dual: B clip(B^T y) + softness y - v."""
        sx, sy, sz = self._softness
        y0, y1, y2 = y
        gx, gy, gz = sx * y0 - wanted[0], sy * y1 - wanted[1], sz * y2 - wanted[2]
        for a, b, c in self._columns:
            level = a * y0 + b * y1 + c * y2
            if level >= 1.0:
                gx += a
                gy += b
                gz += c
            elif level > 0.0:
                gx += a * level
                gy += b * level
                gz += c * level
        return (gx, gy, gz)

    def _curvature(self, columns: Sequence[Vector]) -> Matrix3:
        xx, yy, zz = self._softness
        xy = xz = yz = 0.0
        for a, b, c in columns:
            xx += a * a
            yy += b * b
            zz += c * c
            xy += a * b
            xz += a * c
            yz += b * c
        return ((xx, xy, xz), (xy, yy, yz), (xz, yz, zz))

    def _line_search(self, y: Vector, step: Vector, fall: float) -> float:
        """Length at which the slope along the step, `fall` (negative) at its beginning, comes to vanish.

        The slope grows linearly between the lengths at which levels meet their bounds: a level adds the square of its
        rate to the growth while it is free.
        """
        sx, sy, sz = self._softness
        growth = sx * step[0] * step[0] + sy * step[1] * step[1] + sz * step[2] * step[2]
        changes = []
        for column in self._columns:
            level, rate = dot(column, y), dot(column, step)
            if rate != 0.0:
                ends = (-level / rate, (1.0 - level) / rate)
                changes += [(min(ends), rate * rate), (max(ends), -rate * rate)]
        at = 0.0
        for length, change in sorted(changes):
            if length > at:
                if fall + growth * (length - at) >= 0.0:
                    break
                fall += growth * (length - at)
                at = length
            growth += change
        return at - fall / growth


def along(start: Vector, step: Vector, length: float) -> Vector:
    """The point at a multiple of a step."""
    return (start[0] + length * step[0], start[1] + length * step[1], start[2] + length * step[2])


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def determinant3(m: Matrix3) -> float:
    """Determinant."""
    (a, b, c), (d, e, f), (g, h, i) = m
    return a * (e * i - f * h) + b * (f * g - d * i) + c * (d * h - e * g)


def inverse3(m: Matrix3) -> Matrix3:
    """Inverse of a regular 3 x 3 matrix by its adjugate."""
    (a, b, c), (d, e, f), (g, h, i) = m
    A, B, C = e * i - f * h, f * g - d * i, d * h - e * g
    scale = 1.0 / (a * A + b * B + c * C)
    return (
        (A * scale, (c * h - b * i) * scale, (b * f - c * e) * scale),
        (B * scale, (a * i - c * g) * scale, (c * d - a * f) * scale),
        (C * scale, (b * g - a * h) * scale, (a * e - b * d) * scale),
    )


def multiply3(m: Matrix3, v: Vector) -> Vector:
    """Matrix times vector."""
    x, y, z = v
    (a, b, c), (d, e, f), (g, h, i) = m
    return (a * x + b * y + c * z, d * x + e * y + f * z, g * x + h * y + i * z)


class RingAllocation:
    """Duties of the assist ring for thrust along +z and torque about x and y; torque goes before thrust."""

    _SOFTNESS: Vector = (1e-5, 1e-9, 1e-9)  # thrust, torque, torque: which gives way, and how exact the rest is

    def __init__(
        self,
        ring: AssistRing,
        com_body_m: Vector,
        fractions: Sequence[float] | None = None,
        stuck_open: Sequence[bool] | None = None,
    ) -> None:
        """`fractions`: thrust of each thruster over nominal; `stuck_open`: those that burn whatever they are told."""
        self._thrust_n = ring.thrust_n
        self._torque_n_m = ring.thrust_n * ring.radius_m
        self._most = float(ring.count)
        fractions, stuck_open = fractions or [1.0] * ring.count, stuck_open or [False] * ring.count
        self.thrusts_n = [fraction * ring.thrust_n for fraction in fractions]
        forces = ((0.0, 0.0, thrust_n) for thrust_n in self.thrusts_n)
        places = ring_positions(ring)
        self.torques_n_m = [torque_about(com_body_m, p, force) for p, force in zip(places, forces, strict=True)]
        self._standing = [float(stuck) for stuck in stuck_open]
        self.standing = self._sums(self._standing)
        self._bounded = BoundedAllocation([self._column(i) for i in range(ring.count)], self._SOFTNESS)

    def _column(self, i: int) -> Vector:
        """Effect of a thruster at full duty; one that cannot be told anything has none."""
        if self._standing[i]:
            return (0.0, 0.0, 0.0)
        x, y, _ = self.torques_n_m[i]
        return (self.thrusts_n[i] / self._thrust_n, x / self._torque_n_m, y / self._torque_n_m)

    def _sums(self, duties: Sequence[float]) -> tuple[float, Vector]:
        thrust_n = sum(duty * thrust for duty, thrust in zip(duties, self.thrusts_n, strict=True))
        return thrust_n, weighted_sum(duties, self.torques_n_m)

    @property
    def limit_n(self) -> float:
        """The most thrust without a torque about x and y, N."""
        return self.effect(self.duties(self._most * self._thrust_n, 0.0, 0.0)[0])[0]

    def effect(self, duties: Sequence[float]) -> tuple[float, Vector]:
        """Mean thrust, N, and torque, N m, of duties, with what burns in any case."""
        return self._sums([max(duty, standing) for duty, standing in zip(duties, self._standing, strict=True)])

    def duties(self, thrust_n: float, torque_x_n_m: float, torque_y_n_m: float) -> tuple[list[float], bool]:
        """Duty of each thruster, in [0, 1], and whether all is given as wanted.

        Where several ways lead there, it is the least squares of the duties.
        """
        standing_n, (x, y, _) = self.standing
        level = min((thrust_n - standing_n) / self._thrust_n, self._most)  # more would only cost the solver steps
        wanted_x, wanted_y = torque_x_n_m - x, torque_y_n_m - y
        return self._bounded.solve((level, wanted_x / self._torque_n_m, wanted_y / self._torque_n_m))


@dataclass(frozen=True)
class Combination:
    """Thrusters that together turn the lander one way about one body axis."""

    shares_s: tuple[tuple[int, float], ...]  # thruster, open time per N m s
    torque_n_m: float  # with its busiest thruster open all the time
    smallest_impulse_n_m_s: float  # with its idlest thruster at the minimum on-time


class RcsAllocation:
    """Open times of the RCS thrusters for an angular impulse.

    For either sense about each body axis the combination of thrusters with the least total on-time is found once, among
    the basic solutions of that linear programme; impulses about several axes add up.
    """

    def __init__(self, rcs: Rcs, com_body_m: Vector) -> None:
        """Raises ValueError where the thrusters cannot turn the lander both ways about each axis."""
        forces = [force_along(direction, rcs.thrust_n) for _, direction in rcs.thrusters]
        positions = [position for position, _ in rcs.thrusters]
        self.torques_n_m = [torque_about(com_body_m, p, f) for p, f in zip(positions, forces, strict=True)]
        self.thrusts_n = [force[2] for force in forces]  # along +z
        self._minimum_on_s = rcs.minimum_on_s
        self.closed_s = [0.0] * len(forces)
        combine = [(self._combination(axis, 1.0), self._combination(axis, -1.0)) for axis in range(3)]
        self.combinations = combine  # by axis: for a positive and for a negative torque
        tx, ty, tz = (min(plus.torque_n_m, minus.torque_n_m) for plus, minus in combine)
        sx, sy, sz = (max(plus.smallest_impulse_n_m_s, minus.smallest_impulse_n_m_s) for plus, minus in combine)
        self.torque_n_m: Vector = (tx, ty, tz)  # by axis, either way
        self.smallest_impulse_n_m_s: Vector = (sx, sy, sz)

    def _combination(self, axis: int, sense: float) -> Combination:
        shares = cheapest_combination(np.array(self.torques_n_m).T, sense * np.eye(3)[axis])
        if shares is None:
            raise ValueError(f"the RCS gives no torque about {'-+'[sense > 0]}{'xyz'[axis]}")
        used = [(int(i), float(shares[i])) for i in np.flatnonzero(shares > _SMALLEST_SHARE * shares.max())]
        idlest = min(share for _, share in used)
        return Combination(tuple(used), 1.0 / float(shares.max()), self._minimum_on_s / idlest)

    def on_times_s(self, impulse_n_m_s: Vector, tick_s: float) -> list[float]:
        """Open time of each thruster in the coming tick, s: 0, or from the minimum on-time to the tick.

        Where a thruster would have to be open for longer than the tick, all impulses are cut in proportion.
        """
        if impulse_n_m_s == (0.0, 0.0, 0.0):
            return self.closed_s
        on_s = self.closed_s.copy()
        for (plus, minus), impulse in zip(self.combinations, impulse_n_m_s, strict=True):
            if impulse != 0.0:
                for i, share in (plus if impulse > 0.0 else minus).shares_s:
                    on_s[i] += share * abs(impulse)
        longest = max(on_s)
        scale = tick_s / longest if longest > tick_s else 1.0
        shortest = self._minimum_on_s * (1.0 - 1e-9)
        return [on * scale if on * scale >= shortest else 0.0 for on in on_s]


def cheapest_combination(effects: Array, wanted: Array) -> Array | None:
    """Non-negative levels with the least sum whose effect is as wanted, or None where there are none.

    `effects`: (3, n), `wanted`: (3,); the result is (n,), the mean of all equally cheap basic solutions.
    """
    bases = np.array(list(combinations(range(effects.shape[1]), 3)))
    squares = effects.T[bases].transpose(0, 2, 1)
    levels = np.linalg.pinv(squares, rcond=1e-9) @ wanted
    met = np.linalg.norm((squares @ levels[:, :, None])[:, :, 0] - wanted, axis=1) < 1e-9 * np.linalg.norm(wanted)
    possible = met & (levels.min(axis=1) > -1e-12)
    if not possible.any():
        return None
    costs = levels.sum(axis=1)
    found: list[Array] = []
    for i in np.flatnonzero(possible & (costs < costs[possible].min() * (1.0 + 1e-9))):
        shares = np.zeros(effects.shape[1])
        shares[bases[i]] = levels[i]
        if not any(np.allclose(shares, other) for other in found):
            found.append(shares)
    return np.asarray(np.mean(found, axis=0))
