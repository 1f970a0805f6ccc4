"""Make the onboard map of a mission before flight, from the terrain as orbiters would have surveyed it.

The flight software never sees the terrain: the map is coarser, shifted, and wrong in height by errors that hang together over some
distance. Its errors are drawn from their own random stream.
"""

from __future__ import annotations

from itertools import pairwise
from math import ceil, cos, exp, radians, sin, sqrt
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from lander_common.faults.site_map import Elsewhere, OtherTerrain
from lander_common.mission import Mission
from lander_common.mission_map import MapParameters, Strip, Zone, map_path
from lander_common.onboard_map import MapGrid, OnboardMap, level_grid
from lander_common.whole_file import is_whole
from lander_runtime.config import read_layered
from lander_runtime.rng import stream
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain

Array = NDArray[np.float64]
Box = tuple[float, float, float, float]  # west, south, east, north, m

_TILE_M = 40_000.0  # along the track: a slanting strip is covered by boxes of about this length
_NODES_PER_CORRELATION = 4  # of the field of height errors
_KEPT = 100  # files in the cache; the oldest go first


def ensure_map(mission: Mission) -> Path | None:
    """Make the map of a mission unless it is there already; return its file, None where the map needs none."""
    parameters = mission.part("map", MapParameters)
    if not parameters.zones:
        return None
    path = map_path(mission)
    if not path.is_file():
        make_map(mission).save(path)
        prune(path.parent)
    return path


def make_map(mission: Mission, terrain: Terrain | None = None) -> OnboardMap:
    """The map of a mission, its target chosen; `terrain` is that of the mission where it is at hand already."""
    parameters = mission.part("map", MapParameters)
    surveyed = terrain or Terrain.build(surveyed_terrain(mission), mission.site, mission.site.ground_seed)
    random = stream(mission.site.ground_seed, "map")
    shift = parameters.registration_m * random.standard_normal(2) + displacement(mission)
    outside = parameters.outside
    outside_sigma = sqrt(outside.height_sigma_m**2 + outside.detail_m**2)
    grids = [level_grid(outside_sigma, outside.correlation_m, parameters.registration_m)]
    for zone in parameters.zones:
        boxes = tiles(zone, mission.site.approach_azimuth_deg)
        errors = HeightErrors((zone.height_sigma_m, zone.correlation_m), zone.spacing_m, boxes, random)
        grids += [_grid(surveyed, zone, box, shift, errors, parameters.registration_m) for box in boxes]
    made = OnboardMap.from_grids(grids)
    if parameters.target:
        from lander_common.aiming import safest_place  # not loaded where the map is there already

        finest = min(parameters.zones, key=lambda zone: zone.spacing_m)
        made.target = safest_place(made, finest, parameters.target, mission.vehicle.legs.pad_radius_m)
    return made


def surveyed_terrain(mission: Mission) -> TerrainParameters:
    """The mission's terrain, unless the map is of another one by mistake."""
    for one in mission.faults_of("map"):
        if isinstance(one.fault, OtherTerrain):
            return read_layered("terrain", one.fault.terrain).parse(TerrainParameters)
    return mission.part("terrain", TerrainParameters)


def displacement(mission: Mission) -> Array:
    """How far off the ground lies that the map shows by mistake, east and north, m."""
    elsewhere = (one.fault for one in mission.faults_of("map") if isinstance(one.fault, Elsewhere))
    return np.sum([(fault.east_m, fault.north_m) for fault in elsewhere] or [(0.0, 0.0)], axis=0)


def _grid(terrain: Terrain, zone: Zone, box: Box, shift: Array, errors: HeightErrors, registration_m: float) -> MapGrid:
    """Heights of the terrain that lies `shift` to the east and north of the map, with the errors of the survey."""
    west, south, east, north = box
    shape = (ceil((north - south) / zone.spacing_m) + 1, ceil((east - west) / zone.spacing_m) + 1)
    heights = terrain.grid(west + shift[0], south + shift[1], zone.spacing_m, shape, zone.spacing_m)
    heights = heights + errors.grid(west, south, zone.spacing_m, shape)
    accuracy = (zone.sigma_m, zone.correlation_m, registration_m)
    return MapGrid(heights.astype(np.float32), zone.spacing_m, west, south, *accuracy)


def tiles(zone: Strip, azimuth_deg: float) -> list[Box]:
    """Boxes along the axes that cover a zone's strip of the approach track."""
    de, dn = sin(radians(azimuth_deg)), cos(radians(azimuth_deg))
    count = ceil((zone.before_m + zone.beyond_m) / _TILE_M)
    stations = np.linspace(-zone.before_m, zone.beyond_m, count + 1)
    half_e, half_n = zone.half_width_m * abs(dn), zone.half_width_m * abs(de)
    boxes = []
    for first, last in pairwise(stations):
        e, n = sorted((first * de, last * de)), sorted((first * dn, last * dn))
        boxes.append((float(e[0] - half_e), float(n[0] - half_n), float(e[1] + half_e), float(n[1] + half_n)))
    return boxes


class HeightErrors:
    """A field of height errors over all boxes of a zone: normal, its correlation exponential along both axes."""

    def __init__(
        self, law: tuple[float, float], spacing_m: float, boxes: list[Box], random: np.random.Generator
    ) -> None:
        """`law`: 1-sigma and distance of correlation, m."""
        sigma_m, correlation_m = law
        self._step = correlation_m / _NODES_PER_CORRELATION
        corners = np.array(boxes)
        self._west, self._south = (corners[:, :2].min(axis=0) - self._step).tolist()
        span = corners[:, 2:].max(axis=0) - (self._west, self._south)
        columns, rows = (np.ceil((span + spacing_m) / self._step).astype(int) + 2).tolist()
        self._nodes = sigma_m * exponential_field((rows, columns), 1.0 / _NODES_PER_CORRELATION, random)

    def grid(self, west: float, south: float, spacing: float, shape: tuple[int, int]) -> Array:
        """Errors on a grid, m."""
        i = (south - self._south + spacing * np.arange(shape[0])) / self._step
        j = (west - self._west + spacing * np.arange(shape[1])) / self._step
        return _bilinear(self._nodes, i, j)


def _bilinear(nodes: Array, i: Array, j: Array) -> Array:
    """Values at all pairs of a row and a column, not whole."""
    i0, j0 = i.astype(int), j.astype(int)
    fi, fj = (i - i0)[:, None], (j - j0)[None, :]
    rows = nodes[i0] * (1.0 - fi) + nodes[i0 + 1] * fi
    return np.asarray(rows[:, j0] * (1.0 - fj) + rows[:, j0 + 1] * fj)


def exponential_field(shape: tuple[int, int], step: float, random: np.random.Generator) -> Array:
    """Unit normal numbers on a grid, correlated as exp(-|di| step - |dj| step): first-order recursion along both axes."""
    from scipy.signal import lfilter  # not loaded where the map is there already

    phi = exp(-step)
    field = random.standard_normal(shape)
    for axis in (0, 1):
        first = np.take(field, [0], axis=axis) / sqrt(1.0 - phi * phi)  # so that it is stationary from the edge on
        rest = np.delete(field, 0, axis=axis)
        field = lfilter([sqrt(1.0 - phi * phi)], [1.0, -phi], np.concatenate([first, rest], axis=axis), axis=axis)
    return np.asarray(field)


def prune(folder: Path) -> None:
    """Keep the newest files."""
    files = sorted(filter(is_whole, folder.glob("*.npz")), key=lambda path: path.stat().st_mtime)
    for path in files[:-_KEPT]:
        path.unlink(missing_ok=True)
