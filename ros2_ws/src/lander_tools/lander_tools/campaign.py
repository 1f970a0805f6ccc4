"""`./lander campaign`: fly many seeds in parallel, in processes without ROS, and say how they ended."""

from __future__ import annotations

import os
import statistics
from collections import Counter
from collections.abc import Mapping, Sequence
from concurrent.futures import ProcessPoolExecutor
from functools import partial
from math import sqrt
from typing import Any, get_args

import click
from rich.console import Console
from rich.table import Table

from lander_common.mission import resolve
from lander_common.scenario import Logic
from lander_runtime.messages import plain
from lander_tools.fly import fly
from lander_tools.maps import ensure_maps
from lander_tools.optimum import propellant_bound

COLUMNS = {
    "vertical_speed_m_s": ("vertical, m/s", 2),
    "horizontal_speed_m_s": ("horizontal, m/s", 2),
    "tilt_deg": ("tilt, deg", 2),
    "rest_tilt_deg": ("at rest, deg", 2),
    "miss_m": ("miss, m", 0),
    "slope_deg": ("slope, deg", 1),
    "propellant_used_kg": ("propellant, kg", 1),
}  # fields of LandingResult: heading and decimals


@click.command()
@click.argument("scenario", default="nominal")
@click.option("--seeds", default="1-20", show_default=True, help="One, a range, or several: 1-20, 3,5,8.")
@click.option("--start", default="", metavar="NAME", help="powered_descent or deorbit. Default: the scenario's.")
@click.option("--logic", type=click.Choice(get_args(Logic)), help="Which flight software flies.")
@click.option("--set", "settings", multiple=True, metavar="KEY=VALUE", help="Override a value of the configuration.")
@click.option("--jobs", default=os.cpu_count() or 1, show_default=True, type=click.IntRange(min=1), help="At a time.")
def command(scenario: str, seeds: str, start: str, logic: str | None, settings: Sequence[str], jobs: int) -> None:
    """Fly SCENARIO with every seed and print a table of the landings."""
    from lander_tools.run import logic_setting, split_settings

    numbers, changes = parse_seeds(seeds), split_settings(settings) | logic_setting(logic)
    results = campaign(scenario, numbers, {"start": start}, changes, jobs)
    Console().print(table(results))
    for line in summary(results, propellant_bound(resolve(scenario, 0, {"start": start}, changes)).propellant_kg):
        click.echo(line)


def parse_seeds(text: str) -> list[int]:
    """Seeds of `1-20` or `3,5,8`. Raises UsageError."""
    seeds: list[int] = []
    for part in text.split(","):
        first, dash, last = part.partition("-")
        if not first.isdigit() or (dash and not last.isdigit()):
            raise click.UsageError(f"--seeds {text}: expected numbers and ranges, such as 1-20 or 3,5,8")
        seeds += range(int(first), int(last or first) + 1)
    return seeds


def campaign(
    scenario: str, seeds: Sequence[int], choices: Mapping[str, str], settings: Mapping[str, str], jobs: int
) -> dict[int, dict[str, Any]]:
    """The landing result of every seed, as plain data. Raises ConfigError where the scenario is wrong."""
    ensure_maps(resolve(scenario, 0, choices, settings))
    with ProcessPoolExecutor(jobs) as pool:
        results = pool.map(partial(_fly, scenario, dict(choices), dict(settings)), seeds)
        return dict(zip(seeds, results, strict=True))


def _fly(scenario: str, choices: dict[str, str], settings: dict[str, str], seed: int) -> dict[str, Any]:
    return plain(fly(scenario, seed, choices, settings).result)


def table(results: Mapping[int, Mapping[str, Any]]) -> Table:
    """One row for each seed."""
    made = Table("seed", "outcome", *(heading for heading, _ in COLUMNS.values()), "reason")
    for seed, result in results.items():
        figures = (f"{result[key]:.{decimals}f}" for key, (_, decimals) in COLUMNS.items())
        made.add_row(str(seed), result["outcome"], *figures, result["reason"])
    return made


def summary(results: Mapping[int, Mapping[str, Any]], bound_kg: float) -> list[str]:
    """Counts and statistics for people."""
    landings = [result for result in results.values() if result["touched_down"]]
    counts = Counter(result["outcome"] for result in results.values())
    lines = [f"{len(results)} flights: " + ", ".join(f"{count} {outcome}" for outcome, count in counts.most_common())]
    if landings:
        used = statistics.median(result["propellant_used_kg"] for result in landings)
        misses = [result["miss_m"] for result in landings]
        rms = sqrt(statistics.fmean(miss**2 for miss in misses))
        lines += [
            f"propellant: median {used:.1f} kg, {used / bound_kg:.3f} of the fuel-optimal bound of {bound_kg:.1f} kg",
            f"miss: median {statistics.median(misses):.0f} m, rms {rms:.0f} m, worst {max(misses):.0f} m",
        ]
    return lines
