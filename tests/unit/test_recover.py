"""What a bag survives: a killed recorder, a full disk, truncation, flipped bits."""

from __future__ import annotations

import hashlib
import os
import resource
import shutil
import signal
import sqlite3
import subprocess
import sys
from contextlib import contextmanager

import pytest
from click.testing import CliRunner
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from rosbags.rosbag2 import CompressionFormat, CompressionMode, StoragePlugin, Writer
from synthetic_run import DESCRIPTION, Maker, record_run

from lander_runtime.architecture import architecture
from lander_runtime.messages import typestore
from lander_tools.bag import Bag, BagError
from lander_tools.recorder import Recorder, RecorderFailed
from lander_tools.recover import command, recover
from lander_tools.sequence import check_sequence

FLIGHT_S = 3.0


@pytest.fixture(scope="module")
def sent():
    return [(architecture().topics[key].name, stamp, data) for stamp, key, data in Maker(FLIGHT_S).messages()]


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    return record_run(tmp_path_factory.mktemp("whole") / "bag", FLIGHT_S)


def _records(path):
    with Bag(path) as bag:
        return list(bag.records())


def _damaged(whole, folder, data):
    """A bag folder with the given storage file and the metadata of the whole one."""
    folder.mkdir()
    shutil.copy(whole / "metadata.yaml", folder)
    (folder / "bag.mcap").write_bytes(data)
    return folder


def _fingerprint(folder):
    return {file.name: hashlib.sha256(file.read_bytes()).hexdigest() for file in folder.iterdir()}


@contextmanager
def _scratch(tmp_path):
    """A new folder for each example of hypothesis."""
    folder = tmp_path / "example"
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir()
    yield folder


def _attempt(path):
    """The records that can be restored of a bag, or the error."""
    try:
        restored = recover(path).restored
    except BagError as error:
        return [], str(error)
    return _records(next(restored.glob("*.mcap"), restored)), None


def test_a_whole_bag_is_left_alone(whole):
    before = _fingerprint(whole)
    recovery = recover(whole)
    assert recovery.restored == whole
    assert "whole" in str(recovery)
    assert _fingerprint(whole) == before
    assert [folder.name for folder in whole.parent.iterdir()] == ["bag"]


def test_a_bag_whose_recorder_never_finished_loses_nothing_that_was_flushed(tmp_path, sent):
    recorder = Recorder(tmp_path / "bag", DESCRIPTION, pytest.fail, clock=lambda: 0.0)
    flushed = len(sent) // 3
    for number, (topic, stamp_ns, data) in enumerate(sent[: flushed + 50]):
        recorder.observe(stamp_ns, next(key for key, each in architecture().topics.items() if each.name == topic), data)
        if number == flushed - 1:
            recorder.flush()
    recovery = recover(tmp_path)
    assert _records(recovery.restored) == sent[:flushed]
    assert any("had not reached" in loss for loss in recovery.losses)
    with Bag(tmp_path) as bag:  # the run folder now means the restored bag
        assert bag.path == recovery.restored
        assert bag.description == {**DESCRIPTION, "recovered_from": "bag"}
        assert check_sequence(bag, complete=False).ok
    recorder.close()


