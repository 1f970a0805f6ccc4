"""What a node has received: which messages it still waits for, and which one each input has at a tick.

The rule is the same for every transport. At tick k an input holds the newest message with a tick number of at most k
(k - 1 for a delayed input); a message that arrives early waits for its tick.
"""

from __future__ import annotations

from collections import deque

from lander_runtime.architecture import Input, Node
from lander_runtime.messages import Message
from lander_runtime.subsystem import Inputs


class InputQueue:
    """Messages of one input, in tick order."""

    __slots__ = ("_pending", "current", "current_tick", "newest_tick", "port")

    def __init__(self, port: Input) -> None:
        self.port = port
        self._pending: deque[tuple[int, Message]] = deque()
        self.current: Message | None = None
        self.current_tick = -1
        self.newest_tick = -1

    def put(self, tick: int, message: Message) -> None:
        """Take in a message. One that is not newer than what is here already is dropped (a repeated delivery)."""
        if tick > self.newest_tick:
            self._pending.append((tick, message))
            self.newest_tick = tick

    def advance(self, tick: int) -> bool:
        """Make the newest message that belongs to `tick` current; True if that is a new one."""
        limit = tick - 1 if self.port.delayed else tick
        moved = False
        while self._pending and self._pending[0][0] <= limit:
            self.current_tick, self.current = self._pending.popleft()
            moved = True
        return moved


class Inbox:
    """All inputs of a node."""

    def __init__(self, node: Node) -> None:
        self.queues = {port.topic.key: InputQueue(port) for port in node.inputs}

    def advance(self, tick: int) -> Inputs:
        """Inputs of the node for a tick."""
        fresh = {key for key, queue in self.queues.items() if queue.advance(tick)}
        return Inputs({key: queue.current for key, queue in self.queues.items()}, fresh)
