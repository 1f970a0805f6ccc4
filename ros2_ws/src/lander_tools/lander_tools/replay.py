"""`./lander replay RUN`: feed what was recorded to the flight software again, and compare; or publish it over DDS."""

from __future__ import annotations

import os
import subprocess
import sys
import time
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from contextlib import suppress
from datetime import datetime, timezone
from pathlib import Path

import click
from rich.console import Console
from rich.table import Column, Table

from lander_common.mission import Mission, resolve
from lander_runtime.architecture import architecture
from lander_runtime.config import ConfigError, did_you_mean
from lander_runtime.messages import Message
from lander_runtime.subsystem import Tick
from lander_tools import run_folder, verdict
from lander_tools.bag import BagError
from lander_tools.flight_record import FlightRecord
from lander_tools.in_process import RunLog
from lander_tools.open_loop import OutputComparison, Replay, ReplayResult, flight_nodes
from lander_tools.project import project_root
from lander_tools.recorder import Recorder, RecorderFailed, description
from lander_tools.recover import CannotRun
from lander_tools.run import split_settings
from lander_tools.run_folder import RunFolder, RunFolderError
from lander_tools.verdict import VerdictError

EQUAL, DIFFERENT = 0, 1  # exit status; CannotRun has 2
_LEAST_WIDTH = 110  # columns, for tables that are not shown but piped


@click.command(name="replay", short_help="Feed a record to the flight software again, and compare.")
@click.argument("run", type=click.Path(path_type=Path))
@click.option("--nodes", default="", metavar="NAMES", help="Separated by commas. Default: all flight software.")
@click.option("--tolerance", type=click.FloatRange(min=0.0), help="Absolute below 1, relative above. Default: exact.")
@click.option("--scenario", default="", metavar="NAME", help="What was flown, where RUN does not say it.")
@click.option("--seed", type=click.IntRange(min=0), help="The seed of it, where RUN does not say it.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option(
    "--out", type=click.Path(path_type=Path), help="Run folder of the replay. Default: runs/<time>-replay-..."
)
@click.option("--record/--no-record", default=True, show_default=True, help="Write a bag with what the nodes say now.")
@click.option("--publish", is_flag=True, help="Publish RUN over DDS for other tools instead; space pauses.")
@click.option("--rate", default=1.0, show_default=True, type=click.FloatRange(min=0.001), help="Times real time.")
@click.option("--start-offset", default=0.0, type=click.FloatRange(min=0.0), metavar="SECONDS", help="To begin at.")
@click.option("--domain", type=click.IntRange(0, 232), help="ROS_DOMAIN_ID to publish in. Default: the shell's.")
def command(
    run: Path,
    nodes: str,
    tolerance: float | None,
    scenario: str,
    seed: int | None,
    settings: Sequence[str],
    out: Path | None,
    record: bool,
    publish: bool,
    rate: float,
    start_offset: float,
    domain: int | None,
) -> None:
    """Feed the recorded inputs of flight nodes to them again, as fast as possible, and compare every output.

    RUN: a run folder, or any rosbag2 with our topics (MCAP or sqlite3). Exit status: 0 all equal (within the
    tolerance), 1 something differs, 2 could not replay.
    """
    if publish:
        sys.exit(publish_over_dds(run, rate, start_offset, domain))
    try:
        with FlightRecord(run) as flown:
            mission = mission_of(run, flown, scenario, seed, split_settings(settings))
            replay = Replay(flown, mission, chosen(nodes, mission), tolerance)
            for note in notes(run, flown, replay):
                click.echo(note)
            result = replay_and_record(flown, mission, replay, out, record)
    except (BagError, ConfigError, RunFolderError) as error:
        raise CannotRun(str(error)) from None
    sys.exit(EQUAL if result.ok else DIFFERENT)


def mission_of(run: Path, flown: FlightRecord, scenario: str, seed: int | None, settings: Mapping[str, str]) -> Mission:
    """What was flown: from the options, the run folder, or what the bag says of itself.

    Raises ConfigError or CannotRun where none of them says it.
    """
    folder = folder_of(run)
    if folder and not scenario:
        recorded_seed = int(folder.read_config().get("seed", 0))
        return resolve(str(folder.config), recorded_seed if seed is None else seed, settings=settings)
    known = flown.bag.description
    scenario, seed_text = scenario or known.get("scenario", ""), known.get("seed", "") if seed is None else str(seed)
    if not scenario or not seed_text:
        raise CannotRun("this bag does not say what was flown: name its --scenario, --seed, and any --set")
    return resolve(scenario, int(seed_text), settings=settings)


def folder_of(run: Path) -> RunFolder | None:
    """The run folder that a path is, or that its bag lies in, if it has a configuration."""
    for path in (run, *run.resolve().parents[:2]):
        if path.is_dir() and RunFolder(path).config.is_file():
            return RunFolder(path)
    return None


def chosen(names: str, mission: Mission) -> list[str]:
    """The nodes to replay. Raises UsageError for one that is no flight software."""
    possible = flight_nodes(mission)
    wanted = [name.strip() for name in names.split(",")] if names else possible
    for name in wanted:
        if name not in possible:
            raise click.UsageError(f"--nodes {name}{did_you_mean(name, possible)}: there are {', '.join(possible)}")
    return wanted


