"""`./lander bench`: what the transport costs and what a run takes, from one session, as medians.

Prints figures and judges nothing: machines are noisy, so ratios within one run are what to quote.
"""

from __future__ import annotations

import os
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click
import psutil
from rich.console import Console
from rich.table import Table

from lander_runtime.architecture import architecture
from lander_runtime.conductor import read_record
from lander_tools.fly import fly
from lander_tools.launch_runner import free_domain, isolated
from lander_tools.sampler import sampled

_SAMPLE_S = 1.0  # between looks at CPU and memory
_LOOKS_PER_WEIGHING = 5  # the proportional set size is looked at more seldom: the kernel walks all pages for it


@dataclass
class NodeLoad:
    """What one process used."""

    cpu_s: float = 0.0
    peak_rss_mb: float = 0.0
    pss_mb: float = 0.0  # pages that n processes share count 1/n; when all nodes together had most


def stub_ring(ticks: int) -> dict[str, Any]:
    """Run the topology without its work; return the conductor's record."""
    with tempfile.TemporaryDirectory() as folder, free_domain() as domain:
        environment = isolated(os.environ, domain, Path(folder))
        processes = [
            subprocess.Popen(
                [
                    sys.executable,
                    "-m",
                    "lander_tools.stub_node",
                    name,
                    str(ticks),
                    "--ros-args",
                    "-p",
                    f"out:={folder}",
                ],
                env=environment,
            )
            for name in architecture().nodes
        ]
        for process in processes:
            process.wait()
        return read_record(Path(folder))


def lander_run(arguments: Sequence[str]) -> tuple[dict[str, Any], dict[str, NodeLoad]]:
    """Run `./lander run` with more arguments; return the conductor's record and each node's load."""
    with tempfile.TemporaryDirectory() as folder:
        command = [sys.executable, "-m", "lander_tools.cli", "run", "--out", f"{folder}/run", *arguments]
        process = subprocess.Popen(command, stdout=subprocess.DEVNULL)
        with _watched(process.pid) as loads:
            process.wait()
        return read_record(Path(folder) / "run"), loads


@contextmanager
def _watched(pid: int) -> Iterator[dict[str, NodeLoad]]:
    """Load of every node that is a descendant of a process, by node name, while the block runs."""
    loads: dict[str, NodeLoad] = {}
    over = threading.Event()
    watcher = threading.Thread(target=_watch, args=(pid, loads, over))
    watcher.start()
    try:
        yield loads
    finally:
        over.set()
        watcher.join()


def _watch(pid: int, loads: dict[str, NodeLoad], over: threading.Event) -> None:
    looks = 0
    while not over.wait(_SAMPLE_S):
        try:
            descendants = psutil.Process(pid).children(recursive=True)
        except psutil.NoSuchProcess:
            return
        weigh, looks = looks % _LOOKS_PER_WEIGHING == 0, looks + 1
        pss_mb: dict[str, float] = {}
        for process in descendants:
            pss_mb |= sample(process, loads, weigh)
        if sum(pss_mb.values()) > sum(load.pss_mb for load in loads.values()):
            for name, load in loads.items():
                load.pss_mb = pss_mb.get(name, 0.0)


def sample(process: psutil.Process, loads: dict[str, NodeLoad], weigh: bool) -> dict[str, float]:
    """Note the load of a process, if it is a node; return its proportional set size, MB, by its name, if it shall be weighed."""
    try:
        name = next((part[8:] for part in process.cmdline() if part.startswith("__node:=")), None)
        if name is None:
            return {}
        load = loads.setdefault(name, NodeLoad())
        times = process.cpu_times()
        load.cpu_s = times.user + times.system
        load.peak_rss_mb = max(load.peak_rss_mb, process.memory_info().rss / 1e6)
        return {name: process.memory_full_info().pss / 1e6} if weigh else {}
    except psutil.NoSuchProcess:
        return {}  # it ended between the listing and the look


def _median(records: Sequence[dict[str, Any]], key: str) -> float:
    return float(statistics.median(record[key] for record in records))


def _ticks_per_s(records: Sequence[dict[str, Any]]) -> float:
    return float(statistics.median(record["ticks"] / record["wall_time_s"] for record in records))


def in_process_factors(scenario: str, seed: int) -> tuple[float, float]:
    """Times real time of a flight in one process, recording off: by the wall clock, and by the CPU time it took.

    The two differ where other work is on the machine.
    """
    began, cpu_began = time.perf_counter(), time.process_time()
    flight = fly(scenario, seed)
    wall_time_s, cpu_time_s = time.perf_counter() - began, time.process_time() - cpu_began
    return flight.sim_time_s / wall_time_s, flight.sim_time_s / cpu_time_s


