"""`./lander scenarios`: list what can be flown."""

from __future__ import annotations

import click

from lander_common.mission import Scenario
from lander_runtime.config import ConfigError, config_root, load


@click.command()
def command() -> None:
    """List the scenarios under config/scenario, each with its title."""
    for path in sorted((config_root() / "scenario").glob("*.yaml")):
        try:
            title = load(path, Scenario).title
        except ConfigError as error:
            title = f"cannot be used: {error.problems[0]}"
        click.echo(f"{path.stem:24} {title}")
