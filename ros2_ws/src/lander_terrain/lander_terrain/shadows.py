"""Cast shadows on grids of heights.

A shadow height is how high one would have to stand at a place to see the Sun over everything else. It follows from that of the next
sample towards the Sun: the larger of the ground and the shadow height there, less the fall of the Sun's ray on the way.
"""

from __future__ import annotations

from math import floor, sqrt

import numpy as np
from numpy.typing import NDArray

from lander_terrain.jit import jit

Array = NDArray[np.float64]

UNSHADED = -1e9  # m: shadow height where nothing stands towards the Sun


def cast_shadows(heights: Array, shadows: Array, spacing: float, sun: Array) -> None:
    """Fill a grid with shadow heights, m, from its edges towards the Sun, which must hold them already.

    `sun`: unit vector (east, north, up) towards the Sun over the grid.
    """
    if abs(sun[0]) >= abs(sun[1]):
        _sweep(heights, shadows, spacing, sun[0], sun[1], sun[2])
    else:
        _sweep(heights.T, shadows.T, spacing, sun[1], sun[0], sun[2])


@jit
def _sweep(heights: Array, shadows: Array, spacing: float, ahead: float, across: float, up: float) -> None:
    """Column by column away from the Sun, whose direction is mostly along the rows of the grid (columns rising: ahead > 0)."""
    rows, columns = heights.shape
    step = 1 if ahead > 0.0 else -1
    shift = across / abs(ahead)  # rows towards the Sun for a column
    drop = spacing * sqrt(1.0 + shift * shift) * up / sqrt(ahead * ahead + across * across)
    whole = floor(shift)
    share = shift - whole
    for k in range(columns - 1):
        column = columns - 2 - k if step > 0 else k + 1
        for row in range(rows):
            low, high = row + whole, row + whole + (1 if share > 0.0 else 0)
            if low < 0 or high >= rows:
                continue
            near = max(heights[low, column + step], shadows[low, column + step])
            far = max(heights[high, column + step], shadows[high, column + step])
            shadows[row, column] = near + share * (far - near) - drop
