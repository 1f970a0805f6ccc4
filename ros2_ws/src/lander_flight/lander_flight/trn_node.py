"""The node of terrain-relative navigation; it also shows what it sees, to whoever looks."""

from __future__ import annotations

from typing import Any

import numpy as np
from numpy.typing import NDArray
from rclpy.lifecycle import LifecycleNode
from sensor_msgs.msg import Image

from lander_common.hosting import serve
from lander_flight.trn import Trn
from lander_flight.trn_picture import annotated
from lander_runtime.architecture import architecture
from lander_runtime.messages import Message

_DEPTH = 2  # of the publisher: pictures for people may be lost


class DebugImage:
    """Publishes each image with its matches, as long as anybody has subscribed; draws nothing otherwise."""

    def __init__(self, node: LifecycleNode, trn: Any) -> None:
        self._publisher = node.create_publisher(Image, architecture().topics["trn_debug"].name, _DEPTH)
        trn.watch = self.show

    def show(self, frame: Message, pixels: NDArray[np.uint8], fix: Message) -> None:
        """Draw and publish, if there is anybody to see it."""
        if not self._publisher.get_subscription_count():
            return
        picture = Image(height=pixels.shape[0], width=pixels.shape[1], encoding="bgr8", step=3 * pixels.shape[1])
        picture.header.frame_id = "camera_optical"
        picture.header.stamp.sec, picture.header.stamp.nanosec = frame.header.stamp.sec, frame.header.stamp.nanosec
        picture.data = annotated(pixels, fix).tobytes()
        self._publisher.publish(picture)


def main() -> None:
    """Run the node."""
    serve(Trn, offer=DebugImage)
