"""The command line: `./lander COMMAND`. A command is imported only when it is called, so that each starts quickly."""

from __future__ import annotations

from importlib import import_module
from typing import Any

import click

# Command -> module with a click command called `command`, and what it does.
COMMANDS = {
    "run": ("lander_tools.run", "Fly a landing and judge it."),
    "campaign": (
        "lander_tools.campaign.command",
        "Fly scenarios with many seeds; say how they ended and what was found.",
    ),
    "test": ("lander_tools.check", "Check everything: lint, format, types, tests."),
    "scenarios": ("lander_tools.scenarios", "List what can be flown."),
    "faults": ("lander_tools.list_faults", "List every fault that a scenario may have."),
    "history": ("lander_tools.history.command", "Fly the landings of history with the logic of then and with ours."),
    "topics": ("lander_tools.topics", "List every topic with type, rate, publisher, subscribers."),
    "map": ("lander_tools.maps", "Make the onboard maps of a scenario."),
    "report": ("lander_tools.report", "Draw the report of a run."),
    "replay": ("lander_tools.replay", "Feed a record to the flight software again, and compare; or publish it."),
    "refly": ("lander_tools.refly", "Fly a run again with a change, and compare the verdicts."),
    "diff": ("lander_tools.diff", "Say where two runs first part."),
    "recover": ("lander_tools.recover", "Restore a bag that was not finished or is damaged."),
    "fault-table": ("lander_tools.fault_table", "Kill and hang each node in turn, and tabulate what lands."),
    "equality": ("lander_tools.equality", "Prove that one seed gives one flight, however it is run."),
    "bench": ("lander_tools.bench", "Measure speed, delay, CPU and memory of the running system."),
    "setup": ("lander_tools.set_up", "Set everything up, and do nothing else."),
    "env": ("lander_tools.show_env", "Print the environment, for your own shell."),
}


class LazyGroup(click.Group):
    """A group whose commands are loaded when they are needed, and listed without loading them."""

    def list_commands(self, ctx: click.Context) -> list[str]:
        """Names of the commands, in the order of the table."""
        return list(COMMANDS)

    def get_command(self, ctx: click.Context, cmd_name: str) -> click.Command | None:
        """The command, or None where there is none of this name."""
        if cmd_name not in COMMANDS:
            return None
        command: click.Command = import_module(COMMANDS[cmd_name][0]).command
        return command

    def format_commands(self, ctx: click.Context, formatter: click.HelpFormatter) -> None:
        """List the commands for the help text."""
        with formatter.section("Commands"):
            formatter.write_dl([(name, about) for name, (_, about) in COMMANDS.items()])


@click.group(cls=LazyGroup, context_settings={"help_option_names": ["-h", "--help"], "max_content_width": 100})
def main(**_: Any) -> None:
    """Frigoris flies a lander from lunar orbit to Mare Frigoris, one ROS 2 node for each subsystem.

    ./lander run flies the nominal landing; ./lander COMMAND --help says more of a command. The first call sets
    everything up in .venv and ros2_ws.
    """


if __name__ == "__main__":
    main(prog_name="./lander")
