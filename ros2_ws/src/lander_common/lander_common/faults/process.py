"""What can happen to nodes and to the topics between them: faults that the runtime applies."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import LastingFault, TimedFault


class Kill(TimedFault):
    """The process of a node dies and does not come back."""

    kind: Literal["kill"]


class Restart(TimedFault):
    """The process of a node dies and is started anew."""

    kind: Literal["restart"]
    down_s: float = Field(ge=0, description="of flight, until it takes part again")


class Hang(LastingFault):
    """A node lives and does nothing."""

    kind: Literal["hang"]


class Slow(LastingFault):
    """A node's outputs come late."""

    kind: Literal["slow"]
    delay_s: float = Field(gt=0, le=60, description="of every output, in flight time")


class Drop(LastingFault):
    """Messages are lost."""

    kind: Literal["drop"]
    probability: float = Field(gt=0, le=1, description="that a message is lost")


class Delay(LastingFault):
    """Messages come late, in order."""

    kind: Literal["delay"]
    delay_s: float = Field(gt=0, le=60, description="of every message, in flight time")


class Duplicate(LastingFault):
    """Messages come twice."""

    kind: Literal["duplicate"]
    probability: float = Field(gt=0, le=1, description="that a message comes again")


class Reorder(LastingFault):
    """A message is overtaken by the one after it."""

    kind: Literal["reorder"]
    probability: float = Field(gt=0, le=1, description="that a message is overtaken")


class Corrupt(LastingFault):
    """Bits of messages flip."""

    kind: Literal["corrupt"]
    probability: float = Field(gt=0, le=1, description="that a message has a flipped bit")


class Freeze(LastingFault):
    """The last message again and again, as if it were new."""

    kind: Literal["freeze"]


NODE_KINDS = (Kill, Restart, Hang, Slow)
TOPIC_KINDS = (Drop, Delay, Duplicate, Reorder, Corrupt, Freeze)
