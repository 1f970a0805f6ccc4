"""What a flight found wrong, as the verdict tells it."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from lander_runtime.messages import header_message, zeros
from lander_tools.detections import DetectionLog
from lander_tools.verdict import Found


def health(time_s: float, names: Sequence[str]) -> Any:
    message = zeros("lander_interfaces/msg/HealthStatus")
    message.header = header_message(round(time_s * 1e9), "")
    message.detections, message.responses = list(names), [f"response to {name}" for name in names]
    return message


def onset(time_s: float, kind: str = "fault_on") -> Any:
    message = zeros("lander_interfaces/msg/SimEvent")
    message.header, message.kind = header_message(round(time_s * 1e9), ""), kind
    return message


def log(*messages: tuple[str, Any]) -> DetectionLog:
    made = DetectionLog()
    for key, message in messages:
        made.observe(None, key, message)
    return made


def test_latency_counts_from_the_latest_fault_that_had_begun() -> None:
    found = log(
        ("events", onset(10.0)),
        ("events", onset(11.0, "fault_off")),
        ("health_status", health(12.5, ["range_lock"])),
        ("events", onset(20.0)),
        ("events", onset(30.0)),
        ("health_status", health(21.0, ["imu_replaced", "imu_silence"])),
    ).detections()
    assert [(each.fault, each.time_s, each.latency_s) for each in found] == [
        ("range_lock", 12.5, 2.5),
        ("imu_replaced", 21.0, 1.0),
        ("imu_silence", 21.0, 1.0),
    ]
    assert found[0].response == "response to range_lock"


def test_a_finding_without_a_fault_has_no_latency() -> None:
    (found,) = log(("health_status", health(5.0, ["tilt"])), ("events", onset(9.0))).detections()
    assert found.latency_s is None


def test_only_the_first_finding_of_a_row_is_told() -> None:
    twice = log(("health_status", health(5.0, ["tilt"])), ("health_status", health(9.0, ["tilt"])))
    assert [each.time_s for each in twice.detections()] == [5.0]


def test_changes_of_the_target_are_counted_as_guidance_counts_them() -> None:
    command = zeros("lander_interfaces/msg/GuidanceCommand")
    command.redesignations = 2
    assert log(("guidance_command", command)).found() == Found((), 2)


def test_other_topics_say_nothing() -> None:
    assert log(("truth", zeros("lander_interfaces/msg/Truth"))).detections() == ()
