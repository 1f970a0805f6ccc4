"""What a camera sees of sunlit ground: brightness in every pixel, before lens blur and imager.

Rays are traced exactly, through lens and curvature, at the knots of a lattice of pixels, as a line of map coordinates against
height; pixels between interpolate that line, and find where it meets the ground by Newton's method. So a pixel costs a few looks at
the ground, and no trigonometry.
"""

from __future__ import annotations

from math import floor, log2, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_common.camera_geometry import FOCAL, direction
from lander_common.reflectance import lunar_lambert
from lander_terrain.geometry import site_to_map
from lander_terrain.jit import inlined, jit
from lander_terrain.lit_tiles import (
    NO_TILE,
    SIZE,
    TILE,
    Key,
    Pool,
    TileData,
    find_tile,
    tile_height,
    tile_light,
    tile_slopes,
)
from lander_terrain.photometry import phase_terms
from lander_terrain.sunlight import to_local

Array = NDArray[np.float64]
Image = NDArray[np.float32]

KNOT = 8  # pixels between knots: wrong by 0.03 px looking down, by 0.2 px at the far edge of a view tilted by 35 deg
_SPACING_PER_PIXEL = 1.3  # at most, of samples of the ground; half of it at least
_BLEND = 0.85  # of a level's range of pixel sizes: from there on the next one is blended in
_MARGIN = 2.0 * KNOT / TILE  # tiles: what lies between knots and is seen in no knot
_STEPS = 5  # of Newton's method at most
_CLOSE = 0.05  # samples: near enough to the ground
_STEEPEST = -0.2  # least rate at which a ray nears the ground: less means that it touches a crest

# Channels of the lattice: map coordinates at the level height and their derivatives by height, unit vectors from the ground to camera
# and Sun in the local frame, level of detail, factor of the phase function, share of Lommel and Seeliger's law.
E, N, E_H, N_H, VIEW_E, VIEW_N, VIEW_UP, SUN_E, SUN_N, SUN_UP, DETAIL, PHASE, SHARE = range(13)
CHANNELS = 13
Ray = tuple[float, float, float, float, float, float, float, float, float, float, float, float, float]
Place = tuple[
    int, int, float, float, float
]  # level asked for, slot of the tile, samples per m, map coordinates of its corner, m
NOWHERE = (-1, NO_TILE, 1.0, 0.0, 0.0)
MISSED = -1.0  # level of detail where a ray misses the Moon


@jit
def trace_lattice(
    lens: Array,
    size: tuple[int, int],
    origin: Array,
    R_site_optical: Array,
    sun_site: Array,
    radius: float,
    level_m: float,
    spacings: Array,
) -> Array:
    """Trace the knots of an image of `size` (height, width) pixels to a level, m, above the sphere through the target.

    Returns the lattice, shape (rows of knots, columns of knots, CHANNELS).

    Parameters
    ----------
    origin : of the camera, m, in site, above the level.
    sun_site : unit vector towards the Sun, in site.
    spacings : of the levels of tiles, m.
    """
    rows, columns = size[0] // KNOT + 2, size[1] // KNOT + 2
    lattice = np.zeros((rows, columns, CHANNELS))
    ox, oy, oz = origin[0], origin[1], origin[2]
    up = site_to_map(radius, ox, oy, oz)[2]
    lift = 0.05 * (up - level_m)
    for i in range(rows):
        for j in range(columns):
            a, b, c = direction(lens, float(j * KNOT), float(i * KNOT))
            x = R_site_optical[0, 0] * a + R_site_optical[0, 1] * b + R_site_optical[0, 2] * c
            y = R_site_optical[1, 0] * a + R_site_optical[1, 1] * b + R_site_optical[1, 2] * c
            z = R_site_optical[2, 0] * a + R_site_optical[2, 1] * b + R_site_optical[2, 2] * c
            reach = _to_sphere(radius, level_m, ox, oy, oz, x, y, z)
            nearer = _to_sphere(radius, level_m + lift, ox, oy, oz, x, y, z)
            if not reach > 0.0:
                lattice[i, j, DETAIL] = MISSED
                continue
            e, n, _ = site_to_map(radius, ox + reach * x, oy + reach * y, oz + reach * z)
            e_high, n_high, _ = site_to_map(radius, ox + nearer * x, oy + nearer * y, oz + nearer * z)
            view = to_local(radius, e, n, -x, -y, -z)
            sun = to_local(radius, e, n, sun_site[0], sun_site[1], sun_site[2])
            phase, share = phase_terms(view[0] * sun[0] + view[1] * sun[1] + view[2] * sun[2])
            pixel = reach / lens[FOCAL] / sqrt(max(view[2], 1e-3))
            knot = lattice[i, j]
            knot[E], knot[N] = e, n
            knot[E_H], knot[N_H] = (e_high - e) / lift, (n_high - n) / lift
            knot[VIEW_E], knot[VIEW_N], knot[VIEW_UP] = view
            knot[SUN_E], knot[SUN_N], knot[SUN_UP] = sun
            knot[DETAIL] = min(max(log2(_SPACING_PER_PIXEL * pixel / spacings[0]), 0.0), spacings.size - 1.0)
            knot[PHASE], knot[SHARE] = phase, share
    return lattice


