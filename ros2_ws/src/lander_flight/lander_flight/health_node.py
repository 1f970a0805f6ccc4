"""The health node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.health import Health


def main() -> None:
    """Run the node."""
    serve(Health)
