"""The navigation node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.navigation import Navigation


def main() -> None:
    """Run the node."""
    serve(Navigation)
