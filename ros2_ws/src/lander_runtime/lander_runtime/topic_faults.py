"""What the faults of a topic make of its messages, one by one. Sans-I/O, and the same for every reader of the topic.

Whether a message is struck is drawn from a stream of its own, named by the fault and the tick. So every reader of a topic
sees the same messages struck, also one that was started in mid-flight.
"""

from __future__ import annotations

import copy
from abc import ABC, abstractmethod
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from lander_runtime.bit_flip import with_flipped_bit
from lander_runtime.faults import TopicFault, TopicKind
from lander_runtime.messages import Message, stamp_ns
from lander_runtime.rng import stream


@dataclass(frozen=True, slots=True, eq=False)
class Passing:
    """A message on its way to a reader."""

    tick: int
    at_ns: int  # when it is there
    message: Message


class Channel:
    """The way of one topic to one reader, through all the faults of the topic in turn."""

    def __init__(self, faults: Sequence[TopicFault]) -> None:
        self._stages = [_STAGES[fault.kind](fault) for fault in faults]

    def carry(self, tick: int, message: Message) -> list[Passing]:
        """What a message becomes: itself, nothing, another one, or several."""
        on_the_way = [Passing(tick, stamp_ns(message), message)]
        for stage in self._stages:
            on_the_way = [out for passing in on_the_way for out in stage.carry(passing)]
        return on_the_way


class Stage(ABC):
    """One fault on the way. It lets every message through that it does not act upon."""

    def __init__(self, fault: TopicFault) -> None:
        self._fault = fault

    def carry(self, passing: Passing) -> list[Passing]:
        """What comes out for a message."""
        fault = self._fault
        if not fault.acts_at(stamp_ns(passing.message)):
            return self.spare(passing)
        random = stream(fault.seed, f"{fault.stream}/{passing.tick}")
        return self.strike(passing, random) if random.random() < fault.probability else self.spare(passing)

    def spare(self, passing: Passing) -> list[Passing]:
        """The fault does not act on this one."""
        return [passing]

    @abstractmethod
    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """The fault acts on this one."""


class Drop(Stage):
    """The message is lost."""

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """Nothing."""
        return []


class Delay(Stage):
    """The message comes later."""

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """The same message, later."""
        return [replace(passing, at_ns=passing.at_ns + self._fault.delay_ns)]


class Duplicate(Stage):
    """The message comes twice."""

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """The message, and a copy of it."""
        return [passing, replace(passing, message=copy.copy(passing.message))]


class Reorder(Stage):
    """The message is overtaken by the next one."""

    def __init__(self, fault: TopicFault) -> None:
        super().__init__(fault)
        self._held: list[Passing] = []

    def spare(self, passing: Passing) -> list[Passing]:
        """The message, then the one that it has overtaken."""
        held, self._held = self._held, []
        return [passing, *(replace(late, at_ns=passing.at_ns) for late in held)]

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """Hold the message back; but a message that overtakes another is not overtaken itself."""
        if self._held:
            return self.spare(passing)
        self._held = [passing]
        return []


class Freeze(Stage):
    """The last message from before comes again and again, with the stamps of the true ones."""

    def __init__(self, fault: TopicFault) -> None:
        super().__init__(fault)
        self._last: Message | None = None

    def spare(self, passing: Passing) -> list[Passing]:
        """Remember it."""
        self._last = passing.message
        return [passing]

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """The remembered one as if it were new; a reader that knows none remembers this one."""
        if self._last is None:
            return self.spare(passing)
        frozen = copy.copy(self._last)
        frozen.tick, frozen.header = passing.message.tick, passing.message.header
        return [replace(passing, message=frozen)]


class Corrupt(Stage):
    """A bit of a number in the message flips."""

    def strike(self, passing: Passing, random: np.random.Generator) -> list[Passing]:
        """The message with a flipped bit."""
        return [replace(passing, message=with_flipped_bit(passing.message, random))]


_STAGES: dict[TopicKind, Callable[[TopicFault], Stage]] = {
    "drop": Drop,
    "delay": Delay,
    "duplicate": Duplicate,
    "reorder": Reorder,
    "corrupt": Corrupt,
    "freeze": Freeze,
}
