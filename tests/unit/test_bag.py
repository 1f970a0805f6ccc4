"""Bags: what the recorder writes, any reader reads."""

from __future__ import annotations

import json
import shutil
import sys
from pathlib import Path

import numpy as np
import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from mcap.reader import make_reader
from mcap_ros2.decoder import DecoderFactory
from rosbags.rosbag2 import Reader, StoragePlugin, Writer
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from synthetic_run import DESCRIPTION, Maker, record_run

from lander_runtime.architecture import architecture
from lander_runtime.messages import encode, typestore, zeros
from lander_tools.bag import Bag, BagError
from lander_tools.columns import columns, gather
from lander_tools.recorder import Recorder, RecorderFailed
from lander_tools.sequence import check_sequence

LANDING_S = 4.0


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run")
    record_run(folder / "bag", LANDING_S)
    return folder


@pytest.fixture(scope="module")
def sent():
    return [(architecture().topics[key].name, stamp, data) for stamp, key, data in Maker(LANDING_S).messages()]


def test_two_independent_readers_find_every_message_that_was_recorded(run, sent):
    with Reader(run / "bag") as reader:
        by_rosbags = [(connection.topic, stamp, bytes(data)) for connection, stamp, data in reader.messages()]
    with (run / "bag" / "bag.mcap").open("rb") as stream:
        by_mcap = [
            (channel.topic, message.log_time, message.data)
            for _, channel, message in make_reader(stream).iter_messages()
        ]
    assert by_rosbags == sent
    assert by_mcap == sent


def test_an_independent_decoder_reads_the_values_that_were_sent(run):
    with (run / "bag" / "bag.mcap").open("rb") as stream, Bag(run) as bag:
        ours = {topic: [message for _, message in bag.messages(topic)] for topic in ("/sim/truth", "/health/status")}
        decoded = make_reader(stream, decoder_factories=[DecoderFactory()]).iter_decoded_messages(topics=list(ours))
        for _, channel, _, theirs in decoded:
            mine = ours[channel.topic].pop(0)
            assert theirs.tick == mine.tick
            if channel.topic == "/sim/truth":
                assert list(theirs.r_lander_site) == mine.r_lander_site.tolist()
            else:
                assert theirs.checks == mine.checks
                assert list(theirs.verdicts) == mine.verdicts.tolist()


def test_every_declared_topic_is_in_the_bag_with_its_type_hash_and_qos(run):
    with Bag(run) as bag:
        assert set(bag.topics) == {topic.name for topic in architecture().topics.values()}
        for topic in architecture().topics.values():
            found = bag.topics[topic.name]
            assert found.type == topic.type
            assert found.type_hash == typestore().hash_rihs01(topic.type)
            (qos,) = found.qos
            assert (qos.reliability.name.lower(), qos.durability.name.lower()) == (
                topic.qos.reliability,
                topic.qos.durability,
            )
            assert qos.depth == topic.qos.depth


def test_type_hashes_are_those_that_ros_itself_computed(run):
    installed = Path(sys.prefix) / "share" / "sensor_msgs" / "msg" / "Imu.json"
    if not installed.is_file():
        pytest.skip("no ROS wheels in this environment")
    (entry,) = [
        each for each in json.loads(installed.read_text())["type_hashes"] if each["type_name"] == "sensor_msgs/msg/Imu"
    ]
    with Bag(run) as bag:
        assert bag.topics["/imu/data"].type_hash == entry["hash_string"]


def test_the_bag_says_what_was_flown_and_its_log_time_is_simulated_time(run):
    with Bag(run) as bag:
        assert bag.description == DESCRIPTION
        assert (bag.start_ns, bag.end_ns) == (0, int(LANDING_S * 1e9))
        for stamp_ns, message in bag.messages("/sim/truth"):
            assert stamp_ns == message.header.stamp.sec * 1_000_000_000 + message.header.stamp.nanosec


@pytest.mark.parametrize("place", ["", "bag", "bag/metadata.yaml", "bag/bag.mcap"])
def test_a_bag_is_found_by_its_run_folder_its_own_folder_or_its_file(run, place):
    with Bag(run / place) as bag:
        assert bag.message_count > 0


def test_an_sqlite3_bag_reads_like_an_mcap_bag(tmp_path, sent):
    with Writer(tmp_path / "old", version=8, storage_plugin=StoragePlugin.SQLITE3) as writer:
        types = {topic.name: topic.type for topic in architecture().topics.values()}
        known = {
            name: writer.add_connection(name, type_name, typestore=typestore()) for name, type_name in types.items()
        }
        for topic, stamp_ns, data in sent:
            writer.write(known[topic], stamp_ns, data)
    with Bag(tmp_path / "old") as bag:
        assert sorted(bag.records()) == sorted(sent)
        assert check_sequence(bag).ok


