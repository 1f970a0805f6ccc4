"""Mass properties against a direct sum over point masses."""

from __future__ import annotations

from itertools import product

import numpy as np
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from world_samples import mission

from lander_world.mass import COM, INERTIA, MASS, PROPERTIES, mass_properties, mass_table

amounts = st.floats(0.0, 660.0)
offsets = st.tuples(*[st.floats(-0.2, 0.2)] * 3)
VEHICLE = mission().vehicle.mass


def cloud(mass: float, centre: np.ndarray, moments: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Eight equal points with a mass, a centre and principal moments of inertia."""
    second = 0.5 * (moments.sum() - 2.0 * moments) / mass if mass > 0.0 else np.zeros(3)
    return np.full(8, mass / 8.0), centre + np.array(list(product((-1.0, 1.0), repeat=3))) * np.sqrt(second)


@given(amounts, st.floats(0.0, 15.0), offsets)
def test_mass_properties_are_those_of_a_cloud_of_points(main: float, rcs: float, shift: tuple[float, ...]) -> None:
    out = np.empty(PROPERTIES)
    mass_properties(mass_table(VEHICLE, np.array(shift)), main, rcs, out)
    parts = [
        cloud(VEHICLE.dry_kg, np.array(VEHICLE.dry_com_m) + shift, np.array(VEHICLE.dry_inertia_kg_m2)),
        cloud(main, np.array(VEHICLE.tank_com_m), np.full(3, main * VEHICLE.tank_gyration_radius_m**2)),
        cloud(rcs, np.array(VEHICLE.rcs_tank_com_m), np.zeros(3)),
    ]
    masses = np.concatenate([part[0] for part in parts])
    places = np.concatenate([part[1] for part in parts])
    com = masses @ places / masses.sum()
    arms = places - com
    inertia = np.einsum("i,ijk->jk", masses, np.einsum("ij,ij->i", arms, arms)[:, None, None] * np.eye(3))
    inertia -= np.einsum("i,ij,ik->jk", masses, arms, arms)
    assert_allclose(out[MASS], masses.sum())
    assert_allclose(out[COM : COM + 3], com, atol=1e-12)
    assert_allclose(out[INERTIA:], inertia[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]], atol=1e-9)


def test_the_lander_has_the_inertia_of_the_estimate_at_400_kg() -> None:
    out = np.empty(PROPERTIES)
    mass_properties(mass_table(VEHICLE, np.zeros(3)), 48.0, 12.0, out)
    assert_allclose(out[INERTIA : INERTIA + 3], (350.0, 350.0, 300.0), rtol=0.1)  # the estimate of the vehicle file
    assert_allclose(out[COM + 2], 0.95, atol=0.01)
