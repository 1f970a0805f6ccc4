"""The rangefinder node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_sensors.rangefinder import Rangefinder


def main() -> None:
    """Run the node."""
    serve(Rangefinder)
