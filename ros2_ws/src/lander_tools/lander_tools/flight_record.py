"""A recorded run, tick by tick, from any rosbag2 that holds our topics: what was published, and what is missing."""

from __future__ import annotations

from collections import defaultdict
from collections.abc import Iterator
from contextlib import ExitStack
from dataclasses import dataclass
from pathlib import Path
from tempfile import TemporaryDirectory

from lander_runtime.architecture import EVENT, Architecture, Topic, architecture
from lander_runtime.messages import NANOSECONDS, NodeEvent, peek_stamp_ns, peek_tick, typestore
from lander_runtime.subsystem import Tick
from lander_tools.bag import Bag, BagError
from lander_tools.recover import recover

FOREVER = 1 << 62  # a tick that no run reaches


@dataclass(frozen=True)
class Absence:
    """Ticks [begin, end) without a node, and the number of the life that it came back with."""

    begin: int
    end: int = FOREVER
    next_life: int = 0


class FlightRecord:
    """The messages of a run by topic and tick. Use it as a context manager."""

    def __init__(self, path: Path) -> None:
        """Read a run folder, bag folder or storage file; of a damaged one, what can be read.

        Raises BagError where there is no bag, or nothing of ours in it.
        """
        self.notes: list[str] = []  # what is lost, one sentence each
        self.messages: dict[str, dict[int, list[bytes]]] = defaultdict(dict)  # topic key -> tick -> CDR bytes
        self._stack = ExitStack()
        self._stamps_ns: dict[int, int] = {}
        self.bag = self._read(path)
        self.absences = self._absences()
        self.ticks = self._complete(self._without_gap())

    def __enter__(self) -> FlightRecord:
        return self

    def __exit__(self, *_exception: object) -> None:
        self._stack.close()

    def of(self, key: str, tick: int) -> list[bytes]:
        """What was published on a topic at a tick."""
        return self.messages[key].get(tick, []) if key in self.messages else []

    def has(self, topic: Topic) -> bool:
        """Whether anything was recorded of a topic."""
        return topic.key in self.messages

    def is_absent(self, node: str, tick: int) -> bool:
        """Whether a node took no part at a tick, as the record itself says."""
        return any(absence.begin <= tick < absence.end for absence in self.absences.get(node, ()))

    def absence_before(self, node: str, tick: int) -> Absence | None:
        """The newest absence of a node that was over at a tick."""
        over = [absence for absence in self.absences.get(node, ()) if absence.end <= tick]
        return over[-1] if over else None

    def unknown_fields(self, topic: Topic) -> list[str]:
        """Fields that a topic's type has here and had not, or had otherwise, in the version that recorded it."""
        theirs = self.bag.types(topic.type).fielddefs[topic.type][1]
        return [name for name, definition in typestore().fielddefs[topic.type][1] if (name, definition) not in theirs]

    def _read(self, path: Path) -> Bag:
        try:
            return self._load(path)
        except BagError as error:
            if not path.exists():
                raise
            self.messages.clear()
            self._stamps_ns.clear()
            scratch = self._stack.enter_context(TemporaryDirectory(prefix="frigoris-replay-"))
            try:
                restored = recover(path, Path(scratch) / "bag")
            except BagError:
                self._stack.close()
                raise
            self.notes.append(f"{error}: of this bag {restored.messages} messages could be read")
            self.notes += [f"lost: {loss}" for loss in restored.losses]
            return self._load(restored.restored)

    def _load(self, path: Path) -> Bag:
        bag = self._stack.enter_context(Bag(path))
        keys = {topic.name: topic.key for topic in _ours(architecture()) if topic.name in bag.topics}
        for name, key in keys.items():
            expected = architecture().topics[key].type
            if bag.topics[name].type != expected:
                raise BagError(f"{bag.path}: {name} is {bag.topics[name].type} there, and {expected} here")
        for record in bag.records(keys):
            self._take(keys[record.topic], record.data)
        if not self._stamps_ns:
            raise BagError(f"{bag.path} holds no message of a lander's run: there is nothing to replay")
        return bag

    def _take(self, key: str, data: bytes) -> None:
        tick = peek_tick(data)
        self.messages[key].setdefault(tick, []).append(data)
        if key != "node_events":  # which have the tick that their sender knew of
            self._stamps_ns[tick] = peek_stamp_ns(data)

    def _without_gap(self) -> list[Tick]:
        """The ticks from the first on, as long as none is missing."""
        numbers = sorted(self._stamps_ns)
        ticks: list[Tick] = []
        for number in numbers:
            if ticks and number != ticks[-1].seq + 1:
                self.notes.append(
                    f"ticks {ticks[-1].seq + 1} to {number - 1} are not in the bag: "
                    f"what came after them, up to tick {numbers[-1]}, is left out"
                )
                break
            stamp_ns = self._stamps_ns[number]
            ticks.append(Tick(number, stamp_ns, stamp_ns - ticks[-1].stamp_ns if ticks else 0))
        return ticks

    def _complete(self, ticks: list[Tick]) -> list[Tick]:
        """The ticks up to the first at which a topic is due that ended before: where a bag is cut, topics end raggedly."""
        catalogue = architecture()
        last = {key: max(by_tick) for key, by_tick in self.messages.items()}
        regular = [topic for topic in _ours(catalogue) if topic.key in last and topic.period_ns != EVENT]
        ends = min((last[topic.key] for topic in regular), default=0)
        for number, tick in enumerate(ticks):
            for topic in regular if tick.seq > ends else ():
                publisher = catalogue.publisher_of(topic)
                if tick.seq <= last[topic.key] or not topic.is_due(tick.previous_ns, tick.stamp_ns):
                    continue
                if publisher is None or not self.is_absent(publisher, tick.seq):
                    self.notes.append(
                        f"{topic.name} ends before tick {tick.seq}, {tick.time_s:.3f} s: so does the replay"
                    )
                    return ticks[:number]
        return ticks

    def _absences(self) -> dict[str, list[Absence]]:
        """Absences of each node in order, from the events of its loss and return."""
        absent: dict[str, list[Absence]] = {}
        name = architecture().topics["node_events"].name
        for event in (self.bag.decode(name, data) for data in self._in_order("node_events")):
            spans = absent.setdefault(event.node, [])
            if event.kind == NodeEvent.LOST:
                spans.append(Absence(int(event.from_tick)))
            elif spans and event.kind == NodeEvent.JOINED:
                spans[-1] = Absence(spans[-1].begin, int(event.from_tick), int(event.life))
        return absent

    def _in_order(self, key: str) -> Iterator[bytes]:
        for tick in sorted(self.messages.get(key, ())):
            yield from self.messages[key][tick]

    @property
    def duration_s(self) -> float:
        """Time from the first tick to the last, s."""
        return (self.ticks[-1].stamp_ns - self.ticks[0].stamp_ns) / NANOSECONDS


def _ours(catalogue: Architecture) -> list[Topic]:
    """Topics whose messages carry a tick that is the run's: all gating ones, the beat, and events of membership."""
    return [
        topic for topic in catalogue.topics.values() if topic.role == "gating" or topic.key in ("tick", "node_events")
    ]
