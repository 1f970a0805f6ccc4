"""The throttle node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.throttle import Throttle


def main() -> None:
    """Run the node."""
    serve(Throttle)
