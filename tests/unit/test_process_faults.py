"""Members that die, hang and come back: the same on every transport, whatever the moment."""

from __future__ import annotations

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.fault_plan import fault_plan
from lander_common.mission import resolve
from lander_runtime.architecture import architecture
from lander_runtime.checkpoint import Checkpoint
from lander_runtime.comeback import Comeback
from lander_runtime.conductor import ACKNOWLEDGE_EVERY, Conductor
from lander_runtime.faults import Change, FaultPlan, Outage
from lander_runtime.history import History
from lander_runtime.inprocess import InProcessRun
from lander_runtime.member import Member
from lander_runtime.membership import CATCH_UP_TICKS, HISTORY_MESSAGES, Membership, Timetable
from lander_runtime.messages import Message, decode, encode, header_message, peek_tick, zeros
from lander_runtime.stubs import TICK_NS, Stub, StubOwner
from lander_runtime.subsystem import Inputs, Outputs, Tick

CATALOGUE = architecture()
NODES = [name for name in CATALOGUE.nodes if name not in ("recorder", "camera", "trn")]


def at(seq: int) -> Tick:
    return Tick(seq, seq * TICK_NS, TICK_NS if seq else 0)


def announced(seq: int) -> Message:
    message = zeros("lander_interfaces/msg/Tick")
    message.tick, message.step_ns, message.header = seq, TICK_NS if seq else 0, header_message(seq * TICK_NS, "")
    return message


def encoded(key: str, seq: int) -> bytes:
    message = zeros(CATALOGUE.topics[key].type)
    message.tick, message.header = seq, header_message(seq * TICK_NS, "")
    return encode(message, CATALOGUE.topics[key].type)


def outage(node: str, first: int, back: int | None, deadly: bool = True) -> Outage:
    return Outage(node, first * TICK_NS, None if back is None else back * TICK_NS, deadly, "test")


def test_what_a_scenario_says_of_nodes_becomes_leaving_and_coming_back() -> None:
    faults = (
        "[{at_s: 1, subject: imu, kind: kill}, {at_s: 2, subject: guidance, kind: restart, down_s: 0.5},"
        " {at_s: 3, subject: health, kind: hang, duration_s: 2}, {at_s: 4, subject: navigation, kind: slow, delay_s: 0.1}]"
    )
    plan = fault_plan(resolve("nominal", 1, settings={"scenario.faults": faults}))
    seen = [(change.at_ns / 1e9, change.node, change.leaves, change.deadly) for change in plan.changes()]
    assert seen == [
        (1.0, "imu", True, True),
        (2.0, "guidance", True, True),
        (2.5, "guidance", False, True),
        (3.0, "health", True, False),
        (5.0, "health", False, False),
    ]
    assert {fault.key for fault in plan.topics} == {topic.key for topic in CATALOGUE.nodes["navigation"].outputs}


