"""The verdict of a run and the folder that it leaves."""

from __future__ import annotations

import json
from datetime import datetime

import pytest
from pydantic import ValidationError
from synthetic_run import record_run

from lander_common.mission import resolve
from lander_runtime.conductor import LostNode, RunRecord
from lander_runtime.messages import plain, zeros
from lander_tools import run_folder, verdict
from lander_tools.bag import Bag
from lander_tools.run_folder import RunFolder, RunFolderError
from lander_tools.verdict import Detection, Found, Verdict, VerdictError

ABOUT = {"scenario": "nominal", "logic": "frigoris", "seed": 3, "transport": "lockstep", "version": "0.1.0"}
# The keys that other programs rely on, in the order of the documentation.
KEYS = [
    *("outcome", "reason", "scenario", "logic", "seed", "transport", "sim_time_s", "wall_time_s", "real_time_factor"),
    *("degraded", "touchdown", "propellant_used_kg", "propellant_left_kg", "digest", "nodes_lost", "deadline_misses"),
    *(
        "detections",
        "redesignations",
        "version",
        "stale_inputs",
        "missed_ticks",
        "misses_in_a_row",
        "misses_at_s",
        "behind_s",
        "behind_at_s",
        "stolen_s",
        "real_time",
        "command_delay_p50_s",
        "command_delay_p99_s",
    ),
]
TOUCHDOWN_KEYS = [
    *("time_s", "vertical_speed_m_s", "horizontal_speed_m_s", "tilt_deg", "rate_deg_s", "miss_m", "altitude_error_m"),
    "slope_deg",
]


def result(**changes):
    message = zeros("lander_interfaces/msg/LandingResult")
    message.outcome, message.reason, message.touched_down = "success", "upright and still", True
    message.vertical_speed_m_s, message.horizontal_speed_m_s, message.miss_m = 1.25, 0.125, 212.0
    message.propellant_left_kg = 41.5
    return {**plain(message), **changes}


def record(**changes):
    lost = [LostNode("payload_manager", 70, 1.4, "killed")]
    counted = RunRecord(ticks=100, sim_time_s=700.0, wall_time_s=35.0, digest="ab", nodes_lost=lost)
    return {**counted.summary(), **changes}


def test_verdict_json_has_exactly_the_documented_keys(tmp_path):
    detections = [Detection(fault="rangefinder", time_s=1.0, latency_s=0.2, response="coast on inertial")]
    verdict.write(
        verdict.compose(result(), record(), 0.4, Found(tuple(detections), 2), **ABOUT), tmp_path / "verdict.json"
    )
    written = json.loads((tmp_path / "verdict.json").read_text())
    assert list(written) == KEYS
    assert list(written["touchdown"]) == TOUCHDOWN_KEYS
    assert list(written["nodes_lost"][0]) == ["node", "tick", "time_s", "cause"]
    assert list(written["detections"][0]) == ["fault", "time_s", "latency_s", "response"]
    assert [file.name for file in tmp_path.iterdir()] == ["verdict.json"]


def test_a_verdict_reads_back_as_it_was_written(tmp_path):
    given = verdict.compose(result(), record(), -0.25, **ABOUT)
    verdict.write(given, tmp_path / "verdict.json")
    assert verdict.read(tmp_path / "verdict.json") == given


@pytest.mark.parametrize(
    ("outcome", "status"),
    [("success", 0), ("survivable", 0), ("aborted_safe", 0), ("lost", 1), ("failed_to_run", 2)],
)
def test_the_exit_status_says_whether_it_landed(outcome, status):
    assert verdict.compose(result(outcome=outcome), record(), **ABOUT).exit_status == status


def test_the_line_for_people_says_what_matters():
    line = str(verdict.compose(result(), record(), **ABOUT))
    assert line == (
        "SUCCESS: upright and still; touchdown at 1.25 m/s down and 0.12 m/s across, tilted 0.0 deg, 212 m from the "
        "target; 41.5 kg of propellant left; 700.0 s flown in 35.0 s (20.0 x real time); "
        "lost payload_manager at 1.40 s (killed)"
    )


def test_a_lander_that_touched_nothing_has_no_touchdown():
    judged = verdict.compose(result(outcome="lost", reason="did not land", touched_down=False), record(), **ABOUT)
    assert judged.touchdown is None
    assert "touchdown at" not in str(judged)


@pytest.mark.parametrize("count", ["deadline_misses", "stale_inputs", "missed_ticks", "misses_in_a_row"])
def test_a_run_that_the_machine_did_not_keep_up_with_is_marked(count):
    many = {"ticks": 1000, count: 11}  # more than one in a hundred; for those in a row, more than a tenth of a second
    judged = verdict.compose(result(), record(rate=1.0, **many), **ABOUT)
    assert judged.degraded
    assert "DEGRADED" in str(judged)
    assert not verdict.compose(result(), record(rate=0.0, **many), **ABOUT).degraded  # lockstep waits
    assert not verdict.compose(result(), record(rate=1.0, **{"ticks": 1000, count: 5}), **ABOUT).degraded
    assert not verdict.compose(result(), record(rate=1.0, behind_s=0.15), **ABOUT).degraded
    lagging = record(rate=1.0, behind_s=0.25)  # a world that lags waits for everybody
    assert verdict.compose(result(), lagging, **ABOUT).degraded
    assert verdict.failed_to_run("broken off", verdict.is_degraded(record(rate=1.0, **many)), **ABOUT).degraded


