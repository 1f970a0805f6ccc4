"""The rangefinder against the onboard map: the end of the beam must lie on the ground.

With p the end of the measured beam, the measurement is its clearance c = height(p) - map(e, n) - error of the map, which is zero for
the truth. That is the range against a range predicted by intersecting the beam with the map, to first order times the slope dc/drange,
but is defined for any range and attitude, and needs no search along the beam.

The map is linearised over where the end of the beam may be, not at a point: a plane is fitted to it under the present uncertainty
(statistical linearisation, Gelb 1974, section 6.2), so that relief smaller than the uncertainty does not pretend to tell the position.
What the plane leaves is an error of its own, correlated over about the same distance.
"""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.onboard_map import COLUMNS, ROWS, SPACING, grid_height, map_grid, map_height
from lander_common.onboard_map import EAST as EAST_EDGE
from lander_common.onboard_map import NORTH as NORTH_EDGE
from lander_flight.error_state import ATTITUDE, MAP, POSITION, RANGE, REGISTER, SIGHT, SIZE, SLOPE, body_axes
from lander_flight.geometry import cross, dot, local_axes, map_place, site_axes, to_mci
from lander_flight.strapdown import BORESIGHT, MAP_HEIGHT, RANGE_BIAS, REGISTRATION, RELIEF, R, Triple

Array = NDArray[np.float64]

# The mount of a rangefinder: position, boresight, and two axes across it, in body.
MOUNT_POSITION, MOUNT_AXIS, MOUNT_ACROSS_1, MOUNT_ACROSS_2, MOUNT_SIZE = 0, 3, 6, 9, 12
# What `measure` finds, beside the measurement row.
CLEARANCE, PER_RANGE, EAST, NORTH, PLANE_VARIANCE, SPREAD, FOUND_SIZE = range(7)

_NODES = 9  # per axis, of the grid under which the map is fitted
_REACH = 2.5  # standard deviations that the grid spans to either side
_STATIONS = np.linspace(-_REACH, _REACH, _NODES)
_WEIGHTS = np.exp(-0.5 * _STATIONS**2)
_LEAST_SPREAD = 0.5  # of the map's spacing: below it a bilinear map has no more to tell


@njit(cache=True)
def beam(
    nav: Array, mount: Array, number: int, com_body: Array, range_m: float
) -> tuple[Triple, Triple, Triple, Triple]:
    """End of a beam from the centre of mass, its direction, and the two axes across it, in mci."""
    axes = body_axes(nav)
    b1, b2 = nav[BORESIGHT + 2 * number], nav[BORESIGHT + 2 * number + 1]
    k = MOUNT_AXIS
    first = to_mci(axes, (mount[k + 3], mount[k + 4], mount[k + 5]))
    second = to_mci(axes, (mount[k + 6], mount[k + 7], mount[k + 8]))
    along = to_mci(axes, (mount[k], mount[k + 1], mount[k + 2]))
    x, y, z = (
        along[0] + b1 * first[0] + b2 * second[0],
        along[1] + b1 * first[1] + b2 * second[1],
        along[2] + b1 * first[2] + b2 * second[2],
    )
    scale = 1.0 / sqrt(x * x + y * y + z * z)
    direction = (x * scale, y * scale, z * scale)
    lever = to_mci(axes, (mount[0] - com_body[0], mount[1] - com_body[1], mount[2] - com_body[2]))
    reach = range_m - nav[RANGE_BIAS]
    end = (lever[0] + reach * direction[0], lever[1] + reach * direction[1], lever[2] + reach * direction[2])
    return end, direction, first, second


@njit(cache=True)
def _covers(row: Array, e: float, n: float, reach_e: float, reach_n: float) -> bool:
    """Whether a grid covers a place and its surroundings."""
    east, north = (
        row[EAST_EDGE] + (row[COLUMNS] - 1.0) * row[SPACING],
        row[NORTH_EDGE] + (row[ROWS] - 1.0) * row[SPACING],
    )
    within_e = e - reach_e >= row[EAST_EDGE] and e + reach_e <= east
    return bool(within_e and n - reach_n >= row[NORTH_EDGE] and n + reach_n <= north)


