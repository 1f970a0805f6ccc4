"""Run a subsystem as an rclpy lifecycle node.

`configure` reads and checks the configuration and builds the subsystem; `activate` joins the run. While the run lasts
the node's own loop moves the run's topics; parameters, lifecycle and other services are served between steps.
"""

from __future__ import annotations

import json
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn

from lander_runtime.architecture import Node, Topic, architecture, views_of
from lander_runtime.conductor import CREDIT_TICKS, Conductor, RunRecord
from lander_runtime.dds import Link
from lander_runtime.digest import DIGEST_BYTES, DigestChain
from lander_runtime.member import Member
from lander_runtime.messages import (
    Message,
    NodeEvent,
    TickDone,
    decode,
    encode,
    header_message,
)
from lander_runtime.messages import Tick as TickMessage
from lander_runtime.subsystem import Outputs, Subsystem, Tick, TimeOwner, stamped

View = Callable[[Message], Message]  # from a message of ours to the standard message that tools know
EPOCH = 1

_IDLE_S = 0.05  # a node that has waited this long says how far it is
_SERVICE_PERIOD_S = 0.1  # between looks at parameters, lifecycle and services
_ACKNOWLEDGE_EVERY = 5  # ticks; an acknowledgement a tick would cost as much as the control chain
_FAREWELL_S = 5.0  # how long to wait for the last acknowledgements

EXIT_BAD_CONFIGURATION = 2


@dataclass(frozen=True)
class RunOptions:
    """What the launch file tells every node. A rate of 0 is lockstep, as fast as possible; else the pace of the wall clock."""

    scenario: str = "nominal"
    seed: int = 1
    rate: float = 0.0
    vehicle: str = ""
    site: str = ""
    start: str = ""
    record: bool = True
    out: str = ""
    settings: Sequence[str] = field(default_factory=list)
    start_timeout_s: float = 60.0
    watchdog_s: float = 5.0

    @property
    def lockstep(self) -> bool:
        """Whether nodes wait for each other."""
        return self.rate <= 0.0


@dataclass(frozen=True)
class Blueprint:
    """What a node's file hands to the host."""

    name: str
    build: Callable[[RunOptions], Subsystem | None]  # raises ValueError where the configuration is wrong
    members: Callable[[RunOptions], Sequence[str]]
    parameters: Callable[[RunOptions], Mapping[str, Any]]
    views: Mapping[str, View] = field(default_factory=dict)
    offer: Callable[[LifecycleNode, Any], object] | None = None  # adds services and actions of its own


