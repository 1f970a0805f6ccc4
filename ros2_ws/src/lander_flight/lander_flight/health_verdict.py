"""From a watched value to a verdict: limits, persistence, and what a missing value means."""

from __future__ import annotations

from math import inf

from lander_flight.health_parameters import Band, Check
from lander_runtime.messages import NANOSECONDS, HealthStatus

OK: int = HealthStatus.OK
WARN: int = HealthStatus.WARN
ERROR: int = HealthStatus.ERROR
STALE: int = HealthStatus.STALE
_RANK = {OK: 0, WARN: 1, STALE: 2, ERROR: 3}  # what is known to be wrong outranks what is not known


def worst(verdicts: list[int]) -> int:
    """The gravest of verdicts; OK of none."""
    return max(verdicts, key=_RANK.__getitem__, default=OK)


def closed(band: Band | None) -> tuple[float, float] | None:
    """A band with infinity for a side that it has not; None where there is no band."""
    if band is None:
        return None
    low, high = band
    return (-inf if low is None else low, inf if high is None else high)


def outside(value: float, band: tuple[float, float] | None) -> bool:
    """Whether a value is outside of a band. What is not a number is outside of every band; nothing is where there is none."""
    return band is not None and not band[0] <= value <= band[1]


class Verdict:
    """The running verdict of one check."""

    __slots__ = ("_beyond_ns", "_error", "_persistence_ns", "_stale_above_s", "_warn", "_worse", "now")

    def __init__(self, check: Check, stale_above_s: float) -> None:
        """`stale_above_s`: age beyond which a check with `stale` is stale."""
        self._error, self._warn = closed(check.error), closed(check.warn)
        self._stale_above_s = None if check.stale is None else stale_above_s
        self._persistence_ns = round(check.persistence_s * NANOSECONDS)
        self._worse: bool | None = None  # in which direction the value has left the verdict, and since when
        self._beyond_ns = 0
        self.now: int = OK

    def judge(self, value: float, stamp_ns: int) -> bool:
        """Take in a value; True if the verdict has become ERROR or STALE by it."""
        level = self._level(value)
        if level == self.now:
            self._worse = None
            return False
        worse = _RANK[level] > _RANK[self.now]
        if worse != self._worse:
            self._worse, self._beyond_ns = worse, stamp_ns
        if stamp_ns - self._beyond_ns < self._persistence_ns:
            return False
        return self.put(level)

    def put(self, level: int) -> bool:
        """Set the verdict at once; True if it has become ERROR or STALE by it."""
        changed = level != self.now
        self.now, self._worse = level, None
        return changed and level in (ERROR, STALE)

    def _level(self, value: float) -> int:
        if outside(value, self._error):
            return ERROR
        if self._stale_above_s is not None and not value <= self._stale_above_s:
            return STALE
        return WARN if outside(value, self._warn) else OK