@click.command()
@click.option("--runs", default=3, show_default=True, type=click.IntRange(min=1), help="Of each kind, in turn.")
@click.option(
    "--seconds", default=120.0, show_default=True, type=click.FloatRange(min=10.0), help="Of flight, each run."
)
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of the flights.")
@click.option("--in-process", is_flag=True, help="Only a flight in one process, with the share of each subsystem.")
def command(runs: int, seconds: float, seed: int, in_process: bool) -> None:
    """Measure speed, delay, CPU and memory: medians over several runs of the system and of its empty topology."""
    if in_process:
        bench_in_process(runs, seed)
    else:
        bench(runs, seconds, seed)


def bench_in_process(runs: int, seed: int) -> None:
    """Fly the nominal powered descent in this process, recording off, and print where the time goes."""
    fly(seed=seed, stop_after_s=1.0)  # loads what is compiled
    with sampled() as samples:
        factors = [in_process_factors("nominal", seed) for _ in range(runs)]
    table = Table("part", "share of CPU time, %", title=f"{runs} powered descents in one process, recording off")
    for part, count in samples.most_common():
        table.add_row(part, f"{100.0 * count / samples.total():.1f}")
    console = Console()
    console.print(table)
    for name, values in zip(("wall clock", "CPU time of one core"), zip(*factors, strict=True), strict=True):
        spread = f"{min(values):.0f} to {max(values):.0f}"
        console.print(f"times real time, by {name}: median {statistics.median(values):.0f} ({spread})")


def bench(runs: int, sim_time_s: float, seed: int) -> None:
    """Measure stub ring, lockstep and wall clock in turn, `runs` times, and print medians."""
    console = Console()
    rings: list[dict[str, Any]] = []
    locksteps: list[dict[str, Any]] = []
    loads: dict[str, NodeLoad] = {}
    in_process = []
    for _ in range(runs):
        rings.append(stub_ring(round(sim_time_s * 50)))
        record, loads = lander_run(["--seed", str(seed), "--stop-after", str(sim_time_s), "--no-report"])
        locksteps.append(record)
        in_process.append(in_process_factors("nominal", seed)[0])
    paced, _ = lander_run(["--seed", str(seed), "--rate", "1", "--stop-after", str(min(sim_time_s, 60.0))])
    console.print(_speed_table(rings, locksteps, in_process, paced))
    console.print(_load_table(loads, _median(locksteps, "wall_time_s")))


def _speed_table(
    rings: Sequence[dict[str, Any]],
    locksteps: Sequence[dict[str, Any]],
    in_process: Sequence[float],
    paced: dict[str, Any],
) -> Table:
    table = Table("figure", "median", title=f"{len(rings)} runs, {os.cpu_count()} cores")
    ring, lockstep = _ticks_per_s(rings), _ticks_per_s(locksteps)
    table.add_row("lockstep over DDS, all nodes, recording: ticks/s", f"{lockstep:.0f}")
    table.add_row("  real-time factor", f"{_median(locksteps, 'real_time_factor'):.1f}")
    table.add_row("stub ring, same topology, no work: ticks/s", f"{ring:.0f}")
    table.add_row("lockstep / stub ring", f"{lockstep / ring:.2f}")
    table.add_row("in one process, whole descent: real-time factor", f"{statistics.median(in_process):.0f}")
    for key, label in (("command_delay_p50_s", "p50"), ("command_delay_p99_s", "p99")):
        table.add_row(f"wall clock, rate 1: truth to throttle command, {label}, ms", f"{1e3 * paced[key]:.2f}")
    table.add_row("  deadline misses", f"{paced['deadline_misses']} of {paced['ticks']} ticks")
    return table


def _load_table(loads: dict[str, NodeLoad], wall_time_s: float) -> Table:
    table = Table("node", "CPU, % of a core", "peak RSS, MB", "PSS, MB", title="lockstep: load by node")
    everything = NodeLoad(
        cpu_s=sum(load.cpu_s for load in loads.values()),
        peak_rss_mb=sum(load.peak_rss_mb for load in loads.values()),
        pss_mb=sum(load.pss_mb for load in loads.values()),
    )
    for name, load in [*sorted(loads.items()), ("all", everything)]:
        cpu_percent = 100.0 * load.cpu_s / wall_time_s
        table.add_row(name, f"{cpu_percent:.0f}", f"{load.peak_rss_mb:.0f}", f"{load.pss_mb:.0f}")
    return table
