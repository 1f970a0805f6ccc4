"""The report of a run: `./lander report RUN`, or `python -m lander_tools.report RUN`.

What draws is imported only when something is drawn: matplotlib takes longer to load than most commands to run.
"""

from __future__ import annotations

from pathlib import Path

import click

from lander_tools.bag import BagError
from lander_tools.recover import CannotRun
from lander_tools.run_folder import RunFolder, RunFolderError, open_run
from lander_tools.verdict import VerdictError


def make_report(run_folder: Path) -> Path:
    """Draw report.html and plots/*.png in a run folder; return the path of the page.

    Raises RunFolderError where there is no run, BagError where its bag cannot be read, VerdictError where its
    verdict.json is broken, OSError where nothing can be written.
    """
    return write_report(open_run(run_folder))


def write_report(folder: RunFolder) -> Path:
    """The same for a folder that is known to be one."""
    from lander_tools.report.report import write_report as write

    return write(folder)


@click.command(name="report", short_help="Draw the report of a run.")
@click.argument("run", type=click.Path(path_type=Path))
def command(run: Path) -> None:
    """Draw the report of RUN, a run folder: report.html, one file that opens offline, and plots/*.png."""
    try:
        click.echo(f"report: {make_report(run)}")
    except (RunFolderError, BagError, VerdictError) as error:
        raise CannotRun(str(error)) from None
    except OSError as error:
        raise CannotRun(f"the report cannot be written: {error.filename}: {error.strerror}") from None
