"""`python -m lander_tools.report RUN`."""

from lander_tools.report import command

command(prog_name="report")
