"""A node's part in a run over DDS, without DDS: what it knows of the ticks, and what it still waits for.

Sans-I/O: bytes go in, decisions come out, so the rules of lockstep are tested without a network. See
`lander_runtime.ros_host` for the loop around it.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Collection
from functools import partial

from lander_runtime.architecture import EVERY_TICK, Architecture, Node
from lander_runtime.faults import NO_FAULTS, FaultPlan
from lander_runtime.inbox import Decoder, Inbox
from lander_runtime.membership import CATCH_UP_TICKS, Membership
from lander_runtime.messages import Message, decode, peek_tick, stamp_ns
from lander_runtime.subsystem import Inputs, Tick

TICK = "tick"  # key of the topic that announces ticks


class Member:
    """One node's view of the run."""

    def __init__(
        self,
        node: Node,
        catalogue: Architecture,
        members: Collection[str],
        plan: FaultPlan = NO_FAULTS,
        lockstep: bool = True,
    ) -> None:
        """`lockstep`: a message that the transport lost is an error, and a member that is away waits to be told when it is back.

        By the wall clock nobody waits for it, so it goes along in silence until it is let in.
        """
        self.node = node
        self.membership = Membership(members, plan.changes())
        self.publishers = {port.topic.key: catalogue.publisher_of(port.topic) for port in node.gating_inputs}
        self._inbox = Inbox(node, None, NO_FAULTS) if node.is_sink else Inbox(node, decoder, plan)
        self._lockstep = lockstep
        self._announced: deque[Tick] = deque()
        # Ticks at which each input was due, the newest last, beginning with the newest that has come.
        self._dues: dict[str, deque[int]] = {key: deque() for key in self.publishers}
        self._considered = -1
        self._dies_at: int | None = None
        self.done = -1  # newest tick that is over for this node
        self.last_tick = False  # the newest announced tick is the run's last

    def on_tick(self, message: Message) -> None:
        """The conductor announced a tick."""
        if message.tick > self.newest_announced:
            tick = Tick(message.tick, stamp_ns(message), message.step_ns)
            self._announced.append(tick)
            self.last_tick = bool(message.last)
            for change in self.membership.follow(tick):
                if change.node == self.node.name and change.leaves and change.deadly:
                    self._dies_at = tick.seq

    def on_message(self, key: str, data: bytes) -> None:
        """A message of an input arrived."""
        self._inbox.queues[key].put(peek_tick(data), data)

    @property
    def newest_announced(self) -> int:
        """Number of the newest tick that was announced."""
        return self._announced[-1].seq if self._announced else self.done

    def begin_at(self, tick: int) -> None:
        """Nothing before a tick is of concern: this member was started in mid-flight."""
        self.done = tick - 1

    def next_due(self) -> Tick | None:
        """The next tick at which this node steps, if it is announced; ticks at which it does not are passed over."""
        while self._announced:
            tick = self._announced[0]
            away, back = self._absence(tick)
            if away and back is None and self._lockstep:
                return None
            if tick.seq > self._considered:
                self._consider(tick)
            too_old = back is not None and tick.seq < back - CATCH_UP_TICKS
            if not too_old and self.node.is_due(tick.previous_ns, tick.stamp_ns):
                return tick
            self._finish()
        return None

    def _absence(self, tick: Tick) -> tuple[bool, int | None]:
        """Whether this node takes no part in a tick, and when it comes back if that is known."""
        if self.publishes(tick):
            return False, None
        return True, self.membership.returns(self.node.name, tick.seq)

    def publishes(self, tick: Tick) -> bool:
        """Whether what this node says at a tick is for others. A tick that it missed it goes through in silence."""
        return self.membership.owes(self.node.name, tick.seq)

    @property
    def must_die(self) -> bool:
        """Whether the scenario kills this node now."""
        if self._dies_at is None:
            return False
        return self.done + 1 >= self._dies_at or not self.membership.owes(self.node.name, self.done + 1)

    @property
    def is_over(self) -> bool:
        """Whether the run has nothing more for this node: the last tick is done, or it is away for the rest."""
        if not self.last_tick:
            return False
        return self.done == self.newest_announced or self._absence(self._announced[0]) == (True, None)

    def wake_topic(self) -> str:
        """What to wait for between ticks.

        An input of every tick arrives after the announcement of the tick, so waiting for it wakes a node once a tick
        and not twice; unless the node is a slow one, the input is that of the tick before, or whoever publishes it is lost.
        """
        if any(topic.period_ns == EVERY_TICK for topic in self.node.outputs):
            present = self.membership.present
            for port in self.node.gating_inputs:
                comes_after = port.topic.period_ns == EVERY_TICK and not port.delayed
                if comes_after and self.publishers[port.topic.key] in present:
                    return port.topic.key
        return TICK

    def missing(self, tick: Tick) -> list[str]:
        """Inputs that must still arrive before the node may step a tick."""
        return [key for key in self.publishers if not self._arrived(key)]

    def take(self, tick: Tick) -> Inputs:
        """The inputs of a tick; the tick is then over for this member. Raises SequenceGapError where one was lost."""
        inputs = self._inbox.advance(tick.seq, tick.stamp_ns)
        if self._lockstep:
            for key, queue in self._inbox.queues.items():
                due = self._due_of(key)
                if due > queue.current_tick:
                    queue.check_arrived(due)
        self._finish()
        return inputs

    def stale(self, tick: Tick, inputs: Inputs) -> int:
        """How many inputs are older at a tick than their ports accept, or have never come, though somebody publishes."""
        return sum(
            _is_stale(tick, inputs.latest(port.topic.key), port.max_age_ns)
            and self.membership.owes(self.publishers[port.topic.key], tick.seq)
            for port in self.node.gating_inputs
        )

    def _consider(self, tick: Tick) -> None:
        self._considered = tick.seq
        for port in self.node.gating_inputs:
            if port.topic.is_due(tick.previous_ns, tick.stamp_ns):
                self._fall_due(port.topic.key, tick.seq)

    def _fall_due(self, key: str, seq: int) -> None:
        dues, came = self._dues[key], self._inbox.queues[key].newest_tick
        while len(dues) > 1 and dues[1] <= came:
            dues.popleft()
        if len(dues) > 1 and not self.membership.owes(self.publishers[key], dues[-1]):
            dues.pop()  # or a long absence would fill the memory
        dues.append(seq)

    def _due_of(self, key: str) -> int:
        """The newest tick of an input that its publisher owes by now, or -1: of one who was lost, the last before that."""
        publisher, newest = self.publishers[key], self._considered - self._inbox.queues[key].port.delayed
        owes = self.membership.owes
        return next((seq for seq in reversed(self._dues[key]) if seq <= newest and owes(publisher, seq)), -1)

    def _arrived(self, key: str) -> bool:
        return self._inbox.queues[key].newest_tick >= self._due_of(key)

    def _finish(self) -> None:
        self.done = self._announced.popleft().seq


def decoder(type_name: str) -> Decoder:
    """A function that decodes messages of a type."""
    return partial(decode, type_name=type_name)


def _is_stale(tick: Tick, message: Message | None, max_age_ns: int | None) -> bool:
    if max_age_ns is None:
        return False
    return message is None or tick.stamp_ns - stamp_ns(message) > max(max_age_ns, tick.step_ns)
