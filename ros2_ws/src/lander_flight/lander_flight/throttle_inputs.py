"""What the throttle takes from its inputs, checked: nothing that is not finite gets further than this."""

from __future__ import annotations

from dataclasses import dataclass
from math import isfinite
from typing import Any

from lander_common.quaternion import Quaternion, Vector, from_rotation_vector, multiply, normalised
from lander_runtime.messages import stamp_ns

_RATE_LIMIT_RAD_S = 100.0  # beyond anything a lander can turn with or a gyro can measure: a broken message


@dataclass(frozen=True, slots=True)
class Command:
    """What guidance wants, as of its stamp."""

    stamp_ns: int
    phase: int
    q_mci_body: Quaternion
    w_body: Vector  # rad/s, feed-forward
    thrust_n: float
    main_engine: bool
    assist_engines: bool
    low_rate: bool

    @property
    def fires(self) -> bool:
        """Whether any engine may fire."""
        return self.main_engine or self.assist_engines

    def attitude(self, now_ns: int) -> Quaternion:
        """Attitude wanted now: turned on since the stamp with the feed-forward rate."""
        if self.w_body == (0.0, 0.0, 0.0) or now_ns == self.stamp_ns:
            return self.q_mci_body
        return turned(self.q_mci_body, self.w_body, (now_ns - self.stamp_ns) * 1e-9)


def turned(q_mci_body: Quaternion, w_body: Vector, time_s: float) -> Quaternion:
    """Attitude after turning for a time at a constant body rate."""
    return multiply(q_mci_body, from_rotation_vector((w_body[0] * time_s, w_body[1] * time_s, w_body[2] * time_s)))


def read_quaternion(values: Any) -> Quaternion | None:
    """A quaternion from an array, or None where it is not of unit length (not finite, all zero)."""
    x, y, z, w = values.tolist()
    return (x, y, z, w) if 0.999 < x * x + y * y + z * z + w * w < 1.001 else None  # false for NaN too


def read_rate(values: Any) -> Vector | None:
    """A body rate from an array, rad/s, or None where it can be none."""
    x, y, z = values.tolist()
    return (x, y, z) if x * x + y * y + z * z < _RATE_LIMIT_RAD_S**2 else None


def read_command(message: Any) -> Command | None:
    """A command from a GuidanceCommand, or None where it says nothing that can be obeyed."""
    q_mci_body, w_body = read_quaternion(message.q_mci_body_command), read_rate(message.w_mci_body_command)
    if q_mci_body is None or w_body is None or not isfinite(message.thrust_n):
        return None
    return Command(
        stamp_ns(message),
        int(message.phase),
        normalised(q_mci_body),
        w_body,
        float(message.thrust_n),
        bool(message.main_engine),
        bool(message.assist_engines),
        bool(message.low_rate),
    )
