"""`./lander equality`: the same flight in one process and over DDS, twice and on a busy machine, has one digest."""

from __future__ import annotations

import os
import subprocess
import sys
import tempfile
from collections.abc import Iterator, Sequence
from contextlib import ExitStack, contextmanager
from dataclasses import dataclass
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lander_runtime.conductor import RUN_RECORD_FILE, read_record
from lander_tools.fly import fly

SCENARIOS = ("nominal", "rangefinder_outage", "navigation_restart", "message_loss")
# Keeps one core busy, for as long as whoever started it lives, however that ends.
_HOG = "import os, sys\nwhile os.getppid() == int(sys.argv[1]): pass"


@dataclass(frozen=True)
class Comparison:
    """The digests of one scenario and seed."""

    scenario: str
    seed: int
    digests: dict[str, str]  # how it was run -> digest

    @property
    def is_equal(self) -> bool:
        """Whether every run gave the same, and gave something."""
        return len(set(self.digests.values())) == 1 and all(self.digests.values())


def compare(scenario: str, seed: int, stop_after_s: float, busy: Sequence[int] | None = None) -> Comparison:
    """Fly a scenario in one process, and over DDS beside so many busy processes each time.

    `stop_after_s`: break off after so many seconds of flight, 0: fly to the end.
    `busy`: default: twice beside none, then beside one for each core.
    """
    digests = {"in process": fly(scenario, seed, stop_after_s=stop_after_s).digest}
    for time, count in enumerate(busy or (0, 0, os.cpu_count() or 1), start=1):
        with hogs(count):
            digests[f"lockstep {time}, beside {count} busy"] = over_dds(scenario, seed, stop_after_s)
    return Comparison(scenario, seed, digests)


def over_dds(scenario: str, seed: int, stop_after_s: float) -> str:
    """Digest of a run in lockstep over DDS; empty where it did not come to its end."""
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        what = [scenario, "--seed", str(seed), "--stop-after", str(stop_after_s), "--no-record", "--out", str(out)]
        subprocess.run([sys.executable, "-m", "lander_tools.cli", "run", *what], stdout=subprocess.DEVNULL, check=False)
        return str(read_record(out)["digest"]) if (out / RUN_RECORD_FILE).exists() else ""


@contextmanager
def hogs(count: int) -> Iterator[None]:
    """So many processes that do nothing but take processor time."""
    with ExitStack() as stack:
        for _ in range(count):
            hog = stack.enter_context(subprocess.Popen([sys.executable, "-c", _HOG, str(os.getpid())]))
            stack.callback(hog.kill)
        yield


@click.command()
@click.option("--seeds", default=5, show_default=True, type=click.IntRange(min=1), help="Seeds 1 to this.")
@click.option("--scenario", "scenarios", multiple=True, metavar="NAME", help="Default: the four of the equality test.")
@click.option(
    "--stop-after", default=0.0, type=click.FloatRange(min=0.0), metavar="SECONDS", help="Of flight; 0: its end."
)
def command(seeds: int, scenarios: Sequence[str], stop_after: float) -> None:
    """Compare digests: in process, in lockstep over DDS, again, and with every core kept busy. Exit status 1 if any differ."""
    console, failed = Console(), 0
    table = Table("scenario", "seed", "digest", "equal", title="One digest for every way to run")
    for scenario in scenarios or SCENARIOS:
        for seed in range(1, seeds + 1):
            found = compare(scenario, seed, stop_after)
            failed += not found.is_equal
            shown = next(iter(found.digests.values()))[:12] if found.is_equal else str(found.digests)
            console.print(f"{scenario} {seed}: {shown} {'equal' if found.is_equal else 'DIFFERENT'}", highlight=False)
            table.add_row(scenario, str(seed), shown, "yes" if found.is_equal else "NO")
    console.print(table)
    sys.exit(bool(failed))
