"""Rotation against the closed form of the free symmetric top, conserved quantities and jet damping."""

from __future__ import annotations

from math import cos, sin

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from world_samples import (
    FULL_ON,
    MAIN_ON,
    NOTHING,
    in_free_space,
    inertia_matrix,
    lander,
    mission,
    properties,
    run,
    with_steps,
)

from lander_common.quaternion import rotate
from lander_world.dynamics import advance, invert_symmetric
from lander_world.initial_state import Q, W
from lander_world.mass import INERTIA
from lander_world.parameters import WorldParameters
from lander_world.plant import Plant
from lander_world.thrusters import POSITION

rates = st.tuples(*[st.floats(-0.5, 0.5)] * 3)


def spinning(plant: Plant, w: tuple[float, float, float]) -> Plant:
    plant = in_free_space(plant)
    plant.state[W : W + 3] = w
    return plant


def momentum(plant: Plant) -> np.ndarray:
    """Angular momentum about the centre of mass, in mci."""
    q = tuple(plant.state[Q : Q + 4].tolist())
    h = inertia_matrix(plant) @ plant.state[W : W + 3]
    return np.array(rotate(q, tuple(h.tolist())))  # type: ignore[arg-type]


def lopsided() -> Plant:
    plant = lander()
    plant.mass[1:7] = (0.05, -0.03, 0.98, 250.0, 350.0, 280.0)  # dry centre of mass and inertia
    return plant


def test_a_free_symmetric_top_precesses_as_in_closed_form() -> None:
    # Goldstein, Poole, Safko (2002), section 5.6: w_x + i w_y turns at (I3 - I1)/I1 w3
    plant = spinning(lander(), (0.05, 0.0, 0.3))
    xx, _, zz = properties(plant)[INERTIA : INERTIA + 3]
    rate = (zz - xx) / xx * 0.3
    run(plant, 200.0, 0.02)
    assert_allclose(plant.state[W : W + 3], (0.05 * cos(rate * 200.0), 0.05 * sin(rate * 200.0), 0.3), atol=1e-8)


def test_the_axis_of_a_free_symmetric_top_circles_its_momentum() -> None:
    plant = spinning(lander(), (0.05, 0.0, 0.3))
    xx, _, zz = properties(plant)[INERTIA : INERTIA + 3]
    h = np.array([xx * 0.05, 0.0, zz * 0.3])
    turn = np.linalg.norm(h) / xx * 200.0  # the axis turns about h at h/I1
    run(plant, 200.0, 0.02)
    axis = np.array(rotate(tuple(plant.state[Q : Q + 4].tolist()), (0.0, 0.0, 1.0)))  # type: ignore[arg-type]
    u, z = h / np.linalg.norm(h), np.array([0.0, 0.0, 1.0])
    expected = z * cos(turn) + np.cross(u, z) * sin(turn) + u * (u @ z) * (1.0 - cos(turn))  # Rodrigues
    assert_allclose(axis, expected, atol=1e-8)


@settings(max_examples=20)
@given(rates)
def test_free_rotation_keeps_momentum_and_energy(w: tuple[float, float, float]) -> None:
    plant = spinning(lopsided(), w)
    h, inertia = momentum(plant), inertia_matrix(plant)
    energy = plant.state[W : W + 3] @ inertia @ plant.state[W : W + 3]
    run(plant, 20.0, 0.02)
    assert_allclose(momentum(plant), h, atol=1e-6)
    assert_allclose(plant.state[W : W + 3] @ inertia @ plant.state[W : W + 3], energy, rtol=1e-9, atol=1e-12)
    assert_allclose(np.linalg.norm(plant.state[Q : Q + 4]), 1.0, atol=1e-15)


def spin_after_burn(plant: Plant, on_s: np.ndarray) -> tuple[float, float]:
    """Spin about z after 30 s of thrust on a lander that spins at 0.2 rad/s, and the ratio of its axial inertias."""
    before = properties(plant)[INERTIA + 2]
    run(plant, 30.0, 0.02, on_s)
    return float(plant.state[W + 2]), float(before / properties(plant)[INERTIA + 2])


def test_thrust_on_the_axis_leaves_the_spin_its_momentum() -> None:
    # Exhaust on the axis takes no angular momentum with it: I w stays, so the lander spins up as its tanks empty.
    spin, ratio = spin_after_burn(spinning(lander(), (0.0, 0.0, 0.2)), MAIN_ON)
    assert_allclose(spin, 0.2 * ratio, rtol=1e-9)


def test_thrust_from_a_ring_damps_the_spin() -> None:
    # d(I w) = a^2 w dm with I = c + k^2 m gives w = w0 (I0/I)^(1 - a^2/k^2): Thomson (1961)
    plant = spinning(lander(), (0.0, 0.0, 0.2))
    plant.table[0, POSITION : POSITION + 3] = plant.table[1, POSITION : POSITION + 3]
    plant.table[0, 6] = 0.0  # the ring alone
    gyration_2, arm_2 = 0.5**2, 0.8**2
    spin, ratio = spin_after_burn(plant, FULL_ON)
    assert_allclose(spin, 0.2 * ratio ** (1.0 - arm_2 / gyration_2), rtol=1e-6)
    assert spin < 0.2


@given(st.tuples(*[st.floats(100.0, 500.0)] * 3), st.tuples(*[st.floats(-40.0, 40.0)] * 3))
def test_the_inverse_of_an_inertia_is_that_of_numpy(diagonal: tuple[float, ...], products: tuple[float, ...]) -> None:
    packed, out = np.array([*diagonal, *products]), np.empty(6)
    invert_symmetric(packed, out)
    xx, yy, zz, xy, xz, yz = packed
    expected = np.linalg.inv(np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]]))
    assert_allclose(out, expected[[0, 1, 2, 0, 0, 1], [0, 1, 2, 1, 2, 2]], rtol=1e-9, atol=1e-14)


def test_the_sub_step_in_powered_flight_is_short_enough() -> None:
    def after(step_s: float) -> np.ndarray:
        plant = with_steps(lander(mission("nominal")), step_s)
        plant.state[W : W + 3] = (0.02, -0.01, 0.005)
        run(plant, 20.0, 0.02, FULL_ON)
        return plant.state[:13].copy()

    configured = mission().part("world", WorldParameters).sub_step.powered_s
    errors = np.abs(after(configured) - after(0.1 * configured))
    assert errors[0:3].max() < 1e-4  # m
    assert errors[3:6].max() < 1e-5  # m/s
    assert errors[6:10].max() < 1e-7  # half a rotation angle, rad


PARTS = {
    "position": (slice(0, 3), (32.0, 16.0, 8.0)),
    "attitude": (slice(6, 10), (4.0, 2.0, 1.0)),
    "rate": (slice(10, 13), (4.0, 2.0, 1.0)),
}


@pytest.mark.parametrize("part", PARTS)
def test_the_integrator_is_of_fourth_order(part: str) -> None:
    entries, steps_s = PARTS[part]

    def after(step_s: float) -> np.ndarray:
        plant = with_steps(lopsided(), step_s)
        plant.state[W : W + 3] = (0.3, -0.2, 0.1)
        advance(plant, NOTHING, 0.0, 64.0, False)
        return plant.state[entries].copy()

    exact = after(0.01)
    errors = [float(np.linalg.norm(after(step_s) - exact)) for step_s in steps_s]
    orders = np.log2(np.array(errors[:-1]) / np.array(errors[1:]))
    assert_allclose(orders, 4.0, atol=0.6)
