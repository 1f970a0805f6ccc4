"""Subsystems that do no work: the topology alone, to measure what the transport costs and to test the runtime."""

from __future__ import annotations

import copy

from lander_runtime.architecture import EVENT, MILLISECOND, Node, architecture
from lander_runtime.messages import Message, zeros
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick, TimeOwner

TICK_NS = 20 * MILLISECOND


class _Zeros:
    """All-zero messages for every periodic output of a node."""

    def __init__(self, node: Node) -> None:
        self._topics = [topic for topic in node.outputs if topic.period_ns != EVENT]
        self._messages: dict[str, Message] = {topic.key: zeros(topic.type) for topic in self._topics}

    def due(self, tick: Tick) -> Outputs:
        return {
            topic.key: copy.copy(self._messages[topic.key])
            for topic in self._topics
            if topic.is_due(tick.previous_ns, tick.stamp_ns)
        }


class Stub(Subsystem):
    """Any node of the architecture, without its work."""

    def __init__(self, name: str) -> None:
        self._declaration = architecture().nodes[name]
        self._zeros = _Zeros(self._declaration)

    @property
    def node(self) -> Node:
        """The declaration that this stub stands for."""
        return self._declaration

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Publish zeros."""
        return self._zeros.due(tick)


class StubOwner(TimeOwner):
    """The owner of time, without a world: a given number of ticks of 20 ms."""

    def __init__(self, name: str, ticks: int) -> None:
        self._declaration = architecture().nodes[name]
        self._zeros = _Zeros(self._declaration)
        self._left = ticks

    @property
    def node(self) -> Node:
        """The declaration that this stub stands for."""
        return self._declaration

    def next_step_ns(self, inputs: Inputs) -> int:
        """20 ms."""
        return TICK_NS

    @property
    def finished(self) -> bool:
        """Whether the given number of ticks has been made."""
        return self._left <= 0

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Publish zeros."""
        self._left -= 1
        return self._zeros.due(tick)
