"""A flight in one process: what it needs, what it records, and that recording changes nothing."""

from __future__ import annotations

import os
import resource
import subprocess
import sys

import pytest

from lander_common.mission import resolve
from lander_common.views import VIEWS
from lander_runtime.architecture import architecture
from lander_runtime.config import config_root
from lander_tools.bag import Bag
from lander_tools.fly import fly, fly_mission
from lander_tools.recover import recover
from lander_tools.run_folder import RunFolder
from lander_tools.sequence import check_sequence

FLIGHT_S = 4.0


@pytest.fixture(scope="module")
def recorded(tmp_path_factory):
    bag = tmp_path_factory.mktemp("run") / "bag"
    return bag, fly("nominal", 3, record=bag, stop_after_s=FLIGHT_S)


def test_it_needs_no_ros_no_socket_and_no_thread():
    script = f"""
import sys, threading, socket
class NoRos:
    def find_spec(self, name, path=None, target=None):
        if name.split('.')[0] in ('rclpy', 'rcl_interfaces', 'lander_interfaces', 'sensor_msgs'):
            raise ImportError(f'{{name}}: no ROS here')
def refuse(*arguments): raise RuntimeError('no sockets here')
sys.meta_path.insert(0, NoRos())
socket.socket.connect = socket.socket.bind = threading.Thread.start = refuse
from lander_tools import fly
assert 'numba' not in sys.modules, 'importing flies nothing and must load nothing'
flight = fly('nominal', 3, stop_after_s={FLIGHT_S})
assert threading.active_count() == 1
print(flight.digest)
"""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    done = subprocess.run([sys.executable, "-c", script], env=environment, capture_output=True, text=True, check=False)
    assert done.returncode == 0, done.stderr
    assert done.stdout.strip() == fly("nominal", 3, stop_after_s=FLIGHT_S).digest


def test_the_bag_has_every_message_that_was_due_and_the_standard_messages(recorded):
    bag_path, flight = recorded
    with Bag(bag_path) as bag:
        report = check_sequence(bag)
        assert report.ok, report.faults
        assert report.ticks == flight.ticks
        spoken = {topic.name for topic in architecture().topics.values() if topic.period_ns >= 0}
        assert spoken - set(report.silent) == {name for name, topic in bag.topics.items() if topic.count} & spoken
        for standard in ("clock", "tf", "imu_data", "odometry", "diagnostics", "rangefinder_scan"):
            assert bag.topics[architecture().topics[standard].name].count, standard
        assert bag.description["seed"] == "3"


def test_every_standard_message_with_a_rate_can_be_derived():
    views = {key for key, topic in architecture().topics.items() if topic.role == "view" and topic.period_ns >= 0}
    assert views == set(VIEWS)


@pytest.mark.parametrize("scenario", sorted(file.stem for file in (config_root() / "scenario").glob("*.yaml")))
def test_every_scenario_is_resolved_to_what_resolves_to_itself(tmp_path, scenario):
    mission, folder = resolve(scenario, 1), RunFolder(tmp_path)
    folder.write_config(mission.resolved())
    again = resolve(str(folder.config), 1)
    assert again.resolved() == mission.resolved()
    assert (again.scenario, again.vehicle, again.start) == (mission.scenario, mission.vehicle, mission.start)


def test_recording_changes_nothing(recorded):
    _, flight = recorded
    assert fly("nominal", 3, stop_after_s=FLIGHT_S) == flight
    assert flight.result is None
    assert flight.sim_time_s == FLIGHT_S


def test_a_full_disk_ends_the_recording_and_not_the_flight(tmp_path, recorded):
    _, flight = recorded
    soft, hard = resource.getrlimit(resource.RLIMIT_FSIZE)
    resource.setrlimit(resource.RLIMIT_FSIZE, (300_000, hard))
    try:
        crippled = fly("nominal", 3, record=tmp_path / "bag", stop_after_s=FLIGHT_S)
    finally:
        resource.setrlimit(resource.RLIMIT_FSIZE, (soft, hard))
    assert crippled.digest == flight.digest
    assert "cannot be written" in crippled.recording_failure
    assert recover(tmp_path).messages > 0


def test_a_folder_that_cannot_be_made_does_not_stop_the_flight(tmp_path, recorded):
    _, flight = recorded
    (tmp_path / "file").write_text("not a folder")
    crippled = fly("nominal", 3, record=tmp_path / "file" / "bag", stop_after_s=FLIGHT_S)
    assert crippled.digest == flight.digest
    assert "cannot record into" in crippled.recording_failure


def test_the_resolved_configuration_of_a_run_flies_the_same_run(tmp_path, recorded):
    settings = {"navigation.range_gate.accept_sigma": "4", "imu.gyro.turn_on_bias_deg_h": "1.5e-1"}
    mission = resolve("nominal", 3, settings=settings)
    folder = RunFolder(tmp_path)
    folder.write_config(mission.resolved())
    again = resolve(str(folder.config), 3)
    assert again.resolved() == mission.resolved()
    assert again.scenario == mission.scenario
    digest = fly_mission(again, stop_after_s=FLIGHT_S).digest
    assert digest == fly("nominal", 3, settings=settings, stop_after_s=FLIGHT_S).digest
    assert digest != recorded[1].digest


def test_parts_and_values_of_a_resolved_configuration_can_be_replaced(tmp_path):
    folder = RunFolder(tmp_path)
    folder.write_config(resolve("nominal", 3).resolved())
    changed = resolve(str(folder.config), 3, {"start": "deorbit"}, {"navigation.range_gate.accept_sigma": "4"})
    assert changed.start.kind == "deorbit"
    assert changed.scenario.parts["start"] == "deorbit"
    assert changed.documents["navigation"].data["range_gate"]["accept_sigma"] == 4
