"""`./lander run`: fly a scenario, over DDS or in this process, and judge it."""

from __future__ import annotations

import os
import shutil
import sys
import time
from collections.abc import Collection, Mapping, Sequence
from contextlib import nullcontext, suppress
from dataclasses import dataclass
from datetime import datetime, timezone
from pathlib import Path
from typing import Any, get_args

import click

from lander_common.mission import Mission, resolve
from lander_common.scenario import Logic
from lander_runtime.checkpoint import FOLDER as CHECKPOINTS
from lander_runtime.conductor import RunRecord, read_record
from lander_runtime.config import ConfigError, split_setting
from lander_tools import run_folder, verdict
from lander_tools.bag import Bag, BagError
from lander_tools.detections import DetectionLog, recorded
from lander_tools.launch_display import display
from lander_tools.launch_file import LaunchError, plan
from lander_tools.launch_runner import NoFreeDomainError, Outcome, free_domain, isolated, launch
from lander_tools.project import project_root, version
from lander_tools.run_folder import RunFolder, RunFolderError
from lander_tools.verdict import NOTHING_FOUND, Found, Verdict, VerdictError

LAUNCH_FILE = Path("launch") / "descent.launch.yaml"
TRANSPORTS = ("lockstep", "wall-clock", "in-process")
LOGICS = get_args(Logic)
LOCKSTEP, REAL_TIME = 0.0, 1.0  # rates
FAILED_TO_RUN = 2  # exit status


OPTIONAL_NODES = ("camera", "trn", "hazards")  # an argument of the launch file each: whether the scenario has it


@dataclass(frozen=True)
class Request:
    """What is to be flown, and how."""

    scenario: str
    seed: int
    rate: float
    transport: str
    choices: Mapping[str, str]
    settings: Mapping[str, str]
    record: bool
    report: bool = True
    stop_after_s: float = 0.0
    domain: int | None = None

    def arguments(self, folder: Path, members: Collection[str]) -> dict[str, str]:
        """The arguments of the launch file; `members`: the nodes of the scenario."""
        return {
            "scenario": self.scenario,
            "seed": str(self.seed),
            "rate": str(self.rate),
            **self.choices,
            "settings": "\n".join(f"{key}={value}" for key, value in self.settings.items()),
            "record": str(self.record).lower(),
            **{name: str(name in members).lower() for name in OPTIONAL_NODES},
            "stop_after": str(self.stop_after_s),
            "out": str(folder),
        }


