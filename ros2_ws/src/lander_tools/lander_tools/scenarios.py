"""`./lander scenarios`: list what can be flown."""

from __future__ import annotations

import click
from rich.console import Console
from rich.table import Table

from lander_common.scenario import Scenario
from lander_runtime.config import ConfigError, config_root, read_layered


@click.command()
def command() -> None:
    """List the scenarios under config/scenario, each with its history in a line.

    `heritage` marks those that `./lander run NAME --logic heritage` flies as history's flight software would have.
    """
    table = Table("scenario", "date", "what happened", "logics", box=None, padding=(0, 2, 0, 0))
    for path in sorted((config_root() / "scenario").glob("*.yaml")):
        table.add_row(path.stem, *_row(path.stem))
    Console().print(table)


def _row(name: str) -> tuple[str, str, str]:
    try:
        scenario = read_layered("scenario", name).parse(Scenario)
    except ConfigError as error:
        return "", f"cannot be used: {error.problems[0]}", ""
    landing = scenario.landing
    logics = "frigoris" if scenario.heritage is None else "frigoris, heritage"
    return (landing.date, landing.line, logics) if landing else ("", scenario.title, logics)
