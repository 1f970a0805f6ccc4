"""`./lander diff RUN_A RUN_B`: whether two runs published the same, and if not, where they first part."""

from __future__ import annotations

import sys
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import NamedTuple

import click
from rich.console import Console
from rich.table import Column, Table

from lander_runtime.architecture import Topic, architecture
from lander_runtime.messages import NANOSECONDS, Message, peek_stamp_ns, peek_tick
from lander_tools.bag import Bag, BagError
from lander_tools.columns import gather
from lander_tools.differences import FieldDifference, differences
from lander_tools.recover import CannotRun

EQUAL, DIFFERENT = 0, 1  # exit status; CannotRun has 2
_SHOWN_FIELDS = 12

Place = tuple[int, int]  # tick, and the how-many-eth message of its topic at this tick


class FirstDifference(NamedTuple):
    """The first message of a topic that is not the same in both runs."""

    place: Place
    stamp_ns: int
    missing_in: str  # "A" or "B" where one of them does not have it, else empty
    fields: tuple[FieldDifference, ...]


@dataclass
class TopicComparison:
    """The messages of one topic in two runs."""

    topic: Topic
    node: str
    equal: int = 0
    different: int = 0
    only_a: int = 0
    only_b: int = 0
    first: FirstDifference | None = None

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return self.first is None


@dataclass
class Comparison:
    """The gating messages of two runs."""

    topics: list[TopicComparison] = field(default_factory=list)
    missing_topics: list[str] = field(default_factory=list)  # recorded in one of the runs only
    last_tick: dict[str, int] = field(default_factory=dict)  # of run "A" and run "B"

    @property
    def first(self) -> TopicComparison | None:
        """The topic that parts first: by tick, and within a tick by the order of the data flow."""
        apart = [topic for topic in self.topics if topic.first]
        return min(apart, key=lambda each: each.first.place[0], default=None)  # type: ignore[union-attr]  # filtered

    @property
    def same(self) -> bool:
        """Whether nothing differs."""
        return not self.missing_topics and all(topic.same for topic in self.topics)


class _Recorded:
    """The messages of one topic in one run."""

    def __init__(self, bag: Bag, topic: Topic, messages: Sequence[bytes]) -> None:
        self._bag = bag
        self._name = topic.name
        self.messages = placed(messages)

    def canonical(self, place: Place) -> bytes:
        return self._bag.canonical(self._name, self.messages[place])

    def decoded(self, place: Place) -> Message:
        return self._bag.decode(self._name, self.messages[place])


def placed(messages: Sequence[bytes]) -> dict[Place, bytes]:
    """Messages by tick; several of one tick, such as events, by their order."""
    by_place: dict[Place, bytes] = {}
    count: defaultdict[int, int] = defaultdict(int)
    for data in messages:
        tick = peek_tick(data)
        by_place[tick, count[tick]] = data
        count[tick] += 1
    return by_place


def compare(a: Bag, b: Bag) -> Comparison:
    """Compare what the nodes of two runs published, message by message. Raises BagError where a bag is damaged.

    Standard messages derived from these, and the runtime's own, are left out: they have no bearing on the flight.
    """
    comparison = Comparison()
    wanted = list(_in_order_of_flow())
    messages_a, messages_b = (gather(bag, [topic.name for _, topic in wanted]) for bag in (a, b))
    comparison.last_tick = {"A": _last_tick(messages_a), "B": _last_tick(messages_b)}
    for node, topic in wanted:
        if (topic.name in a.topics) != (topic.name in b.topics):
            comparison.missing_topics.append(topic.name)
        elif topic.name in a.topics:
            sides = _Recorded(a, topic, messages_a[topic.name]), _Recorded(b, topic, messages_b[topic.name])
            comparison.topics.append(_compare(TopicComparison(topic, node), *sides))
    return comparison


def _last_tick(messages: Mapping[str, Sequence[bytes]]) -> int:
    return max((peek_tick(data) for of_topic in messages.values() for data in of_topic), default=-1)