@njit(cache=True)
def fit_plane(
    table: Array, values: NDArray[np.float32], e: float, n: float, spread: Triple
) -> tuple[float, float, float, float]:
    """Mean height, slopes to east and north, and variance of what the plane leaves, of the map under a normal distribution.

    `spread`: Cholesky factor (ee, ne, nn) of the covariance of the place, m.
    """
    ee, ne, nn = spread
    row = table[map_grid(table, e, n)]
    inside = _covers(row, e, n, _REACH * ee, _REACH * (abs(ne) + nn))
    weights = second = mean = slope_1 = slope_2 = square = 0.0
    reference = grid_height(row, values, e, n)
    for i in range(_NODES):
        a = _STATIONS[i]
        for j in range(_NODES):
            b = _STATIONS[j]
            weight = _WEIGHTS[i] * _WEIGHTS[j]
            east, north = e + ee * a, n + ne * a + nn * b
            height = grid_height(row, values, east, north) if inside else map_height(table, values, east, north)
            height -= reference
            weights += weight
            second += weight * a * a
            mean += weight * height
            slope_1 += weight * a * height
            slope_2 += weight * b * height
            square += weight * height * height
    mean /= weights
    slope_1 /= second
    slope_2 /= second
    left = square / weights - mean * mean - (slope_1 * slope_1 + slope_2 * slope_2) * second / weights
    north = slope_2 / nn
    return reference + mean, (slope_1 - ne * north) / ee, north, max(left, 0.0)


@njit(cache=True)
def place_spread(P: Array, east: Triple, north: Triple, factor: float, least: float) -> Triple:
    """Cholesky factor (ee, ne, nn), m, of the horizontal position relative to the map, times `factor`, at least `least`."""
    ee = en = nn = 0.0
    for i in range(3):
        for j in range(3):
            ee += east[i] * P[i, j] * east[j]
            en += east[i] * P[i, j] * north[j]
            nn += north[i] * P[i, j] * north[j]
        ee -= 2.0 * east[i] * P[i, REGISTER]
        nn -= 2.0 * north[i] * P[i, REGISTER + 1]
        en -= east[i] * P[i, REGISTER + 1] + north[i] * P[i, REGISTER]
    square = factor * factor
    ee = square * (ee + P[REGISTER, REGISTER]) + least * least
    nn = square * (nn + P[REGISTER + 1, REGISTER + 1]) + least * least
    en = square * (en + P[REGISTER, REGISTER + 1])
    first = sqrt(ee)
    return first, en / first, sqrt(max(nn - en * en / ee, least * least))


@njit(cache=True)
def measure(
    nav: Array,
    P: Array,
    mount: Array,
    number: int,
    com_body: Array,
    R_mcmf_site: Array,
    time_s: float,
    site_radius: float,
    table: Array,
    values: NDArray[np.float32],
    widening: float,
    range_m: float,
) -> tuple[Array, Array]:
    """The measurement row, shape (37,), and what was found, shape (6,): clearance, m, its slope over range, place, left variance."""
    site = site_axes(R_mcmf_site, time_s)
    end, direction, first, second = beam(nav, mount, number, com_body, range_m)
    p = (nav[R] + end[0], nav[R + 1] + end[1], nav[R + 2] + end[2])
    east, north, up, radius = local_axes(site, p)
    e, n = map_place(site, p, site_radius)
    e, n = e - nav[REGISTRATION], n - nav[REGISTRATION + 1]
    least = _LEAST_SPREAD * table[map_grid(table, e, n), SPACING]
    spread = place_spread(P, east, north, widening, least)
    ground, slope_e, slope_n, left = fit_plane(table, values, e, n, spread)
    normal = (
        up[0] - slope_e * east[0] - slope_n * north[0],
        up[1] - slope_e * east[1] - slope_n * north[1],
        up[2] - slope_e * east[2] - slope_n * north[2],
    )
    reach = range_m - nav[RANGE_BIAS]
    row = np.zeros(SIZE)
    turned = cross(end, normal)
    for i in range(3):
        row[POSITION + i] = normal[i]
        row[ATTITUDE + i] = turned[i]
    per_range = dot(normal, direction)
    row[RANGE] = -per_range
    row[MAP + number], row[SLOPE + number] = -1.0, -1.0
    k = SIGHT + 2 * number
    row[k] = reach * (dot(normal, first) - dot(first, direction) * per_range)
    row[k + 1] = reach * (dot(normal, second) - dot(second, direction) * per_range)
    row[REGISTER], row[REGISTER + 1] = slope_e, slope_n
    found = np.empty(FOUND_SIZE)
    found[CLEARANCE] = radius - site_radius - ground - nav[MAP_HEIGHT + number] - nav[RELIEF + number]
    found[PER_RANGE], found[EAST], found[NORTH] = per_range, e, n
    found[PLANE_VARIANCE], found[SPREAD] = (
        left,
        sqrt(0.5 * (spread[0] * spread[0] + spread[1] * spread[1] + spread[2] * spread[2])),
    )
    return row, found
