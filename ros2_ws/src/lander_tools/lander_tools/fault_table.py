"""`./lander fault-table`: each flight node killed once and hung once, at three moments of the landing; what lands and what does not."""

from __future__ import annotations

import multiprocessing
import subprocess
import sys
import tempfile
from collections.abc import Collection, Iterator, Sequence
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import click

from lander_common.fault_plan import fault_plan
from lander_common.mission import resolve
from lander_runtime.conductor import read_record
from lander_runtime.faults import FaultPlan
from lander_runtime.messages import GuidanceCommand, Message
from lander_runtime.subsystem import Tick
from lander_tools import markdown, verdict
from lander_tools.bag import BagError
from lander_tools.fly import fly
from lander_tools.in_process import InProcessFlight
from lander_tools.launch_runner import describe_status
from lander_tools.recover import recover
from lander_tools.verdict import VerdictError

BY_RESPAWN = ("imu", "navigation", "guidance", "throttle")  # nodes without which nothing flies
WITHOUT = ("rangefinder", "camera", "trn", "health", "payload_manager")  # nodes that the landing must do without
RECORDER = "recorder"  # a node over DDS only
KILL = "kill"
NOMINAL = "nominal"  # whose table of a transport needs no other name
DOWN_S, HANG_S = 1.0, 2.0
LOW_M = 200.0
BEGIN, END = "<!-- table {} -->", "<!-- end of table -->"


@dataclass(frozen=True)
class Case:
    """A node and what befalls it."""

    node: str
    kind: str
    parameters: str

    def setting(self, times: Sequence[float]) -> tuple[str, str]:
        """Key and value of the configuration that make it happen at these times; what is gone for good goes at the first."""
        if self.kind == KILL:
            times = times[:1]
        what = f"subject: {self.node}, kind: {self.kind}{self.parameters}"
        return "scenario.faults", "[" + ", ".join(f"{{at_s: {at_s:.2f}, {what}}}" for at_s in times) + "]"

    @property
    def title(self) -> str:
        """For people."""
        return {
            KILL: "killed, gone for good",
            "restart": f"killed, a new process after {DOWN_S:g} s",
            "hang": f"hangs for {HANG_S:g} s",
        }[self.kind]


def cases(members: Collection[str]) -> list[Case]:
    """The rows of the table for these members of a run."""
    respawned = [Case(node, "restart", f", down_s: {DOWN_S}") for node in BY_RESPAWN]
    dead = [Case(node, KILL, "") for node in (*WITHOUT, RECORDER)]
    hung = [Case(node, "hang", f", duration_s: {HANG_S}") for node in (*BY_RESPAWN, *WITHOUT)]
    return [case for case in (*respawned, *dead, *hung) if case.node in members]


class Moments:
    """An observer that finds the three moments of a flight: in the middle of braking, in the pitch-up, at 200 m."""

    def __init__(self) -> None:
        self._begun: dict[int, float] = {}  # phase -> time, s
        self._low_s = 0.0

    def observe(self, tick: Tick, key: str, message: Message, _data: bytes) -> None:
        """An observer of `lander_runtime.inprocess`."""
        if key == "guidance_command":
            self._begun.setdefault(int(message.phase), tick.time_s)
        elif key == "truth" and not self._low_s and message.altitude_m < LOW_M:
            self._low_s = tick.time_s

    def found(self) -> dict[str, float]:
        """The moments by their names, s."""
        braking, pitch_up, terminal = (
            self._begun[phase]
            for phase in (GuidanceCommand.BRAKING, GuidanceCommand.PITCH_UP, GuidanceCommand.TERMINAL)
        )
        return {
            "braking": 0.5 * (braking + pitch_up),
            "pitch-up": 0.5 * (pitch_up + terminal),
            f"{LOW_M:g} m": self._low_s,
        }


def ends_in_process(scenario: str, seed: int, rows: Sequence[Case], times: Sequence[float]) -> dict[Case, list[str]]:
    """How each case ends at each moment. All branch off from one flight: a copy of this process flies each to its end."""
    flight = InProcessFlight(resolve(scenario, seed))
    ends: dict[Case, list[str]] = {case: [] for case in rows}
    for at_s in times:
        while flight.tick.time_s < at_s - 1.0:
            flight.step()
        for case, found in ends.items():
            click.echo(f"{at_s:.0f} s: {case.node} {case.title}", err=True)
            found.append(_branch(flight, fault_plan(resolve(scenario, seed, settings=dict([case.setting([at_s])])))))
    return ends