def test_a_run_that_failed_to_start_has_a_verdict_too(tmp_path):
    judged = verdict.failed_to_run("these nodes did not join the run: imu", **ABOUT)
    assert (judged.exit_status, str(judged)) == (2, "FAILED TO RUN: these nodes did not join the run: imu")
    verdict.write(judged, tmp_path / "verdict.json")
    assert verdict.read(tmp_path / "verdict.json") == judged


def test_an_unknown_outcome_or_a_missing_fact_is_refused():
    with pytest.raises(ValidationError, match="outcome"):
        verdict.compose(result(outcome="fine"), record(), **ABOUT)
    with pytest.raises(ValidationError, match="version"):
        verdict.compose(result(), record(), **{key: value for key, value in ABOUT.items() if key != "version"})


@pytest.mark.parametrize(
    ("content", "says"),
    [("", "Invalid JSON"), ('{"outcome": "success"}', "reason: Field required"), ("[1]", "document")],
)
def test_what_is_no_verdict_is_refused_with_its_file_and_key(tmp_path, content, says):
    (tmp_path / "verdict.json").write_text(content)
    with pytest.raises(VerdictError, match=rf"verdict\.json is not a verdict.*{says}"):
        verdict.read(tmp_path / "verdict.json")
    with pytest.raises(VerdictError, match="cannot be read"):
        verdict.read(tmp_path / "none.json")
    with pytest.raises(VerdictError, match="cannot be written"):
        verdict.write(verdict.failed_to_run("", **ABOUT), tmp_path / "no" / "verdict.json")


def test_the_altitude_error_is_that_at_first_contact(tmp_path):
    record_run(tmp_path / "bag", 2.0)
    with Bag(tmp_path) as bag:
        error = verdict.altitude_error_m(bag)
        touching = next(truth for _, truth in bag.messages("/sim/truth") if truth.contact)
        state = next(state for _, state in bag.messages("/navigation/state") if state.tick == touching.tick)
        assert error == state.altitude_m - touching.altitude_m
    record_run(tmp_path / "cut" / "bag", 2.0, skip=("truth",))
    with Bag(tmp_path / "cut") as bag:
        assert verdict.altitude_error_m(bag) is None


def test_every_key_of_the_model_is_documented():
    assert list(Verdict.model_fields) == KEYS


def test_a_run_folder_is_named_after_its_time_scenario_and_seed(tmp_path):
    now = datetime(2025, 6, 5, 19, 17, 3)
    folder = run_folder.create(None, "my own/scenario", 7, now, tmp_path / "runs")
    assert folder.path == tmp_path / "runs" / "2025-06-05T19-17-03-my_own_scenario-7"
    again = run_folder.create(None, "my own/scenario", 7, now, tmp_path / "runs")
    assert again.path.name.endswith("-7-2")
    assert folder.plots.is_dir()
    assert folder.logs.is_dir()


def test_a_folder_that_the_user_names_is_taken_if_it_is_empty(tmp_path):
    folder = run_folder.create(tmp_path / "mine", "nominal", 1, datetime(2025, 1, 1))
    assert folder.path == tmp_path / "mine"
    with pytest.raises(RunFolderError, match="not empty"):
        run_folder.create(tmp_path / "mine", "nominal", 1, datetime(2025, 1, 1))
    (tmp_path / "file").touch()
    with pytest.raises(RunFolderError, match="cannot make the run folder"):
        run_folder.create(tmp_path / "file" / "run", "nominal", 1, datetime(2025, 1, 1))


def test_the_configuration_is_kept_whole_with_its_comments(tmp_path):
    folder = RunFolder(tmp_path)
    assert folder.read_config() == {}
    folder.write_config(resolve("nominal", 5).resolved())
    read = folder.read_config()
    assert read["seed"] == 5
    assert read["vehicle"]["main_engine"]["thrust_n"] == 420.0
    assert "# one fixed-thrust apogee engine" in folder.config.read_text()


def test_a_folder_that_is_no_run_is_refused(tmp_path):
    with pytest.raises(RunFolderError, match="not a run folder"):
        run_folder.open_run(tmp_path)
    with pytest.raises(RunFolderError, match="no such folder"):
        run_folder.open_run(tmp_path / "none")
    (tmp_path / "bag").mkdir()
    assert run_folder.open_run(tmp_path).bag == tmp_path / "bag"


def test_a_run_by_the_wall_clock_says_what_the_host_took():
    kept_up = record(rate=1.0, command_delay_p50_s=0.003, command_delay_p99_s=0.01)
    assert "host" not in verdict.pace(kept_up)
    assert "the host of this machine gave 2.2 s of its processors to others" in verdict.pace(
        {**kept_up, "stolen_s": 2.17}
    )
