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
from lander_runtime.digest import run_digest, with_life
from lander_runtime.faults import NO_FAULTS, Change, FaultPlan
from lander_runtime.inbox import Inbox
from lander_runtime.member import decoder
from lander_runtime.membership import Membership, Timetable
from lander_runtime.messages import Message, peek_tick
from lander_runtime.subsystem import Inputs, Tick

RUN_RECORD_FILE = "run_record.json"  # what the conductor leaves in the run folder: its counts and the result
ACKNOWLEDGE_EVERY = 5  # ticks; an acknowledgement a tick would cost as much as the control chain
_MUCH_STOLEN_S = 0.05  # between two looks, half a second apart: enough to miss deadlines
CREDIT_TICKS = 64  # how far a member outside the control chain may lag; well under the depth of a `stream` topic


@dataclass
class LostNode:
    """A member that was lost, and the first tick that it took no part in."""

    node: str
    tick: int
    time_s: float
    cause: str
    back_s: float | None = None  # when it, or a new process in its place, took part again


@dataclass
class RunRecord:
    """What the conductor counted over a run."""

    ticks: int = 0
    sim_time_s: float = 0.0
    wall_time_s: float = 0.0
    digest: str = ""
    nodes_lost: list[LostNode] = field(default_factory=list)
    deadline_misses: int = 0
    misses_in_a_row: int = 0  # the most
    misses_at_s: float = 0.0  # simulated time of the last of these
    stalls: list[tuple[float, int]] = field(default_factory=list)  # two or more in a row: when they were over, how many
    behind_s: float = 0.0  # by which the world began a tick too late by the wall clock, the most
    behind_at_s: float = 0.0  # simulated time of that
    stolen_s: float = 0.0  # processor time that the machine's host gave to others
    thefts: list[tuple[float, float]] = field(default_factory=list)  # simulated time, of when it took much, how much, s
    stale_inputs: int = 0
    missed_ticks: int = 0
    real_time: bool = False  # the wall clock set the pace, with real-time priority
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


def read_record(run: Path) -> dict[str, Any]:
    """The record in a run folder, as plain data. Raises OSError, or ValueError where it is no JSON."""
    record: dict[str, Any] = json.loads((run / RUN_RECORD_FILE).read_text(encoding="utf-8"))
    return record


