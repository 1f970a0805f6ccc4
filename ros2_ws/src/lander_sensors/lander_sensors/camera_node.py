"""The camera node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_sensors.camera import Camera


def main() -> None:
    """Run the node."""
    serve(Camera)
