"""The laser rangefinder: slant range along the better of its beams, as a pulsed time-of-flight device sees it."""

from __future__ import annotations

from collections import deque
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import cos, isnan, nan, radians, sqrt
from typing import Annotated, Any, ClassVar

from pydantic import Field

from lander_common.mission import Mission, NonNegative, Positive, Vector3
from lander_common.quaternion import Quaternion, conjugate, from_rotation_vector, multiply, rotate
from lander_runtime.config import Parameters
from lander_runtime.messages import Message, RangeMeasurement, stamp_ns, time_message
from lander_runtime.rng import later_stream, stream
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick
from lander_sensors.ground import Ground
from lander_sensors.lidar_link import FLOOR_DB, LinkParameters, margin_db
from lander_sensors.rangefinder_faults import RangefinderFaults
from lander_terrain.geometry import site_to_map
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain

_HISTORY = 16  # shots of which the truth is kept: longer than any latency that makes sense
_STEEP = 0.9  # an axis with more of z than this is not crossed with z
_THIRDS = ((1.0, 0.0), (-0.5, sqrt(0.75)), (-0.5, -sqrt(0.75)))  # cosine and sine of 0, 120 and 240 deg


class Beam(Parameters):
    """A boresight as the drawings have it."""

    name: str
    direction: Vector3  # unit, in body


class Mount(Parameters):
    """Where the device sits and where its beams point: all that the flight software knows of it."""

    position_m: Vector3  # in body
    beams: Annotated[tuple[Beam, ...], Field(min_length=1)]


class RangefinderParameters(Parameters):
    """A laser rangefinder."""

    name: str
    about: str
    mount: Mount
    boresight_sigma_deg: NonNegative
    minimum_range_m: NonNegative
    maximum_range_m: Positive
    largest_off_nadir_deg: Annotated[float, Field(gt=0, lt=90)]
    noise_floor_m: Positive
    noise_per_range: NonNegative
    quantum_m: NonNegative
    latency_s: NonNegative
    divergence_mrad: NonNegative
    footprint_resolved_m: Positive
    link: LinkParameters


@dataclass(frozen=True, slots=True)
class Pose:
    """The device at the time of a shot."""

    origin_site: Vector3
    q_site_body: Quaternion
    up_body: Vector3


@dataclass(frozen=True, slots=True)
class Echo:
    """What came back on a beam."""

    beam: int
    range_m: float
    signal_db: float


@dataclass(frozen=True, slots=True)
class Chance:
    """The random numbers of one shot: as many whatever happens, so that a fault shifts no later shot's."""

    fading: Sequence[float]  # normal, per beam
    noise: float  # normal
    lost: float  # uniform, as the next two
    false: float
    early: float


