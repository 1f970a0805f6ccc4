"""The pose of a camera from points of the map and where they were found in the image: Gauss-Newton with Huber's weights."""

from __future__ import annotations

from dataclasses import dataclass

import numpy as np
from numba import njit
from numpy.typing import NDArray
from scipy.spatial.distance import cdist

from lander_common.camera_geometry import CENTRE_U, CENTRE_V, FOCAL, K1, K2, Lens
from lander_flight.map_window import CameraPose

Array = NDArray[np.float64]

_ROUNDS = 8
_HUBER = 1.5  # residuals beyond so many sigmas weigh less
_SETTLED = 1e-6  # square of a step in its own sigmas, at which the rounds end
_MEDIAN_RAYLEIGH = 1.1774  # of the length of a plane vector whose components have unit variance


@dataclass(frozen=True)
class MapErrors:
    """Errors of the map that neighbours share: 1-sigma of heights and of places, m, and how far each reaches, m (exponential)."""

    height_m: float
    height_correlation_m: float
    shift_m: float
    shift_correlation_m: float


@dataclass(frozen=True)
class PoseFit:
    """A pose, and how well the points determine it."""

    pose: CameraPose  # by the points alone
    covariance: Array  # of that: position, m, and attitude, rad, along the axes of site, shape (6, 6)
    steady: CameraPose  # by the points and the attitude that was expected
    residuals_px: Array  # found less predicted by `steady`, shape (k, 2)
    rms_px: float  # of the residuals


def fit_pose(
    points_site: Array,
    pixels: Array,
    least_sigma_px: float,
    lens: Lens,
    first: CameraPose,
    turn_sigma: float,
    map_errors: MapErrors | None = None,
) -> PoseFit:
    """Pose that fits best, from a first guess whose attitude is good to `turn_sigma`, rad.

    Position and attitude from a view straight down are nearly the same thing, so that the points alone may lead far off
    in both. The search is therefore held by the expected attitude; then, in one linear step, it is taken out again, and
    with it what it adds to the covariance. The error of a match is judged by the residuals (their median, for a
    Rayleigh distribution), but not below `least_sigma_px`. What errors of the map do to the pose is added to the
    covariance: they leave small residuals, because neighbours share them.
    """
    r, R, turned = first.r_site.copy(), first.R_site_optical.copy(), np.zeros(3)
    prior = np.zeros((6, 6))
    prior[3:, 3:] = np.eye(3) / turn_sigma**2
    for _ in range(_ROUNDS):
        residuals, information, gradient = _normal(points_site, pixels, least_sigma_px, lens, r, R)
        pull = prior @ np.concatenate([np.zeros(3), turned])
        step = np.linalg.solve(information + prior, gradient - pull)
        r, R, turned = r + step[:3], rotation(step[3:]) @ R, turned + step[3:]
        if float(step @ information @ step) < _SETTLED:
            break
    residuals, information, gradient = _normal(points_site, pixels, least_sigma_px, lens, r, R)
    covariance = np.linalg.inv(information)
    alone = covariance @ gradient
    pose = CameraPose(r + alone[:3], rotation(alone[3:]) @ R)
    rms = float(np.sqrt(np.mean(residuals**2)))
    if map_errors is not None:
        _, rows = linearise(points_site, pixels, lens.numbers, r, R)
        up = r - points_site.mean(axis=0)
        covariance = covariance + _share_of_map(points_site, rows, up / np.linalg.norm(up), map_errors)
    return PoseFit(pose, 0.5 * (covariance + covariance.T), CameraPose(r, R), residuals, rms)


def _share_of_map(points: Array, rows: Array, up: Array, errors: MapErrors) -> Array:
    """What errors of the map do to the pose, less their mean over the view, which navigation keeps as states; shape (6, 6).

    The estimator's response to a displacement of each point, between the covariance of the displacements on both sides.
    """
    stacked = rows.reshape(-1, 6)
    gain = np.linalg.solve(stacked.T @ stacked, stacked.T).reshape(6, -1, 2)
    response = np.einsum("aki,kib->akb", gain, rows[:, :, :3])
    apart = cdist(points, points)
    heights = _less_mean(errors.height_m**2 * np.exp(-apart / errors.height_correlation_m))
    shifts = _less_mean(errors.shift_m**2 * np.exp(-apart / errors.shift_correlation_m))
    vertical = response @ up
    share = vertical @ heights @ vertical.T
    for axis in np.linalg.svd(up[None, :])[2][1:]:  # two axes across
        across = response @ axis
        share += across @ shifts @ across.T
    return np.asarray(share)


