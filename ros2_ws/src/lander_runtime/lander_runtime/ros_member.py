"""The loop of a node that steps when the conductor and its inputs allow."""

from __future__ import annotations

import time

import numpy as np

from lander_runtime.architecture import Topic
from lander_runtime.conductor import EPOCH
from lander_runtime.digest import DIGEST_BYTES
from lander_runtime.member import Member
from lander_runtime.messages import Message, NodeEvent, TickDone, decode
from lander_runtime.ros_host import IDLE_S, Host, LostContactError, disregard_interrupts
from lander_runtime.subsystem import Tick

_ACKNOWLEDGE_EVERY = 5  # ticks; an acknowledgement a tick would cost as much as the control chain


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

    def fly(self) -> None:
        """Step until the last tick."""
        self._member = Member(self.declaration, self.catalogue, self.members)
        self._acknowledged = -1
        self._stale = self._late = 0
        self._wake_key = self._member.wake_topic()
        self.wait_for_match()
        self._announce()
        while not (self._member.last_tick and self._member.done == self._member.newest_announced):
            self._advance()
        disregard_interrupts()  # before physics may hear that this node is done, and exit
        self._acknowledge()

    def _announce(self) -> None:
        event = NodeEvent(epoch=EPOCH, kind=NodeEvent.READY, node=self.declaration.name, from_tick=0, cause="")
        self.publish_run("node_events", event, Tick(0, 0, 0))

    def _advance(self) -> None:
        tick = self._member.next_due()
        if tick is None:
            if self._member.done - self._acknowledged >= _ACKNOWLEDGE_EVERY or self._member.last_tick:
                self._acknowledge()
            if not self._member.last_tick:
                self._receive(self._wake_key)
            return
        missing = self._member.missing(tick)
        overdue = not self.options.lockstep and self._member.newest_announced > tick.seq
        if missing and not overdue:
            self._receive(missing[-1])
            return
        self._late += bool(missing)
        self._step(tick)

    def _step(self, tick: Tick) -> None:
        inputs = self._member.take(tick)
        self._stale += self._member.stale(tick, inputs)
        self.emit(tick, self.subsystem.step(tick, inputs))
        if tick.seq - self._acknowledged >= _ACKNOWLEDGE_EVERY:
            self._acknowledge()
        self.report_progress(tick)
        self.serve()

    def _receive(self, key: str) -> None:
        started = time.monotonic()
        self.link.wait([key, "node_events"], IDLE_S)
        if time.monotonic() - started >= IDLE_S:
            self._idle()
        for arrived, data in self.link.drain():
            self._dispatch(arrived, data)

    def _idle(self) -> None:
        """Nothing came: say how far this node is, so that the one that holds up the run can be told."""
        self.check_alive()
        if self._member.done > self._acknowledged:
            self._acknowledge()
        if self._wake_key != "tick" and not self._member.last_tick:
            self._dispatch_all("tick")
        self.serve()

    def _dispatch_all(self, key: str) -> None:
        for arrived, data in self.link.drain([key]):
            self._dispatch(arrived, data)

    def _dispatch(self, key: str, data: bytes) -> None:
        if key == "tick":
            self._member.on_tick(decode(data, self.catalogue.topics["tick"].type))
        elif key == "node_events":
            self._on_node_event(decode(data, self.catalogue.topics["node_events"].type))
        else:
            self._member.on_message(key, data)

    def _on_node_event(self, event: Message) -> None:
        if event.kind == NodeEvent.LOST and event.node == self.declaration.name:
            raise LostContactError(f"the run went on without this node from tick {event.from_tick}: {event.cause}")
        if event.kind == NodeEvent.LOST:
            self._member.membership.lose(event.node, event.from_tick)
        elif event.kind == NodeEvent.JOINED:
            self._member.membership.join(event.node, event.from_tick)
        self._wake_key = self._member.wake_topic()

    def _acknowledge(self) -> None:
        self._acknowledged = self._member.done
        done = TickDone(
            epoch=EPOCH,
            node=self.declaration.name,
            published=self.chain.count,
            stale_inputs=self._stale,
            missed_ticks=self._late,
            digest=np.frombuffer(self.chain.value(), dtype=np.uint8, count=DIGEST_BYTES),
        )
        self.publish_run("tick_done", done, Tick(max(self._member.done, 0), 0, 0))
