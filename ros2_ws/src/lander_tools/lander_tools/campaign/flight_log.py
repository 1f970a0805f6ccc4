"""What the retelling needs of a flight, kept at 10 Hz."""

from __future__ import annotations

from dataclasses import dataclass, field
from math import nan

import numpy as np
from numpy.typing import NDArray

from lander_common.moon import ROTATION_RATE_RAD_S
from lander_common.quaternion import rotate
from lander_runtime.messages import Message
from lander_runtime.subsystem import Tick

Array = NDArray[np.float64]

COLUMNS = (
    "time_s",
    "altitude_m",  # true, of the pads over the ground
    "down_m_s",  # true
    "across_m_s",  # true, over the ground
    "believed_altitude_m",
    "thrust_n",
    "propellant_kg",
    "phase",
    "range_valid",
    "tilt_deg",
    "redesignations",  # of the target, so far
)


@dataclass
class FlightLog:
    """An observer of a run in this process; `column` gives what it kept."""

    rows: list[tuple[float, ...]] = field(default_factory=list)
    _latest: dict[str, Message] = field(default_factory=dict)

    def __call__(self, tick: Tick, key: str, message: Message, _data: bytes) -> None:
        """Take in what was published."""
        if key in ("truth", "navigation_state", "range"):
            self._latest[key] = message
        elif key == "guidance_command" and len(self._latest) > 1:
            self.rows.append(self._row(tick, message))

    def column(self, name: str) -> Array:
        """A quantity over the flight, shape (n,)."""
        return np.array([row[COLUMNS.index(name)] for row in self.rows])

    def _row(self, tick: Tick, command: Message) -> tuple[float, ...]:
        truth, navigation = self._latest["truth"], self._latest["navigation_state"]
        measured = self._latest.get("range")
        return (
            tick.time_s,
            truth.altitude_m,
            *_speeds(truth),
            navigation.altitude_m,
            truth.main_thrust_n + truth.assist_thrust_n,
            truth.propellant_kg,
            float(command.phase),
            nan if measured is None else float(measured.valid),
            _tilt_deg(truth),
            float(command.redesignations),
        )


def _speeds(truth: Message) -> tuple[float, float]:
    """Speed down and across, m/s, along the local vertical and over the ground."""
    up = truth.r_lander_mci / np.linalg.norm(truth.r_lander_mci)
    ground = truth.v_lander_mci - np.cross((0.0, 0.0, ROTATION_RATE_RAD_S), truth.r_lander_mci)
    climb = float(ground @ up)
    return -climb, float(np.linalg.norm(ground - climb * up))


def _tilt_deg(truth: Message) -> float:
    """Of the thrust axis from the local vertical."""
    up = truth.r_lander_mci / np.linalg.norm(truth.r_lander_mci)
    axis = np.array(rotate(tuple(truth.q_mci_body.tolist()), (0.0, 0.0, 1.0)))
    return float(np.degrees(np.arccos(np.clip(axis @ up, -1.0, 1.0))))
