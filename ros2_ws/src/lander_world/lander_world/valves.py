"""From throttle commands to valve open times, also when commands fail to come."""

from __future__ import annotations

from math import inf

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Vehicle
from lander_runtime.messages import Message, stamp_ns
from lander_runtime.subsystem import Inputs, Tick

Array = NDArray[np.float64]


class ValveDrivers:
    """Open times of all valves: main engine, assist thrusters, RCS thrusters.

    Without a fresh command, valves that were told to stay open do so until the command is too old; pulses are not
    repeated.
    """

    def __init__(self, vehicle: Vehicle, hold_s: float) -> None:
        self._assist = slice(1, 1 + vehicle.assist.count)
        self._rcs = slice(1 + vehicle.assist.count, 1 + vehicle.assist.count + len(vehicle.rcs.thrusters))
        self._hold_ns = round(hold_s * 1e9)
        self._previous_step_s = 0.0
        self._on_s = np.zeros(self._rcs.stop)

    def open_times(self, tick: Tick, inputs: Inputs) -> Array:
        """Open times, s, for the tick; infinity: stays open. Raises ValueError for a command to other thrusters."""
        command = inputs.fresh("throttle_command")
        if command is not None:
            self._take(command)
        else:
            self._hold(tick, inputs.latest("throttle_command"))
        self._previous_step_s = tick.step_s
        return self._on_s

    def _take(self, command: Message) -> None:
        self._on_s[0] = inf if command.main_engine else 0.0
        self._on_s[self._assist] = command.assist_on_s
        self._on_s[self._rcs] = command.rcs_on_s

    def _hold(self, tick: Tick, last: Message | None) -> None:
        too_old = last is None or tick.stamp_ns - tick.step_ns - stamp_ns(last) > self._hold_ns
        stays_open = self._on_s >= self._previous_step_s - 1e-9
        self._on_s[:] = np.where(stays_open & (not too_old), inf, 0.0)
