"""What navigation believes of a range: strategies that judge its innovation. The configuration chooses one."""

from __future__ import annotations

from collections import deque
from collections.abc import Sequence
from dataclasses import dataclass
from enum import IntEnum
from math import nan, sqrt
from statistics import median
from typing import Annotated, Literal, Protocol

from pydantic import Field

from lander_common.mission import Positive
from lander_runtime.config import Parameters

_GAUSSIAN = 1.4826  # standard deviation over median absolute deviation of a normal distribution


class Verdict(IntEnum):
    """What was made of a measurement; numbers as in lander_interfaces/msg/NavigationState."""

    NOT_USED = 0
    ACCEPTED = 1
    DEWEIGHTED = 2
    REJECTED = 3


@dataclass(frozen=True, slots=True)
class Innovation:
    """A measurement against what was expected of it, m along the beam."""

    time_s: float
    value_m: float  # measured less predicted
    sigma_m: float  # 1-sigma that the filter expects of it
    noise_m: float  # the part of that which is the device's own noise
    range_m: float = nan  # as measured


@dataclass(frozen=True, slots=True)
class Judgement:
    """What to do with a measurement."""

    verdict: Verdict
    deweight: float = 1.0  # its variance, as innovations go, is taken to be this much larger
    doubt_m: float = 0.0  # 1-sigma by which the filter's own altitude over the map is to be doubted first


class RangeGate(Protocol):
    """A strategy. It may remember what it has judged."""

    def judge(self, innovation: Innovation) -> Judgement:
        """Verdict on a valid measurement."""


class FrigorisGateParameters(Parameters):
    """An altimeter that disagrees is a hypothesis to test: never latched out, and believed when it keeps saying the same."""

    kind: Literal["frigoris"]
    accept_sigma: Positive  # up to here an innovation is taken at its full weight
    reject_sigma: Positive  # beyond, it is set aside for the moment; between the two its weight falls (Huber 1964)
    readmit_shots: Annotated[int, Field(ge=3)]  # so many in a row, set aside, that agree with each other ...
    readmit_scatter_sigma: Positive  # ... about their straight line, within so many of the device's own sigmas or ...
    readmit_scatter_fraction: Positive  # ... this fraction of what they disagree by with the filter ...
    readmit_rate_m_s: Positive  # ... and drift from the filter's prediction no faster than this ...
    readmit_window_s: Positive  # ... within this time: then it is the filter that is in doubt
    scatter_shots: Annotated[int, Field(ge=5)]  # over which the scatter of the innovations is looked at
    scatter_factor: Positive  # times their expected sigma: a larger scatter is taken for the device's noise
    scatter_most_m: Positive  # a scatter beyond this is no measurement
    scatter_accept_sigma: Positive  # of that scatter: beyond are outliers, which a noisy device has more of
    scatter_correlated_shots: Annotated[
        float, Field(ge=1)
    ]  # of a noisy device that count as one, for outliers lie to one side
    stuck_shots: Annotated[int, Field(ge=3)]  # so many ranges in a row that are the same: the device is stuck


class FrigorisGate:
    """Down-weights, sets aside and re-admits."""

    def __init__(self, parameters: FrigorisGateParameters) -> None:
        self._parameters = parameters
        self._set_aside: deque[Innovation] = deque(maxlen=parameters.readmit_shots)
        self._recent: deque[Innovation] = deque(maxlen=parameters.scatter_shots)
        self._same = 1  # ranges in a row that were the same

    def judge(self, innovation: Innovation) -> Judgement:
        """Verdict by the size of the innovation; a run of consistent ones that were set aside is re-admitted."""
        if self._is_stuck(innovation):
            self._set_aside.clear()
            return Judgement(Verdict.REJECTED)
        noisier = self._noisier(innovation)
        if noisier > 1.0:
            return self._judge_noisy(innovation, noisier)
        size = abs(innovation.value_m) / innovation.sigma_m
        if size <= self._parameters.accept_sigma:
            self._set_aside.clear()
            return Judgement(Verdict.ACCEPTED)
        if size <= self._parameters.reject_sigma:
            self._set_aside.clear()
            return Judgement(Verdict.DEWEIGHTED, deweight=size / self._parameters.accept_sigma)
        self._set_aside.append(innovation)
        if not self._consistent(innovation.time_s):
            return Judgement(Verdict.REJECTED)
        self._set_aside.clear()
        return Judgement(Verdict.DEWEIGHTED, doubt_m=abs(innovation.value_m))

    def _is_stuck(self, innovation: Innovation) -> bool:
        """Whether the last ranges were all the same, which noise and the descent do not allow."""
        last = self._recent[-1].range_m if self._recent else nan
        self._same = self._same + 1 if innovation.range_m == last else 1
        self._recent.append(innovation)
        return self._same >= self._parameters.stuck_shots

    def _noisier(self, innovation: Innovation) -> float:
        """How much the recent innovations scatter beyond what is expected of them; 1 where they do not."""
        p = self._parameters
        if len(self._recent) < p.scatter_shots or innovation.time_s - self._recent[0].time_s > p.readmit_window_s:
            return 1.0
        scatter_m = robust_sigma([shot.value_m for shot in self._recent])
        factor = scatter_m / innovation.sigma_m
        return factor if factor > p.scatter_factor and scatter_m < p.scatter_most_m else 1.0

    def _judge_noisy(self, innovation: Innovation, factor: float) -> Judgement:
        """A device noisier than it says still tells, by its many shots: each is given the weight of what it scatters."""
        p = self._parameters
        self._set_aside.clear()
        if abs(innovation.value_m) > p.scatter_accept_sigma * factor * innovation.sigma_m:
            return Judgement(Verdict.REJECTED)
        return Judgement(Verdict.DEWEIGHTED, deweight=factor * sqrt(p.scatter_correlated_shots))

    def _consistent(self, now_s: float) -> bool:
        """Whether enough recent ones lie on a line that hardly drifts from what inertial navigation predicts."""
        shots, p = self._set_aside, self._parameters
        if len(shots) < p.readmit_shots or now_s - shots[0].time_s > p.readmit_window_s:
            return False
        rate, scatter, mean = _straight_line(shots)
        noise = max(shot.noise_m for shot in shots)
        limit = max(p.readmit_scatter_sigma * noise, p.readmit_scatter_fraction * abs(mean))
        return abs(rate) <= p.readmit_rate_m_s and scatter <= limit


def robust_sigma(values: Sequence[float]) -> float:
    """Standard deviation by the median absolute deviation from the median (Hampel 1974): outliers hardly count."""
    middle = median(values)
    return _GAUSSIAN * median(abs(value - middle) for value in values)


def _straight_line(shots: deque[Innovation]) -> tuple[float, float, float]:
    """Rate, m/s, scatter about the line, m, and mean, m, of innovations over time (least squares)."""
    count = len(shots)
    mean_t = sum(shot.time_s for shot in shots) / count
    mean = sum(shot.value_m for shot in shots) / count
    moment = sum((shot.time_s - mean_t) ** 2 for shot in shots)
    rate = sum((shot.time_s - mean_t) * shot.value_m for shot in shots) / moment if moment > 0.0 else 0.0
    left = sum((shot.value_m - mean - rate * (shot.time_s - mean_t)) ** 2 for shot in shots)
    return rate, float((left / count) ** 0.5), mean
