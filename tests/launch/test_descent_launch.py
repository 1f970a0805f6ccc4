"""The descent under the real `ros2 launch`: run where launch_pytest is installed (PyPI has none), skipped elsewhere."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.system import runs

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
    return launch.actions.ExecuteProcess(cmd=["ros2", "launch", str(file), *arguments], output="screen")


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
    assert (out / "bag" / "metadata.yaml").exists()
    assert runs.leftovers(out) == []
