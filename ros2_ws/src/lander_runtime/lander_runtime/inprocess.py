"""Run all subsystems in one process: no ROS, no sockets, no threads.

The order within a tick follows from the port declarations alone, so a run gives the same messages as the same run in
lockstep over DDS, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence
from typing import cast

from lander_runtime.architecture import architecture
from lander_runtime.digest import DigestChain, run_digest
from lander_runtime.inbox import Inbox, InputQueue
from lander_runtime.messages import Message, encode
from lander_runtime.subsystem import Outputs, Subsystem, Tick, TimeOwner, stamped

Observer = Callable[[Tick, str, Message, bytes], None]  # tick, topic key, message, CDR bytes


class InProcessRun:
    """A run of subsystems in one process."""

    def __init__(self, members: Sequence[Subsystem], observers: Sequence[Observer] = ()) -> None:
        by_name = {member.node.name: member for member in members}
        self._seats = [_Seat(by_name[name]) for name in architecture().order(by_name)]
        (self._owner_seat,) = [seat for seat in self._seats if isinstance(seat.member, TimeOwner)]
        self._others = [seat for seat in self._seats if seat is not self._owner_seat]
        self._owner = cast(TimeOwner, self._owner_seat.member)
        self._observers = observers
        self._readers = self._find_readers()
        self.tick = Tick(seq=-1, stamp_ns=0, step_ns=0)

    def _find_readers(self) -> dict[str, list[InputQueue]]:
        readers: dict[str, list[InputQueue]] = {key: [] for key in architecture().topics}
        for seat in self._seats:
            for key, queue in seat.inbox.queues.items():
                readers[key].append(queue)
        return readers

    def run(self) -> str:
        """Step until the time owner has finished; return the run digest."""
        while not self.finished:
            self.step()
        return self.digest()

    @property
    def finished(self) -> bool:
        """Whether the time owner has finished."""
        return self._owner.finished

    def step(self) -> None:
        """One tick of every member that is due."""
        seq = self.tick.seq + 1
        owner_inputs = self._owner_seat.inbox.advance(seq)
        step_ns = self._owner.next_step_ns(owner_inputs) if seq else 0
        self.tick = tick = Tick(seq, self.tick.stamp_ns + step_ns, step_ns)
        self._publish(self._owner_seat, self._owner.step(tick, owner_inputs))
        previous_ns = tick.previous_ns
        for seat in self._others:
            if seat.node.is_due(previous_ns, tick.stamp_ns):
                self._publish(seat, seat.member.step(tick, seat.inbox.advance(seq)))

    def _publish(self, seat: _Seat, outputs: Outputs) -> None:
        tick = self.tick
        for topic, message in stamped(seat.node, tick, outputs):
            data = encode(message, topic.type)
            seat.chain.add(topic.key, data)
            for queue in self._readers[topic.key]:
                queue.put(tick.seq, message)
            for observer in self._observers:
                observer(tick, topic.key, message, data)

    def digest(self) -> str:
        """Digest of everything published so far."""
        return run_digest({seat.node.name: seat.chain.value() for seat in self._seats})


class _Seat:
    """A member's place in the run."""

    __slots__ = ("chain", "inbox", "member", "node")

    def __init__(self, member: Subsystem) -> None:
        self.member = member
        self.node = member.node
        self.inbox = Inbox(member.node)
        self.chain = DigestChain()
