"""The guidance node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.guidance import Guidance


def main() -> None:
    """Run the node."""
    serve(Guidance)
