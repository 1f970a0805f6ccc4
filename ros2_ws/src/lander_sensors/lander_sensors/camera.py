"""The descent camera: what it sees of the ground, once a second."""

from __future__ import annotations

from typing import Any, ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_runtime.messages import CameraImage
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick
from lander_sensors.camera_parameters import CameraParameters


class Camera(Subsystem):
    """Takes a frame with the head that looks at the ground."""

    name: ClassVar[str] = "camera"

    def __init__(self, mission: Mission) -> None:
        self._parameters = mission.part("camera", CameraParameters)
        self._lens = self._parameters.geometry.lens

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Take a frame."""
        return {"image": self._nothing(CameraImage.OFF)}

    def _nothing(self, status: int) -> Any:
        lens = self._lens
        return CameraImage(
            valid=False,
            status=status,
            head=0,
            exposure_s=0.0,
            focal_px=lens.focal_px,
            centre_px=np.array(lens.centre_px),
            distortion=np.array([lens.k1, lens.k2]),
            width=0,
            height=0,
            data=np.empty(0, np.uint8),
        )
