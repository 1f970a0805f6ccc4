"""Terrain-relative navigation: where the camera is over the onboard map.

An image is worked through when it comes; what came of it is published when a flight computer would have been done with
it. While fixes come, the next one is searched for about the last; when they stop, or when navigation does not believe
them, over all of navigation's uncertainty.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import hypot, radians
from typing import ClassVar

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import Head, camera_geometry
from lander_common.image_map import SPACING, ImageMap
from lander_common.mission import Mission
from lander_common.mission_image_map import mission_image_map
from lander_common.quaternion import from_axes
from lander_common.sun import mission_sun_site
from lander_flight.fix_update import rotation_matrix
from lander_flight.image_motion import Frame, Motion, MotionMeter
from lander_flight.map_reader import MapReader, accuracy
from lander_flight.map_window import CameraPose
from lander_flight.pose_fit import rotation
from lander_flight.trn_matcher import Expectation, Outcome, Pyramid, Sighting, TrnMatcher
from lander_flight.trn_parameters import TrnParameters
from lander_runtime.messages import NANOSECONDS, Message, NavigationState, TrnFix, stamp_ns, time_message, zeros
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

Array = NDArray[np.float64]
_UP = 2


Watcher = Callable[[Message, NDArray[np.uint8], Message], None]  # frame, its pixels, fix


@dataclass(frozen=True)
class Pending:
    """A message that is being worked on."""

    due_ns: int
    message: Message


class Trn(Subsystem):
    """Finds images on the map."""

    name: ClassVar[str] = "trn"

    def __init__(self, mission: Mission, image_map: ImageMap | None = None) -> None:
        """`image_map` replaces the one that was made for the mission, for tests. Raises ConfigError where there is none."""
        self._parameters = mission.part("trn", TrnParameters)
        geometry = camera_geometry(mission)
        self._lens, self._heads = geometry.lens, geometry.heads
        self._com_body = np.array(mission.vehicle.mass.dry_com_m)  # to some decimetres, which the search makes up for
        reader = MapReader(image_map or mission_image_map(mission), mission_sun_site(mission))
        self._matcher = TrnMatcher(self._parameters, self._lens, reader, mission.site_frame.radius_m)
        self._offset = np.zeros(3)  # the last fix less navigation, m in site
        self._fixed_ns: int | None = None  # time of its image
        self._pending: Pending | None = None
        self.watch: Watcher | None = None  # is shown every image and what came of it, if set; for people
        self._motion = MotionMeter(self._matcher, self._parameters.motion.below_m)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Work through an image if there is a new one and nothing else in hand; say what is finished."""
        image, navigation = inputs.fresh("image"), inputs.latest("navigation_state")
        if image is not None and navigation is not None and self._pending is None:
            self._pending = self._look(image, navigation)
        if self._pending is None or self._pending.due_ns > tick.stamp_ns:
            return {"trn_fix": _nothing(TrnFix.WAITING)}
        finished, self._pending = self._pending.message, None
        return {"trn_fix": finished}

    def _look(self, image: Message, navigation: Message) -> Pending:
        at_ns = stamp_ns(image)
        pixels = image.data.reshape(image.height, image.width)
        if not image.valid or not self._matcher.lit(pixels):
            reason = TrnFix.DARK if image.valid else TrnFix.NO_IMAGE
            return Pending(at_ns, _about(_nothing(reason), image))
        head, tracking = self._heads[image.head], self._tracks(at_ns, navigation)
        expected = self._expectation(image, navigation, head)
        sighting, took_s = self._search(pixels, expected, tracking)
        message = self._message(sighting, image, head)
        message.mode = TrnFix.TRACKING if took_s == self._parameters.tracking_s else TrnFix.ACQUISITION
        if sighting.fit is not None:
            self._offset = self._offset + sighting.fit.steady.r_site - expected.pose.r_site
            self._fixed_ns = at_ns
        # Attitudes by navigation: their error is the same in both images, that of two fits is not.
        r_site, up_sigma_m = expected.pose.r_site, None
        if sighting.fit is not None:
            r_site, up_sigma_m = sighting.fit.steady.r_site, float(sighting.fit.covariance[_UP, _UP]) ** 0.5
        pose = CameraPose(r_site, expected.pose.R_site_optical)
        frame = Frame(at_ns, image.head, Pyramid(pixels), pose, up_sigma_m, correction_site(navigation))
        _add_motion(message, self._motion.measure(frame))
        if self.watch:
            self.watch(image, pixels, message)
        return Pending(at_ns + round(took_s * NANOSECONDS), message)

    def _tracks(self, at_ns: int, navigation: Message) -> bool:
        """Whether the last fix is a good place to start from; if not, it is forgotten."""
        forget_ns = round(self._parameters.forget_s * NANOSECONDS)
        lately = self._fixed_ns is not None and at_ns - self._fixed_ns <= forget_ns
        if not lately or navigation.trn_verdict == NavigationState.REJECTED:
            self._offset, self._fixed_ns = np.zeros(3), None
            return False
        return True

    def _search(self, pixels: NDArray[np.uint8], expected: Expectation, tracking: bool) -> tuple[Sighting, float]:
        """What is seen, and how long a flight computer would have looked, s."""
        if tracking:
            sighting = self._matcher.track(pixels, expected)
            if sighting.outcome in (Outcome.FIX, Outcome.OFF_MAP):
                return sighting, self._parameters.tracking_s
        return self._matcher.acquire(pixels, expected), self._parameters.acquisition_s

    def _expectation(self, image: Message, navigation: Message, head: Head) -> Expectation:
        """Pose of the camera by navigation and the last fix, and how far that may be wrong."""
        ahead_s = (stamp_ns(image) - stamp_ns(navigation)) * 1e-9
        R_site_body = rotation_matrix(navigation.q_site_body) @ rotation(ahead_s * navigation.w_mci_body)
        lever = R_site_body @ (np.array(head.position_m) - self._com_body)
        r_site = navigation.r_lander_site + ahead_s * navigation.v_lander_site + lever + self._offset
        east, north, up = navigation.r_sigma_site_m.tolist()
        turn = hypot(max(navigation.attitude_sigma_rad.tolist()), radians(self._parameters.attitude_sigma_deg))
        return Expectation(CameraPose(r_site, R_site_body @ head.R_body_optical), max(east, north), up, turn)

    def _message(self, sighting: Sighting, image: Message, head: Head) -> Message:
        message = _about(_nothing(sighting.outcome.value), image)
        message.patches, message.matches = sighting.searched, int(sighting.members.sum())
        message.log10_chance = sighting.log10_chance
        message.u_px, message.v_px = np.ascontiguousarray(sighting.pixels.T, np.float32)
        message.residual_u_px, message.residual_v_px = np.ascontiguousarray(sighting.residuals_px.T, np.float32)
        message.matched = sighting.members
        if sighting.view is not None:
            message.posting_m, message.zone_spacing_m = (
                sighting.view.window.posting_m,
                float(sighting.view.zone[SPACING]),
            )
            message.registration_m, message.height_sigma_m = accuracy(sighting.view.zone)
        if sighting.fit is not None:
            R_site_body = sighting.fit.pose.R_site_optical @ head.R_body_optical.T
            message.valid, message.r_camera_site = True, sighting.fit.pose.r_site
            x, y, z = (tuple(axis) for axis in R_site_body.T.tolist())
            message.q_site_body = np.array(from_axes(x, y, z))
            message.covariance = sighting.fit.covariance.ravel()
            message.scene_map_m, message.residual_px = sighting.scene_map_m, sighting.fit.rms_px
        return message


def correction_site(navigation: Message) -> Array:
    """What navigation has turned its attitude by so far, rad, a rotation vector in site."""
    R_site_mci = rotation_matrix(navigation.q_site_body) @ rotation_matrix(navigation.q_mci_body).T
    return np.asarray(R_site_mci @ navigation.attitude_correction_mci)


def _nothing(reason: int) -> Message:
    message = zeros("lander_interfaces/msg/TrnFix")
    message.reason = reason
    return message


def _add_motion(message: Message, motion: Motion | None) -> None:
    if motion is not None:
        message.moved, message.moved_since = True, time_message(motion.since_ns)
        message.displacement_site = motion.displacement_site
        message.displacement_covariance = motion.covariance.ravel()


def _about(message: Message, image: Message) -> Message:
    message.time_of_validity, message.head = time_message(stamp_ns(image)), image.head
    return message
