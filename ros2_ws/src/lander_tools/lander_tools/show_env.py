"""`./lander env`: the environment of the nodes, for a shell of one's own."""

from __future__ import annotations

import os
import shlex

import click

from lander_tools.setup_env import ADDED


@click.command()
def command() -> None:
    """Print what the nodes' environment is, as shell commands: eval "$(./lander env)".

    After that, python, colcon and the ROS 2 Python packages are at hand in your shell.
    """
    for name in ADDED:
        if name in os.environ:
            click.echo(f"export {name}={shlex.quote(os.environ[name])}")
