"""What navigation believes of a fix: by its size, and by what other fixes and the rangefinder say."""

from __future__ import annotations

from collections import deque
from dataclasses import dataclass
from typing import Annotated

import numpy as np
from numpy.typing import NDArray
from pydantic import Field

from lander_common.mission import Positive
from lander_flight.range_gate import Verdict
from lander_runtime.config import Parameters

Array = NDArray[np.float64]


class FixGateParameters(Parameters):
    """As for ranges: down-weighted, set aside, and believed when it keeps saying the same."""

    accept_nis: Positive  # up to here a fix is taken at its full weight
    reject_nis: Positive  # beyond, it is set aside for the moment
    readmit_fixes: Annotated[int, Field(ge=3)]  # so many in a row, set aside, that agree with each other ...
    readmit_scatter_sigma: Positive  # ... about their straight line, within so many of their own sigmas ...
    readmit_rate_m_s: Positive  # ... and drift from navigation's prediction no faster than this ...
    readmit_window_s: Positive  # ... within this time: then it is the filter that is in doubt
    vouch_s: Positive  # how long an accepted range, or fix, speaks against the other one


@dataclass(frozen=True, slots=True)
class FixInnovation:
    """Position by a fix less that predicted, in site."""

    time_s: float
    value_m: Array  # shape (3,)
    sigma_m: Array  # of the fix itself, shape (3,)
    nis: float  # of the whole fix
    vouched: bool  # the rangefinder, which was accepted just now, holds for the predicted height


@dataclass(frozen=True, slots=True)
class FixJudgement:
    """What to do with a fix."""

    verdict: Verdict
    deweight: float = 1.0  # its variance, as innovations go, is taken to be this much larger
    doubt_m: float = 0.0  # 1-sigma by which the filter's own position is to be doubted first ...
    doubt_m_s: float = 0.0  # ... and its velocity


class FixGate:
    """Down-weights (Huber 1964), sets aside and re-admits."""

    def __init__(self, parameters: FixGateParameters) -> None:
        self._parameters = parameters
        self._set_aside: deque[FixInnovation] = deque(maxlen=parameters.readmit_fixes)

    def judge(self, innovation: FixInnovation) -> FixJudgement:
        """Verdict by the size of the innovation; a run of consistent ones that were set aside is re-admitted."""
        if innovation.nis <= self._parameters.reject_nis:
            self._set_aside.clear()
            weight = max(1.0, innovation.nis / self._parameters.accept_nis)
            return FixJudgement(Verdict.ACCEPTED if weight == 1.0 else Verdict.DEWEIGHTED, deweight=weight)
        self._set_aside.append(innovation)
        rate = self._consistent_rate(innovation.time_s)
        if rate is None or innovation.vouched:
            return FixJudgement(Verdict.REJECTED)
        self._set_aside.clear()
        size = float(np.linalg.norm(innovation.value_m))
        return FixJudgement(Verdict.DEWEIGHTED, doubt_m=size, doubt_m_s=max(rate, size / innovation.time_s))

    def _consistent_rate(self, now_s: float) -> float | None:
        """How fast enough recent ones drift along one straight line, m/s; None where they do not."""
        fixes, p = self._set_aside, self._parameters
        if len(fixes) < p.readmit_fixes or now_s - fixes[0].time_s > p.readmit_window_s:
            return None
        times = np.array([fix.time_s for fix in fixes])
        values = np.array([fix.value_m for fix in fixes])
        noise = np.max([fix.sigma_m for fix in fixes], axis=0)
        line = np.polynomial.polynomial.polyfit(times - times.mean(), values, 1)
        left = values - line[0] - np.outer(times - times.mean(), line[1])
        rate = float(np.linalg.norm(line[1]))
        agree = bool(np.all(np.abs(left) <= p.readmit_scatter_sigma * noise)) and rate <= p.readmit_rate_m_s
        return rate if agree else None
