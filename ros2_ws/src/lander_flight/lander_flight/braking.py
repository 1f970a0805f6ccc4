"""Braking: the fuel-optimal constant-thrust arc from the descent orbit to a gate above the site, found by shooting.

The thrust points along the primer vector p (Lawden 1963), which obeys p'' = G(r) p with G the gradient of spherical
gravity, so an arc is fixed by p and p' at its beginning and by its duration. Newton's method finds them, and one more
quantity that makes the range come out: the time still to coast before ignition, or the thrust level. With that quantity
free, the arc is the cheapest one over all ranges: its transversality condition (the costate of the central angle is
zero, Bryson and Ho 1975, section 2.5) is the seventh equation. The same idea with linearised gravity is unified powered
flight guidance (Jaggers 1977; McHenry et al. 1979); here nothing is linearised, because an arc costs only microseconds.

Vectors are in mci; the gate is given in the `approach` frame: origin at the target, x down range along the approach
azimuth, y left, z up, fixed to the Moon.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import asin, exp, inf

import numpy as np

from lander_common.frames import Array
from lander_common.moon import GM_M3_S2
from lander_common.quaternion import Vector
from lander_flight.lander_state import combined, dot, norm, scaled, unit
from lander_flight.shooting import CONVERGED, WORK, Problem, arc_thrust, coast, fly, newton

_GUESSED_PITCH = 0.1  # of the thrust over the horizontal at ignition, rad
_GUESSED_TURN = 0.7  # of the primer upwards over the burn, relative to its length
_GUESSED_LOSS = 1.03  # velocity change over the speed at ignition


@dataclass(frozen=True)
class Gate:
    """Where and how fast braking ends, in the approach frame."""

    position_m: Vector
    velocity_m_s: Vector


@dataclass(frozen=True)
class ThrustModel:
    """What the engines give: `level` 1 is everything they have.

    The main engine gives the same whenever it burns; the rest of the level comes from the assist thrusters.
    """

    full_acceleration_m_s2: float  # at level 1 and the present mass
    main_share: float  # of the full thrust
    main_exhaust_velocity_m_s: float
    assist_exhaust_velocity_m_s: float

    def array(self) -> Array:
        """For the compiled functions."""
        return np.array(
            [
                self.full_acceleration_m_s2,
                self.main_share,
                self.main_exhaust_velocity_m_s,
                self.assist_exhaust_velocity_m_s,
            ]
        )


@dataclass(frozen=True)
class Arc:
    """A solution: primer vector and its rate at ignition, in mci, and when that is. Seen from `epoch_s`."""

    epoch_s: float
    primer: Vector
    primer_rate: Vector  # 1/s
    coast_s: float  # from the epoch to ignition; zero in the burn: primer and its rate are then those at the epoch
    burn_s: float
    level: float  # of full thrust
    residual: float  # scaled
    end_pitch_rad: float  # of the thrust above the horizontal at the end

    @property
    def converged(self) -> bool:
        """Whether the arc reaches the gate; also false where the residual is not a number."""
        return self.residual < CONVERGED


class BrakingSolver:
    """Solves arcs to one gate."""

    def __init__(self, gate: Gate, R_mcmf_approach: Array, r_target_mcmf: Array) -> None:
        self._gate = np.array([*gate.position_m, *gate.velocity_m_s])
        self._R = np.ascontiguousarray(R_mcmf_approach)
        self._target = np.ascontiguousarray(r_target_mcmf)
        self._work = np.zeros(WORK)

    def aim(self, gate: Gate, height_m: float) -> None:
        """Aim at a gate, higher by this, from now on."""
        x, y, z = gate.position_m
        self._gate[:] = (x, y, z + height_m, *gate.velocity_m_s)

    def solve(self, mode: int, guess: Arc, time_s: float, r_mci: Vector, v_mci: Vector, thrust: ThrustModel) -> Arc:
        """The arc from a state at a time, begun from a guess with the same epoch. Look at `converged` of the result.

        `mode` is one of those in `shooting.py`.
        """
        x = np.array([*guess.primer, *guess.primer_rate, guess.coast_s, guess.burn_s, guess.level])
        state = np.array([*r_mci, *v_mci])
        problem = Problem(mode, guess.level, float(time_s), state, thrust.array(), self._gate, self._R, self._target)
        residual, end_pitch_sine = newton(problem, x, self._work)
        values = x.tolist()
        return Arc(
            time_s,
            _vector(values[0:3]),
            _vector(values[3:6]),
            values[6],
            values[7],
            values[8],
            float(residual),
            asin(min(max(end_pitch_sine, -1.0), 1.0)),
        )

    def first_guess(
        self, time_s: float, r_mci: Vector, v_mci: Vector, thrust: ThrustModel, level: float, coast_s: float
    ) -> Arc:
        """A guess to start from: against the velocity, slowly pitching up, for as long as Tsiolkovsky says."""
        r_mci, v_mci = predict_coast(r_mci, v_mci, coast_s)
        speed, up = norm(v_mci), unit(r_mci)
        acceleration, exhaust = arc_thrust(level, thrust.array())
        burn_s = exhaust / acceleration * (1.0 - exp(-_GUESSED_LOSS * speed / exhaust))
        primer = unit(combined(-1.0 / speed, v_mci, _GUESSED_PITCH, up))
        return Arc(time_s, primer, scaled(up, _GUESSED_TURN / burn_s), coast_s, burn_s, level, inf, 0.0)


def advanced(arc: Arc, time_s: float, r_mci: Vector) -> Arc:
    """The same arc seen a short time later from its coast or burn; `r_mci` is where the lander is then."""
    coasted = min(time_s - arc.epoch_s, arc.coast_s)
    primer, rate = primer_at(arc, time_s, r_mci)
    scale = 1.0 / norm(primer)
    return replace(
        arc,
        epoch_s=time_s,
        primer=scaled(primer, scale),
        primer_rate=scaled(rate, scale),
        coast_s=arc.coast_s - coasted,
        burn_s=max(arc.burn_s - (time_s - arc.epoch_s - coasted), 0.0),
    )


def primer_at(arc: Arc, time_s: float, r_mci: Vector) -> tuple[Vector, Vector]:
    """Primer and its rate, 1/s, a short time after the epoch of an arc: those of ignition until then."""
    burnt = time_s - arc.epoch_s - arc.coast_s
    return (arc.primer, arc.primer_rate) if burnt <= 0.0 else _primer_after(arc.primer, arc.primer_rate, r_mci, burnt)


def predict_end(arc: Arc, r_mci: Vector, v_mci: Vector, thrust: ThrustModel) -> tuple[Vector, Vector]:
    """Position and velocity in mci at the end of an arc that begins with a state at its epoch."""
    y = np.array([*r_mci, *v_mci, *arc.primer, *arc.primer_rate])
    acceleration, exhaust = arc_thrust(arc.level, thrust.array())
    fly(y, arc.coast_s, arc.burn_s, acceleration, exhaust, np.zeros(WORK))
    return _vector(y[0:3].tolist()), _vector(y[3:6].tolist())


def predict_coast(r_mci: Vector, v_mci: Vector, time_s: float) -> tuple[Vector, Vector]:
    """Position and velocity in mci after a time without thrust."""
    y = np.array([*r_mci, *v_mci, 0.0, 0.0, 0.0, 0.0, 0.0, 0.0])
    coast(y, time_s, np.zeros(WORK))
    return _vector(y[0:3].tolist()), _vector(y[3:6].tolist())


def _primer_after(p: Vector, rate: Vector, r_mci: Vector, time_s: float) -> tuple[Vector, Vector]:
    """Primer and its rate after a short time at a place: Taylor series of p'' = G p to the third order."""
    r2 = dot(r_mci, r_mci)
    g = GM_M3_S2 / (r2 * norm(r_mci))
    second = combined(3.0 * g * dot(r_mci, p) / r2, r_mci, -g, p)
    third = combined(3.0 * g * dot(r_mci, rate) / r2, r_mci, -g, rate)
    t = time_s
    p_after = combined(1.0, combined(1.0, p, t, rate), t * t / 2.0, combined(1.0, second, t / 3.0, third))
    return p_after, combined(1.0, rate, t, combined(1.0, second, t / 2.0, third))


def _vector(values: list[float]) -> Vector:
    return values[0], values[1], values[2]
