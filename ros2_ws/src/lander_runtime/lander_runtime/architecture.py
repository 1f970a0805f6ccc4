"""The architecture as data: topics, nodes and their ports, read once from `lander_interfaces/architecture.yaml`."""

from __future__ import annotations

import re
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from functools import cache
from graphlib import TopologicalSorter
from typing import Any

from ruamel.yaml import YAML

from lander_runtime.messages import interfaces_share

EVENT = -1  # period of a topic that is published when there is something to say
EVERY_TICK = 0  # period of a topic that is published at every tick
MILLISECOND = 1_000_000


@dataclass(frozen=True, slots=True)
class QosProfile:
    """A named set of DDS policies."""

    name: str
    reliability: str
    durability: str
    depth: int


@dataclass(frozen=True, slots=True)
class Topic:
    """A topic: what flows, how often and how."""

    key: str
    name: str
    type: str
    period_ns: int  # EVERY_TICK, EVENT, or a period
    qos: QosProfile
    role: str  # gating | view | run
    frame: str
    about: str
    of: str  # for a view: the topic that it is derived from

    def is_due(self, previous_ns: int, now_ns: int) -> bool:
        """Whether this topic is published at the tick from `previous_ns` to `now_ns`."""
        if self.period_ns <= EVERY_TICK:
            return self.period_ns == EVERY_TICK
        return now_ns // self.period_ns > previous_ns // self.period_ns


@dataclass(frozen=True, slots=True)
class Input:
    """A topic that a node reads."""

    topic: Topic
    max_age_ns: int | None  # oldest message that the node accepts
    delayed: bool  # use the message of the tick before


@dataclass(frozen=True, slots=True)
class Node:
    """A node and its ports."""

    name: str
    package: str
    inputs: tuple[Input, ...]
    outputs: tuple[Topic, ...]

    @property
    def gating_inputs(self) -> tuple[Input, ...]:
        """Inputs that the lockstep waits for: messages of ours, not the standard messages derived from them."""
        return tuple(port for port in self.inputs if port.topic.role == "gating")

    @property
    def is_sink(self) -> bool:
        """Whether the node only listens, such as the recorder: it steps at every tick and nobody waits for it."""
        return not self.outputs

    def is_due(self, previous_ns: int, now_ns: int) -> bool:
        """Whether the node steps at this tick: when any of its periodic outputs is due."""
        if self.is_sink:
            return True
        for topic in self.outputs:  # noqa: SIM110  (any() over a generator takes three times as long, at every tick)
            if topic.is_due(previous_ns, now_ns):
                return True
        return False


@dataclass(frozen=True)
class Architecture:
    """All topics and nodes."""

    topics: dict[str, Topic]
    nodes: dict[str, Node]

    def publisher_of(self, topic: Topic) -> str | None:
        """Name of the node that publishes a gating topic or the topic that a view is derived from."""
        key = topic.of or topic.key
        return next((node.name for node in self.nodes.values() if any(out.key == key for out in node.outputs)), None)

    def order(self, members: Iterable[str]) -> list[str]:
        """Members in the order of the data flow within a tick; equals by their place in the file.

        Raises graphlib.CycleError where a loop is not opened by a delayed input.
        """
        wanted = set(members)
        chosen = [name for name in self.nodes if name in wanted]
        sorter: TopologicalSorter[str] = TopologicalSorter()
        for name in chosen:
            sources = (self.publisher_of(port.topic) for port in self.nodes[name].inputs if not port.delayed)
            sorter.add(name, *(source for source in sources if source in chosen))
        sorter.prepare()
        ordered: list[str] = []
        while sorter.is_active():
            ready = sorted(sorter.get_ready(), key=chosen.index)
            ordered.extend(ready)
            sorter.done(*ready)
        return ordered


_DURATION = re.compile(r"^(\d+) ms$")


def parse_period(text: str) -> int:
    """Period in ns from `tick`, `event` or `100 ms`. Raises ValueError for anything else."""
    if text in ("tick", "event"):
        return EVERY_TICK if text == "tick" else EVENT
    match = _DURATION.match(text)
    if not match or int(match[1]) == 0:
        raise ValueError(f"{text!r} is not a rate: expected `tick`, `event` or a period such as `100 ms`")
    return int(match[1]) * MILLISECOND


def build(document: dict[str, Any]) -> Architecture:
    """Architecture from the parsed file. Raises KeyError or ValueError where it refers to what is not there."""
    qos = {name: QosProfile(name, **policies) for name, policies in document["qos"].items()}
    topics = {key: _topic(key, entry, qos) for key, entry in document["topics"].items()}
    nodes = {
        name: Node(
            name,
            entry["package"],
            _inputs(entry["inputs"], topics),
            tuple(topics[key] for key in entry["outputs"]),
        )
        for name, entry in document["nodes"].items()
    }
    return Architecture(topics, nodes)


def _topic(key: str, entry: dict[str, Any], qos: dict[str, QosProfile]) -> Topic:
    return Topic(
        key=key,
        name=entry["topic"],
        type=entry["type"],
        period_ns=parse_period(entry["rate"]),
        qos=qos[entry["qos"]],
        role=entry["role"],
        frame=entry.get("frame", ""),
        about=entry["about"],
        of=entry.get("of", ""),
    )


def _inputs(entry: dict[str, Any] | str, topics: dict[str, Topic]) -> tuple[Input, ...]:
    if entry == "everything":
        return tuple(Input(topic, None, delayed=False) for topic in topics.values() if topic.key != "tick_done")
    assert isinstance(entry, dict)
    return tuple(_input(topics[key], port) for key, port in entry.items())


def _input(topic: Topic, port: dict[str, Any]) -> Input:
    age = port["max_age"]
    return Input(topic, None if age == "any" else parse_period(age), bool(port.get("delayed", False)))


@cache
def architecture() -> Architecture:
    """The architecture of this installation."""
    return build(YAML(typ="safe").load((interfaces_share() / "architecture.yaml").read_text()))


def views_of(topics: Sequence[Topic], catalogue: Architecture) -> list[Topic]:
    """The standard messages that are derived from the given topics."""
    keys = {topic.key for topic in topics}
    return [topic for topic in catalogue.topics.values() if topic.role == "view" and topic.of in keys]
