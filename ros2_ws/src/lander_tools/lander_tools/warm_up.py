"""Fill numba's cache and make the nominal maps, so that no node has to compile in flight: part of the set-up.

Whole nominal flights in this process, with the camera for hazard detection and for terrain-relative navigation, call every
compiled function of theirs with the types that it is called with in flight. A node that compiled in flight would pass for lost.
"""

from __future__ import annotations

import sys

from lander_common.mission import resolve
from lander_tools.in_process import InProcessFlight

SCENARIOS = ("nominal_hazards", "nominal_trn")
_REPORT_EVERY_TICKS = 2500


def main() -> None:
    """Fly, saying how far it is."""
    for scenario in SCENARIOS:
        _fly(scenario)


def _fly(scenario: str) -> None:
    flight = InProcessFlight(resolve(scenario, seed=1))
    while not flight.finished:
        flight.step()
        if flight.tick.seq % _REPORT_EVERY_TICKS == 0:
            sys.stdout.write(f"{scenario}: {flight.tick.time_s:.0f} s of a flight\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
