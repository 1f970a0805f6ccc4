"""What navigation says at every tick: the estimate in site and in mci, its 1-sigma, the altitude of the pads over the map."""

from __future__ import annotations

from math import cos, exp, radians, sin, sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.frames import SiteFrame
from lander_common.mission import Legs
from lander_common.moon import ROTATION_RATE_RAD_S
from lander_common.onboard_map import CORRELATION, SIGMA, SPACING, OnboardMap, map_grid
from lander_flight import error_state as es
from lander_flight.error_state import ATTITUDE, MAP, POSITION, SIZE, SLOPE, VELOCITY, body_axes
from lander_flight.geometry import dot, local_axes, map_place, site_axes
from lander_flight.inertial_filter import InertialFilter
from lander_flight.navigation_parameters import RangeBelief
from lander_flight.range_processor import RangeProcessor
from lander_flight.range_update import fit_plane, place_spread
from lander_flight.strapdown import MAP_HEIGHT, RELIEF, Q, R, Triple, V

Array = NDArray[np.float64]

# What `where` finds.
R_SITE, V_SITE, Q_SITE, ALTITUDE, WHERE_SIZE = 0, 3, 6, 10, 11
# What `how_sure` finds: 1-sigma of position and velocity along the site axes, of attitude about the body axes, of the altitude;
# the ground below as a plane through a place.
R_SIGMA, V_SIGMA, Q_SIGMA, ALTITUDE_SIGMA, PLACE, GROUND, SLOPES, SURE_SIZE = 0, 3, 6, 9, 10, 12, 13, 15

_LEAST_SPREAD = 0.5  # of the map's spacing


class Reporter:
    """Turns the filter into the figures of NavigationState. The ground below is looked up when the covariance is carried."""

    def __init__(self, site: SiteFrame, legs: Legs, onboard_map: OnboardMap, belief: RangeBelief) -> None:
        self._site = site
        self._map = onboard_map
        self._belief = belief
        self._pads = pad_positions(legs)
        self._q_mcmf_site = np.array(site.q_mcmf_site)
        self.sure = np.zeros(SURE_SIZE)

    def refresh(self, filter_: InertialFilter, ranges: RangeProcessor) -> None:
        """Look at the covariance and at the map below, where the last range has told of its errors."""
        site, table, values = self._site, self._map.table, self._map.values
        placed = (site.R_mcmf_site, filter_.time_s, site.radius_m)
        self.sure = how_sure(
            filter_.nav,
            filter_.P,
            *placed,
            table,
            values,
            ranges.footprints,
            self._belief.widening,
            self._belief.relief_correlation,
        )

    def where(self, filter_: InertialFilter, com_body: Array) -> Array:
        """Position, velocity, attitude in site, altitude; see the constants above. Shape (11,)."""
        site = self._site
        placed = (site.R_mcmf_site, self._q_mcmf_site, site.radius_m)
        return np.asarray(where(filter_.nav, *placed, self._pads, com_body, self.sure, filter_.time_s))


def pad_positions(legs: Legs) -> Array:
    """Landing pads in body, m, shape (count, 3)."""
    azimuths = [radians(legs.first_azimuth_deg + 360.0 * i / legs.count) for i in range(legs.count)]
    return np.array([[legs.pad_radius_m * cos(a), legs.pad_radius_m * sin(a), 0.0] for a in azimuths])


