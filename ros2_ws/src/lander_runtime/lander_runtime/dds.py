"""Topics over DDS as bytes: publish, take and wait, with one wait set that is kept.

rclpy's executor builds its wait set anew for every message, which costs more than the message. The run's topics are
therefore outside the executor (`OwnLoop`), which serves what a node offers besides: parameters, lifecycle, services.
"""

from __future__ import annotations

import time
from collections.abc import Iterable, Iterator, Sequence
from contextlib import ExitStack
from importlib import import_module
from typing import Any

from rclpy.callback_groups import CallbackGroup
from rclpy.duration import Duration
from rclpy.impl.implementation_singleton import rclpy_implementation as _rclpy
from rclpy.node import Node as RosNode
from rclpy.qos import DurabilityPolicy, HistoryPolicy, QoSProfile, ReliabilityPolicy

from lander_runtime.architecture import QosProfile, Topic
from lander_runtime.messages import NANOSECONDS


class OwnLoop(CallbackGroup):
    """A group that no executor ever executes: its entities are taken from by their owner's own loop."""

    def can_execute(self, entity: Any) -> bool:
        return False

    def beginning_execution(self, entity: Any) -> bool:
        return False

    def ending_execution(self, entity: Any) -> None:
        """Nothing was begun."""


def ros_type(name: str) -> Any:
    """The class that rclpy knows a message type by: `std_msgs/msg/Header` is `std_msgs.msg.Header`."""
    package, kind, cls = name.split("/")
    return getattr(import_module(f"{package}.{kind}"), cls)


def ros_qos(profile: QosProfile) -> QoSProfile:
    """rclpy's form of a named profile."""
    return QoSProfile(
        history=HistoryPolicy.KEEP_LAST,
        depth=profile.depth,
        reliability=ReliabilityPolicy[profile.reliability.upper()],
        durability=DurabilityPolicy[profile.durability.upper()],
    )


class Link:
    """A node's topics of the run."""

    def __init__(self, node: RosNode, published: Iterable[Topic], subscribed: Iterable[Topic]) -> None:
        group = OwnLoop()
        self._node = node
        self._publishers = {
            topic.key: node.create_publisher(ros_type(topic.type), topic.name, ros_qos(topic.qos))
            for topic in published
        }
        self._subscriptions = {
            topic.key: node.create_subscription(
                ros_type(topic.type), topic.name, _never, ros_qos(topic.qos), callback_group=group, raw=True
            )
            for topic in subscribed
        }
        self._stack = ExitStack()
        self._wait_set = self._keep_handles()

    def _keep_handles(self) -> Any:
        context = self._node.context.handle
        self._stack.enter_context(context)
        for subscription in self._subscriptions.values():
            self._stack.enter_context(subscription.handle)
        wait_set = _rclpy.WaitSet(len(self._subscriptions), 0, 0, 0, 0, 0, context)
        self._stack.enter_context(wait_set)
        return wait_set

    def publish(self, key: str, data: bytes) -> None:
        """Publish the CDR bytes of a message."""
        self._publishers[key].publish(data)

    def take(self, key: str) -> bytes | None:
        """The next message of a topic, or None."""
        subscription = self._subscriptions[key]
        taken = subscription.handle.take_message(subscription.msg_type, True)
        return None if taken is None else taken[0]

    def drain(self, keys: Iterable[str] | None = None) -> Iterator[tuple[str, bytes]]:
        """Everything that has arrived on the topics (on all of them by default), topic by topic."""
        for key in self._subscriptions if keys is None else keys:
            while (data := self.take(key)) is not None:
                yield key, data

    def wait(self, keys: Sequence[str], timeout_s: float) -> None:
        """Sleep until one of the topics has a message, or the time is over."""
        self._wait_set.clear_entities()
        for key in keys:
            self._wait_set.add_subscription(self._subscriptions[key].handle)
        self._wait_set.wait(int(timeout_s * NANOSECONDS))

    def subscriber_count(self, key: str) -> int:
        """Subscribers that a publisher has been matched with."""
        return int(self._publishers[key].get_subscription_count())

    def publisher_count(self, key: str) -> int:
        """Publishers that a subscription has been matched with."""
        return int(self._subscriptions[key].get_publisher_count())

    def wait_for_acknowledgements(self, timeout_s: float) -> None:
        """Wait until every reliable subscriber has what was published, at most so long in all."""
        deadline = time.monotonic() + timeout_s
        for publisher in self._publishers.values():
            left_s = deadline - time.monotonic()
            if left_s > 0.0 and publisher.get_subscription_count():
                publisher.wait_for_all_acked(Duration(seconds=left_s))

    def close(self) -> None:
        """Let go of the handles."""
        self._stack.close()


def _never(_data: bytes) -> None:
    """Subscriptions of `OwnLoop` have no callback."""
