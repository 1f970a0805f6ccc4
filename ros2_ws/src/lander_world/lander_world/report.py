"""The true state as the numbers of a Truth message."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.compiled_quaternion import conjugate, multiply, rotate, to_rotation_vector
from lander_world import thrusters
from lander_world.initial_state import SPECIFIC_IMPULSE, Q, W
from lander_world.mass import COM, MASS
from lander_world.plant import Plant
from lander_world.site_motion import q_mci_site, to_site

Array = NDArray[np.float64]
Quaternion = tuple[float, float, float, float]

# Entries of the report, in the order of the message's fields
R_MCI, V_MCI, Q_MCI, W_BODY, DELTA_V, DELTA_THETA, R_SITE, V_SITE, Q_SITE, COM_BODY = (
    0,
    3,
    6,
    10,
    13,
    16,
    19,
    22,
    25,
    29,
)
ALTITUDE, MASS_KG, PROPELLANT, RCS_PROPELLANT, MAIN_THRUST, ASSIST_THRUST = 32, 33, 34, 35, 36, 37
REPORT_LENGTH = 38


@njit(cache=True)
def report(plant: Plant, q_before: Quaternion, properties: Array, time_s: float, step_s: float, out: Array) -> None:
    """Fill the report of a tick that ended now; the altitude is left to the caller.

    `q_before` is q_mci_body at the beginning of the tick, `properties` are those of `mass_properties`.
    """
    state, tanks, engines, site = plant.state, plant.tanks, plant.engines, plant.ground.site
    out[: W + 3] = state[: W + 3]
    q = (state[Q], state[Q + 1], state[Q + 2], state[Q + 3])
    impulse = (state[SPECIFIC_IMPULSE], state[SPECIFIC_IMPULSE + 1], state[SPECIFIC_IMPULSE + 2])
    out[DELTA_V], out[DELTA_V + 1], out[DELTA_V + 2] = rotate(conjugate(q), impulse)
    out[DELTA_THETA], out[DELTA_THETA + 1], out[DELTA_THETA + 2] = to_rotation_vector(multiply(conjugate(q_before), q))
    r, v, q_site_body = to_site(site, conjugate(q_mci_site(site, time_s)), state, time_s)
    for i in range(3):
        out[R_SITE + i] = r[i]
        out[V_SITE + i] = v[i]
        out[COM_BODY + i] = properties[COM + i]
    for i in range(4):
        out[Q_SITE + i] = q_site_body[i]
    out[MASS_KG] = properties[MASS]
    out[PROPELLANT], out[RCS_PROPELLANT] = tanks[0], tanks[1]
    share = 1.0 / step_s if step_s > 0.0 else 0.0
    out[MAIN_THRUST] = engines[0, thrusters.IMPULSE] * share
    out[ASSIST_THRUST] = np.sum(engines[1 : 1 + plant.assist, thrusters.IMPULSE]) * share
