"""What terrain-relative navigation is told: config/trn/*.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field, field_validator

from lander_common.mission import Fraction, NonNegative, Positive
from lander_runtime.config import Parameters

Odd = Annotated[int, Field(ge=9, le=101)]


class WindowParameters(Parameters):
    """The square of the map that an image is compared with."""

    cells: Annotated[int, Field(ge=64, le=1024)]  # along each side, at most
    least_cells: Annotated[int, Field(ge=48)]  # fewer, and the map is too coarse for what the camera sees
    pixels_per_cell: Annotated[float, Field(ge=1)]  # of the image, at least; more where the map is coarser
    view_share: Fraction  # of the shorter side of the view that the window covers


class PatchParameters(Parameters):
    """What is searched for, and what counts as found."""

    cells: Odd  # along each side, at most
    least_cells: Odd
    per_window: Annotated[int, Field(ge=4)]  # patches along the side of a window, as far as their least size allows
    reach_cells: Annotated[int, Field(ge=3)]  # searched on either side while tracking
    refine_cells: Annotated[int, Field(ge=2)]  # on either side of the first pose
    least_contrast: Positive  # standard deviation over mean, of the map
    least_score: Fraction  # correlation coefficient
    least_lead: NonNegative  # of the best score before the next one elsewhere

    @field_validator("cells", "least_cells")
    @classmethod
    def _odd(cls, value: int) -> int:
        if value % 2 == 0:
            raise ValueError("must be odd, so that a patch has a middle")
        return value


class AgreementParameters(Parameters):
    """When matches make a fix."""

    tolerance_cells: Positive  # that a match may be off the similarity
    largest_stretch: Positive  # scale or turn between view and map
    least_matches: Annotated[int, Field(ge=4)]
    least_share: Fraction  # of the patches searched
    log10_chance: Annotated[float, Field(lt=0)]  # expected number of as good agreements by chance, at most
    least_error_cells: Positive  # 1-sigma of a match is never believed to be less
    largest_residual_cells: Positive  # rms of the matches that agree
    largest_turn_sigma: Positive  # attitude by the fix against navigation's


class AcquisitionParameters(Parameters):
    """The search over all of navigation's uncertainty."""

    cells: Annotated[int, Field(ge=48, le=256)]  # of the view, along each side, that are searched for as one
    least_cells: Annotated[int, Field(ge=16)]  # fewer, and the map is too coarse for what the camera sees
    largest_cells: Annotated[int, Field(ge=64, le=2048)]  # that are searched on either side
    view_share: Fraction
    search_sigma: Positive  # of navigation's uncertainty
    largest_m: Positive  # of that, on either side
    scale_step: Positive  # of height over ground, from one hypothesis to the next
    candidates: Annotated[int, Field(ge=1)]  # of the highest correlations that are looked at closely
    least_score: Fraction


class LightParameters(Parameters):
    """Whether there is anything to see."""

    darkest: Annotated[float, Field(ge=0, le=255)]  # brightness of an unlit pixel, at most
    least_lit: Fraction  # of the pixels


class MotionParameters(Parameters):
    """Displacement from one image to the next."""

    below_m: Positive  # distance to the ground
    cells: Annotated[int, Field(ge=64, le=512)]  # of the window, along each side
    reach_cells: Annotated[int, Field(ge=2)]  # that the displacement may be off the prediction
    turn_rad: Positive  # 1-sigma of the turn between the images as predicted
    least_error_cells: Positive  # 1-sigma of a match is never believed to be less
    common_cells: Positive  # 1-sigma of what all matches of two images share
    relief_cells: NonNegative  # 1-sigma of relief that is not in the heights, as it scales the displacement


class MapErrorParameters(Parameters):
    """How errors of the map hang together; how large those of its heights are, the map says itself."""

    height_correlation_spacings: Positive  # of the zone
    least_height_correlation_m: Positive
    shift_cells: NonNegative  # 1-sigma of the place of a patch, shared by its neighbours
    shift_correlation_cells: Positive
    common_cells: NonNegative  # shift of all patches together, 1-sigma per axis, independent from image to image


class TrnParameters(Parameters):
    """config/trn/*.yaml."""

    name: str
    window: WindowParameters
    patches: PatchParameters
    agreement: AgreementParameters
    acquisition: AcquisitionParameters
    light: LightParameters
    motion: MotionParameters
    map_errors: MapErrorParameters
    tracking_s: Positive  # what an image costs while tracking, from exposure to fix
    acquisition_s: Positive  # and while acquiring
    forget_s: Positive  # after so long without a fix, all of navigation's uncertainty is searched
    attitude_sigma_deg: Positive  # of the camera's attitude as predicted, mount included, at least
