"""Feed a record to flight subsystems, and compare what they say with what they said then.

Every chosen node is given the recorded messages of its inputs, also where another chosen node publishes them: so a
difference is the node's own, and does not go through the others. What changes in the whole loop, `refly` shows.
"""

from __future__ import annotations

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field

from lander_common.fault_plan import fault_plan
from lander_common.mission import Mission
from lander_runtime.architecture import EVENT, Node, Topic, architecture
from lander_runtime.inbox import Inbox
from lander_runtime.membership import CATCH_UP_TICKS
from lander_runtime.messages import Message, encode
from lander_runtime.subsystem import Tick, stamped
from lander_tools.differences import ABSENT, FieldDifference, differences
from lander_tools.flight_record import Absence, FlightRecord
from lander_tools.in_process import subsystem

FLIGHT_PACKAGE = "lander_flight"
NONE = FieldDifference("", 0.0, 0.0)
Replayed = Callable[[Tick, str, Message, bytes], None]  # as an observer of `lander_runtime.inprocess`


@dataclass
class FieldStatistics:
    """How far a field, or an array with all its elements, is from the record."""

    messages: int = 0  # in which it differs
    newest_tick: int = -1  # of these
    worst: FieldDifference = NONE
    worst_tick: int = -1

    def add(self, tick: int, difference: FieldDifference) -> None:
        """One more element that differs."""
        self.messages += tick != self.newest_tick
        self.newest_tick = tick
        if difference.size > self.worst.size:
            self.worst, self.worst_tick = difference, tick


@dataclass
class OutputComparison:
    """What a node published then and now, on one topic."""

    topic: Topic
    node: str
    equal: int = 0
    close: int = 0  # within the tolerance
    different: int = 0
    not_recorded: int = 0  # replayed, and not in the record
    not_replayed: int = 0  # in the record, and not replayed
    first: tuple[int, FieldDifference] | None = None  # tick and field of the first message that differs
    fields: dict[str, FieldStatistics] = field(default_factory=dict)

    @property
    def ok(self) -> bool:
        """Whether nothing differs by more than the tolerance."""
        return not (self.different or self.not_recorded or self.not_replayed)


@dataclass
class ReplayResult:
    """What came of a replay."""

    ticks: list[Tick]
    comparisons: dict[str, OutputComparison]  # topic key -> ...
    left_out: dict[str, str]  # node -> why it could not be replayed
    failures: list[str] = field(default_factory=list)  # of nodes that broke down on what was recorded

    @property
    def ok(self) -> bool:
        """Whether everything that was compared is equal, within the tolerance."""
        return not self.failures and all(comparison.ok for comparison in self.comparisons.values())

    @property
    def compared(self) -> int:
        """Number of messages that were compared."""
        return sum(each.equal + each.close + each.different for each in self.comparisons.values())


