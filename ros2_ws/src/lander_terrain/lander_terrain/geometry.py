"""Map coordinates: azimuthal equidistant about the target, on the sphere through it.

A point is (e, n, h): h above the sphere through the target, and its distance and direction from the target along that
sphere, resolved into e and n. Distances from the target and directions at it are true; at 600 km, lengths across the
line of sight read 2 % long.
Site cartesian coordinates: x east, y north, z up at the target; the Moon's centre is at (0, 0, -radius).
"""

from __future__ import annotations

from math import atan2, cos, sin, sqrt

from lander_terrain.jit import jit

_NO_ARC_M = 1e-6  # m: too short for a direction
_SMALL_ANGLE = 1e-2  # rad: below this the series are exact to rounding


@jit
def site_to_map(radius: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """Map coordinates (e, n, h), m, of a point in site coordinates, m."""
    flat = x * x + y * y
    level = z + radius
    distance = sqrt(flat + level * level)
    height = (flat + z * (z + 2.0 * radius)) / (distance + radius)  # distance - radius, without its cancellation
    across = sqrt(flat)
    if across < 1e-3 * level:
        t = across / level
        t2 = t * t
        scale = radius / level * (1.0 - t2 * (1.0 / 3.0 - t2 * (0.2 - t2 / 7.0)))
    else:
        scale = radius * atan2(across, level) / max(across, _NO_ARC_M)  # the antipode has every direction
    return x * scale, y * scale, height


@jit
def map_to_site(radius: float, e: float, n: float, h: float) -> tuple[float, float, float]:
    """Site coordinates, m, of a point in map coordinates, m."""
    arc = sqrt(e * e + n * n)
    angle = arc / radius
    half = sin(0.5 * angle)
    lift = radius + h
    scale = lift * sinc(angle) / radius
    return e * scale, n * scale, h - 2.0 * lift * half * half


@jit
def sinc(angle: float) -> float:
    """sin(angle)/angle."""
    if abs(angle) < _SMALL_ANGLE:
        square = angle * angle
        return 1.0 - square * (1.0 / 6.0 - square * (1.0 / 120.0 - square / 5040.0))
    return sin(angle) / angle


@jit
def true_slopes(radius: float, e: float, n: float, h: float, h_e: float, h_n: float) -> tuple[float, float]:
    """Height per true horizontal distance towards +e and +n, from the derivatives of height by map coordinates."""
    lift = radius / (radius + h)
    arc2 = e * e + n * n
    if arc2 < 1.0:
        return h_e * lift, h_n * lift
    stretch = 1.0 / sinc(sqrt(arc2) / radius) - 1.0  # of map lengths across the line of sight
    across = (e * h_n - n * h_e) / arc2 * stretch
    return (h_e - n * across) * lift, (h_n + e * across) * lift


@jit
def normal_from_slopes(slope_e: float, slope_n: float) -> tuple[float, float, float]:
    """Unit normal (east, north, up) of a surface with the given slopes."""
    up = 1.0 / sqrt(1.0 + slope_e * slope_e + slope_n * slope_n)
    return -slope_e * up, -slope_n * up, up


@jit
def local_to_site(radius: float, e: float, n: float, x: float, y: float, z: float) -> tuple[float, float, float]:
    """A vector in the local frame of the map point (e, n) in site coordinates.

    The local frame is the site frame carried along the great circle from the target (no turn about the vertical):
    up is radial, and its first two axes are those of the map.
    """
    arc = sqrt(e * e + n * n)
    if arc < _NO_ARC_M:
        return x, y, z
    c, s = cos(arc / radius), sin(arc / radius)
    de, dn = e / arc, n / arc
    radial, across = x * de + y * dn, y * de - x * dn
    outward = c * radial + s * z
    return outward * de - across * dn, outward * dn + across * de, c * z - s * radial
