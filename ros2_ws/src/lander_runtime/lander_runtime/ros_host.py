"""Run a subsystem as an rclpy lifecycle node.

`configure` reads and checks the configuration and builds the subsystem; `activate` joins the run. While the run lasts
the node's own loop moves the run's topics; parameters, lifecycle and other services are served between steps.
"""

from __future__ import annotations

import gc
import os
import signal
import sys
import time
from abc import abstractmethod
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from math import inf
from typing import Any

import rclpy
from rcl_interfaces.msg import ParameterDescriptor
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.lifecycle import LifecycleNode, LifecycleState, TransitionCallbackReturn
from rclpy.node import Node as RosNode
from rclpy.signals import uninstall_signal_handlers

from lander_runtime import real_time
from lander_runtime.architecture import EVENT, Node, Topic, architecture, views_of
from lander_runtime.config import config_root
from lander_runtime.dds import Link
from lander_runtime.digest import DigestChain
from lander_runtime.faults import NO_FAULTS, FaultPlan
from lander_runtime.history import History
from lander_runtime.messages import Message, encode, header_message
from lander_runtime.progress import Reporter
from lander_runtime.subsystem import Outputs, Subsystem, Tick, stamped

View = Callable[[Message], Message]  # from a message of ours to the standard message that tools know
IDLE_S = 0.05  # a node that has waited this long says how far it is
_SERVICE_PERIOD_S = 0.1  # between looks at parameters, lifecycle and services
_CALLS_A_LOOK = 3  # at most: each costs about 0.3 ms even where nobody called
RUN_IN_TICKS = 50  # of a run: first steps load or even compile kernels, so nobody is held to the wall clock yet
ASK_AGAIN_S = 0.2  # between the questions of a node for what it missed
FAREWELL_S = 5.0  # how long to wait for the last acknowledgements
_DDS_PROFILES = "FASTRTPS_DEFAULT_PROFILES_FILE"  # environment variable by which Fast DDS finds its settings

EXIT_BAD_CONFIGURATION = 2
EXIT_LOST_CONTACT = 3


@dataclass(frozen=True)
class RunOptions:
    """What the launch file tells every node."""

    scenario: str = "nominal"
    seed: int = 1
    rate: float = 0.0  # 0: lockstep, as fast as possible; else so many times real time, by the wall clock
    vehicle: str = ""
    site: str = ""
    start: str = ""
    record: bool = True
    out: str = ""
    settings: tuple[str, ...] = ()
    start_timeout_s: float = 60.0
    watchdog_s: float = 10.0  # wall clock: a member that holds up the run for so long is lost
    respawn_down_s: float = 0.0  # of flight, from a loss until a new process takes part; 0: none is expected
    stop_after_s: float = 0.0  # simulated time after which the run is broken off; 0: it ends by itself

    @property
    def lockstep(self) -> bool:
        """Whether nodes wait for each other throughout."""
        return self.rate <= 0.0

    def waits_at(self, tick: int) -> bool:
        """Whether nodes wait for each other at a tick; by the wall clock they do in the first ones."""
        return self.lockstep or tick < RUN_IN_TICKS


@dataclass(frozen=True)
class Blueprint:
    """What a node's file hands to the host."""

    name: str
    build: Callable[[RunOptions], Subsystem | None]  # raises ValueError where the configuration is wrong
    members: Callable[[RunOptions], Sequence[str]]
    parameters: Callable[[RunOptions], Mapping[str, Any]]
    faults: Callable[[RunOptions], FaultPlan] = lambda _: NO_FAULTS
    views: Mapping[str, View] = field(default_factory=dict)
    offer: Callable[[LifecycleNode, Any], object] | None = None  # adds services and actions of its own
    progress: Callable[[Any, Tick], Mapping[str, Any]] | None = None  # what a live display may show of the subsystem


class LostContactError(RuntimeError):
    """The run goes on without this node."""