class Replay:
    """A replay of some nodes of a record."""

    def __init__(
        self, record: FlightRecord, mission: Mission, nodes: Sequence[str], tolerance: float | None = None
    ) -> None:
        """`tolerance`: of a number, absolute below one and relative above; None: to the last bit.

        Raises ConfigError where the configuration is not one that the nodes can fly.
        """
        self._record = record
        self._mission = mission
        self._tolerance = tolerance
        catalogue = architecture()
        reasons = {name: why_not(record, mission, catalogue.nodes[name]) for name in nodes}
        self.left_out = {name: reason for name, reason in reasons.items() if reason}
        chosen = [name for name in catalogue.order(nodes) if not reasons[name]]
        self._seats = [_Seat(name, mission) for name in chosen]
        self.comparisons = {
            topic.key: OutputComparison(topic, seat.node.name) for seat in self._seats for topic in seat.node.outputs
        }
        self._readers: dict[str, list[_Seat]] = {}
        for seat in self._seats:
            for key in seat.inbox.queues:
                self._readers.setdefault(key, []).append(seat)

    def run(self, observer: Replayed | None = None) -> ReplayResult:
        """Replay the whole record; `observer` is given every message that a node publishes now."""
        result = ReplayResult(self._record.ticks, self.comparisons, self.left_out)
        for tick in self._record.ticks:
            self._feed(tick)
            for seat in self._seats:
                if seat.fit and self._takes_part(seat.node, tick):
                    try:
                        self._come_back(seat, tick)
                        self._step(seat, tick, observer)
                    except (ArithmeticError, ValueError, LookupError) as error:
                        seat.fit = False
                        result.failures.append(
                            f"{seat.node.name} broke down at tick {tick.seq} on what was recorded: "
                            f"{type(error).__name__}: {error}"
                        )
        self._count_what_was_not_replayed()
        return result

    def _feed(self, tick: Tick) -> None:
        for key, seats in self._readers.items():
            for message in self._recorded(key, tick.seq):
                for seat in seats:
                    seat.inbox.queues[key].put(tick.seq, message)

    def _recorded(self, key: str, seq: int) -> list[Message]:
        name = architecture().topics[key].name
        return [self._record.bag.decode(name, data) for data in self._record.of(key, seq)]

    def _come_back(self, seat: _Seat, tick: Tick) -> None:
        """A node that was away until now goes through what it missed, in silence; a new life does so from the last messages."""
        away = self._record.absence_before(seat.node.name, tick.seq)
        if away is None or away is seat.been_away:
            return
        seat.been_away, first = away, away.begin
        if away.next_life != seat.life:
            published = self._last_published(seat.node, away.begin)
            first = max((message.tick for message in published.values()), default=-1) + 1
            seat.live_again(self._mission, away.next_life, published)
            for key, queue in seat.inbox.queues.items():
                for seq in range(max(first, away.end - CATCH_UP_TICKS), tick.seq + 1):
                    for message in self._recorded(key, seq):
                        queue.put(seq, message)
        seat.subsystem.heard = False
        for missed in self._record.ticks[max(first, away.end - CATCH_UP_TICKS) : away.end]:
            if seat.node.is_due(missed.previous_ns, missed.stamp_ns):
                seat.subsystem.step(missed, seat.inbox.advance(missed.seq, missed.stamp_ns))
        seat.subsystem.heard = True

    def _last_published(self, node: Node, before: int) -> dict[str, Message]:
        """The newest message of each output of a node from before a tick."""
        newest = {
            topic.key: max((seq for seq in self._record.messages.get(topic.key, ()) if seq < before), default=-1)
            for topic in node.outputs
        }
        return {key: self._recorded(key, seq)[-1] for key, seq in newest.items() if seq >= 0}

    def _takes_part(self, node: Node, tick: Tick) -> bool:
        return node.is_due(tick.previous_ns, tick.stamp_ns) and not self._record.is_absent(node.name, tick.seq)

    def _step(self, seat: _Seat, tick: Tick, observer: Replayed | None) -> None:
        outputs = seat.subsystem.step(tick, seat.inbox.advance(tick.seq, tick.stamp_ns))
        place: Counter[str] = Counter()  # of a message among those of its topic at this tick
        for topic, message in stamped(seat.node, tick, outputs):
            data = encode(message, topic.type)
            recorded = self._record.of(topic.key, tick.seq)[place[topic.key] :]
            self._compare(tick, topic, message, data, recorded[0] if recorded else None)
            place[topic.key] += 1
            if observer:
                observer(tick, topic.key, message, data)

    def _compare(self, tick: Tick, topic: Topic, message: Message, data: bytes, recorded: bytes | None) -> None:
        into = self.comparisons[topic.key]
        if recorded is None:
            into.not_recorded += self._record.has(topic)
        elif recorded == data or self._record.bag.canonical(topic.name, recorded) == data:
            into.equal += 1
        else:
            then = self._record.bag.decode(topic.name, recorded)
            found = [each for each in differences(then, message) if ABSENT not in (each.a, each.b)]
            self._count(into, tick, found)

    def _count(self, into: OutputComparison, tick: Tick, found: Sequence[FieldDifference]) -> None:
        for difference in found:
            into.fields.setdefault(difference.field.partition("[")[0], FieldStatistics()).add(tick.seq, difference)
        if all(self._is_close(difference) for difference in found):
            into.close += bool(found)
            into.equal += not found
        else:
            into.different += 1
            into.first = into.first or (tick.seq, found[0])

    def _is_close(self, difference: FieldDifference) -> bool:
        if self._tolerance is None or math.isinf(difference.size):
            return False
        return difference.size <= self._tolerance * max(1.0, abs(float(difference.a)))

    def _count_what_was_not_replayed(self) -> None:
        last = self._record.ticks[-1].seq
        for key, comparison in self.comparisons.items():
            recorded = sum(len(each) for tick, each in self._record.messages.get(key, {}).items() if tick <= last)
            comparison.not_replayed = recorded - comparison.equal - comparison.close - comparison.different


class _Seat:
    """A node that is replayed, through all its lives."""

    def __init__(self, name: str, mission: Mission) -> None:
        self.node = architecture().nodes[name]
        self.fit = True  # has not broken down
        self.been_away: Absence | None = None  # the newest of its absences that it has come back from
        self.live_again(mission, 0, {})

    def live_again(self, mission: Mission, life: int, published: Mapping[str, Message]) -> None:
        """Begin a life, which goes on from what the former one published."""
        self.life = life
        self.inbox = Inbox(self.node, plan=fault_plan(mission))
        self.subsystem = subsystem(self.node.name, mission)
        if life:
            self.subsystem.restore(published)


def flight_nodes(mission: Mission) -> list[str]:
    """The flight software of a mission."""
    nodes = architecture().nodes
    return [name for name in mission.scenario.members if nodes[name].package == FLIGHT_PACKAGE]


def why_not(record: FlightRecord, mission: Mission, node: Node) -> str:
    """Why a node of a record cannot be replayed; empty if it can."""
    if node.name not in mission.scenario.members:
        return f"the scenario {mission.scenario.name} has no {node.name}"
    for port in node.gating_inputs:
        topic = port.topic
        publisher = architecture().publisher_of(topic)
        if topic.period_ns == EVENT or publisher not in mission.scenario.members:
            continue
        if not record.has(topic):
            return f"its input {topic.name} was not recorded"
        if unknown := record.unknown_fields(topic):
            return f"its input {topic.name} was recorded by another version, which had no {', '.join(unknown)}"
    if record.ticks[0].seq:
        return f"the record begins at tick {record.ticks[0].seq}, and a node is replayed from its beginning on"
    return ""