@jit
def _to_sphere(radius: float, level: float, ox: float, oy: float, oz: float, x: float, y: float, z: float) -> float:
    """Distance, m, along a unit ray to the sphere at a level, m, from outside of it; NaN where it misses."""
    oz = oz + radius
    along = ox * x + oy * y + oz * z
    lift = radius + level
    square = along * along - (ox * ox + oy * oy + oz * oz - lift * lift)
    return -along - sqrt(square) if square > 0.0 else np.nan


def tiles_of(lattice: Array, spacings: Array) -> list[Key]:
    """The tiles that an image with these knots looks at."""
    return sorted(set(_tiles_of(lattice, spacings)))


@jit
def _tiles_of(lattice: Array, spacings: Array) -> list[Key]:
    """The same, some of them more than once: for each knot of its level and of the one that is blended into it."""
    keys = [(0, 0, 0) for _ in range(0)]
    last = np.full((2, 2, 2, 3), -1)
    for i in range(lattice.shape[0]):
        for j in range(lattice.shape[1]):
            if lattice[i, j, DETAIL] == MISSED:
                continue
            for step in range(2):
                level = min(int(lattice[i, j, DETAIL]) + step, spacings.size - 1)
                side = TILE * spacings[level]
                for north in range(2):
                    for east in range(2):
                        row = floor(lattice[i, j, N] / side + (2 * north - 1) * _MARGIN)
                        column = floor(lattice[i, j, E] / side + (2 * east - 1) * _MARGIN)
                        before = last[step, north, east]
                        if before[0] != level or before[1] != row or before[2] != column:
                            before[0], before[1], before[2] = level, row, column
                            keys.append((level, row, column))
    return keys


