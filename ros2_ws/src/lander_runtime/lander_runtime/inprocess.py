"""Run all subsystems in one process: no ROS, no sockets, no threads.

The order within a tick follows from the port declarations alone, so a run gives the same messages as the same run in
lockstep over DDS, bit for bit.
"""

from __future__ import annotations

from collections import deque
from collections.abc import Callable, Mapping, Sequence
from typing import cast

from lander_runtime.architecture import architecture
from lander_runtime.conductor import LostNode
from lander_runtime.digest import DigestChain, run_digest, with_life
from lander_runtime.faults import NO_FAULTS, Change, FaultPlan
from lander_runtime.inbox import Inbox, InputQueue
from lander_runtime.membership import CATCH_UP_TICKS, Timetable
from lander_runtime.messages import Message, encode, header_message
from lander_runtime.node_events import joined, lost
from lander_runtime.subsystem import Outputs, Subsystem, Tick, TimeOwner, stamped

Observer = Callable[[Tick, str, Message, bytes], None]  # tick, topic key, message, CDR bytes
Renew = Callable[[str], Subsystem]  # builds the subsystem of a node anew, as a new process does


class InProcessRun:
    """A run of subsystems in one process."""

    def __init__(
        self,
        members: Sequence[Subsystem],
        observers: Sequence[Observer] = (),
        plan: FaultPlan = NO_FAULTS,
        renew: Renew | None = None,
    ) -> None:
        """`renew` is needed where the plan kills nodes that come back."""
        by_name = {member.node.name: member for member in members}
        self._seats = {name: _Seat(by_name[name], plan) for name in architecture().order(by_name)}
        (self._owner_seat,) = [seat for seat in self._seats.values() if isinstance(seat.member, TimeOwner)]
        self._others = [seat for seat in self._seats.values() if seat is not self._owner_seat]
        self._owner = cast(TimeOwner, self._owner_seat.member)
        self._observers = observers
        self._readers: dict[str, list[InputQueue | _Log]] = {key: [] for key in architecture().topics}
        for seat in self._seats.values():
            for key, queue in seat.inbox.queues.items():
                self._readers[key].append(queue)
        self._timetable = Timetable()
        self.strike(plan)
        self._missed: deque[Tick] = deque(maxlen=CATCH_UP_TICKS)
        self._plan = plan
        self._renew = renew
        self.nodes_lost: list[LostNode] = []
        self.tick = Tick(seq=-1, stamp_ns=0, step_ns=0)

    def strike(self, plan: FaultPlan) -> None:
        """Add outages to those that were planned; for whoever tries several on the same flight."""
        for change in plan.changes():
            if change.node in self._seats:
                self._timetable.add(change)

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
        owner_inputs = self._owner_seat.inbox.advance(seq, self.tick.stamp_ns)
        step_ns = self._owner.next_step_ns(owner_inputs) if seq else 0
        self.tick = tick = Tick(seq, self.tick.stamp_ns + step_ns, step_ns)
        for change in self._timetable.due(tick.stamp_ns):
            self._leave(change) if change.leaves else self._come_back(change)
        self._publish(self._owner_seat, self._owner.step(tick, owner_inputs))
        previous_ns = tick.previous_ns
        for seat in self._others:
            if seat.away_since is None and seat.node.is_due(previous_ns, tick.stamp_ns):
                self._publish(seat, seat.member.step(tick, seat.inbox.advance(seq, tick.stamp_ns)))
        self._missed.append(tick)

    def _publish(self, seat: _Seat, outputs: Outputs) -> None:
        tick, seq = self.tick, self.tick.seq
        for topic, message in stamped(seat.node, tick, outputs):
            key, data = topic.key, encode(message, topic.type)
            seat.chain.add(key, data)
            seat.published[key] = message
            for reader in self._readers[key]:
                reader.put(seq, message)
            for observer in self._observers:
                observer(tick, key, message, data)

    def _leave(self, change: Change) -> None:
        seat, tick = self._seats[change.node], self.tick
        if seat.away_since is None:
            seat.away_since = tick.seq
        if change.deadly:
            self._exchange(seat.inbox.queues, seat.die())
        self.nodes_lost.append(LostNode(change.node, tick.seq, tick.time_s, change.cause))
        self._tell(lost(change.node, tick.seq, seat.life, change.cause, planned=True))

    def _come_back(self, change: Change) -> None:
        """A member goes through what it missed, in silence."""
        seat, tick = self._seats[change.node], self.tick
        first = seat.away_since
        assert first is not None
        if change.deadly:
            assert self._renew is not None, f"nobody said how to build {change.node} anew"
            first = max((message.tick for message in seat.published.values()), default=-1) + 1
            begin = max(first, tick.seq - CATCH_UP_TICKS)
            self._exchange(seat.log, seat.live_again(self._renew(change.node), self._plan, begin))
        seat.member.heard = False
        for missed in self._missed:
            if missed.seq >= first and seat.node.is_due(missed.previous_ns, missed.stamp_ns):
                seat.member.step(missed, seat.inbox.advance(missed.seq, missed.stamp_ns))
        seat.member.heard, seat.away_since = True, None
        for missing in self.nodes_lost:
            if missing.node == change.node and missing.back_s is None:
                missing.back_s = tick.time_s
        self._tell(joined(change.node, tick.seq, seat.life))

    def _exchange(self, old: Mapping[str, InputQueue | _Log], new: Mapping[str, InputQueue | _Log]) -> None:
        for key, reader in old.items():
            readers = self._readers[key]
            readers[readers.index(reader)] = new[key]

    def _tell(self, event: Message) -> None:
        """Let observers know of a change of membership, as the run's own topic does over DDS."""
        topic, tick = architecture().topics["node_events"], self.tick
        event.tick, event.header = tick.seq, header_message(tick.stamp_ns, "")
        data = encode(event, topic.type)
        for observer in self._observers:
            observer(tick, topic.key, event, data)

    def last(self, key: str) -> Message | None:
        """The newest message of a topic, or None if there was none yet."""
        found = (seat.published[key] for seat in self._seats.values() if key in seat.published)
        return next(found, None)

    def digest(self) -> str:
        """Digest of everything published so far."""
        chains = {
            with_life(seat.node.name, life): chain
            for seat in self._seats.values()
            for life, chain in enumerate(seat.chains)
        }
        return run_digest({name: chain.value() for name, chain in chains.items() if chain.count})


