"""Where the time of a flight in this process goes, by subsystem: samples of the stack, which slow nothing down.

The timer counts CPU time of this process, so other work on the machine does not distort the shares. Python runs the signal
handler after the call of a compiled function has returned, in the frame that called it: it counts for its subsystem.
"""

from __future__ import annotations

import signal
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from types import CodeType, FrameType

from lander_runtime.digest import DigestChain
from lander_runtime.inbox import Inbox
from lander_runtime.inprocess import InProcessRun
from lander_runtime.messages import encode

INTERVAL_S = 0.002
_PARTS: dict[CodeType, str] = {
    encode.__code__: "encoding",
    DigestChain.add.__code__: "digest",
    Inbox.advance.__code__: "inputs",
}  # of the runtime's own work
_REST = "stamping, queues, loop"


@contextmanager
def sampled() -> Iterator[Counter[str]]:
    """Samples by subsystem, or part of the runtime, of what is flown meanwhile. Only in the main thread."""
    samples: Counter[str] = Counter()

    def sample(_number: int, frame: FrameType | None) -> None:
        where = _place(frame)
        if where:
            samples[where] += 1

    former = signal.signal(signal.SIGPROF, sample)
    signal.setitimer(signal.ITIMER_PROF, INTERVAL_S, INTERVAL_S)
    try:
        yield samples
    finally:
        signal.setitimer(signal.ITIMER_PROF, 0.0)
        signal.signal(signal.SIGPROF, former)


def _place(frame: FrameType | None) -> str:
    """Whose work a stack is: of the subsystem that the run steps, or of a part of the run; empty outside a run."""
    part = _REST
    while frame is not None:
        caller = frame.f_back
        part = _PARTS.get(frame.f_code, part)
        if frame.f_code is InProcessRun.step.__code__:
            return part
        if caller is not None and caller.f_code is InProcessRun.step.__code__ and frame.f_code.co_name == "step":
            return str(frame.f_locals["self"].name)
        frame = caller
    return ""
