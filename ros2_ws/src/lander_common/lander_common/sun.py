"""Where the Sun stands, seen from the Moon.

Low-precision theories of Sun and Moon, and the Moon's mean rotation by Cassini's laws (Meeus 1998, Astronomical Algorithms,
chapters 25, 47 and 53): good to 0.05 deg, of which most is the physical libration, which is left out.
"""

from __future__ import annotations

from datetime import datetime, timezone
from math import asin, atan2, cos, degrees, pi, radians, sin

import numpy as np

from lander_common.frames import Array, SiteFrame
from lander_common.mission import Mission

_J2000 = datetime(2000, 1, 1, 12, tzinfo=timezone.utc)
_TT_MINUS_UTC_S = 69.184  # s, since 2017 (IERS Bulletin C)
_CENTURY_S = 36525.0 * 86400.0
_AU_KM = 149_597_870.7
_INCLINATION = radians(1.54242)  # of the Moon's equator to the ecliptic (Meeus, chapter 53)
SUN_RADIUS_RAD = radians(0.2666)  # half the Sun's apparent width at one astronomical unit

_LONGITUDE_TERMS = (  # of the Moon, deg: amplitude; multiples of D, M, M', F (Meeus, table 47.A, above 0.05 deg)
    (6.288774, (0, 0, 1, 0)),
    (1.274027, (2, 0, -1, 0)),
    (0.658314, (2, 0, 0, 0)),
    (0.213618, (0, 0, 2, 0)),
    (-0.185116, (0, 1, 0, 0)),
    (-0.114332, (0, 0, 0, 2)),
    (0.058793, (2, 0, -2, 0)),
    (0.057066, (2, -1, -1, 0)),
    (0.053322, (2, 0, 1, 0)),
)
_LATITUDE_TERMS = (  # deg (Meeus, table 47.B)
    (5.128122, (0, 0, 0, 1)),
    (0.280602, (0, 0, 1, 1)),
    (0.277693, (0, 0, 1, -1)),
    (0.173237, (2, 0, 0, -1)),
    (0.055413, (2, 0, -1, 1)),
)


def subsolar_point_deg(utc: datetime) -> tuple[float, float]:
    """Latitude and longitude (east), deg, of where the Sun is overhead. `utc` is taken as UTC."""
    T = ((utc.replace(tzinfo=timezone.utc) - _J2000).total_seconds() + _TT_MINUS_UTC_S) / _CENTURY_S
    sun, sun_km = _sun(T)
    longitude, latitude, moon_km, node, argument = _moon(T)
    ratio = moon_km / sun_km
    # The Sun's ecliptic place seen from the Moon, turned by 180 deg (Meeus, chapter 53).
    seen_longitude = sun + pi + ratio * cos(latitude) * sin(sun - longitude)
    seen_latitude = ratio * latitude
    W = seen_longitude - node
    c, s = cos(_INCLINATION), sin(_INCLINATION)
    A = atan2(sin(W) * cos(seen_latitude) * c - sin(seen_latitude) * s, cos(W) * cos(seen_latitude))
    b = asin(-sin(W) * cos(seen_latitude) * s - sin(seen_latitude) * c)
    return degrees(b), (degrees(A - argument) + 180.0) % 360.0 - 180.0


def sun_direction_site(frame: SiteFrame, utc: datetime) -> Array:
    """Unit vector towards the Sun in site, shape (3,)."""
    latitude, longitude = (radians(angle) for angle in subsolar_point_deg(utc))
    sun_mcmf = np.array([cos(latitude) * cos(longitude), cos(latitude) * sin(longitude), sin(latitude)])
    return np.asarray(frame.R_mcmf_site.T @ sun_mcmf)


def mission_sun_site(mission: Mission) -> Array:
    """Unit vector towards the Sun in site at the planned touchdown, shape (3,).

    It turns by 0.5 deg an hour there, so by 0.1 deg in a powered descent.
    """
    return sun_direction_site(mission.site_frame, datetime.fromisoformat(mission.site.touchdown_utc))


def direction_from_angles(elevation_deg: float, azimuth_deg: float) -> Array:
    """Unit vector (east, north, up), shape (3,), of an elevation and an azimuth from north to east."""
    elevation, azimuth = radians(elevation_deg), radians(azimuth_deg)
    return np.array([cos(elevation) * sin(azimuth), cos(elevation) * cos(azimuth), sin(elevation)])


def _sun(T: float) -> tuple[float, float]:
    """Apparent longitude of the Sun from the Earth, rad, and its distance, km (Meeus, chapter 25)."""
    M = radians(357.52911 + T * (35999.05029 - 0.0001537 * T))
    e = 0.016708634 - T * (0.000042037 + 0.0000001267 * T)
    C = (1.914602 - T * (0.004817 + 0.000014 * T)) * sin(M) + (0.019993 - 0.000101 * T) * sin(2.0 * M)
    C += 0.000289 * sin(3.0 * M)
    longitude = radians(280.46646 + T * (36000.76983 + 0.0003032 * T) + C - 0.00569)
    distance = _AU_KM * 1.000001018 * (1.0 - e * e) / (1.0 + e * cos(M + radians(C)))
    return longitude, distance


def _moon(T: float) -> tuple[float, float, float, float, float]:
    """Ecliptic longitude and latitude, rad, distance, km, ascending node and argument of latitude, rad (chapter 47)."""
    mean = 218.3164477 + 481267.88123421 * T
    D = 297.8501921 + 445267.1114034 * T
    M = 357.5291092 + 35999.0502909 * T
    M_moon = 134.9633964 + 477198.8675055 * T
    F = 93.2720950 + 483202.0175233 * T
    node = 125.0445479 - 1934.1362891 * T
    arguments = np.radians([D, M, M_moon, F])
    longitude = radians(mean + sum(size * sin(arguments @ terms) for size, terms in _LONGITUDE_TERMS))
    latitude = radians(sum(size * sin(arguments @ terms) for size, terms in _LATITUDE_TERMS))
    distance = 385000.56 - 20905.355 * cos(arguments[2]) - 3699.111 * cos(2.0 * arguments[0] - arguments[2])
    return longitude, latitude, distance, radians(node), radians(F)
