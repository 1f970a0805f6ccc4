"""Dust that the engines raise near the ground: a streaky veil, thicker towards the ground and at slanting sight."""

from __future__ import annotations

from math import atan2, cos, exp, pi

import numpy as np
from numpy.typing import NDArray

from lander_sensors.camera_parameters import PlumeDust
from lander_terrain.jit import jit

Image = NDArray[np.float32]
Array = NDArray[np.float64]

_STREAKS = 12  # waves around the point below the engines
_DEPTH = 0.3  # of the streaks, of the mean opacity (estimate)
_DIRECTIONS = 4096  # for which the veil is known; between them a streak is straight to 1e-4 of its depth


def draw_veil(parameters: PlumeDust, height_m: float, random: np.random.Generator, image: Image) -> None:
    """Draw the veil over an image of brightness, as seen at a height of the pads over the ground, m."""
    phases, amplitudes = (
        2.0 * pi * random.random(_STREAKS),
        random.standard_normal(_STREAKS),
    )  # as many whatever happens
    if height_m >= parameters.begins_below_m:
        return
    share = 1.0 - max(height_m, 0.0) / parameters.begins_below_m
    _veil(image, parameters.opacity_at_ground * share * share, parameters.brightness, phases, amplitudes)


@jit
def _veil(image: Image, opacity: float, brightness: float, phases: Array, amplitudes: Array) -> None:
    left = np.empty(_DIRECTIONS + 1)
    for k in range(left.size):
        left[k] = exp(-opacity * _thickness(2.0 * pi * (k / _DIRECTIONS - 0.5), phases, amplitudes))
    rows, columns = image.shape
    for i in range(rows):
        for j in range(columns):
            at = (atan2(i - 0.5 * rows, j - 0.5 * columns) / (2.0 * pi) + 0.5) * _DIRECTIONS
            k = min(int(at), _DIRECTIONS - 1)
            through = left[k] + (at - k) * (left[k + 1] - left[k])
            image[i, j] = through * image[i, j] + (1.0 - through) * brightness


@jit
def _thickness(angle: float, phases: Array, amplitudes: Array) -> float:
    """Of the veil in a direction about the middle of the image, rad, over its mean."""
    streak = 0.0
    for k in range(phases.size):
        streak += amplitudes[k] * cos((k + 3) * angle + phases[k])
    return float(max(1.0 + _DEPTH * streak / phases.size**0.5, 0.0))
