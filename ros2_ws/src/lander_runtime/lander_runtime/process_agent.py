"""What the conductor does to the processes of members, on its own machine: end, stop and continue them, and look after them."""

from __future__ import annotations

import os
import signal
import socket
from contextlib import suppress

from lander_runtime.messages import Message


class ProcessAgent:
    """Acts on the process that an announcement (NodeEvent READY) names. Those on other machines are out of its reach."""

    def __init__(self) -> None:
        self._host = socket.gethostname()
        self._stopped: dict[int, Message] = {}

    def is_gone(self, ready: Message) -> bool:
        """Whether a process has ended."""
        if not self._reaches(ready):
            return False
        try:
            os.kill(ready.pid, 0)
        except ProcessLookupError:
            return True
        return False

    def kill(self, ready: Message) -> None:
        """End a process."""
        self._send(ready, signal.SIGKILL)

    def strike(self, ready: Message, deadly: bool) -> None:
        """End a process, or stop it for a while."""
        if deadly:
            self.kill(ready)
        else:
            self._stopped[ready.pid] = ready
            self._send(ready, signal.SIGSTOP)

    def wake(self, ready: Message) -> None:
        """Continue a stopped process."""
        self._stopped.pop(ready.pid, None)
        self._send(ready, signal.SIGCONT)

    def wake_all(self) -> None:
        """Continue every stopped process, so that it hears of the end of the run."""
        for ready in list(self._stopped.values()):
            self.wake(ready)

    def _reaches(self, ready: Message) -> bool:
        return ready.host == self._host and ready.pid > 0

    def _send(self, ready: Message, number: int) -> None:
        if self._reaches(ready):
            with suppress(ProcessLookupError):
                os.kill(ready.pid, number)
