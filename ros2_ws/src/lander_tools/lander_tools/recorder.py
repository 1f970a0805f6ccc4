"""Record a run into a bag, so that neither a killed recorder nor a full disk costs more than it must.

No ROS here: the node hands over what it receives, and so does a run in one process. What was observed reaches the
operating system at least every half second of wall clock, so a recorder that is killed loses less than a second.
A disk that is full ends the recording, never the flight.
"""

from __future__ import annotations

import struct
import time
from collections.abc import Callable, Mapping
from pathlib import Path

from lander_common.mission import Mission
from lander_runtime.architecture import Topic, architecture
from lander_runtime.messages import NANOSECONDS, Message
from lander_runtime.subsystem import Tick
from lander_tools.bag_writer import BagWriter, WriterError
from lander_tools.project import version

FLUSH_INTERVAL_S = 0.5  # of wall clock; half of the second that may be lost

# Where the stamp is in CDR bytes: 4 bytes of encapsulation come first, then in our messages the tick, in tf the number
# of transforms, and in the other standard messages nothing.
_STAMP = struct.Struct("<iI")
_FIRST, _AFTER_COUNT, _AFTER_TICK = 4, 8, 12


def description(mission: Mission) -> dict[str, str]:
    """What a bag says of the run in it, for readers that have nothing but the bag."""
    return {
        "scenario": mission.scenario.name,
        "seed": str(mission.seed),
        "logic": mission.scenario.logic,
        "version": version(),
    }


class RecorderFailed(RuntimeError):
    """The bag cannot be written (any more); the text says where and why."""


class LogTime:
    """Finds the stamp of a message in its bytes.

    Messages of the runtime itself, such as acknowledgements, are of no time of their own: theirs is that of the newest
    tick.
    """

    def __init__(self) -> None:
        self._offsets = {key: _stamp_offset(topic) for key, topic in architecture().topics.items()}
        self._newest_ns = 0

    def of(self, topic_key: str, data: bytes) -> int:
        """Stamp of an encoded message, ns of simulated time."""
        offset = self._offsets[topic_key]
        if offset is None or len(data) < offset + _STAMP.size:
            return self._newest_ns
        seconds, nanoseconds = _STAMP.unpack_from(data, offset)
        stamp_ns = int(seconds) * NANOSECONDS + int(nanoseconds)
        self._newest_ns = max(self._newest_ns, stamp_ns)
        return stamp_ns


def _stamp_offset(topic: Topic) -> int | None:
    if topic.type.startswith("lander_interfaces/"):
        return None if topic.role == "run" and topic.key != "tick" else _AFTER_TICK
    return _AFTER_COUNT if topic.type == "tf2_msgs/msg/TFMessage" else _FIRST


class Recorder:
    """Writes what it observes."""

    def __init__(
        self,
        path: Path,
        description: Mapping[str, str],
        on_failure: Callable[[RecorderFailed], None],
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """Begin a bag in a new folder `path`; `description` says what is flown (scenario, seed, version).

        `on_failure` is called once if the recording has to end early. Raises RecorderFailed where it cannot even begin.
        """
        self.path = path
        self.recorded = 0  # messages handed to the bag
        self.not_recorded = 0  # messages that came after the failure
        self.failure: RecorderFailed | None = None
        self._on_failure = on_failure
        self._clock = clock
        self._names = {key: topic.name for key, topic in architecture().topics.items()}
        self._log_time = LogTime()
        self._writer = _begin(path, description)
        self._flushed_at = clock()

    def observe(self, stamp_ns: int, topic_key: str, data: bytes) -> None:
        """Record a message: the stamp at which it was published (sim time, ns), its topic's key, its CDR bytes."""
        if self.failure:
            self.not_recorded += 1
            return
        try:
            self.recorded += 1
            self._writer.write(self._names[topic_key], stamp_ns, data)
            if self._clock() - self._flushed_at >= FLUSH_INTERVAL_S:
                self._flush()
        except OSError as error:
            self._fail(error)

    def receive(self, topic_key: str, data: bytes) -> None:
        """The same for a message that came over DDS: its stamp is found in its bytes."""
        self.observe(self._log_time.of(topic_key, data), topic_key, data)

    def observe_publication(self, tick: Tick, topic_key: str, _message: Message, data: bytes) -> None:
        """The same, in the form of an observer of `lander_runtime.inprocess`."""
        self.observe(tick.stamp_ns, topic_key, data)

    def flush(self) -> None:
        """Make what was observed survive the end of this process; call it from a timer too, for when nothing comes."""
        if self.failure:
            return
        try:
            self._flush()
        except OSError as error:
            self._fail(error)

    def close(self) -> None:
        """Finish the bag. After a failure the bag stays as it is, to be restored by `recover`."""
        if self.failure:
            return
        try:
            self._writer.close()
        except OSError as error:
            self._fail(error)

    def _flush(self) -> None:
        self._writer.flush()
        self._flushed_at = self._clock()

    def _fail(self, error: OSError) -> None:
        self._writer.abandon()
        self.failure = RecorderFailed(
            f"recording ended early: {self.path} cannot be written ({error.strerror}); the flight goes on without it, "
            f"and `./lander recover {self.path}` restores what was recorded until now"
        )
        self._on_failure(self.failure)


def _begin(path: Path, description: Mapping[str, str]) -> BagWriter:
    try:
        writer = BagWriter(path, description)
        writer.add_architecture()
    except (OSError, WriterError) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise RecorderFailed(f"cannot record into {path}: {reason}") from None
    return writer
