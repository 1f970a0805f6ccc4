"""The recorder node: listens to every topic, and writes the bag and the resolved configuration into the run folder."""

from __future__ import annotations

import sys
import time
from pathlib import Path
from typing import ClassVar

from lander_common.hosting import blueprint, mission_of
from lander_common.mission import Mission
from lander_runtime.architecture import EVENT, Topic
from lander_runtime.messages import peek_tick
from lander_runtime.ros_host import Host, run_host
from lander_runtime.ros_member import MemberHost
from lander_runtime.subsystem import Inputs, Outputs, Subsystem, Tick
from lander_tools.recorder import Recorder, RecorderFailed, description

_BATCH_S = 0.02  # a recorder may lag: taking a pile at a time costs a fraction of waking up for each message
_LINGER_S = 0.3  # after the last tick, for standard messages that are still under way


class Listener(Subsystem):
    """What the recorder does at a tick: nothing, for it has recorded the bytes when they came."""

    name: ClassVar[str] = "recorder"

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Publish nothing."""
        return {}


class RecorderHost(MemberHost):
    """A member of the run that listens only; the control chain does not wait for it unless it lags far behind."""

    recorder: Recorder | None = None

    def fly(self) -> None:
        """Record until the last tick; an interrupted run leaves a whole bag too."""
        self._newest: dict[str, int] = {}
        try:
            self.recorder = Recorder(
                Path(self.options.out) / "bag", description(mission_of(self.options)), self._failed
            )
        except RecorderFailed as failure:
            self._failed(failure)
        try:
            super().fly()
            self._linger()
        finally:
            if self.recorder:
                self.recorder.close()

    def _linger(self) -> None:
        self.link.wait(["clock"], 0.0)
        time.sleep(_LINGER_S)
        for key, data in self.link.drain():
            self._dispatch(key, data)

    def _failed(self, failure: RecorderFailed) -> None:
        self.get_logger().error(str(failure))

    def _receive(self, key: str) -> None:
        time.sleep(_BATCH_S)
        super()._receive(key)

    def _dispatch(self, key: str, data: bytes) -> None:
        topic = self.catalogue.topics[key]
        if self.recorder and not self._is_repeated(topic, data):
            self.recorder.receive(key, data)
        if topic.role != "view":
            super()._dispatch(key, data)

    def _is_repeated(self, topic: Topic, data: bytes) -> bool:
        """Whether a message was sent once more, for a new process that had missed it."""
        if topic.role == "view" or topic.period_ns == EVENT:
            return False
        tick = peek_tick(data)
        repeated = tick <= self._newest.get(topic.key, -1)
        if not repeated:
            self._newest[topic.key] = tick
        return repeated

    def _idle(self) -> None:
        super()._idle()
        if self.recorder:
            self.recorder.flush()


def main() -> None:
    """Run the node."""

    def build(_mission: Mission) -> Subsystem:
        return Listener()

    host_type: type[Host] = RecorderHost
    sys.exit(run_host(host_type, blueprint("recorder", build)))
