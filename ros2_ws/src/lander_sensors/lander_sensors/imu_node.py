"""The imu node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_sensors.imu import Imu


def main() -> None:
    """Run the node."""
    serve(Imu)
