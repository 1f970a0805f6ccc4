"""How often the matcher is wrong and does not say so: looks over grounds, Suns, heights, and maps that are not as stated.

A picture is rendered once and looked at many times; each look draws the noise of the imager, the error of the expected pose
and, for some, of the map anew. Looks at one picture still share its ground, so the table counts pictures too.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from itertools import pairwise
from time import monotonic

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import beta

from lander_common.camera_geometry import camera_geometry
from lander_common.image_map import HEIGHT_SIGMA, ImageMap
from lander_common.sun import mission_sun_site
from lander_flight.map_reader import MapReader
from lander_flight.map_window import CameraPose
from lander_flight.trn_matcher import Expectation, Outcome, TrnMatcher
from lander_flight.trn_parameters import TrnParameters
from lander_runtime.rng import stream
from lander_tools.markdown import table
from lander_tools.trn_looks import Try, attempt, believed, reasons, truth_at
from lander_tools.trn_scene import Photographer, Scene, build_scene, sun_vector

Array = NDArray[np.float64]
Image = NDArray[np.float32]

_CONFIDENCE = 0.95
_SUNS_DEG = (3.0, 6.0, 12.0, 24.0, 45.0)  # bounds of the bands of elevation in the table
_HEIGHTS_M = (200.0, 1000.0, 4000.0, 16000.0)
_LEAST_CONTRAST = 0.02  # left of a picture in the kind "bland"


@dataclass(frozen=True)
class Shot:
    """A picture before the imager, and where it was taken."""

    seen: Image
    pose: CameraPose
    altitude_m: float
    sun_deg: float
    camera: Photographer
    maps: dict[str, TrnMatcher]


@dataclass(frozen=True)
class Look:
    """What came of a look. Nothing of picture and maps is kept: ten thousand would not fit into memory."""

    kind: str
    altitude_m: float
    sun_deg: float
    outcome: Outcome
    correct: bool
    error_m: Array  # of the fix in site; NaN where there is none
    log10_chance: float

    @classmethod
    def at(cls, shot: Shot, kind: str, found: Try) -> Look:
        """Of a picture."""
        seen = found.sighting
        return cls(kind, shot.altitude_m, shot.sun_deg, seen.outcome, found.correct, found.error_m, seen.log10_chance)

    @property
    def fixed(self) -> bool:
        """Whether a fix was given."""
        return self.outcome is Outcome.FIX

    @property
    def wrong(self) -> bool:
        """Whether there is one that is not where the camera was; with a map of elsewhere every fix is wrong."""
        return self.fixed and (self.kind == "map of another ground" or not self.correct)


KINDS = ("as flown", "worse map", "elsewhere", "map of another ground", "bland")


def upper_bound(found: int, of: int) -> float:
    """Upper confidence bound of a probability (Clopper and Pearson 1934)."""
    return 1.0 if found >= of else float(beta.ppf(_CONFIDENCE, found + 1, of - found))


@click.command("false-fixes")
@click.option("--grounds", default="605,1,2,3", show_default=True, help="Seeds of grounds; at least two.")
@click.option("--wanted", default=10_000, show_default=True, help="Looks.")
@click.option("--looks", default=20, show_default=True, help="At each picture, of all kinds in turn.")
@click.option("--minutes", default=60.0, show_default=True, help="After which no new picture is begun.")
def false_fixes(grounds: str, wanted: int, looks: int, minutes: float) -> None:
    """Fixes that are wrong: Suns from 3 to 45 deg, heights from 0.2 to 16 km, right, wrong and bad maps, bland ground."""
    seeds = grounds.split(",")
    if len(seeds) < 2 or len(set(seeds)) < len(seeds):
        raise click.UsageError(
            f"--grounds {grounds}: two or more different seeds, as one ground is shown another's map"
        )
    scenes = [build_scene(int(seed)) for seed in seeds]
    random, until = stream(len(scenes), "trn bench/false fixes"), monotonic() + 60.0 * minutes
    found: list[Look] = []
    pictures = 0
    while len(found) < wanted and monotonic() < until:
        here, other = (scenes[(pictures + step) % len(scenes)] for step in (0, 1))
        found += look_around(take(here, other, random), random, looks, pictures * looks)
        pictures += 1
    click.echo(page(found, pictures))


def take(here: Scene, other: Scene, random: np.random.Generator) -> Shot:
    """A picture of one ground, with its own map, a worse one, and another ground's."""
    sun = mission_sun_site(here.mission)
    azimuth = float(np.degrees(np.arctan2(sun[0], sun[1]))) + random.uniform(-30.0, 30.0)
    elevation, altitude = between(random, _SUNS_DEG[0], _SUNS_DEG[-1]), between(random, _HEIGHTS_M[0], _HEIGHTS_M[-1])
    lit = here.lit_by(sun_vector(elevation, azimuth))
    pose, v_site = truth_at(lit, altitude, random)
    camera = Photographer(lit, random)
    maps = dict.fromkeys(KINDS, lit.matcher)
    maps["worse map"] = matcher_of(lit, worsened(here.image_map, random))
    maps["map of another ground"] = matcher_of(lit, other.image_map)
    return Shot(camera.seen(pose, v_site).copy(), pose, altitude, elevation, camera, maps)


