"""The Moon's surface, deterministic by seed: height and normal anywhere.

`Terrain.build` makes a terrain; its methods answer questions from Python, and the functions here answer the same
questions from inside numba code, with `terrain.data` as their first argument.
"""

from lander_terrain.dem import DemError, SitePose
from lander_terrain.parameters import TerrainParameters
from lander_terrain.rays import ray_range
from lander_terrain.surface import (
    TerrainData,
    albedo_at,
    altitude_and_normal_site,
    altitude_at,
    height_and_normal,
    height_at,
    height_smooth,
    map_to_site_at,
    site_to_map,
    slope_at,
)
from lander_terrain.terrain import Terrain

__all__ = [
    "DemError",
    "SitePose",
    "Terrain",
    "TerrainData",
    "TerrainParameters",
    "albedo_at",
    "altitude_and_normal_site",
    "altitude_at",
    "height_and_normal",
    "height_at",
    "height_smooth",
    "map_to_site_at",
    "ray_range",
    "site_to_map",
    "slope_at",
]