class Conductor:
    """The time owner's view of the run."""

    def __init__(
        self, node: Node, catalogue: Architecture, members: Collection[str], plan: FaultPlan = NO_FAULTS
    ) -> None:
        self.node = node
        others = [name for name in members if name != node.name]
        self._order = catalogue.order(others)
        self.membership = Membership(others)
        self.lives = dict.fromkeys(others, 0)  # number of each member's present life
        self.record = RunRecord()
        self.ready: dict[str, Message] = {}  # the newest announcement of each member: NodeEvent READY
        self.acks: dict[tuple[str, int], Message] = {}  # newest TickDone of each life
        self.tick = Tick(seq=-1, stamp_ns=0, step_ns=0)
        self._timetable = Timetable([change for change in plan.changes() if change.node in self.lives])
        self._joined_at = dict.fromkeys(others, 0)
        self._publishers = {port.topic.key: catalogue.publisher_of(port.topic) for port in node.inputs}
        self._inbox = Inbox(node, decoder, plan)
        self._due = dict.fromkeys(self._publishers, -1)
        self._missed = 0  # deadlines in a row, up to now

    def on_message(self, key: str, data: bytes) -> None:
        """A message of an input arrived."""
        self._inbox.queues[key].put(peek_tick(data), data)

    def on_tick_done(self, message: Message, epoch: int) -> None:
        """A member has stepped; an answer of another epoch counts for nothing."""
        if message.epoch == epoch:
            self.acks[message.node, message.life] = message

    def begin(self, step_ns: int) -> Tick:
        """Make the next tick."""
        self.tick = tick = Tick(self.tick.seq + 1, self.tick.stamp_ns + step_ns, step_ns)
        for port in self.node.inputs:
            if port.topic.is_due(tick.previous_ns, tick.stamp_ns):
                self._due[port.topic.key] = tick.seq
        return tick

    def count_deadline(self, behind_s: float) -> None:
        """The time of this tick is over: count whether what it owes has come, and how late by the wall clock that is."""
        record, time_s = self.record, self.tick.time_s
        before, self._missed = self._missed, self._missed + 1 if self.missing() else 0
        record.deadline_misses += self._missed > 0
        if before > 1 and not self._missed:
            record.stalls.append((time_s, before))
        if self._missed > record.misses_in_a_row:
            record.misses_in_a_row, record.misses_at_s = self._missed, time_s
        if behind_s > record.behind_s:
            record.behind_s, record.behind_at_s = behind_s, time_s

    def count_stolen(self, stolen_s: float) -> None:
        """The machine's host took so much processor time since the last look, s, all processors together."""
        self.record.stolen_s += stolen_s
        if stolen_s > _MUCH_STOLEN_S:
            self.record.thefts.append((self.tick.time_s, stolen_s))

    def changes(self) -> list[Change]:
        """Who leaves and who comes back at the tick just made; to be asked once a tick."""
        return self._timetable.due(self.tick.stamp_ns)

    def inputs(self) -> Inputs:
        """Inputs of the coming tick."""
        return self._inbox.advance(self.tick.seq + 1, self.tick.stamp_ns)

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
        """Newest tick that is over for the present life of a member, or -1."""
        ack = self.acks.get((name, self.lives[name]))
        return max(int(ack.tick) if ack else -1, self._joined_at[name] - 1)

    def laggards(self, tick: int) -> list[str]:
        """Members that have not acknowledged a tick, or their last one before it, in the order of the data flow."""
        return [name for name in self._order if self.done(name) < min(tick, self._last_of(name))]

    def _last_of(self, name: str) -> int:
        left_at = self.membership.left_at(name)
        return self.tick.seq if left_at is None else left_at - 1

    def lose(self, name: str, cause: str, back_after_ns: int = 0) -> LostNode:
        """Take a member out of the run, from the first tick that it has not acknowledged.

        `back_after_ns`: after which time a new process is expected in its place; 0: never.
        """
        if back_after_ns:
            self._timetable.add(Change(self.tick.stamp_ns + back_after_ns, name, False, True, cause))
        return self._leave(name, self.done(name) + 1, cause)

    def take_out(self, change: Change, obeys: bool) -> LostNode:
        """Take a member out of the run at this tick, as planned. `obeys`: it steps all ticks before, so wait for them."""
        return self._leave(change.node, self.tick.seq if obeys else self.done(change.node) + 1, change.cause)

    def _leave(self, name: str, from_tick: int, cause: str) -> LostNode:
        lost = LostNode(name, from_tick, self.tick.time_s, cause)
        self.membership.lose(name, lost.tick)
        self.record.nodes_lost.append(lost)
        return lost

    def is_ready(self, name: str) -> bool:
        """Whether a new process waits to take a lost member's place."""
        return name in self.ready and int(self.ready[name].life) > self.lives[name]

    def is_up(self, name: str) -> bool:
        """Whether a member has done every tick but those that its next acknowledgement will tell of."""
        return self.done(name) >= self.tick.seq - ACKNOWLEDGE_EVERY

    def bring_back(self, name: str, new_life: bool) -> None:
        """A member takes part again, from this tick on: the same process, or a new one that is ready."""
        if new_life:
            self.lives[name] = int(self.ready[name].life)
        self._joined_at[name] = self.tick.seq
        self.membership.join(name, self.tick.seq)
        for lost in self.record.nodes_lost:
            if lost.node == name and lost.back_s is None:
                lost.back_s = self.tick.time_s

    def close(self, own_digest: bytes, wall_time_s: float) -> RunRecord:
        """The record of the run, after the last acknowledgements."""
        digests = {with_life(*key): bytes(ack.digest) for key, ack in self.acks.items() if ack.published}
        self.record.digest = run_digest({**digests, self.node.name: own_digest})
        self.record.ticks = self.tick.seq + 1
        self.record.sim_time_s = self.tick.time_s
        self.record.wall_time_s = wall_time_s
        self.record.stale_inputs += sum(int(ack.stale_inputs) for ack in self.acks.values())
        self.record.missed_ticks += sum(int(ack.missed_ticks) for ack in self.acks.values())
        return self.record
