"""Find patches of the map in an image that was laid over it: normalised cross-correlation with a sub-pixel peak (Lewis 1995)."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Any

import cv2
import numpy as np
from numpy.typing import NDArray

Array = NDArray[np.float64]
Picture = NDArray[Any]  # of float32; OpenCV does not say so

cv2.setNumThreads(1)  # threads would change sums from run to run, and take the other nodes' core

_RIVAL = 3  # cells from the peak, beyond which another maximum is a rival


@dataclass(frozen=True)
class Matches:
    """Patches that were found; arrays of one length."""

    row: Array  # middle of the patch in the map's window, cells
    column: Array
    shift_row: Array  # image less map, cells
    shift_column: Array
    score: Array  # correlation coefficient at the peak
    searched: int  # patches that were looked for

    @property
    def count(self) -> int:
        """Patches that were found."""
        return len(self.row)


@dataclass(frozen=True)
class Limits:
    """What a patch must be to be used."""

    least_contrast: float  # standard deviation over mean, of the map
    least_score: float
    least_lead: float  # of the best correlation before its rival's


def find_patches(expected: Picture, seen: Picture, patch: int, reach: int, limits: Limits) -> Matches:
    """Match a regular grid of patches of `patch` cells (odd), each within `reach` cells of where it is expected."""
    half, found, searched = patch // 2, [], 0
    margin = half + reach
    missing: Any = cv2.integral(np.isnan(seen).astype(np.uint8))
    filled = np.nan_to_num(seen)
    size = expected.shape[0]
    for i in range(margin, size - margin, patch):
        for j in range(margin, size - margin, patch):
            if _count(missing, i - margin, j - margin, i + margin + 1, j + margin + 1):
                continue
            template = expected[i - half : i + half + 1, j - half : j + half + 1]
            mean, deviation = (float(value[0, 0]) for value in cv2.meanStdDev(template))
            if not deviation > limits.least_contrast * mean:
                continue
            searched += 1
            area = filled[i - margin : i + margin + 1, j - margin : j + margin + 1]
            peak = best_shift(cv2.matchTemplate(area, template, cv2.TM_CCOEFF_NORMED), limits)
            if peak is not None:
                found.append((i, j, peak[0] - reach, peak[1] - reach, peak[2]))
    row, column, shift_row, shift_column, score = np.array(found, float).reshape(-1, 5).T
    return Matches(row, column, shift_row, shift_column, score, searched)


def best_shift(scores: Picture, limits: Limits) -> tuple[float, float, float] | None:
    """Place (row, column) and height of the highest peak, to a fraction of a cell; None where it is low, rivalled or on the edge."""
    _, top, _, (j, i) = cv2.minMaxLoc(scores)
    rows, columns = scores.shape
    if top < limits.least_score or not (0 < i < rows - 1 and 0 < j < columns - 1):
        return None
    others = scores.copy()
    others[max(i - _RIVAL, 0) : i + _RIVAL + 1, max(j - _RIVAL, 0) : j + _RIVAL + 1] = -1.0
    if top - float(others.max()) < limits.least_lead:
        return None
    return i + _vertex(scores[i - 1 : i + 2, j]), j + _vertex(scores[i, j - 1 : j + 2]), float(top)


def _vertex(three: Picture) -> float:
    """Where the parabola through three values, the middle one the largest, has its maximum."""
    before, middle, after = (float(value) for value in three)
    bend = before - 2.0 * middle + after
    return 0.5 * (before - after) / bend if bend < 0.0 else 0.0


def _count(integral: Any, top: int, left: int, bottom: int, right: int) -> int:
    return int(integral[bottom, right] - integral[top, right] - integral[bottom, left] + integral[top, left])
