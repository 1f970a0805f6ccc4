"""`./lander map`: make what the flight software knows of the ground, before flight. Runs make it themselves where it is not there."""

from __future__ import annotations

from pathlib import Path

import click

from lander_common.mission import Mission, resolve
from lander_runtime.config import ConfigError
from lander_tools.ground_track import check_track
from lander_tools.make_map import ensure_map


def ensure_maps(mission: Mission) -> list[Path]:
    """Make the maps of a mission unless they are there already; return their files. Raises ConfigError."""
    paths = [ensure_map(mission)]
    if "image_map" in mission.documents:
        from lander_tools.make_image_map import ensure_image_map  # a flight without a camera starts without OpenCV

        paths.append(ensure_image_map(mission))
    return [path for path in paths if path]


@click.command()
@click.argument("scenario", default="nominal", required=False)
def command(scenario: str) -> None:
    """Make the onboard maps of SCENARIO: heights, and pictures where it flies with a camera; check the ground track on them."""
    try:
        mission = resolve(scenario, seed=1)
        made = ensure_maps(mission)
    except ConfigError as error:
        raise click.ClickException(str(error)) from None
    for path in made:
        click.echo(f"{path} ({path.stat().st_size / 1e6:.0f} MB)")
    click.echo(str(check_track(mission)))
