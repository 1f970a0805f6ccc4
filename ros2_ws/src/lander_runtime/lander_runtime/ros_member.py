"""The loop of a node that steps when the conductor and its inputs allow."""

from __future__ import annotations

import os
import signal
import socket
import time
from collections.abc import Sequence
from math import inf
from pathlib import Path

import numpy as np

from lander_runtime import real_time
from lander_runtime.architecture import Topic
from lander_runtime.checkpoint import FOLDER as CHECKPOINTS
from lander_runtime.checkpoint import Checkpoint
from lander_runtime.comeback import Comeback
from lander_runtime.conductor import ACKNOWLEDGE_EVERY
from lander_runtime.digest import DIGEST_BYTES
from lander_runtime.faults import FaultPlan
from lander_runtime.member import Member
from lander_runtime.messages import Message, NodeEvent, TickDone, decode
from lander_runtime.node_events import EPOCH, node_event
from lander_runtime.ros_host import ASK_AGAIN_S, FAREWELL_S, IDLE_S, Host, LostContactError, disregard_interrupts
from lander_runtime.subsystem import Tick

_DISMISSAL_S = 0.3  # from the end of the owner of time to the end of the launch


class MemberHost(Host):
    """A node that steps when the conductor and its inputs allow."""

    def _published(self) -> list[Topic]:
        topics = self.catalogue.topics
        return [*super()._published(), topics["tick_done"], topics["node_events"]]

    def _subscribed(self) -> list[Topic]:
        topics = self.catalogue.topics
        run = [topics[key] for key in ("tick", "node_events")]
        return [*run, *(topic for topic in super()._subscribed() if topic.role != "run")]

    def _needed(self, topic: Topic) -> int:
        return 1 if topic.role == "run" else super()._needed(topic)

    def _obeyed(self, plan: FaultPlan) -> FaultPlan:
        return plan if self.options.lockstep else plan.without_outages()

    def present(self) -> Sequence[str]:
        """Who takes part in the run, as far as this node knows."""
        return self._member.membership.present

    def fly(self) -> None:
        """Step until the last tick."""
        self._member = Member(self.declaration, self.catalogue, self.members, self.plan, self.options.lockstep)
        self._comeback: Comeback | None = None
        self._acknowledged = -1
        self._stale = self._late = 0
        self._paced = False  # the wall clock sets the pace of this node
        self._wake_key = self._member.wake_topic()
        self._begin_life()
        if self._comeback:  # nobody let this process in before the run was over
            return
        while not self._member.is_over:
            self._advance()
        disregard_interrupts()  # before physics may hear that this node is done, and exit
        self._acknowledge()

    def _begin_life(self) -> None:
        path = Path(self.options.out) / CHECKPOINTS / self.declaration.name if self.options.out else None
        self._checkpoint = Checkpoint(path, [topic.key for topic in self.declaration.outputs])
        former_life = self._checkpoint.former_life
        self.life = 0 if former_life is None else former_life + 1
        self._checkpoint.begin(self.life)
        if self.life:
            self._come_back()
        else:
            self.wait_for_match()
            self._announce()

    def _announce(self) -> None:
        """Say that this process is matched and waits for ticks."""
        name, host = self.declaration.name, socket.gethostname()
        self._tell(node_event(NodeEvent.READY, name, life=self.life, pid=os.getpid(), host=host))

    def _tell(self, event: Message) -> None:
        self.publish_run("node_events", event, Tick(0, 0, 0))

    def _come_back(self) -> None:
        """Take the place of a lost process: take over its last state, ask for what it missed, wait to be let in."""
        name = self.declaration.name
        types = {topic.key: topic.type for topic in self.declaration.outputs}
        published = {key: decode(data, types[key]) for key, data in self._checkpoint.messages().items()}
        self.subsystem.restore(published)
        first_tick = max((int(message.tick) for message in published.values()), default=-1) + 1
        self._member.membership.lose(name, 0)
        self._comeback = comeback = Comeback(self._member, first_tick)
        self._ask(comeback)
        self.wait_for_match()
        if not self.options.lockstep and not comeback.run_is_over:
            self._catch_up(comeback)
        self._announce()
        while self._comeback and not comeback.run_is_over:
            self._receive("tick")

    def _catch_up(self, comeback: Comeback) -> None:
        """Go through what was missed, in silence, and on with the run until there is no more of it."""
        comeback.hand_over()
        self._comeback = None
        while self._member.next_due():
            self._advance()
            self._dispatch_all()

    def _ask(self, comeback: Comeback) -> None:
        """Ask for what was missed, again and again: who is asked may not have been matched with this process yet."""
        asked_at = -inf
        while not (comeback.is_complete or comeback.run_is_over):
            self.check_alive()
            if time.monotonic() - asked_at > ASK_AGAIN_S:
                self._tell(node_event(NodeEvent.MISSED, self.declaration.name, comeback.first_tick, self.life))
                asked_at = time.monotonic()
            self._receive("tick")

    def _advance(self) -> None:
        if self._member.must_die:
            self._die()
        tick = self._member.next_due()
        if tick is None:
            if self._member.done - self._acknowledged >= ACKNOWLEDGE_EVERY or self._member.last_tick:
                self._acknowledge()
            if not self._member.is_over:
                self._receive(self._wake_key)
            return
        missing = self._member.missing(tick)
        overdue = not self.options.waits_at(tick.seq) and self._member.newest_announced > tick.seq
        if missing and not overdue:
            self._receive(missing[-1])
            return
        if self._member.publishes(tick):
            if not self._paced and not self.options.waits_at(tick.seq):
                self._paced = True
                real_time.take(real_time.priority(self.declaration))
            self._late += bool(missing)
        self._step(tick)

    def _die(self) -> None:
        """The scenario kills this process: really, but not before all that it has said is out."""
        self._acknowledge()
        self.link.wait_for_acknowledgements(FAREWELL_S)
        os.kill(os.getpid(), signal.SIGKILL)

    def _step(self, tick: Tick) -> None:
        inputs = self._member.take(tick)
        self.subsystem.heard = self._member.publishes(tick)
        if not self.subsystem.heard:  # a tick that this node missed
            self.subsystem.step(tick, inputs)
            return
        self._stale += self._member.stale(tick, inputs)
        self.emit(tick, self.subsystem.step(tick, inputs))
        if tick.seq - self._acknowledged >= ACKNOWLEDGE_EVERY:
            self._acknowledge()
        self.report_progress(tick)
        self.serve()

    def keep(self, topic: Topic, data: bytes) -> None:
        """Keep what was published for those who miss it, and for the next life of this node."""
        super().keep(topic, data)
        self._checkpoint.put(topic.key, data)

    def say_goodbye(self) -> None:
        """Leave after the owner of time: `ros2 launch` starts anew whoever leaves before that one has ended the launch."""
        super().say_goodbye()
        disregard_interrupts()
        tick, deadline = self.catalogue.topics["tick"].name, time.monotonic() + FAREWELL_S
        while self.count_publishers(tick) and self.context.ok() and time.monotonic() < deadline:
            time.sleep(IDLE_S)
        time.sleep(_DISMISSAL_S)

    def _receive(self, key: str) -> None:
        started = time.monotonic()
        # By the wall clock the next tick ends the wait for whatever is late.
        self.link.wait([key, "node_events"] if self.options.lockstep else [*{key, "tick"}, "node_events"], IDLE_S)
        if time.monotonic() - started >= IDLE_S:
            self._idle()
        self._dispatch_all()

    def _idle(self) -> None:
        """Nothing came: say how far this node is, so that the one that holds up the run can be told."""
        self.check_alive()
        if self._member.done > self._acknowledged:
            self._acknowledge()
        if self._wake_key != "tick" and not self._member.last_tick:
            self._dispatch_all(["tick"])
        self.serve()

    def _dispatch_all(self, keys: Sequence[str] | None = None) -> None:
        for arrived, data in self.link.drain(keys):
            self._dispatch(arrived, data)

    def _dispatch(self, key: str, data: bytes) -> None:
        if key == "tick":
            self._hearer.on_tick(decode(data, self.catalogue.topics["tick"].type))
        elif key == "node_events":
            self._on_node_event(decode(data, self.catalogue.topics["node_events"].type))
        else:
            self._hearer.on_message(key, data)

    @property
    def _hearer(self) -> Member | Comeback:
        """Who takes in ticks and messages."""
        return self._comeback or self._member

    def _on_node_event(self, event: Message) -> None:
        if event.node == self.declaration.name:
            self._on_own_event(event)
        elif event.kind == NodeEvent.LOST:
            self._member.membership.lose(event.node, event.from_tick)
        elif event.kind == NodeEvent.JOINED:
            self._member.membership.join(event.node, event.from_tick)
        elif event.kind == NodeEvent.MISSED:
            self.send_again(event.node, event.from_tick)
        self._wake_key = self._member.wake_topic()

    def _on_own_event(self, event: Message) -> None:
        if event.life != self.life:
            return
        if event.kind == NodeEvent.JOINED and self._comeback:
            self._comeback.hand_over(event.from_tick)
            self._comeback = None
        elif event.kind == NodeEvent.JOINED:
            self._member.membership.join(event.node, event.from_tick)
        elif event.kind == NodeEvent.LOST and not self.options.lockstep:  # this process hung, and has woken
            self._member.membership.lose(event.node, event.from_tick)
            self._paced = False
            real_time.take(real_time.LAST)
        elif event.kind == NodeEvent.LOST and not event.planned:
            raise LostContactError(f"the run went on without this node from tick {event.from_tick}: {event.cause}")

    def _acknowledge(self) -> None:
        self._acknowledged = self._member.done
        done = TickDone(
            epoch=EPOCH,
            node=self.declaration.name,
            life=self.life,
            published=self.chain.count,
            stale_inputs=self._stale,
            missed_ticks=self._late,
            digest=np.frombuffer(self.chain.value(), dtype=np.uint8, count=DIGEST_BYTES),
        )
        self.publish_run("tick_done", done, Tick(max(self._member.done, 0), 0, 0))
