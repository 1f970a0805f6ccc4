"""Frames against spherical trigonometry, finite differences and transforms3d."""

from __future__ import annotations

from math import cos, pi, radians, sin

import numpy as np
import transforms3d
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lander_common.frames import OMEGA_MCI, R_mci_mcmf, SiteFrame, q_mci_mcmf
from lander_common.moon import REFERENCE_RADIUS_M, ROTATION_RATE_RAD_S
from lander_common.quaternion import Quaternion

SITE = SiteFrame(60.5, -4.6, -2600.0)
latitudes, longitudes = st.floats(-89.0, 89.0), st.floats(-180.0, 180.0)
times = st.floats(0.0, 6000.0)


def matrix(q: Quaternion) -> np.ndarray:
    return transforms3d.quaternions.quat2mat((q[3], q[0], q[1], q[2]))


def place(latitude_deg: float, longitude_deg: float, radius_m: float) -> np.ndarray:
    lat, lon = radians(latitude_deg), radians(longitude_deg)
    return radius_m * np.array([cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat)])


def test_the_inertial_and_the_moon_fixed_frame_agree_at_stamp_zero() -> None:
    assert_allclose(R_mci_mcmf(0.0), np.eye(3))


def test_the_moon_turns_once_in_a_sidereal_month() -> None:
    month_s = 27.321661 * 86400.0  # Astronomical Almanac
    assert_allclose(R_mci_mcmf(month_s), np.eye(3), atol=1e-4)
    assert_allclose(2.0 * pi / ROTATION_RATE_RAD_S, month_s, rtol=1e-5)


def test_the_moon_turns_eastwards() -> None:
    east_of_x = R_mci_mcmf(1000.0) @ np.array([1.0, 0.0, 0.0])
    assert_allclose(east_of_x, transforms3d.axangles.axangle2mat([0.0, 0.0, 1.0], 1000.0 * ROTATION_RATE_RAD_S)[:, 0])


@given(latitudes, longitudes)
def test_site_axes_are_the_directions_of_growing_longitude_latitude_and_radius(lat: float, lon: float) -> None:
    frame, step = SiteFrame(lat, lon, 0.0), 1e-4
    east = place(lat, lon + step, 1.0) - place(lat, lon - step, 1.0)
    north = place(lat + step, lon, 1.0) - place(lat - step, lon, 1.0)
    axes = [east / np.linalg.norm(east), north / np.linalg.norm(north), place(lat, lon, 1.0)]
    assert_allclose(frame.R_mcmf_site, np.array(axes).T, atol=1e-8)
    assert_allclose(frame.R_mcmf_site @ frame.R_mcmf_site.T, np.eye(3), atol=1e-15)


def test_the_site_is_at_its_coordinates_and_elevation() -> None:
    assert_allclose(SITE.r_site_mcmf, place(60.5, -4.6, REFERENCE_RADIUS_M - 2600.0), rtol=1e-15)


@given(latitudes, longitudes, times)
def test_quaternions_and_matrices_of_the_frames_agree(lat: float, lon: float, time_s: float) -> None:
    frame = SiteFrame(lat, lon, 0.0)
    assert_allclose(matrix(q_mci_mcmf(time_s)), R_mci_mcmf(time_s), atol=1e-15)
    assert_allclose(matrix(frame.q_mcmf_site), frame.R_mcmf_site, atol=1e-14)
    assert_allclose(matrix(frame.q_mci_site(time_s)), frame.R_mci_site(time_s), atol=1e-14)


@given(st.tuples(*[st.floats(-7e5, 7e5)] * 3), st.tuples(*[st.floats(-2e3, 2e3)] * 3), times)
def test_a_state_comes_back_from_the_site(r: tuple[float, ...], v: tuple[float, ...], time_s: float) -> None:
    r_mci, v_mci = SITE.to_mci(np.array(r), np.array(v), time_s)
    r_site, v_site = SITE.to_site(r_mci, v_mci, time_s)
    assert_allclose(r_site, r, atol=1e-8)
    assert_allclose(v_site, v, atol=1e-11)


@given(st.tuples(*[st.floats(-7e5, 7e5)] * 3), times)
def test_a_point_fixed_to_the_ground_moves_with_the_moon(r: tuple[float, ...], time_s: float) -> None:
    r_mci, v_mci = SITE.to_mci(np.array(r), np.zeros(3), time_s)
    assert_allclose(v_mci, np.cross(OMEGA_MCI, r_mci), atol=1e-12)
    later, _ = SITE.to_mci(np.array(r), np.zeros(3), time_s + 10.0)
    before, _ = SITE.to_mci(np.array(r), np.zeros(3), time_s - 10.0)
    assert_allclose((later - before) / 20.0, v_mci, atol=1e-8)


def test_site_velocity_is_the_rate_of_site_position() -> None:
    r_mci, v_mci = np.array([1.2e6, 3e5, 1.3e6]), np.array([-300.0, 1200.0, 900.0])
    after, _ = SITE.to_site(r_mci + 0.5 * v_mci, v_mci, 100.5)
    before, _ = SITE.to_site(r_mci - 0.5 * v_mci, v_mci, 99.5)
    _, v_site = SITE.to_site(r_mci, v_mci, 100.0)
    assert_allclose(after - before, v_site, atol=1e-6)