def test_a_message_of_another_version_is_decoded_by_the_definition_in_its_bag(tmp_path):
    store = get_typestore(Stores.EMPTY)
    store.register(get_types_from_msg("uint32 old_field\nstring text", "lander_interfaces/msg/Tick"))
    message = store.types["lander_interfaces/msg/Tick"](old_field=7, text="as it was")
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.MCAP) as writer:
        connection = writer.add_connection("/sim/tick", "lander_interfaces/msg/Tick", typestore=store)
        writer.write(connection, 5, bytes(store.serialize_cdr(message, "lander_interfaces/msg/Tick")))
    with Bag(tmp_path / "bag") as bag:
        ((_, read),) = bag.messages("/sim/tick")
        assert (read.old_field, read.text) == (7, "as it was")
        table = columns(bag, "/sim/tick", gather(bag, ["/sim/tick"])["/sim/tick"], ["old_field"])
        assert table["old_field"].tolist() == [7]


def test_columns_are_what_decoding_one_by_one_gives(run):
    fields = {
        "/sim/truth": [
            "tick",
            "step_ns",
            "header.stamp.nanosec",
            "header.frame_id",
            "q_mci_body",
            "altitude_m",
            "contact",
        ],
        "/rangefinder/range": ["valid", "time_of_validity.nanosec", "range_m"],
        "/throttle/command": ["main_engine", "assist_on_s", "rcs_on_s", "attitude_error_body", "phase"],
        "/vehicle/telemetry": ["tank_pressure_pa", "assist_chamber_pa", "contact", "bus_power_w"],
        "/health/status": ["checks", "verdicts", "detections"],
        "/sim/events": ["kind", "value"],
        "/imu/data": ["linear_acceleration.x", "orientation_covariance"],
    }
    with Bag(run) as bag:
        messages = gather(bag, fields)
        for topic, names in fields.items():
            table = columns(bag, topic, messages[topic], names)
            for row, data in enumerate(messages[topic]):
                message = bag.decode(topic, data)
                for name in names:
                    value = message
                    for part in name.split("."):
                        value = getattr(value, part)
                    np.testing.assert_array_equal(table[name][row], value, err_msg=f"{topic} {name}")


def test_columns_of_an_unknown_field_or_an_absent_topic(run):
    with Bag(run) as bag:
        messages = gather(bag, ["/sim/truth", "/not/there"])
        assert messages["/not/there"] == []
        with pytest.raises(BagError, match="/sim/truth has no field 'altitude_km'"):
            columns(bag, "/sim/truth", messages["/sim/truth"], ["altitude_km"])


def test_a_damaged_definition_of_one_topic_leaves_the_others_readable(run, tmp_path):
    original = (run / "bag" / "bag.mcap").read_bytes()
    summary = original.rfind(b"uint8[] verdicts")  # readers take the definitions from the end of the file
    (tmp_path / "bag.mcap").write_bytes(original[:summary] + b"?" + original[summary + 1 :])
    with Bag(tmp_path) as bag:
        assert sum(1 for _ in bag.messages("/sim/truth")) == LANDING_S * 50 + 1
        assert sum(1 for _ in bag.messages("/health/status")) == LANDING_S * 10 + 1


def test_a_sequence_without_a_gap_is_confirmed_and_every_kind_of_fault_is_found(run, tmp_path):
    with Bag(run) as bag:
        report = check_sequence(bag)
    assert report.ok
    assert report.silent == ()
    assert report.ticks == LANDING_S * 50 + 1
    bad = Recorder(tmp_path / "bag", {}, pytest.fail)
    for stamp_ns, key, data in Maker(LANDING_S).messages():
        if (key, stamp_ns) in (("truth", 100_000_000), ("range", 200_000_000)):
            continue
        bad.observe(stamp_ns, key, data)
        if (key, stamp_ns) == ("imu_data", 300_000_000):
            bad.observe(stamp_ns, key, data)
    bad.close()
    with Bag(tmp_path) as bag:
        found = {fault.topic: fault for fault in check_sequence(bag).faults}
    assert found.keys() == {"/sim/truth", "/rangefinder/range", "/imu/data"}
    assert found["/sim/truth"].missing == (5,)
    assert found["/rangefinder/range"].missing == (10,)
    assert found["/imu/data"].repeated == (15,)
    assert str(found["/sim/truth"]) == "/sim/truth: 1 missing, first at tick 5"


def test_a_lost_node_owes_no_messages_from_the_tick_of_its_loss(tmp_path):
    record_run(tmp_path / "bag", LANDING_S, lost={"payload_manager": 70})
    with Bag(tmp_path) as bag:
        assert check_sequence(bag).ok


def test_a_run_without_the_conductors_beat_is_checked_by_the_truth(tmp_path):
    record_run(tmp_path / "bag", LANDING_S, skip=("tick", "clock"))
    with Bag(tmp_path) as bag:
        report = check_sequence(bag)
    assert report.ok
    assert report.silent == ("/sim/tick", "/clock")