class Rangefinder(Subsystem):
    """Fires all beams at once and reports the strongest echo."""

    name: ClassVar[str] = "rangefinder"

    def __init__(self, mission: Mission, ground: Ground | None = None) -> None:
        """`ground` replaces the mission's terrain, for tests."""
        self._parameters = parameters = mission.part("rangefinder", RangefinderParameters)
        self._radius_m = mission.site_frame.radius_m
        self._ground = ground or _terrain(mission)
        build = stream(mission.seed, "rangefinder.build")
        sigma = radians(parameters.boresight_sigma_deg)
        self.boresights_body = [
            _misaligned(beam.direction, sigma * build.standard_normal(3)) for beam in parameters.mount.beams
        ]
        self._cos_largest_off_nadir = cos(radians(parameters.largest_off_nadir_deg))
        self._latency_ns = round(parameters.latency_s * 1e9)
        self._faults = RangefinderFaults(mission, parameters.minimum_range_m)
        self._seed = mission.seed
        self._history: deque[Any] = deque(maxlen=_HISTORY)
        self._ground.ray_range(
            (0.0, 0.0, 1e3), (0.0, 0.0, -1.0), 1e4
        )  # loads what is compiled: the first echo would wait for it
        self.restore({})

    def restore(self, published: Mapping[str, Message]) -> None:
        """Noise that no former life has drawn."""
        self._noise = later_stream(self._seed, "rangefinder.noise", published)

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Fire one shot. Its time of validity is earlier than the tick by the latency."""
        truth = inputs.fresh("truth")
        if truth is not None:
            self._history.append(truth)
        validity_ns = max(0, tick.stamp_ns - self._latency_ns)
        chance = self._chance()
        echo = Echo(0, nan, FLOOR_DB)
        if self._history:
            self._faults.look(tick.stamp_ns, self._history[-1].altitude_m)
        if self._history and self._history[-1].altitude_m < self._parameters.maximum_range_m:
            echo = self._strongest(self._pose(validity_ns - self._faults.extra_latency_ns), chance.fading)
        measurement = self._measurement(echo, chance, validity_ns)
        self._faults.spoil(measurement)
        return {"range": measurement}

    def _chance(self) -> Chance:
        *fading, noise = self._noise.standard_normal(len(self.boresights_body) + 1).tolist()
        return Chance(fading, noise, *self._noise.random(3).tolist())

    def _pose(self, at_ns: int) -> Pose:
        """Pose at a past time, from the first truth kept at or after it, carried back at constant velocity and rate.

        The error is half the acceleration times the square of the time carried: 2 mm at 4 m/s2 and 30 ms.
        """
        truth = next((past for past in self._history if stamp_ns(past) >= at_ns), self._history[-1])
        back_s = (stamp_ns(truth) - at_ns) * 1e-9
        wx, wy, wz = truth.w_mci_body.tolist()
        turn = from_rotation_vector((-wx * back_s, -wy * back_s, -wz * back_s))
        q_site_body = multiply(_quaternion(truth.q_site_body), turn)
        q_mci_body = multiply(_quaternion(truth.q_mci_body), turn)
        mount, com = self._parameters.mount.position_m, truth.r_com_body.tolist()
        arm = rotate(q_site_body, (mount[0] - com[0], mount[1] - com[1], mount[2] - com[2]))
        r, v = truth.r_lander_site.tolist(), truth.v_lander_site.tolist()
        origin = (r[0] - v[0] * back_s + arm[0], r[1] - v[1] * back_s + arm[1], r[2] - v[2] * back_s + arm[2])
        x, y, z = truth.r_lander_mci.tolist()
        scale = 1.0 / sqrt(x * x + y * y + z * z)
        return Pose(origin, q_site_body, rotate(conjugate(q_mci_body), (x * scale, y * scale, z * scale)))

    def _strongest(self, pose: Pose, fading: Sequence[float]) -> Echo:
        sigma = self._parameters.link.fading_sigma_db
        echoes = [self._echo(pose, beam, sigma * normal) for beam, normal in enumerate(fading)]
        return max(echoes, key=lambda echo: echo.signal_db)

    def _echo(self, pose: Pose, beam: int, fading_db: float) -> Echo:
        """Echo on a beam. Beams far off the vertical are not traced: another one sees the ground much better."""
        boresight = self.boresights_body[beam]
        if -_dot(boresight, pose.up_body) < self._cos_largest_off_nadir:
            return Echo(beam, nan, FLOOR_DB)
        direction = rotate(pose.q_site_body, boresight)
        limit = self._parameters.maximum_range_m
        distance, incidence = self._ground.ray_range(pose.origin_site, direction, limit)
        if isnan(distance):
            return Echo(beam, nan, FLOOR_DB)
        x, y, z = (o + distance * d for o, d in zip(pose.origin_site, direction, strict=True))
        east, north, _ = site_to_map(self._radius_m, x, y, z)
        margin = margin_db(self._parameters.link, distance, cos(incidence), self._ground.albedo(east, north))
        margin -= self._faults.loss_db
        return Echo(beam, self._over_footprint(pose.origin_site, direction, distance), margin + fading_db)

    def _over_footprint(self, origin: Vector3, direction: Vector3, distance: float) -> float:
        """Mean range over the laser spot where that is large: three rays at its root mean square radius."""
        half_angle = 0.5e-3 * self._parameters.divergence_mrad
        if 2.0 * half_angle * distance < self._parameters.footprint_resolved_m:
            return distance
        rays = cone(direction, half_angle * sqrt(0.5))
        ranges = [self._ground.ray_range(origin, ray, self._parameters.maximum_range_m)[0] for ray in rays]
        mean = sum(ranges) / len(ranges)
        return distance if isnan(mean) else mean

    def _measurement(self, echo: Echo, chance: Chance, validity_ns: int) -> Any:
        """What the receiver makes of an echo."""
        parameters = self._parameters
        detected = echo.signal_db > 0.0 and chance.lost >= parameters.link.dropout_probability
        measured, sigma = self._detection(echo, chance) if detected else (0.0, 0.0)
        valid = detected and parameters.minimum_range_m <= measured <= parameters.maximum_range_m
        missed = RangeMeasurement.OUT_OF_RANGE if detected else RangeMeasurement.NO_RETURN
        return RangeMeasurement(
            time_of_validity=time_message(validity_ns),
            valid=valid,
            status=RangeMeasurement.OK if valid else missed,
            beam=echo.beam,
            range_m=measured if valid else 0.0,
            sigma_m=sigma if valid else 0.0,
            signal_db=max(FLOOR_DB, echo.signal_db),
        )

    def _detection(self, echo: Echo, chance: Chance) -> tuple[float, float]:
        """Measured range and its stated sigma, m; a noise pulse ahead of the echo cannot be told from it."""
        parameters = self._parameters
        sigma = parameters.noise_floor_m + parameters.noise_per_range * echo.range_m
        if chance.false < parameters.link.outlier_probability:
            gate = parameters.minimum_range_m
            return gate + chance.early * max(0.0, echo.range_m - gate), sigma
        return _quantised(echo.range_m + sigma * chance.noise, parameters.quantum_m), sigma


def _terrain(mission: Mission) -> Ground:
    """The mission's terrain: the same one that the world is made of."""
    return Terrain.build(mission.part("terrain", TerrainParameters), mission.site_frame, mission.site.ground_seed)


def _quantised(value: float, quantum: float) -> float:
    return round(value / quantum) * quantum if quantum else value


def _misaligned(direction: Vector3, tilt: Any) -> Vector3:
    x, y, z = tilt.tolist()
    return rotate(from_rotation_vector((x, y, z)), direction)


def cone(axis: Vector3, half_angle: float) -> list[Vector3]:
    """Three rays around an axis, 120 deg apart; their mean is exact for a surface that is quadratic over the spot."""
    x, y, z = axis
    ux, uy, uz = (-y, x, 0.0) if abs(z) < _STEEP else (0.0, z, -y)
    scale = half_angle / sqrt(ux * ux + uy * uy + uz * uz)
    ux, uy, uz = ux * scale, uy * scale, uz * scale
    vx, vy, vz = y * uz - z * uy, z * ux - x * uz, x * uy - y * ux
    return [_unit(x + c * ux + s * vx, y + c * uy + s * vy, z + c * uz + s * vz) for c, s in _THIRDS]


def _unit(x: float, y: float, z: float) -> Vector3:
    scale = 1.0 / sqrt(x * x + y * y + z * z)
    return (x * scale, y * scale, z * scale)


def _quaternion(values: Any) -> Quaternion:
    x, y, z, w = values.tolist()
    return (x, y, z, w)


def _dot(a: Sequence[float], b: Sequence[float]) -> float:
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]
