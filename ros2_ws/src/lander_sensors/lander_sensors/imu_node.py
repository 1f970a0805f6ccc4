"""The imu node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_common.views import imu_data
from lander_sensors.imu import Imu


def main() -> None:
    """Run the node."""
    serve(Imu, views={"imu_data": imu_data})
