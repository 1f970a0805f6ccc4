"""Run all subsystems in one process: no ROS, no sockets, no threads.

The order within a tick follows from the port declarations alone, so a run gives the same messages as the same run in
lockstep over DDS, bit for bit.
"""

from __future__ import annotations

from collections.abc import Callable, Sequence

from lander_runtime.architecture import architecture
from lander_runtime.digest import DigestChain, run_digest
from lander_runtime.inbox import Inbox
from lander_runtime.messages import Message, encode
from lander_runtime.subsystem import Outputs, Subsystem, Tick, TimeOwner, stamped

Observer = Callable[[Tick, str, Message, bytes], None]  # tick, topic key, message, CDR bytes


class InProcessRun:
    """A run of subsystems in one process."""

    def __init__(self, members: Sequence[Subsystem], observers: Sequence[Observer] = ()) -> None:
        by_name = {member.node.name: member for member in members}
        self._members = [by_name[name] for name in architecture().order(by_name)]
        (self._owner,) = [member for member in self._members if isinstance(member, TimeOwner)]
        self._observers = observers
        self._inboxes = {member.node.name: Inbox(member.node) for member in self._members}
        self._readers = self._find_readers()
        self._chains = {member.node.name: DigestChain() for member in self._members}
        self.tick = Tick(seq=-1, stamp_ns=0, step_ns=0)

    def _find_readers(self) -> dict[str, list[Inbox]]:
        readers: dict[str, list[Inbox]] = {key: [] for key in architecture().topics}
        for inbox in self._inboxes.values():
            for key in inbox.queues:
                readers[key].append(inbox)
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
        owner_inputs = self._inboxes[self._owner.node.name].advance(seq)
        step_ns = self._owner.next_step_ns(owner_inputs) if seq else 0
        self.tick = tick = Tick(seq, self.tick.stamp_ns + step_ns, step_ns)
        self._publish(self._owner, self._owner.step(tick, owner_inputs))
        for member in self._members:
            if member is not self._owner and member.node.is_due(tick.previous_ns, tick.stamp_ns):
                self._publish(member, member.step(tick, self._inboxes[member.node.name].advance(seq)))

    def _publish(self, member: Subsystem, outputs: Outputs) -> None:
        tick, chain = self.tick, self._chains[member.node.name]
        for topic, message in stamped(member.node, tick, outputs):
            data = encode(message, topic.type)
            chain.add(topic.key, data)
            for inbox in self._readers[topic.key]:
                inbox.queues[topic.key].put(tick.seq, message)
            for observer in self._observers:
                observer(tick, topic.key, message, data)

    def digest(self) -> str:
        """Digest of everything published so far."""
        return run_digest({name: chain.value() for name, chain in self._chains.items()})
