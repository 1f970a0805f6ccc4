"""The architecture table, and the rules of who may know whom."""

from __future__ import annotations

import ast
import subprocess
import sys
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_runtime.architecture import EVENT, EVERY_TICK, architecture, build, parse_period
from lander_runtime.conductor import CREDIT_TICKS
from lander_runtime.messages import typestore

SOURCE = Path(__file__).resolve().parents[2] / "ros2_ws" / "src"

MAY_KNOW = {
    "lander_runtime": set(),
    "lander_common": {"lander_runtime"},
    "lander_terrain": {"lander_runtime", "lander_common"},
    "lander_world": {"lander_runtime", "lander_common", "lander_terrain"},
    "lander_sensors": {"lander_runtime", "lander_common", "lander_terrain"},
    "lander_flight": {"lander_runtime", "lander_common"},
    "lander_tools": {
        "lander_runtime",
        "lander_common",
        "lander_terrain",
        "lander_world",
        "lander_sensors",
        "lander_flight",
    },
}
ROS_FILES = {"dds.py", "ros_host.py", "ros_member.py", "ros_conductor.py"}  # of the runtime; elsewhere only nodes


def imports_of(file: Path) -> set[str]:
    """Top-level packages that a file imports, wherever in it."""
    names: set[str] = set()
    for node in ast.walk(ast.parse(file.read_text())):
        if isinstance(node, ast.Import):
            names |= {alias.name.split(".")[0] for alias in node.names}
        elif isinstance(node, ast.ImportFrom) and node.module and node.level == 0:
            names.add(node.module.split(".")[0])
    return names


@pytest.mark.parametrize("package", MAY_KNOW)
def test_packages_know_only_whom_they_may(package: str) -> None:
    for file in (SOURCE / package / package).rglob("*.py"):
        strangers = (imports_of(file) & set(MAY_KNOW)) - MAY_KNOW[package] - {package}
        assert not strangers, f"{file.relative_to(SOURCE)} imports {sorted(strangers)}"


@pytest.mark.parametrize("package", MAY_KNOW)
def test_only_nodes_and_the_ros_host_import_rclpy(package: str) -> None:
    for file in (SOURCE / package / package).rglob("*.py"):
        if file.name not in ROS_FILES and not file.stem.endswith("_node"):
            assert "rclpy" not in imports_of(file), f"{file.relative_to(SOURCE)} imports rclpy"


def test_every_subsystem_imports_where_no_ros_is_installed() -> None:
    modules = [f"{node.package}.{name}" for name, node in architecture().nodes.items() if not node.is_sink]
    script = (
        "import importlib, sys\n"
        "class NoRos:\n"
        "    def find_spec(self, name, path=None, target=None):\n"
        "        if name.split('.')[0] in {'rclpy', 'std_msgs', 'sensor_msgs', 'ament_index_python'}:\n"
        "            raise ImportError(f'{name}: no ROS here')\n"
        "sys.meta_path.insert(0, NoRos())\n"
        f"for module in {modules!r}: importlib.import_module(module)\n"
    )
    done = subprocess.run([sys.executable, "-c", script], capture_output=True, text=True, timeout=120, check=False)
    assert done.returncode == 0, done.stderr


def test_who_lags_as_far_as_may_be_loses_no_message() -> None:
    """After the landing a tick is a second long, so that what comes once a second comes with every tick."""
    for topic in architecture().topics.values():
        if topic.role == "gating" and topic.period_ns != EVENT:
            assert topic.qos.depth > CREDIT_TICKS, topic.name


def test_only_world_and_sensors_hear_the_truth() -> None:
    for name, node in architecture().nodes.items():
        if node.package not in ("lander_world", "lander_sensors") and not node.is_sink:
            secret = [port.topic.name for port in node.inputs if port.topic.name.startswith("/sim/")]
            assert not secret, f"{name} reads {secret}"


def test_no_file_but_the_table_names_a_topic() -> None:
    names = {topic.name for topic in architecture().topics.values()}
    for package in MAY_KNOW:
        for file in (SOURCE / package / package).rglob("*.py"):
            written = {node.value for node in ast.walk(ast.parse(file.read_text())) if isinstance(node, ast.Constant)}
            assert not names & {value for value in written if isinstance(value, str)}, file


def test_every_topic_has_a_known_type_a_unique_name_and_one_publisher() -> None:
    catalogue = architecture()
    topics = list(catalogue.topics.values())
    assert len({topic.name for topic in topics}) == len(topics)
    for topic in topics:
        assert topic.type in typestore().types
        publishers = [name for name, node in catalogue.nodes.items() if topic in node.outputs]
        assert len(publishers) == (1 if topic.role == "gating" else 0), topic.name


def test_messages_of_ours_begin_with_tick_and_header() -> None:
    for name in (name for name in typestore().types if name.startswith("lander_interfaces/")):
        fields = [field for field, _ in typestore().fielddefs[name][1]]
        assert fields[:2] == ["tick", "header"], name


def test_the_control_chain_is_ordered_and_open_only_at_the_actuator() -> None:
    order = architecture().order(architecture().nodes)
    chain = ["physics", "imu", "navigation", "guidance", "throttle"]
    assert [name for name in order if name in chain] == chain
    delayed = [
        (name, port.topic.key) for name, node in architecture().nodes.items() for port in node.inputs if port.delayed
    ]
    assert ("physics", "throttle_command") in delayed


def test_a_loop_without_a_delay_is_refused() -> None:
    topic = {"type": "lander_interfaces/msg/Tick", "rate": "tick", "qos": "q", "role": "gating", "about": ""}
    port = {"max_age": "any"}
    document = {
        "qos": {"q": {"reliability": "reliable", "durability": "volatile", "depth": 1}},
        "topics": {"x": {**topic, "topic": "/x"}, "y": {**topic, "topic": "/y"}},
        "nodes": {
            "a": {"package": "p", "inputs": {"y": port}, "outputs": ["x"]},
            "b": {"package": "p", "inputs": {"x": port}, "outputs": ["y"]},
        },
    }
    with pytest.raises(ValueError, match="cycle"):
        build(document).order(["a", "b"])


def test_periods_are_read_with_their_unit() -> None:
    assert (parse_period("tick"), parse_period("event"), parse_period("100 ms")) == (EVERY_TICK, EVENT, 100_000_000)
    for wrong in ("100", "0 ms", "1 s", ""):
        with pytest.raises(ValueError, match="expected"):
            parse_period(wrong)


@given(st.lists(st.sampled_from([20, 1000]), min_size=1, max_size=60))
def test_a_periodic_topic_is_due_once_for_each_multiple_of_its_period_that_a_tick_reaches(steps_ms: list[int]) -> None:
    topic = architecture().topics["guidance_command"]
    now, due = 0, [topic.is_due(-1, 0)]
    for step in steps_ms:
        due.append(topic.is_due(now, now + step * 1_000_000))
        now += step * 1_000_000
    multiples = now // topic.period_ns
    assert due[0]
    assert sum(due) - 1 <= multiples
    assert sum(due) - 1 == multiples or 1000 in steps_ms  # a long tick covers several multiples with one message
