"""Campaigns: which flights are flown, and what is said of them."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import click
import flight_samples
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st

from lander_common.faults.catalogue import catalogue
from lander_common.mission import resolve
from lander_common.scenario import Scenario
from lander_flight.health_parameters import Check, HealthParameters
from lander_tools.campaign import fly_tasks
from lander_tools.campaign.command import command, parse_seeds, summary
from lander_tools.campaign.flights import Flight, FlightsError, Task, append_flights, forget, read_flights
from lander_tools.campaign.score import Score, score, wilson
from lander_tools.campaign.tables import markdown, seeds_text
from lander_tools.detections import Onset
from lander_tools.verdict import Detection

LEAK, OUTAGE = "peregrine_leak", "rangefinder_outage"


def flight(seed: int = 1, outcome: str = "success", **changes: Any) -> Flight:
    return flight_samples.flight(**{"scenario": LEAK, "seed": seed, "outcome": outcome} | changes)


def found(row: str, time_s: float, response: str = "report") -> Detection:
    return Detection(fault=row, time_s=time_s, latency_s=None, response=response)


def leaking(seed: int, *detections: Detection) -> Flight:
    return flight(seed, faults=(Onset(number=0, subject="tank", time_s=600.0),), detections=detections)


@pytest.fixture(scope="module")
def leak() -> Scenario:
    return resolve(LEAK, 1).scenario


@pytest.fixture(scope="module")
def checks() -> tuple[Check, ...]:
    return resolve(LEAK, 1).part("health", HealthParameters).checks


def test_seeds_are_numbers_and_ranges() -> None:
    assert parse_seeds("1-3,7,9-9") == [1, 2, 3, 7, 9]
    assert seeds_text([1, 2, 3, 7, 9, 10]) == "1-3, 7, 9-10"


@pytest.mark.parametrize("wrong", ["", "a", "1-", "-3", "1..4"])
def test_other_seeds_are_refused(wrong: str) -> None:
    with pytest.raises(click.UsageError, match="expected numbers and ranges"):
        parse_seeds(wrong)


def test_the_summary_takes_medians_of_those_that_touched_down() -> None:
    flights = [
        flight(1, miss_m=3.0, propellant_used_kg=380.0),
        flight(2, miss_m=4.0, propellant_used_kg=370.0),
        flight(3, "lost", miss_m=5.0, propellant_used_kg=390.0),
        flight(4, "lost", touched_down=False),
    ]
    lines = summary(flights, bound_kg=200.0)
    assert "median 380.0 kg, 1.900" in lines[0]
    assert "median 4 m, rms 4 m, worst 5 m" in lines[1]
    assert summary(flights[3:], bound_kg=200.0) == []


@pytest.mark.parametrize(
    ("count", "of", "low", "high"),
    [(0, 10, 0.0, 0.2775), (10, 10, 0.7225, 1.0), (81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605)],
)
def test_the_interval_of_a_share_is_that_of_the_textbook(count: int, of: int, low: float, high: float) -> None:
    """The last two: Newcombe 1998, Stat. Med. 17, 857, table I, method 3; the first two by hand: z2 / (n + z2)."""
    share = wilson(count, of)
    assert (share.low, share.high) == pytest.approx((low, high), abs=1e-4)


@given(of=st.integers(1, 200), data=st.data())
def test_the_interval_of_a_share_holds_the_share(of: int, data: st.DataObject) -> None:
    count = data.draw(st.integers(0, of))
    share = wilson(count, of)
    assert 0.0 <= share.low <= count / of + 1e-12
    assert count / of - 1e-12 <= share.high <= 1.0


def test_outcomes_count_as_the_scenario_expects(leak: Scenario, checks: tuple[Check, ...]) -> None:
    scored = score(leak, [flight(1, "aborted_safe"), flight(2, "lost"), flight(3), flight(4, "survivable")], checks)
    assert (scored.success.count, scored.landed.count, scored.declared.count) == (1, 2, 1)
    assert scored.outcomes == {"aborted_safe": 1, "lost": 1, "success": 1, "survivable": 1}


def test_a_fault_is_found_by_the_first_row_that_points_to_it(leak: Scenario, checks: tuple[Check, ...]) -> None:
    flights = [
        leaking(1, found("tilt", 610.0), found("leak_rate", 640.0), found("propellant_agreement", 700.0)),
        leaking(2, found("leak_rate", 650.0)),
        leaking(3),
    ]
    (fault,) = score(leak, flights, checks).faults
    assert (fault.fault, fault.began, fault.found, fault.first_row) == ("tank leak", 3, 2, "leak_rate")
    assert (fault.latency_median_s, fault.latency_worst_s) == (45.0, 50.0)
    assert fault.before_end_median_s == 355.0


def test_what_points_elsewhere_is_wrong_and_what_comes_before_is_a_false_alarm(
    leak: Scenario, checks: tuple[Check, ...]
) -> None:
    flights = [
        leaking(1, found("range_lock", 610.0, "inertial_altitude"), found("leak_rate", 640.0)),
        leaking(2, found("main_engine", 500.0, "reallocate"), found("leak_rate", 640.0)),
        leaking(3, found("altitude_doubt", 610.0, "slow_descent")),
    ]
    scored = score(leak, flights, checks)
    assert (scored.wrong, scored.alarms, scored.disturbed) == ({"range_lock": 1}, {"main_engine": 1}, 1)


def test_a_row_may_point_to_one_kind_of_fault_of_its_subject(checks: tuple[Check, ...]) -> None:
    """Disagreement of thrust and acceleration may be a mass that is not as believed, but no limit of the rate."""
    turning = resolve("chandrayaan2_high_thrust", 1).scenario
    onsets = tuple(Onset(number=n, subject=fault.subject, time_s=0.0) for n, fault in enumerate(turning.faults))
    flown = flight(scenario=turning.name, faults=onsets, detections=(found("thrust_agreement", 20.0),))
    assert [fault.found for fault in score(turning, [flown], checks).faults] == [1, 1, 0]


def test_every_row_points_to_what_can_have_a_fault(checks: tuple[Check, ...]) -> None:
    known = {*catalogue(), *(f"{subject}/{kind}" for subject, kinds in catalogue().items() for kind in kinds)}
    for check in checks:
        assert set(check.blames) <= known, check.name


def test_every_sort_of_device_is_pointed_to_by_some_row(checks: tuple[Check, ...]) -> None:
    blamed = {name.partition("/")[0] for check in checks for name in check.blames}
    assert {"rangefinder", "imu", "engine", "tank", "vehicle", "map", "navigation", "guidance", "throttle"} <= blamed


def test_flights_that_are_flown_anew_replace_those_that_were_kept(tmp_path: Path) -> None:
    append_flights(tmp_path, [flight(1), flight(2)])
    forget(tmp_path, [flight(2).task])
    assert [kept.seed for kept in read_flights(tmp_path)] == [1]


def test_flights_of_another_version_are_refused_with_what_to_do(tmp_path: Path) -> None:
    (tmp_path / "flights.jsonl").write_text('{"scenario": "nominal"}\n')
    with pytest.raises(FlightsError, match=r"flights\.jsonl: logic: Field required: .*--anew"):
        read_flights(tmp_path)


def fake(task: Task) -> Flight:
    return flight(task.seed, scenario=task.scenario, logic=task.logic, changes=task.changes)


def test_a_campaign_goes_on_where_it_was_stopped_and_tells_all(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flown: list[Task] = []

    def fly(tasks: list[Task], _jobs: int) -> list[Flight]:
        flown.extend(tasks)
        return [fake(task) for task in tasks]

    monkeypatch.setattr(fly_tasks, "fly_tasks", fly)
    arguments = [LEAK, OUTAGE, "--out", str(tmp_path), "--seeds"]
    assert CliRunner().invoke(command, [*arguments, "1"]).exit_code == 0
    result = CliRunner().invoke(command, [*arguments, "1-2", "--keep"])
    assert result.exit_code == 0, result.output
    assert [(task.scenario, task.seed) for task in flown] == [(LEAK, 1), (OUTAGE, 1), (LEAK, 2), (OUTAGE, 2)]
    told = (tmp_path / "campaign.md").read_text()
    assert f"| {LEAK} | frigoris | 1-2 | 2 of 2 (34-100 %)" in told
    assert (tmp_path / "campaign.json").is_file()


def test_a_wrong_scenario_is_an_error_of_the_configuration(tmp_path: Path) -> None:
    result = CliRunner().invoke(command, ["nomnal", "--out", str(tmp_path)])
    assert result.exit_code == 1
    assert "nominal" in result.output
    assert CliRunner().invoke(command, ["nominal", "--all"]).exit_code == 2


def test_the_document_tells_outcomes_findings_and_false_alarms(leak: Scenario, checks: tuple[Check, ...]) -> None:
    scored: Score = score(leak, [leaking(1, found("leak_rate", 640.0))], checks)
    told = markdown([scored])
    assert "| peregrine_leak | tank leak | 1 of 1 | leak_rate | 40.0 | 40.0 | 360.0 | report |" in told
    assert "| peregrine_leak | none | none | 0 of 1 |" in told
