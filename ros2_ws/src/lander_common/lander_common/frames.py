"""Frames: mci (inertial), mcmf (Moon-fixed) and site (east, north, up at the target).

mci and mcmf coincide at stamp 0 of a run; the Moon then turns about their common z axis at its sidereal rate.
`R_a_b` is a 3x3 matrix that maps vectors from b to a; positions `r_x_a` are of x, in coordinates of a.
"""

from __future__ import annotations

from dataclasses import dataclass
from functools import cached_property
from math import cos, radians, sin
from typing import Any

import numpy as np
from numpy.typing import NDArray

from lander_common.moon import REFERENCE_RADIUS_M, ROTATION_RATE_RAD_S
from lander_common.quaternion import Quaternion, from_axes, multiply

Array = NDArray[np.float64]
OMEGA_MCI: Array = np.array([0.0, 0.0, ROTATION_RATE_RAD_S])  # rad/s, the Moon's rotation, in mci and mcmf alike


def R_mci_mcmf(time_s: float) -> Array:
    """Rotation from the Moon-fixed to the inertial frame at a time since stamp 0, s; shape (3, 3)."""
    angle = ROTATION_RATE_RAD_S * time_s
    c, s = cos(angle), sin(angle)
    return np.array([[c, -s, 0.0], [s, c, 0.0], [0.0, 0.0, 1.0]])


def q_mci_mcmf(time_s: float) -> Quaternion:
    """The same rotation as a quaternion."""
    half = 0.5 * ROTATION_RATE_RAD_S * time_s
    return (0.0, 0.0, sin(half), cos(half))


@dataclass(frozen=True)
class SiteFrame:
    """The site frame: origin at the target on the terrain, x east, y north, z along the local radius."""

    latitude_deg: float
    longitude_deg: float
    elevation_m: float  # of the target above the reference sphere

    @cached_property
    def R_mcmf_site(self) -> Array:
        """Rotation from site to mcmf, shape (3, 3)."""
        lat, lon = radians(self.latitude_deg), radians(self.longitude_deg)
        east = (-sin(lon), cos(lon), 0.0)
        north = (-sin(lat) * cos(lon), -sin(lat) * sin(lon), cos(lat))
        up = (cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat))
        return np.array([east, north, up]).T

    @cached_property
    def r_site_mcmf(self) -> Array:
        """Origin of the site frame in mcmf, m."""
        return self.R_mcmf_site[:, 2] * self.radius_m

    @property
    def radius_m(self) -> float:
        """Distance of the origin from the Moon's centre, m."""
        return REFERENCE_RADIUS_M + self.elevation_m

    @cached_property
    def q_mcmf_site(self) -> Quaternion:
        """Rotation from site to mcmf as a quaternion."""
        east, north, up = (_vector(self.R_mcmf_site[:, i]) for i in range(3))
        return from_axes(east, north, up)

    def R_mci_site(self, time_s: float) -> Array:
        """Rotation from site to mci at a time, shape (3, 3)."""
        return R_mci_mcmf(time_s) @ self.R_mcmf_site

    def q_mci_site(self, time_s: float) -> Quaternion:
        """Rotation from site to mci at a time as a quaternion."""
        return multiply(q_mci_mcmf(time_s), self.q_mcmf_site)

    def to_site(self, r_mci: Array, v_mci: Array, time_s: float) -> tuple[Array, Array]:
        """Position, m, and velocity relative to the rotating Moon, m/s, in site, from the inertial ones."""
        R = self.R_mci_site(time_s).T
        return R @ (r_mci - R_mci_mcmf(time_s) @ self.r_site_mcmf), R @ (v_mci - np.cross(OMEGA_MCI, r_mci))

    def to_mci(self, r_site: Array, v_site: Array, time_s: float) -> tuple[Array, Array]:
        """Inertial position and velocity from those in site (the inverse of `to_site`)."""
        R = self.R_mci_site(time_s)
        r_mci = R @ r_site + R_mci_mcmf(time_s) @ self.r_site_mcmf
        return r_mci, R @ v_site + np.cross(OMEGA_MCI, r_mci)


def _vector(values: Any) -> tuple[float, float, float]:
    return float(values[0]), float(values[1]), float(values[2])