class Host(LifecycleNode):
    """A node of the run: parameters, lifecycle and its link to the run's topics."""

    def __init__(self, blueprint: Blueprint) -> None:
        super().__init__(blueprint.name, enable_rosout=False)
        self.blueprint = blueprint
        self.catalogue = architecture()
        self.declaration: Node = self.catalogue.nodes[blueprint.name]
        self.options = self._declare_options()
        self.subsystem: Any = None
        self.members: Sequence[str] = ()
        self.chain = DigestChain()
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._served_at = time.monotonic()

    def _declare_options(self) -> RunOptions:
        read_only = ParameterDescriptor(read_only=True)
        defaults = RunOptions()
        values = {
            key: self.declare_parameter(key, default or "" if isinstance(default, str) else default, read_only).value
            for key, default in vars(defaults).items()
            if key != "settings"
        }
        settings = self.declare_parameter("settings", "", read_only).value
        return RunOptions(**values, settings=[item for item in settings.split("\n") if item])

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read and check the configuration, build the subsystem, show its values as parameters."""
        try:
            self.members = list(self.blueprint.members(self.options))
            self.subsystem = self.blueprint.build(self.options)
            self._show_parameters()
        except ValueError as error:
            for line in str(error).splitlines():
                self.get_logger().error(line)
            return TransitionCallbackReturn.FAILURE
        if self.blueprint.offer:
            self._offered = self.blueprint.offer(self, self.subsystem)
        self.link = Link(self, self._published(), self._subscribed())
        return TransitionCallbackReturn.SUCCESS

    def _show_parameters(self) -> None:
        for key, value in self.blueprint.parameters(self.options).items():
            self.declare_parameter(key, value, ParameterDescriptor(read_only=True))

    def _published(self) -> list[Topic]:
        return [*self.declaration.outputs, *self._views()]

    def _views(self) -> list[Topic]:
        return views_of(self.declaration.outputs, self.catalogue)

    def _subscribed(self) -> list[Topic]:
        return [port.topic for port in self.declaration.inputs]

    def serve(self) -> None:
        """Answer parameter, lifecycle and other services, if it is time to."""
        now = time.monotonic()
        if now - self._served_at >= _SERVICE_PERIOD_S:
            self._executor.spin_once(timeout_sec=0.0)
            self._served_at = now

    def emit(self, tick: Tick, outputs: Outputs) -> None:
        """Publish what a step returned, and the standard messages that are derived from it."""
        for topic, message in stamped(self.declaration, tick, outputs):
            data = encode(message, topic.type)
            self.link.publish(topic.key, data)
            self.chain.add(topic.key, data)
            self._emit_views(topic.key, tick, message)

    def _emit_views(self, key: str, tick: Tick, message: Message) -> None:
        for topic in self._views_by_source().get(key, ()):
            if topic.key in self.blueprint.views and topic.is_due(tick.previous_ns, tick.stamp_ns):
                self.link.publish(topic.key, encode(self.blueprint.views[topic.key](message), topic.type))

    def _views_by_source(self) -> dict[str, list[Topic]]:
        if not hasattr(self, "_views_cache"):
            self._views_cache: dict[str, list[Topic]] = {}
            for topic in self._views():
                self._views_cache.setdefault(topic.of, []).append(topic)
        return self._views_cache

    def check_alive(self) -> None:
        """Raise ExternalShutdownException once the process has been told to stop."""
        if not self.context.ok():
            raise ExternalShutdownException

    def expected_subscribers(self, topic: Topic) -> int:
        """How many members read a topic."""
        return sum(
            1
            for name in self.members
            if name != self.declaration.name
            and any(port.topic.key == topic.key for port in self.catalogue.nodes[name].inputs)
        )

    def wait_for_match(self) -> None:
        """Wait until every publisher of this node has been matched with every subscriber that it must have."""
        deadline = time.monotonic() + self.options.start_timeout_s
        while waiting := self._unmatched():
            self.check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"{self.declaration.name}: not everybody came to listen to {', '.join(waiting)}")
            self._executor.spin_once(timeout_sec=0.02)

    def _unmatched(self) -> list[str]:
        gating = [topic for topic in self._published() if topic.role != "view"]
        return [topic.name for topic in gating if self.link.subscriber_count(topic.key) < self._needed(topic)]

    def _needed(self, topic: Topic) -> int:
        return self.expected_subscribers(topic)

    def say_goodbye(self) -> None:
        """Stay until everybody has received what this node published."""
        self.link.wait_for_acknowledgements(_FAREWELL_S)
        self.trigger_deactivate()

    @abstractmethod
    def fly(self) -> None:
        """Take part in the run until it ends."""


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
        self._wake_key = self._usual_last_input()
        self.wait_for_match()
        self._announce()
        while not (self._member.last_tick and self._member.done == self._member.newest_announced):
            self._advance()
        self._acknowledge()

    def _usual_last_input(self) -> str:
        """What to wait for between ticks: an input of every tick comes later than the tick itself, so it wakes once."""
        every_tick = [port.topic.key for port in self.declaration.inputs if port.topic.period_ns == 0]
        steps_every_tick = any(topic.period_ns == 0 for topic in self.declaration.outputs)
        return every_tick[0] if every_tick and steps_every_tick else "tick"

    def _announce(self) -> None:
        event = NodeEvent(
            header=header_message(0, ""), epoch=EPOCH, kind=NodeEvent.READY, node=self.declaration.name, from_tick=0, cause=""
        )
        self.link.publish("node_events", encode(event, self.catalogue.topics["node_events"].type))

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
        self.serve()

    def _receive(self, key: str) -> None:
        started = time.monotonic()
        self.link.wait([key, "node_events"], _IDLE_S)
        if time.monotonic() - started >= _IDLE_S:
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
        if event.kind == NodeEvent.LOST:
            self._member.membership.lose(event.node, event.from_tick)
        elif event.kind == NodeEvent.JOINED:
            self._member.membership.join(event.node, event.from_tick)

    def _acknowledge(self) -> None:
        self._acknowledged = self._member.done
        done = TickDone(
            tick=max(self._member.done, 0),
            header=header_message(0, ""),
            epoch=EPOCH,
            node=self.declaration.name,
            published=self.chain.count,
            stale_inputs=self._stale,
            missed_ticks=self._late,
            digest=_digest_array(self.chain),
        )
        self.link.publish("tick_done", encode(done, self.catalogue.topics["tick_done"].type))


class ConductorHost(Host):
    """The node that owns time."""

    subsystem: TimeOwner
    progress: Callable[[Any, Tick, float], dict[str, Any]] | None = None

    def _published(self) -> list[Topic]:
        topics = self.catalogue.topics
        return [*super()._published(), topics["tick"], topics["node_events"], *views_of([topics["tick"]], self.catalogue)]

    def _views(self) -> list[Topic]:
        return views_of(self.declaration.outputs, self.catalogue)

    def _subscribed(self) -> list[Topic]:
        topics = self.catalogue.topics
        return [*super()._subscribed(), topics["tick_done"], topics["node_events"]]

    def _needed(self, topic: Topic) -> int:
        return len(self.members) - 1 if topic.role == "run" else super()._needed(topic)

    def fly(self) -> None:
        """Conduct the run to its end."""
        self.conductor = Conductor(self.declaration, self.catalogue, self.members)
        self._events_of_runtime: list[Message] = []
        self.wait_for_match()
        self._wait_for_members()
        self._began_at = self._progressed_at = time.monotonic()
        self._sent_at: dict[int, float] = {}
        while not self.subsystem.finished:
            self._await_turn()
            self._beat()
        self.record = self._close()

    def _wait_for_members(self) -> None:
        deadline = time.monotonic() + self.options.start_timeout_s
        others = {name for name in self.members if name != self.declaration.name}
        while missing := sorted(others - self.conductor.ready):
            self.check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"these nodes did not join the run: {', '.join(missing)}; see their logs")
            self._executor.spin_once(timeout_sec=0.0)
            self._receive(["node_events"], _IDLE_S)

    def _await_turn(self) -> None:
        if self.options.lockstep:
            self._await_members()
        elif self.conductor.tick.seq >= 0:
            self._await_wall_clock()

    def _await_members(self) -> None:
        waited_since = time.monotonic()
        while True:
            missing = self.conductor.missing()
            behind = [] if missing else self.conductor.laggards(self.conductor.tick.seq - CREDIT_TICKS)
            if not missing and not behind:
                return
            self._receive(missing or ["tick_done"], _IDLE_S)
            if time.monotonic() - waited_since > self.options.watchdog_s:
                self._lose_culprit(behind)
                waited_since = time.monotonic()

    def _lose_culprit(self, behind: Sequence[str]) -> None:
        self.check_alive()
        laggards = behind or self.conductor.laggards(self.conductor.tick.seq)
        if not laggards:
            raise TimeoutError("the run stands still, though every member says that it has done its part")
        lost = self.conductor.lose(laggards[0], f"no sign of life for {self.options.watchdog_s:g} s")
        self.get_logger().error(f"lost {lost.node} at tick {lost.tick}, {lost.time_s:.2f} s: {lost.cause}")
        event = NodeEvent(
            tick=self.conductor.tick.seq,
            header=header_message(self.conductor.tick.stamp_ns, ""),
            epoch=EPOCH,
            kind=NodeEvent.LOST,
            node=lost.node,
            from_tick=lost.tick,
            cause=lost.cause,
        )
        self.link.publish("node_events", encode(event, self.catalogue.topics["node_events"].type))

    def _await_wall_clock(self) -> None:
        due = self._began_at + (self.conductor.tick.time_s + self._step_ahead_s()) / self.options.rate
        while (left := due - time.monotonic()) > 0.0:
            self._receive(list(self._needed_inputs()), min(left, _IDLE_S))
        if self.conductor.missing():
            self.conductor.record.deadline_misses += 1

    def _needed_inputs(self) -> list[str]:
        return [port.topic.key for port in self.declaration.inputs] + ["tick_done"]

    def _step_ahead_s(self) -> float:
        return self.conductor.tick.step_s

    def _beat(self) -> None:
        conductor = self.conductor
        inputs = conductor.inputs()
        step_ns = self.subsystem.next_step_ns(inputs) if conductor.tick.seq >= 0 else 0
        tick = conductor.begin(step_ns)
        outputs = self.subsystem.step(tick, inputs)
        self._announce(tick)
        self._sent_at[tick.seq] = time.monotonic()
        self.emit(tick, outputs)
        self._report_progress(tick)
        self.serve()

    def _announce(self, tick: Tick) -> None:
        message = TickMessage(
            tick=tick.seq,
            header=header_message(tick.stamp_ns, ""),
            epoch=EPOCH,
            step_ns=tick.step_ns,
            last=self.subsystem.finished,
        )
        self.link.publish("tick", encode(message, self.catalogue.topics["tick"].type))
        self._emit_views("tick", tick, message)

    def _views_by_source(self) -> dict[str, list[Topic]]:
        if not hasattr(self, "_views_cache"):
            super()._views_by_source()["tick"] = views_of([self.catalogue.topics["tick"]], self.catalogue)
        return self._views_cache

    def _report_progress(self, tick: Tick) -> None:
        now = time.monotonic()
        if self.progress and now - self._progressed_at >= 0.5:
            self._progressed_at = now
            report = self.progress(self.subsystem, tick, now - self._began_at)
            sys.stdout.write(f"[progress] {json.dumps(report)}\n")
            sys.stdout.flush()
            self.check_alive()

    def _receive(self, keys: Sequence[str], timeout_s: float) -> None:
        self.link.wait(keys, timeout_s)
        for arrived, data in self.link.drain():
            self._dispatch(arrived, data)

    def _dispatch(self, key: str, data: bytes) -> None:
        if key == "tick_done":
            self.conductor.on_tick_done(decode(data, self.catalogue.topics[key].type), EPOCH)
        elif key == "node_events":
            event = decode(data, self.catalogue.topics[key].type)
            if event.kind == NodeEvent.READY:
                self.conductor.ready.add(event.node)
        else:
            self.conductor.on_message(key, data)
            sent = self._sent_at.pop(self.conductor.newest(key), None)
            if sent is not None and not self.options.lockstep:
                self.conductor.record.command_delay_s.append(time.monotonic() - sent)

    def _close(self) -> RunRecord:
        wall_time_s = time.monotonic() - self._began_at
        deadline = time.monotonic() + _FAREWELL_S
        while (late := self.conductor.laggards(self.conductor.tick.seq)) and time.monotonic() < deadline:
            self._receive(["tick_done"], _IDLE_S)
        for name in late:
            self.conductor.lose(name, "did not acknowledge the last tick")
        return self.conductor.close(self.chain.value(), wall_time_s)


def _digest_array(chain: DigestChain) -> Any:
    import numpy as np

    return np.frombuffer(chain.value(), dtype=np.uint8, count=DIGEST_BYTES)


def run_host(host_type: type[Host], blueprint: Blueprint, finish: Callable[[Any], int] | None = None) -> int:
    """Run a node to the end of the run; return the exit status of its process.

    `finish` is called with the host after a completed run and may return a status of its own.
    """
    rclpy.init()
    host = host_type(blueprint)
    try:
        if host.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return EXIT_BAD_CONFIGURATION
        host.trigger_activate()
        host.fly()
        status = finish(host) if finish else 0
        host.say_goodbye()
        return status
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    except TimeoutError as error:
        host.get_logger().error(str(error))
        return EXIT_BAD_CONFIGURATION
    finally:
        rclpy.try_shutdown()
