"""`./lander diff`: it says equal where runs are, and names the place where they part."""

from __future__ import annotations

import copy
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from synthetic_run import DESCRIPTION, Maker

from lander_runtime.architecture import architecture
from lander_runtime.messages import decode, encode, header_message, zeros
from lander_tools.bag import Bag
from lander_tools.diff import command, compare
from lander_tools.differences import differences, leaves
from lander_tools.recorder import Recorder

FLIGHT_S = 1.0
Change = Callable[[str, bytes], bytes | None]  # topic key and message -> what is recorded in its place


@pytest.fixture(scope="module")
def messages() -> list[tuple[int, str, bytes]]:
    return list(Maker(FLIGHT_S).messages())


def recorded(folder: Path, messages: list[tuple[int, str, bytes]], change: Change = lambda _, data: data) -> Path:
    recorder = Recorder(folder / "bag", DESCRIPTION, pytest.fail)
    for stamp_ns, key, data in messages:
        changed = change(key, data)
        if changed is not None:
            recorder.observe(stamp_ns, key, changed)
    recorder.close()
    return folder


def diff(a: Path, b: Path) -> tuple[int, str]:
    result = CliRunner().invoke(command, [str(a), str(b)])
    return result.exit_code, result.output


def test_a_run_is_equal_to_itself_and_the_count_is_that_of_the_gating_messages(tmp_path, messages):
    a, b = recorded(tmp_path / "a", messages), recorded(tmp_path / "b", messages)
    gating = [key for _, key, _ in messages if architecture().topics[key].role == "gating"]
    status, output = diff(a, b)
    assert status == 0
    assert output.startswith(f"equal: {len(gating)} messages of ")


def test_one_changed_bit_is_found_with_tick_node_field_and_both_values(tmp_path, messages):
    def nudge(key: str, data: bytes) -> bytes:
        message = decode(data, architecture().topics[key].type)
        if key != "navigation_state" or message.tick < 17:
            return data
        message.r_lander_site = message.r_lander_site.copy()
        message.r_lander_site[1] = np.nextafter(message.r_lander_site[1], np.inf)
        return encode(message, architecture().topics[key].type)

    a, b = recorded(tmp_path / "a", messages), recorded(tmp_path / "b", messages, nudge)
    with Bag(a) as bag_a, Bag(b) as bag_b:
        compared = compare(bag_a, bag_b)
    (apart,) = [topic for topic in compared.topics if not topic.same]
    assert (apart.node, apart.topic.key, apart.equal) == ("navigation", "navigation_state", 17)
    assert apart.first is not None
    assert apart.first.place == (17, 0)
    (field,) = apart.first.fields
    assert field.field == "r_lander_site[1]"
    assert field.b == np.nextafter(field.a, np.inf)
    status, output = diff(a, b)
    assert status == 1
    assert f"tick 17 (0.340 s), node navigation, /navigation/state, field {field.field}" in output
    assert f"A {field.a!r}, B {field.b!r}" in output


def test_the_first_difference_is_the_earliest_in_time_and_then_in_the_flow(tmp_path, messages):
    def nudge(key: str, data: bytes) -> bytes | None:
        message = decode(data, architecture().topics[key].type)
        if key in ("throttle_command", "imu_increments") and message.tick >= 30:
            return None
        return None if key == "truth" and message.tick == 40 else data

    with Bag(recorded(tmp_path / "a", messages)) as a, Bag(recorded(tmp_path / "b", messages, nudge)) as b:
        first = compare(a, b).first
    assert first is not None
    assert (first.node, first.first and first.first.place[0], first.only_a) == ("imu", 30, 21)


def test_a_shorter_run_is_said_to_be_shorter(tmp_path, messages):
    def cut(key: str, data: bytes) -> bytes | None:
        tick = int.from_bytes(data[4:12], "little")
        return data if tick <= 20 or not architecture().topics[key].type.startswith("lander_interfaces") else None

    status, output = diff(recorded(tmp_path / "a", messages), recorded(tmp_path / "b", messages, cut))
    assert status == 1
    assert "run B ends at tick 20; up to there the two are equal" in output


def test_padding_that_another_encoder_left_is_no_difference(tmp_path, messages):
    """rclpy leaves padding undefined: in RangeMeasurement there is some between `uint8 beam` and `float64 range_m`."""
    type_name = architecture().topics["range"].type
    at = next(data.index(np.float64(123.4).tobytes()) for data in [encode(_range(123.4), type_name)])

    def litter(key: str, data: bytes) -> bytes:
        return data[: at - 5] + b"\xaa" * 5 + data[at:] if key == "range" else data

    def overwrite(key: str, data: bytes) -> bytes:
        return data[: at - 6] + b"\xaa" * 6 + data[at:] if key == "range" else data

    clean = recorded(tmp_path / "a", messages)
    assert diff(clean, recorded(tmp_path / "b", messages, litter))[0] == 0
    assert diff(clean, recorded(tmp_path / "c", messages, overwrite))[0] == 1, "the sixth byte is `beam`"


def _range(range_m: float) -> Any:
    message = zeros(architecture().topics["range"].type)
    message.header = header_message(0, architecture().topics["range"].frame)
    message.range_m = range_m
    return message


def test_what_cannot_be_compared_is_one_line_and_status_2(tmp_path):
    status, output = diff(tmp_path / "nowhere", tmp_path)
    assert status == 2
    assert len(output.strip().splitlines()) == 1


@given(st.data())
def test_the_field_that_was_changed_is_the_field_that_is_named(data: st.DataObject) -> None:
    message = zeros("lander_interfaces/msg/NavigationState")
    name, _ = data.draw(st.sampled_from([leaf for leaf in leaves(message) if isinstance(leaf[1], float)]))
    value = data.draw(st.floats(allow_nan=True).filter(lambda number: repr(number) != "0.0"))
    changed = copy.deepcopy(message)
    field, _, index = name.partition("[")
    if index:
        getattr(changed, field)[int(index.rstrip("]"))] = value
    else:
        setattr(changed, field, value)
    (difference,) = differences(message, changed)
    assert difference.field == name
    assert repr(difference.b) == repr(value)
    assert list(differences(changed, changed)) == []
