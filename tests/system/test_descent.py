"""The whole system over real DDS, as a user sees it."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
from click.testing import CliRunner
from tests.system import runs

from lander_common.mission import resolve
from lander_runtime.architecture import architecture
from lander_tools import equality
from lander_tools.bag import Bag
from lander_tools.columns import gather
from lander_tools.diff import compare
from lander_tools.fly import fly
from lander_tools.replay import command as replay
from lander_tools.sequence import check_sequence

pytestmark = [pytest.mark.system, pytest.mark.timeout(900)]  # a whole landing, also on a busy machine

SHORT_S = "20"  # simulated seconds: enough to see data flow


@pytest.fixture(scope="module")
def landing(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, int, str]:
    """One whole landing in lockstep, recorded."""
    out = tmp_path_factory.mktemp("with space") / "landing"
    status, output = runs.run(out, "--seed", "1")
    return out, status, output


def test_resilience_lands_and_says_so_on_the_last_line(landing: tuple[Path, int, str]) -> None:
    out, status, output = landing
    verdict = runs.verdict(out)
    assert verdict["outcome"] in ("success", "survivable"), verdict["reason"]
    assert status == 0
    assert verdict["outcome"] in output.strip().splitlines()[-1].lower()
    assert verdict["nodes_lost"] == []
    assert verdict["transport"] == "lockstep"


def test_the_digest_over_dds_is_that_of_the_same_flight_in_one_process(landing: tuple[Path, int, str]) -> None:
    out, _, _ = landing
    assert runs.verdict(out)["digest"] == fly("nominal", seed=1).digest


def test_the_bag_has_every_declared_message_and_no_gap(landing: tuple[Path, int, str]) -> None:
    out, _, _ = landing
    with Bag(out / "bag") as bag:
        report, recorded = check_sequence(bag, roles=("gating", "run")), set(bag.topics)
    assert report.ok, report.faults
    for topic in architecture().topics.values():
        if topic.role == "gating":
            assert topic.name in recorded


def test_nothing_is_left_running(landing: tuple[Path, int, str]) -> None:
    out, _, _ = landing
    assert runs.leftovers(out) == []


def test_the_run_folder_has_what_it_promises(landing: tuple[Path, int, str]) -> None:
    out, _, _ = landing
    for name in ("bag/metadata.yaml", "verdict.json", "resolved.yaml", "report.html"):
        assert (out / name).exists(), name


def test_a_lost_payload_manager_does_not_stop_the_descent(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = runs.start(out, "--stop-after", "60", "--no-report")
    victim = runs.node_process(process, "payload_manager")
    runs.wait_for_file(out / "bag" / "bag.mcap", 200_000)
    victim.kill()
    _, output = runs.finish(process)
    record = runs.record(out)
    assert record["sim_time_s"] >= 60.0, output
    (lost,) = record["nodes_lost"]
    assert lost["node"] == "payload_manager"
    assert 0 < lost["tick"] <= record["ticks"]


def test_a_killed_recorder_costs_the_end_of_the_bag_and_not_the_flight(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = runs.start(out, "--stop-after", "40")
    victim = runs.node_process(process, "recorder")
    runs.wait_for_file(out / "bag" / "bag.mcap", 500_000)
    victim.kill()
    _, output = runs.finish(process)
    record = runs.record(out)
    assert record["sim_time_s"] >= 40.0, output
    assert [lost["node"] for lost in record["nodes_lost"]] == ["recorder"]
    assert "lander recover" in output
    replayed = CliRunner().invoke(replay, [str(out), "--no-record"])
    assert replayed.exit_code == 0, replayed.output
    assert "lost: " in replayed.output


def test_a_navigation_that_is_killed_from_outside_is_replaced_and_the_rest_flies_on(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = runs.start(out, "--stop-after", "30", "--no-record")
    victim = runs.node_process(process, "navigation")
    runs.wait_for_file(out / "checkpoints" / "navigation", 1)
    victim.kill()
    _, output = runs.finish(process)
    record = runs.record(out)
    assert record["sim_time_s"] >= 30.0, output
    (lost,) = record["nodes_lost"]
    assert (lost["node"], lost["cause"]) == ("navigation", "its process has died")
    assert lost["back_s"] - lost["time_s"] <= 2.0
    assert runs.leftovers(out) == []


def test_a_killed_and_restarted_navigation_flies_the_same_on_every_transport() -> None:
    found = equality.compare("navigation_restart", seed=1, stop_after_s=12.0, busy=(0, 1))
    assert found.is_equal, found.digests


def test_ctrl_c_ends_everything(tmp_path: Path) -> None:
    out = tmp_path / "run"
    process = runs.start(out)
    runs.node_process(process, "physics")
    runs.wait_for_file(out / "bag" / "bag.mcap", 100_000)
    runs.interrupt(process)
    status, _ = runs.finish(process)
    assert status != 0
    assert runs.leftovers(out) == []


def test_another_seed_is_another_run_and_the_same_seed_the_same(tmp_path: Path) -> None:
    digests = []
    for name, seed in (("a", "5"), ("b", "5"), ("c", "6")):
        runs.run(tmp_path / name, "--seed", seed, "--stop-after", SHORT_S, "--no-record")
        digests.append(runs.record(tmp_path / name)["digest"])
    assert digests[0] == digests[1] != digests[2]


def standard_messages(bag: Bag) -> dict[str, list[bytes]]:
    names = [topic.name for topic in architecture().topics.values() if topic.role == "view"]
    messages = gather(bag, names)  # over DDS they are filled up to a multiple of four bytes
    return {name: [bag.canonical(name, data) for data in messages[name]] for name in names}


def test_the_bag_of_a_flight_in_one_process_holds_the_same_messages(tmp_path: Path) -> None:
    for name, transport in (("dds", "lockstep"), ("alone", "in-process")):
        runs.run(tmp_path / name, "--stop-after", SHORT_S, "--no-report", "--transport", transport)
    with Bag(tmp_path / "dds") as dds, Bag(tmp_path / "alone") as alone:
        assert compare(dds, alone).same
        views, as_over_dds = standard_messages(alone), standard_messages(dds)
    clock = architecture().topics["clock"].name  # best effort: may lose some
    assert set(as_over_dds.pop(clock)) <= set(views.pop(clock))
    assert views == as_over_dds
    assert runs.record(tmp_path / "dds")["digest"] == runs.record(tmp_path / "alone")["digest"]


def test_a_wrong_configuration_is_one_clear_message_and_status_2(tmp_path: Path) -> None:
    status, output = runs.run(tmp_path / "run", "--set", "navigation.gate_sigmas=3")
    assert status == 2
    assert "navigation" in output
    assert "Traceback" not in output


def test_physics_refuses_a_folder_with_an_earlier_run(tmp_path: Path) -> None:
    """As under `ros2 launch`, where nobody else looks: members would take the old checkpoints for those of this run."""
    (tmp_path / "checkpoints").mkdir()
    command = [sys.executable, "-c", "from lander_world.physics_node import main; main()"]
    refused = subprocess.run(
        [*command, "--ros-args", "-p", f"out:={tmp_path}"], capture_output=True, text=True, timeout=runs.TIMEOUT_S
    )
    assert refused.returncode == 2
    assert f"out: {tmp_path} holds an earlier run" in refused.stdout + refused.stderr


def test_wall_clock_paces_the_run(tmp_path: Path) -> None:
    out = tmp_path / "run"
    runs.run(out, "--rate", "2", "--stop-after", "10", "--no-record")
    record = runs.record(out)
    assert record["real_time_factor"] < 2.2  # lockstep is far faster; a busy machine may be slower, which is counted
    assert 0.0 < record["command_delay_p50_s"] <= record["command_delay_p99_s"]


def test_members_of_the_nominal_scenario_are_the_nodes_of_the_table_without_those_of_the_camera() -> None:
    assert {*resolve("nominal", 1).scenario.members, "recorder", "camera", "trn", "hazards"} == set(
        architecture().nodes
    )
