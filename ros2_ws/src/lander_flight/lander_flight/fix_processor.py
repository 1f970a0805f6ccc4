"""From a fix message to a correction of the filter.

A fix is of the time of its image and comes later by the time that it took to compute. The state is walked back to the
image, the innovation formed there, and the rows carried to the errors of now: for dynamics without noise in between
that is what a clone of the state at the image gives (Roumeliotis and Burdick 2002), and the noise of the time between,
about a second, is three orders below that of a fix.
"""

from __future__ import annotations

from dataclasses import dataclass, field
from math import hypot, inf, radians, tanh
from typing import cast

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import CameraGeometry
from lander_common.frames import SiteFrame
from lander_flight import error_state as es
from lander_flight.fix_gate import FixGate, FixInnovation, FixJudgement
from lander_flight.fix_update import Measured, Pose, measure, measure_place, rotation_matrix
from lander_flight.inertial_filter import InertialFilter
from lander_flight.navigation_parameters import FixBelief
from lander_flight.range_gate import Verdict
from lander_runtime.messages import NANOSECONDS, Message

Array = NDArray[np.float64]
EAST, NORTH, SIDE, SPACING = range(4)
_NO_HEAD = -1
_USED = (Verdict.ACCEPTED, Verdict.DEWEIGHTED)


@dataclass(frozen=True, slots=True)
class FixResult:
    """What came of a fix. Innovation of the position in m along the axes of site."""

    verdict: Verdict = Verdict.NOT_USED
    innovation_m: Array = field(default_factory=lambda: np.zeros(3))
    sigma_m: Array = field(default_factory=lambda: np.zeros(3))
    nis: float = 0.0
    time_s: float = -inf  # of the image

    @property
    def used(self) -> bool:
        """Whether the filter was corrected."""
        return self.verdict in _USED


NO_FIX = FixResult()


