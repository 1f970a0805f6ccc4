"""Fly a mission in this process: no ROS, no sockets, no threads.

`from lander_tools import fly` must cost nothing, and must work where nothing is installed yet (the set-up is in this
package too): what flies is imported when something flies.
"""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from contextlib import closing
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from lander_common.mission import Mission
    from lander_runtime.conductor import LostNode
    from lander_runtime.inprocess import Observer
    from lander_runtime.messages import Message


@dataclass(frozen=True)
class Flight:
    """What came of a flight."""

    result: Message | None  # lander_interfaces/msg/LandingResult; None where the flight was broken off
    digest: str
    ticks: int
    sim_time_s: float
    nodes_lost: tuple[LostNode, ...] = ()
    recording_failure: str = ""  # why the bag ends early, or there is none


def fly(
    scenario: str = "nominal",
    seed: int = 1,
    choices: Mapping[str, str] | None = None,
    settings: Mapping[str, str] | None = None,
    observers: Sequence[Observer] = (),
    record: Path | None = None,
    stop_after_s: float = 0.0,
) -> Flight:
    """Fly a scenario to its end, or break it off after so many seconds of flight (0: never).

    `scenario`, `choices` and `settings` as in `lander_common.mission.resolve`; `record`: folder of the bag to be written.
    Raises ConfigError where the description is wrong; a bag that cannot be written does not stop the flight.
    """
    from lander_common.mission import resolve

    return fly_mission(resolve(scenario, seed, choices, settings), observers, record, stop_after_s)


def fly_mission(
    mission: Mission, observers: Sequence[Observer] = (), record: Path | None = None, stop_after_s: float = 0.0
) -> Flight:
    """Fly a resolved mission; the rest as in `fly`."""
    from lander_tools.in_process import InProcessFlight

    with closing(InProcessFlight(mission, observers, record, stop_after_s)) as flight:
        while not flight.finished:
            flight.step()
    return flight.outcome()
