"""Whether a bag is complete: every topic that is published at a rate has a message at every tick at which it is due."""

from __future__ import annotations

from collections.abc import Collection
from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from lander_runtime.architecture import EVENT, EVERY_TICK, Topic, architecture
from lander_runtime.messages import NANOSECONDS, NodeEvent, peek_tick
from lander_tools.bag import Bag, BagError
from lander_tools.columns import columns, gather

Ticks = NDArray[np.int64]
_ROLES = ("run", "gating", "view")


@dataclass(frozen=True)
class SequenceFault:
    """What is wrong with the sequence of one topic."""

    topic: str
    missing: tuple[int, ...] = ()  # ticks at which the topic was due and has no message
    repeated: tuple[int, ...] = ()  # ticks with more than one message
    unexpected: tuple[int, ...] = ()  # ticks at which the topic was not due, or that the run did not have

    def __str__(self) -> str:
        kinds = (("missing", self.missing), ("repeated", self.repeated), ("unexpected", self.unexpected))
        parts = [f"{len(ticks)} {kind}, first at tick {ticks[0]}" for kind, ticks in kinds if ticks]
        return f"{self.topic}: {'; '.join(parts)}"


@dataclass(frozen=True)
class SequenceReport:
    """The result of `check_sequence`."""

    ticks: int  # that the run had
    checked: tuple[str, ...]  # topics
    silent: tuple[str, ...]  # topics with a rate that have no message at all
    faults: tuple[SequenceFault, ...]

    @property
    def ok(self) -> bool:
        """No gap, nothing twice, nothing out of turn."""
        return not self.faults


@dataclass(frozen=True)
class _Beat:
    """The ticks of the run."""

    ticks: Ticks
    stamps_ns: Ticks
    previous_ns: Ticks
    absent: dict[str, list[tuple[int, int]]] = field(default_factory=dict)  # node -> ticks [from, until) without it

    def due(self, topic: Topic) -> Ticks:
        """Ticks at which a topic may have a message."""
        if topic.period_ns == EVERY_TICK:
            return np.arange(self.ticks[-1] + 1)  # also at ticks that the beat itself lacks
        return self.ticks[self.stamps_ns // topic.period_ns > self.previous_ns // topic.period_ns]

    def owed(self, due: Ticks, publisher: str | None) -> Ticks:
        """Those of the due ticks at which the publisher took part: it must have a message there."""
        for begin, end in self.absent.get(publisher or "", ()):
            due = due[(due < begin) | (due >= end)]
        return due

    def judged(self, topic: Topic, found: Ticks) -> Ticks:
        """Those of the found ticks of which is known whether the topic was due."""
        return found if topic.period_ns == EVERY_TICK else found[np.isin(found, self.ticks) | (found < 0)]


def check_sequence(bag: Bag, complete: bool = True, roles: Collection[str] = _ROLES) -> SequenceReport:
    """Compare the messages of every topic with its rate and the ticks of the run.

    `complete=False` is for a bag that was cut off: each topic is then checked up to its own last message. Messages of
    standard types carry no tick number and are found by their log time, which in our bags is the stamp; leave their
    role (`view`) out for bags that another recorder wrote. Raises BagError where the bag has no ticks.
    """
    topics = [topic for topic in architecture().topics.values() if topic.period_ns != EVENT and topic.role in roles]
    carries_tick = {topic.name: topic.type.startswith("lander_interfaces/") for topic in topics}
    beat = _beat(bag)
    found = _collect(bag, carries_tick, beat)
    silent = tuple(name for name, ticks in found.items() if not len(ticks))
    faults: list[SequenceFault] = []
    for topic in topics:
        if topic.name in silent:
            continue
        due = beat.due(topic)
        owed = beat.owed(due, architecture().publisher_of(topic))
        fault = _compare(topic.name, due, owed, beat.judged(topic, found[topic.name]), complete)
        if fault:
            faults.append(fault)
    return SequenceReport(len(beat.ticks), tuple(found), silent, tuple(faults))


def _collect(bag: Bag, carries_tick: dict[str, bool], beat: _Beat) -> dict[str, Ticks]:
    """Tick of every message, by topic name, in the order of the bag; -1 for a stamp at which the run had no tick."""
    by_stamp = dict(zip(beat.stamps_ns.tolist(), beat.ticks.tolist(), strict=True))
    found: dict[str, list[int]] = {name: [] for name in carries_tick}
    for record in bag.records(set(carries_tick)):
        tick = peek_tick(record.data) if carries_tick[record.topic] else by_stamp.get(record.stamp_ns, -1)
        found[record.topic].append(tick)
    return {name: np.array(ticks, dtype=np.int64) for name, ticks in found.items()}


def _compare(name: str, due: Ticks, owed: Ticks, found: Ticks, complete: bool) -> SequenceFault | None:
    unique, counts = np.unique(found, return_counts=True)
    if not complete:
        owed = owed[owed <= unique[-1]]
    missing, unexpected, repeated = np.setdiff1d(owed, unique), np.setdiff1d(unique, due), unique[counts > 1]
    if not (len(missing) or len(unexpected) or len(repeated)):
        return None
    return SequenceFault(name, tuple(missing.tolist()), tuple(repeated.tolist()), tuple(unexpected.tolist()))


def _beat(bag: Bag) -> _Beat:
    """The ticks of the run, from the conductor's beat, or from the truth where that was not recorded."""
    catalogue = architecture().topics
    for topic in (catalogue["tick"], catalogue["truth"]):
        messages = gather(bag, [topic.name])[topic.name]
        if messages:
            break
    else:
        raise BagError(f"{bag.path} has neither ticks nor truth: whether it is complete cannot be told")
    read = columns(bag, topic.name, messages, ["tick", "header.stamp.sec", "header.stamp.nanosec", "step_ns"])
    stamps = read["header.stamp.sec"].astype(np.int64) * NANOSECONDS + read["header.stamp.nanosec"]
    ticks, first = np.unique(read["tick"].astype(np.int64), return_index=True)
    stamps, steps = stamps[first], read["step_ns"][first]
    return _Beat(ticks, stamps, np.where(steps == 0, stamps - 1, stamps - steps), _absences(bag))


def _absences(bag: Bag) -> dict[str, list[tuple[int, int]]]:
    """Ticks without a node, from the events of its loss and return."""
    absent: dict[str, list[tuple[int, int]]] = {}
    for _, event in bag.messages(architecture().topics["node_events"].name):
        spans = absent.setdefault(event.node, [])
        if event.kind == NodeEvent.LOST:
            spans.append((int(event.from_tick), np.iinfo(np.int64).max))
        elif spans and event.kind == NodeEvent.JOINED:
            spans[-1] = (spans[-1][0], int(event.from_tick))
    return absent
