"""`./lander test`: everything that has to hold before a change goes in."""

from __future__ import annotations

import subprocess
import sys
import time
from collections.abc import Sequence
from pathlib import Path

import click

from lander_tools.project import project_root

CHECKS = {
    "lint": ("ruff", "check", "--quiet", "."),
    "format": ("ruff", "format", "--check", "--quiet", "."),
    "types": ("mypy", "--no-error-summary"),
}  # modules run with `python -m`, and their arguments
# Whole systems take every core by themselves, so they run one after the other; the rest runs side by side, a file at a time.
TESTS = (("tests/system", "tests/launch"), ("tests/unit", "--numprocesses", "auto", "--dist", "loadfile"))


@click.command(context_settings={"ignore_unknown_options": True})
@click.argument("pytest_arguments", nargs=-1, type=click.UNPROCESSED)
def command(pytest_arguments: Sequence[str]) -> None:
    """Run lint, format check, type check and tests; PYTEST_ARGUMENTS go to pytest, from the top of the project.

    For example ./lander test -k navigation, or ./lander test tests/unit. Without arguments: all of them. Exit status: 0 if all is well.
    """
    root = project_root()
    failed = [name for name, module in CHECKS.items() if not passes(name, module, root)]
    if failed:
        click.echo(f"failed: {', '.join(failed)} (see above); the tests follow")
    runs = [pytest_arguments] if pytest_arguments else TESTS
    statuses = [
        subprocess.run([sys.executable, "-m", "pytest", *arguments], cwd=root, check=False).returncode
        for arguments in runs
    ]
    sys.exit(next(filter(None, statuses), 1 if failed else 0))


def passes(name: str, module: Sequence[str], root: Path) -> bool:
    """Run one check, saying what and how long."""
    begin = time.monotonic()
    status = subprocess.run([sys.executable, "-m", *module], cwd=root, check=False).returncode
    click.echo(f"{name}: {'failed' if status else 'ok'} ({time.monotonic() - begin:.1f} s)")
    return status == 0
