"""From a range message to a correction of the filter."""

from __future__ import annotations

from dataclasses import dataclass
from math import hypot, inf, nan
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lander_common.frames import SiteFrame
from lander_common.onboard_map import CORRELATION, SIGMA, SPACING, OnboardMap, map_grid
from lander_flight import error_state as es
from lander_flight import range_update as ru
from lander_flight import strapdown as sd
from lander_flight.inertial_filter import InertialFilter
from lander_flight.navigation_parameters import Mount, RangeBelief
from lander_flight.range_gate import Innovation, Judgement, RangeGate, Verdict
from lander_runtime.messages import NANOSECONDS, Message, zeros

Array = NDArray[np.float64]


@dataclass(frozen=True, slots=True)
class RangeResult:
    """What came of a measurement. Innovation in m along the beam."""

    verdict: Verdict = Verdict.NOT_USED
    innovation_m: float = 0.0
    sigma_m: float = 0.0
    nis: float = nan


NOT_USED = RangeResult()


EAST, NORTH, SPACING_THERE = range(3)  # of a footprint, m, and of the map there


class RangeProcessor:
    """Uses ranges at their time of validity, over the map, as far as the gate believes them."""

    def __init__(
        self, belief: RangeBelief, mount: Mount, gate: RangeGate, onboard_map: OnboardMap, site: SiteFrame
    ) -> None:
        self._belief = belief
        self._mount = mount_table(mount)
        self._gate = gate
        self._map = onboard_map
        self._site = site
        self.disputed_m = (
            0.0  # by how much the ranges alone have raised the altitude, against what it was believed to be
        )
        self.footprints = np.full((sd.BEAMS, 3), inf)  # where each beam met the map last

    def process(self, message: Message, filter_: InertialFilter, com_body: Array, vouched: bool = False) -> RangeResult:
        """Correct the filter by a measurement, or not; `vouched`: another way to the altitude has just agreed with the filter."""
        if not message.valid or message.beam >= len(self._mount):
            return NOT_USED
        time_s = message.time_of_validity.sec + message.time_of_validity.nanosec / NANOSECONDS
        filter_.carry()
        walked = filter_.back(max(0.0, filter_.time_s - time_s))
        if walked is None:
            return NOT_USED
        past, sums = walked
        row, found = self._measure(past, filter_, message, com_body, time_s)
        descent = -float(found[ru.PER_RANGE])
        if descent < self._belief.least_descent:
            return NOT_USED
        clearance = float(found[ru.CLEARANCE]) + self._fade(filter_, found, int(message.beam))
        row = es.backwards(row, sums, filter_.nav[:3])
        noise = (descent * message.sigma_m) ** 2 + self._belief.roughness_m**2
        _, variance = es.covered(filter_.P, row)
        return self._correct(filter_, row, -clearance, noise, variance, descent, vouched, float(message.range_m))

    def rehearse(self, filter_: InertialFilter) -> None:
        """Measure and use nothing of it: what is compiled is loaded now, where the first range in flight would wait for it."""
        message = zeros("lander_interfaces/msg/RangeMeasurement")
        past, sums = cast(tuple[Array, Array], filter_.back(0.0))
        row, _ = self._measure(past, filter_, message, np.zeros(3), filter_.time_s)
        es.covered(filter_.P, es.backwards(row, sums, filter_.nav[:3]))

    def _measure(
        self, past: Array, filter_: InertialFilter, message: Message, com_body: Array, time_s: float
    ) -> tuple[Array, Array]:
        site = self._site
        placed = (site.R_mcmf_site, time_s, site.radius_m)
        table, values = self._map.table, self._map.values
        mount = self._mount[message.beam]
        number = int(message.beam)
        return ru.measure(
            past,
            filter_.P,
            mount,
            number,
            com_body,
            *placed,
            table,
            values,
            self._belief.widening,
            float(message.range_m),
        )

    def _fade(self, filter_: InertialFilter, found: Array, beam: int) -> float:
        """Let the errors of the map decay over the ground that the beam has moved; return by how much that lowers the ground, m."""
        e, n = float(found[ru.EAST]), float(found[ru.NORTH])
        grid = self._map.table[map_grid(self._map.table, e, n)]
        last = self.footprints[beam]
        moved = hypot(e - last[EAST], n - last[NORTH])
        if grid[SPACING] != last[SPACING_THERE]:  # grids of different resolution come from different surveys
            moved = inf
        self.footprints[beam] = (e, n, grid[SPACING])
        reach = self._belief.relief_correlation * float(found[ru.SPREAD])
        nav = filter_.nav
        before = float(nav[sd.MAP_HEIGHT + beam] + nav[sd.RELIEF + beam])
        filter_.fade(es.MAP + beam, moved, float(grid[CORRELATION]), float(grid[SIGMA]) ** 2)
        filter_.fade(es.SLOPE + beam, moved, reach, float(found[ru.PLANE_VARIANCE]))
        return before - float(nav[sd.MAP_HEIGHT + beam] + nav[sd.RELIEF + beam])

    def _correct(
        self,
        filter_: InertialFilter,
        row: Array,
        residual: float,
        noise: float,
        variance: float,
        descent: float,
        vouched: bool,
        range_m: float,
    ) -> RangeResult:
        total = variance + noise
        value, sigma = residual / descent, total**0.5 / descent
        judgement = self._gate.judge(Innovation(filter_.time_s, value, sigma, noise**0.5 / descent, range_m))
        if judgement.doubt_m and vouched:  # two ways against one
            judgement = Judgement(Verdict.REJECTED)
        if judgement.verdict in (Verdict.ACCEPTED, Verdict.DEWEIGHTED):
            if judgement.doubt_m:
                _doubt(filter_, judgement, descent)
                self.disputed_m = max(self.disputed_m + residual, 0.0)
            filter_.update(row, residual, noise + (judgement.deweight**2 - 1.0) * total)
        return RangeResult(judgement.verdict, value, sigma, residual * residual / total)


def _doubt(filter_: InertialFilter, judgement: Judgement, descent: float) -> None:
    """The altitude over the map is in doubt: it may be the lander's height or the map's that is wrong."""
    variance = (judgement.doubt_m * descent) ** 2
    r = filter_.nav[:3]
    up = r / np.linalg.norm(r)
    filter_.P[:3, :3] += variance * np.outer(up, up)
    filter_.doubt(slice(es.MAP, es.SIGHT), variance)


def mount_table(mount: Mount) -> Array:
    """Rows for `range_update.beam`, one a beam: position, boresight, two axes across it, in body; shape (beams, 12)."""
    rows = []
    for beam in mount.beams:
        along = np.array(beam.direction) / np.linalg.norm(beam.direction)
        across = np.cross(along, np.eye(3)[np.argmin(np.abs(along))])
        across /= np.linalg.norm(across)
        rows.append(np.concatenate([mount.position_m, along, across, np.cross(along, across)]))
    return np.array(rows)
