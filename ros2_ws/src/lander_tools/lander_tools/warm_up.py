"""Fill numba's cache and make the nominal maps, so that no node has to compile in flight: part of the set-up.

A whole nominal flight in this process with hazard detection, and most of one with terrain-relative navigation, call every
compiled function of theirs with the types that it is called with in flight. A node that compiled in flight would pass for lost.
"""

from __future__ import annotations

import sys

from lander_common.mission import resolve
from lander_tools.in_process import InProcessFlight

# Until when, s; 0: to the end. From 3 km down, at 680 s, images are matched with each other: nothing new is called after that.
SCENARIOS = {"nominal_hazards": 0.0, "nominal_trn": 700.0}
_REPORT_EVERY_TICKS = 2500


def main() -> None:
    """Fly, saying how far it is."""
    for scenario, stop_after_s in SCENARIOS.items():
        _fly(scenario, stop_after_s)


def _fly(scenario: str, stop_after_s: float) -> None:
    flight = InProcessFlight(resolve(scenario, seed=1), stop_after_s=stop_after_s)
    while not flight.finished:
        flight.step()
        if flight.tick.seq % _REPORT_EVERY_TICKS == 0:
            sys.stdout.write(f"{scenario}: {flight.tick.time_s:.0f} s of a flight\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
