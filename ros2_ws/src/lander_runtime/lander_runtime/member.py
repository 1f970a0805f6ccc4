"""A node's part in a run over DDS, without DDS: what it knows of the ticks, and what it still waits for.

Sans-I/O: bytes go in, decisions come out, so the rules of lockstep are tested without a network. See
`lander_runtime.ros_host` for the loop around it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from functools import partial

from lander_runtime.architecture import EVERY_TICK, Architecture, Node
from lander_runtime.inbox import Decoder, Inbox
from lander_runtime.messages import Message, decode, peek_tick, stamp_ns
from lander_runtime.subsystem import Inputs, Tick

TICK = "tick"  # key of the topic that announces ticks


class Membership:
    """Who takes part in the run, and since or until when."""

    def __init__(self, members: Collection[str]) -> None:
        self._from_tick = dict.fromkeys(members, 0)  # first tick at which a member takes part
        self._lost_from: dict[str, int] = {}  # first tick at which a member takes no part any more

    def lose(self, name: str, from_tick: int) -> None:
        """A member takes no part from a tick on."""
        self._lost_from.setdefault(name, from_tick)

    def join(self, name: str, from_tick: int) -> None:
        """A member takes part (again) from a tick on."""
        self._lost_from.pop(name, None)
        self._from_tick[name] = from_tick

    def owes(self, name: str | None, tick: int) -> bool:
        """Whether consumers may wait for what `name` publishes at a tick."""
        if name is None or name not in self._from_tick or tick < self._from_tick[name]:
            return False
        return tick < self._lost_from.get(name, tick + 1)

    @property
    def present(self) -> list[str]:
        """Members that are not lost."""
        return [name for name in self._from_tick if name not in self._lost_from]


class Member:
    """One node's view of the run."""

    def __init__(self, node: Node, catalogue: Architecture, members: Collection[str]) -> None:
        self.node = node
        self.membership = Membership(members)
        self._publishers = {port.topic.key: catalogue.publisher_of(port.topic) for port in node.gating_inputs}
        self._inbox = Inbox(node, None if node.is_sink else decoder)
        self._announced: deque[Tick] = deque()
        self._due = dict.fromkeys(self._publishers, -1)  # newest tick at which each input was due
        self._due_before = dict(self._due)  # the same, as of the tick before
        self._considered = -1
        self.done = -1  # newest tick that is over for this node
        self.last_tick = False  # the newest announced tick is the run's last

    def on_tick(self, message: Message) -> None:
        """The conductor announced a tick."""
        if message.tick > self.newest_announced:
            self._announced.append(Tick(message.tick, stamp_ns(message), message.step_ns))
            self.last_tick = bool(message.last)

    def on_message(self, key: str, data: bytes) -> None:
        """A message of an input arrived. Raises SequenceGapError where one before it did not."""
        queue, tick = self._inbox.queues[key], peek_tick(data)
        if self.membership.owes(self._publishers[key], tick) and self.membership.owes(self._publishers[key], tick - 1):
            queue.check_contiguous(tick)
        queue.put(tick, data)

    @property
    def newest_announced(self) -> int:
        """Number of the newest tick that was announced."""
        return self._announced[-1].seq if self._announced else self.done

    def next_due(self) -> Tick | None:
        """The next tick at which this node steps, if it is announced; ticks at which it does not are passed over."""
        while self._announced:
            tick = self._announced[0]
            if tick.seq > self._considered:
                self._consider(tick)
            if self.node.is_due(tick.previous_ns, tick.stamp_ns):
                return tick
            self._finish()
        return None

    def wake_topic(self) -> str:
        """What to wait for between ticks.

        An input of every tick arrives after the announcement of the tick, so waiting for it wakes a node once a tick
        and not twice; unless the node is a slow one, or whoever publishes the input is lost.
        """
        if any(topic.period_ns == EVERY_TICK for topic in self.node.outputs):
            present = self.membership.present
            for port in self.node.gating_inputs:
                if port.topic.period_ns == EVERY_TICK and self._publishers[port.topic.key] in present:
                    return port.topic.key
        return TICK

    def missing(self, tick: Tick) -> list[str]:
        """Inputs that must still arrive before the node may step a tick."""
        return [key for key in self._publishers if not self._arrived(key)]

    def take(self, tick: Tick) -> Inputs:
        """The inputs of a tick; the tick is then over for this member."""
        inputs = self._inbox.advance(tick.seq)
        self._finish()
        return inputs

    def stale(self, tick: Tick, inputs: Inputs) -> int:
        """How many inputs are older at a tick than their ports accept, or have never come."""
        return sum(_is_stale(tick, inputs.latest(port.topic.key), port.max_age_ns) for port in self.node.gating_inputs)

    def _consider(self, tick: Tick) -> None:
        self._considered = tick.seq
        self._due_before = dict(self._due)
        for port in self.node.gating_inputs:
            if port.topic.is_due(tick.previous_ns, tick.stamp_ns):
                self._due[port.topic.key] = tick.seq

    def _arrived(self, key: str) -> bool:
        queue = self._inbox.queues[key]
        due = (self._due_before if queue.port.delayed else self._due)[key]
        return queue.newest_tick >= due or not self.membership.owes(self._publishers[key], due)

    def _finish(self) -> None:
        self.done = self._announced.popleft().seq


def decoder(type_name: str) -> Decoder:
    """A function that decodes messages of a type."""
    return partial(decode, type_name=type_name)


def _is_stale(tick: Tick, message: Message | None, max_age_ns: int | None) -> bool:
    if max_age_ns is None:
        return False
    return message is None or tick.stamp_ns - stamp_ns(message) > max(max_age_ns, tick.step_ns)
