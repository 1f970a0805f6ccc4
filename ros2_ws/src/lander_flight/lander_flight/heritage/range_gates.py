"""How historical navigation judged its altimeter."""

from __future__ import annotations

from typing import Annotated, Literal

from pydantic import Field

from lander_common.mission import Positive
from lander_flight.range_gate import Innovation, Judgement, Verdict
from lander_runtime.config import Parameters


class LatchingGateParameters(Parameters):
    """When the latching gate gives the rangefinder up."""

    kind: Literal["latching"]
    settle_shots: Annotated[int, Field(ge=0)]  # taken as they are at first: they set the altitude
    limit_m: Positive  # a later range that disagrees by more is not believed
    in_a_row: Annotated[int, Field(ge=1)]  # so many of them end the use of the rangefinder


class LatchingGate:
    """HAKUTO-R Mission 1 (25 April 2023): a rangefinder that disagrees too much is held to be broken, for good.

    Known (ispace, 26 May 2023): over the rim of Atlas the rangefinder rightly measured that the ground fell by about 3 km.
    The software judged the difference to its own estimate as abnormal, filtered the rangefinder out from then on, and came
    down on an estimate of altitude that was about 5 km too low.
    Assumed: the limit, and how many ranges in a row had to be beyond it, more than a few noise pulses are, so that it is the rim
    that ends it; that the first ranges had set the altitude before.

    Intuitive Machines 2 (6 March 2025). Known: the altimeter was noisy from 30 km down and never got better. Assumed: that its
    ranges were given up.
    """

    def __init__(self, parameters: LatchingGateParameters) -> None:
        self._limit_m, self._most = parameters.limit_m, parameters.in_a_row
        self._settling = parameters.settle_shots
        self._beyond = 0  # in a row

    def judge(self, innovation: Innovation) -> Judgement:
        """Verdict; once enough ranges in a row were beyond the limit it is always the same."""
        size = abs(innovation.value_m)
        if self._settling > 0:
            self._settling -= 1
            return Judgement(Verdict.DEWEIGHTED, doubt_m=size)
        if self._beyond < self._most:
            self._beyond = self._beyond + 1 if size > self._limit_m else 0
        return Judgement(Verdict.REJECTED if self._beyond else Verdict.ACCEPTED)


class CredulousGateParameters(Parameters):
    """The credulous gate needs to know nothing."""

    kind: Literal["credulous"]


class CredulousGate:
    """Every valid range is believed, and the filter's own altitude gives way to it.

    HAKUTO-R Mission 2 (5 June 2025). Known (ispace, 24 June 2025): the first valid range came below 900 m, and the lander
    then braked as hard as it could, so it was believed at once. Assumed: that nothing else judged it.
    """

    def judge(self, innovation: Innovation) -> Judgement:
        """Believe it."""
        surprised = abs(innovation.value_m) > innovation.sigma_m
        return Judgement(Verdict.ACCEPTED, doubt_m=abs(innovation.value_m) if surprised else 0.0)
