"""`./lander run`: fly a scenario, over DDS or in this process, and judge it."""

from __future__ import annotations

import json
import os
import sys
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from importlib import import_module
from importlib.util import find_spec
from pathlib import Path
from typing import Any
from xml.etree import ElementTree

import click

from lander_common.mission import resolve
from lander_runtime.config import ConfigError
from lander_tools import run_folder, verdict
from lander_tools.launch_display import display
from lander_tools.launch_file import LaunchError, plan
from lander_tools.launch_runner import Outcome, free_domain, isolated, launch

LAUNCH_FILE = Path("launch") / "descent.launch.yaml"
TRANSPORTS = ("lockstep", "wall-clock", "in-process")
RUN_RECORD_FILE = "run_record.json"  # the conductor's counts and the result, as physics leaves them
REAL_TIME = 1.0


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
    domain: int | None = None

    def arguments(self, folder: Path) -> dict[str, str]:
        """The arguments of the launch file."""
        return {
            "scenario": self.scenario,
            "seed": str(self.seed),
            "rate": str(self.rate),
            **self.choices,
            "settings": "\n".join(f"{key}={value}" for key, value in self.settings.items()),
            "record": str(self.record).lower(),
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
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option("--record/--no-record", default=True, show_default=True, help="Record a bag and draw the report.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/<time>-<scenario>-<seed>.")
@click.option("--domain", type=click.IntRange(0, 232), help="ROS_DOMAIN_ID of the run. Default: a free one.")
def command(
    scenario: str,
    named: str | None,
    seed: int,
    transport: str | None,
    rate: float | None,
    settings: Sequence[str],
    record: bool,
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
        settings=split_settings(settings),
        record=record,
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
    return transport, 0.0


def split_settings(settings: Sequence[str]) -> dict[str, str]:
    """`key=value` texts as a mapping. Raises UsageError."""
    split = {}
    for text in settings:
        key, equals, value = text.partition("=")
        if not key or not equals:
            raise click.UsageError(f"--set {text}: expected KEY=VALUE, such as navigation.gate_sigma=4")
        split[key] = value
    return split


def run(request: Request, out: Path | None) -> int:
    """Fly, write the verdict, say it; return the exit status."""
    try:
        mission = resolve(request.scenario, request.seed, request.choices, request.settings)
        folder = run_folder.create(request.scenario, request.seed, out)
    except (ConfigError, OSError) as error:
        click.echo(f"{error}\nfailed to run: nothing was started", err=True)
        return verdict.FAILED_TO_RUN
    description = {
        "scenario": mission.scenario.name,
        "logic": mission.scenario.logic,
        "seed": request.seed,
        "transport": request.transport,
        "version": version(),
    }
    click.echo(f"run folder: {folder}")
    fly = fly_in_process if request.transport == "in-process" else fly_over_dds
    judged = fly(request, folder, description)
    verdict.write(folder, judged)
    if request.record and (folder / "bag").exists():
        draw_report(folder)
    click.echo(verdict.describe(judged))
    return verdict.exit_status(judged)


def fly_over_dds(request: Request, folder: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """Launch the nodes and wait for their end; return the verdict."""
    path = run_folder.project_root() / LAUNCH_FILE
    try:
        plans = plan(path, request.arguments(folder), os.environ)
        if request.domain is not None:
            outcome = launch_in(request.domain, plans, folder)
        else:
            with free_domain() as domain:
                outcome = launch_in(domain, plans, folder)
    except (LaunchError, RuntimeError) as error:
        return verdict.failure(description, str(error))
    return verdict_on(folder, outcome, description)


def launch_in(domain: int, plans: Sequence[Any], folder: Path) -> Outcome:
    """Run the nodes in a DDS domain."""
    click.echo(
        f"ROS_DOMAIN_ID={domain} ROS_AUTOMATIC_DISCOVERY_RANGE=LOCALHOST, for other ROS tools that want to listen"
    )
    logs = folder / "log"
    with display(sys.stdout) as shown:
        return launch(plans, isolated(os.environ, domain, logs), shown, logs)


def verdict_on(folder: Path, outcome: Outcome, description: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict from what the nodes left in the run folder."""
    record: dict[str, Any] = {}
    with suppress(OSError, ValueError):
        record = json.loads((folder / RUN_RECORD_FILE).read_text(encoding="utf-8"))
    if record.get("result"):
        return verdict.judge(description, record, record["result"])
    if outcome.interrupted:
        return verdict.failure(description, "interrupted")
    culprit = f"{outcome.ended_by} ended before the landing was judged; see {folder / 'log'}"
    return verdict.failure(description, culprit)


def fly_in_process(request: Request, folder: Path, description: Mapping[str, Any]) -> dict[str, Any]:
    """Fly in this process, without ROS; return the verdict."""
    from lander_runtime.messages import plain
    from lander_tools.fly import fly

    begin = time.monotonic()
    flight = fly(request.scenario, request.seed, request.choices, request.settings)
    wall_time_s = time.monotonic() - begin
    record = {
        "sim_time_s": flight.sim_time_s,
        "wall_time_s": wall_time_s,
        "real_time_factor": flight.sim_time_s / wall_time_s,
        "digest": flight.digest,
    }
    return verdict.judge(description, record, plain(flight.result))


def draw_report(folder: Path) -> None:
    """Draw the report of a run, and say where it is."""
    if find_spec("lander_tools.report"):
        click.echo(f"report: {import_module('lander_tools.report').write_report(folder)}")


def version() -> str:
    """The version of the software, from its package manifest."""
    manifest = ElementTree.parse(Path(__file__).resolve().parents[1] / "package.xml")
    return str(manifest.findtext("version"))