@njit(cache=True)
def how_sure(
    nav: Array,
    P: Array,
    R_mcmf_site: Array,
    time_s: float,
    site_radius: float,
    table: Array,
    values: NDArray[np.float32],
    footprints: Array,
    widening: float,
    relief_correlation: float,
) -> Array:
    """See the constants above; shape (15,). `footprints`: the last places of the beams on the map (see `range_processor`)."""
    axes = site_axes(R_mcmf_site, time_s)
    found = np.empty(SURE_SIZE)
    body = body_axes(nav)
    for i in range(3):
        found[R_SIGMA + i] = _sigma(P, axes[i], POSITION)
        found[V_SIGMA + i] = _sigma(P, axes[i], VELOCITY)
        found[Q_SIGMA + i] = _sigma(P, body[i], ATTITUDE)
    p = (nav[R], nav[R + 1], nav[R + 2])
    east, north, up, _ = local_axes(axes, p)
    e, n = map_place(axes, p, site_radius)
    grid = table[map_grid(table, e, n)]
    spread = place_spread(P, east, north, widening, _LEAST_SPREAD * grid[SPACING])
    ground, slope_e, slope_n, left = fit_plane(table, values, e, n, spread)
    beam, away = _nearest(footprints, e, n)
    width = sqrt(0.5 * (spread[0] ** 2 + spread[1] ** 2 + spread[2] ** 2))
    same_map, same_relief = exp(-away / grid[CORRELATION]), exp(-away / (relief_correlation * width))
    row = np.zeros(SIZE)
    for i in range(3):
        row[POSITION + i] = up[i] - slope_e * east[i] - slope_n * north[i]
    row[MAP + beam], row[SLOPE + beam] = -same_map, -same_relief
    row[es.REGISTER], row[es.REGISTER + 1] = slope_e, slope_n
    _, variance = es.covered(P, row)
    variance += (1.0 - same_map**2) * grid[SIGMA] ** 2 + (1.0 - same_relief**2) * left
    found[ALTITUDE_SIGMA] = sqrt(variance)
    found[PLACE], found[PLACE + 1] = e, n
    found[GROUND] = ground + same_map * nav[MAP_HEIGHT + beam] + same_relief * nav[RELIEF + beam]
    found[SLOPES], found[SLOPES + 1] = slope_e, slope_n
    return found


@njit(cache=True)
def _nearest(footprints: Array, e: float, n: float) -> tuple[int, float]:
    """The beam whose last footprint is nearest to a place, and how far that is, m."""
    first = sqrt((e - footprints[0, 0]) ** 2 + (n - footprints[0, 1]) ** 2)
    second = sqrt((e - footprints[1, 0]) ** 2 + (n - footprints[1, 1]) ** 2)
    return (1, second) if second < first else (0, first)


@njit(cache=True)
def _sigma(P: Array, axis: Triple, first: int) -> float:
    total = 0.0
    for i in range(3):
        for j in range(3):
            total += axis[i] * P[first + i, first + j] * axis[j]
    return sqrt(max(total, 0.0))


@njit(cache=True)
def where(
    nav: Array,
    R_mcmf_site: Array,
    q_mcmf_site: Array,
    site_radius: float,
    pads: Array,
    com_body: Array,
    sure: Array,
    time_s: float,
) -> Array:
    """See the constants above; shape (11,)."""
    axes = site_axes(R_mcmf_site, time_s)
    found = np.empty(WHERE_SIZE)
    r, v = (nav[R], nav[R + 1], nav[R + 2]), (nav[V], nav[V + 1], nav[V + 2])
    over_ground = (v[0] + ROTATION_RATE_RAD_S * r[1], v[1] - ROTATION_RATE_RAD_S * r[0], v[2])
    for i in range(3):
        found[R_SITE + i] = dot(axes[i], r)
        found[V_SITE + i] = dot(axes[i], over_ground)
    found[R_SITE + 2] -= site_radius
    body = body_axes(nav)
    radius = sqrt(dot(r, r))
    lowest = 0.0
    for k in range(pads.shape[0]):
        height = 0.0
        for j in range(3):
            height += dot(body[j], r) / radius * (pads[k, j] - com_body[j])
        lowest = min(lowest, height)
    e, n = map_place(axes, r, site_radius)
    ground = sure[GROUND] + sure[SLOPES] * (e - sure[PLACE]) + sure[SLOPES + 1] * (n - sure[PLACE + 1])
    found[ALTITUDE] = radius - site_radius + lowest - ground
    _attitude(found, nav, q_mcmf_site, time_s)
    return found


@njit(cache=True)
def _attitude(found: Array, nav: Array, q_mcmf_site: Array, time_s: float) -> None:
    """Quaternion of body in site: the conjugate of that of site in mci, times that of body in mci."""
    half = 0.5 * ROTATION_RATE_RAD_S * time_s
    c, s = cos(half), sin(half)
    x = c * q_mcmf_site[0] - s * q_mcmf_site[1]
    y = c * q_mcmf_site[1] + s * q_mcmf_site[0]
    z = c * q_mcmf_site[2] + s * q_mcmf_site[3]
    w = c * q_mcmf_site[3] - s * q_mcmf_site[2]
    qx, qy, qz, qw = nav[Q], nav[Q + 1], nav[Q + 2], nav[Q + 3]
    found[Q_SITE] = w * qx - x * qw - y * qz + z * qy
    found[Q_SITE + 1] = w * qy + x * qz - y * qw - z * qx
    found[Q_SITE + 2] = w * qz - x * qy + y * qx - z * qw
    found[Q_SITE + 3] = w * qw + x * qx + y * qy + z * qz
