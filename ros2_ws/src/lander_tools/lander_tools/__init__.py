"""Tools around the lander: run, record, replay, report. `from lander_tools import fly` flies a landing in this process."""

from lander_tools.fly import Flight, fly

__all__ = ["Flight", "fly"]
