"""Units of data sheets in SI."""

from __future__ import annotations

from lander_common.moon import STANDARD_GRAVITY_M_S2

HOUR_S = 3600.0
MICRO_G_M_S2 = 1e-6 * STANDARD_GRAVITY_M_S2