def test_a_member_that_is_killed_while_it_hangs_comes_back_as_a_new_process_only() -> None:
    plan = FaultPlan((outage("imu", 10, None, deadly=False), outage("imu", 20, 30)))
    changes = [(change.at_ns // TICK_NS, change.leaves, change.deadly) for change in plan.changes()]
    assert changes == [(10, True, False), (20, True, True), (30, False, True)]


def test_nobody_dies_and_comes_back_at_the_same_tick() -> None:
    timetable = Timetable([Change(5, "imu", True, True, ""), Change(6, "imu", False, True, "")])
    assert [[change.leaves for change in timetable.due(stamp)] for stamp in (4, 10, 20)] == [[], [True], [False]]


@given(st.lists(st.integers(1, 50), unique=True).map(sorted))
def test_membership_is_known_for_every_tick_of_the_past_and_of_what_is_told_twice(turns: list[int]) -> None:
    membership = Membership(["imu"])
    for _ in range(2):
        for number, tick in enumerate(turns):
            membership.join("imu", tick) if number % 2 else membership.lose("imu", tick)
    expected = [sum(turn <= tick for turn in turns) % 2 == 0 for tick in range(60)]
    assert [membership.owes("imu", tick) for tick in range(60)] == expected


class Telltale(Stub):
    """A stub whose messages tell how often it was stepped, and which goes on from what it published last."""

    def __init__(self, name: str) -> None:
        super().__init__(name)
        self.steps: list[int] = []
        self.unheard: list[int] = []  # of these
        self.counted = 0.0

    def restore(self, published: dict[str, Message]) -> None:  # type: ignore[override]
        self.counted = published["imu_increments"].delta_v_body[0]

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        self.steps.append(tick.seq)
        self.unheard += [] if self.heard else [tick.seq]
        self.counted += 1.0
        outputs = super().step(tick, inputs)
        outputs["imu_increments"].delta_v_body = (
            zeros("lander_interfaces/msg/ImuIncrements").delta_v_body + self.counted
        )
        return outputs


def fly(plan: FaultPlan, ticks: int = 40) -> tuple[InProcessRun, list[Telltale], list[int]]:
    imus, published = [Telltale("imu")], []

    def renew(_name: str) -> Telltale:
        imus.append(Telltale("imu"))
        return imus[-1]

    def observe(tick: Tick, key: str, _message: Message, _data: bytes) -> None:
        if key == "imu_increments":
            published.append(tick.seq)

    others = [Stub(name) for name in NODES if name not in ("physics", "imu")]
    run = InProcessRun([*others, imus[0], StubOwner("physics", ticks)], [observe], plan, renew)
    run.run()
    return run, imus, published


@pytest.mark.parametrize("deadly", [False, True])
def test_a_member_that_comes_back_goes_through_what_it_missed_in_silence(deadly: bool) -> None:
    run, imus, published = fly(FaultPlan((outage("imu", 10, 20, deadly),)))
    assert published == [*range(10), *range(20, 40)]
    assert [seq for imu in imus for seq in imu.steps] == list(range(40))
    assert imus[-1].unheard == list(range(10, 20))
    assert len(imus) == 1 + deadly
    assert imus[-1].counted == 40.0
    (lost,) = run.nodes_lost
    assert (lost.node, lost.tick, lost.back_s) == ("imu", 10, pytest.approx(20 * TICK_NS * 1e-9))


def test_a_killed_member_is_not_stepped_again_and_the_others_fly_on() -> None:
    run, imus, published = fly(FaultPlan((outage("imu", 10, None),)))
    assert published == imus[0].steps == list(range(10))
    assert run.tick.seq == 39
    assert run.nodes_lost[0].back_s is None


def test_what_was_missed_too_long_ago_is_left_out() -> None:
    _, imus, _ = fly(FaultPlan((outage("imu", 10, 20 + CATCH_UP_TICKS),)), ticks=240)
    assert imus[1].steps[0] == 20


def test_every_life_has_a_chain_of_its_own_in_the_digest() -> None:
    restarted, hung, whole = (
        fly(FaultPlan(tuple(outage("imu", 10, 20, deadly) for deadly in deaths)))[0].digest()
        for deaths in ([True], [False], [])
    )
    assert len({restarted, hung, whole}) == 3


def member(name: str, plan: FaultPlan, ticks: int, lockstep: bool = True) -> Member:
    made = Member(CATALOGUE.nodes[name], CATALOGUE, NODES, plan, lockstep)
    for seq in range(ticks):
        made.on_tick(announced(seq))
    return made


def test_consumers_wait_for_nobody_that_the_scenario_has_killed() -> None:
    navigation = member("navigation", FaultPlan((outage("imu", 1, None),)), ticks=2)
    navigation.on_message("imu_increments", encoded("imu_increments", 0))
    navigation.on_message("range", encoded("range", 0))
    for _ in range(2):
        tick = navigation.next_due()
        assert tick is not None
        assert not {"imu_increments", "range"} & set(navigation.missing(tick))
        navigation.take(tick)


def test_a_member_dies_at_its_tick_and_not_before() -> None:
    imu = member("imu", FaultPlan((outage("imu", 2, 9),)), ticks=3)
    for seq in range(2):
        assert not imu.must_die
        imu.on_message("truth", encoded("truth", seq))
        imu.take(imu.next_due())  # type: ignore[arg-type]
    assert imu.must_die


def test_a_hanging_member_steps_only_when_it_knows_when_it_is_back() -> None:
    imu = member("imu", FaultPlan((outage("imu", 0, 2, deadly=False),)), ticks=2)
    assert imu.next_due() is None
    imu.on_tick(announced(2))
    tick = imu.next_due()
    assert tick is not None
    assert tick.seq == 0
    assert not imu.publishes(tick)
    assert imu.publishes(at(2))


def gathered(
    first_tick: int, seen: range, skip: tuple[int, ...] = (), lockstep: bool = True
) -> tuple[Member, Comeback]:
    navigation = member("navigation", FaultPlan(), 0, lockstep)
    navigation.membership.lose("navigation", 0)
    comeback = Comeback(navigation, first_tick)
    for seq in [*reversed(seen), *seen]:  # out of order, and twice
        comeback.on_tick(announced(seq))
        if seq not in skip:
            comeback.on_message("imu_increments", encoded("imu_increments", seq))
        comeback.on_message("throttle_command", encoded("throttle_command", seq))
        if seq % 5 == 0:
            comeback.on_message("range", encoded("range", seq))
    return navigation, comeback


def test_a_new_process_is_ready_when_nothing_is_missing() -> None:
    assert gathered(3, range(3, 12))[1].is_complete
    assert gathered(3, range(3, 12), skip=(11,))[1].is_complete  # the newest is still under way
    assert not gathered(3, range(3, 12), skip=(7,))[1].is_complete
    assert not gathered(3, range(5, 12))[1].is_complete


def test_a_new_process_steps_what_it_missed_from_the_first_tick_that_the_old_one_did_not() -> None:
    navigation, comeback = gathered(3, range(3, 12))
    assert comeback.is_complete
    comeback.hand_over(12)
    steps = []
    while (tick := navigation.next_due()) is not None:
        assert not {"imu_increments", "range"} & set(navigation.missing(tick))
        assert not navigation.publishes(tick)
        assert peek_tick(encode(navigation.take(tick).latest("imu_increments"), "lander_interfaces/msg/ImuIncrements"))
        steps.append(tick.seq)
    assert steps == list(range(3, 12))
    assert navigation.publishes(at(12))


def stepped(member: Member) -> list[int]:
    """Ticks that it steps now, all of them in silence."""
    steps = []
    while (tick := member.next_due()) is not None:
        assert not member.publishes(tick)
        member.take(tick)
        steps.append(tick.seq)
    return steps


def test_by_the_wall_clock_a_new_process_goes_along_in_silence_until_it_is_let_in() -> None:
    navigation, comeback = gathered(3, range(3, 12), lockstep=False)
    assert comeback.is_complete
    comeback.hand_over()
    assert stepped(navigation) == list(range(3, 12))
    navigation.on_tick(announced(12))
    assert stepped(navigation) == [12]
    navigation.membership.join("navigation", 13)
    navigation.on_tick(announced(13))
    assert navigation.next_due() == at(13)
    assert navigation.publishes(at(13))


def test_what_was_missed_too_long_ago_is_left_out_by_the_wall_clock_too() -> None:
    navigation, comeback = gathered(0, range(CATCH_UP_TICKS + 5), lockstep=False)
    comeback.hand_over()
    assert stepped(navigation) == list(range(5, CATCH_UP_TICKS + 5))


def test_by_the_wall_clock_a_process_that_wakes_goes_through_its_backlog_in_silence() -> None:
    imu = member("imu", FaultPlan(), 4, lockstep=False)
    imu.membership.lose("imu", 0)
    assert stepped(imu) == [0, 1, 2, 3]


def test_publishers_keep_enough_for_whoever_comes_back() -> None:
    history = History()
    for seq in range(2 * HISTORY_MESSAGES):
        history.keep("range", encoded("range", seq))
    again = [peek_tick(data) for _, data in history.since(500, ["range", "truth"])]
    assert again == list(range(500, 2 * HISTORY_MESSAGES))
    assert len(list(history.since(0, ["range"]))) == HISTORY_MESSAGES > CATCH_UP_TICKS


def test_a_checkpoint_holds_the_last_messages_and_counts_lives(tmp_path: Path) -> None:
    path = tmp_path / "checkpoints" / "imu"
    first = Checkpoint(path, ["a", "b"])
    assert first.former_life is None
    first.begin(0)
    assert Checkpoint(path, ["a", "b"]).former_life is None  # it has said nothing yet
    for number in range(5):
        first.put("a", b"a%d" % number)
    first.put("b", b"only")
    first.put("b", bytes(1 << 20))  # too large: not kept
    second = Checkpoint(path, ["a", "b"])
    assert (second.former_life, second.messages()) == (0, {"a": b"a4", "b": b"only"})
    second.begin(1)
    second.put("a", b"new")
    third = Checkpoint(path, ["a", "b"])
    assert (third.former_life, third.messages()) == (1, {"a": b"new", "b": b"only"})


def test_a_write_cut_short_costs_one_message(tmp_path: Path) -> None:
    checkpoint = Checkpoint(tmp_path / "imu", ["a"])
    checkpoint.begin(0)
    checkpoint.put("a", b"one")
    checkpoint.put("a", b"twotwo")
    content = (tmp_path / "imu").read_bytes()
    (tmp_path / "imu").write_bytes(content.replace(b"twotwo", b"two\0\0\0"))
    assert Checkpoint(tmp_path / "imu", ["a"]).messages() == {"a": b"one"}


def test_a_checkpoint_that_cannot_be_written_keeps_nobody_from_flying(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("")
    checkpoint = Checkpoint(tmp_path / "file" / "imu", ["a"])
    checkpoint.begin(0)
    checkpoint.put("a", b"one")
    assert Checkpoint(tmp_path / "file" / "imu", ["a"]).messages() == {}


def ready(node: str, life: int) -> Message:
    event = zeros("lander_interfaces/msg/NodeEvent")
    event.node, event.life = node, life
    return event


def test_the_conductor_lets_a_new_life_in_and_keeps_the_digest_of_each() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    conductor.begin(0)
    done = zeros("lander_interfaces/msg/TickDone")
    done.epoch, done.node, done.published = 1, "imu", 1
    conductor.on_tick_done(done, epoch=1)
    lost = conductor.lose("imu", "its process has died", back_after_ns=2 * TICK_NS)
    assert (lost.tick, conductor.changes()) == (1, [])
    conductor.begin(TICK_NS)
    assert not conductor.is_ready("imu")
    conductor.begin(TICK_NS)
    (change,) = conductor.changes()
    assert (change.node, change.leaves, change.deadly) == ("imu", False, True)
    conductor.ready["imu"] = ready("imu", 1)
    assert conductor.is_ready("imu")
    conductor.bring_back("imu", new_life=True)
    assert not conductor.is_ready("imu")
    assert conductor.done("imu") == 1
    before = conductor.close(b"", 1.0).digest
    again = decode(encode(done, "lander_interfaces/msg/TickDone"), "lander_interfaces/msg/TickDone")
    again.life = 1
    conductor.on_tick_done(again, epoch=1)
    assert conductor.close(b"", 1.0).digest != before
    assert lost.back_s == pytest.approx(2 * TICK_NS * 1e-9)


def test_who_woke_is_up_with_the_run_when_it_has_acknowledged_all_but_the_newest_ticks() -> None:
    conductor = Conductor(CATALOGUE.nodes["physics"], CATALOGUE, NODES)
    done = zeros("lander_interfaces/msg/TickDone")
    done.epoch, done.node = 1, "imu"
    for _ in range(ACKNOWLEDGE_EVERY + 3):
        conductor.begin(TICK_NS)
    conductor.on_tick_done(done, epoch=1)
    assert not conductor.is_up("imu")
    done.tick = 2
    assert conductor.is_up("imu")
