"""The table of what lands when a node dies: its rows, the faults that they fly with, and its place in a page."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from click.testing import CliRunner

from lander_common.fault_plan import fault_plan
from lander_common.mission import resolve
from lander_runtime.conductor import RUN_RECORD_FILE, LostNode, RunRecord
from lander_tools.fault_table import Case, Request, by_the_clock, cases, command, put_into

RESTART = Case("navigation", "restart", ", down_s: 1.0")
KILL = Case("rangefinder", "kill", "")


def test_every_flight_node_of_the_nominal_landing_has_a_row_and_physics_has_none() -> None:
    members = resolve("nominal", 1).scenario.members
    rows = cases(members)
    assert {case.node for case in rows} == set(members) - {"physics"}
    assert {case.node for case in rows if case.kind == "hang"} == set(members) - {"physics"}


def test_every_row_is_a_fault_that_a_flight_accepts() -> None:
    rows = cases([*resolve("nominal_trn", 1).scenario.members, "recorder"])
    faults = ", ".join(case.setting([100.0])[1].strip("[]") for case in rows)
    changes = fault_plan(resolve("nominal_trn", 1, settings={"scenario.faults": f"[{faults}]"})).changes()
    assert {change.node for change in changes if change.leaves} == {case.node for case in rows}


def test_what_comes_back_is_struck_at_every_moment_and_what_is_gone_only_once() -> None:
    assert RESTART.setting([1.0, 2.0, 3.0])[1].count("at_s") == 3
    assert KILL.setting([1.0, 2.0, 3.0])[1].count("at_s") == 1


def test_rows_are_chosen_by_node_and_kind() -> None:
    request = Request("nominal", 1, "lockstep", 1.0, nodes=["recorder", "imu"], kinds=["kill"])
    assert [(case.node, case.kind) for case in request.rows()] == [("recorder", "kill")]
    assert Request("nominal", 1, "in-process", 1.0, nodes=["recorder"]).rows() == []


def test_a_table_takes_the_place_of_the_one_before(tmp_path: Path) -> None:
    page = tmp_path / "page.md"
    page.write_text("Head\n<!-- table a -->\nold\n<!-- end of table -->\nTail\n")
    put_into(page, "a", ["new", "lines"])
    assert page.read_text() == "Head\n<!-- table a -->\nnew\nlines\n<!-- end of table -->\nTail\n"
    with pytest.raises(ValueError, match="<!-- table b -->"):
        put_into(page, "b", ["new"])


def test_by_the_wall_clock_a_row_says_how_long_a_node_was_away_and_how_the_machine_kept_up(tmp_path: Path) -> None:
    lost = [LostNode("imu", 10, 353.0, "restart", 354.0), LostNode("imu", 20, 699.0, "restart", 700.25)]
    record = RunRecord(nodes_lost=[*lost, LostNode("health", 30, 735.0, "kill")], deadline_misses=8, misses_in_a_row=2)
    (tmp_path / RUN_RECORD_FILE).write_text(json.dumps(record.summary()), encoding="utf-8")
    assert by_the_clock(tmp_path) == "; away 1.00, 1.25 s; 8 deadlines missed, 2 in a row"


def test_moments_together_in_one_process_are_refused() -> None:
    refused = CliRunner().invoke(command, ["--together"])
    assert refused.exit_code == 2
    assert "over DDS" in refused.output


def test_a_table_without_rows_is_refused() -> None:
    refused = CliRunner().invoke(command, ["--nodes", "imu", "--kinds", "kil"])
    assert refused.exit_code == 2
    assert "no row has these --nodes and --kinds" in refused.output
