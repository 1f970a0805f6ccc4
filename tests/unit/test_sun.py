"""The Sun's place, against the IAU's rotation of the Moon with the positions of Sun and Moon that astropy computes."""

from __future__ import annotations

from datetime import datetime, timedelta

import numpy as np
import pytest
from astropy.coordinates import get_body_barycentric, solar_system_ephemeris
from astropy.time import Time

from lander_common.frames import SiteFrame
from lander_common.mission import resolve
from lander_common.sun import direction_from_angles, mission_sun_site, subsolar_point_deg, sun_direction_site

DATES = [datetime(2025, 6, 5, 19, 17) + timedelta(days=d) for d in (0, 1, 3, 7.3, 11.1, 100, 205.5, 500, 2000)]


def iau_rotation(days: float) -> np.ndarray:
    """Rotation from ICRF to Moon-fixed axes (Archinal et al. 2011, the Moon's mean Earth and polar axes)."""
    rates = (
        (125.045, -0.0529921),
        (250.089, -0.1059842),
        (260.008, 13.0120009),
        (176.625, 13.3407154),
        (357.529, 0.9856003),
        (311.589, 26.4057084),
        (134.963, 13.0649930),
        (276.617, 0.3287146),
        (34.226, 1.7484877),
        (15.134, -0.1589763),
        (119.743, 0.0036096),
        (239.961, 0.1643573),
        (25.053, 12.9590088),
    )
    angles = np.radians([start + rate * days for start, rate in rates])
    s, c, T = np.sin(angles), np.cos(angles), days / 36525.0
    ra = 269.9949 + 0.0031 * T + s @ (-3.8787, -0.1204, 0.07, -0.0172, 0, 0.0072, 0, 0, 0, -0.0052, 0, 0, 0.0043)
    dec = 66.5392 + 0.013 * T + c @ (1.5419, 0.0239, -0.0278, 0.0068, 0, -0.0029, 9e-4, 0, 0, 8e-4, 0, 0, -9e-4)
    turn = 38.3213 + 13.17635815 * days - 1.4e-12 * days * days
    turn += s[:7] @ (3.561, 0.1208, -0.0642, 0.0158, 0.0252, -0.0066, -0.0047)
    turn += s[7:] @ (-0.0046, 0.0028, 0.0052, 0.004, 0.0019, -0.0044)
    return about_z(turn) @ about_x(90.0 - dec) @ about_z(ra + 90.0)


def about_z(angle_deg: float) -> np.ndarray:
    """Turn of the axes about z."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[c, s, 0.0], [-s, c, 0.0], [0.0, 0.0, 1.0]])


def about_x(angle_deg: float) -> np.ndarray:
    """Turn of the axes about x."""
    c, s = np.cos(np.radians(angle_deg)), np.sin(np.radians(angle_deg))
    return np.array([[1.0, 0.0, 0.0], [0.0, c, s], [0.0, -s, c]])


@pytest.mark.parametrize("utc", DATES)
def test_the_sun_stands_where_astropy_and_the_iau_put_it(utc: datetime) -> None:
    time = Time(utc + timedelta(seconds=69.184), scale="tdb")
    with solar_system_ephemeris.set("builtin"):
        sun, moon = (get_body_barycentric(body, time).get_xyz().value for body in ("sun", "moon"))
    expected = iau_rotation(float(time.tdb.jd - 2451545.0)) @ (sun - moon)
    latitude, longitude = np.radians(subsolar_point_deg(utc))
    found = (np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude))
    angle = np.degrees(np.arccos(found @ expected / np.linalg.norm(expected)))
    assert angle < 0.06  # physical libration and the terms left out


def test_at_the_planned_touchdown_it_is_where_the_mission_s_figures_have_it() -> None:
    np.testing.assert_allclose(mission_sun_site(resolve("nominal", 1)), direction_from_angles(11.8, 108.0), atol=0.008)


def test_where_it_is_overhead_it_is_overhead() -> None:
    utc = DATES[3]
    latitude, longitude = subsolar_point_deg(utc)
    up = sun_direction_site(SiteFrame(latitude, longitude, 0.0), utc)
    np.testing.assert_allclose(up, (0.0, 0.0, 1.0), atol=1e-12)


def test_it_goes_round_the_moon_once_in_a_synodic_month() -> None:
    before, after = (subsolar_point_deg(DATES[0] + timedelta(days=d))[1] for d in (0.0, 29.530589 * 12))
    assert after == pytest.approx(before, abs=7.0)  # the month's length varies by 6 h
