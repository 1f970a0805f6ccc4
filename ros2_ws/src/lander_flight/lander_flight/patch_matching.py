"""Find patches of the map in an image that was laid over it: normalised cross-correlation with a sub-pixel peak (Lewis 1995)."""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt
from typing import Any

import cv2
import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]
Picture = NDArray[Any]  # of float32; OpenCV does not say so

cv2.setNumThreads(1)  # threads would change sums from run to run, and take the other nodes' core

_RIVAL = 3  # cells from the peak, beyond which another maximum is a rival
_LEAST_SPREAD = 1e-6  # variance of what is seen, in steps of its 0 to 255: less is none


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
    margin = patch // 2 + reach
    count = max(0, (expected.shape[0] - 2 * margin - 1) // patch + 1)
    missing: Any = cv2.integral(np.isnan(seen).astype(np.uint8))
    filled = np.nan_to_num(seen)
    filled -= filled.mean()  # sums of squares then keep their digits
    templates, energy = _templates(
        np.ascontiguousarray(expected, np.float32), patch, reach, count, limits.least_contrast
    )
    _leave_out_gaps(missing, patch, reach, energy)
    sums: Any = cv2.integral2(filled)
    scores = _correlate(templates, energy, filled, sums[0], sums[1], patch, reach)
    row, column, *peak = _peaks(scores, energy, limits.least_score, limits.least_lead).T
    middle = margin + patch * row, margin + patch * column
    return Matches(*middle, peak[0] - reach, peak[1] - reach, peak[2], int(np.count_nonzero(energy)))


@njit(cache=True)
def _templates(expected: Picture, patch: int, reach: int, count: int, least_contrast: float) -> tuple[Picture, Array]:
    """The picture less the mean of each patch, and the sums of squares of the patches: 0 where there is no contrast."""
    templates, energy = np.zeros_like(expected), np.zeros((count, count))
    for i in range(count):
        for j in range(count):
            rows, columns = (
                slice(reach + i * patch, reach + (i + 1) * patch),
                slice(reach + j * patch, reach + (j + 1) * patch),
            )
            mean = 0.0
            for value in expected[rows, columns].flat:
                mean += value
            mean /= patch * patch
            square = 0.0
            for value in expected[rows, columns].flat:
                square += (value - mean) ** 2
            if sqrt(square) > least_contrast * mean * patch:
                templates[rows, columns] = expected[rows, columns] - np.float32(mean)
                energy[i, j] = square
    return templates, energy


@njit(cache=True)
def _leave_out_gaps(missing: NDArray[np.int32], patch: int, reach: int, energy: Array) -> None:
    """Set to 0 where the area that a patch is searched over has gaps; `missing`: integral of their number."""
    side = patch + 2 * reach
    for i in range(energy.shape[0]):
        for j in range(energy.shape[1]):
            if _box(missing, i * patch, j * patch, side) > 0:
                energy[i, j] = 0.0


@njit(cache=True)
def _box(integral: Any, row: int, column: int, side: int) -> Any:
    """Sum over a square, from the integral image."""
    down, right = row + side, column + side
    return integral[down, right] - integral[row, right] - integral[down, column] + integral[row, column]


@njit(cache=True)
def _correlate(
    templates: Picture, energy: Array, seen: Picture, sums: Array, squares: Array, patch: int, reach: int
) -> Picture:
    """Normalised cross-correlation of every patch at every shift; shape (rows, columns of patches, shifts, shifts).

    Shift by shift over whole rows of patches: sums along columns first, so that the inner loop runs over neighbours.
    """
    count, shifts, area = energy.shape[0], 2 * reach + 1, float(patch * patch)
    scores = np.zeros((count, count, shifts, shifts), np.float32)
    width = count * patch
    columns = np.empty(width, np.float32)
    for i in range(count):
        for down in range(shifts):
            for right in range(shifts):
                columns[:] = 0.0
                for y in range(reach + i * patch, reach + (i + 1) * patch):
                    template, other = templates[y, reach : reach + width], seen[y + down - reach, right : right + width]
                    for x in range(width):
                        columns[x] += template[x] * other[x]
                for j in range(count):
                    if energy[i, j] > 0.0:
                        product = 0.0
                        for x in range(j * patch, (j + 1) * patch):
                            product += columns[x]
                        total = _box(sums, i * patch + down, j * patch + right, patch)
                        spread = _box(squares, i * patch + down, j * patch + right, patch) - total * total / area
                        if spread > _LEAST_SPREAD * area:
                            scores[i, j, down, right] = product / sqrt(energy[i, j] * spread)
    return scores


@njit(cache=True)
def _peaks(scores: Picture, energy: Array, least_score: float, least_lead: float) -> Array:
    """Patches that are found: row and column among patches, place of the peak in the search area, its height; shape (k, 5)."""
    found, k = np.empty((energy.size, 5)), 0
    for i in range(energy.shape[0]):
        for j in range(energy.shape[1]):
            if energy[i, j] > 0.0:
                row, column, top = best_shift(scores[i, j], least_score, least_lead)
                if top > 0.0:
                    found[k, 0], found[k, 1], found[k, 2], found[k, 3], found[k, 4] = i, j, row, column, top
                    k += 1
    return found[:k]


@njit(cache=True)
def best_shift(scores: Picture, least_score: float, least_lead: float) -> tuple[float, float, float]:
    """Place (row, column) and height of the highest peak, to parts of a cell; height 0 where it is low, rivalled or at the edge."""
    rows, columns = scores.shape
    at, top = 0, scores[0, 0]
    for k in range(1, rows * columns):
        if scores[k // columns, k % columns] > top:
            at, top = k, scores[k // columns, k % columns]
    i, j = at // columns, at % columns
    if top < least_score or not (0 < i < rows - 1 and 0 < j < columns - 1):
        return 0.0, 0.0, 0.0
    for row in range(rows):
        for column in range(columns):
            near = abs(row - i) <= _RIVAL and abs(column - j) <= _RIVAL
            if not near and top - scores[row, column] < least_lead:
                return 0.0, 0.0, 0.0
    down, right = _summit(scores[i - 1 : i + 2, j - 1 : j + 2])
    return i + down, j + right, float(top)


@njit(cache=True)
def _summit(s: Picture) -> tuple[float, float]:
    """Where the paraboloid through nine values, the middle one the largest, has its maximum: rows, columns from the middle.

    With its mixed term: the peak of sunlit relief is a ridge across the Sun, and parabolas along rows and columns alone
    meet it aside, by a quarter of the shift at 20 deg.
    """
    down, right = 0.5 * (s[2, 1] - s[0, 1]), 0.5 * (s[1, 2] - s[1, 0])
    bend_down, bend_right = 2.0 * s[1, 1] - s[0, 1] - s[2, 1], 2.0 * s[1, 1] - s[1, 0] - s[1, 2]
    mixed = 0.25 * (s[0, 2] + s[2, 0] - s[0, 0] - s[2, 2])
    det = bend_down * bend_right - mixed * mixed
    if det <= 0.0:
        return 0.0, 0.0
    rows, columns = (bend_right * down - mixed * right) / det, (bend_down * right - mixed * down) / det
    return min(max(rows, -1.0), 1.0), min(max(columns, -1.0), 1.0)
