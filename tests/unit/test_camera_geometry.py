"""The camera as a geometric device."""

from __future__ import annotations

import cv2
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lander_common.camera_geometry import CameraGeometry, Head, Lens, camera_geometry
from lander_common.mission import Mission, resolve

cv2.setNumThreads(1)

_LENS = Lens(width_px=512, height_px=512, focal_px=443.4, centre_px=(256.7, 254.9), k1=-0.12, k2=0.015)


@pytest.fixture(scope="module")
def mission() -> Mission:
    """The nominal mission with the camera."""
    return resolve("nominal", 1, {"camera": "descent"})


@pytest.fixture(scope="module")
def geometry(mission: Mission) -> CameraGeometry:
    """Of the descent camera."""
    return camera_geometry(mission)


def test_projection_is_that_of_opencv(geometry: CameraGeometry) -> None:
    lens = geometry.lens
    points = np.random.default_rng(1).uniform((-4.0, -4.0, 8.0), (4.0, 4.0, 12.0), (500, 3))
    expected, _ = cv2.projectPoints(
        points, np.zeros(3), np.zeros(3), lens.matrix, np.array([lens.k1, lens.k2, 0.0, 0.0])
    )
    np.testing.assert_allclose(lens.pixels(points), expected[:, 0], atol=1e-9)


def test_directions_are_those_that_opencv_undistorts(geometry: CameraGeometry) -> None:
    lens = geometry.lens
    pixels = np.random.default_rng(2).uniform(0.0, 511.0, (500, 2))
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    expected = cv2.undistortPoints(pixels, lens.matrix, np.array([lens.k1, lens.k2, 0.0, 0.0]), criteria=criteria)[:, 0]
    found = lens.directions(pixels)
    np.testing.assert_allclose(found[:, :2] / found[:, 2:], expected, atol=1e-7)
    np.testing.assert_allclose(np.linalg.norm(found, axis=1), 1.0, atol=1e-12)


@given(st.floats(0.0, 511.0), st.floats(0.0, 511.0))
def test_what_is_seen_at_a_pixel_is_projected_onto_it(u: float, v: float) -> None:
    np.testing.assert_allclose(_LENS.pixels(_LENS.directions([[u, v]])), [[u, v]], atol=1e-3)


def test_heads_look_where_the_drawings_say_with_the_image_upright(geometry: CameraGeometry) -> None:
    for head in geometry.heads:
        R = head.R_body_optical
        np.testing.assert_allclose(R.T @ R, np.eye(3), atol=1e-12)
        assert np.linalg.det(R) == pytest.approx(1.0)
        np.testing.assert_allclose(R @ (0.0, 0.0, 1.0), head.boresight, atol=1e-12)
        np.testing.assert_allclose(R @ (0.0, -1.0, 0.0), head.image_up, atol=1e-12)
    assert np.allclose(geometry.heads[1].R_body_optical @ (1.0, 0.0, 0.0), (0.0, -1.0, 0.0))  # right of flight is -y


def test_a_head_with_crooked_axes_is_refused() -> None:
    with pytest.raises(ValidationError, match="perpendicular"):
        Head(name="x", position_m=(0.0, 0.0, 0.0), boresight=(0.0, 0.0, -1.0), image_up=(0.6, 0.0, 0.8))
