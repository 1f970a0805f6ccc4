"""What the host of a node does besides its loop, without a network."""

from __future__ import annotations

import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any, cast
from xml.etree import ElementTree

import pytest
from rclpy.lifecycle import TransitionCallbackReturn

from lander_runtime import real_time, ros_host
from lander_runtime.architecture import architecture
from lander_runtime.comeback import Comeback
from lander_runtime.conductor import Conductor
from lander_runtime.config import find, read
from lander_runtime.faults import Change
from lander_runtime.history import History
from lander_runtime.member import Member
from lander_runtime.messages import NodeEvent, encode, header_message, zeros
from lander_runtime.node_events import lost, node_event
from lander_runtime.ros_conductor import ConductorHost
from lander_runtime.ros_host import ASK_AGAIN_S, Host, RunOptions, run_host
from lander_runtime.ros_member import MemberHost

TICK_NS = 20_000_000


def test_questions_for_what_was_missed_that_come_at_once_are_answered_once(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, history, sent = architecture(), History(), []
    type_name = catalogue.topics["imu_increments"].type
    for seq in range(3):
        message = zeros(type_name)
        message.tick = seq
        history.keep("imu_increments", encode(message, type_name))
    link = SimpleNamespace(publish=lambda key, data: sent.append(key))
    host = cast(Any, SimpleNamespace(catalogue=catalogue, history=history, link=link, _sent_again_at={}))
    now = 100.0
    monkeypatch.setattr(ros_host.time, "monotonic", lambda: now)
    for _ in range(30):  # a node that nobody had discovered for six seconds
        Host.send_again(host, "navigation", 1)
    assert sent == ["imu_increments"] * 2
    Host.send_again(host, "health", 2)
    assert len(sent) == 3
    now += ASK_AGAIN_S
    Host.send_again(host, "navigation", 2)
    assert len(sent) == 4


def announced(seq: int) -> Any:
    message = zeros("lander_interfaces/msg/Tick")
    message.tick, message.step_ns, message.header = seq, TICK_NS, header_message(seq * TICK_NS, "")
    return message


def test_by_the_wall_clock_a_new_process_is_up_with_the_run_when_it_says_that_it_is_ready() -> None:
    catalogue = architecture()
    imu = Member(catalogue.nodes["imu"], catalogue, list(catalogue.nodes), lockstep=False)
    imu.membership.lose("imu", 0)
    comeback = Comeback(imu, first_tick=1)
    for seq in range(1, 11):
        comeback.on_tick(announced(seq))
    coming = iter(range(11, 33))  # the run goes on while it catches up: two ticks for each of its steps
    host = cast(Any, SimpleNamespace(_member=imu, _comeback=comeback))
    host._advance = lambda: imu.take(imu.next_due())  # type: ignore[arg-type]
    host._dispatch_all = lambda: [imu.on_tick(announced(seq)) for seq in (next(coming, 0), next(coming, 0))]
    MemberHost._catch_up(host, comeback)
    assert host._comeback is None
    assert imu.done == imu.newest_announced == 32


def test_a_process_that_wakes_goes_through_its_backlog_after_all_who_fly(monkeypatch: pytest.MonkeyPatch) -> None:
    catalogue, taken = architecture(), []
    monkeypatch.setattr(real_time, "take", taken.append)
    imu = Member(catalogue.nodes["imu"], catalogue, list(catalogue.nodes), lockstep=False)
    host = cast(Any, SimpleNamespace(life=0, options=RunOptions(rate=1.0), _member=imu, _comeback=None, _paced=True))
    MemberHost._on_own_event(host, lost("imu", 7, 0, "hang", planned=True))
    assert not imu.membership.owes("imu", 7)
    assert (taken, host._paced) == ([real_time.LAST], False)


def conducting() -> tuple[Any, list[tuple[str, Any]]]:
    """A conductor's host by the wall clock, at tick 20, without a network, and what it does."""
    catalogue, did = architecture(), list[tuple[str, Any]]()
    conductor = Conductor(catalogue.nodes["physics"], catalogue, list(catalogue.nodes))
    for _ in range(21):
        conductor.begin(TICK_NS)
    conductor.ready = {name: node_event(NodeEvent.READY, name) for name in conductor.lives}
    agent = SimpleNamespace(
        strike=lambda ready, deadly: did.append(("strike", deadly)),
        wake=lambda ready: did.append(("wake", ready.node)),
        is_gone=lambda ready: False,
    )
    host = SimpleNamespace(conductor=conductor, catalogue=catalogue, options=RunOptions(rate=1.0), _agent=agent)
    host._awaited, host._surprises = {}, set()
    host._tell = lambda event: did.append(("tell", event.kind))
    host.get_logger = lambda: SimpleNamespace(error=lambda text: None)
    for name in ("_carry_out", "_let_in", "_lose"):
        setattr(host, name, getattr(ConductorHost, name).__get__(host))
    return host, did


def test_who_hung_by_the_wall_clock_is_let_in_when_it_has_caught_up_and_not_when_it_wakes() -> None:
    host, did = conducting()
    ConductorHost._carry_out(host, Change(0, "imu", leaves=True, deadly=False, cause="hang"))
    assert did == [("strike", False), ("tell", NodeEvent.LOST)]  # it hears of it when it wakes
    ConductorHost._carry_out(host, Change(0, "imu", leaves=False, deadly=False, cause="hang"))
    ConductorHost._change_members(host)
    assert did[2:] == [("wake", "imu")]
    done = zeros("lander_interfaces/msg/TickDone")
    done.epoch, done.node, done.tick = 1, "imu", 19
    host.conductor.on_tick_done(done, epoch=1)
    ConductorHost._change_members(host)
    assert did[3:] == [("tell", NodeEvent.JOINED)]
    assert host.conductor.membership.owes("imu", 20)


def test_a_new_process_that_is_ready_tells_that_the_former_one_has_died() -> None:
    host, did = conducting()
    assert not ConductorHost._lose_the_dead(host)
    host.conductor.ready["imu"] = node_event(NodeEvent.READY, "imu", life=1)
    assert ConductorHost._lose_the_dead(host)
    assert did == [("tell", NodeEvent.LOST)]


def test_a_message_that_was_lost_is_sent_again_before_the_valve_drivers_close(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ros_host.rclpy, "init", lambda args: None)
    monkeypatch.delenv(ros_host._DDS_PROFILES, raising=False)
    ros_host._initialise()
    profiles = ElementTree.parse(Path(os.environ[ros_host._DDS_PROFILES]))
    (heartbeat_ns,) = (int(field.text or 0) for field in profiles.iter() if field.tag.endswith("nanosec"))
    hold_s = read(find("world", "physics")).data["valves"]["command_hold_s"]
    assert heartbeat_ns <= 0.5e9 * hold_s
    monkeypatch.setenv(ros_host._DDS_PROFILES, "of the user")
    ros_host._initialise()
    assert os.environ[ros_host._DDS_PROFILES] == "of the user"


def test_who_flies_has_no_long_collections_and_gives_up_real_time_priority_before_it_leaves(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    did: list[Any] = []

    class Flown:
        trigger_configure = trigger_activate = staticmethod(lambda: TransitionCallbackReturn.SUCCESS)
        fly, say_goodbye = staticmethod(lambda: did.append("fly")), staticmethod(lambda: did.append("goodbye"))

    monkeypatch.setattr(real_time, "take", did.append)
    monkeypatch.setattr(ros_host.gc, "freeze", lambda: did.append("freeze"))
    monkeypatch.setattr(ros_host, "rclpy", SimpleNamespace(ok=lambda: True, try_shutdown=lambda: None))
    for name in ("uninstall_signal_handlers", "disregard_interrupts"):
        monkeypatch.setattr(ros_host, name, lambda: None)
    assert run_host(cast(Any, lambda blueprint, words: Flown()), cast(Any, None)) == 0
    assert did == ["freeze", "fly", real_time.NONE, "goodbye"]
