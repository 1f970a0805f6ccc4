"""Events of engines, tanks and ticks."""

from __future__ import annotations

from lander_runtime.messages import Message, SimEvent
from lander_world import thrusters
from lander_world.world import World

_TANKS = ("main_tank", "rcs_tank")


class VehicleEvents:
    """Remembers what was, and says what has changed."""

    def __init__(self, world: World, powered_s: float) -> None:
        self._world = world
        self._powered_s = powered_s
        self._low_rate = False
        self._main_open = False
        self._dry = [False] * len(_TANKS)
        self._refused = False

    def watch(self, step_s: float) -> list[Message]:
        """Events of the tick that has just been moved, which was `step_s` long."""
        return self._main_engine() + self._tanks() + self._valves() + self._tick_length(step_s)

    def _main_engine(self) -> list[Message]:
        is_open = bool(self._world.plant.engines[0, thrusters.OPEN_FOR] > 0.0)
        if is_open == self._main_open:
            return []
        self._main_open = is_open
        left_kg = float(self._world.plant.tanks[0])
        kind = "main_engine_on" if is_open else "main_engine_off"
        return [event(kind, "main_engine", left_kg, "kg of usable propellant left")]

    def _tanks(self) -> list[Message]:
        events = []
        for i, name in enumerate(_TANKS):
            if self._world.plant.tanks[i] == 0.0 and not self._dry[i]:
                self._dry[i] = True
                events.append(event("tank_dry", name, 0.0, "kg of usable propellant left"))
        return events

    def _valves(self) -> list[Message]:
        if not self._world.refused or self._refused:
            return []
        self._refused = True
        text = "valve commands below the minimum on-time, not obeyed; said once"
        return [event("pulse_too_short", "valves", float(self._world.refused), text)]

    def _tick_length(self, step_s: float) -> list[Message]:
        low_rate = step_s > self._powered_s
        if low_rate == self._low_rate:
            return []
        self._low_rate = low_rate
        return [event("low_rate_on" if low_rate else "low_rate_off", "tick", step_s, "s, length of the tick")]


def event(kind: str, subject: str, value: float, text: str) -> Message:
    """A SimEvent."""
    return SimEvent(kind=kind, subject=subject, value=value, text=text)
