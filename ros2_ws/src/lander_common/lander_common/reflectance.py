"""How bright lunar ground is from which side: the lunar-Lambert law, by which lunar mosaics are normalised.

A mixture of Lommel and Seeliger's law for a dark, porous surface and of Lambert's, by the phase angle (McEwen 1991).
"""

from __future__ import annotations

from math import acos, degrees
from typing import Any

from numba import njit
from numpy.typing import NDArray

# Share of Lommel and Seeliger's law, by phase angle in degrees: McEwen 1996, for the Moon.
_A, _B, _C = -0.019, 0.242e-3, -1.46e-6
_LARGEST_DEG = 130.0  # beyond it the polynomial leaves [0, 1]


@njit(cache=True, error_model="numpy")
def lommel_seeliger_share(phase_deg: float) -> float:
    """Share of Lommel and Seeliger's law at a phase angle, deg."""
    g = min(phase_deg, _LARGEST_DEG)
    return min(max(1.0 + g * (_A + g * (_B + g * _C)), 0.0), 1.0)


@njit(cache=True, error_model="numpy")
def phase_share(cos_phase: float) -> float:
    """The same, at the cosine of a phase angle."""
    return float(lommel_seeliger_share(degrees(acos(min(max(cos_phase, -1.0), 1.0)))))


@njit(cache=True, error_model="numpy")
def lunar_lambert(cos_incidence: float, cos_emission: float, share: float) -> float:
    """Brightness relative to the same ground seen and lit from straight above, before the phase function; 0 of what is not a number."""
    if not (cos_incidence > 0.0 and cos_emission > 0.0):
        return 0.0
    seeliger = 2.0 * cos_incidence / (cos_incidence + cos_emission)
    return share * seeliger + (1.0 - share) * cos_incidence


@njit(cache=True, error_model="numpy")
def grid_slope(heights: NDArray[Any], i: int, j: int, spacing: float) -> tuple[float, float]:
    """Slope (tangent) to east and to north at a sample of a grid (rows to north): central differences, one-sided on the edge."""
    below, above = max(i - 1, 0), min(i + 1, heights.shape[0] - 1)
    left, right = max(j - 1, 0), min(j + 1, heights.shape[1] - 1)
    slope_e = (heights[i, right] - heights[i, left]) / ((right - left) * spacing)
    slope_n = (heights[above, j] - heights[below, j]) / ((above - below) * spacing)
    return slope_e, slope_n
