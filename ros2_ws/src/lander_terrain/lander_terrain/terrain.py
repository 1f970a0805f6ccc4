"""A terrain: built from parameters, a site and a seed; asked for heights, normals, slopes, ranges."""

from __future__ import annotations

from collections.abc import Sequence
from functools import cached_property
from hashlib import sha256
from math import log, sqrt
from statistics import NormalDist

import numpy as np
from numpy.typing import NDArray

from lander_common.moon import REFERENCE_RADIUS_M
from lander_runtime.rng import stream
from lander_terrain import arrays, rays, surface
from lander_terrain.craters import crater_table, list_craters
from lander_terrain.dem import SitePose, load_dem, no_dem
from lander_terrain.features import feature_table, steepest_feature
from lander_terrain.noise import octave_table, structure_function
from lander_terrain.parameters import Albedo, Fractal, Ridges, TerrainParameters
from lander_terrain.rocks import RockField
from lander_terrain.surface import TerrainData

Array = NDArray[np.float64]

_GENTLE_SLOPE_BOUND = (
    0.75  # tangent; steeper ground (fresh crater walls) is short, and rays recover from it by bisection
)
_RIDGE_SINUOSITY = ((1.0, 1.0), (0.37, 0.18), (0.13, 0.035))  # lattice over spacing, amplitude (estimates, by eye)
_NOISE_SLOPE = 2.6  # root mean square slope of unit noise on the unit lattice along its steepest direction
_HALF_HEIGHT = 0.6436  # where 1/(1 + x^2)^2 is a half


class Terrain:
    """The Moon's surface around a site. The same parameters, site and seed give the same surface everywhere.

    Map coordinates: east and north arc lengths, m, from the target on the sphere through it (azimuthal equidistant: see
    `geometry`). Site coordinates: m, east, north, up at the target, which lies on the surface. Heights: m above the
    sphere through the target.
    """

    def __init__(self, data: TerrainData, rock_field: RockField | None) -> None:
        self.data = data  # what the functions of `surface` and `rays` take, for use inside numba code
        self.rock_field = rock_field

    @cached_property
    def fingerprint(self) -> str:
        """The same for terrains that are the same everywhere."""
        digest = sha256(repr(self.rock_field).encode())
        for numbers in self.data:
            digest.update(repr(np.shape(numbers)).encode() + np.asarray(numbers).tobytes())
        return digest.hexdigest()

    def __eq__(self, other: object) -> bool:
        return isinstance(other, Terrain) and self.fingerprint == other.fingerprint

    def __hash__(self) -> int:
        return hash(self.fingerprint)

    @classmethod
    def build(cls, parameters: TerrainParameters, site: SitePose, seed: int) -> Terrain:
        """Terrain of a site under a seed. Raises DemError where a user's elevation model cannot be used."""
        place = f"terrain/{site.latitude_deg:.6f}/{site.longitude_deg:.6f}"
        fractal = _fractal(parameters.fractal, stream(seed, f"{place}/fractal"))
        ridge_shape, ridges = _ridges(parameters.ridges, stream(seed, f"{place}/ridges"))
        albedo_shape, albedo = _albedo(parameters.albedo, stream(seed, f"{place}/albedo"))
        dem, dem_frame = load_dem(parameters.dem, site) if parameters.dem else no_dem()
        data = TerrainData(
            radius=REFERENCE_RADIUS_M + site.elevation_m,
            datum=0.0,
            slope_bound=max(_GENTLE_SLOPE_BOUND, 0.5 + steepest_feature(parameters.features)),
            fractal_end=len(fractal),
            ridges_end=len(fractal) + len(ridges),
            octaves=np.concatenate((fractal, ridges, albedo)),
            shape=np.concatenate((ridge_shape, albedo_shape)),
            craters=crater_table(parameters.craters, stream(seed, f"{place}/craters")),
            features=feature_table(parameters.features),
            dem=dem,
            dem_frame=dem_frame,
        )
        data = data._replace(datum=surface.height_at(data, 0.0, 0.0))
        rock_key = int(stream(seed, f"{place}/rocks").integers(2**52))
        return cls(data, RockField(parameters.rocks, rock_key) if parameters.rocks else None)

    def height(self, e: float, n: float) -> float:
        """Height, m, at map coordinates, m."""
        return float(surface.height_at(self.data, float(e), float(n)))

    def heights(self, e: Array, n: Array, baseline_m: float = 0.0) -> Array:
        """Heights, m, at arrays of map coordinates, m, without detail below a baseline, m; shape as the arguments'."""
        flat_e, flat_n, shape = _flattened(e, n)
        return arrays.heights(self.data, flat_e, flat_n, float(baseline_m)).reshape(shape)

    def grid(self, east_m: float, north_m: float, spacing_m: float, shape: tuple[int, int], baseline_m: float) -> Array:
        """Heights, m, on a grid of map coordinates from its south-west sample; shape (rows to north, columns to east).

        Several times faster than `heights`, equal to it within rounding.
        """
        place = _floats((east_m, north_m, spacing_m))
        return arrays.grid(self.data, *place, *shape, float(baseline_m))

    def normal(self, e: float, n: float) -> Array:
        """Unit normal at map coordinates, m, in the local frame (east, north as the map's axes, up); shape (3,)."""
        return np.array(surface.height_and_normal(self.data, float(e), float(n))[1:])

    def albedo(self, e: float, n: float) -> float:
        """Reflectance at normal incidence and zero phase at map coordinates, m."""
        return float(surface.albedo_at(self.data, float(e), float(n)))

    def slope_deg(self, e: float, n: float, baseline_m: float) -> float:
        """Slope, deg, of the plane through points half a baseline, m, to either side of map coordinates, m."""
        return float(surface.slope_at(self.data, float(e), float(n), float(baseline_m)))

    def slopes_deg(self, e: Array, n: Array, baseline_m: float) -> Array:
        """Slopes, deg, at arrays of map coordinates, m."""
        flat_e, flat_n, shape = _flattened(e, n)
        return arrays.slopes(self.data, flat_e, flat_n, float(baseline_m)).reshape(shape)

    def ray_range(
        self, origin_site: Sequence[float], direction_site: Sequence[float], max_range_m: float
    ) -> tuple[float, float]:
        """Distance, m, along a ray in site coordinates (unit direction) to the surface, and its incidence, rad.

        Both are NaN where there is nothing within `max_range_m`, or the origin is below the surface.
        """
        place, direction = _floats(origin_site), _floats(direction_site)
        distance, incidence = rays.ray_range(self.data, *place, *direction, float(max_range_m))
        return float(distance), float(incidence)

    def altitude(self, r_site: Sequence[float]) -> float:
        """Height, m, of a point in site coordinates, m, above the surface, along the local radius."""
        return float(surface.altitude_at(self.data, *_floats(r_site)))

    def to_map(self, r_site: Sequence[float]) -> tuple[float, float, float]:
        """Map coordinates and height above the sphere (e, n, h), m, of a point in site coordinates, m."""
        return surface.site_to_map(self.data, *_floats(r_site))

    def to_site(self, e: float, n: float, h: float) -> Array:
        """Site coordinates, m, of a point at map coordinates and a height above the sphere, m; shape (3,)."""
        return np.array(surface.map_to_site_at(self.data, float(e), float(n), float(h)))

    def craters(self, bounds_m: tuple[float, float, float, float], smallest_m: float) -> Array:
        """Craters with centres in bounds (e from, e to, n from, n to): rows of e, n, diameter, depth, m."""
        corners = np.array(bounds_m, float)
        found = np.empty((list_craters(self.data.craters, corners, float(smallest_m), np.empty((0, 4))), 4))
        list_craters(self.data.craters, corners, float(smallest_m), found)
        return found

    def rocks(self, bounds_m: tuple[float, float, float, float]) -> Array:
        """Rocks with centres in bounds (e from, e to, n from, n to): rows of e, n, diameter, m; shape (k, 3)."""
        return np.empty((0, 3)) if self.rock_field is None else self.rock_field.within(self.data, bounds_m)


