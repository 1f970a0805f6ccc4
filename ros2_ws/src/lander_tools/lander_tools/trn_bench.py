"""Benchmarks of terrain-relative navigation: `python -m lander_tools.trn_bench acquisition | false-fixes | tracking`.

Every picture is taken by the camera's renderer and imager of ground whose maps were made by `./lander map`, and given
to the matcher that flies.
"""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass, replace
from math import radians
from time import process_time

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from lander_common.sun import mission_sun_site
from lander_flight.map_window import CameraPose
from lander_flight.trn_matcher import Expectation, Sighting
from lander_runtime.rng import stream
from lander_tools.reference_descent import GATES
from lander_tools.trn_scene import Photographer, Scene, build_scene, looking_down, sun_vector, turn

Array = NDArray[np.float64]

CORRECT_M = 40.0  # a correct fix: within this, or ...
CORRECT_CELLS = 2.0  # ... two cells of the map there, if that is more
_TILT_DEG = 6.0  # 1-sigma of the camera's boresight from the vertical
_MOUNT_DEG = 0.02  # 1-sigma, of the camera against the axes of the IMU
_CONFIDENCE = 0.95


@dataclass(frozen=True)
class Try:
    """A picture, and what the matcher made of it."""

    sighting: Sighting
    error_m: Array  # of the fix in site; NaN where there is none
    altitude_m: float
    seconds: float  # of one core

    @property
    def correct(self) -> bool:
        """Whether the fix is where the camera was."""
        cells = CORRECT_CELLS * self.sighting.view.window.posting_m if self.sighting.view else 0.0
        return bool(np.linalg.norm(self.error_m[:2]) <= max(CORRECT_M, cells))


def truth_at(scene: Scene, altitude_m: float, random: np.random.Generator) -> tuple[CameraPose, Array]:
    """A pose along the reference descent, up to two kilometres beside it, and its velocity in site, m/s."""
    heights = np.array([gate.height_m for gate in GATES])[::-1]
    short = float(np.interp(altitude_m, heights, np.array([gate.short_m for gate in GATES])[::-1]))
    forward = float(np.interp(altitude_m, heights, np.array([gate.forward_m_s for gate in GATES])[::-1]))
    azimuth = radians(scene.mission.site.approach_azimuth_deg)
    along, left = np.array([np.sin(azimuth), np.cos(azimuth)]), np.array([-np.cos(azimuth), np.sin(azimuth)])
    beside = min(2000.0, 0.1 * altitude_m) * random.uniform(-1.0, 1.0)
    e, n = (-short * along + beside * left).tolist()
    tilt = radians(_TILT_DEG) * random.standard_normal(3)
    pose = looking_down(scene.place(e, n, altitude_m), scene.terrain.data.radius, -azimuth, tilt)
    return pose, np.array([*(forward * along), 0.0])


def believed(pose: CameraPose, offset: Array, sigma_m: tuple[float, float], random: np.random.Generator) -> Expectation:
    """What navigation would think: off by an offset, m, in site, the attitude by that of the mount."""
    R = turn(radians(_MOUNT_DEG) * random.standard_normal(3)) @ pose.R_site_optical
    return Expectation(CameraPose(pose.r_site + offset, R), *sigma_m, radians(0.05))


def attempt(scene: Scene, picture: NDArray[np.uint8], pose: CameraPose, expected: Expectation, wide: bool) -> Try:
    """One image through the matcher."""
    began = process_time()
    sighting = scene.matcher.acquire(picture, expected) if wide else scene.matcher.track(picture, expected)
    took = process_time() - began
    fit = sighting.fit
    error = fit.steady.r_site - pose.r_site if fit is not None else np.full(3, np.nan)
    return Try(sighting, error, float(pose.r_site[2]), took)


def upper_bound(found: int, of: int) -> float:
    """Upper confidence bound of a probability (Clopper and Pearson 1934)."""
    return 1.0 if found >= of else float(beta.ppf(_CONFIDENCE, found + 1, of - found))


