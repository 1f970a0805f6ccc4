"""Faults of the vehicle, put into the world before each tick; and an event for each fault that begins or ends."""

from __future__ import annotations

from typing import TypeVar

import numpy as np
from numpy.typing import NDArray

from lander_common.faults import vehicle as faults
from lander_common.faults.base import Fault
from lander_common.faults.injection import Injection
from lander_common.mission import Mission
from lander_runtime.messages import Message
from lander_runtime.subsystem import Tick
from lander_world.engine_faults import EngineFaults
from lander_world.plant import Plant
from lander_world.vehicle_events import event

Array = NDArray[np.float64]
Kind = TypeVar("Kind", bound=Fault)


class WorldFaults:
    """Engines, tanks and body. A run without such faults is not touched."""

    def __init__(self, mission: Mission, plant: Plant) -> None:
        self._injections = [one for subject in ("engine", "tank", "vehicle") for one in mission.faults_of(subject)]
        self._engines = EngineFaults(plant, mission.vehicle)
        self._plant = plant
        self.pressure_fraction = 1.0  # of the regulated pressure of the main tanks

    def apply(self, tick: Tick, height_m: float, on_s: Array) -> Array:
        """Let the faults act on the tick that is about to be moved; return what is left of the open times, s."""
        if not self._injections:
            return on_s
        begin_ns = tick.stamp_ns - tick.step_ns
        active = [one.fault for one in self._injections if one.active(begin_ns, height_m)]
        for leak in _of(active, faults.Leak):
            self._plant.tanks[0] = max(0.0, self._plant.tanks[0] - leak.rate_kg_s * tick.step_s)
        self.pressure_fraction = 1.0
        for loss in _of(active, faults.PressureLoss):
            self.pressure_fraction *= loss.pressure_fraction
        return self._engines.apply(active, on_s)


class FaultEvents:
    """Says when each fault of the scenario begins and ends, whoever applies it."""

    def __init__(self, mission: Mission) -> None:
        faults_and_seeds = enumerate(mission.scenario.faults)
        self._injections = [Injection(index, fault, mission.seed) for index, fault in faults_and_seeds]
        self._active = [False] * len(self._injections)

    def watch(self, stamp_ns: int, height_m: float) -> list[Message]:
        """Events of the faults that have begun or ended since the last time; their value is the fault's number."""
        events = []
        for number, injection in enumerate(self._injections):
            active = injection.active(stamp_ns, height_m)
            if active != self._active[number]:
                self._active[number] = active
                fault, kind = injection.fault, "fault_on" if active else "fault_off"
                events.append(event(kind, fault.subject, float(number), f"number of the fault: {fault.kind}"))
        return events


def _of(active: list[Fault], kind: type[Kind]) -> list[Kind]:
    return [fault for fault in active if isinstance(fault, kind)]
