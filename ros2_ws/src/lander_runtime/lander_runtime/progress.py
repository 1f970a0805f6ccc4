"""How a node says how far the run is: to a display that asked for it, or now and then to a reader of the log."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Callable, Mapping
from typing import Any

PREFIX = "[progress] "  # begins a line of output that is JSON for a display
DISPLAYED = "LANDER_PROGRESS"  # environment variable that a display sets for the processes that it starts
_DISPLAY_PERIOD_S, _LOG_PERIOD_S = 0.5, 10.0  # wall clock, between two reports


class Reporter:
    """Says how far the run is, not too often."""

    def __init__(self, log: Callable[[str], Any], clock: Callable[[], float] = time.monotonic) -> None:
        self._log = log
        self._clock = clock
        self._displayed = DISPLAYED in os.environ
        self._reported_at = clock()

    def report(self, values: Callable[[], Mapping[str, Any]]) -> None:
        """Report what `values` returns if it is time to; a display gets JSON, a log a readable line."""
        now = self._clock()
        if now - self._reported_at < (_DISPLAY_PERIOD_S if self._displayed else _LOG_PERIOD_S):
            return
        self._reported_at = now
        if self._displayed:
            sys.stdout.write(f"{PREFIX}{json.dumps(dict(values()))}\n")
            sys.stdout.flush()
        else:
            self._log(", ".join(f"{name} {_readable(value)}" for name, value in values().items()))


def _readable(value: Any) -> str:
    return f"{value:.1f}" if isinstance(value, float) else str(value)
