"""What the host of a node does besides its loop, without a network."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any, cast

import pytest

from lander_runtime import ros_host
from lander_runtime.architecture import architecture
from lander_runtime.history import History
from lander_runtime.messages import encode, zeros
from lander_runtime.ros_host import ASK_AGAIN_S, Host


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
