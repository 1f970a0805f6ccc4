"""`./lander refly RUN --set KEY=VALUE`: fly a run again, closed loop, from its own configuration with a change."""

from __future__ import annotations

import sys
from collections.abc import Sequence
from pathlib import Path

import click
from rich.console import Console
from rich.table import Table

from lander_runtime.config import ConfigError
from lander_tools import run_folder, verdict
from lander_tools.recover import CannotRun
from lander_tools.run import Request, fly, split_settings
from lander_tools.run_folder import RunFolderError
from lander_tools.verdict import Verdict, VerdictError

_FIGURES = (
    "vertical_speed_m_s",
    "horizontal_speed_m_s",
    "tilt_deg",
    "rate_deg_s",
    "slope_deg",
    "miss_m",
    "altitude_error_m",
    "time_s",
)  # of a touchdown


@click.command(name="refly", short_help="Fly a run again with a change, and compare the verdicts.")
@click.argument("flown", metavar="RUN", type=click.Path(path_type=Path))
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option("--seed", type=click.IntRange(min=0), help="Another seed. Default: the run's.")
@click.option("--out", type=click.Path(path_type=Path), help="Run folder. Default: runs/<time>-<scenario>-<seed>.")
@click.option("--record/--no-record", default=True, show_default=True, help="Record a bag and draw the report.")
@click.option("--transport", type=click.Choice(["in-process", "lockstep"]), default="in-process", show_default=True)
def command(
    flown: Path, settings: Sequence[str], seed: int | None, out: Path | None, record: bool, transport: str
) -> None:
    """Fly RUN, a run folder, again from the configuration and the seed that it kept, with the changes.

    What config/ says by now has no bearing on it. Prints both verdicts side by side; exit status as of `run`.
    """
    try:
        before = run_folder.open_run(flown)
        config = before.read_config()
        then = verdict.read(before.verdict)
    except (RunFolderError, VerdictError, ConfigError) as error:
        raise CannotRun(str(error)) from None
    if not config:
        raise CannotRun(f"{flown} has no {before.config.name}: how it was flown is not known")
    changes = split_settings(settings)
    request = Request(
        scenario=str(before.config.resolve()),
        seed=config["seed"] if seed is None else seed,
        rate=0.0,
        transport=transport,
        choices={},
        settings=changes,
        record=record,
    )
    try:
        now = fly(request, out)
    except (ConfigError, RunFolderError) as error:
        raise CannotRun(str(error)) from None
    Console().print(side_by_side(then, now))
    click.echo(f"then: {then}\nnow:  {now}")
    sys.exit(now.exit_status)


def side_by_side(then: Verdict, now: Verdict) -> Table:
    """Both verdicts, one figure a row."""
    made = Table("", "then", "now")
    made.add_row("outcome", then.headline, now.headline)
    made.add_row("reason", then.reason, now.reason)
    for name in _FIGURES:
        made.add_row(name, *(_figure(getattr(judged.touchdown, name, None)) for judged in (then, now)))
    for name in ("propellant_used_kg", "propellant_left_kg", "sim_time_s"):
        made.add_row(name, _figure(getattr(then, name)), _figure(getattr(now, name)))
    for name in ("seed", "transport", "version"):
        made.add_row(name, str(getattr(then, name)), str(getattr(now, name)))
    made.add_row("digest", then.digest[:16], "the same" if now.digest == then.digest else now.digest[:16])
    return made


def _figure(value: float | None) -> str:
    return "" if value is None else f"{value:.3f}"