@jit
def render(lattice: Array, tiles: TileData, level_m: float, image: Image) -> None:
    """Fill an image with brightness (I/F: relative to a white Lambertian surface under an overhead Sun); the sky is black."""
    line = np.empty(lattice.shape[1:])
    first = level_m
    for row in range(image.shape[0]):
        i, share = row // KNOT, (row % KNOT) / KNOT
        seen = _between_rows(lattice, i, share, line)
        height = first
        for j in range(image.shape[1] // KNOT):
            if seen[j]:
                height = _cell(line, j, tiles, level_m, height, image[row])
            else:
                image[row, KNOT * j : KNOT * (j + 1)] = 0.0
            if j == 0:
                first = height


@inlined
def _between_rows(lattice: Array, i: int, share: float, line: Array) -> NDArray[np.bool_]:
    """Interpolate the lattice between two of its rows; return between which of its columns all rays meet the Moon."""
    columns = lattice.shape[1]
    seen = np.empty(columns, np.bool_)
    for j in range(columns):
        for channel in range(CHANNELS):
            low, high = lattice[i, j, channel], lattice[i + 1, j, channel]
            line[j, channel] = low + share * (high - low)
        seen[j] = lattice[i, j, DETAIL] != MISSED and lattice[i + 1, j, DETAIL] != MISSED
    for j in range(columns - 1):
        seen[j] = seen[j] and seen[j + 1]
    return seen


@inlined
def _between(line: Array, j: int, share: float) -> Ray:
    """The ray of a pixel between two knots."""
    return (
        line[j, E] + share * (line[j + 1, E] - line[j, E]),
        line[j, N] + share * (line[j + 1, N] - line[j, N]),
        line[j, E_H] + share * (line[j + 1, E_H] - line[j, E_H]),
        line[j, N_H] + share * (line[j + 1, N_H] - line[j, N_H]),
        line[j, VIEW_E] + share * (line[j + 1, VIEW_E] - line[j, VIEW_E]),
        line[j, VIEW_N] + share * (line[j + 1, VIEW_N] - line[j, VIEW_N]),
        line[j, VIEW_UP] + share * (line[j + 1, VIEW_UP] - line[j, VIEW_UP]),
        line[j, SUN_E] + share * (line[j + 1, SUN_E] - line[j, SUN_E]),
        line[j, SUN_N] + share * (line[j + 1, SUN_N] - line[j, SUN_N]),
        line[j, SUN_UP] + share * (line[j + 1, SUN_UP] - line[j, SUN_UP]),
        line[j, DETAIL] + share * (line[j + 1, DETAIL] - line[j, DETAIL]),
        line[j, PHASE] + share * (line[j + 1, PHASE] - line[j, PHASE]),
        line[j, SHARE] + share * (line[j + 1, SHARE] - line[j, SHARE]),
    )


@inlined
def _cell(line: Array, j: int, tiles: TileData, level_m: float, height: float, pixels: Image) -> float:
    """Fill the pixels of a row between two knots; return the height, m, of the ground at the last of them.

    A tile is looked up here, and only where the last one will not do: to hand `tiles` on for every pixel would cost as much as all
    the rest.
    """
    pool, place = tiles.pool, NOWHERE
    for k in range(KNOT):
        ray = _between(line, j, k / KNOT)
        level = int(ray[DETAIL])
        for _ in range(_STEPS):
            e, n = ray[E] + (height - level_m) * ray[E_H], ray[N] + (height - level_m) * ray[N_H]
            if not _holds(place, level, e, n):
                place = _find(tiles, level, e, n)
            change, near = _towards_ground(ray, pool, place, e, n, height)
            height += change
            if near:
                break
        e, n = ray[E] + (height - level_m) * ray[E_H], ray[N] + (height - level_m) * ray[N_H]
        if not _holds(place, level, e, n):
            place = _find(tiles, level, e, n)
        brightness = _shade(ray, pool, place, e, n)
        share = (ray[DETAIL] - level - _BLEND) / (1.0 - _BLEND)
        if share > 0.0:
            brightness += share * (_shade(ray, pool, _find(tiles, level + 1, e, n), e, n) - brightness)
        pixels[KNOT * j + k] = brightness
    return height


@inlined
def _towards_ground(ray: Ray, pool: Pool, place: Place, e: float, n: float, height: float) -> tuple[float, bool]:
    """Change of height, m, by a step of Newton's method for where a ray meets the ground, and whether that is near enough."""
    _, slot, scale, west, south = place
    if slot == NO_TILE:
        return 0.0, True
    ground, along, across = tile_height(pool, slot, (e - west) * scale, (n - south) * scale)
    rate = min((along * ray[E_H] + across * ray[N_H]) * scale - 1.0, _STEEPEST)
    change = (height - ground) / rate
    return change, abs(change) * (abs(ray[E_H]) + abs(ray[N_H])) * scale < _CLOSE


@inlined
def _find(tiles: TileData, level: int, e: float, n: float) -> Place:
    """The tile for a level at map coordinates, m."""
    slot, spacing, west, south = find_tile(tiles, level, e, n)
    return level, slot, 1.0 / spacing, west, south


@inlined
def _holds(place: Place, level: int, e: float, n: float) -> bool:
    """Whether a tile, such as that of the last pixel, will do for a level at map coordinates, m."""
    return level == place[0] and _within((e - place[3]) * place[2]) and _within((n - place[4]) * place[2])


@inlined
def _within(x: float) -> bool:
    """Whether a place in samples is in a tile or its apron, with what it takes to interpolate."""
    return 1.0 <= x < SIZE - 2.0


@inlined
def _shade(ray: Ray, pool: Pool, place: Place, e: float, n: float) -> float:
    """Brightness as the tile of a place shows it at map coordinates, m."""
    _, slot, scale, west, south = place
    if slot == NO_TILE:
        return 0.0
    x, y = (e - west) * scale, (n - south) * scale
    along, across = tile_slopes(pool, slot, x, y)
    slope_e, slope_n = along * scale, across * scale
    cosine = 1.0 / sqrt(1.0 + slope_e * slope_e + slope_n * slope_n)
    incidence = (ray[SUN_UP] - slope_e * ray[SUN_E] - slope_n * ray[SUN_N]) * cosine
    emission = (ray[VIEW_UP] - slope_e * ray[VIEW_E] - slope_n * ray[VIEW_N]) * cosine
    return tile_light(pool, slot, x, y) * ray[PHASE] * lunar_lambert(incidence, emission, ray[SHARE])
