"""The node of terrain-relative navigation."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_flight.trn import Trn


def main() -> None:
    """Run the node."""
    serve(Trn)