def between(random: np.random.Generator, low: float, high: float) -> float:
    """Drawn evenly on a logarithmic scale."""
    return float(np.exp(random.uniform(np.log(low), np.log(high))))


def matcher_of(scene: Scene, image_map: ImageMap) -> TrnMatcher:
    """The matcher of a scene, with a map in place of its own."""
    lens, parameters = camera_geometry(scene.mission).lens, scene.mission.part("trn", TrnParameters)
    return TrnMatcher(parameters, lens, MapReader(image_map, scene.sun_site), scene.terrain.data.radius)


def worsened(image_map: ImageMap, random: np.random.Generator) -> ImageMap:
    """A map whose heights err by up to three times more than is stated, and whose pictures are noisier."""
    sigma, noise = 3.0 * float(image_map.table[-1, HEIGHT_SIGMA]) * random.uniform(), random.uniform(0.0, 12.0)
    wave = np.arange(image_map.heights.size) * random.uniform(1e-3, 1e-1)
    heights = image_map.heights + np.float32(sigma) * np.sin(wave, dtype=np.float32)
    grain = np.resize(noise * random.standard_normal(1_000_003, dtype=np.float32), image_map.pixels.size)
    pixels = np.clip(image_map.pixels + grain, 0.0, 255.0).astype(np.uint8)
    return ImageMap(image_map.table, pixels, heights)


def look_around(shot: Shot, random: np.random.Generator, looks: int, number: int) -> list[Look]:
    """Looks at one picture, of all kinds in turn, half of them as when tracking and half as when acquiring."""
    found = []
    for k in range(number, number + looks):
        kind, wide = KINDS[k % len(KINDS)], k // len(KINDS) % 2 == 0
        seen = veiled(shot.seen, between(random, _LEAST_CONTRAST, 0.3)) if kind == "bland" else shot.seen
        picture = shot.camera.expose(seen)
        if shot.maps[kind].lit(picture):
            expected = expectation(shot, kind == "elsewhere", wide, random)
            found.append(Look.at(shot, kind, attempt(shot.maps[kind], picture, shot.pose, expected, wide)))
    return found


def veiled(seen: Image, contrast: float) -> Image:
    """Ground that shows only so much of its contrast."""
    return np.asarray(seen.mean() + np.float32(contrast) * (seen - seen.mean()), np.float32)


def expectation(shot: Shot, elsewhere: bool, wide: bool, random: np.random.Generator) -> Expectation:
    """What navigation would think: off by what it says, and, elsewhere, by three to six altitudes more."""
    reach = min(3200.0, 0.3 * shot.altitude_m) if wide else 0.01 * shot.altitude_m
    offset = np.array([reach, reach, 0.02 * shot.altitude_m]) * random.standard_normal(3)
    if elsewhere:
        away, azimuth = shot.altitude_m * random.uniform(3.0, 6.0), random.uniform(0.0, 2.0 * np.pi)
        offset = offset + away * np.array([np.cos(azimuth), np.sin(azimuth), 0.0])
    return believed(shot.pose, offset, (reach, 0.02 * shot.altitude_m), random)


def page(found: list[Look], pictures: int) -> str:
    """Tables in Markdown: by kind, by Sun and by height; then every wrong fix."""
    lines = [f"{len(found)} looks at {pictures} pictures", ""]
    lines += grouped("kind", [(kind, [one for one in found if one.kind == kind]) for kind in KINDS])
    flown = [one for one in found if one.kind == "as flown"]
    lines += grouped("Sun, as flown", banded(flown, _SUNS_DEG, "deg", lambda one: one.sun_deg))
    lines += grouped("height, as flown", banded(flown, _HEIGHTS_M, "m", lambda one: one.altitude_m))
    for one in found:
        if one.wrong:
            place = f"{one.altitude_m:.0f} m, Sun {one.sun_deg:.0f} deg"
            lines.append(f"wrong: {one.kind}, {place}: {one.error_m.round(1)} m, 10^{one.log10_chance:.0f}")
    return "\n".join(lines)


def banded(
    found: list[Look], bounds: tuple[float, ...], unit: str, of: Callable[[Look], float]
) -> list[tuple[str, list[Look]]]:
    """Looks by bands of a quantity."""
    return [
        (f"{low:g} to {high:g} {unit}", [one for one in found if low <= of(one) < high])
        for low, high in pairwise(bounds)
    ]


def grouped(name: str, groups: list[tuple[str, list[Look]]]) -> list[str]:
    """One table, a row a group."""
    rows = []
    for label, these in groups:
        fixes, wrong = sum(one.fixed for one in these), sum(one.wrong for one in these)
        counts = (str(len(these)), str(fixes), str(wrong), f"{upper_bound(wrong, len(these)):.1e}")
        rows.append((label, *counts, spread(these), reasons(one.outcome for one in these)))
    error = "median, 99 %, largest error, m"
    return [table((name, "looks", "fixes", "wrong", "95 % bound", error, "outcomes"), rows), ""]


def spread(found: list[Look]) -> str:
    """Median, 99 % and largest error to the sides of the fixes."""
    errors = [float(np.linalg.norm(one.error_m[:2])) for one in found if one.fixed]
    return ", ".join(f"{error:.2g}" for error in np.percentile(errors, [50, 99, 100])) if errors else "none"
