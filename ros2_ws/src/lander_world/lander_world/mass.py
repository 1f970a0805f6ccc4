"""Mass, centre of mass and inertia from dry body and tanks."""

from __future__ import annotations

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.mission import MassProperties

Array = NDArray[np.float64]

# Entries of the table that `mass_table` makes
_DRY, _DRY_COM, _DRY_INERTIA, _TANK_COM, _GYRATION_2, _RCS_COM = 0, 1, 4, 7, 10, 11
TABLE_LENGTH = 14

# Entries of what `mass_properties` fills: mass, centre of mass (3), inertia xx yy zz xy xz yz about the centre of mass
MASS, COM, INERTIA = 0, 1, 4
PROPERTIES = 10


def mass_table(mass: MassProperties, com_error: Array) -> Array:
    """Table for `mass_properties`; `com_error` is added to the dry centre of mass, m, shape (3,)."""
    table = np.empty(TABLE_LENGTH)
    table[_DRY] = mass.dry_kg
    table[_DRY_COM : _DRY_COM + 3] = np.array(mass.dry_com_m) + com_error
    table[_DRY_INERTIA : _DRY_INERTIA + 3] = mass.dry_inertia_kg_m2
    table[_TANK_COM : _TANK_COM + 3] = mass.tank_com_m
    table[_GYRATION_2] = mass.tank_gyration_radius_m**2
    table[_RCS_COM : _RCS_COM + 3] = mass.rcs_tank_com_m
    return table


@njit(cache=True)
def _add_point(inertia: Array, mass: float, x: float, y: float, z: float) -> None:
    """Parallel axis: add a point mass at an offset from the centre to the six inertia entries."""
    inertia[0] += mass * (y * y + z * z)
    inertia[1] += mass * (x * x + z * z)
    inertia[2] += mass * (x * x + y * y)
    inertia[3] -= mass * x * y
    inertia[4] -= mass * x * z
    inertia[5] -= mass * y * z


@njit(cache=True)
def mass_properties(table: Array, propellant: float, rcs_propellant: float, out: Array) -> None:
    """Fill mass, kg, centre of mass in body, m, and inertia about it in body, kg m2, from the propellant aboard, kg.

    The main propellant is a body of constant gyration radius at a fixed place, the RCS propellant a point.
    """
    dry = table[_DRY]
    mass = dry + propellant + rcs_propellant
    out[MASS] = mass
    for i in range(3):
        moment = dry * table[_DRY_COM + i] + propellant * table[_TANK_COM + i] + rcs_propellant * table[_RCS_COM + i]
        out[COM + i] = moment / mass
    inertia = out[INERTIA:]
    for i in range(3):
        inertia[i] = table[_DRY_INERTIA + i] + propellant * table[_GYRATION_2]
        inertia[3 + i] = 0.0
    x, y, z = out[COM], out[COM + 1], out[COM + 2]
    _add_point(inertia, dry, table[_DRY_COM] - x, table[_DRY_COM + 1] - y, table[_DRY_COM + 2] - z)
    _add_point(inertia, propellant, table[_TANK_COM] - x, table[_TANK_COM + 1] - y, table[_TANK_COM + 2] - z)
    _add_point(inertia, rcs_propellant, table[_RCS_COM] - x, table[_RCS_COM + 1] - y, table[_RCS_COM + 2] - z)
