"""Benchmarks of terrain-relative navigation: `python -m lander_tools.trn_bench acquisition | false-fixes | tracking | consistency`.

Every picture is taken by the camera's renderer and imager of ground whose maps were made by `./lander map`, and given
to the matcher that flies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import replace

import click
import numpy as np

from lander_runtime.rng import stream
from lander_tools.trn_consistency import consistency
from lander_tools.trn_false_fixes import false_fixes
from lander_tools.trn_looks import Try, attempt, believed, reasons, truth_at
from lander_tools.trn_scene import Photographer, Scene, build_scene


def summary(name: str, values: list[float], unit: str) -> str:
    """Median, 99 % and largest."""
    middle, most, largest = np.percentile(values, [50, 99, 100]) if values else (np.nan, np.nan, np.nan)
    return f"{name}: median {middle:.2f}, 99 % {most:.2f}, largest {largest:.2f} {unit} (N = {len(values)})"


@click.group()
def main() -> None:
    """Benchmarks of terrain-relative navigation."""


@main.command()
@click.option("--seeds", default=4, show_default=True, help="Grounds, each with its own maps.")
@click.option("--tries", default=50, show_default=True, help="On each ground.")
@click.option("--error", "error_m", default=3200.0, show_default=True, help="Horizontal, m, in a random direction.")
@click.option("--up", "up_m", default=300.0, show_default=True, help="1-sigma of the height, m.")
@click.option("--frames", default=9, show_default=True, help="A second apart, of which one must give the fix.")
def acquisition(seeds: int, tries: int, error_m: float, up_m: float, frames: int) -> None:
    """Share of correct fixes from a large error between 8 and 15 km, and the frame that gave them."""
    first: list[int] = []
    wrong, lost, all_tries = 0, 0, []
    for seed in range(1, seeds + 1):
        scene, random = build_scene(seed), stream(seed, "trn bench/acquisition")
        camera = Photographer(scene, random)
        for _ in range(tries):
            number, attempts = acquire_within(scene, camera, random, error_m, up_m, frames)
            all_tries += attempts
            fixed = number is not None and attempts[-1].correct
            wrong += number is not None and not fixed
            lost += number is None
            first += [number] if fixed and number is not None else []
    total = seeds * tries
    click.echo(f"correct {len(first)} of {total}, wrong {wrong}, none within {frames} frames {lost}")
    click.echo(
        f"by frame: {dict(sorted(Counter(first).items()))}; outcomes of frames: {reasons(each.sighting.outcome for each in all_tries)}"
    )
    click.echo(summary("horizontal error", [float(np.linalg.norm(t.error_m[:2])) for t in all_tries if t.correct], "m"))
    click.echo(summary("time of a frame", [1e3 * t.seconds for t in all_tries], "ms"))


def acquire_within(
    scene: Scene, camera: Photographer, random: np.random.Generator, error_m: float, up_m: float, frames: int
) -> tuple[int | None, list[Try]]:
    """Frames along the track until one gives a fix: its number from 1 (None where none did), and all tries."""
    altitude, azimuth = random.uniform(8000.0, 15000.0), random.uniform(0.0, 2.0 * np.pi)
    offset = np.array([error_m * np.cos(azimuth), error_m * np.sin(azimuth), up_m * random.standard_normal()])
    pose, v_site = truth_at(scene, altitude, random)
    attempts = []
    for number in range(1, frames + 1):
        picture = camera.picture(pose, v_site)
        expected = believed(pose, offset, (error_m / 2.0, up_m), random)
        attempts.append(attempt(scene.matcher, picture, pose, expected, wide=True))
        if attempts[-1].sighting.fit is not None:
            return number, attempts
        pose = replace(pose, r_site=pose.r_site + v_site)
    return None, attempts


@main.command()
@click.option("--seeds", default=4, show_default=True, help="Grounds, each with its own maps.")
@click.option("--tries", default=25, show_default=True, help="On each ground, in each band of altitude.")
def tracking(seeds: int, tries: int) -> None:
    """Error of fixes by altitude, against the terrain (with the registration of the map) and against their covariance."""
    bands = ((100, 200), (200, 500), (500, 1000), (1000, 2000), (2000, 5000), (5000, 10000), (10000, 16000))
    scenes = [build_scene(seed) for seed in range(1, seeds + 1)]
    for low, high in bands:
        tries_here = []
        for scene in scenes:
            random = stream(scene.mission.site.ground_seed, f"trn bench/tracking/{low}")
            camera = Photographer(scene, random)
            for _ in range(tries):
                pose, v_site = truth_at(scene, random.uniform(low, high), random)
                offset = 0.005 * pose.r_site[2] * random.standard_normal(3)
                picture = camera.picture(pose, v_site)
                expected = believed(pose, offset, (50.0, 20.0), random)
                tries_here.append(attempt(scene.matcher, picture, pose, expected, wide=False))
        click.echo(f"{low} to {high} m: {reasons(each.sighting.outcome for each in tries_here)}")
        fixes = [each for each in tries_here if each.sighting.fit is not None]
        click.echo("  " + summary("error", [float(np.linalg.norm(each.error_m)) for each in fixes], "m"))
        click.echo("  " + summary("time", [1e3 * each.seconds for each in tries_here], "ms"))


main.add_command(false_fixes)
main.add_command(consistency)

if __name__ == "__main__":
    main()
