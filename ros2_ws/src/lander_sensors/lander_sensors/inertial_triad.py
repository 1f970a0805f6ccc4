"""Three orthogonal inertial sensors that integrate: gyros give angles, accelerometers give velocities.

The error model is that of IEEE Std 952-1997 and 1293-1998: a constant turn-on bias, a first-order Gauss-Markov bias
(the in-run instability), white noise (random walk of the integral), scale factors, misalignments, quantisation and
saturation. All quantities are in SI: rad or m/s for increments, rad/s or m/s2 for biases.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import exp, floor, sqrt

import numpy as np

Increment = tuple[float, float, float]
DRAWS_PER_STEP = 6  # per triad: white noise and Gauss-Markov drive of each axis


@dataclass(frozen=True, slots=True)
class TriadErrors:
    """One-sigma errors of a triad in SI."""

    turn_on_bias: float  # rad/s or m/s2, constant through a run
    bias_instability: float  # rad/s or m/s2, steady-state sigma of the Gauss-Markov bias
    correlation_time_s: float
    random_walk: float  # rad/sqrt(s) or m/s/sqrt(s)
    scale_factor: float  # fraction
    misalignment_rad: float  # of each axis towards each other
    quantum: float  # rad or m/s; 0: not quantised
    limit: float  # rad/s or m/s2


class Triad:
    """One unit, with its own errors drawn from the given generator."""

    def __init__(self, errors: TriadErrors, generator: np.random.Generator) -> None:
        self.errors = errors
        self.bias: list[float] = (errors.turn_on_bias * generator.standard_normal(3)).tolist()
        self.drift: list[float] = (errors.bias_instability * generator.standard_normal(3)).tolist()
        matrix = np.eye(3) + errors.misalignment_rad * generator.standard_normal((3, 3)) * (1.0 - np.eye(3))
        matrix[np.diag_indices(3)] += errors.scale_factor * generator.standard_normal(3)
        self.rows: list[list[float]] = matrix.tolist()  # sensed = rows @ true
        self.carry = [0.0, 0.0, 0.0]  # what quantisation has held back so far
        self._step_s = -1.0
        self._decay = self._drive = self._noise = 0.0

    def _set_step(self, step_s: float) -> None:
        """Discrete Gauss-Markov and white noise for an interval (Gelb 1974, eq. 4.5-13)."""
        self._step_s = step_s
        self._decay = exp(-step_s / self.errors.correlation_time_s)
        self._drive = self.errors.bias_instability * sqrt(1.0 - self._decay * self._decay)
        self._noise = self.errors.random_walk * sqrt(step_s)

    def sense(self, true: Sequence[float], step_s: float, normals: Sequence[float]) -> tuple[Increment, bool]:
        """Increment over an interval of `step_s` from the true one, and whether an axis saturated.

        `normals` are DRAWS_PER_STEP standard normal numbers.
        """
        if step_s != self._step_s:
            self._set_step(step_s)
        x, y, z = true
        decay, drive, noise, quantum = self._decay, self._drive, self._noise, self.errors.quantum
        bias, drifts, carry, limit = self.bias, self.drift, self.carry, self.errors.limit * step_s
        sensed, saturated = [], False
        for axis, (to_x, to_y, to_z) in enumerate(self.rows):
            drift = drifts[axis] = decay * drifts[axis] + drive * normals[axis]
            value = to_x * x + to_y * y + to_z * z
            value += (bias[axis] + drift) * step_s + noise * normals[axis + 3]
            if not -limit <= value <= limit:
                value = limit if value > 0.0 else -limit
                saturated = True
            if quantum != 0.0:  # what is left over is given with the next increment, so that nothing is lost
                due = value + carry[axis]
                value = floor(due / quantum + 0.5) * quantum
                carry[axis] = due - value
            sensed.append(value)
        return (sensed[0], sensed[1], sensed[2]), saturated
