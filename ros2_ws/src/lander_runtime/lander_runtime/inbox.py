"""What a node has received: which message each input has at a tick.

The rule is the same for every transport. At tick k an input holds the newest message with a tick number of at most k
(k - 1 for a delayed input); a message that arrives early waits for its tick.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from lander_runtime.architecture import EVERY_TICK, Input, Node
from lander_runtime.messages import Message
from lander_runtime.subsystem import Inputs

Decoder = Callable[[Any], Message]


class SequenceGapError(RuntimeError):
    """A message that must have been published never arrived: the transport lost it."""


class InputQueue:
    """Messages of one input, in tick order. They may wait in encoded form: only those that are used are decoded."""

    __slots__ = ("_decode", "_pending", "current", "current_tick", "newest_tick", "port")

    def __init__(self, port: Input, decode: Decoder | None = None) -> None:
        self.port = port
        self._decode = decode
        self._pending: deque[tuple[int, Any]] = deque()
        self.current: Message | None = None
        self.current_tick = -1
        self.newest_tick = -1

    def put(self, tick: int, message: Any) -> None:
        """Take in a message. One that is not newer than what is here already is dropped (a repeated delivery)."""
        if tick > self.newest_tick:
            self._pending.append((tick, message))
            self.newest_tick = tick

    def advance(self, tick: int) -> bool:
        """Make the newest message that belongs to `tick` current; True if that is a new one."""
        pending, newest = self._pending, None
        limit = tick - 1 if self.port.delayed else tick
        while pending and pending[0][0] <= limit:
            self.current_tick, newest = pending.popleft()
        if newest is None:
            return False
        self.current = self._decode(newest) if self._decode else newest
        return True

    def check_contiguous(self, tick: int) -> None:
        """Raise SequenceGapError if `tick` is not the next one of a topic that is published at every tick."""
        if self.port.topic.period_ns == EVERY_TICK and self.newest_tick >= 0 and tick > self.newest_tick + 1:
            name = self.port.topic.name
            raise SequenceGapError(
                f"{name}: tick {tick} came after {self.newest_tick}: messages between them were lost"
            )


class Inbox:
    """All inputs of a node."""

    def __init__(self, node: Node, decoder: Callable[[str], Decoder] | None = None) -> None:
        self.queues = {
            port.topic.key: InputQueue(port, decoder(port.topic.type) if decoder else None)
            for port in node.gating_inputs
        }
        self._latest: dict[str, Message | None] = dict.fromkeys(self.queues)
        self._fresh: set[str] = set()
        self._inputs = Inputs(self._latest, self._fresh)

    def advance(self, tick: int) -> Inputs:
        """Inputs of the node for a tick."""
        self._fresh.clear()
        for key, queue in self.queues.items():
            if queue.advance(tick):
                self._fresh.add(key)
                self._latest[key] = queue.current
        return self._inputs