def reasons(tries: list[Try]) -> str:
    """How often each outcome was."""
    counts = Counter(each.sighting.outcome.name.lower().replace("_", " ") for each in tries)
    return ", ".join(f"{name} {count}" for name, count in counts.most_common())


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
    click.echo(f"by frame: {dict(sorted(Counter(first).items()))}; outcomes of frames: {reasons(all_tries)}")
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
        attempts.append(attempt(scene, picture, pose, expected, wide=True))
        if attempts[-1].sighting.fit is not None:
            return number, attempts
        pose = replace(pose, r_site=pose.r_site + v_site)
    return None, attempts


@main.command("false-fixes")
@click.option("--seeds", default=4, show_default=True, help="Grounds, each with its own maps.")
@click.option("--scenes", default=50, show_default=True, help="Pictures of each ground.")
@click.option("--looks", default=20, show_default=True, help="At each picture, half of them where it was not taken.")
def false_fixes(seeds: int, scenes: int, looks: int) -> None:
    """Fixes that are wrong, over grounds, Suns from 3 to 45 deg, altitudes from 0.2 to 16 km, right and wrong places."""
    tries: list[tuple[Try, bool]] = []
    pictures = 0
    for seed in range(1, seeds + 1):
        scene = build_scene(seed)
        random = stream(seed, "trn bench/false fixes")
        for _ in range(scenes):
            scene = _under_another_sun(scene, random)
            pictures += 1
            tries += _look_around(scene, random, looks)
    report_false_fixes(tries, pictures)


def _under_another_sun(scene: Scene, random: np.random.Generator) -> Scene:
    """The same ground, lit from 3 to 45 deg; the azimuth is that of the landing, give or take 30 deg."""
    sun = mission_sun_site(scene.mission)
    azimuth = float(np.degrees(np.arctan2(sun[0], sun[1]))) + random.uniform(-30.0, 30.0)
    return scene.lit_by(sun_vector(float(np.exp(random.uniform(np.log(3.0), np.log(45.0)))), azimuth))


def _look_around(scene: Scene, random: np.random.Generator, looks: int) -> list[tuple[Try, bool]]:
    """One picture against where it was taken, and against elsewhere; whether the place was right goes with each."""
    altitude = float(np.exp(random.uniform(np.log(200.0), np.log(16000.0))))
    pose, v_site = truth_at(scene, altitude, random)
    picture = Photographer(scene, random).picture(pose, v_site)
    if not scene.matcher.lit(picture):
        return []
    found = []
    for look in range(looks):
        right, wide = look % 2 == 0, look % 4 < 2
        reach = min(3200.0, 0.3 * altitude) if wide else 0.01 * altitude
        spread = np.array([reach, reach, 0.02 * altitude])
        offset = spread * random.standard_normal(3)
        if not right:
            away, azimuth = altitude * random.uniform(3.0, 6.0), random.uniform(0.0, 2.0 * np.pi)
            offset = offset + away * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
        expected = believed(pose, offset, (reach, 0.02 * altitude), random)
        found.append((attempt(scene, picture, pose, expected, wide), right))
    return found


def report_false_fixes(tries: list[tuple[Try, bool]], pictures: int) -> None:
    """Counts, and what they say of the probability."""
    for right, name in ((True, "where it was taken"), (False, "elsewhere")):
        these = [each for each, place in tries if place is right]
        fixes = [each for each in these if each.sighting.fit is not None]
        wrong = [each for each in fixes if not each.correct]
        bound = upper_bound(len(wrong), len(these))
        click.echo(f"{name}: {len(these)} looks, {len(fixes)} fixes, {len(wrong)} wrong (95 % bound {bound:.1e})")
        click.echo(f"  {reasons(these)}")
        for each in wrong:
            s = each.sighting
            click.echo(f"  wrong: {each.error_m.round(1)} m at {each.altitude_m:.0f} m, 10^{s.log10_chance:.0f}")
    click.echo(f"{pictures} pictures; looks at one picture are not independent of each other")


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
                tries_here.append(attempt(scene, picture, pose, expected, wide=False))
        click.echo(f"{low} to {high} m: {reasons(tries_here)}")
        fixes = [each for each in tries_here if each.sighting.fit is not None]
        click.echo("  " + summary("error", [float(np.linalg.norm(each.error_m)) for each in fixes], "m"))
        click.echo("  " + summary("time", [1e3 * each.seconds for each in tries_here], "ms"))


if __name__ == "__main__":
    main()
