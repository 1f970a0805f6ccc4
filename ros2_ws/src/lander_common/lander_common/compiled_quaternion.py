"""The shared quaternion functions, compiled."""

from __future__ import annotations

from numba import njit

from lander_common import quaternion

multiply = njit(cache=True)(quaternion.multiply)
conjugate = njit(cache=True)(quaternion.conjugate)
normalised = njit(cache=True)(quaternion.normalised)
rotate = njit(cache=True)(quaternion.rotate)
from_rotation_vector = njit(cache=True)(quaternion.from_rotation_vector)
to_rotation_vector = njit(cache=True)(quaternion.to_rotation_vector)
