"""How a node says how far the run is."""

from __future__ import annotations

import json

import pytest

from lander_runtime.progress import DISPLAYED, PREFIX, Reporter


class Clock:
    """Seconds, as the test says."""

    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def reports(clock: Clock, seconds: int) -> list[str]:
    """What a log gets when there is something to report ten times a second."""
    lines: list[str] = []
    reporter = Reporter(lines.append, clock)
    for step in range(10 * seconds + 1):
        clock.now_s = 100.0 + 0.1 * step
        reporter.report(lambda step=step: {"phase": "braking", "altitude_m": 1234.56, "step": step})
    return lines


def test_a_log_gets_a_readable_line_every_ten_seconds(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv(DISPLAYED, raising=False)
    lines = reports(Clock(), 25)
    assert lines[0] == "phase braking, altitude_m 1234.6, step 100"
    assert len(lines) == 2


def test_a_display_gets_data_twice_a_second_and_the_log_nothing(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setenv(DISPLAYED, "1")
    assert reports(Clock(), 3) == []
    lines = capsys.readouterr().out.splitlines()
    assert len(lines) in (5, 6)  # sums of tenths may fall short of the last half second
    assert json.loads(lines[0].removeprefix(PREFIX)) == {"phase": "braking", "altitude_m": 1234.56, "step": 5}
