"""A fix of terrain-relative navigation against the state: where the camera is over the map, and how it is turned.

The fix is a pose with a full covariance, position and attitude together: what an image tells of the two hangs together,
so that neither is assumed. It is relative to the image map, whose errors are states: the registration of a zone is
common to all fixes in it, and what the map is shifted by beyond that where the camera looks decays with the ground that
the view moves over. A camera that is not mounted as stated turns every fix alike.
"""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from lander_common.frames import SiteFrame
from lander_flight import error_state as es
from lander_flight import strapdown as sd
from lander_flight.geometry import local_axes, site_axes

Array = NDArray[np.float64]


@dataclass(frozen=True)
class Pose:
    """A measured pose: optical centre, m, in site of the map; R_site_body; covariance of position (m) and attitude (rad), (6, 6)."""

    r_camera_site: Array
    R_site_body: Array
    covariance: Array


@dataclass(frozen=True)
class Measured:
    """Measurement rows, shape (6, 37), and innovations, shape (6,): position, m, and attitude, rad, both along the axes of site."""

    rows: Array
    innovation: Array


def measure(past: Array, pose: Pose, lever_body: Array, site: SiteFrame, time_s: float) -> Measured:
    """A fix against the state at its own time. `lever_body`: from the centre of mass to the camera, m."""
    axes = site_axes(site.R_mcmf_site, time_s)
    R_site_mci, R_mci_body = np.array(axes), np.array(es.body_axes(past)).T
    lever = R_mci_body @ lever_body
    r_camera = past[:3] + lever
    east, north, up, _ = local_axes(axes, (r_camera[0], r_camera[1], r_camera[2]))
    R_site_map = R_site_mci @ np.array([east, north, up]).T
    error_map = past[sd.SCENE : sd.ZONE] + [*past[sd.ZONE : sd.CAMERA], 0.0]
    r_site = R_site_mci @ r_camera - [0.0, 0.0, site.radius_m] - R_site_map @ error_map
    turned = R_mci_body @ turn(past[sd.CAMERA : sd.NAV_SIZE])
    rows = np.zeros((6, es.SIZE))
    rows[:3, es.POSITION : es.VELOCITY] = R_site_mci
    rows[:3, es.ATTITUDE : es.GYRO] = -R_site_mci @ cross_matrix(lever)
    rows[:3, es.SCENE : es.ZONE] = -R_site_map
    rows[:3, es.ZONE : es.CAMERA] = -R_site_map[:, :2]
    rows[3:, es.ATTITUDE : es.GYRO] = R_site_mci
    rows[3:, es.CAMERA : es.SIZE] = R_site_mci @ R_mci_body
    attitude = R_site_mci @ small_rotation(R_site_mci.T @ pose.R_site_body, turned)
    return Measured(rows, np.concatenate([pose.r_camera_site - r_site, attitude]))


def measure_place(
    past: Array, lever_body: Array, site: SiteFrame, time_s: float, moved_site: Array
) -> tuple[Array, Array]:
    """Place of the camera in site, m, by the state at a time, and its rows, shape (3, 37): half of a displacement.

    `moved_site`: the displacement, m, that was measured up to then. The camera sees it along its own axes: errors of the
    attitude and of the mount turn it, by as much in every image, and so tell themselves apart from noise. Zeros for the
    other half.
    """
    R_site_mci, R_mci_body = np.array(site_axes(site.R_mcmf_site, time_s)), np.array(es.body_axes(past)).T
    lever, turned = R_mci_body @ lever_body, cross_matrix(moved_site) @ R_site_mci
    rows = np.zeros((3, es.SIZE))
    rows[:, es.POSITION : es.VELOCITY] = R_site_mci
    rows[:, es.ATTITUDE : es.GYRO] = turned - R_site_mci @ cross_matrix(lever)
    rows[:, es.CAMERA : es.SIZE] = turned @ R_mci_body
    return R_site_mci @ (past[:3] + lever) + turned @ R_mci_body @ past[sd.CAMERA : sd.NAV_SIZE], rows


def cross_matrix(v: Array) -> Array:
    """The matrix of the cross product with v from the left."""
    return np.array([[0.0, -v[2], v[1]], [v[2], 0.0, -v[0]], [-v[1], v[0], 0.0]])


def turn(rotation: Array) -> Array:
    """Rotation matrix of a small rotation vector, to second order."""
    X = cross_matrix(rotation)
    return np.asarray(np.eye(3) + X + 0.5 * X @ X)


def small_rotation(measured: Array, predicted: Array) -> Array:
    """The rotation vector that, from the left, takes one attitude to the other; both R_mci_body. Good to the third
    power of the angle.
    """
    X = measured @ predicted.T
    return 0.5 * np.array([X[2, 1] - X[1, 2], X[0, 2] - X[2, 0], X[1, 0] - X[0, 1]])


def rotation_matrix(q: Array) -> Array:
    """R_a_b of a unit quaternion q_a_b, x y z w; shape (3, 3)."""
    x, y, z, w = q.tolist()
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
