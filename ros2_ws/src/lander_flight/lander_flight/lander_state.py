"""What guidance reads and what it wants: plain tuples between its modules.

The `approach` frame is fixed to the Moon: origin at the target on the onboard map, x down range along the approach
azimuth, y left, z up.
"""

from __future__ import annotations

from math import atan2, cos, radians, sin, sqrt
from typing import NamedTuple

import numpy as np

from lander_common.frames import Array, SiteFrame
from lander_common.moon import ROTATION_RATE_RAD_S
from lander_common.quaternion import Quaternion, Vector, rotate


class LanderState(NamedTuple):
    """The state that guidance acts on at a step."""

    time_s: float
    r_mci: Vector  # m
    v_mci: Vector  # m/s
    q_mci_body: Quaternion
    w_body: Vector  # rad/s
    position: Vector  # m, of the pads' centre, in approach
    velocity: Vector  # m/s relative to the ground, in approach
    altitude_m: float  # of the pads above the ground below
    altitude_sigma_m: float
    altitude_low_m: float  # the least that is still believable
    contacts: tuple[bool, ...]

    @property
    def speed(self) -> float:
        """Relative to the ground, m/s; valid wherever on the Moon the lander is."""
        return norm(self.velocity)


class Limits(NamedTuple):
    """Thrust accelerations, m/s2, that the engines can give at the present mass."""

    main_m_s2: float
    assist_m_s2: float

    @property
    def all_m_s2(self) -> float:
        """Main and assist together."""
        return self.main_m_s2 + self.assist_m_s2


class Demand(NamedTuple):
    """What a phase wants."""

    direction_mci: Vector | None = None  # of thrust, unit; None: hold the attitude
    rate_mci: Vector | None = None  # rad/s, turning rate of the direction; None: not known
    thrust_n: float = 0.0
    main_engine: bool = False
    assist_engines: bool = False
    low_rate: bool = False
    slew_rate_rad_s: float = 0.0
    time_to_go_s: float = 0.0
    delta_v_to_go_m_s: float = 0.0


NOTHING = Demand()


class ApproachFrame:
    """Turns vectors between site, approach and mci.

    The target, m in site, is the origin of approach; the axes are those at the site's centre.
    """

    def __init__(self, site: SiteFrame, azimuth_deg: float, target_site: Vector = (0.0, 0.0, 0.0)) -> None:
        a = radians(azimuth_deg)
        self._sin, self._cos = sin(a), cos(a)
        R_site_approach = np.array([[sin(a), -cos(a), 0.0], [cos(a), sin(a), 0.0], [0.0, 0.0, 1.0]])
        self.R_mcmf_approach: Array = site.R_mcmf_site @ R_site_approach
        self.r_target_mcmf: Array = site.r_site_mcmf + site.R_mcmf_site @ np.array(target_site)
        x, y, z = (self.R_mcmf_approach.T @ self.r_target_mcmf).tolist()
        self.up_target: Vector = unit((x, y, z))  # along the local radius at the target, in approach
        self._target_site = target_site
        self._rows: list[Vector] = [(row[0], row[1], row[2]) for row in self.R_mcmf_approach.tolist()]

    def place(self, r_site: Vector) -> Vector:
        """A place in approach from one in site."""
        x, y, z = self._target_site
        return self.from_site((r_site[0] - x, r_site[1] - y, r_site[2] - z))

    def to_site(self, place: Vector) -> Vector:
        """A place in site from one in approach."""
        x, y, z = self._target_site
        forward, left, up = place
        return (
            x + self._sin * forward - self._cos * left,
            y + self._cos * forward + self._sin * left,
            z + up,
        )

    def from_site(self, v: Vector) -> Vector:
        """A vector in approach from one in site."""
        return (self._sin * v[0] + self._cos * v[1], self._sin * v[1] - self._cos * v[0], v[2])

    def to_mci(self, v: Vector, time_s: float) -> Vector:
        """A vector in mci from one in approach."""
        x, y, z = dot(self._rows[0], v), dot(self._rows[1], v), dot(self._rows[2], v)
        c, s = cos(ROTATION_RATE_RAD_S * time_s), sin(ROTATION_RATE_RAD_S * time_s)
        return (c * x - s * y, s * x + c * y, z)


def dot(a: Vector, b: Vector) -> float:
    """Scalar product."""
    return a[0] * b[0] + a[1] * b[1] + a[2] * b[2]


def cross(a: Vector, b: Vector) -> Vector:
    """Vector product."""
    return (a[1] * b[2] - a[2] * b[1], a[2] * b[0] - a[0] * b[2], a[0] * b[1] - a[1] * b[0])


def norm(a: Vector) -> float:
    """Length."""
    return sqrt(a[0] * a[0] + a[1] * a[1] + a[2] * a[2])


def scaled(a: Vector, factor: float) -> Vector:
    """a times a factor."""
    return (a[0] * factor, a[1] * factor, a[2] * factor)


def combined(a: float, x: Vector, b: float, y: Vector) -> Vector:
    """a x + b y."""
    return (a * x[0] + b * y[0], a * x[1] + b * y[1], a * x[2] + b * y[2])


def unit(a: Vector) -> Vector:
    """a at unit length. Raises ZeroDivisionError for zero."""
    return scaled(a, 1.0 / norm(a))


def angle_between(a: Vector, b: Vector) -> float:
    """Angle between two vectors, rad."""
    return atan2(norm(cross(a, b)), dot(a, b))


def body_z(q_mci_body: Quaternion) -> Vector:
    """The thrust axis in mci."""
    return rotate(q_mci_body, (0.0, 0.0, 1.0))


def turning_rate(v: Vector, v_rate: Vector) -> Vector:
    """Angular velocity, rad/s, with which the direction of a vector turns, given the vector's rate: v x v' / |v|2."""
    return scaled(cross(v, v_rate), 1.0 / dot(v, v))
