"""The command `./lander history`."""

from __future__ import annotations

import os
from pathlib import Path

import click

from lander_tools.history import document, page
from lander_tools.history.record import Flight, append_flights, read_flights
from lander_tools.history.retell import Task, landings, retell
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
    kept = out / "flights.jsonl"
    if not keep:
        kept.unlink(missing_ok=True)
    flown = {flight.key for flight in read_flights(kept)}
    tasks = [task for task in _tasks(seeds, only) if tuple(task) not in flown]
    for number, flight in enumerate(retell(tasks, jobs), 1):
        append_flights(kept, [flight])
        click.echo(f"{number}/{len(tasks)} {flight.scenario}, {flight.logic}, seed {flight.seed}: {flight.outcome}")
    flights: list[Flight] = sorted(read_flights(kept), key=lambda flight: flight.key)
    click.echo(page.write(landings(), flights, out))
    if write_document:
        click.echo(document.write(landings(), flights, project_root() / "docs"))


def _tasks(seeds: int, only: str) -> list[Task]:
    """Heritage first, then ours, seed by seed. Raises UsageError for what is not a landing of history."""
    told = landings()
    names = only.split(",") if only else list(told)
    unknown = [name for name in names if name not in told]
    if unknown:
        raise click.UsageError(f"--only {unknown[0]}: not a landing of history; there are: {', '.join(told)}")
    logics = {name: ("heritage", "frigoris") if told[name].heritage else ("frigoris",) for name in names}
    return [Task(name, logic, seed) for seed in range(1, seeds + 1) for name in names for logic in logics[name]]
