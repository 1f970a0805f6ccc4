"""What a node has received: which message each input has at a tick.

The rule is the same for every transport. At tick k an input holds the newest message with a tick number of at most k
(k - 1 for a delayed input); a message that arrives early waits for its tick. Where the scenario has faults of the topic,
they act here: what counts for the lockstep is what arrived, what counts for the node is what the faults leave of it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable
from typing import Any

from lander_runtime.architecture import Input, Node
from lander_runtime.faults import NO_FAULTS, FaultPlan
from lander_runtime.messages import Message
from lander_runtime.subsystem import Inputs
from lander_runtime.topic_faults import Channel, Passing

Decoder = Callable[[Any], Message]


class SequenceGapError(RuntimeError):
    """A message that must have been published never arrived: the transport lost it."""


class InputQueue:
    """Messages of one input, in tick order. They may wait in encoded form: only those that are used are decoded."""

    __slots__ = ("_decode", "current", "current_tick", "newest_tick", "port", "waiting")

    def __init__(self, port: Input, decode: Decoder | None = None) -> None:
        self.port = port
        self._decode = decode
        self.waiting: deque[Any] = deque()  # what has come and is not current yet
        self.current: Message | None = None
        self.current_tick = -1
        self.newest_tick = -1

    def put(self, tick: int, message: Any) -> None:
        """Take in a message. One that is not newer than what is here already is dropped (a repeated delivery)."""
        if tick > self.newest_tick:
            self.waiting.append((tick, message))
            self.newest_tick = tick

    def advance(self, tick: int, now_ns: int) -> bool:
        """Make the newest message that belongs to `tick`, which ends at `now_ns`, current; True if that is a new one."""
        waiting, newest = self.waiting, None
        limit = tick - 1 if self.port.delayed else tick
        while waiting and waiting[0][0] <= limit:
            self.current_tick, newest = waiting.popleft()
        if newest is None:
            return False
        self.current = self._decode(newest) if self._decode else newest
        return True

    def check_arrived(self, due: int) -> None:
        """Raise SequenceGapError if later messages than that of a tick have come, but not that one; after `advance`."""
        if self.current_tick != due and self.newest_tick >= due:
            name = self.port.topic.name
            raise SequenceGapError(f"{name}: the message of tick {due} is missing, and {self.newest_tick} has come")


class FaultyQueue(InputQueue):
    """Messages of an input whose topic suffers faults."""

    __slots__ = ("_channel",)

    def __init__(self, port: Input, decode: Decoder | None, channel: Channel) -> None:
        super().__init__(port, decode)
        self._channel = channel

    def put(self, tick: int, message: Any) -> None:
        """Take in a message: it counts as arrived, whatever the faults make of it."""
        if tick > self.newest_tick:
            self.newest_tick = tick
            self.waiting += self._channel.carry(tick, self._decode(message) if self._decode else message)

    def advance(self, tick: int, now_ns: int) -> bool:
        """As for a sound topic, among the messages that the faults let through by now."""
        limit = tick - 1 if self.port.delayed else tick
        due: list[Passing] = [each for each in self.waiting if each.tick <= limit and each.at_ns <= now_ns]
        if not due:
            return False
        self.waiting = deque(each for each in self.waiting if each not in due)
        newest = max(due, key=lambda passing: passing.tick)
        if newest.tick <= self.current_tick:
            return False
        self.current_tick, self.current = newest.tick, newest.message
        return True

    def check_arrived(self, due: int) -> None:
        """Nothing is certain of a topic that suffers faults."""


class Inbox:
    """All inputs of a node."""

    def __init__(
        self, node: Node, decoder: Callable[[str], Decoder] | None = None, plan: FaultPlan = NO_FAULTS
    ) -> None:
        self.queues = {
            port.topic.key: _queue(port, decoder(port.topic.type) if decoder else None, plan)
            for port in node.gating_inputs
        }
        self._latest: dict[str, Message | None] = dict.fromkeys(self.queues)
        self._fresh: set[str] = set()
        self._inputs = Inputs(self._latest, self._fresh)

    def advance(self, tick: int, now_ns: int) -> Inputs:
        """Inputs of the node for a tick that ends at `now_ns`."""
        self._fresh.clear()
        for key, queue in self.queues.items():
            if queue.waiting and queue.advance(tick, now_ns):
                self._fresh.add(key)
                self._latest[key] = queue.current
        return self._inputs


def _queue(port: Input, decode: Decoder | None, plan: FaultPlan) -> InputQueue:
    faults = plan.of_topic(port.topic.key)
    return FaultyQueue(port, decode, Channel(faults)) if faults else InputQueue(port, decode)