def test_types_and_qos_of_the_restored_bag_are_those_of_the_original(whole, tmp_path):
    data = (whole / "bag.mcap").read_bytes()
    recovery = recover(_damaged(whole, tmp_path / "bag", data[: len(data) * 2 // 3]))
    with Bag(whole) as original, Bag(recovery.restored) as restored:
        for name, topic in original.topics.items():
            again = restored.topics[name]
            assert (again.type, again.type_hash, again.qos) == (topic.type, topic.type_hash, topic.qos)


KILLED_RECORDER = """
import sys, time
from pathlib import Path
from lander_tools.recorder import Recorder
from lander_runtime.messages import encode, zeros
recorder = Recorder(Path(sys.argv[1]), {"scenario": "nominal"}, print)
began = time.monotonic()
message = zeros("lander_interfaces/msg/Truth")
while True:
    message.tick = stamp = time.monotonic_ns()
    recorder.observe(stamp, "truth", encode(message, "lander_interfaces/msg/Truth"))
    sys.stdout.write(f"{stamp}\\n")
    sys.stdout.flush()
    time.sleep(0.004)
"""


def test_killing_the_recorder_costs_less_than_a_second(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    program = [sys.executable, "-c", KILLED_RECORDER, str(tmp_path / "bag")]
    with subprocess.Popen(program, stdout=subprocess.PIPE, env=environment, text=True) as recorder:
        assert recorder.stdout is not None
        stamps = [int(recorder.stdout.readline())]
        while stamps[-1] - stamps[0] < 1_700_000_000:
            stamps.append(int(recorder.stdout.readline()))
        recorder.send_signal(signal.SIGKILL)
        stamps += [int(line) for line in recorder.stdout.read().splitlines() if line]
    with pytest.raises(BagError, match="lander recover"):
        Bag(tmp_path)
    restored = [record.stamp_ns for record in _records(recover(tmp_path).restored)]
    assert restored == stamps[: len(restored)]
    assert stamps[-1] - restored[-1] < 1_000_000_000


@contextmanager
def _disk_that_is_full_after(size):
    """Let no file grow beyond a size: writing then fails as on a full disk."""
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (size, hard))
    try:
        yield
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))


@pytest.mark.parametrize("when", ["while recording", "at the end"])
def test_a_full_disk_is_reported_once_and_the_flight_goes_on(tmp_path, sent, when):
    failures: list[RecorderFailed] = []
    ticking = iter(range(10**9))
    clock = (lambda: 0.02 * next(ticking)) if when == "while recording" else (lambda: 0.0)
    with _disk_that_is_full_after(200_000):
        recorder = Recorder(tmp_path / "bag", DESCRIPTION, failures.append, clock)
        keys = {topic.name: key for key, topic in architecture().topics.items()}
        for topic, stamp_ns, data in sent:
            recorder.observe(stamp_ns, keys[topic], data)
        recorder.flush()
        recorder.close()
    (failure,) = failures
    assert recorder.failure is failure
    assert str(tmp_path / "bag") in str(failure)
    assert "the flight goes on" in str(failure)
    assert recorder.recorded + recorder.not_recorded == len(sent)
    if when == "while recording":
        assert recorder.not_recorded > 0
        restored = _records(recover(tmp_path).restored)
        assert restored == sent[: len(restored)]
        assert len(restored) > 100


def test_a_full_disk_while_restoring_leaves_nothing_behind(tmp_path, whole):
    data = (whole / "bag.mcap").read_bytes()
    broken = _damaged(whole, tmp_path / "bag", data[:-1000])
    with _disk_that_is_full_after(50_000), pytest.raises(BagError, match=r"cannot write .*bag-recovered.*--out"):
        recover(broken)
    assert [folder.name for folder in tmp_path.iterdir()] == ["bag"]


@settings(max_examples=25, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(share=st.floats(0.0, 1.0))
def test_whatever_is_cut_off_the_rest_is_restored_up_to_the_last_complete_message(whole, tmp_path, sent, share):
    data = (whole / "bag.mcap").read_bytes()
    cut = int(share * (len(data) - 1))
    with _scratch(tmp_path) as folder:
        broken = _damaged(whole, folder / "bag", data[:cut])
        before = _fingerprint(broken)
        restored, error = _attempt(broken)
        assert error is None or "to restore" in error or "is empty" in error
        assert restored == sent[: len(restored)]
        assert _fingerprint(broken) == before
    # A message takes at most as much room in the file as its data, its frame and its entry in the index; a chunk is
    # followed by the index of what is in it, which may be what was cut.
    room = sum(len(data) + 31 + 16 for _, _, data in sent[: len(restored) + 1]) + 60_000
    assert len(restored) == len(sent) or room > cut


@settings(max_examples=40, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(flips=st.lists(st.floats(0.0, 1.0, exclude_max=True), min_size=1, max_size=4))
def test_no_flipped_bit_brings_a_wrong_message_into_the_restored_bag(finely_chunked, tmp_path, sent, flips):
    data = bytearray((finely_chunked / "bag.mcap").read_bytes())
    for flip in flips:
        bit = int(flip * 8 * len(data))
        data[bit // 8] ^= 1 << bit % 8
    with _scratch(tmp_path) as folder:
        broken = folder / "bag.mcap"  # a bare file: YAML would take most of the time
        broken.write_bytes(data)
        restored, error = _attempt(broken)
    assert error is None or str(broken) in error  # the first chunk, with every definition, was hit
    assert set(restored) <= set(sent)


@pytest.fixture(scope="module")
def finely_chunked(tmp_path_factory, sent):
    """The same recording with a chunk every few hundred messages, as in a flight in real time."""
    folder = tmp_path_factory.mktemp("fine") / "bag"
    ticking = iter(range(10**9))
    recorder = Recorder(folder, DESCRIPTION, pytest.fail, clock=lambda: 0.002 * next(ticking))
    keys = {topic.name: key for key, topic in architecture().topics.items()}
    for topic, stamp_ns, data in sent:
        recorder.observe(stamp_ns, keys[topic], data)
    recorder.close()
    return folder


def test_a_damaged_stretch_costs_only_its_chunk_and_is_named(finely_chunked, tmp_path, sent):
    data = bytearray((finely_chunked / "bag.mcap").read_bytes())
    at = data.find(sent[len(sent) // 2][2])
    data[at + 10] ^= 0x10
    broken = _damaged(finely_chunked, tmp_path / "bag", bytes(data))
    recovery = recover(broken)
    lost = len(sent) - recovery.messages
    assert 0 < lost < 400
    assert any(f"about {lost} messages" in loss and "checksum" in loss for loss in recovery.losses)
    kept = recover(broken, tmp_path / "kept", keep_damaged=True)
    assert kept.messages == len(sent)


def test_a_damaged_length_in_the_middle_does_not_cost_the_rest(finely_chunked, tmp_path, sent):
    data = bytearray((finely_chunked / "bag.mcap").read_bytes())
    chunk = data.find(b"\x06", len(data) // 2)
    while data[chunk + 5 : chunk + 9] != b"\0\0\0\0":
        chunk = data.find(b"\x06", chunk + 1)
    data[chunk + 3] ^= 0x40
    recovery = recover(_damaged(finely_chunked, tmp_path / "bag", bytes(data)))
    assert len(sent) - 400 < recovery.messages <= len(sent)
    assert recovery.end_s == pytest.approx(FLIGHT_S)


@pytest.mark.parametrize("storage", [StoragePlugin.MCAP, StoragePlugin.SQLITE3])
def test_foreign_bags_without_their_metadata_are_restored(tmp_path, sent, storage):
    foreign = Writer(tmp_path / "bag", version=9, storage_plugin=storage)
    if storage == StoragePlugin.MCAP:
        foreign.set_compression(CompressionMode.STORAGE, CompressionFormat.ZSTD)
    with foreign as writer:
        types = {topic.name: topic.type for topic in architecture().topics.values()}
        known = {
            name: writer.add_connection(name, type_name, typestore=typestore()) for name, type_name in types.items()
        }
        for topic, stamp_ns, data in sent:
            writer.write(known[topic], stamp_ns, data)
    (tmp_path / "bag" / "metadata.yaml").unlink()
    assert sorted(_records(recover(tmp_path / "bag").restored)) == sorted(sent)


def test_an_sqlite3_bag_with_an_unfinished_transaction_is_restored(tmp_path, sent):
    with Writer(tmp_path / "bag", version=9, storage_plugin=StoragePlugin.SQLITE3) as writer:
        known = writer.add_connection("/sim/truth", "lander_interfaces/msg/Truth", typestore=typestore())
        truths = [(topic, stamp_ns, data) for topic, stamp_ns, data in sent if topic == "/sim/truth"]
        for _, stamp_ns, data in truths:
            writer.write(known, stamp_ns, data)
    file = tmp_path / "bag" / "bag.db3"
    with sqlite3.connect(file) as database:  # a log beside it that was never taken in, as a killed recorder leaves it
        database.execute("PRAGMA journal_mode=WAL")
    database.execute("INSERT INTO messages (topic_id, timestamp, data) VALUES (1, 99, ?)", (truths[0][2],))
    database.commit()
    (tmp_path / "bag" / "metadata.yaml").unlink()
    before = file.read_bytes()
    assert len(_records(recover(tmp_path / "bag").restored)) == len(truths) + 1
    assert file.read_bytes() == before
    database.close()


def test_restored_bags_never_overwrite_each_other(whole, tmp_path):
    broken = _damaged(whole, tmp_path / "bag", (whole / "bag.mcap").read_bytes()[:-500])
    names = [recover(broken).restored.name for _ in range(3)]
    assert names == ["bag-recovered", "bag-recovered-2", "bag-recovered-3"]
    with pytest.raises(BagError, match="nothing is ever overwritten"):
        recover(broken, broken)


@pytest.mark.parametrize(
    ("name", "content", "says"),
    [
        ("bag.mcap", b"", "is empty"),
        ("bag.mcap", b"\x89MCAP0\r\n", "nothing to restore"),
        ("bag.mcap", b"not a bag at all " * 500, "nothing that can be read as a bag"),
        ("bag.db3", b"not a database at all " * 500, "cannot be restored"),
        ("notes.txt", b"hello", "no .mcap or .db3 file"),
    ],
)
def test_what_cannot_be_restored_is_said_in_one_line(tmp_path, name, content, says):
    (tmp_path / name).write_bytes(content)
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1
    assert "Traceback" not in result.output


def test_the_command_says_what_was_restored_and_what_is_lost(whole, tmp_path):
    broken = _damaged(whole, tmp_path / "bag", (whole / "bag.mcap").read_bytes()[:-200_000])
    result = CliRunner().invoke(command, [str(broken), "--out", str(tmp_path / "again")])
    assert result.exit_code == 0
    first, *losses, last = result.output.strip().splitlines()
    assert first.startswith("Restored ")
    assert first.endswith(f"into {tmp_path / 'again'}.")
    assert losses
    assert all(line.startswith("Lost: ") for line in losses)
    assert last == f"{broken} was not touched."


def test_the_recorder_needs_no_ros():
    code = "import sys; import lander_tools.recorder, lander_tools.recover; sys.exit('rclpy' in sys.modules)"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    assert subprocess.run([sys.executable, "-c", code], env=environment, check=False).returncode == 0
