"""How bright lunar ground is from which side: the lunar-Lambert law times a phase function."""

from __future__ import annotations

from math import acos, degrees, exp, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_common.reflectance import grid_slope, lommel_seeliger_share, lunar_lambert
from lander_terrain.jit import jit

Array = NDArray[np.float64]

_DECAY_RAD = 1.0  # estimate: of the mean brightness with the phase angle, after the Moon's integral phase curve


@jit
def phase_terms(cos_phase: float) -> tuple[float, float]:
    """What the phase angle fixes: brightness relative to zero phase, and the share of Lommel and Seeliger's law."""
    phase = acos(min(max(cos_phase, -1.0), 1.0))
    return exp(-phase / _DECAY_RAD), lommel_seeliger_share(degrees(phase))


@jit
def brightness_grid(heights: Array, light: Array, spacing: float, sun: Array) -> Array:
    """Brightness (I/F) of ground on a grid as seen from straight above.

    Parameters
    ----------
    heights : m, shape (rows to north, columns to east).
    light : albedo times the share of the Sun that is not hidden.
    sun : unit vector (east, north, up) towards the Sun.
    """
    rows, columns = heights.shape
    decay, share = phase_terms(sun[2])
    result = np.empty((rows, columns))
    for i in range(rows):
        for j in range(columns):
            slope_e, slope_n = grid_slope(heights, i, j, spacing)
            up = 1.0 / sqrt(1.0 + slope_e * slope_e + slope_n * slope_n)
            incidence = (sun[2] - slope_e * sun[0] - slope_n * sun[1]) * up
            result[i, j] = light[i, j] * decay * lunar_lambert(incidence, up, share)
    return result


@jit
def brightness(albedo: float, cos_incidence: float, cos_emission: float, cos_phase: float) -> float:
    """Brightness, relative to a white Lambertian surface under an overhead Sun (I/F), of ground of a normal albedo."""
    decay, share = phase_terms(cos_phase)
    return albedo * decay * lunar_lambert(cos_incidence, cos_emission, share)
