"""Parameters of hazard detection: config/hazards/<name>.yaml."""

from __future__ import annotations

from typing import Annotated

import numpy as np
from pydantic import Field

from lander_common.mission import Fraction, NonNegative, Positive
from lander_runtime.config import Parameters


class HazardsParameters(Parameters):
    """How the ground is looked at, and where from."""

    name: str
    highest_m: Positive  # of the lander above the target: higher up, pixels are larger than what is looked for
    lowest_m: Positive  # lower down, there is no time left to go elsewhere
    posting_m: Positive  # of the hazard map at least; else a pixel
    slope_deg: Positive  # of the plane through the pads: steeper counts as a hazard
    slope_noise: Positive  # 1-sigma (tangent) of a slope by brightness over a footprint
    bump_m: Positive  # half the width of the bumps and pits that a single pad stands on
    level_m: Positive  # 1-sigma of the surroundings that brightness is compared with
    unseen_m: Positive  # radius over which the map's error of slope along the Sun is taken for that across it
    darkest: Fraction  # of the brightness of level ground: darker is shadow, and nothing is known of what lies in it
    shadow_share: Fraction  # of a footprint: more shadow counts as a hazard
    landing_sigma_m: Positive  # of the landing about the place aimed at, against the ground seen, per axis
    margin_m: NonNegative  # seen beyond what can be reached
    settle_s: NonNegative  # for which the lander drifts on before it can turn elsewhere
    reach_m: Annotated[tuple[tuple[float, float], ...], Field(min_length=2)]  # altitude (m), reach: linear between

    def reach(self, altitude_m: float) -> float:
        """How far to the side the lander can still go, m."""
        altitudes, reaches = np.array(self.reach_m).T
        return float(np.interp(altitude_m, altitudes, reaches))
