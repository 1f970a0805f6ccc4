"""How a new process takes the place of a lost one: it gathers what it missed, then goes through it.

The publishers of a run keep their last messages, and send them again when a new process asks. What comes, comes in any order and
perhaps twice; when nothing is missing the process says that it is ready, and the conductor answers from which tick on it takes part. By
the wall clock, where the run goes on meanwhile, it goes through what it missed before it says so.
"""

from __future__ import annotations

from collections.abc import Iterable

from lander_runtime.architecture import EVENT, Input
from lander_runtime.member import Member
from lander_runtime.membership import CATCH_UP_TICKS, HISTORY_MESSAGES
from lander_runtime.messages import Message, peek_tick, stamp_ns
from lander_runtime.subsystem import Tick

_SPARE_TICKS = (HISTORY_MESSAGES - CATCH_UP_TICKS) // 2  # the run goes on while a process gets ready


class Comeback:
    """What has come so far."""

    def __init__(self, member: Member, first_tick: int) -> None:
        """`first_tick`: the first that the former life did not step."""
        self.first_tick = first_tick
        self.run_is_over = False
        self._member = member
        self._ticks: dict[int, Message] = {}
        self._messages: dict[str, dict[int, bytes]] = {key: {} for key in member.publishers}
        self._followed = -1

    def on_tick(self, message: Message) -> None:
        """A tick was announced, or is told of again."""
        self._ticks[int(message.tick)] = message
        self.run_is_over = self.run_is_over or bool(message.last)

    def on_message(self, key: str, data: bytes) -> None:
        """A message of an input came, or came again."""
        self._messages[key][peek_tick(data)] = data

    @property
    def is_complete(self) -> bool:
        """Whether everything has come that may be needed: the ticks without a gap, and what was due at them."""
        if not self._ticks:
            return False
        newest = max(self._ticks)
        wanted = range(max(self.first_tick, newest - CATCH_UP_TICKS - _SPARE_TICKS), newest + 1)
        if any(seq not in self._ticks for seq in wanted):
            return False
        ticks = [_tick(self._ticks[seq]) for seq in wanted]
        self._follow(ticks)
        return all(self._is_whole(port, ticks) for port in self._member.node.gating_inputs)

    def _follow(self, ticks: Iterable[Tick]) -> None:
        for tick in ticks:
            if tick.seq > self._followed:
                self._member.membership.follow(tick, besides=self._member.node.name)
                self._followed = tick.seq

    def _is_whole(self, port: Input, ticks: Iterable[Tick]) -> bool:
        """Whether an input has come without a gap. What is newer than anything that came is still on its way."""
        topic, came = port.topic, self._messages[port.topic.key]
        if topic.period_ns == EVENT:
            return True
        publisher, membership = self._member.publishers[topic.key], self._member.membership
        owed = [
            tick.seq
            for tick in ticks
            if topic.is_due(tick.previous_ns, tick.stamp_ns) and membership.owes(publisher, tick.seq)
        ]
        newest = max(came, default=-1)
        return not owed or (bool(came) and all(seq in came for seq in owed if seq <= newest))

    def hand_over(self, joins_at: int | None = None) -> None:
        """Give the member what came, in order; it takes part from tick `joins_at` on, if that is known."""
        up_to = max(self._ticks) + 1 if joins_at is None else joins_at
        begin = max(self.first_tick, up_to - CATCH_UP_TICKS)
        self._member.begin_at(begin)
        if joins_at is not None:
            self._member.membership.join(self._member.node.name, joins_at)
        for seq in sorted(self._ticks):
            if seq >= begin:
                self._member.on_tick(self._ticks[seq])
        for key, came in self._messages.items():
            for seq in sorted(came):
                if seq >= begin:
                    self._member.on_message(key, came[seq])


def _tick(message: Message) -> Tick:
    return Tick(int(message.tick), stamp_ns(message), int(message.step_ns))
