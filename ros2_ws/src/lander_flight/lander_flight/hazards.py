"""Hazard detection: the safest place to land within reach, from each frame of the last kilometre.

A frame is worked through when it comes, and what came of it is published with the next one, a second later, which is what
a flight computer would have needed.
"""

from __future__ import annotations

from math import hypot
from typing import Any, ClassVar

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from lander_common.camera_geometry import Head, camera_geometry
from lander_common.mission import Mission
from lander_common.mission_map import mission_map
from lander_common.onboard_map import OnboardMap
from lander_common.sun import mission_sun_site
from lander_flight.fix_update import rotation_matrix
from lander_flight.hazard_map import Light, hazard_map
from lander_flight.hazards_parameters import HazardsParameters
from lander_flight.map_window import CameraPose, Window, rectify
from lander_runtime.messages import Message, SafeSite, stamp_ns, time_message, zeros
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick

Array = NDArray[np.float64]

_SOFTENED = 0.5  # 1-sigma of the blur, in cells, that takes out what is too small for the grid, such as rocks


class Hazards(Subsystem):
    """Looks for the safest place."""

    name: ClassVar[str] = "hazards"

    def __init__(self, mission: Mission, onboard_map: OnboardMap | None = None) -> None:
        """`onboard_map` replaces the one that was made for the mission, for tests."""
        self._parameters = mission.part("hazards", HazardsParameters)
        geometry = camera_geometry(mission)
        self._lens, self._heads = geometry.lens, geometry.heads
        self._map = onboard_map or mission_map(mission)
        self._sun = mission_sun_site(mission)
        self._radius_m = mission.site_frame.radius_m
        self._pad_radius_m = mission.vehicle.legs.pad_radius_m
        self._com_body = np.array(mission.vehicle.mass.dry_com_m)
        self._finished = nothing()

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Publish what came of the last frame; work through the one that is there."""
        finished, self._finished = self._finished, nothing()
        image, state = inputs.fresh("image"), inputs.latest("navigation_state")
        command = inputs.latest("guidance_command")
        if image is not None and image.valid and state is not None and command is not None:
            self._finished = self._look(image, state, command.r_target_site)
        return {"safe_site": finished}

    def _look(self, image: Any, state: Any, target: Array) -> Message:
        """The safest place within reach, by a frame."""
        p = self._parameters
        altitude_m = float(state.r_lander_site[2] - target[2])
        if not p.lowest_m <= altitude_m <= p.highest_m:
            return nothing()
        reach_m = p.reach(altitude_m)
        drifted = state.r_lander_site[:2] + p.settle_s * state.v_lander_site[:2]
        away_e, away_n = target[:2] - drifted
        pixel_m = altitude_m / self._lens.focal_px
        half_m, posting_m = reach_m + p.margin_m + hypot(away_e, away_n), max(pixel_m, p.posting_m)
        window = Window.about(float(target[0]), float(target[1]), 2 * int(half_m / posting_m) + 1, posting_m)
        risk, e, n = self._risk(image, state, window)
        middle = risk.size // 2
        reachable = np.hypot(e - drifted[0], n - drifted[1]) <= reach_m
        best = int(np.argmin(np.where(reachable, risk, np.inf))) if reachable.any() else middle
        place = (float(e.flat[best]), float(n.flat[best]))
        return SafeSite(
            valid=True,
            time_of_validity=time_message(stamp_ns(image)),
            r_safe_site=np.array([*place, self._map.height(*place)]),
            risk=float(risk.flat[best]),
            target_risk=float(risk.flat[middle]),
            reach_m=reach_m,
            pixel_m=pixel_m,
        )

    def _risk(self, image: Any, state: Any, window: Window) -> tuple[Array, Array, Array]:
        """The hazard map of a window, and the map coordinates of its cells."""
        rows, columns = np.mgrid[0 : window.cells, 0 : window.cells].astype(float)
        e, n = window.place(rows, columns)
        heights, pose = self._map.heights(e, n), self._pose(image, state)
        middle = e.size // 2
        towards = pose.r_site - np.array([e.flat[middle], n.flat[middle], heights.flat[middle]])
        distance_m = float(np.linalg.norm(towards))
        seen = self._seen(image, pose, window, heights, distance_m / self._lens.focal_px)
        light = Light(self._sun, towards / distance_m)
        return hazard_map(seen, heights, window.posting_m, light, self._pad_radius_m, self._parameters), e, n

    def _pose(self, image: Any, state: Any) -> CameraPose:
        head: Head = self._heads[image.head]
        R_site_body = rotation_matrix(state.q_site_body)
        lever = R_site_body @ (np.array(head.position_m) - self._com_body)
        return CameraPose(state.r_lander_site + lever, R_site_body @ head.R_body_optical)

    def _seen(self, image: Any, pose: CameraPose, window: Window, heights: Array, pixel_m: float) -> Array:
        """Brightness that the image shows on the grid of a window."""
        pixels = image.data.reshape(image.height, image.width).astype(np.float32)
        softened = gaussian_filter(pixels, _SOFTENED * window.posting_m / pixel_m)
        camera = (self._lens.numbers, pose.r_site, pose.R_site_optical)
        grid = (window.east_m, window.north_m, window.posting_m, heights.astype(np.float32))
        return np.asarray(rectify(softened, 1, *camera, *grid, self._radius_m), float)


def nothing() -> Message:
    """What is published where there is nothing to tell from."""
    return zeros("lander_interfaces/msg/SafeSite")
