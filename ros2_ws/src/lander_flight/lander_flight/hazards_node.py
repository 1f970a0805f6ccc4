"""The node of hazard detection."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.hazards import Hazards


def main() -> None:
    """Run the node."""
    serve(Hazards)
