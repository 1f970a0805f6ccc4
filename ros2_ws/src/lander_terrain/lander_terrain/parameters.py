"""What a terrain is made of, as data: the schema of config/terrain/*.yaml."""

from __future__ import annotations

from math import exp, inf, log, pow
from pathlib import Path
from typing import Annotated, Literal

from pydantic import Field, model_validator

from lander_runtime.config import Parameters

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
_HUGE = 100.0  # exponent of a number that is no diameter, and no overflow
DepthToDiameter = Annotated[float, Field(gt=0, le=0.3)]


class Fractal(Parameters):
    """Self-affine relief under everything else."""

    hurst: Annotated[float, Field(gt=0, lt=1)]
    deviation_m: Positive  # root mean square height difference over the baseline
    baseline_m: Positive
    largest_m: Positive  # lattice of the coarsest octave: the relief grows no further beyond it
    smallest_m: Positive  # the finest octave is at or below this lattice

    @model_validator(mode="after")
    def _ordered(self) -> Fractal:
        if self.smallest_m >= self.largest_m:
            raise ValueError("smallest_m must be below largest_m")
        return self


class Ridges(Parameters):
    """Wrinkle ridges: long, low, winding swells."""

    height_m: NonNegative  # of the highest
    width_m: Positive  # of the swell at half height
    spacing_m: Positive
    coverage: Fraction  # of the surface that has ridges at all


class Craters(Parameters):
    """Impact craters: how many of which diameter, how deep, where none."""

    smallest_m: Positive
    largest_m: Positive
    equilibrium_coefficient: Positive  # N(>D) = coefficient * D^-exponent per m2, D in m
    equilibrium_exponent: Positive
    equilibrium_largest_m: Positive  # above it the production law, steeper, up to where it meets the law of large ones
    production_exponent: Positive
    large_per_1e6_km2: Positive  # N(>D) = this * D^-exponent per 1e6 km2, D in km
    large_exponent: Positive
    fresh_depth_to_diameter: DepthToDiameter  # up to the largest in equilibrium; small craters form in loose ground
    fresh_depth_to_diameter_km: DepthToDiameter  # from 1 km up; between, in proportion to log D
    degraded_depth_to_diameter: DepthToDiameter  # the oldest that still count, likewise
    degraded_depth_to_diameter_km: DepthToDiameter
    rim_fraction: Fraction  # rim height over depth
    irregularity: Annotated[float, Field(ge=0, le=0.08)]  # of the outline
    cleared_radius_m: NonNegative  # around the target (a site is chosen so) there is no crater
    cleared_diameter_m: Positive  # larger than this

    @model_validator(mode="after")
    def _ordered(self) -> Craters:
        if not self.smallest_m < self.equilibrium_largest_m < self.largest_m:
            raise ValueError("smallest_m, equilibrium_largest_m and largest_m must rise in this order")
        if (
            self.degraded_depth_to_diameter > self.fresh_depth_to_diameter
            or self.degraded_depth_to_diameter_km > self.fresh_depth_to_diameter_km
        ):
            raise ValueError("a degraded crater cannot be deeper than a fresh one")
        if not self.equilibrium_largest_m < self.production_largest_m < self.largest_m:
            raise ValueError(
                f"the production law meets that of large craters at {self.production_largest_m:.4g} m, "
                "which is not between equilibrium_largest_m and largest_m"
            )
        return self

    @property
    def large_coefficient(self) -> float:
        """Of large craters: N(>D) = this * D^-large_exponent per m2, D in m."""
        return self.large_per_1e6_km2 * 1e-12 * pow(1e3, self.large_exponent)

    @property
    def production_largest_m(self) -> float:
        """Diameter, m, at which the production law meets that of large craters."""
        at_1_m = self.equilibrium_coefficient * pow(
            self.equilibrium_largest_m, self.production_exponent - self.equilibrium_exponent
        )
        steeper = self.production_exponent - self.large_exponent
        return exp(min(log(at_1_m / self.large_coefficient) / steeper, _HUGE)) if steeper > 0.0 else inf


class Rocks(Parameters):
    """Rocks: share of the area under rocks of diameter D (m) and more is coverage * exp(-decay * D)."""

    coverage: Fraction
    decay_per_m: Positive
    smallest_m: Positive
    largest_m: Positive
    ejecta_factor: Annotated[float, Field(ge=1)]  # more rocks at the rim of the freshest craters


class Albedo(Parameters):
    """Reflectance at normal incidence, zero phase."""

    mean: Fraction
    variation: NonNegative  # root mean square of the slow variation
    largest_m: Positive  # lattices of its octaves
    smallest_m: Positive
    fresh_crater: NonNegative  # brightening at the rim of the freshest craters
    lowest: Fraction
    highest: Fraction

    @model_validator(mode="after")
    def _ordered(self) -> Albedo:
        if not self.lowest <= self.mean <= self.highest:
            raise ValueError("lowest, mean and highest must rise in this order")
        return self


class CraterFeature(Parameters):
    """A crater that the scenario names, with a flat floor."""

    kind: Literal["crater"]
    name: str
    east_m: float  # of its centre from the target
    north_m: float
    diameter_m: Positive  # of the rim crest
    depth_m: Positive  # from rim crest to floor
    rim_height_m: NonNegative  # of the crest above the surroundings
    wall_width_m: Positive  # from crest to floor, along the ground

    @model_validator(mode="after")
    def _fits(self) -> CraterFeature:
        if self.wall_width_m > 0.5 * self.diameter_m:
            raise ValueError("wall_width_m must not exceed half of diameter_m")
        return self


class ScarpFeature(Parameters):
    """A straight step across the way."""

    kind: Literal["scarp"]
    name: str
    east_m: float  # of the middle of its foot line from the target
    north_m: float
    azimuth_deg: float  # towards which the ground falls, from north over east
    step_m: float  # height that is lost
    width_m: Positive  # over this distance
    length_m: Positive  # of the scarp; its ends run out over a tenth of this


class Dem(Parameters):
    """A user's elevation model in place of the large-scale relief.

    .npz with `heights_m` (rows from south to north), `spacing_m` and optionally `east_m`, `north_m` of the first sample
    (else the middle is the target); or GeoTIFF in degrees or in a lunar equirectangular projection, used in the largest
    square around the target that it covers. Heights above any level: the terrain passes through the target.
    """

    path: Path
    spacing_m: Positive  # to which a GeoTIFF is resampled
    margin_m: Positive  # over which it blends into the fractal at its edges
    detail_below_m: Positive  # octaves and craters smaller than this are added to it; about twice its resolution


class TerrainParameters(Parameters):
    """A terrain. A part that is null is left out; with all of them null, the Moon is a smooth sphere."""

    about: str
    fractal: Fractal | None
    ridges: Ridges | None
    craters: Craters | None
    rocks: Rocks | None
    albedo: Albedo
    features: tuple[Annotated[CraterFeature | ScarpFeature, Field(discriminator="kind")], ...]
    dem: Dem | None
