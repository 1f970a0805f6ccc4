"""What faults of a topic do to its messages on their way to a reader."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_runtime.architecture import architecture
from lander_runtime.bit_flip import with_flipped_bit
from lander_runtime.faults import FaultPlan, TopicFault
from lander_runtime.inbox import Inbox
from lander_runtime.member import decoder
from lander_runtime.messages import Message, encode, header_message, zeros
from lander_runtime.stubs import TICK_NS

RANGE = "lander_interfaces/msg/RangeMeasurement"
NAVIGATION = architecture().nodes["navigation"]


def shot(seq: int) -> Message:
    message = zeros(RANGE)
    message.tick, message.header, message.range_m = seq, header_message(seq * TICK_NS, ""), float(seq)
    return message


def fault(kind: Any, first: int = 0, end: int | None = None, **more: Any) -> TopicFault:
    until = None if end is None else end * TICK_NS
    return TopicFault("range", kind, first * TICK_NS, until, 1, f"fault/0/range/{kind}", **more)


def seen(*faults: TopicFault, ticks: int = 200, encoded: bool = False) -> list[tuple[int, float]]:
    """At which tick the reader has a new message, and what it says; a message is sent at every tick."""
    inbox = Inbox(NAVIGATION, decoder if encoded else None, FaultPlan(topics=faults))
    found = []
    for seq in range(ticks):
        inbox.queues["range"].put(seq, encode(shot(seq), RANGE) if encoded else shot(seq))
        assert inbox.queues["range"].newest_tick == seq  # what arrived, for the lockstep
        message = inbox.advance(seq, seq * TICK_NS).fresh("range")
        if message is not None:
            found.append((seq, message.range_m))
    return found


def test_without_a_fault_every_message_is_seen_at_its_tick() -> None:
    assert seen(ticks=5) == [(seq, float(seq)) for seq in range(5)]


def test_a_drop_loses_the_share_that_it_says_and_in_its_time_only() -> None:
    got = [seq for seq, _ in seen(fault("drop", 100, 1100, probability=0.05), ticks=1200)]
    lost = sorted(set(range(1200)) - set(got))
    assert all(100 <= seq < 1100 for seq in lost)
    assert 30 <= len(lost) <= 72  # binomial, 50 expected, 3-sigma


def test_every_reader_sees_the_same_messages_struck_also_a_late_one() -> None:
    struck = fault("drop", probability=0.3)
    whole = [seq for seq, _ in seen(struck)]
    late = Inbox(NAVIGATION, None, FaultPlan(topics=(struck,)))
    found = []
    for seq in range(90, 200):
        late.queues["range"].put(seq, shot(seq))
        if late.advance(seq, seq * TICK_NS).fresh("range") is not None:
            found.append(seq)
    assert found == [seq for seq in whole if seq >= 90]


def test_a_delay_holds_messages_back_in_order() -> None:
    assert seen(fault("delay", delay_ns=3 * TICK_NS), ticks=8) == [(seq, seq - 3.0) for seq in range(3, 8)]


def test_a_delay_that_ends_lets_newer_messages_overtake_and_older_ones_are_then_of_no_use() -> None:
    got = seen(fault("delay", 0, 4, delay_ns=3 * TICK_NS), ticks=8)
    assert got == [(3, 0.0), (4, 4.0), (5, 5.0), (6, 6.0), (7, 7.0)]


def test_duplicates_change_nothing_for_a_reader() -> None:
    assert seen(fault("duplicate", probability=0.5)) == seen()


def test_a_reordered_message_is_overtaken_and_lost_to_a_reader_that_takes_the_newest() -> None:
    got = [seq for seq, _ in seen(fault("reorder", 10, 20))]
    assert got == [*range(10), 11, 13, 15, 17, 19, *range(20, 200)]


def test_a_frozen_topic_repeats_the_last_message_with_new_stamps() -> None:
    assert seen(fault("freeze", 3, 6), ticks=8)[2:] == [(2, 2.0), (3, 2.0), (4, 2.0), (5, 2.0), (6, 6.0), (7, 7.0)]


@pytest.mark.parametrize("kind", ["drop", "duplicate", "reorder", "corrupt", "freeze"])
def test_encoded_messages_suffer_what_plain_ones_do(kind: str) -> None:
    more = {} if kind == "freeze" else {"probability": 0.4}
    plain, encoded = (seen(fault(kind, 20, 150, **more), encoded=form) for form in (False, True))
    np.testing.assert_equal(encoded, plain)


def test_faults_of_a_topic_act_one_after_the_other() -> None:
    both = seen(fault("freeze", 3), fault("delay", delay_ns=2 * TICK_NS), ticks=8)
    assert both == [(2, 0.0), (3, 1.0), (4, 2.0), (5, 2.0), (6, 2.0), (7, 2.0)]


@given(
    st.integers(0, 2**32), st.sampled_from(["NavigationState", "ThrottleCommand", "HealthStatus", "RangeMeasurement"])
)
def test_exactly_one_bit_of_a_message_flips_and_the_original_stays(seed: int, name: str) -> None:
    type_name = f"lander_interfaces/msg/{name}"
    message = zeros(type_name)
    message.header = header_message(5, "")
    before = encode(message, type_name)
    after = encode(with_flipped_bit(message, np.random.default_rng(seed)), type_name)
    assert encode(message, type_name) == before
    assert sum((a ^ b).bit_count() for a, b in zip(before, after, strict=True)) == 1
