"""A flight in this process, tick by tick, recorded if wanted."""

from __future__ import annotations

from collections.abc import Callable, Sequence
from importlib import import_module
from pathlib import Path

from lander_common.fault_plan import fault_plan
from lander_common.mission import Mission
from lander_common.views import VIEWS
from lander_runtime.architecture import Topic, architecture, views_of
from lander_runtime.faults import FaultPlan
from lander_runtime.inprocess import InProcessRun, Observer
from lander_runtime.messages import Message, encode, header_message
from lander_runtime.messages import Tick as TickMessage
from lander_runtime.node_events import EPOCH
from lander_runtime.subsystem import Subsystem, Tick
from lander_tools.fly import Flight
from lander_tools.maps import ensure_maps
from lander_tools.recorder import Recorder, RecorderFailed, description

Listener = Callable[[int, str, bytes], None]  # stamp in ns, topic key, CDR bytes


def subsystem(name: str, mission: Mission) -> Subsystem:
    """The subsystem of a node: class `PayloadManager` in module `payload_manager` of the node's package."""
    module = import_module(f"{architecture().nodes[name].package}.{name}")
    cls = getattr(module, "".join(word.capitalize() for word in name.split("_")))
    built: Subsystem = cls(mission)
    return built


class InProcessFlight:
    """A flight that is stepped by hand; `lander_tools.fly` flies one to its end."""

    def __init__(
        self,
        mission: Mission,
        observers: Sequence[Observer] = (),
        record: Path | None = None,
        stop_after_s: float = 0.0,
    ) -> None:
        """Build every member. `record`: folder of the bag, if one shall be written. Raises ConfigError."""
        self.mission = mission
        self._stop_after_s = stop_after_s
        self._recorder: Recorder | None = None
        self._recording_failure = ""
        ensure_maps(mission)
        members = [subsystem(name, mission) for name in mission.scenario.members]
        observers = [*observers, *self._recording(record)]
        self._run = InProcessRun(members, observers, fault_plan(mission), lambda name: subsystem(name, mission))

    def _recording(self, bag: Path | None) -> list[Observer]:
        if bag is None:
            return []
        try:
            self._recorder = Recorder(bag, description(self.mission), self._keep_failure)
        except RecorderFailed as failure:
            self._keep_failure(failure)
            return []
        return [RunLog(self._recorder.observe, lambda: self.finished).observe]

    @property
    def finished(self) -> bool:
        """Whether the flight is over."""
        return self._run.finished or 0.0 < self._stop_after_s <= self.tick.time_s

    @property
    def tick(self) -> Tick:
        """The tick that was stepped last."""
        return self._run.tick

    def strike(self, plan: FaultPlan) -> None:
        """Add outages to those of the scenario."""
        self._run.strike(plan)

    def step(self) -> None:
        """One tick."""
        self._run.step()

    def close(self) -> None:
        """Finish the bag."""
        if self._recorder:
            self._recorder.close()

    def outcome(self) -> Flight:
        """What came of it; to be asked when it is finished and closed."""
        run, tick = self._run, self.tick
        lost = tuple(run.nodes_lost)
        return Flight(run.last("result"), run.digest(), tick.seq + 1, tick.time_s, lost, self._recording_failure)

    def _keep_failure(self, failure: RecorderFailed) -> None:
        self._recording_failure = str(failure)


class RunLog:
    """Hands on what a listener would hear of the same run over DDS: the beat, every message, every view."""

    def __init__(self, listener: Listener, finished: Callable[[], bool]) -> None:
        """`finished`: whether the tick that was begun last is the run's last."""
        self._listen = listener
        self._finished = finished
        self._seq = -1
        topics = architecture().topics
        self._views = {key: _views(topic) for key, topic in topics.items()}
        self._beat_type = topics["tick"].type

    def observe(self, tick: Tick, topic_key: str, message: Message, data: bytes) -> None:
        """An observer of `InProcessRun`."""
        if tick.seq != self._seq:
            self._seq = tick.seq
            self._beat(tick)
        self._record(tick, topic_key, message, data)

    def _beat(self, tick: Tick) -> None:
        beat = TickMessage(epoch=EPOCH, step_ns=tick.step_ns, last=self._finished())
        beat.tick, beat.header = tick.seq, header_message(tick.stamp_ns, "")
        self._record(tick, "tick", beat, encode(beat, self._beat_type))

    def _record(self, tick: Tick, key: str, message: Message, data: bytes) -> None:
        self._listen(tick.stamp_ns, key, data)
        for view in self._views[key]:
            if view.is_due(tick.previous_ns, tick.stamp_ns):
                self._listen(tick.stamp_ns, view.key, encode(VIEWS[view.key](message), view.type))


def _views(topic: Topic) -> list[Topic]:
    return [view for view in views_of([topic], architecture()) if view.key in VIEWS]