@click.command()
@click.argument("scenario", default="", required=False)
@click.option("--scenario", "named", metavar="NAME", help="The same as the argument. Default: nominal.")
@click.option("--seed", default=1, show_default=True, type=click.IntRange(min=0), help="Seed of every random draw.")
@click.option("--transport", type=click.Choice(TRANSPORTS), help="Default: lockstep, or wall-clock with --rate.")
@click.option("--rate", type=click.FloatRange(min=0.0), help="Times real time; 0 means lockstep, as fast as possible.")
@click.option("--vehicle", default="", metavar="NAME", help="A name under config/vehicle. Default: the scenario's.")
@click.option("--site", default="", metavar="NAME", help="A name under config/site. Default: the scenario's.")
@click.option("--start", default="", metavar="NAME", help="powered_descent or deorbit. Default: the scenario's.")
@click.option("--logic", type=click.Choice(LOGICS), help="Which flight software flies. Default: the scenario's.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option("--record/--no-record", default=True, show_default=True, help="Record a bag.")
@click.option("--report/--no-report", default=True, show_default=True, help="Draw the report of what was recorded.")
@click.option(
    "--stop-after", default=0.0, type=click.FloatRange(min=0.0), metavar="SECONDS", help="Of flight; 0: its end."
)
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/<time>-<scenario>-<seed>.")
@click.option("--domain", type=click.IntRange(0, 232), help="ROS_DOMAIN_ID of the run. Default: a free one.")
def command(
    scenario: str,
    named: str | None,
    seed: int,
    transport: str | None,
    rate: float | None,
    logic: str | None,
    settings: Sequence[str],
    record: bool,
    report: bool,
    stop_after: float,
    out: Path | None,
    domain: int | None,
    **choices: str,
) -> None:
    """Fly SCENARIO (a name under config/scenario, or a .yaml file) and judge the landing.

    The last line is the verdict. Exit status: 0 landed or safely aborted, 1 lost, 2 could not run.
    """
    transport, rate = choose_transport(transport, rate)
    request = Request(
        scenario=named or scenario or "nominal",
        seed=seed,
        rate=rate,
        transport=transport,
        choices=choices,
        settings=split_settings(settings) | logic_setting(logic),
        record=record,
        report=report,
        stop_after_s=stop_after,
        domain=domain,
    )
    sys.exit(run(request, out))


def choose_transport(transport: str | None, rate: float | None) -> tuple[str, float]:
    """Transport and rate that the two options mean together. Raises UsageError where they contradict each other."""
    if transport is None:
        transport = "wall-clock" if rate else "lockstep"
    if transport == "wall-clock":
        if rate == 0.0:
            raise click.UsageError("--rate 0 means lockstep: leave --transport wall-clock out, or give another rate")
        return transport, REAL_TIME if rate is None else rate
    if rate:
        raise click.UsageError(f"--rate {rate:g} needs --transport wall-clock, not {transport}")
    return transport, LOCKSTEP


def logic_setting(logic: str | None) -> dict[str, str]:
    """The setting that an option --logic stands for."""
    return {} if logic is None else {"scenario.logic": logic}


def split_settings(settings: Sequence[str]) -> dict[str, str]:
    """`key=value` texts as a mapping. Raises UsageError."""
    try:
        return dict(map(split_setting, settings))
    except ConfigError as error:
        raise click.UsageError(str(error)) from None


def run(request: Request, out: Path | None) -> int:
    """Fly, write the verdict, say it; return the exit status."""
    try:
        judged = fly(request, out)
    except (ConfigError, RunFolderError) as error:
        click.echo(f"{error}\nFAILED TO RUN: nothing was started", err=True)
        return FAILED_TO_RUN
    click.echo(judged)
    return judged.exit_status


def fly(request: Request, out: Path | None) -> Verdict:
    """Fly, and leave a run folder with the verdict. Raises ConfigError or RunFolderError where nothing can be started."""
    from lander_tools.maps import ensure_maps  # compiled code, which --help does without

    mission = resolve(request.scenario, request.seed, request.choices, request.settings)
    ensure_maps(mission)
    runs, now = project_root() / "runs", datetime.now(timezone.utc)
    folder = run_folder.create(out and out.resolve(), mission.scenario.name, request.seed, now, runs)
    folder.write_config(mission.resolved())
    click.echo(f"run folder: {folder.path}")
    about = {
        "scenario": mission.scenario.name,
        "logic": mission.scenario.logic,
        "seed": request.seed,
        "transport": request.transport,
        "version": version(),
    }
    transport = fly_in_process if request.transport == "in-process" else fly_over_dds
    judged = transport(request, mission, folder, about)
    try:
        verdict.write(judged, folder.verdict)
    except VerdictError as error:
        click.echo(error, err=True)
    if request.report and folder.bag.exists():
        draw_report(folder)
    return judged


def fly_over_dds(request: Request, _mission: Mission, folder: RunFolder, about: Mapping[str, Any]) -> Verdict:
    """Launch the nodes and wait for their end; return the verdict."""
    try:
        members = resolve(request.scenario, request.seed).scenario.members
        plans = plan(project_root() / LAUNCH_FILE, request.arguments(folder.path, members), os.environ)
        with nullcontext(request.domain) if request.domain is not None else free_domain() as domain:
            click.echo(f"to listen: export ROS_DOMAIN_ID={domain} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST")
            with display(sys.stdout) as shown:
                environment = isolated(os.environ, domain, folder.logs)
                outcome = launch(plans, environment, shown, folder.logs, spare_for(request, folder))
    except (LaunchError, NoFreeDomainError) as error:
        return verdict.failed_to_run(str(error), **about)
    shutil.rmtree(folder.path / CHECKPOINTS, ignore_errors=True)  # nobody comes back any more
    record: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        record = read_record(folder.path)
    if not record:
        return verdict.failed_to_run(f"{why_unfinished(outcome)}; see {folder.logs}", **about)
    return verdict_on(folder, record, about)


def spare_for(request: Request, folder: RunFolder) -> list[str]:
    """The command line of a process that is ready to replace one that dies; by the wall clock nobody waits for a new one."""
    if request.transport != "wall-clock":
        return []
    return [sys.executable, "-m", "lander_tools.spare", str(folder.config), str(request.seed)]


def verdict_on(
    folder: RunFolder, record: Mapping[str, Any], about: Mapping[str, Any], found: Found = NOTHING_FOUND
) -> Verdict:
    """The verdict from what was counted (`RunRecord.summary()`, and the result) and recorded.

    `found`: for a flight that was not recorded.
    """
    if kept_up := verdict.pace(record):
        click.echo(kept_up)
    if not record["result"]:
        why = f"broken off after {record['sim_time_s']:.1f} s of flight"
        return verdict.failed_to_run(why, verdict.is_degraded(record), **about)
    with suppress(BagError), Bag(folder.bag) as bag:
        return verdict.compose(record["result"], record, verdict.altitude_error_m(bag), recorded(bag), **about)
    return verdict.compose(record["result"], record, None, found, **about)


def why_unfinished(outcome: Outcome) -> str:
    """Why the nodes left no record of the run."""
    if outcome.interrupted:
        return "interrupted"
    return f"{outcome.ended_by or 'all nodes'} ended before the landing"


def fly_in_process(request: Request, mission: Mission, folder: RunFolder, about: Mapping[str, Any]) -> Verdict:
    """Fly in this process, without ROS; return the verdict."""
    from lander_runtime.messages import plain
    from lander_tools.fly import fly_mission

    begin, log = time.monotonic(), DetectionLog()
    bag = folder.bag if request.record else None
    flight = fly_mission(mission, [log.observe], bag, request.stop_after_s)
    counts = RunRecord(flight.ticks, flight.sim_time_s, time.monotonic() - begin, flight.digest)
    counts.nodes_lost += flight.nodes_lost
    if flight.recording_failure:
        click.echo(flight.recording_failure, err=True)
    result = plain(flight.result) if flight.result else {}
    try:
        counts.write(folder.path, LOCKSTEP, result)
    except OSError as error:
        click.echo(f"the run is over, but its record cannot be written: {error}", err=True)
    return verdict_on(folder, counts.summary() | {"result": result}, about, log.found())


def draw_report(folder: RunFolder) -> None:
    """Draw the report of a run, and say where it is. A report that cannot be drawn does not change the verdict."""
    from lander_tools.report import write_report

    try:
        click.echo(f"report: {write_report(folder)}")
    except (BagError, OSError) as error:
        click.echo(f"no report: {error}", err=True)
