"""The command `./lander history`."""

from __future__ import annotations

import os
from collections.abc import Sequence
from pathlib import Path

import click

from lander_runtime.config import ConfigError
from lander_tools.campaign.flights import Flight, FlightsError, Task, read_flights
from lander_tools.campaign.fly_tasks import fly_missing, landings
from lander_tools.history import document, page
from lander_tools.project import project_root


@click.command()
@click.option("--seeds", default=1, show_default=True, type=click.IntRange(min=1), help="Flights of each logic.")
@click.option("--only", default="", metavar="NAME,...", help="Scenarios to fly. Default: all of history.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1), help="At a time.")
@click.option("--out", default=Path("runs/history"), show_default=True, type=click.Path(path_type=Path))
@click.option(
    "--keep/--anew", default=False, help="Keep the flights that --out has from before, and fly what is missing."
)
@click.option("--document/--no-document", "write_document", default=True, help="Write docs/history.md, too.")
def command(seeds: int, only: str, jobs: int, out: Path, keep: bool, write_document: bool) -> None:
    """Fly the landings of history with the software of then and with ours, and tell what came of them.

    Writes a page (index.html in --out) that opens offline, and docs/history.md.
    """
    try:
        for number, of, flight in fly_missing(_tasks(seeds, only), out, keep, jobs):
            click.echo(f"{number}/{of} {flight.scenario}, {flight.logic}, seed {flight.seed}: {flight.outcome}")
        flights = _told(read_flights(out))
    except (ConfigError, FlightsError) as error:
        raise click.ClickException(str(error)) from None
    click.echo(page.write(landings(), flights, out))
    if write_document:
        click.echo(document.write(landings(), flights, out, project_root() / "docs"))


def _told(flights: Sequence[Flight]) -> list[Flight]:
    """Those that flew the scenarios as they are, in order."""
    return sorted((flight for flight in flights if not flight.task.changes), key=lambda flight: flight.task)


def _tasks(seeds: int, only: str) -> list[Task]:
    """Heritage first, then ours, seed by seed. Raises UsageError for what is not a landing of history."""
    told = landings()
    names = only.split(",") if only else list(told)
    unknown = [name for name in names if name not in told]
    if unknown:
        raise click.UsageError(f"--only {unknown[0]}: not a landing of history; there are: {', '.join(told)}")
    logics = {name: ("heritage", "frigoris") if told[name].heritage else ("frigoris",) for name in names}
    return [Task(name, logic, seed) for seed in range(1, seeds + 1) for name in names for logic in logics[name]]
