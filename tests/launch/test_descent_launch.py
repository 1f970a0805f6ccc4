"""The descent under the real `ros2 launch`: run where launch_pytest is installed (PyPI has none), skipped elsewhere.

launch_pytest, up to that of Rolling of 2025, cannot make fixtures with pytest 8.4 and newer; to run this file beside the locked pytest:
`pip install --no-deps --target DIR "pytest<8.4"`, then `PYTHONPATH=DIR:$PYTHONPATH python -W ignore -m pytest -W ignore tests/launch`.
"""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.system import runs

from lander_common.mission import resolve
from lander_tools.bag import Bag
from lander_tools.sequence import check_sequence

if pytest.version_tuple >= (8, 4):
    pytest.skip("launch_pytest needs pytest < 8.4", allow_module_level=True)
launch_pytest = pytest.importorskip("launch_pytest", reason="needs a full ROS 2")
launch = pytest.importorskip("launch")

SHORT_S = 20.0


@pytest.fixture
def out(tmp_path: Path) -> Path:
    """Run folder."""
    return tmp_path / "run"


@pytest.fixture
def ros2_launch(out: Path) -> Any:
    """`ros2 launch` of the descent, broken off after a few seconds of flight."""
    file = runs.REPOSITORY / "launch" / "descent.launch.yaml"
    arguments = [f"out:={out}", f"stop_after:={SHORT_S}", "seed:=3"]
    return launch.actions.ExecuteProcess(cmd=["ros2", "launch", str(file), *arguments], cached_output=True)


def _all_finished_cleanly(output: str) -> None:
    nodes = [*resolve("nominal", 3).scenario.members, "recorder"]
    assert output.count("process has finished cleanly") == len(nodes)


@launch_pytest.fixture
def descent(ros2_launch: Any) -> Any:
    """What launch_pytest launches."""
    return launch.LaunchDescription([ros2_launch, launch_pytest.actions.ReadyToTest()])


@pytest.mark.launch(fixture=descent)
async def test_it_comes_up_flies_and_ends_by_itself(out: Path, ros2_launch: Any, launch_context: Any) -> None:
    await launch_pytest.tools.process.wait_for_exit(launch_context, ros2_launch, timeout=runs.TIMEOUT_S)
    record = runs.record(out)
    assert record["sim_time_s"] >= SHORT_S
    assert record["nodes_lost"] == []
    assert runs.leftovers(out) == []


@pytest.mark.launch(fixture=descent)
async def test_no_node_is_cut_short_when_physics_has_ended(out: Path, ros2_launch: Any, launch_context: Any) -> None:
    """Launch interrupts every node then; the recorder in particular has a bag to close."""
    await launch_pytest.tools.process.wait_for_exit(launch_context, ros2_launch, timeout=runs.TIMEOUT_S)
    await launch_pytest.tools.process.assert_output(launch_context, ros2_launch, _all_finished_cleanly)
    assert (out / "bag" / "metadata.yaml").exists()
    with Bag(out / "bag") as bag:
        report = check_sequence(bag, roles=("gating", "run"))
    assert report.ok, report.faults