class FixProcessor:
    """Uses fixes at the time of their image, as far as the gate believes them."""

    def __init__(self, belief: FixBelief, camera: CameraGeometry, site: SiteFrame) -> None:
        self._belief = belief
        self._heads = [np.array(head.position_m) for head in camera.heads]
        self._gate = FixGate(belief.gate)
        self._site = site
        self._head = _NO_HEAD  # of the fix before
        self._side_per_m = camera.lens.width_px / camera.lens.focal_px
        # Where the camera saw the map last and how wide its view was, m; spacing of that zone.
        self.scene = np.full(4, inf)

    def process(self, message: Message, filter_: InertialFilter, com_body: Array, ranged_s: float) -> FixResult:
        """Correct the filter by a fix, or not. `ranged_s`: time since a range was accepted."""
        if not message.valid:
            return NO_FIX
        time_s = _seconds(message.time_of_validity)
        age_s = max(0.0, filter_.time_s - time_s)
        if filter_.back(age_s) is None:
            return NO_FIX
        filter_.carry()
        moved = self._fade(filter_, message)
        past, sums = cast(tuple[Array, Array], filter_.back(age_s))
        lever = self._heads[message.head] - com_body
        found = measure(past, _pose(message), lever, self._site, time_s)
        rows = np.array([es.backwards(row, sums, filter_.nav[:3]) for row in found.rows])
        covariance = message.covariance.reshape(6, 6)
        shared = shared_tilt(covariance, max(moved, message.posting_m) / self._belief.tilt_correlation_m)
        return self._correct(filter_, Measured(rows, found.innovation), covariance, shared, time_s, ranged_s)

    def process_motion(self, message: Message, filter_: InertialFilter, com_body: Array) -> None:
        """Correct the filter by a displacement between two images; one that does not fit is left out."""
        filter_.carry()
        self._look_through(filter_, message.head)
        lever = self._heads[message.head] - com_body
        now = self._placed(filter_, _seconds(message.time_of_validity), lever, message.displacement_site)
        then = self._placed(filter_, _seconds(message.moved_since), lever, np.zeros(3))
        if now is None or then is None:
            return
        rows, z = now[1] - then[1], message.displacement_site - (now[0] - then[0])
        covariance = message.displacement_covariance.reshape(3, 3)
        nis = float(z @ np.linalg.solve(rows @ filter_.P @ rows.T + covariance, z))
        if nis <= self._belief.largest_motion_nis:
            _use(filter_, rows, z, covariance)

    def _placed(
        self, filter_: InertialFilter, time_s: float, lever: Array, moved_site: Array
    ) -> tuple[Array, Array] | None:
        """Place of the camera at a time, m in site, and its rows for the errors of now; None where history does not reach."""
        walked = filter_.back(max(0.0, filter_.time_s - time_s))
        if walked is None:
            return None
        past, sums = walked
        place, rows = measure_place(past, lever, self._site, time_s, moved_site)
        return place, np.array([es.backwards(row, sums, filter_.nav[:3]) for row in rows])

    def _fade(self, filter_: InertialFilter, message: Message) -> float:
        """Let the errors of the map in view decay over the ground that the view has moved, or leaves out; returns how far, m.

        Of a view that shrinks by a part, as of one that moves aside by that part, so much of the mean over it is new.
        """
        belief, scene = self._belief, self._scene(message)
        aside = float(np.hypot(*(scene - self.scene)[:SIDE]))
        moved = hypot(aside, float(scene[SIDE] - self.scene[SIDE]))
        if scene[SPACING] != self.scene[SPACING]:  # zones are different products, displaced each by itself
            aside = moved = inf
            for axis in range(2):
                filter_.fade(es.ZONE + axis, inf, 1.0, message.registration_m**2)
        self.scene = scene
        shift = (belief.detail_sigma * message.posting_m) ** 2
        reach = belief.detail_correlation * message.posting_m
        filter_.fade(es.SCENE, moved, reach, shift)
        filter_.fade(es.SCENE + 1, moved, reach, shift)
        filter_.fade(es.SCENE + 2, aside, reach, message.height_sigma_m**2)
        self._look_through(filter_, message.head)
        return moved

    def _scene(self, message: Message) -> Array:
        r = message.r_camera_site + [0.0, 0.0, self._site.radius_m]
        side = self._side_per_m * (float(np.linalg.norm(r)) - self._site.radius_m)
        return np.array([*message.scene_map_m.tolist(), side, message.zone_spacing_m])

    def _look_through(self, filter_: InertialFilter, head: int) -> None:
        """How a head sits says nothing of another."""
        if head != self._head:
            for axis in range(3):
                filter_.fade(es.CAMERA + axis, inf, 1.0, radians(self._belief.mount_sigma_deg) ** 2)
            self._head = head

    def _correct(
        self,
        filter_: InertialFilter,
        found: Measured,
        covariance: Array,
        shared: Array,
        time_s: float,
        ranged_s: float,
    ) -> FixResult:
        """Judge a fix by its covariance; what the next one shares with it, (6, 6), counts when it is used."""
        expected = found.rows @ filter_.P @ found.rows.T + covariance
        z, sigma = found.innovation, np.sqrt(np.diag(expected)[:3])
        nis = float(z @ np.linalg.solve(expected, z))
        vouched = ranged_s <= self._belief.gate.vouch_s and abs(z[2]) > 3.0 * sigma[2]
        own = np.sqrt(np.diag(covariance)[:3])
        judgement = self._gate.judge(FixInnovation(time_s, z[:3], own, nis, vouched))
        if judgement.verdict in _USED:
            _doubt(filter_, judgement)
            _use(filter_, found.rows, z, covariance + shared + (judgement.deweight - 1.0) * expected)
        return FixResult(judgement.verdict, z[:3], sigma, nis, time_s)


def shared_tilt(covariance: Array, moved: float) -> Array:
    """What to add to the covariance of a fix, (6, 6), for the error of its attitude that it shares with the fix before.

    Heights that err along a slope tilt every fix over them alike, and shift it with the tilt. `moved`: by the view since then, in
    lengths over which that decays. The information of a first-order Markov sequence with correlation phi from one
    to the next on its mean is that of the first, and (1 - phi)/(1 + phi) = tanh(moved/2) as much of each further one.
    """
    tilt = covariance[3:, 3:]
    pull = np.vstack([np.linalg.solve(tilt, covariance[3:, :3]).T, np.eye(3)])
    return np.asarray((1.0 / tanh(0.5 * moved) - 1.0) * pull @ tilt @ pull.T)


def _use(filter_: InertialFilter, rows: Array, innovation: Array, covariance: Array) -> None:
    """Correct by a measurement with a covariance: in the coordinates in which that is the identity."""
    whiten: Array = np.linalg.inv(np.linalg.cholesky(covariance))
    filter_.update_all(whiten @ rows, whiten @ innovation)


def _doubt(filter_: InertialFilter, judgement: FixJudgement) -> None:
    """Position and velocity may be as wrong as a run of fixes that agree with each other says."""
    if judgement.doubt_m:
        filter_.doubt(slice(es.POSITION, es.VELOCITY), judgement.doubt_m**2)
        filter_.doubt(slice(es.VELOCITY, es.ATTITUDE), judgement.doubt_m_s**2)


def _seconds(stamp: Message) -> float:
    return float(stamp.sec + stamp.nanosec / NANOSECONDS)


def _pose(message: Message) -> Pose:
    return Pose(message.r_camera_site, rotation_matrix(message.q_site_body), message.covariance.reshape(6, 6))
