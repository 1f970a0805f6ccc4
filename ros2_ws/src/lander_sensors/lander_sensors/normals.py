"""Gaussian random numbers in blocks: drawn one by one, numpy would cost more than the device models that use them."""

from __future__ import annotations

from collections.abc import Sequence

import numpy as np

_BLOCK_SHOTS = 1024


class Normals:
    """Standard normal numbers from one generator, handed out in equal portions."""

    __slots__ = ("_block", "_generator", "_next", "_portion")

    def __init__(self, generator: np.random.Generator, portion: int) -> None:
        self._generator = generator
        self._portion = portion
        self._block: list[list[float]] = []
        self._next = 0

    def draw(self) -> Sequence[float]:
        """The next `portion` numbers."""
        if self._next == len(self._block):
            self._block = self._generator.standard_normal((_BLOCK_SHOTS, self._portion)).tolist()
            self._next = 0
        self._next += 1
        return self._block[self._next - 1]
