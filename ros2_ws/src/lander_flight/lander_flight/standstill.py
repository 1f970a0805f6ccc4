"""Knowing that the lander stands on the ground, from its own switches, guidance and inertial measurements."""

from __future__ import annotations

from math import degrees, sqrt
from typing import Any

from lander_common.moon import GM_M3_S2
from lander_flight.payload_parameters import Standstill
from lander_runtime.messages import GuidanceCommand


class StandstillDetector:
    """Says when the lander came to stand; it takes contact, guidance's phase and stillness together for some time.

    Stillness is judged by rates and by the specific force being that of gravity, not by the velocity, which drifts.
    """

    def __init__(self, parameters: Standstill, radius_m: float) -> None:
        """`radius_m`: of the Moon at the site."""
        self._parameters = parameters
        self._gravity_m_s2 = GM_M3_S2 / radius_m**2
        self._since_ns: int | None = None
        self.touchdown_ns: int | None = None  # when it came to stand

    def step(self, now_ns: int, navigation: Any, guidance: Any, telemetry: Any) -> None:
        """Take in the newest messages, each of which may be None."""
        if self.touchdown_ns is not None:
            return
        if navigation is None or guidance is None or telemetry is None:
            self._since_ns = None
            return
        if not (self._touches(guidance, telemetry) and self._still(navigation)):
            self._since_ns = None
            return
        if self._since_ns is None:
            self._since_ns = now_ns
        if now_ns - self._since_ns >= round(self._parameters.lasting_s * 1e9):
            self.touchdown_ns = self._since_ns

    def _touches(self, guidance: Any, telemetry: Any) -> bool:
        pressed = int(telemetry.contact.sum())
        return bool(guidance.phase == GuidanceCommand.TOUCHDOWN and pressed >= self._parameters.legs)

    def _still(self, navigation: Any) -> bool:
        force = _length(navigation.specific_force_body)
        return (
            degrees(_length(navigation.w_mci_body)) < self._parameters.rate_deg_s
            and abs(force - self._gravity_m_s2) < self._parameters.specific_force_tolerance_m_s2
        )


def _length(vector: Any) -> float:
    x, y, z = vector.tolist()
    return sqrt(x * x + y * y + z * z)
