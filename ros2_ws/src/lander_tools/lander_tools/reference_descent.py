"""A descent without vehicle or thrusters, to analyse and to test navigation on: a point mass whose thrust is what is asked for.

The way is a sequence of gates; to each, acceleration is linear in time such that position and velocity are met (explicit guidance,
Cherry 1964), evaluated anew at every step from the state that the guidance believes. The thrust axis turns no faster than a limit.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass
from math import cos, sin

import numpy as np
from numpy.typing import NDArray

from lander_common.frames import SiteFrame
from lander_common.mission import Mission
from lander_common.quaternion import Quaternion, conjugate, from_axes, multiply, to_rotation_vector
from lander_common.start import nominal_start
from lander_flight.strapdown import fall, gravity_mci

Array = NDArray[np.float64]

_LEAST_TIME_TO_GO_S = 4.0  # from there on the next gate is aimed at: the law is singular at a gate
_FASTEST_TURN_RAD_S = 0.08
_LEAST_ACCELERATION_M_S2 = 0.3  # keeps a thrust axis


@dataclass(frozen=True)
class Gate:
    """Where to be and how fast at a time: short of the target along the approach, above the sphere through it; forward and up there."""

    time_s: float
    short_m: float
    height_m: float
    forward_m_s: float
    up_m_s: float


# Linear-tangent steering of 776 kg at 1620 N and a mean specific impulse of 300 s from the nominal start, 32 s after it, to 3.2 km;
# then a pitch-up to 1 km and a vertical descent.
IGNITION_S = 31.8
GATES = (
    Gate(106.8, 467_900.0, 21_270.0, 1529.0, -7.0),
    Gate(181.8, 360_800.0, 20_830.0, 1362.0, -6.4),
    Gate(256.8, 266_300.0, 20_110.0, 1187.0, -13.7),
    Gate(331.8, 185_000.0, 18_640.0, 1004.0, -26.2),
    Gate(406.8, 117_500.0, 16_140.0, 811.0, -40.5),
    Gate(481.8, 64_600.0, 12_610.0, 609.0, -52.8),
    Gate(556.8, 27_200.0, 8_380.0, 394.0, -58.6),
    Gate(631.8, 6_200.0, 4_120.0, 165.5, -52.2),
    Gate(650.2, 3_700.0, 3_200.0, 107.0, -48.0),
    Gate(705.2, 250.0, 1_100.0, 14.0, -31.0),
    Gate(735.2, 0.0, 350.0, 0.0, -18.0),
    Gate(764.2, 0.0, 40.0, 0.0, -4.0),
    Gate(780.2, 0.0, 2.0, 0.0, -1.2),
)


@dataclass
class PointLander:
    """The true state: centre of mass in mci, attitude, and the increments of the last step."""

    r_mci: Array
    v_mci: Array
    q_mci_body: Quaternion
    time_s: float
    delta_v_body: Array
    delta_theta_body: Array

    def step(self, thrust_mci: Array, axes: Quaternion, dt: float) -> None:
        """Move under gravity and a constant specific force, m/s2, ending at the attitude `axes`."""
        nav = np.concatenate([self.r_mci, self.v_mci])
        fall(nav, float(thrust_mci[0]), float(thrust_mci[1]), float(thrust_mci[2]), self.time_s, dt)
        self.r_mci, self.v_mci = nav[:3], nav[3:]
        self.delta_theta_body = np.array(to_rotation_vector(multiply(conjugate(self.q_mci_body), axes)))
        self.q_mci_body = axes
        self.delta_v_body = matrix(axes).T @ thrust_mci * dt
        self.time_s += dt


def point_lander(mission: Mission) -> PointLander:
    """The lander at the nominal start."""
    start = nominal_start(mission)
    return PointLander(start.r_mci, start.v_mci, start.q_mci_body, 0.0, np.zeros(3), np.zeros(3))


class ReferenceGuidance:
    """Thrust and attitude from what is believed of the state."""

    def __init__(self, site: SiteFrame, azimuth_deg: float, gates: Sequence[Gate] = GATES) -> None:
        azimuth = np.radians(azimuth_deg)
        self._site = site
        self._gates = gates
        self._R_site_approach = np.array(
            [[sin(azimuth), -cos(azimuth), 0.0], [cos(azimuth), sin(azimuth), 0.0], [0.0, 0.0, 1.0]]
        )

    @property
    def end_s(self) -> float:
        """Time of the last gate."""
        return self._gates[-1].time_s

    def directions(self, time_s: float) -> Array:
        """Unit vectors along the approach, to its left and up at the target, in mci; columns, shape (3, 3)."""
        return np.asarray(self._site.R_mci_site(time_s) @ self._R_site_approach)

    def thrust(self, r_mci: Array, v_mci: Array, time_s: float) -> Array:
        """Specific force wanted, m/s2, in mci."""
        if time_s < IGNITION_S:
            return np.zeros(3)
        gate = next((gate for gate in self._gates if time_s < gate.time_s - _LEAST_TIME_TO_GO_S), self._gates[-1])
        to_go = max(gate.time_s - time_s, _LEAST_TIME_TO_GO_S)
        R = self.directions(time_s)
        r, v = self._site.to_site(r_mci, v_mci, time_s)
        r, v = self._R_site_approach.T @ r, self._R_site_approach.T @ v
        position, velocity = self._goal(gate)
        miss, error = position - r - v * to_go, velocity - v
        return np.asarray(R @ (6.0 * miss / to_go**2 - 2.0 * error / to_go)) - np.array(
            gravity_mci(*r_mci.tolist(), time_s)
        )

    def _goal(self, gate: Gate) -> tuple[Array, Array]:
        """Position and velocity of a gate, along the approach, to its left, up at the target."""
        angle = gate.short_m / self._site.radius_m
        up, forward = np.array([-sin(angle), 0.0, cos(angle)]), np.array([cos(angle), 0.0, sin(angle)])
        position = (self._site.radius_m + gate.height_m) * up - np.array([0.0, 0.0, self._site.radius_m])
        return position, gate.forward_m_s * forward + gate.up_m_s * up

    def attitude(self, q_mci_body: Quaternion, thrust_mci: Array, time_s: float, dt: float) -> Quaternion:
        """Attitude at the end of a step: the thrust axis turned towards the thrust, body y to the left of the approach."""
        axis = matrix(q_mci_body)[:, 2]
        size = float(np.linalg.norm(thrust_mci))
        if size < _LEAST_ACCELERATION_M_S2:
            return q_mci_body
        wanted = thrust_mci / size
        turn = np.cross(axis, wanted)
        angle = float(np.arctan2(np.linalg.norm(turn), axis @ wanted))
        share = min(1.0, _FASTEST_TURN_RAD_S * dt / angle) if angle > 0.0 else 1.0
        z = axis + share * (wanted - axis)
        z /= np.linalg.norm(z)
        left = self.directions(time_s)[:, 1]
        y = left - (left @ z) * z
        y /= np.linalg.norm(y)
        x = np.cross(y, z)
        return from_axes(tuple(x.tolist()), tuple(y.tolist()), tuple(z.tolist()))


def matrix(q: Quaternion) -> Array:
    """Rotation matrix of a quaternion, shape (3, 3)."""
    x, y, z, w = q
    return np.array(
        [
            [1.0 - 2.0 * (y * y + z * z), 2.0 * (x * y - z * w), 2.0 * (x * z + y * w)],
            [2.0 * (x * y + z * w), 1.0 - 2.0 * (x * x + z * z), 2.0 * (y * z - x * w)],
            [2.0 * (x * z - y * w), 2.0 * (y * z + x * w), 1.0 - 2.0 * (x * x + y * y)],
        ]
    )
