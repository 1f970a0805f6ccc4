"""The loop of the node that owns time."""

from __future__ import annotations

import time
from collections.abc import Sequence
from pathlib import Path
from typing import Any

from rclpy.lifecycle import LifecycleState, TransitionCallbackReturn

from lander_runtime import node_events, real_time
from lander_runtime.architecture import Topic
from lander_runtime.checkpoint import FOLDER as CHECKPOINTS
from lander_runtime.conductor import CREDIT_TICKS, RUN_RECORD_FILE, Conductor, RunRecord
from lander_runtime.faults import Change
from lander_runtime.messages import NANOSECONDS, Message, NodeEvent, decode
from lander_runtime.messages import Tick as TickMessage
from lander_runtime.node_events import EPOCH
from lander_runtime.process_agent import ProcessAgent
from lander_runtime.ros_host import FAREWELL_S, IDLE_S, RUN_IN_TICKS, Host
from lander_runtime.subsystem import Tick, TimeOwner

_NEWS_S = 1.0  # at most, until everybody has heard who is back
_LOOK_S = 0.5  # wall clock, between looks at the processes where nobody waits for them


class ConductorHost(Host):
    """The node that owns time."""

    subsystem: TimeOwner

    def _published(self) -> list[Topic]:
        topics = self.catalogue.topics
        return [*super()._published(), topics["tick"], topics["node_events"]]

    def _sources(self) -> list[Topic]:
        return [*super()._sources(), self.catalogue.topics["tick"]]

    def _subscribed(self) -> list[Topic]:
        topics = self.catalogue.topics
        return [*super()._subscribed(), topics["tick_done"], topics["node_events"]]

    def _needed(self, topic: Topic) -> int:
        return len(self.members) - 1 if topic.role == "run" else super()._needed(topic)

    def on_configure(self, state: LifecycleState) -> TransitionCallbackReturn:
        """Configure, unless the run folder holds an earlier run, whose checkpoints members would go on from."""
        out = Path(self.options.out)
        if self.options.out and any((out / name).exists() for name in (RUN_RECORD_FILE, CHECKPOINTS)):
            self.get_logger().error(f"out: {out} holds an earlier run; give another folder, or remove this one")
            return TransitionCallbackReturn.FAILURE
        return super().on_configure(state)

    def fly(self) -> None:
        """Conduct the run to its end."""
        self.conductor = Conductor(self.declaration, self.catalogue, self.members, self.plan)
        self._agent = ProcessAgent()
        self._awaited: dict[str, bool] = {}  # members that shall be back and are not up yet: whether they died
        self._surprises: set[str] = set()  # members that nobody planned to lose
        self._looked_at = 0.0
        self.wait_for_match()
        self._wait_for_members()
        self._began_at, self._stolen_s = time.monotonic(), real_time.stolen_s()
        self._sent_at: dict[int, float] = {}
        while not self._finished:
            self._await_turn()
            self._beat()
        self.record = self._close()

    @property
    def _finished(self) -> bool:
        stop_after_s = self.options.stop_after_s
        return self.subsystem.finished or 0.0 < stop_after_s <= self.conductor.tick.time_s

    def outcome(self) -> dict[str, Any]:
        """What the time owner has to say of the end of the run, as plain data."""
        return {}

    def _wait_for_members(self) -> None:
        deadline = time.monotonic() + self.options.start_timeout_s
        others = {name for name in self.members if name != self.declaration.name}
        while missing := sorted(others - self.conductor.ready.keys()):
            self.check_alive()
            if time.monotonic() > deadline:
                raise TimeoutError(f"these nodes did not join the run: {', '.join(missing)}; see their logs")
            self._executor.spin_once(timeout_sec=0.0)
            self._receive(["node_events"], IDLE_S)

    def _await_turn(self) -> None:
        """Wait until the next tick may begin."""
        tick = self.conductor.tick
        if not self.options.waits_at(tick.seq):
            self._await_wall_clock()
        elif self.options.waits_at(tick.seq + 1):
            self._await_members(CREDIT_TICKS)
        else:
            self._await_members(0)
            self.conductor.record.real_time = real_time.take(real_time.priority(self.declaration))
            self._paced_since = time.monotonic() - (tick.time_s + tick.step_s) / self.options.rate

    def _await_members(self, credit: int) -> None:
        """Wait for the commands of this tick, and for members that lag by more than their credit, ticks."""
        waited_since = time.monotonic()
        while True:
            missing = self.conductor.missing()
            behind = [] if missing else self.conductor.laggards(self.conductor.tick.seq - credit)
            if not missing and not behind:
                return
            self._receive(missing or ["tick_done"], IDLE_S)
            if self._lose_the_dead():
                waited_since = time.monotonic()
            if time.monotonic() - waited_since > self._patience_s:
                self._lose_culprit(behind)
                waited_since = time.monotonic()

    @property
    def _patience_s(self) -> float:
        """How long to wait for a member; at first longer, for first steps load or even compile their kernels."""
        starting = self.conductor.tick.seq < RUN_IN_TICKS
        return self.options.start_timeout_s if starting else self.options.watchdog_s

    def _lose_culprit(self, behind: Sequence[str]) -> None:
        self.check_alive()
        laggards = behind or self.conductor.laggards(self.conductor.tick.seq)
        if not laggards:
            raise TimeoutError("the run stands still, though every member says that it has done its part")
        self._lose(laggards[0], f"no sign of life for {self._patience_s:g} s")
        self._agent.kill(self.conductor.ready[laggards[0]])  # so that a new process can take its place

    def _lose_the_dead(self) -> bool:
        """Take out members whose processes are gone, though nobody planned it; whether there were any."""
        conductor = self.conductor
        dead = [
            name
            for name in conductor.membership.present
            if conductor.is_ready(name) or self._agent.is_gone(conductor.ready[name])
        ]
        for name in dead:
            self._lose(name, "its process has died")
        return bool(dead)

    def _lose(self, name: str, cause: str) -> None:
        conductor = self.conductor
        self._surprises.add(name)
        comes_back = not self.catalogue.nodes[name].is_sink
        lost = conductor.lose(name, cause, round(self.options.respawn_down_s * NANOSECONDS) if comes_back else 0)
        self.get_logger().error(f"lost {name} at tick {lost.tick}, {lost.time_s:.2f} s: {cause}")
        self._tell(node_events.lost(name, lost.tick, conductor.lives[name], cause, planned=False))

    def _tell(self, event: Message) -> None:
        self.publish_run("node_events", event, self.conductor.tick)

    def _carry_out(self, change: Change) -> None:
        """Let a member leave or come back, as the scenario or a loss has it."""
        name, conductor = change.node, self.conductor
        if change.leaves:
            lost = conductor.take_out(change, obeys=self.options.lockstep)
            self._awaited.pop(name, None)
            if not self.options.lockstep:  # before it hears of it
                self._agent.strike(conductor.ready[name], change.deadly)
            self._tell(node_events.lost(name, lost.tick, conductor.lives[name], change.cause, planned=True))
        elif self.options.lockstep and not change.deadly:
            self._let_in(name, new_life=False)
        else:
            self._awaited[name] = change.deadly
            if self.options.lockstep:
                self._await_process(name)
            elif not change.deadly:
                self._agent.wake(conductor.ready[name])

    def _await_process(self, name: str) -> None:
        """Hold the run until a new process is ready; if none comes, it is let in when it does."""
        deadline = time.monotonic() + self.options.start_timeout_s
        while not self.conductor.is_ready(name):
            self.check_alive()
            if time.monotonic() > deadline:
                self.get_logger().error(f"no new process of {name} has come: the run goes on without it")
                return
            self._receive(["node_events"], IDLE_S)

    def _let_in(self, name: str, new_life: bool) -> None:
        conductor = self.conductor
        conductor.bring_back(name, new_life)
        self._tell(node_events.joined(name, conductor.tick.seq, conductor.lives[name]))
        if name in self._surprises:
            self._surprises.remove(name)
            self.link.wait_for_acknowledgements(_NEWS_S)  # the next tick may overtake the news, which nobody expected

    def _await_wall_clock(self) -> None:
        # The tick that comes is taken to be as long as the last one; its true length is known only when it begins.
        step_s = self.conductor.tick.step_s / self.options.rate
        due = self._paced_since + self.conductor.tick.time_s / self.options.rate + step_s
        # Where the world was late, members have the time of a tick all the same.
        deadline = max(due, self._announced_at + step_s)
        while (left := (deadline if self.conductor.missing() else due) - time.monotonic()) > 0.0:
            self._receive(self._needed_inputs(), min(left, IDLE_S))
        self.conductor.count_deadline(time.monotonic() - due)

    def _needed_inputs(self) -> list[str]:
        return [port.topic.key for port in self.declaration.inputs] + ["tick_done"]

    def _beat(self) -> None:
        conductor = self.conductor
        inputs = conductor.inputs()
        step_ns = self.subsystem.next_step_ns(inputs) if conductor.tick.seq >= 0 else 0
        tick = conductor.begin(step_ns)
        self._change_members()
        outputs = self.subsystem.step(tick, inputs)
        self._announce(tick)
        self._sent_at[tick.seq] = self._announced_at = time.monotonic()
        self.emit(tick, outputs)
        self.report_progress(tick)
        self.check_alive()
        self.serve()
        if time.monotonic() - self._looked_at > _LOOK_S:
            self._looked_at = time.monotonic()
            self._lose_the_dead()
            before, self._stolen_s = self._stolen_s, real_time.stolen_s()
            self.conductor.count_stolen(self._stolen_s - before)

    def _change_members(self) -> None:
        for change in self.conductor.changes():
            self._carry_out(change)
        for name, deadly in sorted(self._awaited.items()):
            new_life = self.conductor.is_ready(name)
            if new_life or (not deadly and self.conductor.is_up(name)):
                del self._awaited[name]
                self._let_in(name, new_life)

    def _announce(self, tick: Tick) -> None:
        message = TickMessage(epoch=EPOCH, step_ns=tick.step_ns, last=self._finished)
        self.publish_run("tick", message, tick)
        self.emit_views("tick", tick, message)

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
                self.conductor.ready[event.node] = event
            elif event.kind == NodeEvent.MISSED:
                self.send_again(event.node, event.from_tick)
        else:
            self.conductor.on_message(key, data)
            sent = self._sent_at.pop(self.conductor.newest(key), None)
            if sent is not None and not self.options.waits_at(self.conductor.tick.seq):
                self.conductor.record.command_delay_s.append(time.monotonic() - sent)

    @property
    def wall_time_s(self) -> float:
        """Wall-clock time since the first tick, s."""
        return time.monotonic() - self._began_at

    def _close(self) -> RunRecord:
        wall_time_s = self.wall_time_s
        self._agent.wake_all()
        deadline = time.monotonic() + FAREWELL_S
        while (late := self.conductor.laggards(self.conductor.tick.seq)) and time.monotonic() < deadline:
            self._receive(["tick_done"], IDLE_S)
        for name in late:
            self.conductor.lose(name, "did not acknowledge the last tick")
        return self.conductor.close(self.chain.value(), wall_time_s)
