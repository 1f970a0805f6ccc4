"""Terrains that the tests of lander_terrain share."""

from __future__ import annotations

from functools import cache
from typing import Any

from lander_common.frames import SiteFrame
from lander_runtime.config import find, load
from lander_terrain import Terrain, TerrainParameters

SITE = SiteFrame(60.5, -4.6, -2600.0)


@cache
def parameters(name: str) -> TerrainParameters:
    """The terrain file of a name."""
    return load(find("terrain", name), TerrainParameters)


def changed(name: str, **parts: Any) -> TerrainParameters:
    """The terrain file of a name with some parts replaced."""
    return TerrainParameters.model_validate({**parameters(name).model_dump(), **parts})


@cache
def mare(seed: int) -> Terrain:
    """The nominal terrain under a seed."""
    return Terrain.build(parameters("mare_frigoris"), SITE, seed)


@cache
def flat() -> Terrain:
    """A smooth sphere."""
    return Terrain.build(parameters("flat"), SITE, 1)


def only(**parts: Any) -> Terrain:
    """A smooth sphere with some parts of the nominal terrain or others."""
    return Terrain.build(changed("flat", **parts), SITE, 1)


def part(name: str, **changes: Any) -> dict[str, Any]:
    """A part of the nominal terrain with some values changed."""
    values: dict[str, Any] = parameters("mare_frigoris").model_dump()[name]
    return {**values, **changes}
