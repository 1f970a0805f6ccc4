"""A fault as it acts in one run: whether it is on, and its random numbers."""

from __future__ import annotations

from math import inf

from lander_common.faults.base import Fault
from lander_runtime.messages import NANOSECONDS
from lander_runtime.rng import stream


class Injection:
    """Answers, tick by tick, whether a fault acts. Every owner has its own; what it draws shifts nobody else's draws."""

    def __init__(self, index: int, fault: Fault, seed: int) -> None:
        """`index`: of the fault in the scenario."""
        self.fault = fault
        self.random = stream(seed, f"fault/{index}/{fault.subject}/{fault.kind}")
        duration_s: float | None = getattr(fault, "duration_s", None)
        self._duration_ns = None if duration_s is None else round(duration_s * NANOSECONDS)
        self._below_m: float = getattr(fault, "below_m", None) or -inf
        self.began_ns: int | None = None if fault.at_s is None else fault.at_ns

    def active(self, stamp_ns: int, height_m: float = inf) -> bool:
        """Whether it acts at a time: from its beginning on, and before its end.

        `height_m`, over the ground, is for faults that begin below a height: they begin when they are first asked there.
        """
        if self.began_ns is None and height_m < self._below_m:
            self.began_ns = stamp_ns
        if self.began_ns is None or stamp_ns < self.began_ns:
            return False
        return self._duration_ns is None or stamp_ns < self.began_ns + self._duration_ns
