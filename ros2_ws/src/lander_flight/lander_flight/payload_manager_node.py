"""The payload manager node: besides its topics, a service to switch a payload and an action to deploy the rover."""

from __future__ import annotations

from collections.abc import Generator
from typing import Any

from rclpy.action import ActionServer, CancelResponse
from rclpy.lifecycle import LifecycleNode

from lander_common.hosting import serve
from lander_flight.payload_manager import PayloadManager
from lander_interfaces.action import DeployRover
from lander_interfaces.srv import SwitchPayload


class _NextLook:
    """Awaited, gives the thread back until the executor comes round again."""

    def __await__(self) -> Generator[None, None, None]:
        yield


class PayloadDesk:
    """What ground and other nodes may ask of the payload manager. Requests take effect at its next tick."""

    def __init__(self, node: LifecycleNode, manager: PayloadManager) -> None:
        self._manager = manager
        self._service = node.create_service(SwitchPayload, "~/switch_payload", self._switch)
        self._action = ActionServer(
            node, DeployRover, "~/deploy_rover", self._deploy, cancel_callback=lambda _goal: CancelResponse.ACCEPT
        )

    def _switch(self, request: Any, response: Any) -> Any:
        response.accepted, response.reason = self._manager.request_switch(request.payload, request.state)
        return response

    async def _deploy(self, goal: Any) -> Any:
        accepted, reason = self._manager.deploy_start(goal.request.rover)
        if not accepted:
            goal.abort()
            return DeployRover.Result(deployed=False, reason=reason)
        started = False
        while True:
            status = self._manager.deploy_feedback()
            started = started or status.active
            if status.deployed:
                goal.succeed()
                return DeployRover.Result(deployed=True, reason="")
            if started and not status.active:  # stopped: on request, or by the manager for the reason it gives
                (goal.canceled if goal.is_cancel_requested else goal.abort)()
                return DeployRover.Result(deployed=False, reason=status.reason)
            if goal.is_cancel_requested and status.active:
                self._manager.deploy_cancel()
            goal.publish_feedback(DeployRover.Feedback(step=status.step, progress=status.progress))
            await _NextLook()


def main() -> None:
    """Run the node."""
    serve(PayloadManager, offer=PayloadDesk)
