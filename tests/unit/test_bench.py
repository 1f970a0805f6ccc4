"""The bench finds the nodes among its descendants, and says what memory each takes."""

from __future__ import annotations

import subprocess
import sys

import psutil

from lander_tools.bench import NodeLoad, sample


def test_a_process_is_a_node_by_its_name_and_its_share_of_shared_pages_is_at_most_its_resident_set() -> None:
    loads: dict[str, NodeLoad] = {}
    waits = [sys.executable, "-c", "import sys; sys.stdin.read()"]
    with (
        subprocess.Popen([*waits, "--ros-args", "-r", "__node:=probe"], stdin=subprocess.PIPE) as node,
        subprocess.Popen(waits, stdin=subprocess.PIPE) as other,
    ):
        pss_mb = sample(psutil.Process(node.pid), loads, weigh=True)
        assert sample(psutil.Process(node.pid), loads, weigh=False) == {}
        assert sample(psutil.Process(other.pid), loads, weigh=True) == {}
        most_mb = psutil.Process(node.pid).memory_info().rss / 1e6
    assert list(loads) == list(pss_mb) == ["probe"]
    assert 0.0 < pss_mb["probe"] <= most_mb