def _flattened(e: Array, n: Array) -> tuple[Array, Array, tuple[int, ...]]:
    e, n = np.broadcast_arrays(np.asarray(e, float), np.asarray(n, float))
    return e.flatten(), n.flatten(), e.shape


def _floats(vector: Sequence[float]) -> tuple[float, float, float]:
    """Three floats, so that numba compiles for one kind of number only."""
    x, y, z = vector
    return float(x), float(y), float(z)


def _fractal(parameters: Fractal | None, random: np.random.Generator) -> Array:
    if parameters is None:
        return np.empty((0, 7))
    number = int(np.ceil(np.log2(parameters.largest_m / parameters.smallest_m))) + 1
    lattices = np.array([parameters.largest_m * 0.5**octave for octave in range(number)])
    amplitudes: Array = lattices**parameters.hurst
    unscaled = structure_function(np.array([parameters.baseline_m]), lattices, amplitudes)[0]
    return octave_table(lattices, amplitudes * parameters.deviation_m / sqrt(unscaled), random)


def _ridges(parameters: Ridges | None, random: np.random.Generator) -> tuple[Array, Array]:
    if parameters is None:
        return np.zeros(4), np.empty((0, 7))
    p = parameters
    lattices = np.array([2.0, *(lattice for lattice, _ in _RIDGE_SINUOSITY)]) * p.spacing_m
    amplitudes = np.array([1.0, *(amplitude for _, amplitude in _RIDGE_SINUOSITY)])
    steepness = p.spacing_m / _NOISE_SLOPE / (0.5 * p.width_m / _HALF_HEIGHT)
    threshold = NormalDist().inv_cdf(min(max(1.0 - p.coverage, 1e-6), 1.0 - 1e-6))
    return np.array([p.height_m, steepness, threshold, p.width_m]), octave_table(lattices, amplitudes, random)


def _albedo(parameters: Albedo, random: np.random.Generator) -> tuple[Array, Array]:
    p = parameters
    number = max(round(log(p.largest_m / p.smallest_m, 4.0)), 0) + 1
    lattices = np.array([p.largest_m * 0.25**octave for octave in range(number)])
    octaves = octave_table(lattices, np.full(number, p.variation / sqrt(number)), random)
    return np.array([p.mean, p.fresh_crater, p.lowest, p.highest]), octaves if p.variation > 0.0 else octaves[:0]