class _Log:
    """Keeps what is sent to a reader that is dead."""

    def __init__(self) -> None:
        self.messages: list[tuple[int, Message]] = []

    def put(self, tick: int, message: Message) -> None:
        self.messages.append((tick, message))


class _Seat:
    """A member's place in the run, through all its lives."""

    __slots__ = ("away_since", "chain", "chains", "inbox", "log", "member", "node", "published")

    def __init__(self, member: Subsystem, plan: FaultPlan) -> None:
        self.member = member
        self.node = member.node
        self.inbox = Inbox(member.node, plan=plan)
        self.chain = DigestChain()  # of the present life
        self.chains = [self.chain]
        self.published: dict[str, Message] = {}  # the last of every output
        self.away_since: int | None = None
        self.log: dict[str, _Log] = {}

    @property
    def life(self) -> int:
        """Number of the present life."""
        return len(self.chains) - 1

    def die(self) -> dict[str, _Log]:
        """Nobody reads any more; what comes is kept for the next life."""
        self.log = {key: _Log() for key in self.inbox.queues}
        return self.log

    def live_again(self, member: Subsystem, plan: FaultPlan, begin: int) -> dict[str, InputQueue]:
        """A new life takes over from what the former one published, and hears what came since tick `begin`."""
        self.member, self.chain = member, DigestChain()
        self.chains.append(self.chain)
        member.restore(self.published)
        self.inbox = Inbox(self.node, plan=plan)
        for key, queue in self.inbox.queues.items():
            for tick, message in self.log[key].messages:
                if tick >= begin:
                    queue.put(tick, message)
        return self.inbox.queues
