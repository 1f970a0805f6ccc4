"""A process that has loaded what nodes need, and waits to be told which of them to become.

A node that dies by the wall clock is away for as long as its successor takes to start, and most of that is imports,
compiled code, and up to three seconds until DDS has discovered a new participant. The launch runner therefore keeps one
spare: `python -m lander_tools.spare CONFIGURATION SEED`. It becomes a node when it reads its command line, words in JSON,
from its standard input, and leaves when that is closed.
"""

from __future__ import annotations

import json
import os
import runpy
import sys
from importlib import import_module

from lander_common.mission import resolve
from lander_runtime import real_time
from lander_runtime.architecture import architecture
from lander_runtime.ros_host import be_discovered
from lander_tools.in_process import InProcessFlight

_STEPS = 20  # of a flight, in which nearly all compiled code is loaded


def warm_up(configuration: str, seed: int) -> None:
    """Load what the nodes of a run will need."""
    mission = resolve(configuration, seed)
    for name in mission.scenario.members:
        import_module(f"{architecture().nodes[name].package}.{name}_node")
    flight = InProcessFlight(mission)
    for _ in range(_STEPS):
        flight.step()


def main(configuration: str, seed: str) -> None:
    """Wait, and become a node."""
    real_time.take(real_time.LAST)  # which the threads of DDS keep
    # Kept: the participant lasts as long as this node, or the one that this process becomes.
    _waiting = be_discovered(f"_spare_{os.getpid()}")
    real_time.rest()
    warm_up(configuration, int(seed))
    line = sys.stdin.readline()
    if not line:
        return
    real_time.take(real_time.LAST)
    told = json.loads(line)
    os.environ.update(told["environment"])
    sys.argv = told["words"]
    runpy.run_path(sys.argv[0], run_name="__main__")


if __name__ == "__main__":
    main(*sys.argv[1:])
