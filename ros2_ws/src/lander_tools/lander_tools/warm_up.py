"""Fill numba's cache and make the nominal map, so that no node has to compile in flight: part of the set-up.

A whole nominal flight in this process, with the camera and hazard detection, calls every compiled function of theirs with
the types that it is called with in flight. A node that compiled in flight would pass for lost.
"""

from __future__ import annotations

import sys

from lander_common.mission import resolve
from lander_tools.in_process import InProcessFlight

SCENARIO = "nominal_hazards"
_REPORT_EVERY_TICKS = 2500


def main() -> None:
    """Fly, saying how far it is."""
    flight = InProcessFlight(resolve(SCENARIO, seed=1))
    while not flight.finished:
        flight.step()
        if flight.tick.seq % _REPORT_EVERY_TICKS == 0:
            sys.stdout.write(f"{flight.tick.time_s:.0f} s of a flight\n")
            sys.stdout.flush()


if __name__ == "__main__":
    main()