def _in_order_of_flow() -> Iterator[tuple[str, Topic]]:
    """Every gating topic with the node that publishes it."""
    catalogue = architecture()
    for name in catalogue.order(catalogue.nodes):
        for topic in catalogue.nodes[name].outputs:
            yield name, topic


def _compare(into: TopicComparison, a: _Recorded, b: _Recorded) -> TopicComparison:
    for place in sorted(a.messages.keys() | b.messages.keys()):
        in_a, in_b = a.messages.get(place), b.messages.get(place)
        if in_a is None or in_b is None:
            into.only_a += in_b is None
            into.only_b += in_a is None
        elif in_a == in_b or a.canonical(place) == b.canonical(place):
            into.equal += 1
            continue
        else:
            into.different += 1
        into.first = into.first or _describe(place, a, b)
    return into


def _describe(place: Place, a: _Recorded, b: _Recorded) -> FirstDifference:
    in_a, in_b = a.messages.get(place), b.messages.get(place)
    found = in_a if in_a is not None else in_b
    assert found is not None, "a place is of one of the two"
    if in_a is None or in_b is None:
        return FirstDifference(place, peek_stamp_ns(found), "A" if in_a is None else "B", ())
    return FirstDifference(place, peek_stamp_ns(found), "", tuple(differences(a.decoded(place), b.decoded(place))))


def lines(comparison: Comparison) -> Iterator[str]:
    """What there is to say, for people."""
    for name in comparison.missing_topics:
        yield f"{name} was recorded in one of the two runs only"
    apart = comparison.first
    if apart is None:
        count = sum(topic.equal for topic in comparison.topics)
        yield f"equal: {count} messages of {len(comparison.topics)} topics"
        return
    assert apart.first
    tick, time_s = apart.first.place[0], apart.first.stamp_ns / NANOSECONDS
    if tick > min(comparison.last_tick.values()):
        run, last = min(comparison.last_tick.items(), key=lambda item: item[1])
        yield f"run {run} ends at tick {last}; up to there the two are equal"
        return
    where = f"first difference: tick {tick} ({time_s:.3f} s), node {apart.node}, {apart.topic.name}"
    if apart.first.missing_in:
        yield f"{where}: no such message in run {apart.first.missing_in}"
    for difference in apart.first.fields[:1]:
        yield f"{where}, field {difference.field}"
    for difference in apart.first.fields[:_SHOWN_FIELDS]:
        yield f"  {difference.field}: A {difference.a!r}, B {difference.b!r}"
    if len(apart.first.fields) > _SHOWN_FIELDS:
        yield f"  and {len(apart.first.fields) - _SHOWN_FIELDS} more fields"


def table(comparison: Comparison) -> Table:
    """One row for each topic that was recorded."""
    made = Table(Column("topic", no_wrap=True), "equal", "different", "only A", "only B", "from tick")
    for topic in comparison.topics:
        counts = (topic.equal, topic.different, topic.only_a, topic.only_b)
        first = str(topic.first.place[0]) if topic.first else ""
        made.add_row(topic.topic.name, *(str(count) for count in counts), first)
    return made


@click.command(name="diff", short_help="Say where two runs first part.")
@click.argument("run_a", type=click.Path(path_type=Path))
@click.argument("run_b", type=click.Path(path_type=Path))
def command(run_a: Path, run_b: Path) -> None:
    """Compare every message that the nodes of RUN_A and RUN_B (run folders or bags) published, exactly.

    Exit status: 0 equal, 1 different, 2 could not compare.
    """
    try:
        with Bag(run_a) as a, Bag(run_b) as b:
            comparison = compare(a, b)
    except BagError as error:
        raise CannotRun(str(error)) from None
    if not comparison.topics:
        raise CannotRun("the two bags have no topic of ours in common: there is nothing to compare")
    if not comparison.same:
        Console().print(table(comparison))
    for line in lines(comparison):
        click.echo(line)
    sys.exit(EQUAL if comparison.same else DIFFERENT)
