"""What benchmarks of terrain-relative navigation are made of: ground with its maps, pictures of it, and the matcher that flies."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, radians, sin

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import camera_geometry
from lander_common.image_map import ImageMap
from lander_common.mission import Mission, resolve
from lander_common.mission_image_map import mission_image_map
from lander_common.quaternion import from_rotation_vector
from lander_common.sun import mission_sun_site
from lander_flight.fix_update import rotation_matrix
from lander_flight.map_reader import MapReader
from lander_flight.map_window import CameraPose, site_points
from lander_flight.trn_matcher import TrnMatcher, map_axes
from lander_flight.trn_parameters import TrnParameters
from lander_sensors.camera import blurred
from lander_sensors.camera_parameters import CameraParameters
from lander_sensors.camera_view import CameraPose as Station
from lander_sensors.camera_view import CameraView
from lander_sensors.imager import Detector
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain
from lander_tools.make_image_map import ensure_image_map

Array = NDArray[np.float64]
Image = NDArray[np.uint8]
Brightness = NDArray[np.float32]

_EXPOSURES = 6  # until the automatic exposure has settled
_SETTLED = (0.55, 0.9)  # of full scale, at the percentile of the exposure
_DOWN = np.diag([1.0, -1.0, -1.0])  # R_map_optical of a camera that looks straight down, its upper edge to the north


@dataclass(frozen=True)
class Scene:
    """Ground of one seed under one Sun."""

    mission: Mission
    terrain: Terrain
    image_map: ImageMap
    sun_site: Array
    view: CameraView
    matcher: TrnMatcher

    def place(self, e: float, n: float, altitude_m: float) -> Array:
        """A place above the ground in site, m."""
        height = self.terrain.height(e, n) + altitude_m
        return np.asarray(site_points(np.array([e]), np.array([n]), np.array([height]), self.terrain.data.radius)[0])

    def lit_by(self, sun_site: Array) -> Scene:
        """The same ground and maps under another Sun, which the flight software knows of."""
        return _scene(self.mission, self.terrain, self.image_map, sun_site)


def build_scene(ground_seed: int) -> Scene:
    """Ground and maps of a seed under the Sun of the planned touchdown."""
    mission = resolve("nominal_trn", 1, {}, {"site.ground_seed": str(ground_seed)})
    ensure_image_map(mission)
    terrain = Terrain.build(mission.part("terrain", TerrainParameters), mission.site_frame, ground_seed)
    return _scene(mission, terrain, mission_image_map(mission), mission_sun_site(mission))


def _scene(mission: Mission, terrain: Terrain, image_map: ImageMap, sun_site: Array) -> Scene:
    lens, parameters = camera_geometry(mission).lens, mission.part("trn", TrnParameters)
    matcher = TrnMatcher(parameters, lens, MapReader(image_map, sun_site), terrain.data.radius)
    return Scene(mission, terrain, image_map, sun_site, CameraView(terrain, sun_site, lens), matcher)


def sun_vector(elevation_deg: float, azimuth_deg: float) -> Array:
    """Unit vector towards the Sun along east, north and up."""
    a, b = radians(elevation_deg), radians(azimuth_deg)
    return np.array([cos(a) * sin(b), cos(a) * cos(b), sin(a)])


def looking_down(r_site: Array, radius_m: float, turn_rad: float, tilt: Array) -> CameraPose:
    """A pose at a place: straight down, turned about the vertical, then tilted by a rotation vector in site, rad."""
    axes = map_axes(r_site + [0.0, 0.0, radius_m])
    c, s = cos(turn_rad), sin(turn_rad)
    turned = axes @ np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]]) @ _DOWN
    return CameraPose(r_site, turn(tilt) @ turned)


def turn(vector: Array) -> Array:
    """Rotation matrix of a rotation vector, rad."""
    x, y, z = vector.tolist()
    return rotation_matrix(np.array(from_rotation_vector((x, y, z))))


class Photographer:
    """Takes pictures, each well exposed, as the camera's imager would give them."""

    def __init__(self, scene: Scene, random: np.random.Generator) -> None:
        self._scene = scene
        self._random = random
        self._camera = scene.mission.part("camera", CameraParameters)
        lens = self._camera.geometry.lens
        self._detector = Detector(self._camera.imager, (lens.height_px, lens.width_px), random)

    def picture(self, pose: CameraPose, v_site: Array) -> Image:
        """What the camera sees at a pose."""
        return self.expose(self.seen(pose, v_site))

    def seen(self, pose: CameraPose, v_site: Array) -> Brightness:
        """Brightness in every pixel, through the lens; valid until the next call."""
        station = Station(pose.r_site, pose.R_site_optical, v_site, np.zeros(3))
        frame = self._scene.view.frame(station, self._camera.exposure.first_s)
        return blurred(frame, self._camera.lens_blur_px)

    def expose(self, seen: Brightness) -> Image:
        """What the imager gives for it, with new noise."""
        exposure = self._camera.exposure
        exposure_s = exposure.first_s
        for _ in range(_EXPOSURES):
            pixels = self._detector.expose(seen, exposure_s, self._random)
            bright = float(np.percentile(pixels, exposure.percentile)) / 255.0
            if _SETTLED[0] < bright < _SETTLED[1]:
                break
            wanted = exposure_s * exposure.target / max(bright, 0.02)
            exposure_s = min(max(wanted, exposure.shortest_s), exposure.longest_s)
        return pixels
