"""The rules of lockstep, without a network: who waits for what, who is lost, what a gap is."""

from __future__ import annotations

from contextlib import nullcontext

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_runtime.architecture import architecture
from lander_runtime.conductor import Conductor
from lander_runtime.digest import DigestChain, run_digest
from lander_runtime.inbox import SequenceGapError
from lander_runtime.inprocess import InProcessRun
from lander_runtime.member import Member
from lander_runtime.messages import Message, encode, header_message, peek_stamp_ns, peek_tick, zeros
from lander_runtime.rng import stream
from lander_runtime.stubs import TICK_NS, Stub, StubOwner
from lander_runtime.subsystem import MissingOutputError, Outputs, Tick, stamped

CATALOGUE = architecture()
NODES = [name for name in CATALOGUE.nodes if name not in ("recorder", "camera", "trn")]  # those of the nominal landing


def tick_message(seq: int) -> Message:
    message = zeros("lander_interfaces/msg/Tick")
    message.tick, message.step_ns = seq, TICK_NS if seq else 0
    message.header = header_message(seq * TICK_NS, "")
    return message


def encoded(key: str, seq: int) -> bytes:
    topic = CATALOGUE.topics[key]
    message = zeros(topic.type)
    message.tick = seq
    message.header = header_message(seq * TICK_NS, topic.frame)
    return encode(message, topic.type)


def member(name: str, ticks: int = 0) -> Member:
    made = Member(CATALOGUE.nodes[name], CATALOGUE, NODES)
    for seq in range(ticks):
        made.on_tick(tick_message(seq))
    return made


def test_tick_and_stamp_are_read_from_the_bytes() -> None:
    data = encoded("range", 123_456)
    assert (peek_tick(data), peek_stamp_ns(data)) == (123_456, 123_456 * TICK_NS)


def test_a_member_waits_for_every_input_that_is_due_and_for_no_other() -> None:
    navigation = member("navigation", ticks=2)
    first = navigation.next_due()
    assert first is not None
    assert set(navigation.missing(first)) == {"imu_increments", "range"}
    navigation.on_message("imu_increments", encoded("imu_increments", 0))
    navigation.on_message("range", encoded("range", 0))
    assert navigation.missing(first) == []
    navigation.take(first)
    second = navigation.next_due()
    assert second is not None
    assert set(navigation.missing(second)) == {
        "imu_increments",
        "throttle_command",
    }  # a delayed one; ranges every fifth


def test_a_message_that_arrives_early_waits_for_its_tick() -> None:
    navigation = member("navigation", ticks=1)
    for seq in (0, 1):
        navigation.on_message("imu_increments", encoded("imu_increments", seq))
    navigation.on_message("range", encoded("range", 0))
    tick = navigation.next_due()
    assert tick is not None
    assert navigation.take(tick).latest("imu_increments").tick == 0


def test_a_slow_member_passes_over_ticks_at_which_nothing_of_its_is_due() -> None:
    guidance = member("guidance", ticks=6)
    first = guidance.next_due()
    assert first is not None
    assert first.seq == 0
    guidance.take(first)
    following = guidance.next_due()
    assert following is not None
    assert (following.seq, guidance.done) == (5, 4)


def test_nobody_waits_for_a_lost_member_from_the_tick_of_its_loss() -> None:
    navigation = member("navigation", ticks=1)
    navigation.on_message("imu_increments", encoded("imu_increments", 0))
    navigation.membership.lose("rangefinder", from_tick=0)
    tick = navigation.next_due()
    assert tick is not None
    assert navigation.missing(tick) == []


def test_what_a_member_said_before_its_loss_is_waited_for_also_by_those_who_step_later() -> None:
    guidance = member("guidance", ticks=6)
    guidance.membership.lose("navigation", from_tick=5)
    for seq in range(4):
        guidance.on_message("navigation_state", encoded("navigation_state", seq))
    first = guidance.next_due()
    assert first is not None
    guidance.take(first)
    later = guidance.next_due()
    assert later is not None
    assert (later.seq, guidance.missing(later).count("navigation_state")) == (5, 1)
    guidance.on_message("navigation_state", encoded("navigation_state", 4))
    assert "navigation_state" not in guidance.missing(later)
    assert guidance.take(later).latest("navigation_state").tick == 4


def test_a_long_absence_of_a_publisher_does_not_fill_the_memory() -> None:
    throttle = member("throttle")
    throttle.membership.lose("navigation", from_tick=3)
    for seq in range(50):
        throttle.on_tick(tick_message(seq))
        for key in throttle.publishers:
            if key != "navigation_state" or seq < 3:
                throttle.on_message(key, encoded(key, seq))
        tick = throttle.next_due()
        assert tick is not None
        assert throttle.missing(tick) == []
        throttle.take(tick)
    assert all(len(dues) <= 2 for dues in throttle._dues.values())


def test_a_fast_member_wakes_by_its_input_until_the_publisher_is_lost() -> None:
    throttle, guidance = member("throttle"), member("guidance")
    assert (throttle.wake_topic(), guidance.wake_topic()) == ("navigation_state", "tick")
    throttle.membership.lose("navigation", 3)
    assert throttle.wake_topic() == "tick"


def test_a_member_does_not_wake_by_an_input_that_comes_only_after_it_has_stepped() -> None:
    navigation = member("navigation")
    assert navigation.wake_topic() == "imu_increments"
    navigation.membership.lose("imu", 3)
    assert navigation.wake_topic() == "tick"