def ends_over_dds(
    scenario: str, seed: int, rows: Sequence[Case], flown: Sequence[Sequence[float]], how: Sequence[str], jobs: int
) -> dict[Case, list[str]]:
    """The same over DDS, so many flights at a time, each in processes and a DDS domain of its own.

    `flown`: the moments of each flight of a row."""
    with ThreadPoolExecutor(jobs) as pool:
        flights = {
            case: [pool.submit(end_over_dds, scenario, seed, case, times, how) for times in flown] for case in rows
        }
        return {case: [flight.result() for flight in row] for case, row in flights.items()}


def _branch(flight: InProcessFlight, plan: FaultPlan) -> str:
    context = multiprocessing.get_context("fork")
    told: multiprocessing.SimpleQueue[str] = context.SimpleQueue()
    copy = context.Process(target=_fly_on, args=(flight, plan, told))
    copy.start()
    copy.join()
    return told.get() if copy.exitcode == 0 else f"broke down ({describe_status(copy.exitcode or 0)})"


def _fly_on(flight: InProcessFlight, plan: FaultPlan, told: multiprocessing.SimpleQueue[str]) -> None:
    flight.strike(plan)
    while not flight.finished:
        flight.step()
    result = flight.outcome().result
    assert result is not None
    speeds = (result.vertical_speed_m_s, result.horizontal_speed_m_s, result.miss_m)
    told.put(_words(result.outcome, speeds if result.touched_down else None))


def end_over_dds(scenario: str, seed: int, case: Case, times: Sequence[float], how: Sequence[str]) -> str:
    """How a flight ends over DDS in which the case happens at these times; `how`: options of `./lander run`."""
    recorded = case.node == RECORDER
    with tempfile.TemporaryDirectory() as folder:
        out = Path(folder) / "run"
        setting = "=".join(case.setting(times))
        what = [scenario, "--seed", str(seed), "--set", setting, "--out", str(out), *how]
        what += ["--record" if recorded else "--no-record"]
        subprocess.run([sys.executable, "-m", "lander_tools.cli", "run", *what], capture_output=True, check=False)
        try:
            told = verdict.read(out / "verdict.json")
        except VerdictError as error:
            return str(error)
        more = by_the_clock(out) if told.transport == "wall-clock" else ""
        more += _bag_until(out) if recorded else ""
    at = told.touchdown
    words = _words(told.outcome, (at.vertical_speed_m_s, at.horizontal_speed_m_s, at.miss_m) if at else None)
    return words + (" (degraded)" if told.degraded else "") + more


def by_the_clock(run: Path) -> str:
    """For how long nodes were away, and how many deadlines were missed, from the record of a run."""
    record = read_record(run)
    away = [f"{lost['back_s'] - lost['time_s']:.2f}" for lost in record["nodes_lost"] if lost["back_s"] is not None]
    told = f"; away {', '.join(away)} s" if away else ""
    return f"{told}; {record['deadline_misses']} deadlines missed, {record['misses_in_a_row']} in a row"


def _bag_until(run: Path) -> str:
    """Up to when the bag of a run whose recorder was killed can be read."""
    try:
        return f"; bag readable up to {recover(run).end_s:.0f} s"
    except BagError as error:
        return f"; {error}"


def _words(outcome: str, touchdown: tuple[float, float, float] | None) -> str:
    if touchdown is None:
        return outcome
    down, across, miss = touchdown
    return f"{outcome}: {down:.1f} m/s down, {across:.1f} across, {miss:.0f} m off"


