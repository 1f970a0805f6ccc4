"""Where the lander truly is at stamp 0: the nominal start with this run's errors on it."""

from __future__ import annotations

from math import radians

import numpy as np
from lander_common.mission import Mission
from lander_common.quaternion import from_rotation_vector, multiply
from lander_common.start import nominal_start
from lander_runtime.rng import stream
from numpy.typing import NDArray

from lander_world.dynamics import Q, R, STATE_LENGTH, V

Array = NDArray[np.float64]


def initial_state(mission: Mission) -> Array:
    """State for `dynamics.advance`, not rotating; position and velocity errors per axis of mci, attitude error per axis of body."""
    nominal, sigma, seed = nominal_start(mission), mission.dispersions, mission.seed
    state = np.zeros(STATE_LENGTH)
    state[R : R + 3] = nominal.r_mci + stream(seed, "dispersion/position").normal(0.0, 1.0, 3) * sigma.position_m
    state[V : V + 3] = nominal.v_mci + stream(seed, "dispersion/velocity").normal(0.0, 1.0, 3) * sigma.velocity_m_s
    error = stream(seed, "dispersion/attitude").normal(0.0, 1.0, 3) * radians(sigma.attitude_deg)
    state[Q : Q + 4] = multiply(
        nominal.q_mci_body, from_rotation_vector((float(error[0]), float(error[1]), float(error[2])))
    )
    return state
