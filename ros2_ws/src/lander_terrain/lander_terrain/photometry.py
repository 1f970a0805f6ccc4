"""How bright lunar ground is from which side.

The lunar-Lambert law (McEwen 1991): a mixture of Lommel and Seeliger's law for a dark, porous surface and of Lambert's, by the phase
angle. It is what lunar mosaics are normalised by.
"""

from __future__ import annotations

from math import acos, exp, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_terrain.jit import jit

Array = NDArray[np.float64]

# Share of Lommel and Seeliger's law, by phase angle in degrees: McEwen 1996, for the Moon.
_A, _B, _C = -0.019, 0.242e-3, -1.46e-6
_DEGREES = 57.29577951308232
_LARGEST_DEG = 130.0  # beyond it the polynomial leaves [0, 1]
_DECAY_RAD = 1.0  # estimate: of the mean brightness with the phase angle, after the Moon's integral phase curve


@jit
def lommel_seeliger_share(phase_deg: float) -> float:
    """Share of Lommel and Seeliger's law at a phase angle, deg."""
    g = min(phase_deg, _LARGEST_DEG)
    return min(max(1.0 + g * (_A + g * (_B + g * _C)), 0.0), 1.0)


@jit
def phase_terms(cos_phase: float) -> tuple[float, float]:
    """What the phase angle fixes: brightness relative to zero phase, and the share of Lommel and Seeliger's law."""
    phase = acos(min(max(cos_phase, -1.0), 1.0))
    return exp(-phase / _DECAY_RAD), lommel_seeliger_share(phase * _DEGREES)


@jit
def lunar_lambert(cos_incidence: float, cos_emission: float, share: float) -> float:
    """Brightness relative to the same ground seen and lit from straight above, before the phase function."""
    if cos_incidence <= 0.0 or cos_emission <= 0.0:
        return 0.0
    seeliger = 2.0 * cos_incidence / (cos_incidence + cos_emission)
    return share * seeliger + (1.0 - share) * cos_incidence


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
        below, above = max(i - 1, 0), min(i + 1, rows - 1)
        for j in range(columns):
            left, right = max(j - 1, 0), min(j + 1, columns - 1)
            slope_e = (heights[i, right] - heights[i, left]) / ((right - left) * spacing)
            slope_n = (heights[above, j] - heights[below, j]) / ((above - below) * spacing)
            up = 1.0 / sqrt(1.0 + slope_e * slope_e + slope_n * slope_n)
            incidence = (sun[2] - slope_e * sun[0] - slope_n * sun[1]) * up
            result[i, j] = light[i, j] * decay * lunar_lambert(incidence, up, share)
    return result


@jit
def brightness(albedo: float, cos_incidence: float, cos_emission: float, cos_phase: float) -> float:
    """Brightness, relative to a white Lambertian surface under an overhead Sun (I/F), of ground of a normal albedo."""
    decay, share = phase_terms(cos_phase)
    return albedo * decay * lunar_lambert(cos_incidence, cos_emission, share)
