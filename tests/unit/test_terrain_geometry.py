"""Map coordinates against spherical trigonometry and Snyder's worked example."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lander_common.frames import SiteFrame
from lander_common.moon import REFERENCE_RADIUS_M
from lander_terrain.dem import map_to_degrees
from lander_terrain.geometry import local_to_site, map_to_site, site_to_map, true_slopes

Array = NDArray[np.float64]
RADIUS = 1_734_800.0
FAR = st.floats(-1.2e6, 1.2e6)
HEIGHT = st.floats(-3e3, 1e5)


@given(FAR, FAR, HEIGHT)
def test_map_and_site_coordinates_are_inverse(e: float, n: float, h: float) -> None:
    back = site_to_map(RADIUS, *map_to_site(RADIUS, e, n, h))
    np.testing.assert_allclose(back, (e, n, h), atol=1e-7)


@given(FAR, FAR, HEIGHT)
def test_a_map_point_has_its_height_above_the_sphere_and_its_arc_from_the_target(e: float, n: float, h: float) -> None:
    x, y, z = map_to_site(RADIUS, e, n, h)
    from_centre = np.array([x, y, z + RADIUS])
    distance = np.linalg.norm(from_centre)
    assert distance - RADIUS == pytest.approx(h, abs=1e-8)
    arc = RADIUS * np.arctan2(np.hypot(x, y), z + RADIUS)
    assert arc == pytest.approx(np.hypot(e, n), abs=1e-6)


@pytest.mark.parametrize("across", [0.5, 900.0, 1700.0, 1760.0])
def test_heights_near_the_target_keep_their_digits(across: float) -> None:
    drop = across**2 / (
        np.sqrt(RADIUS**2 - across**2) + RADIUS
    )  # of the sphere below its tangent plane, without cancellation
    e, n, h = site_to_map(RADIUS, across, 0.0, -drop)
    assert h == pytest.approx(0.0, abs=1e-9)
    assert e == pytest.approx(RADIUS * np.arcsin(across / RADIUS), rel=1e-13)
    assert n == 0.0


def test_the_antipode_and_the_centre_of_the_moon_have_finite_coordinates() -> None:
    assert np.isfinite(site_to_map(RADIUS, 0.0, 0.0, -2.0 * RADIUS)).all()
    assert np.isfinite(site_to_map(RADIUS, 0.0, 0.0, -RADIUS)).all()


def test_snyders_worked_example_of_the_azimuthal_equidistant_projection_holds() -> None:
    # Snyder 1987, USGS Professional Paper 1395, p. 337: R = 3, centre 40 N 100 W; the point 20 S 100 E is at (x, y).
    x, y = -5.8311398, 5.5444634
    latitude, longitude = map_to_degrees(
        SiteFrame(40.0, -100.0, 0.0),
        np.array([x / 3.0 * REFERENCE_RADIUS_M]),
        np.array([y / 3.0 * REFERENCE_RADIUS_M]),
    )
    assert latitude[0] == pytest.approx(-20.0, abs=1e-5)
    assert longitude[0] % 360.0 == pytest.approx(100.0, abs=1e-5)


@given(FAR, FAR)
def test_degrees_agree_with_the_site_frames_rotation(e: float, n: float) -> None:
    site = SiteFrame(60.5, -4.6, -2600.0)
    latitude, longitude = (np.radians(x[0]) for x in map_to_degrees(site, np.array([e]), np.array([n])))
    r_point_mcmf = site.r_site_mcmf + site.R_mcmf_site @ np.array(map_to_site(site.radius_m, e, n, 0.0))
    expected = np.array([np.cos(latitude) * np.cos(longitude), np.cos(latitude) * np.sin(longitude), np.sin(latitude)])
    np.testing.assert_allclose(r_point_mcmf / site.radius_m, expected, atol=1e-12)


@given(FAR, FAR)
def test_the_local_frame_is_orthonormal_and_its_up_is_radial(e: float, n: float) -> None:
    axes = np.array([local_to_site(RADIUS, e, n, *axis) for axis in np.eye(3)])
    np.testing.assert_allclose(axes @ axes.T, np.eye(3), atol=1e-12)
    x, y, z = map_to_site(RADIUS, e, n, 0.0)
    np.testing.assert_allclose(axes[2], np.array([x, y, z + RADIUS]) / RADIUS, atol=1e-12)


@given(st.floats(-6e5, 6e5), st.floats(-6e5, 6e5), st.floats(-3e3, 3e3), st.floats(-0.5, 0.5), st.floats(-0.5, 0.5))
def test_true_slopes_are_those_of_the_surface_in_space(e: float, n: float, h: float, h_e: float, h_n: float) -> None:
    step = 0.5

    def point(de: float, dn: float) -> Array:
        return np.array(map_to_site(RADIUS, e + de, n + dn, h + h_e * de + h_n * dn))

    normal = np.cross(point(step, 0.0) - point(-step, 0.0), point(0.0, step) - point(0.0, -step))
    slope_e, slope_n = true_slopes(RADIUS, e, n, h, h_e, h_n)
    expected = np.array(local_to_site(RADIUS, e, n, -slope_e, -slope_n, 1.0))
    np.testing.assert_allclose(normal / np.linalg.norm(normal), expected / np.linalg.norm(expected), atol=1e-7)
