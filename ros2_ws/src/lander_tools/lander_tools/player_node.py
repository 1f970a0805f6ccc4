"""Publish a record over DDS, for rqt and other tools: `./lander replay RUN --publish`.

Every recorded message goes out at its time, with the standard messages derived from it and /clock. Space, or the service
~/pause, holds the player and lets it go on.
"""

from __future__ import annotations

import select
import sys
import termios
import time
import tty
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import rclpy
from rclpy.executors import ExternalShutdownException, SingleThreadedExecutor
from rclpy.node import Node
from std_srvs.srv import SetBool

from lander_common.views import VIEWS
from lander_runtime.architecture import Topic, architecture
from lander_runtime.dds import Link
from lander_runtime.subsystem import Tick
from lander_tools.bag import BagError
from lander_tools.flight_record import FlightRecord
from lander_tools.in_process import RunLog

_LOOK_S = 0.05  # between looks at the keyboard and the services
_DISCOVERY_S = 1.0  # of wall clock, for listeners to find the player before the first message
_STATUS_S = 0.5  # between status lines
CANNOT_RUN = 2


class Player(Node):
    """Publishes a record."""

    def __init__(self, record: FlightRecord, rate: float) -> None:
        super().__init__("player", enable_rosout=False)
        self.paused = False
        self._record = record
        self._rate = rate
        self._topics = [topic for topic in architecture().topics.values() if topic.role == "gating"]
        listed = [topic for topic in architecture().topics.values() if _is_published(topic)]
        self._link = Link(self, listed, [])
        self._log = RunLog(lambda _, key, data: self._link.publish(key, data), lambda: False)
        self._service = self.create_service(SetBool, "~/pause", self._on_pause)
        self._executor = SingleThreadedExecutor()
        self._executor.add_node(self)

    def play(self, start_offset_s: float) -> None:
        """Publish from a time on to the end."""
        ticks = [tick for tick in self._record.ticks if tick.time_s - self._record.ticks[0].time_s >= start_offset_s]
        self._idle_until(time.monotonic() + _DISCOVERY_S)
        due = status = time.monotonic()
        for tick in ticks:
            due += tick.step_s / self._rate
            due += self._idle_until(due)
            self._publish(tick)
            if due >= status:
                status = due + _STATUS_S
                sys.stdout.write(f"\r{tick.time_s:9.2f} s ")
                sys.stdout.flush()

    def _publish(self, tick: Tick) -> None:
        for topic in self._topics:
            for data in self._record.of(topic.key, tick.seq):
                self._log.observe(tick, topic.key, self._record.bag.decode(topic.name, data), data)

    def _idle_until(self, due: float) -> float:
        """Look after keys and services until a time, and as long as the player is paused; return how long it was."""
        paused_s = 0.0
        while (left := due + paused_s - time.monotonic()) > 0.0 or self.paused:
            began = time.monotonic()
            self._executor.spin_once(timeout_sec=min(max(left, 0.0), _LOOK_S) if not self.paused else _LOOK_S)
            if _space_was_pressed():
                self.paused = not self.paused
            if self.paused:
                paused_s += time.monotonic() - began
        return paused_s

    def _on_pause(self, request: Any, response: Any) -> Any:
        self.paused = request.data
        response.success, response.message = True, "paused" if self.paused else "playing"
        return response


def _is_published(topic: Topic) -> bool:
    return topic.role == "gating" or topic.key == "tick" or topic.key in VIEWS


def _space_was_pressed() -> bool:
    return sys.stdin.isatty() and bool(select.select([sys.stdin], [], [], 0.0)[0]) and sys.stdin.read(1) == " "


@contextmanager
def _single_keys() -> Iterator[None]:
    """Keys are read one by one, without Return, while this lasts."""
    if not sys.stdin.isatty():
        yield
        return
    before = termios.tcgetattr(sys.stdin)
    tty.setcbreak(sys.stdin)
    try:
        yield
    finally:
        termios.tcsetattr(sys.stdin, termios.TCSADRAIN, before)


def main(path: str, rate: str, start_offset_s: str) -> int:
    """Play a record; return the exit status."""
    try:
        with FlightRecord(Path(path)) as record, _single_keys():
            for note in record.notes:
                sys.stdout.write(f"{note}\n")
            rclpy.init()
            Player(record, float(rate)).play(float(start_offset_s))
    except BagError as error:
        sys.stderr.write(f"Error: {error}\n")
        return CANNOT_RUN
    except (KeyboardInterrupt, ExternalShutdownException):
        return 130
    finally:
        rclpy.try_shutdown()
    sys.stdout.write("\n")
    return 0


if __name__ == "__main__":
    sys.exit(main(*sys.argv[1:]))