def notes(run: Path, flown: FlightRecord, replay: Replay) -> Iterator[str]:
    """What a reader of the result must know of the record."""
    yield from flown.notes
    folder = folder_of(run)
    if folder:
        with suppress(VerdictError):
            if verdict.read(folder.verdict).transport == "wall-clock":
                yield "flown by the wall clock: inputs that came late then are in time now, and their outputs may differ"
    for name, reason in replay.left_out.items():
        yield f"{name} is not replayed: {reason}"


def replay_and_record(
    flown: FlightRecord, mission: Mission, replay: Replay, out: Path | None, record: bool
) -> ReplayResult:
    """Replay, say what came of it, write a bag if wanted. Raises CannotRun where there is nothing to replay."""
    if not replay.comparisons:
        raise CannotRun("no node can be replayed")
    now: dict[str, dict[int, list[bytes]]] = {key: defaultdict(list) for key in replay.comparisons}

    def keep(tick: Tick, key: str, _message: Message, data: bytes) -> None:
        now[key][tick.seq].append(data)

    began = time.perf_counter()
    result = replay.run(keep)
    wall_time_s = time.perf_counter() - began
    console = Console()
    console.width = max(console.width, _LEAST_WIDTH)
    console.print(table(result))
    if any(comparison.fields for comparison in result.comparisons.values()):
        console.print(field_table(result))
    if record:
        click.echo(f"run folder: {write_bag(flown, mission, now, out)}")
    for line in lines(result, flown.duration_s, wall_time_s):
        click.echo(line)
    return result


def table(result: ReplayResult) -> Table:
    """One row for each output of the replayed nodes; `close` is within the tolerance."""
    made = Table(Column("topic", no_wrap=True), "equal", "close", "different", "not recorded", "not replayed")
    for each in result.comparisons.values():
        counts = (each.equal, each.close, each.different, each.not_recorded, each.not_replayed)
        made.add_row(each.topic.name, *(str(count) for count in counts))
    return made


def field_table(result: ReplayResult) -> Table:
    """The fields that differ, each with its largest difference; of an array, the element with the largest."""
    made = Table(Column("field", no_wrap=True), "messages", "largest", "at tick", "recorded", "replayed")
    for comparison in result.comparisons.values():
        for found in comparison.fields.values():
            worst = found.worst
            made.add_row(
                f"{comparison.topic.name} {worst.field}",
                str(found.messages),
                f"{worst.size:.3g}",
                str(found.worst_tick),
                *(f"{value:.6g}" if isinstance(value, float) else str(value) for value in (worst.a, worst.b)),
            )
    return made


def lines(result: ReplayResult, duration_s: float, wall_time_s: float) -> Iterator[str]:
    """What came of it, for people; the last line is the verdict."""
    yield from result.failures
    nodes = dict.fromkeys(comparison.node for comparison in result.comparisons.values())
    speed = f"{duration_s:.1f} s in {wall_time_s:.1f} s ({duration_s / wall_time_s:.0f} x real time)"
    yield f"replayed {', '.join(nodes)}: {len(result.ticks)} ticks, {speed}"
    first = first_difference(result)
    if first:
        tick, difference = first.first or (0, None)
        yield f"first difference: tick {tick}, node {first.node}, {first.topic.name}, field {difference and difference.field}"
    if result.ok:
        yield f"EQUAL: all {result.compared} messages that could be compared"
    else:
        bad = sum(each.different + each.not_recorded + each.not_replayed for each in result.comparisons.values())
        yield f"DIFFERENT: {bad} messages, beside {result.compared} that were compared"


def first_difference(result: ReplayResult) -> OutputComparison | None:
    """The output that differs first."""
    apart = [comparison for comparison in result.comparisons.values() if comparison.first]
    return min(apart, key=lambda each: each.first[0], default=None)  # type: ignore[index]  # those without are left out


def write_bag(
    flown: FlightRecord, mission: Mission, now: Mapping[str, Mapping[int, Sequence[bytes]]], out: Path | None
) -> Path:
    """A run folder whose bag is the record, but with what the replayed nodes say now. Raises RunFolderError."""
    runs, began = project_root() / "runs", datetime.now(timezone.utc)
    folder = run_folder.create(out and out.resolve(), f"replay-{mission.scenario.name}", mission.seed, began, runs)
    folder.write_config(mission.resolved())
    about = description(mission) | {"replayed_from": str(flown.bag.path), "replayed_nodes": ",".join(now)}
    try:
        recorder = Recorder(folder.bag, about, _not_recorded)
    except RecorderFailed as failure:
        raise RunFolderError(str(failure)) from None
    log = RunLog(recorder.observe, lambda: False)
    catalogue = architecture()
    for tick in flown.ticks:
        for name in catalogue.nodes:
            for topic in catalogue.nodes[name].outputs:
                source = now[topic.key].get(tick.seq, ()) if topic.key in now else flown.of(topic.key, tick.seq)
                for data in source:
                    log.observe(tick, topic.key, flown.bag.decode(topic.name, data), data)
    recorder.close()
    return folder.path


def _not_recorded(failure: RecorderFailed) -> None:
    click.echo(failure, err=True)


def publish_over_dds(run: Path, rate: float, start_offset_s: float, domain: int | None) -> int:
    """Publish a record in a process of its own, which has ROS; return its exit status."""
    environment = dict(os.environ) if domain is None else os.environ | {"ROS_DOMAIN_ID": str(domain)}
    player = [sys.executable, "-m", "lander_tools.player_node", str(run), str(rate), str(start_offset_s)]
    return subprocess.run(player, env=environment, check=False).returncode