def test_an_empty_recording_is_a_bag_without_messages(tmp_path):
    Recorder(tmp_path / "bag", {}, pytest.fail).close()
    with Bag(tmp_path) as bag:
        assert (bag.message_count, list(bag.records()), bag.end_ns) == (0, [], 0)
        with pytest.raises(BagError, match="neither ticks nor truth"):
            check_sequence(bag)


def _folder_without_a_bag(tmp_path, run):
    return tmp_path


def _missing(tmp_path, run):
    return tmp_path / "nowhere"


def _text_file(tmp_path, run):
    (tmp_path / "notes.txt").write_text("hello")
    return tmp_path / "notes.txt"


def _empty_file(tmp_path, run):
    (tmp_path / "bag.mcap").touch()
    return tmp_path / "bag.mcap"


def _garbage(tmp_path, run):
    (tmp_path / "bag.mcap").write_bytes(bytes(range(256)) * 40)
    return tmp_path / "bag.mcap"


def _garbage_database(tmp_path, run):
    (tmp_path / "bag.db3").write_bytes(bytes(range(256)) * 40)
    return tmp_path / "bag.db3"


def _unfinished(tmp_path, run):
    data = (run / "bag" / "bag.mcap").read_bytes()
    (tmp_path / "bag.mcap").write_bytes(data[: len(data) // 2])
    return tmp_path


def _metadata_that_is_not_yaml(tmp_path, run):
    shutil.copytree(run / "bag", tmp_path / "bag")
    (tmp_path / "bag" / "metadata.yaml").write_text("rosbag2_bagfile_information: [}")
    return tmp_path / "bag"


def _metadata_without_its_file(tmp_path, run):
    shutil.copytree(run / "bag", tmp_path / "bag")
    (tmp_path / "bag" / "bag.mcap").unlink()
    return tmp_path / "bag"


@pytest.mark.parametrize(
    "make",
    [
        _folder_without_a_bag,
        _missing,
        _text_file,
        _empty_file,
        _garbage,
        _garbage_database,
        _unfinished,
        _metadata_that_is_not_yaml,
        _metadata_without_its_file,
    ],
)
def test_what_is_no_bag_is_refused_with_one_message_that_names_it(tmp_path, run, make):
    path = make(tmp_path, run)
    with pytest.raises(BagError, match=str(tmp_path)) as caught:
        Bag(path)
    assert "\n" not in str(caught.value)


@settings(max_examples=60, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(data=st.data())
def test_a_flipped_bit_anywhere_is_either_harmless_or_one_clear_error(run, tmp_path, data):
    original = bytearray((run / "bag" / "bag.mcap").read_bytes())
    bit = data.draw(st.integers(0, 8 * len(original) - 1))
    original[bit // 8] ^= 1 << bit % 8
    flipped = tmp_path / "bag.mcap"
    flipped.write_bytes(original)
    error = _error_of_reading(flipped)
    assert error is None or str(flipped) in str(error)


def _error_of_reading(path):
    try:
        with Bag(path) as bag:
            for record in bag.records():
                bag.decode(record.topic, record.data)
    except BagError as error:
        return error
    return None


def test_a_flipped_bit_in_a_message_is_noticed(run, tmp_path):
    original = bytearray((run / "bag" / "bag.mcap").read_bytes())
    original[len(original) // 2] ^= 1
    (tmp_path / "bag.mcap").write_bytes(original)
    with pytest.raises(BagError, match=r"checksum mismatch.*lander recover"), Bag(tmp_path) as bag:
        list(bag.records())


def test_a_bag_is_never_overwritten_and_a_place_that_cannot_be_written_is_named(run, tmp_path):
    for place in (run / "bag", tmp_path / "file" / "bag"):
        (tmp_path / "file").touch()
        with pytest.raises(RecorderFailed, match=str(place)):
            Recorder(place, {}, pytest.fail)


def test_the_stamp_of_every_message_that_comes_over_dds_is_found_in_its_bytes(tmp_path, sent):
    keys = {topic.name: key for key, topic in architecture().topics.items()}
    recorder = Recorder(tmp_path / "bag", {}, pytest.fail)
    for topic, _, data in sent:
        recorder.receive(keys[topic], data)
    recorder.close()
    with Bag(tmp_path) as bag:
        assert [record.stamp_ns for record in bag.records()] == [stamp_ns for _, stamp_ns, _ in sent]
        assert check_sequence(bag).ok


def test_an_acknowledgement_is_logged_at_the_newest_tick(tmp_path):
    recorder = Recorder(tmp_path / "bag", {}, pytest.fail)
    tick, done = zeros("lander_interfaces/msg/Tick"), zeros("lander_interfaces/msg/TickDone")
    tick.header.stamp.sec = 7
    recorder.receive("tick", encode(tick, "lander_interfaces/msg/Tick"))
    recorder.receive("tick_done", encode(done, "lander_interfaces/msg/TickDone"))
    recorder.close()
    with Bag(tmp_path) as bag:
        assert [(record.topic, record.stamp_ns) for record in bag.records()] == [
            ("/sim/tick", 7_000_000_000),
            ("/sim/tick_done", 7_000_000_000),
        ]
