"""What ground may ask of the payload manager over DDS: the service and the action, before and after touchdown."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import pytest
import rclpy
from rclpy.action import ActionClient
from rclpy.executors import SingleThreadedExecutor
from tests.system import runs

from lander_interfaces.action import DeployRover
from lander_interfaces.msg import PayloadStatus
from lander_interfaces.srv import SwitchPayload
from lander_tools.launch_runner import free_domain

pytestmark = [
    pytest.mark.system,
    pytest.mark.timeout(120),
    pytest.mark.filterwarnings("ignore:module 'sre_:DeprecationWarning"),  # of what rclpy imports
]

STAND_INS = ("physics", "navigation", "guidance")
MANAGER = "from lander_flight.payload_manager_node import main; main()"
RATE = 10.0  # a deployment of 24 ticks takes 2.4 s: time enough to be stopped on the way
CANCELED, SUCCEEDED, ABORTED = 5, 4, 6  # action_msgs/msg/GoalStatus
SOONER = {"after_touchdown_s": 1000.0, "checkout": 1500.0, "deploying": 2000.0}  # than an hour and a day


class Ground:
    """A node outside the run that asks."""

    def __init__(self, domain: int, landed: Path) -> None:
        self.landed = landed  # to be made at touchdown
        self._context = rclpy.Context()
        rclpy.init(context=self._context, domain_id=domain)
        self._node = rclpy.create_node("ground", context=self._context)
        self._executor = SingleThreadedExecutor(context=self._context)
        self._executor.add_node(self._node)
        self._switch = self._node.create_client(SwitchPayload, "/payload_manager/switch_payload")
        self._deploy = ActionClient(self._node, DeployRover, "/payload_manager/deploy_rover")
        self._node.create_subscription(PayloadStatus, "/payload/status", self._keep, 10)
        self.status = PayloadStatus()
        self.feedback: list[Any] = []

    def _keep(self, status: PayloadStatus) -> None:
        self.status = status

    def state(self, payload: str) -> str:
        """What the last status says of a payload."""
        states = dict(zip(self.status.payloads, self.status.states, strict=True))
        return str(states.get(payload, ""))

    def wait_for(self, condition: Callable[[], bool], within_s: float = 60.0) -> None:
        """Listen until a condition holds."""
        deadline = time.monotonic() + within_s
        while not condition():
            assert time.monotonic() < deadline, self.status
            self._executor.spin_once(timeout_sec=0.05)

    def wait(self, future: Any) -> Any:
        """The result of a call."""
        self.wait_for(future.done)
        return future.result()

    def switch(self, payload: str, state: str) -> Any:
        """Call the service."""
        self.wait_for(self._switch.service_is_ready)
        return self.wait(self._switch.call_async(SwitchPayload.Request(payload=payload, state=state)))

    def deploy(self, rover: str) -> Any:
        """Send a goal; the handle of the accepted goal."""
        self.wait_for(self._deploy.server_is_ready)
        self.feedback = []
        goal = DeployRover.Goal(rover=rover)
        return self.wait(self._deploy.send_goal_async(goal, lambda message: self.feedback.append(message.feedback)))

    def deploy_when_allowed(self, rover: str) -> Any:
        """The same, again and again until the deployment begins."""
        while True:
            goal = self.deploy(rover)
            result = goal.get_result_async()
            self.wait_for(lambda: result.done() or any(message.progress > 0.0 for message in self.feedback))  # noqa: B023
            if not result.done():
                return goal

    def close(self) -> None:
        """Leave."""
        self._node.destroy_node()
        rclpy.shutdown(context=self._context)


def quick_payloads(folder: Path) -> Path:
    """The payloads of Resilience, busy sooner after touchdown."""
    document = runs.read_yaml(runs.REPOSITORY / "config" / "payload_manager" / "resilience.yaml")
    document["time_compression"] = 50.0
    document["quiet"]["after_touchdown_s"] = SOONER["after_touchdown_s"]
    for state in document["payloads"][0]["states"]:
        if state["name"] in ("heater", "deploying"):
            state["after_touchdown_s"] = SOONER.get(state["name"], SOONER["after_touchdown_s"])
    document["checkout"] = [step for step in document["checkout"] if step["payload"] == "tenacious"][:1]
    document["checkout"][0]["at_s"] = SOONER["checkout"]
    return runs.write_yaml(folder / "payloads.yaml", document)


@pytest.fixture(scope="module")
def ground(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Ground]:
    """The ground, and a payload manager that comes down with stand-ins for all else, and stays on the Moon."""
    folder = tmp_path_factory.mktemp("payloads")
    scenario = runs.read_yaml(runs.REPOSITORY / "config" / "scenario" / "nominal.yaml")
    scenario["members"] = [*STAND_INS, "payload_manager"]
    scenario["parts"]["payload_manager"] = str(quick_payloads(folder))
    options = [f"scenario:={runs.write_yaml(folder / 'scenario.yaml', scenario)}", f"rate:={RATE}", "record:=false"]
    arguments = ["--ros-args", *(part for option in options for part in ("-p", option))]
    commands = [[str(Path(__file__).with_name("stand_in.py")), name] for name in STAND_INS]
    with free_domain() as domain, pytest.MonkeyPatch.context() as patch:
        patch.setenv("ROS_DOMAIN_ID", str(domain))
        patch.setenv("ROS_AUTOMATIC_DISCOVERY_RANGE", "LOCALHOST")
        patch.setenv("LANDED", str(folder / "landed"))
        nodes = [subprocess.Popen([sys.executable, *command, *arguments]) for command in [*commands, ["-c", MANAGER]]]
        asking = Ground(domain, folder / "landed")
        yield asking
        asking.close()
        for process in nodes:
            process.kill()
            process.wait()


def test_a_switch_in_the_descent_is_refused_with_its_reason(ground: Ground) -> None:
    answer = ground.switch("electrolyser", "heater")
    assert not answer.accepted
    assert answer.reason == "electrolyser may not be in heater around the landing"
    goal = ground.deploy("tenacious")
    answer = ground.wait(goal.get_result_async())
    assert answer.status == ABORTED
    assert "tenacious gets into deploying only from heater" in answer.result.reason


def test_after_touchdown_the_checkout_runs_and_a_switch_is_done(ground: Ground) -> None:
    ground.landed.touch()
    ground.wait_for(lambda: ground.state("tenacious") == "heater")
    assert ground.switch("electrolyser", "heater").accepted
    ground.wait_for(lambda: ground.state("electrolyser") == "heater")
    assert not ground.switch("moonhouse", "releasing").accepted


def test_a_deployment_is_cancelled_on_the_way_goes_on_from_there_and_ends(ground: Ground) -> None:
    goal = ground.deploy_when_allowed("tenacious")
    ground.wait_for(lambda: ground.feedback[-1].progress > 0.1)
    ground.wait(goal.cancel_goal_async())
    stopped = ground.wait(goal.get_result_async())
    assert stopped.status == CANCELED
    assert not stopped.result.deployed
    ground.wait_for(lambda: ground.state("tenacious") == "held")
    reached = ground.feedback[-1].progress
    again = ground.deploy("tenacious")
    ended = ground.wait(again.get_result_async())
    assert ended.status == SUCCEEDED
    assert ended.result.deployed
    # Result, feedback and states travel on topics of their own: the result may be here first.
    ground.wait_for(lambda: ground.state("tenacious") == "deployed")
    ground.wait_for(lambda: any(message.step == "lower by winch" for message in ground.feedback))
    progress = [message.progress for message in ground.feedback]
    assert progress[0] >= reached
    assert progress == sorted(progress)