def test_a_member_that_comes_back_is_waited_for_again() -> None:
    navigation = member("navigation")
    navigation.membership.lose("rangefinder", 3)
    navigation.membership.join("rangefinder", 9)
    assert [navigation.membership.owes("rangefinder", tick) for tick in (2, 3, 8, 9)] == [True, False, False, True]


def test_a_gap_in_a_sequence_is_an_error_where_the_missing_message_is_due() -> None:
    navigation = member("navigation", ticks=2)
    for seq in (0, 2):
        navigation.on_message("imu_increments", encoded("imu_increments", seq))
    navigation.on_message("range", encoded("range", 0))
    for expected in (nullcontext(), pytest.raises(SequenceGapError, match="tick 1 is missing, and 2 has come")):
        tick = navigation.next_due()
        assert tick is not None
        with expected:
            navigation.take(tick)


def test_a_repeated_message_changes_nothing() -> None:
    navigation = member("navigation", ticks=1)
    for _ in range(2):
        navigation.on_message("imu_increments", encoded("imu_increments", 0))
        navigation.on_message("range", encoded("range", 0))
    tick = navigation.next_due()
    assert tick is not None
    navigation.take(tick)
    assert navigation.done == 0


def test_inputs_older_than_their_port_accepts_are_counted() -> None:
    navigation = member("navigation", ticks=1)
    tick = navigation.next_due()
    assert tick is not None
    inputs = navigation.take(tick)
    assert navigation.stale(tick, inputs) == 3  # none has ever come


def test_the_conductor_waits_for_the_command_of_the_tick_before() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    assert conductor.missing() == []
    conductor.begin(0)
    assert conductor.missing() == ["throttle_command"]
    conductor.on_message("throttle_command", encoded("throttle_command", 0))
    assert conductor.missing() == []


def test_missed_deadlines_are_counted_and_so_are_those_in_a_row() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    for seq, in_time in enumerate([True, False, False, True, False]):
        conductor.begin(20_000_000)
        if in_time:
            conductor.on_message("throttle_command", encoded("throttle_command", seq))
        conductor.count_deadline(behind_s=0.4 - 0.1 * abs(seq - 3))
    record = conductor.record
    assert (record.deadline_misses, record.misses_in_a_row, record.behind_s) == (3, 2, pytest.approx(0.4))
    assert (record.misses_at_s, record.behind_at_s) == (pytest.approx(0.06), pytest.approx(0.08))
    assert record.stalls == [(pytest.approx(0.08), 2)]


def test_what_the_host_took_is_summed_and_told_where_it_was_much() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    for stolen_s in (0.01, 0.4, 0.0):
        conductor.begin(500_000_000)
        conductor.count_stolen(stolen_s)
    assert conductor.record.stolen_s == pytest.approx(0.41)
    assert conductor.record.thefts == [(1.0, 0.4)]


def test_who_holds_up_the_run_is_the_first_in_the_flow_that_is_behind() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    conductor.begin(0)
    for name in ("imu", "rangefinder", "health"):
        done = zeros("lander_interfaces/msg/TickDone")
        done.epoch, done.node = 1, name
        conductor.on_tick_done(done, epoch=1)
    assert conductor.laggards(0)[0] == "navigation"


def test_an_acknowledgement_of_another_epoch_counts_for_nothing() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    done = zeros("lander_interfaces/msg/TickDone")
    done.epoch, done.node = 2, "imu"
    conductor.on_tick_done(done, epoch=1)
    assert conductor.done("imu") == -1


def stub_run(ticks: int) -> InProcessRun:
    return InProcessRun([Stub(name) for name in NODES if name != "physics"] + [StubOwner("physics", ticks)])


def test_the_same_run_has_the_same_digest_and_another_run_another() -> None:
    assert stub_run(20).run() == stub_run(20).run() != stub_run(21).run()


def test_an_output_that_is_due_but_missing_is_an_error_at_once() -> None:
    with pytest.raises(MissingOutputError, match="no imu_increments"):
        list(stamped(CATALOGUE.nodes["imu"], Tick(0, 0, 0), {}))
    names = {"imu_increments": "ImuIncrements", "truth": "Truth"}
    surplus: Outputs = {key: zeros(f"lander_interfaces/msg/{name}") for key, name in names.items()}
    with pytest.raises(MissingOutputError, match="undeclared"):
        list(stamped(CATALOGUE.nodes["imu"], Tick(0, 0, 0), surplus))


@given(st.permutations(["imu", "navigation", "throttle"]))
def test_the_run_digest_does_not_depend_on_the_order_of_the_nodes(names: list[str]) -> None:
    chains = {name: DigestChain().value() + name.encode() for name in names}
    assert run_digest(chains) == run_digest(dict(sorted(chains.items())))


def test_a_chain_tells_order_topic_and_length_apart() -> None:
    values = set()
    for messages in ([("a", b"xy")], [("a", b"x"), ("a", b"y")], [("b", b"xy")], [("a", b"y"), ("a", b"x")]):
        chain = DigestChain()
        for key, data in messages:
            chain.add(key, data)
        values.add(chain.value())
    assert len(values) == 4


@given(st.integers(0, 2**63), st.text(min_size=1), st.text(min_size=1))
def test_streams_are_reproducible_and_independent_of_each_other(seed: int, one: str, other: str) -> None:
    assert stream(seed, one).integers(2**62) == stream(seed, one).integers(2**62)
    if one != other:
        assert (
            stream(seed, one).integers(2**62, size=4).tolist() != stream(seed, other).integers(2**62, size=4).tolist()
        )
