"""Real-time priority by the wall clock: who must answer soonest goes first.

Rate-monotonic (Liu and Layland 1973, theorem 2): the shorter a node's period, the higher its priority. No node has any while
it loads, so that a start holds up nobody who flies. But whoever is known to DDS writes into the memory of the others, under locks
of theirs: without any priority it may be kept from the processor while it holds one, and they with it (priority inversion).
"""

from __future__ import annotations

import os
from contextlib import suppress
from pathlib import Path

from lander_runtime.architecture import EVENT, EVERY_TICK, MILLISECOND, Node

# Of 99, the shortest period first; the kernel's own threads are above.
EACH_TICK, TEN_A_SECOND, SLOWER = 20, 15, 10
LAST = 1  # a node that only listens, a spare, a process on its way back: after all who fly, before ordinary work
NONE = 0
_STAT = Path("/proc/stat")
_STEAL = 8  # column of its first row


def priority(node: Node) -> int:
    """Priority of a node, 0 to 99, by the shortest period of its outputs; LAST where it only listens."""
    periods = [topic.period_ns for topic in node.outputs if topic.period_ns != EVENT]
    if not periods:
        return LAST
    if min(periods) == EVERY_TICK:
        return EACH_TICK
    return TEN_A_SECOND if min(periods) <= 100 * MILLISECOND else SLOWER


def take(level: int) -> bool:
    """Give every thread of this process a priority. False where the system does not permit that."""
    policy = os.SCHED_OTHER if level == NONE else os.SCHED_RR
    try:
        for thread in Path("/proc/self/task").iterdir():
            with suppress(ProcessLookupError):  # it has ended since
                os.sched_setscheduler(int(thread.name), policy, os.sched_param(level))
    except PermissionError:  # asks for root, or an rtprio limit (ulimit -r)
        return False
    return True


def stolen_s() -> float:
    """Processor time that the host of this virtual machine has given to others while there was work here, s since it started, of
    all processors together (proc_stat(5)); 0 where it is not told.
    """
    with suppress(OSError, IndexError, ValueError):
        return int(_STAT.read_text().split(maxsplit=9)[_STEAL]) / os.sysconf("SC_CLK_TCK")
    return 0.0


def rest() -> None:
    """The calling thread alone goes back to ordinary priority."""
    os.sched_setscheduler(0, os.SCHED_OTHER, os.sched_param(0))
