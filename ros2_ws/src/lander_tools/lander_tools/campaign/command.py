"""The command `./lander campaign`."""

from __future__ import annotations

import json
import os
import statistics
import sys
from collections.abc import Mapping, Sequence
from math import sqrt
from pathlib import Path
from typing import get_args

import click
from rich.console import Console

from lander_common.mission import resolve
from lander_common.scenario import Logic, Scenario
from lander_runtime.config import ConfigError
from lander_tools.campaign.flights import Flight, FlightsError, Task, read_flights
from lander_tools.campaign.fly_tasks import fly_missing, mission_of, scenarios
from lander_tools.campaign.score import score_all
from lander_tools.campaign.tables import markdown, of_flights, of_scores
from lander_tools.optimum import propellant_bound

LOGICS: tuple[str, ...] = get_args(Logic)
BOTH = "both"
_WIDTH = 200  # where the output is no terminal


@click.command()
@click.argument("names", metavar="[SCENARIO]...", nargs=-1)
@click.option("--all", "every", is_flag=True, help="Every scenario under config/scenario.")
@click.option("--seeds", default="1-20", show_default=True, help="One, a range, or several: 1-20, 3,5,8.")
@click.option("--start", default="", metavar="NAME", help="powered_descent or deorbit. Default: the scenario's.")
@click.option("--logic", default=LOGICS[0], show_default=True, type=click.Choice([*LOGICS, BOTH]), help="What flies.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1), help="At a time.")
@click.option("--out", default=Path("runs/campaign"), show_default=True, type=click.Path(path_type=Path))
@click.option("--keep/--anew", default=False, help="Count flights that --out has from before: go on with a campaign.")
def command(
    names: Sequence[str],
    every: bool,
    seeds: str,
    start: str,
    logic: str,
    settings: Sequence[str],
    jobs: int,
    out: Path,
    keep: bool,
) -> None:
    """Fly every SCENARIO (default: nominal) with every seed, and say how they ended and what was found how soon.

    Leaves campaign.json and campaign.md in --out, and flights.jsonl, from which `./lander history --keep` makes its page.
    """
    from lander_tools.run import split_settings

    chosen = ({"start": start} if start else {}) | split_settings(settings)
    changes = "\n".join(f"{key}={value}" for key, value in chosen.items())
    try:
        flown = _chosen(names, every)
        tasks = _tasks(flown, LOGICS if logic == BOTH else (logic,), parse_seeds(seeds), changes)
        for number, of, flight in fly_missing(tasks, out, keep, jobs):
            click.echo(
                f"{number}/{of} {flight.scenario}, {flight.logic}, seed {flight.seed}: {flight.outcome}", err=True
            )
        wanted = set(tasks)
        flights = [flight for flight in read_flights(out) if flight.task in wanted]
    except (ConfigError, FlightsError) as error:
        raise click.ClickException(str(error)) from None
    _tell(sorted(flights, key=lambda flight: flight.task), out)


def parse_seeds(text: str) -> list[int]:
    """Seeds of `1-20` or `3,5,8`. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise click.UsageError(f"--seeds {text}: expected numbers and ranges, such as 1-20 or 3,5,8")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def _chosen(names: Sequence[str], every: bool) -> dict[str, Scenario]:
    """The scenarios that are asked for, by the names that they are flown by. Raises UsageError, ConfigError."""
    if every and names:
        raise click.UsageError(f"--all flies every scenario: leave {' '.join(names)} out")
    if every:
        return scenarios()
    return {name: resolve(name, 0).scenario for name in names or ("nominal",)}


def _tasks(flown: Mapping[str, Scenario], logics: Sequence[str], seeds: Sequence[int], changes: str) -> list[Task]:
    """Seed by seed, so that a campaign that is stopped has flown all scenarios about as often."""
    return [
        Task(name, logic, seed, changes)
        for seed in seeds
        for name, scenario in flown.items()
        for logic in logics
        if logic != "heritage" or scenario.heritage or len(logics) == 1
    ]


def _tell(flights: Sequence[Flight], out: Path) -> None:
    """Print and write what came of the flights, which are sorted by what was flown."""
    scores = score_all(flights)
    (out / "campaign.json").write_text(json.dumps([each.model_dump() for each in scores], indent=2) + "\n")
    (out / "campaign.md").write_text(markdown(scores), encoding="utf-8")
    console = Console(width=None if sys.stdout.isatty() else _WIDTH)
    if len(scores) == 1:
        console.print(of_flights(flights).rich())
        for line in summary(flights, propellant_bound(mission_of(flights[0].task)).propellant_kg):
            click.echo(line)
    for grid in of_scores(scores):
        console.print(grid.rich())
    click.echo(out / "campaign.md")


def summary(flights: Sequence[Flight], bound_kg: float) -> list[str]:
    """Propellant and accuracy of those that touched down, for people."""
    landings = [flight for flight in flights if flight.touched_down]
    if not landings:
        return []
    used = statistics.median(flight.propellant_used_kg for flight in landings)
    misses = [flight.miss_m for flight in landings]
    rms = sqrt(statistics.fmean(miss**2 for miss in misses))
    return [
        f"propellant: median {used:.1f} kg, {used / bound_kg:.3f} of the fuel-optimal bound of {bound_kg:.1f} kg",
        f"miss: median {statistics.median(misses):.0f} m, rms {rms:.0f} m, worst {max(misses):.0f} m",
    ]
