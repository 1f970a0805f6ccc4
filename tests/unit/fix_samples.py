"""Fixes as terrain-relative navigation would give them, made from the truth: late, over a displaced map, by a camera
that sits askew.
"""

from __future__ import annotations

from collections import deque
from typing import Any

import numpy as np

from lander_common.camera_geometry import CameraGeometry, Head, Lens
from lander_common.mission import Mission
from lander_common.quaternion import from_axes
from lander_flight.fix_processor import FixProcessor
from lander_flight.fix_update import cross_matrix, turn
from lander_flight.navigation_parameters import FixBelief, NavigationParameters
from lander_runtime.messages import header_message, time_message, zeros
from lander_runtime.rng import stream
from lander_runtime.subsystem import Tick
from lander_tools.reference_descent import PointLander, matrix

Array = np.ndarray
POSITION_M = (0.3, -0.2, 0.4)
CAMERA = CameraGeometry(
    lens=Lens(width_px=512, height_px=512, focal_px=500.0, centre_px=(255.5, 255.5), k1=0.0, k2=0.0),
    heads=(Head(name="down", position_m=POSITION_M, boresight=(0.0, 0.0, -1.0), image_up=(1.0, 0.0, 0.0)),),
)
MATCH_PX = 0.3
_SIDE = np.linspace(-0.4, 0.4, 5)  # tangents, of landmarks in view
_RAYS = np.array([(x, y, -1.0) for x in _SIDE for y in _SIDE])


def fix_belief(mission: Mission) -> FixBelief:
    """What the mission's navigation believes of fixes."""
    return mission.part("navigation", NavigationParameters).trn


def fix_processor(mission: Mission) -> FixProcessor:
    """With the camera of these samples."""
    return FixProcessor(fix_belief(mission), CAMERA, mission.site_frame)


def pose_covariance(height_m: float) -> Array:
    """Of a camera that looks straight down at 25 landmarks on level ground, by its geometry; shape (6, 6)."""
    information = np.zeros((6, 6))
    for ray in _RAYS:
        point = ray * height_m
        per_point = np.array([[1.0, 0.0, ray[0]], [0.0, 1.0, ray[1]]]) / height_m * CAMERA.lens.focal_px
        rows = per_point @ np.hstack([-np.eye(3), cross_matrix(point)])
        information += rows.T @ rows / MATCH_PX**2
    return np.linalg.inv(information)


class FixSource:
    """One fix a period, of the truth, with the errors that navigation believes in; each is handed out `late_s` later."""

    def __init__(
        self,
        mission: Mission,
        registration_m: float,
        posting_m: float = 20.0,
        period_s: float = 1.0,
        late_s: float = 0.4,
    ) -> None:
        """`registration_m`: 1-sigma per axis of the displacement of the map."""
        belief = fix_belief(mission)
        self._site, self._registration, self._posting = mission.site_frame, registration_m, posting_m
        self._random = stream(mission.seed, "fix source")
        self._shift = registration_m * self._random.standard_normal(2)
        self._misaligned = np.radians(belief.mount_sigma_deg) * self._random.standard_normal(3)
        self._sigmas = np.array([belief.detail_sigma * posting_m] * 2 + [4.0])
        self._reach = belief.detail_correlation * posting_m
        self._scene, self._place = self._sigmas * self._random.standard_normal(3), None
        self._tilt, self._view, self._tilt_reach = np.zeros(3), None, belief.tilt_correlation_m
        self._period_ns, self._late_ns = round(period_s * 1e9), round(late_s * 1e9)
        self._queue: deque[tuple[int, Any]] = deque()
        self.spoil = np.zeros(3)  # m, by which fixes are wrong beyond what they state
        self.blind = False  # fixes come, but are not valid

    def look(self, tick: Tick, lander: PointLander, com_body: Array) -> Any:
        """The fix that is due now, if any; where the time for an image has come, one is taken."""
        if tick.stamp_ns // self._period_ns > tick.previous_ns // self._period_ns:
            self._queue.append((tick.stamp_ns + self._late_ns, self._fix(tick.stamp_ns, lander, com_body)))
        return self._queue.popleft()[1] if self._queue and self._queue[0][0] <= tick.stamp_ns else None

    def _fix(self, now_ns: int, lander: PointLander, com_body: Array) -> Any:
        R_site_mci, R_mci_body = self._site.R_mci_site(now_ns * 1e-9).T, matrix(lander.q_mci_body)
        r_camera = lander.r_mci + R_mci_body @ (np.array(POSITION_M) - com_body)
        r = R_site_mci @ r_camera - [0.0, 0.0, self._site.radius_m]
        height = float(np.linalg.norm(r_camera)) - self._site.radius_m
        covariance = pose_covariance(height)
        up = R_site_mci @ r_camera / np.linalg.norm(r_camera)
        self._move_scene(r[:2])
        noise = self._noise(covariance, r[:2], height)
        error = self._scene + [*self._shift, 0.0]
        R = turn(noise[3:]) @ R_site_mci @ R_mci_body @ turn(self._misaligned)
        message = zeros("lander_interfaces/msg/TrnFix")
        message.header, message.time_of_validity = header_message(now_ns, "site"), time_message(now_ns)
        message.valid, message.covariance = not self.blind, covariance.ravel()
        message.r_camera_site = r - carried(up) @ error + noise[:3] + self.spoil
        message.q_site_body = np.array(from_axes(*(tuple(axis) for axis in R.T.tolist())))
        message.scene_map_m, message.height_sigma_m, message.registration_m = (
            r[:2],
            float(self._sigmas[2]),
            self._registration,
        )
        message.posting_m = message.zone_spacing_m = self._posting
        return message

    def _noise(self, covariance: Array, place: Array, height: float) -> Array:
        """Attitudes hang together over what the view moves, as navigation believes; position follows them, and has noise of its own."""
        view = np.array([*place, height * CAMERA.lens.width_px / CAMERA.lens.focal_px])
        phi = 0.0 if self._view is None else np.exp(-np.linalg.norm(view - self._view) / self._tilt_reach)
        self._tilt = phi * self._tilt + np.sqrt(1.0 - phi**2) * self._random.standard_normal(3)
        self._view = view
        tilt = covariance[3:, 3:]
        pull = np.linalg.solve(tilt, covariance[3:, :3]).T
        own = covariance[:3, :3] - pull @ tilt @ pull.T
        turned = np.linalg.cholesky(tilt) @ self._tilt
        return np.concatenate([pull @ turned + np.linalg.cholesky(own) @ self._random.standard_normal(3), turned])

    def _move_scene(self, place: Array) -> None:
        if self._place is not None:
            phi = np.exp(-np.linalg.norm(place - self._place) / self._reach)
            driven = np.sqrt(1.0 - phi**2) * self._sigmas * self._random.standard_normal(3)
            self._scene = phi * self._scene + driven
        self._place = place


def carried(up: Array) -> Array:
    """Axes of the map at a place whose vertical is `up`, carried along the great circle from the target; columns, in site."""
    axis = np.array([-up[1], up[0], 0.0])
    sine = float(np.linalg.norm(axis))
    if sine == 0.0:
        return np.eye(3)
    X = cross_matrix(axis / sine)
    return np.eye(3) + sine * X + (1.0 - up[2]) * X @ X
