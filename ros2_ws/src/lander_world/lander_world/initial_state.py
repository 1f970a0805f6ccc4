"""The state of the rigid body, and its truth at stamp 0: the nominal start with this run's errors on it."""

from __future__ import annotations

from math import radians

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_common.quaternion import from_rotation_vector, multiply
from lander_common.start import nominal_start
from lander_runtime.rng import stream

Array = NDArray[np.float64]

# Entries of the state: position and velocity of the centre of mass in mci (m, m/s), q_mci_body, rate relative to mci
# in body (rad/s), specific force (all but gravity) integrated over the tick in mci (m/s)
R, V, Q, W, SPECIFIC_IMPULSE = 0, 3, 6, 10, 13
STATE_LENGTH = 16


def initial_state(mission: Mission) -> Array:
    """State at stamp 0, not rotating; errors of position and velocity per axis of mci, of attitude per axis of body."""
    nominal, sigma = nominal_start(mission), mission.dispersions
    state = np.zeros(STATE_LENGTH)
    state[R : R + 3] = nominal.r_mci + _errors(mission, "position", sigma.position_m)
    state[V : V + 3] = nominal.v_mci + _errors(mission, "velocity", sigma.velocity_m_s)
    x, y, z = _errors(mission, "attitude", radians(sigma.attitude_deg)).tolist()
    state[Q : Q + 4] = multiply(nominal.q_mci_body, from_rotation_vector((x, y, z)))
    return state


def _errors(mission: Mission, quantity: str, sigma: float) -> Array:
    return stream(mission.seed, f"dispersion/{quantity}").normal(0.0, 1.0, 3) * sigma
