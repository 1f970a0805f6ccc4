"""The height of a historical inertial navigation, which ran away from the truth where nothing corrected it."""

from __future__ import annotations

import numpy as np

from lander_common.mission import Positive
from lander_flight.inertial_filter import InertialFilter
from lander_runtime.config import Parameters


class InertialDriftParameters(Parameters):
    """How fast the height runs away, and how far."""

    climb_m_s: float  # believed less true
    most_m: Positive  # it grows no further than this without a range


class InertialDrift:
    """Moves the believed position along the vertical while no range is used.

    Known: how far the believed altitude was off at the end (HAKUTO-R M1: about 5 km too low, of which the ground's step
    explains 3; M2: too high by 0.6 to 2 km, from where the lander was when it should have been at 66 m/s; IM-1: 100 m
    too high). Why is not published: initial state, accelerometers, or the model of the ground. Assumed: that it grew
    evenly. The velocity is left alone.
    """

    def __init__(self, parameters: InertialDriftParameters) -> None:
        self._climb_m_s, self._most_m = parameters.climb_m_s, parameters.most_m
        self._grown_m = 0.0

    def grow(self, filter_: InertialFilter, step_s: float) -> None:
        """Let it grow over a time."""
        if abs(self._grown_m) >= self._most_m:
            return
        r = filter_.nav[:3]
        r += self._climb_m_s * step_s * r / np.linalg.norm(r)
        self._grown_m += self._climb_m_s * step_s

    def forget(self) -> None:
        """A range has corrected the height: the drift begins anew."""
        self._grown_m = 0.0