class Host(LifecycleNode):
    """A node of the run: parameters, lifecycle and its link to the run's topics."""

    def __init__(self, blueprint: Blueprint, words: Sequence[str] | None = None) -> None:
        """`words`: the command line, where rclpy has been initialised without one."""
        super().__init__(blueprint.name, enable_rosout=False, cli_args=words)
        self.blueprint = blueprint
        self.catalogue = architecture()
        self.declaration: Node = self.catalogue.nodes[blueprint.name]
        self.options = self._declare_options()
        self.subsystem: Any = None
        self.members: Sequence[str] = ()
        self.plan = NO_FAULTS
        self.chain = DigestChain()
        self.history = History()
        self._views_of: dict[str, list[Topic]] = {}
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)
        self._served_at = time.monotonic()
        self._sent_again_at: dict[str, float] = {}
        self._reporter = Reporter(self.get_logger().info)

    def _declare_options(self) -> RunOptions:
        read_only = ParameterDescriptor(read_only=True)
        defaults = RunOptions()
        values = {
            key: self.declare_parameter(key, default or "" if isinstance(default, str) else default, read_only).value
            for key, default in vars(defaults).items()
            if key != "settings"
        }
        settings = self.declare_parameter("settings", "", read_only).value
        return RunOptions(**values, settings=tuple(item for item in settings.split("\n") if item))

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Read and check the configuration, build the subsystem, show its values as parameters."""
        try:
            self.members = list(self.blueprint.members(self.options))
            self.plan = self._obeyed(self.blueprint.faults(self.options))
            self.subsystem = self.blueprint.build(self.options)
            self._show_parameters()
        except ValueError as error:
            for line in str(error).splitlines():
                self.get_logger().error(line)
            return TransitionCallbackReturn.FAILURE
        if self.blueprint.offer:
            self._offered = self.blueprint.offer(self, self.subsystem)
        for topic in self._views():
            self._views_of.setdefault(topic.of, []).append(topic)
        self.link = Link(self, self._published(), self._subscribed())
        return TransitionCallbackReturn.SUCCESS

    def _obeyed(self, plan: FaultPlan) -> FaultPlan:
        """The part of the plan that this node carries out itself."""
        return plan

    def _show_parameters(self) -> None:
        for key, value in self.blueprint.parameters(self.options).items():
            self.declare_parameter(key, value, ParameterDescriptor(read_only=True))

    def _published(self) -> list[Topic]:
        return [*self.declaration.outputs, *self._views()]

    def _views(self) -> list[Topic]:
        return [topic for topic in views_of(self._sources(), self.catalogue) if topic.key in self.blueprint.views]

    def _sources(self) -> list[Topic]:
        return list(self.declaration.outputs)

    def _subscribed(self) -> list[Topic]:
        return [port.topic for port in self.declaration.inputs]

    def serve(self) -> None:
        """Answer parameter, lifecycle and other services, if it is time to."""
        now = time.monotonic()
        if now - self._served_at >= _SERVICE_PERIOD_S:
            self.check_alive()
            for _ in range(_CALLS_A_LOOK):
                self._executor.spin_once(timeout_sec=0.0)
            self._served_at = now

    def emit(self, tick: Tick, outputs: Outputs) -> None:
        """Publish what a step returned, and the standard messages that are derived from it."""
        for topic, message in stamped(self.declaration, tick, outputs):
            data = encode(message, topic.type)
            self.link.publish(topic.key, data)
            self.chain.add(topic.key, data)
            self.keep(topic, data)
            self.emit_views(topic.key, tick, message)

    def keep(self, topic: Topic, data: bytes) -> None:
        """Keep what was published for those who miss it."""
        if topic.period_ns != EVENT:
            self.history.keep(topic.key, data)

    def send_again(self, reader: str, from_tick: int) -> None:
        """Publish once more what a node reads and asks for. To all others these are repeated deliveries.

        Questions that it asked before it was matched come all at once, when it is: one answer will do.
        """
        now = time.monotonic()
        if now - self._sent_again_at.get(reader, -inf) < 0.5 * ASK_AGAIN_S:
            return
        self._sent_again_at[reader] = now
        keys = [port.topic.key for port in self.catalogue.nodes[reader].gating_inputs]
        for key, data in self.history.since(from_tick, ["tick", *keys]):
            self.link.publish(key, data)

    def publish_run(self, key: str, message: Message, tick: Tick) -> None:
        """Publish a message of the runtime itself, which is outside the digest."""
        message.tick = tick.seq
        message.header = header_message(tick.stamp_ns, "")
        data = encode(message, self.catalogue.topics[key].type)
        self.link.publish(key, data)
        self.keep(self.catalogue.topics[key], data)

    def emit_views(self, key: str, tick: Tick, message: Message) -> None:
        """Publish the standard messages that are derived from a message."""
        for topic in self._views_of.get(key, ()):
            if topic.is_due(tick.previous_ns, tick.stamp_ns):
                self.link.publish(topic.key, encode(self.blueprint.views[topic.key](message), topic.type))

    def report_progress(self, tick: Tick) -> None:
        """Say how far the run is, if it is time to."""
        progress = self.blueprint.progress
        if progress is not None:
            self._reporter.report(lambda: progress(self.subsystem, tick))

    def check_alive(self) -> None:
        """Raise ExternalShutdownException once the process has been told to stop."""
        if not self.context.ok():
            raise ExternalShutdownException

    def expected_subscribers(self, topic: Topic) -> int:
        """How many members read a topic."""
        return sum(
            1
            for name in self.present()
            if name != self.declaration.name
            and any(port.topic.key == topic.key for port in self.catalogue.nodes[name].inputs)
        )

    def present(self) -> Sequence[str]:
        """Who takes part in the run, this node included."""
        return self.members

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
        self.link.wait_for_acknowledgements(FAREWELL_S)
        self.trigger_deactivate()

    @abstractmethod
    def fly(self) -> None:
        """Take part in the run until it ends."""


def be_discovered(name: str) -> RosNode:
    """Take part in DDS before it is known as which node; what is returned must be kept. Tools do not list a name with `_`."""
    _initialise([])
    return rclpy.create_node(name, enable_rosout=False, start_parameter_services=False)


def _initialise(words: list[str] | None = None) -> None:
    os.environ.setdefault(_DDS_PROFILES, str(config_root() / "dds.xml"))
    rclpy.init(args=words)


def run_host(host_type: type[Host], blueprint: Blueprint, finish: Callable[[Any], int] | None = None) -> int:
    """Run a node to the end of the run; return the exit status of its process.

    `finish` is called with the host after a completed run and may return a status of its own.
    """
    known = rclpy.ok()  # `be_discovered` was called
    if not known:
        _initialise()
    host = host_type(blueprint, sys.argv[1:] if known else None)
    try:
        if host.trigger_configure() != TransitionCallbackReturn.SUCCESS:
            return EXIT_BAD_CONFIGURATION
        host.trigger_activate()
        gc.freeze()  # to look through all that has been loaded would take 0.1 s, in mid-flight
        host.fly()
        real_time.take(real_time.NONE)  # what is left to do holds up nobody who flies another run
        status = finish(host) if finish else 0
        host.say_goodbye()
        return status
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    except TimeoutError as error:
        host.get_logger().error(str(error))
        return EXIT_BAD_CONFIGURATION
    except LostContactError as error:
        host.get_logger().error(str(error))
        return EXIT_LOST_CONTACT
    finally:
        rclpy.try_shutdown()
        uninstall_signal_handlers()  # which puts back Python's own
        disregard_interrupts()


def disregard_interrupts() -> None:
    """Let a node that has done its part leave in order: `ros2 launch` interrupts everybody once physics has exited."""
    signal.signal(signal.SIGINT, signal.SIG_IGN)
