"""The camera node."""

from __future__ import annotations

from lander_common.hosting import serve
from lander_common.views import camera_image, camera_info
from lander_sensors.camera import Camera


def main() -> None:
    """Run the node."""
    serve(Camera, views={"camera_image": camera_image, "camera_info": camera_info})
