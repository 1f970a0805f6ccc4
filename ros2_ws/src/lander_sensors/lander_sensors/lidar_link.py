"""Link budget of a laser rangefinder on a rough (Lambertian) surface that is larger than the laser spot.

The received power goes as albedo * cos(incidence) / range^2 (Degnan 1993, the extended-target form of the radar
equation). In dB, relative to one calibrated point, everything that is fixed by the device drops out.
"""

from __future__ import annotations

from math import log10

from lander_common.mission import Fraction, NonNegative, Positive
from lander_runtime.config import Parameters

FLOOR_DB = -60.0  # what is weaker than this is all the same: no return


class LinkParameters(Parameters):
    """The calibrated point of the link, and how the signal and its detection scatter."""

    reference_range_m: Positive
    reference_albedo: Fraction
    reference_margin_db: float  # above the detection threshold, at the reference and normal incidence
    fading_sigma_db: NonNegative  # 1-sigma from shot to shot: speckle, relief within the spot, laser energy
    dropout_probability: Fraction  # of a shot that is lost whatever its signal
    outlier_probability: Fraction  # of a detection that is a noise pulse ahead of the echo


def margin_db(link: LinkParameters, range_m: float, cos_incidence: float, albedo: float) -> float:
    """Mean signal above the detection threshold, dB."""
    if cos_incidence <= 0.0 or albedo <= 0.0:
        return FLOOR_DB
    ratio = albedo * cos_incidence / link.reference_albedo * (link.reference_range_m / range_m) ** 2
    return max(FLOOR_DB, link.reference_margin_db + 10.0 * log10(ratio))
