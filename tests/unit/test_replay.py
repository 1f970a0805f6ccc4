"""Replay: the same inputs give the same outputs, from any bag, and what is missing or damaged is said."""

from __future__ import annotations

from collections.abc import Iterator
from pathlib import Path

import pytest
from click.testing import CliRunner, Result
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import StoragePlugin, Writer

from lander_common.mission import resolve
from lander_runtime.architecture import architecture
from lander_runtime.messages import NodeEvent, decode, encode, header_message, peek_tick, typestore
from lander_tools.bag import Bag, Record
from lander_tools.columns import gather
from lander_tools.diff import compare
from lander_tools.flight_record import FlightRecord
from lander_tools.fly import fly
from lander_tools.open_loop import Replay, flight_nodes
from lander_tools.refly import command as refly
from lander_tools.replay import command
from lander_tools.run import command as run
from lander_tools.run_folder import RunFolder

FLIGHT_S = 3.0
SEED = 3
TOPICS = {topic.name: topic for topic in architecture().topics.values()}


@pytest.fixture(scope="module")
def flown(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A run folder with a bag and a configuration that is not the nominal one."""
    folder = RunFolder(tmp_path_factory.mktemp("flown"))
    mission = resolve("nominal", SEED, settings={"navigation.range_gate.accept_sigma": "2.5"})
    folder.write_config(mission.resolved())
    fly(str(folder.config), SEED, record=folder.bag, stop_after_s=FLIGHT_S)
    return folder.path


def call(*arguments: object) -> Result:
    result = CliRunner().invoke(command, [str(argument) for argument in arguments])
    assert result.exception is None or isinstance(result.exception, SystemExit), result.exc_info
    return result


def records(folder: Path) -> list[Record]:
    with Bag(folder) as bag:
        return list(bag.records())


def rewritten(folder: Path, messages: Iterator[Record], storage: StoragePlugin = StoragePlugin.MCAP) -> Path:
    """A bag as a foreign recorder would write it: nothing but messages, wall-clock times, no description."""
    with Writer(folder, version=9, storage_plugin=storage) as writer:
        known = {}
        for number, record in enumerate(messages):
            if record.topic not in known:
                known[record.topic] = writer.add_connection(
                    record.topic, TOPICS[record.topic].type, typestore=typestore()
                )
            writer.write(known[record.topic], 1_750_000_000_000_000_000 + number, record.data)
    return folder


def test_every_output_of_every_flight_node_is_equal_to_the_record(flown: Path) -> None:
    with FlightRecord(flown) as record:
        mission = resolve(str(RunFolder(flown).config), SEED)
        result = Replay(record, mission, flight_nodes(mission)).run()
        outputs = {topic.key for name in flight_nodes(mission) for topic in architecture().nodes[name].outputs}
        recorded = {key: sum(map(len, record.messages[key].values())) for key in outputs if key in record.messages}
    assert result.ok
    assert {key: comparison.equal for key, comparison in result.comparisons.items() if key in recorded} == recorded
    assert result.compared == sum(recorded.values()) > 2 * FLIGHT_S * 50
    assert not result.left_out


def test_the_command_replays_and_leaves_a_bag_that_is_the_record_again(flown: Path, tmp_path: Path) -> None:
    result = call(flown, "--out", tmp_path / "again")
    assert result.exit_code == 0, result.output
    assert result.output.strip().splitlines()[-1].startswith("EQUAL: all ")
    with Bag(flown) as before, Bag(tmp_path / "again") as after:
        assert compare(before, after).same
        for name in (topic.name for topic in TOPICS.values() if topic.role == "view"):
            assert gather(before, [name]) == gather(after, [name])
    assert call(tmp_path / "again", "--no-record").exit_code == 0, "a replay can be replayed"


def test_a_message_that_was_not_what_the_node_says_is_named_and_may_be_tolerated(flown: Path, tmp_path: Path) -> None:
    def nudged() -> Iterator[Record]:
        for record in records(flown):
            if record.topic == "/guidance/command" and peek_tick(record.data) == 50:
                message = decode(record.data, TOPICS[record.topic].type)
                message.thrust_n += 0.25
                yield record._replace(data=encode(message, TOPICS[record.topic].type))
            else:
                yield record

    bag = rewritten(tmp_path / "bag", nudged())
    told = ("--scenario", RunFolder(flown).config, "--seed", SEED, "--nodes", "guidance", "--no-record")
    exact = call(bag, *told)
    assert exact.exit_code == 1
    assert "first difference: tick 50, node guidance, /guidance/command, field thrust_n" in exact.output
    assert exact.output.strip().splitlines()[-1].startswith("DIFFERENT: 1 messages")
    assert call(bag, *told, "--tolerance", "0.3").exit_code == 0
    assert call(bag, *told, "--tolerance", "0.2").exit_code == 1


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_the_bag_of_another_recorder_with_other_padding_is_replayed(
    flown: Path, tmp_path: Path, storage: StoragePlugin
) -> None:
    def as_rclpy_encodes() -> Iterator[Record]:
        for record in records(flown):
            if record.topic == "/rangefinder/range":  # padding before float64 range_m, at the place that
                at = len(record.data) - 3 * 8  # three float64 from the end is
                yield record._replace(data=record.data[: at - 5] + b"\xcd" * 5 + record.data[at:])
            elif TOPICS[record.topic].role == "gating":
                yield record

    bag = rewritten(tmp_path / "bag", as_rclpy_encodes(), storage)
    untold = call(bag)
    assert untold.exit_code == 2
    assert "--scenario" in untold.output
    settings = ("--scenario", "nominal", "--seed", SEED, "--set", "navigation.range_gate.accept_sigma=2.5")
    told = call(bag, *settings, "--no-record")
    assert told.exit_code == 0, told.output


def test_what_was_not_recorded_costs_only_the_nodes_that_need_it(flown: Path, tmp_path: Path) -> None:
    missing = architecture().topics["imu_increments"]
    bag = rewritten(tmp_path / "bag", (record for record in records(flown) if record.topic != missing.name))
    result = call(bag, "--scenario", RunFolder(flown).config, "--seed", SEED, "--no-record")
    assert result.exit_code == 0, result.output
    for name in flight_nodes(resolve("nominal", SEED)):
        needs = any(port.topic == missing for port in architecture().nodes[name].gating_inputs)
        said = f"{name} is not replayed: its input {missing.name} was not recorded" in result.output
        assert said == needs, name
    assert "throttle" in result.output.splitlines()[-2]


def test_a_record_that_begins_late_or_has_a_gap_says_so(flown: Path, tmp_path: Path) -> None:
    def ticks(wanted: range) -> Iterator[Record]:
        return (
            record
            for record in records(flown)
            if TOPICS[record.topic].role == "gating" and peek_tick(record.data) in wanted
        )

    told = ("--scenario", RunFolder(flown).config, "--seed", SEED, "--no-record")
    late = call(rewritten(tmp_path / "late", ticks(range(10, 100))), *told)
    assert late.exit_code == 2
    assert "begins at tick 10" in late.output
    ragged = [*ticks(range(60)), *(each for each in ticks(range(60, 67)) if each.topic == "/imu/increments")]
    cut = call(rewritten(tmp_path / "ragged", iter(ragged)), *told)
    assert cut.exit_code == 0, cut.output
    assert "ends before tick 60, 1.200 s" in cut.output
    both = [*ticks(range(60)), *ticks(range(80, 100))]
    gap = call(rewritten(tmp_path / "gap", iter(both)), *told)
    assert gap.exit_code == 0, gap.output
    assert "ticks 60 to 79 are not in the bag" in gap.output
    assert "60 ticks" in gap.output


def test_a_node_that_was_lost_then_is_not_missed_now(flown: Path, tmp_path: Path) -> None:
    event = NodeEvent(**{field: value for field, value in vars(_event()).items() if field not in ("tick", "header")})
    event.tick, event.header = 40, header_message(800_000_000, "")
    event.kind, event.node, event.from_tick = NodeEvent.LOST, "payload_manager", 40

    def without_payload_manager() -> Iterator[Record]:
        for record in records(flown):
            if record.topic != "/payload/status" or peek_tick(record.data) < 40:
                yield record
        yield Record("/sim/node_events", 0, encode(event, TOPICS["/sim/node_events"].type))

    bag = rewritten(tmp_path / "bag", without_payload_manager())
    result = call(bag, "--scenario", RunFolder(flown).config, "--seed", SEED, "--no-record")
    assert result.exit_code == 0, result.output


@pytest.mark.parametrize("fault", ["kind: restart, down_s: 0.5", "kind: hang, duration_s: 0.5"])
def test_what_a_node_says_after_it_was_away_is_equal_too(tmp_path: Path, fault: str) -> None:
    faults = ", ".join(
        f"{{at_s: {at_s}, subject: {node}, {fault}}}" for at_s, node in ((1, "navigation"), (1.9, "throttle"))
    )
    folder = RunFolder(tmp_path)
    folder.write_config(resolve("nominal", SEED, settings={"scenario.faults": f"[{faults}]"}).resolved())
    fly(str(folder.config), SEED, record=folder.bag, stop_after_s=FLIGHT_S)
    with FlightRecord(folder.path) as record:
        mission = resolve(str(folder.config), SEED)
        result = Replay(record, mission, flight_nodes(mission)).run()
    assert result.ok, result
    assert result.comparisons["navigation_state"].equal == len(result.ticks) - 25


def _event() -> NodeEvent:
    from lander_runtime.messages import zeros

    return zeros("lander_interfaces/msg/NodeEvent")


@pytest.fixture(scope="module")
def small(flown: Path, tmp_path_factory: pytest.TempPathFactory) -> bytes:
    """The storage file of a short run."""
    folder = tmp_path_factory.mktemp("small")
    fly("nominal", SEED, record=folder / "bag", stop_after_s=0.5)
    return (folder / "bag" / "bag.mcap").read_bytes()


@settings(max_examples=12, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(cut=st.floats(0.0, 1.0), flips=st.lists(st.floats(0.0, 1.0, exclude_max=True), max_size=3))
def test_whatever_is_cut_off_or_flipped_there_is_an_answer_and_no_traceback(
    small: bytes, tmp_path: Path, cut: float, flips: list[float]
) -> None:
    data = bytearray(small[: round(cut * len(small))])
    for flip in flips if data else ():
        bit = int(flip * 8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
    broken = tmp_path / "broken.mcap"
    broken.write_bytes(data)
    result = call(broken, "--nodes", "payload_manager", "--scenario", "nominal", "--seed", SEED, "--no-record")
    assert "Traceback" not in result.output
    assert result.exit_code in (0, 2), result.output
    last = result.output.strip().splitlines()[-1]
    assert last.startswith("EQUAL" if result.exit_code == 0 else "Error: ")
    assert broken.read_bytes() == data


def test_a_refly_without_a_change_is_the_same_flight_whatever_config_says_now(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    options = ["--transport", "in-process", "--no-record", "--set", "start.time_limit_s=4", "--seed", str(SEED)]
    first = CliRunner().invoke(run, [*options, "--out", str(tmp_path / "then")])
    assert first.exit_code == 1, first.output
    assert "LOST" in first.output
    result = CliRunner().invoke(refly, [str(tmp_path / "then"), "--no-record", "--out", str(tmp_path / "now")])
    assert result.exit_code == 1, result.output
    assert "the same" in result.output
    changed = ["--set", "imu.gyro.turn_on_bias_deg_h=2", "--no-record", "--out", str(tmp_path / "changed")]
    result = CliRunner().invoke(refly, [str(tmp_path / "then"), *changed])
    assert "the same" not in result.output
    assert result.output.count("LOST") >= 2


def test_a_folder_that_was_never_flown_cannot_be_flown_again(tmp_path: Path) -> None:
    result = CliRunner().invoke(refly, [str(tmp_path)])
    assert result.exit_code == 2
    assert len(result.output.strip().splitlines()) == 1