def _less_mean(covariance: Array) -> Array:
    """Of the deviations from the common mean."""
    rows = covariance - covariance.mean(axis=0)
    return np.asarray(rows - rows.mean(axis=1, keepdims=True))


def _normal(
    points_site: Array, pixels: Array, least_sigma_px: float, lens: Lens, r: Array, R: Array
) -> tuple[Array, Array, Array]:
    """Residuals, information and gradient of the weighted least squares at a pose."""
    residuals, rows = linearise(points_site, pixels, lens.numbers, r, R)
    size = np.sqrt(np.sum(residuals**2, axis=1))
    sigma = max(least_sigma_px, float(np.median(size)) / _MEDIAN_RAYLEIGH)
    weight = np.minimum(1.0, _HUBER * sigma / np.maximum(size, 1e-12)) / sigma**2
    stacked, twice = rows.reshape(-1, 6), np.repeat(weight, 2)
    weighted = (stacked * twice[:, None]).T
    return residuals, weighted @ stacked, weighted @ residuals.ravel()


def rotation(vector: Array) -> Array:
    """Rotation matrix of a rotation vector, rad (Rodrigues)."""
    angle = float(np.linalg.norm(vector))
    if angle == 0.0:
        return np.eye(3)
    x, y, z = vector / angle
    X = np.array([[0.0, -z, y], [z, 0.0, -x], [-y, x, 0.0]])
    return np.asarray(np.eye(3) + np.sin(angle) * X + (1.0 - np.cos(angle)) * X @ X)


@njit(cache=True)
def linearise(points: Array, pixels: Array, lens: Array, r: Array, R: Array) -> tuple[Array, Array]:
    """Residuals, shape (k, 2), and how pixels move with position and attitude, shape (k, 2, 6)."""
    count = points.shape[0]
    residuals, rows = np.empty((count, 2)), np.zeros((count, 2, 6))
    away, q = np.empty(3), np.empty(3)
    for k in range(count):
        for i in range(3):
            away[i] = points[k, i] - r[i]
        for i in range(3):
            q[i] = R[0, i] * away[0] + R[1, i] * away[1] + R[2, i] * away[2]
        a, b = q[0] / q[2], q[1] / q[2]
        r2 = a * a + b * b
        radial = 1.0 + r2 * (lens[K1] + r2 * lens[K2])
        slope = 2.0 * (lens[K1] + 2.0 * lens[K2] * r2)  # of the radial factor over a and b, per a and b
        residuals[k, 0] = pixels[k, 0] - lens[CENTRE_U] - lens[FOCAL] * radial * a
        residuals[k, 1] = pixels[k, 1] - lens[CENTRE_V] - lens[FOCAL] * radial * b
        f = lens[FOCAL] / q[2]
        ua, ub = f * (radial + slope * a * a), f * slope * a * b
        va, vb = f * slope * a * b, f * (radial + slope * b * b)
        for i in range(3):  # per metre of the point along site axis i
            da, db = R[i, 0] - a * R[i, 2], R[i, 1] - b * R[i, 2]
            u, v = ua * da + ub * db, va * da + vb * db
            rows[k, 0, i], rows[k, 1, i] = -u, -v
            # A turn of the camera by w moves the point, as the camera sees it, by -(w x away).
            j, m = (i + 1) % 3, (i + 2) % 3
            rows[k, 0, 3 + j] -= u * away[m]
            rows[k, 0, 3 + m] += u * away[j]
            rows[k, 1, 3 + j] -= v * away[m]
            rows[k, 1, 3 + m] += v * away[j]
    return residuals, rows
