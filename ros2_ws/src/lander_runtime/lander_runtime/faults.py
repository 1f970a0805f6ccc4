"""What a scenario does to the nodes of a run and to the messages between them, as the runtime knows it.

Nothing here acts. A member's absence is followed by `lander_runtime.membership`, on every transport in the same way; faults
of a topic act where its messages enter a node (`lander_runtime.faulty_queue`), so the record keeps what was published.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal

TopicKind = Literal["drop", "delay", "duplicate", "reorder", "corrupt", "freeze"]


@dataclass(frozen=True, slots=True)
class Outage:
    """A member takes no part for a time: its process is dead, or lives and does nothing."""

    node: str
    from_ns: int
    until_ns: int | None  # None: to the end of the run
    deadly: bool  # a new process comes back, not the old one
    cause: str


@dataclass(frozen=True, slots=True)
class TopicFault:
    """Something happens to the messages of a topic on their way, whoever reads them."""

    key: str
    kind: TopicKind
    from_ns: int
    until_ns: int | None  # None: to the end of the run
    seed: int
    stream: str  # name of the random stream
    probability: float = 1.0
    delay_ns: int = 0

    def acts_at(self, stamp_ns: int) -> bool:
        """Whether it acts on a message of this stamp."""
        return self.from_ns <= stamp_ns and (self.until_ns is None or stamp_ns < self.until_ns)


@dataclass(frozen=True, slots=True)
class Change:
    """A member leaves the run, or comes back, at the first tick that ends at a time or later."""

    at_ns: int
    node: str
    leaves: bool
    deadly: bool  # the process dies, or it is a new one that comes back
    cause: str


@dataclass(frozen=True)
class FaultPlan:
    """All that the scenario does to nodes and topics."""

    outages: tuple[Outage, ...] = ()
    topics: tuple[TopicFault, ...] = ()

    def changes(self) -> list[Change]:
        """Who leaves and who comes back, in order of time."""
        return sorted(_changes(self.outages), key=lambda change: (change.at_ns, not change.leaves))

    def of_topic(self, key: str) -> list[TopicFault]:
        """The faults of a topic, in the order of the scenario."""
        return [fault for fault in self.topics if fault.key == key]

    def without_outages(self) -> FaultPlan:
        """The faults of the topics alone: by the wall clock, processes are struck from outside."""
        return FaultPlan(topics=self.topics)


NO_FAULTS = FaultPlan()


def _changes(outages: Sequence[Outage]) -> list[Change]:
    """Beginnings and ends. What befalls a member while it is away has no beginning of its own; a death ends a hang."""
    changes: list[Change] = []
    for node in {outage.node: None for outage in outages}:
        away_until: int | None = -1
        for outage in sorted((outage for outage in outages if outage.node == node), key=lambda o: o.from_ns):
            away = away_until is None or outage.from_ns <= away_until
            if away and not outage.deadly:
                continue
            if away:  # it is killed while it hangs, and does not come back by itself
                changes = [change for change in changes if change.node != node or change.at_ns <= outage.from_ns]
            changes.append(Change(outage.from_ns, node, True, outage.deadly, outage.cause))
            away_until = outage.until_ns
            if away_until is not None:
                changes.append(Change(away_until, node, False, outage.deadly, outage.cause))
    return changes
