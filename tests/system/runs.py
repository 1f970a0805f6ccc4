"""Start runs of the lander as a user does, and what every run must satisfy. Shared by pytest and launch_pytest."""

from __future__ import annotations

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from typing import Any

import psutil
from ruamel.yaml import YAML

REPOSITORY = Path(__file__).resolve().parents[2]
TIMEOUT_S = 600


def start(out: Path, *arguments: str) -> subprocess.Popen[str]:
    """`./lander run --out OUT ...`, its output kept."""
    command = [sys.executable, "-m", "lander_tools.cli", "run", "--out", str(out), *arguments]
    return subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True, cwd=out.parent)


def finish(process: subprocess.Popen[str]) -> tuple[int, str]:
    """Exit status and output of a run."""
    output, _ = process.communicate(timeout=TIMEOUT_S)
    return process.returncode, output


def run(out: Path, *arguments: str) -> tuple[int, str]:
    """A run from its start to its end."""
    return finish(start(out, *arguments))


def read_yaml(path: Path) -> Any:
    """A file of the configuration, to be changed."""
    return YAML().load(path)


def write_yaml(path: Path, document: Any) -> Path:
    """Write a file of the configuration."""
    YAML().dump(document, path)
    return path


def record(out: Path) -> dict[str, Any]:
    """What the conductor counted."""
    loaded: dict[str, Any] = json.loads((out / "run_record.json").read_text())
    return loaded


def verdict(out: Path) -> dict[str, Any]:
    """verdict.json of a run folder."""
    loaded: dict[str, Any] = json.loads((out / "verdict.json").read_text())
    return loaded


def node_process(of: subprocess.Popen[str], name: str, within_s: float = 60.0) -> psutil.Process:
    """The process of a node of a run, as soon as it is there."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        for process in psutil.Process(of.pid).children(recursive=True):
            if f"__node:={name}" in " ".join(process.cmdline()):
                return process
        time.sleep(0.2)
    raise AssertionError(f"no process of node {name} came up")


def wait_for_file(path: Path, size: int, within_s: float = 60.0) -> None:
    """Wait until a file has grown to a size: a sign that the run is under way."""
    deadline = time.monotonic() + within_s
    while time.monotonic() < deadline:
        if path.exists() and path.stat().st_size >= size:
            return
        time.sleep(0.1)
    raise AssertionError(f"{path} did not grow to {size} bytes")


def leftovers(out: Path) -> list[str]:
    """Command lines of processes of a run that outlived it."""
    return [
        " ".join(process.info["cmdline"])
        for process in psutil.process_iter(["cmdline"])
        if process.info["cmdline"] and str(out) in " ".join(process.info["cmdline"]) and process.pid != os.getpid()
    ]


def interrupt(process: subprocess.Popen[str]) -> None:
    """Ctrl-C."""
    process.send_signal(signal.SIGINT)
