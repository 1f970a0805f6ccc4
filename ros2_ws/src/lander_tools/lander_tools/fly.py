"""Fly a mission in this process: no ROS, no sockets, no threads."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from importlib import import_module

from lander_common.mission import Mission, resolve
from lander_runtime.architecture import architecture
from lander_runtime.inprocess import InProcessRun, Observer
from lander_runtime.messages import Message
from lander_runtime.subsystem import Subsystem, Tick
from lander_tools.make_map import ensure_map


@dataclass(frozen=True)
class Flight:
    """What came of a flight."""

    result: Message  # lander_interfaces/msg/LandingResult
    digest: str
    ticks: int
    sim_time_s: float


def subsystem(name: str, mission: Mission) -> Subsystem:
    """The subsystem of a node: class `PayloadManager` in module `payload_manager` of the node's package."""
    module = import_module(f"{architecture().nodes[name].package}.{name}")
    cls = getattr(module, "".join(word.capitalize() for word in name.split("_")))
    built: Subsystem = cls(mission)
    return built


class InProcessFlight:
    """A flight that is stepped by hand; `fly` flies one to its end."""

    def __init__(
        self,
        scenario: str,
        seed: int,
        choices: Mapping[str, str] | None = None,
        settings: Mapping[str, str] | None = None,
        observers: Sequence[Observer] = (),
    ) -> None:
        """Build every member. Raises ConfigError where the description is wrong."""
        self.mission = resolve(scenario, seed, choices, settings)
        ensure_map(self.mission)
        members = [subsystem(name, self.mission) for name in self.mission.scenario.members]
        self._results: list[Message] = []
        self._run = InProcessRun(members, [*observers, self._keep_result])

    @property
    def finished(self) -> bool:
        """Whether the flight is over."""
        return self._run.finished

    @property
    def tick(self) -> Tick:
        """The tick that was stepped last."""
        return self._run.tick

    def step(self) -> None:
        """One tick."""
        self._run.step()

    def outcome(self) -> Flight:
        """What came of it; to be asked when it is finished."""
        return Flight(self._results[-1], self._run.digest(), self.tick.seq + 1, self.tick.time_s)

    def _keep_result(self, _tick: Tick, key: str, message: Message, _data: bytes) -> None:
        if key == "result":
            self._results.append(message)


def fly(
    scenario: str = "nominal",
    seed: int = 1,
    choices: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
) -> Flight:
    """Fly a scenario to its end. Raises ConfigError where its description is wrong."""
    flight = InProcessFlight(scenario, seed, choices, settings, observers)
    while not flight.finished:
        flight.step()
    return flight.outcome()
