"""Which matches agree with each other, and whether chance would do as well.

Shifts between two views of the ground from nearly the same place are, to first order, one similarity over the window: a
shift, a change of scale with the height, a turn. Every pair of matches proposes one; all pairs are tried, so that
nothing is left to random draws. What the best one gathers is judged a contrario (Desolneux, Moisan and Morel 2000;
Moisan and Stival 2004): the expected number of proposals that would gather as many if every match had fallen anywhere
in its search area.
"""

from __future__ import annotations

from dataclasses import dataclass
from math import lgamma, log, log10, pi

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

_SAMPLE = 2  # matches that make a proposal


@dataclass(frozen=True)
class Agreement:
    """The largest set of matches that agree."""

    members: NDArray[np.bool_]
    log10_chance: float  # of the expected number of as good agreements by chance

    @property
    def count(self) -> int:
        """Matches that agree."""
        return int(self.members.sum())


def agree(place: Array, shift: Array, tolerance: float, largest_stretch: float, reach: float) -> Agreement:
    """Agreement among matches: places and shifts in cells, shape (k, 2); shifts may differ from the similarity by `tolerance`.

    `largest_stretch`: of scale or turn, so that a proposal is possible at all; `reach`: cells that each was searched over.
    """
    count = len(place)
    if count < _SAMPLE + 1:
        return Agreement(np.zeros(count, np.bool_), 0.0)
    members = np.asarray(_best(place, shift, tolerance, largest_stretch))
    return Agreement(members, log10_chance(count, int(members.sum()), tolerance, reach))


def log10_chance(count: int, members: int, tolerance: float, reach: float) -> float:
    """Log of the expected number of agreements of so many, by chance: proposals times the binomial of the rest (Moisan
    and Stival 2004).
    """
    if members <= _SAMPLE:
        return log10(max(count, 1))
    alone = min(1.0, pi * tolerance**2 / (2.0 * reach + 1.0) ** 2)
    ways = log10(count - _SAMPLE) + _choose(count, members) + _choose(members, _SAMPLE)
    return ways + (members - _SAMPLE) * log10(alone)


def _choose(n: int, k: int) -> float:
    return (lgamma(n + 1) - lgamma(k + 1) - lgamma(n - k + 1)) / log(10.0)


@njit(cache=True)
def _best(place: Array, shift: Array, tolerance: float, largest_stretch: float) -> NDArray[np.bool_]:
    """Members of the similarity that most matches agree with; of equals, the one with the smaller residuals."""
    count = place.shape[0]
    best = np.zeros(count, np.bool_)
    most, least = 0, np.inf
    for a in range(count):
        for b in range(a + 1, count):
            x, y = place[b, 0] - place[a, 0], place[b, 1] - place[a, 1]
            s, t = shift[b, 0] - shift[a, 0], shift[b, 1] - shift[a, 1]
            square = x * x + y * y
            scale, turn = (s * x + t * y) / square, (t * x - s * y) / square
            if abs(scale) > largest_stretch or abs(turn) > largest_stretch:
                continue
            gathered, left = 0, 0.0
            for k in range(count):
                x, y = place[k, 0] - place[a, 0], place[k, 1] - place[a, 1]
                s = shift[k, 0] - shift[a, 0] - scale * x + turn * y
                t = shift[k, 1] - shift[a, 1] - turn * x - scale * y
                residual = s * s + t * t
                if residual <= tolerance * tolerance:
                    gathered += 1
                    left += residual
                possible = gathered + count - 1 - k
                if possible < most or (possible == most and left >= least):
                    break  # the rest cannot make it the best
            if gathered > most or (gathered == most and left < least):
                most, least = gathered, left
                for k in range(count):
                    x, y = place[k, 0] - place[a, 0], place[k, 1] - place[a, 1]
                    s = shift[k, 0] - shift[a, 0] - scale * x + turn * y
                    t = shift[k, 1] - shift[a, 1] - turn * x - scale * y
                    best[k] = s * s + t * t <= tolerance * tolerance
    return best
