"""Features that a scenario names: a crater with a level floor, a scarp."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_terrain.bands import smoothstep, smoothstep_slope
from lander_terrain.craters import profile
from lander_terrain.jit import jit
from lander_terrain.parameters import CraterFeature, ScarpFeature

Array = NDArray[np.float64]
_CRATER, _SCARP = 0.0, 1.0
_RUN_OUT = 0.1  # share of a scarp's length over which each end runs out
_STEEPEST = 1.5  # of a smooth step, over its mean slope


def feature_table(features: Sequence[CraterFeature | ScarpFeature]) -> Array:
    """Table of features, shape (k, 7): kind, centre e and n, then what `feature_relief` reads."""
    return np.array([_row(feature) for feature in features], float).reshape(-1, 7)


def steepest_feature(features: Sequence[CraterFeature | ScarpFeature]) -> float:
    """Greatest slope (tangent) of any of the features."""
    return max((_STEEPEST * _mean_slope(feature) for feature in features), default=0.0)


def _row(feature: CraterFeature | ScarpFeature) -> tuple[float, ...]:
    if isinstance(feature, CraterFeature):
        floor_share = 1.0 - 2.0 * feature.wall_width_m / feature.diameter_m
        shape = (0.5 * feature.diameter_m, feature.depth_m, feature.rim_height_m, floor_share)
        return (_CRATER, feature.east_m, feature.north_m, *shape)
    return (
        _SCARP,
        feature.east_m,
        feature.north_m,
        radians(feature.azimuth_deg),
        feature.step_m,
        feature.width_m,
        feature.length_m,
    )


def _mean_slope(feature: CraterFeature | ScarpFeature) -> float:
    if isinstance(feature, CraterFeature):
        return feature.depth_m / feature.wall_width_m
    return abs(feature.step_m) / feature.width_m


@jit
def feature_relief(features: Array, e: float, n: float) -> tuple[float, float, float]:
    """Sum of the features at map coordinates, m: height and derivatives."""
    height, height_e, height_n = 0.0, 0.0, 0.0
    for row in range(features.shape[0]):
        x, y = e - features[row, 1], n - features[row, 2]
        h, h_x, h_y = _crater(features[row], x, y) if features[row, 0] == _CRATER else _scarp(features[row], x, y)
        height += h
        height_e += h_x
        height_n += h_y
    return height, height_e, height_n


@jit
def _crater(feature: Array, x: float, y: float) -> tuple[float, float, float]:
    distance = sqrt(x * x + y * y)
    height, slope = profile(distance / feature[3], feature[4], feature[5], feature[6])
    if distance == 0.0:
        return height, 0.0, 0.0
    scale = slope / (feature[3] * distance)
    return height, scale * x, scale * y


@jit
def _scarp(feature: Array, x: float, y: float) -> tuple[float, float, float]:
    """High behind its foot line (against the azimuth), falling to nothing over the width centred on it."""
    s, c = sin(feature[3]), cos(feature[3])
    step, width, length = feature[4], feature[5], feature[6]
    ahead, across = x * s + y * c, x * c - y * s
    left = (0.5 * length - abs(across)) / (_RUN_OUT * length)
    fall, side = 1.0 - smoothstep(ahead / width + 0.5), smoothstep(left)
    fall_slope = -smoothstep_slope(ahead / width + 0.5) / width
    side_slope = smoothstep_slope(left) / (_RUN_OUT * length) * (-1.0 if across > 0.0 else 1.0)
    slope_ahead, slope_across = step * fall_slope * side, step * fall * side_slope
    return step * fall * side, slope_ahead * s + slope_across * c, slope_ahead * c - slope_across * s
