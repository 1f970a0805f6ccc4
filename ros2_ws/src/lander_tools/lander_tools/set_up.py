"""`./lander setup`: for images and machines that shall be ready before the first run."""

from __future__ import annotations

import click


@click.command()
def command() -> None:
    """Set everything up, as the first call of any command does: packages, workspace, compiled kernels."""
    click.echo("Everything is set up.")
