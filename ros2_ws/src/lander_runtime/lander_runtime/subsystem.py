"""What a subsystem is: an algorithm that is stepped once a tick, and knows of no transport.

A subsystem reads the messages of its declared inputs, returns the messages of its declared outputs, and keeps its
state in itself. The same class runs over DDS and in one process; see `lander_runtime.inprocess` and
`lander_runtime.ros_host`.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import ClassVar

from lander_runtime.architecture import EVENT, Node, Topic, architecture
from lander_runtime.messages import Message, header_message

Outputs = dict[str, Message]  # topic key -> message; a list of messages for an event topic with several in one tick


@dataclass(frozen=True, slots=True)
class Tick:
    """One beat of the run. Times are integer nanoseconds of simulated time."""

    seq: int
    stamp_ns: int  # end of the tick
    step_ns: int  # its length; 0 at the first tick

    @property
    def time_s(self) -> float:
        """Simulated time at the end of the tick, s."""
        return self.stamp_ns * 1e-9

    @property
    def step_s(self) -> float:
        """Length of the tick, s."""
        return self.step_ns * 1e-9

    @property
    def previous_ns(self) -> int:
        """End of the tick before; before the first tick, a time at which nothing had been due."""
        return self.stamp_ns - self.step_ns if self.step_ns else self.stamp_ns - 1


class Inputs:
    """The newest message of each input, as of this tick, and whether it came since the last step.

    Valid within the step that it is given to: the next step finds the same object with other messages in it.
    """

    __slots__ = ("_fresh", "_latest")

    def __init__(self, latest: dict[str, Message | None], fresh: set[str]) -> None:
        self._latest = latest
        self._fresh = fresh

    def latest(self, key: str) -> Message | None:
        """Newest message of a topic, or None if there was none yet. Raises KeyError for an undeclared input."""
        return self._latest[key]

    def fresh(self, key: str) -> Message | None:
        """Newest message of a topic if it came since this node's last step, else None."""
        message = self._latest[key]
        return message if key in self._fresh else None


class Subsystem(ABC):
    """Base of every subsystem. `name` is its key in architecture.yaml."""

    name: ClassVar[str]
    heard = True  # whether anybody hears what this step returns; not while ticks are gone through that were missed

    @property
    def node(self) -> Node:
        """The declaration of this subsystem's ports."""
        return architecture().nodes[self.name]

    @abstractmethod
    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Advance to the end of the tick and return a message for every output that is due, keyed by topic."""

    def restore(self, published: Mapping[str, Message]) -> None:  # noqa: B027 - most have nothing to restore
        """Go on from what a former life of this subsystem published last, by topic; called before the first step."""


class TimeOwner(Subsystem):
    """The subsystem that owns time: it says how long the next tick is, and when the run is over."""

    @abstractmethod
    def next_step_ns(self, inputs: Inputs) -> int:
        """Length of the coming tick, ns, given what will be its inputs."""

    @property
    @abstractmethod
    def finished(self) -> bool:
        """Whether the tick just stepped was the last."""


class MissingOutputError(RuntimeError):
    """A subsystem did not return a message that is due, or returned one that it does not declare."""


def stamped(node: Node, tick: Tick, outputs: Outputs) -> Iterator[tuple[Topic, Message]]:
    """The messages of a step in the order of the node's declaration, with tick and header filled in.

    Raises MissingOutputError where the step broke its declaration: consumers would wait for ever.
    """
    previous_ns, stamp_ns, declared = tick.previous_ns, tick.stamp_ns, 0
    for topic in node.outputs:
        given, due = outputs.get(topic.key), topic.is_due(previous_ns, stamp_ns)
        if given is None:
            if due:
                raise MissingOutputError(f"{node.name} returned no {topic.key}, which is due at tick {tick.seq}")
            continue
        declared += 1
        if not due and topic.period_ns != EVENT:
            continue
        for message in given if isinstance(given, list) else (given,):
            message.tick = tick.seq
            message.header = header_message(stamp_ns, topic.frame)
            yield topic, message
    if declared != len(outputs):
        surplus = sorted(outputs.keys() - {topic.key for topic in node.outputs})
        raise MissingOutputError(f"{node.name} returned undeclared outputs at tick {tick.seq}: {surplus}")
