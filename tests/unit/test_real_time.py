"""Real-time priority: who goes first, and that all threads of a process do."""

from __future__ import annotations

import os
import subprocess
import sys

import psutil
import pytest

from lander_runtime.architecture import EVENT, architecture
from lander_runtime.real_time import LAST, NONE, priority, stolen_s

NODES = architecture().nodes
# A process with a thread of its own takes the priority of navigation and tells what each of its threads has.
_PROCESS = """
import os, threading
from lander_runtime.architecture import architecture
from lander_runtime.real_time import priority, take
end = threading.Event()
threading.Thread(target=end.wait).start()
permitted = take(priority(architecture().nodes["navigation"]))
threads = [int(name) for name in os.listdir("/proc/self/task")]
print(permitted, [(os.sched_getscheduler(thread), os.sched_getparam(thread).sched_priority) for thread in threads])
end.set()
"""


def test_a_shorter_period_never_has_the_lower_priority() -> None:
    periods = {
        name: min(topic.period_ns for topic in node.outputs if topic.period_ns != EVENT)
        for name, node in NODES.items()
        if not node.is_sink
    }
    for one, period in periods.items():
        for other, longer in periods.items():
            assert period >= longer or priority(NODES[one]) >= priority(NODES[other]), (one, other)
    assert priority(NODES["throttle"]) > priority(NODES["guidance"]) > priority(NODES["payload_manager"]) > LAST > NONE


def test_a_node_that_only_listens_goes_after_all_who_fly() -> None:
    assert [name for name in NODES if priority(NODES[name]) == LAST] == ["recorder"]


def test_every_thread_of_the_process_has_the_priority_or_the_process_is_told_that_it_may_not() -> None:
    told = subprocess.run([sys.executable, "-c", _PROCESS], capture_output=True, text=True, check=True).stdout
    wanted = (os.SCHED_RR, priority(NODES["navigation"]))
    if told.startswith("False"):
        pytest.skip("real-time priority is not permitted here")
    assert told.strip() == f"True {[wanted] * told.count('(')}"
    assert told.count("(") >= 2


def test_stolen_processor_time_is_that_of_psutil() -> None:
    before, found, after = psutil.cpu_times().steal, stolen_s(), psutil.cpu_times().steal
    assert before <= found <= after