@dataclass(frozen=True)
class Request:
    """Which flights of which rows."""

    scenario: str
    seed: int
    transport: str
    rate: float
    nodes: Collection[str] = ()  # of the rows; all if empty
    kinds: Collection[str] = ()  # the same
    together: bool = False  # one flight of each row, in which it happens at every moment
    jobs: int = 1

    def rows(self) -> list[Case]:
        """The rows of the table."""
        over_dds = [] if self.transport == "in-process" else [RECORDER]
        members = [*resolve(self.scenario, self.seed).scenario.members, *over_dds]
        return [
            case
            for case in cases(members)
            if (not self.nodes or case.node in self.nodes) and (not self.kinds or case.kind in self.kinds)
        ]

    def moments(self) -> dict[str, float]:
        """The moments of an undisturbed flight by their names, s."""
        moments = Moments()
        fly(self.scenario, self.seed, observers=[moments.observe])
        return moments.found()

    def ends(self, rows: Sequence[Case], flown: Sequence[Sequence[float]]) -> dict[Case, list[str]]:
        """How each row ends in each flight; `flown`: the moments of each flight."""
        if self.transport == "in-process":
            return ends_in_process(self.scenario, self.seed, rows, [at_s for (at_s,) in flown])
        how = ["--transport", self.transport, *(["--rate", str(self.rate)] if self.transport == "wall-clock" else [])]
        return ends_over_dds(self.scenario, self.seed, rows, flown, how, self.jobs)


def table(request: Request) -> Iterator[str]:
    """The lines of the table in Markdown."""
    moments, rows = request.moments(), request.rows()
    titles = [f"{name} ({at_s:.0f} s)" for name, at_s in moments.items()]
    flown = [[at_s] for at_s in moments.values()]
    if request.together:
        titles, flown = ["in one flight at " + ", ".join(titles)], [list(moments.values())]
    paced = f" at rate {request.rate:g}" if request.transport == "wall-clock" else ""
    how = " What comes back is struck at every moment, what is gone for good at the first." if request.together else ""
    yield f"Scenario `{request.scenario}`, seed {request.seed}, {request.transport}{paced}.{how}"
    yield ""
    ends = request.ends(rows, flown)
    yield markdown.table(["node", "what happens", *titles], [[case.node, case.title, *ends[case]] for case in rows])


def put_into(page: Path, name: str, lines: Sequence[str]) -> None:
    """Replace the table of a name in a page. Raises ValueError where the page has no place for it."""
    text = page.read_text(encoding="utf-8")
    head, begin, rest = text.partition(BEGIN.format(name))
    _, end, tail = rest.partition(END)
    if not begin or not end:
        raise ValueError(f"{page} has no {BEGIN.format(name)} ... {END}")
    page.write_text("\n".join([head + begin, *lines, end + tail]), encoding="utf-8")


@click.command()
@click.option("--scenario", default=NOMINAL, show_default=True, metavar="NAME", help="What is flown.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of every random draw.")
@click.option(
    "--transport", default="in-process", show_default=True, type=click.Choice(["in-process", "lockstep", "wall-clock"])
)
@click.option("--rate", default=1.0, show_default=True, type=click.FloatRange(min=0.1), help="Of the wall clock.")
@click.option("--nodes", default="", metavar="NAMES", help="Of the rows, separated by commas. Default: all.")
@click.option("--kinds", default="", metavar="NAMES", help="Of the rows: restart, kill, hang. Default: all.")
@click.option(
    "--together", is_flag=True, help="One flight a row, over DDS: what comes back is struck at every moment of it."
)
@click.option("--jobs", default=1, show_default=True, type=click.IntRange(min=1), help="Flights at a time over DDS.")
@click.option("--page", type=click.Path(path_type=Path, exists=True), help="A page whose table is replaced.")
def command(page: Path | None, nodes: str, kinds: str, **choices: Any) -> None:
    """Kill and hang each flight node at three moments of the landing, and print how each flight ends."""
    request = Request(nodes=_names(nodes), kinds=_names(kinds), **choices)
    if request.together and request.transport == "in-process":
        raise click.UsageError("--together is for flights over DDS: give --transport lockstep or wall-clock")
    if not request.rows():
        raise click.UsageError("no row has these --nodes and --kinds: without them, all rows of the table are flown")
    lines = []
    for line in table(request):
        click.echo(line)
        lines.append(line)
    if page:
        name = request.transport if request.scenario == NOMINAL else f"{request.transport} {request.scenario}"
        put_into(page, name, lines)


def _names(text: str) -> list[str]:
    return [name for name in text.split(",") if name]
