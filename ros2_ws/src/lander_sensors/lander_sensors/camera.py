"""The descent camera: what it sees of the ground, once a second."""

from __future__ import annotations

from collections.abc import Mapping
from math import cos, radians
from typing import Any, ClassVar

import cv2
import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import Head
from lander_common.faults.camera import Blurred, Dark, Dust, Stuck
from lander_common.mission import Mission
from lander_common.quaternion import Quaternion, from_rotation_vector, rotate
from lander_common.sun import mission_sun_site
from lander_runtime.messages import CameraImage, Message
from lander_runtime.rng import later_stream, stream
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick
from lander_sensors.camera_parameters import CameraParameters
from lander_sensors.camera_view import CameraPose, CameraView
from lander_sensors.imager import Detector, next_exposure_s
from lander_sensors.plume_dust import draw_veil
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain

Array = NDArray[np.float64]
Image = NDArray[np.float32]

cv2.setNumThreads(1)


class Camera(Subsystem):
    """Takes a frame with the head that looks at the ground."""

    name: ClassVar[str] = "camera"

    def __init__(self, mission: Mission, terrain: Terrain | None = None) -> None:
        """`terrain` is that of the mission where it is at hand already."""
        self._parameters = parameters = mission.part("camera", CameraParameters)
        lens = parameters.geometry.lens
        ground = terrain or Terrain.build(
            mission.part("terrain", TerrainParameters), mission.site_frame, mission.site.ground_seed
        )
        self._radius_m = mission.site_frame.radius_m
        self._view = CameraView(ground, mission_sun_site(mission), lens)
        build = stream(mission.seed, "camera.build")
        sigma = radians(parameters.alignment_sigma_deg)
        self.R_body_optical = [misaligned(head, sigma * build.standard_normal(3)) for head in parameters.geometry.heads]
        self._detector = Detector(parameters.imager, (lens.height_px, lens.width_px), build)
        self._seed = mission.seed
        self.restore({})
        self._cos_largest_off_nadir = cos(radians(parameters.largest_off_nadir_deg))
        self._exposure_s = parameters.exposure.first_s
        self._faults = mission.faults_of("camera")
        self._last: dict[str, Any] | None = None  # fields of the last frame, for a fault

    def restore(self, published: Mapping[str, Message]) -> None:
        """Noise that no former life has drawn."""
        self._noise = later_stream(self._seed, "camera.noise", published)
        self._dust = later_stream(self._seed, "camera.dust", published)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Take a frame, its exposure centred on the tick."""
        truth = inputs.fresh("truth")
        if truth is None or not self._is_on(truth.altitude_m):
            return {"image": self._nothing()}
        faults = [one.fault for one in self._faults if one.active(tick.stamp_ns, truth.altitude_m)]
        if self._last is not None and any(isinstance(fault, Stuck) for fault in faults):
            return {"image": self._given(self._last)}
        head = self._best_head(truth)
        if head is None:
            return {"image": self._nothing()}
        self._last = self._frame(truth, head, faults)
        return {"image": self._given(self._last)}

    def _is_on(self, altitude_m: float) -> bool:
        return self._parameters.lowest_altitude_m <= altitude_m <= self._parameters.highest_altitude_m

    def _best_head(self, truth: Any) -> int | None:
        """The head that looks down most steeply; None where all look too far off."""
        q = _quaternion(truth.q_site_body)
        x, y, z = truth.r_lander_site.tolist()
        down = -np.array([x, y, z + self._radius_m]) / np.linalg.norm([x, y, z + self._radius_m])
        cosines = [float(np.dot(rotate(q, head.boresight), down)) for head in self._parameters.geometry.heads]
        best = int(np.argmax(cosines))
        return best if cosines[best] > self._cos_largest_off_nadir else None

    def _frame(self, truth: Any, head: int, faults: list[Any]) -> dict[str, Any]:
        """What is seen, as fields of the message."""
        exposure_s = self._exposure_s
        image = self._view.frame(self._pose(truth, head), exposure_s)
        draw_veil(self._parameters.dust, truth.altitude_m, self._dust, image)
        image = blurred(image, self._parameters.lens_blur_px)
        for fault in faults:
            image = degraded(image, fault)
        pixels = self._detector.expose(image, exposure_s, self._noise)
        self._exposure_s = next_exposure_s(self._parameters.exposure, exposure_s, pixels)
        return {"head": head, "exposure_s": exposure_s, "data": pixels.ravel()}

    def _pose(self, truth: Any, head: int) -> CameraPose:
        q = _quaternion(truth.q_site_body)
        R_site_body = np.array([rotate(q, axis) for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))]).T
        arm = np.array(self._parameters.geometry.heads[head].position_m) - truth.r_com_body
        R_body_optical = self.R_body_optical[head]
        return CameraPose(
            origin_site=truth.r_lander_site + R_site_body @ arm,
            R_site_optical=R_site_body @ R_body_optical,
            v_site=truth.v_lander_site + R_site_body @ np.cross(truth.w_mci_body, arm),
            w_optical=R_body_optical.T @ truth.w_mci_body,
        )

    def _nothing(self) -> Any:
        return self._message(valid=False, status=CameraImage.OFF, head=0, exposure_s=0.0, data=np.empty(0, np.uint8))

    def _given(self, fields: dict[str, Any]) -> Any:
        return self._message(valid=True, status=CameraImage.OK, **fields)

    def _message(self, **fields: Any) -> Any:
        lens = self._parameters.geometry.lens
        return CameraImage(
            focal_px=lens.focal_px,
            centre_px=np.array(lens.centre_px),
            distortion=np.array([lens.k1, lens.k2]),
            width=lens.width_px if fields["valid"] else 0,
            height=lens.height_px if fields["valid"] else 0,
            **fields,
        )


def misaligned(head: Head, tilt: Array) -> Array:
    """R_body_optical of a head that is mounted a rotation vector, rad in body, off its place."""
    x, y, z = tilt.tolist()
    q = from_rotation_vector((x, y, z))
    return np.array([rotate(q, tuple(axis)) for axis in head.R_body_optical.T.tolist()]).T


def blurred(image: Image, sigma_px: float) -> Image:
    """The image through a lens with a normal point spread of a sigma, px."""
    return image if sigma_px == 0.0 else np.asarray(cv2.GaussianBlur(image, (0, 0), sigma_px))


def degraded(image: Image, fault: Any) -> Image:
    """The image under a fault of light or optics."""
    if isinstance(fault, Dark):
        return image * np.float32(fault.light_fraction)
    if isinstance(fault, Blurred):
        return blurred(image, fault.blur_sigma_px)
    if isinstance(fault, Dust):
        return image + np.float32(fault.opacity_fraction) * (image.mean() - image)
    return image


def _quaternion(values: Any) -> Quaternion:
    x, y, z, w = values.tolist()
    return (x, y, z, w)
