"""Random numbers that belong to places: hashes of lattice cells, the same in every process and order of asking."""

from __future__ import annotations

import numpy as np

from lander_terrain.jit import jit

_COLUMN = np.uint64(
    0x9E3779B97F4A7C15
)  # odd constants that spread the cell's indices (Weyl, golden ratio; xxHash prime 2)
_ROW = np.uint64(0xC2B2AE3D27D4EB4F)
_MULTIPLY_1 = np.uint64(0xBF58476D1CE4E5B9)
_MULTIPLY_2 = np.uint64(0x94D049BB133111EB)
_SHIFT_30, _SHIFT_27, _SHIFT_31 = np.uint64(30), np.uint64(27), np.uint64(31)
_MASK_21 = np.uint64((1 << 21) - 1)
UNIT_21 = 2.0**-21


@jit
def mix(word: np.uint64) -> np.uint64:
    """Scramble 64 bits (finaliser of SplitMix64: Steele, Lea and Flood 2014, Stafford's variant 13)."""
    word = (word ^ (word >> _SHIFT_30)) * _MULTIPLY_1
    word = (word ^ (word >> _SHIFT_27)) * _MULTIPLY_2
    return word ^ (word >> _SHIFT_31)


@jit
def cell_hash(key: np.uint64, column: int, row: int) -> np.uint64:
    """64 random bits of a lattice cell under a key."""
    return mix(key + np.uint64(column) * _COLUMN + np.uint64(row) * _ROW)


@jit
def nth_hash(word: np.uint64, index: int) -> np.uint64:
    """64 random bits of the item `index` of a cell with hash `word`."""
    return mix(word + np.uint64(index + 1) * _COLUMN)


@jit
def uniform(word: np.uint64, field: int) -> float:
    """Uniform number in [0, 1) from one of the three 21-bit fields (0, 1, 2) of a hash."""
    return float(np.int64((word >> np.uint64(21 * field)) & _MASK_21)) * UNIT_21
