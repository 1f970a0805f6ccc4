"""What is said when a member leaves a run, comes back, or asks for what it missed (`NodeEvent`)."""

from __future__ import annotations

from typing import Any

from lander_runtime.messages import Message, NodeEvent

EPOCH = 1  # of this run: a message with another one counts for nothing


def node_event(kind: int, node: str, from_tick: int = 0, life: int = 0, **more: Any) -> Message:
    """A NodeEvent of this run; the fields are those of the .msg file."""
    fields = {"cause": "", "planned": False, "pid": 0, "host": ""} | more
    return NodeEvent(epoch=EPOCH, kind=kind, node=node, from_tick=from_tick, life=life, **fields)


def lost(node: str, from_tick: int, life: int, cause: str, planned: bool) -> Message:
    """A life takes no part from a tick on."""
    return node_event(NodeEvent.LOST, node, from_tick, life, cause=cause, planned=planned)


def joined(node: str, from_tick: int, life: int) -> Message:
    """A life takes part from a tick on."""
    return node_event(NodeEvent.JOINED, node, from_tick, life)
