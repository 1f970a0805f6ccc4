"""The owner of time: when the next tick may begin, who holds it up, and what the run came to.

Sans-I/O like `lander_runtime.member`; the loop around it is in `lander_runtime.ros_host`.
"""

from __future__ import annotations

import json
from collections.abc import Collection, Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import numpy as np

from lander_runtime.architecture import Architecture, Node
from lander_runtime.digest import run_digest
from lander_runtime.inbox import Inbox
from lander_runtime.member import Membership, decoder
from lander_runtime.messages import Message, peek_tick
from lander_runtime.subsystem import Inputs, Tick

RUN_RECORD_FILE = "run_record.json"  # what the conductor leaves in the run folder: its counts and the result
EPOCH = 1  # of the run that acknowledgements are for: a late one of another counts for nothing
CREDIT_TICKS = 64  # how far a member outside the control chain may lag; well under the depth of a `stream` topic


@dataclass(frozen=True)
class LostNode:
    """A member that was lost, and the first tick that it took no part in."""

    node: str
    tick: int
    time_s: float
    cause: str


@dataclass
class RunRecord:
    """What the conductor counted over a run."""

    ticks: int = 0
    sim_time_s: float = 0.0
    wall_time_s: float = 0.0
    digest: str = ""
    nodes_lost: list[LostNode] = field(default_factory=list)
    deadline_misses: int = 0
    stale_inputs: int = 0
    missed_ticks: int = 0
    command_delay_s: list[float] = field(default_factory=list)  # wall clock, from truth to command

    def summary(self) -> dict[str, Any]:
        """The record as plain data, with the command delays as their median and 99th percentile."""
        data = asdict(self) | {"real_time_factor": self.real_time_factor}
        delays = data.pop("command_delay_s")
        p50, p99 = np.percentile(delays, [50, 99]).tolist() if delays else (None, None)
        return data | {"command_delay_p50_s": p50, "command_delay_p99_s": p99}

    def write(self, folder: Path, rate: float, result: Mapping[str, Any]) -> None:
        """Leave the record in a run folder, with the rate and the fields of the result, if there is one.

        Raises OSError.
        """
        folder.mkdir(parents=True, exist_ok=True)
        record = self.summary() | {"rate": rate, "result": dict(result)}
        (folder / RUN_RECORD_FILE).write_text(json.dumps(record, indent=2), encoding="utf-8")

    @property
    def real_time_factor(self) -> float:
        """Simulated over wall-clock time."""
        return self.sim_time_s / self.wall_time_s if self.wall_time_s > 0.0 else 0.0


class Conductor:
    """The time owner's view of the run."""

    def __init__(self, node: Node, catalogue: Architecture, members: Collection[str]) -> None:
        self.node = node
        self._order = catalogue.order(name for name in members if name != node.name)
        self.membership = Membership([name for name in members if name != node.name])
        self.record = RunRecord()
        self.ready: set[str] = set()  # members that have announced themselves
        self.acks: dict[str, Message] = {}  # newest TickDone of each member
        self.tick = Tick(seq=-1, stamp_ns=0, step_ns=0)
        self._publishers = {port.topic.key: catalogue.publisher_of(port.topic) for port in node.inputs}
        self._inbox = Inbox(node, decoder)
        self._due = dict.fromkeys(self._publishers, -1)

    def on_message(self, key: str, data: bytes) -> None:
        """A message of an input arrived."""
        self._inbox.queues[key].put(peek_tick(data), data)

    def on_tick_done(self, message: Message, epoch: int) -> None:
        """A member has stepped; an answer of another epoch counts for nothing."""
        if message.epoch == epoch:
            self.acks[message.node] = message

    def begin(self, step_ns: int) -> Tick:
        """Make the next tick."""
        self.tick = tick = Tick(self.tick.seq + 1, self.tick.stamp_ns + step_ns, step_ns)
        for port in self.node.inputs:
            if port.topic.is_due(tick.previous_ns, tick.stamp_ns):
                self._due[port.topic.key] = tick.seq
        return tick

    def inputs(self) -> Inputs:
        """Inputs of the coming tick."""
        return self._inbox.advance(self.tick.seq + 1)

    def missing(self) -> list[str]:
        """Inputs that must arrive before the next tick may begin."""
        return [
            key
            for key, queue in self._inbox.queues.items()
            if queue.newest_tick < self._due[key] and self.membership.owes(self._publishers[key], self._due[key])
        ]

    def newest(self, key: str) -> int:
        """Tick of the newest message of an input."""
        return self._inbox.queues[key].newest_tick

    def done(self, name: str) -> int:
        """Newest tick that a member has acknowledged, or -1."""
        return int(self.acks[name].tick) if name in self.acks else -1

    def laggards(self, tick: int) -> list[str]:
        """Members that have not acknowledged a tick, in the order of the data flow."""
        return [name for name in self._order if name in self.membership.present and self.done(name) < tick]

    def lose(self, name: str, cause: str) -> LostNode:
        """Take a member out of the run, from the first tick that it has not acknowledged."""
        lost = LostNode(name, self.done(name) + 1, self.tick.time_s, cause)
        self.membership.lose(name, lost.tick)
        self.record.nodes_lost.append(lost)
        return lost

    def close(self, own_digest: bytes, wall_time_s: float) -> RunRecord:
        """The record of the run, after the last acknowledgements."""
        digests = {name: bytes(ack.digest) for name, ack in self.acks.items() if ack.published}
        self.record.digest = run_digest({**digests, self.node.name: own_digest})
        self.record.ticks = self.tick.seq + 1
        self.record.sim_time_s = self.tick.time_s
        self.record.wall_time_s = wall_time_s
        self.record.stale_inputs += sum(int(ack.stale_inputs) for ack in self.acks.values())
        self.record.missed_ticks += sum(int(ack.missed_ticks) for ack in self.acks.values())
        return self.record
