"""The errors of a run: their size over seeds, and that they do not depend on each other."""

from __future__ import annotations

from dataclasses import replace
from math import degrees, radians

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from world_samples import Array, mission

from lander_common.quaternion import conjugate, multiply, to_rotation_vector
from lander_common.start import nominal_start
from lander_runtime.config import ConfigError
from lander_world.initial_state import Q, R, V, W, initial_state
from lander_world.thrusters import DIRECTION, FLOW, FULL_THRUST
from lander_world.vehicle_tables import nominal_thrusters, tilted, true_vehicle

SEEDS = range(400)
NOMINAL = mission("nominal")
SIGMA = NOMINAL.dispersions
TABLE = nominal_thrusters(NOMINAL.vehicle)


def scatter(samples: Array) -> Array:
    """Root mean square over seeds, all axes together, relative to what is expected of 400 seeds: near 1."""
    return np.sqrt(np.mean(np.square(samples)))


def start_errors() -> Array:
    """Position, velocity and attitude errors, shape (seeds, 9)."""
    start = nominal_start(NOMINAL)
    rows = []
    for seed in SEEDS:
        state = initial_state(replace(NOMINAL, seed=seed))
        turn = to_rotation_vector(multiply(conjugate(start.q_mci_body), tuple(state[Q : Q + 4].tolist())))
        rows.append([*(state[R : R + 3] - start.r_mci), *(state[V : V + 3] - start.v_mci), *turn])
    return np.array(rows)


def test_the_start_scatters_as_the_file_says() -> None:
    errors = start_errors()
    tolerance = 4.0 / np.sqrt(2.0 * 3.0 * len(SEEDS))  # four sigma of a standard deviation
    assert_allclose(scatter(errors[:, 0:3]), SIGMA.position_m, rtol=tolerance)
    assert_allclose(scatter(errors[:, 3:6]), SIGMA.velocity_m_s, rtol=tolerance)
    assert_allclose(degrees(scatter(errors[:, 6:9])), SIGMA.attitude_deg, rtol=tolerance)
    means = errors.mean(axis=0) / np.repeat([SIGMA.position_m, SIGMA.velocity_m_s, radians(SIGMA.attitude_deg)], 3)
    assert np.all(np.abs(means) < 4.0 / np.sqrt(len(SEEDS)))


def test_the_vehicle_scatters_as_the_file_says() -> None:
    vehicles = [true_vehicle(replace(NOMINAL, seed=seed)) for seed in SEEDS]
    tables = np.array([vehicle.thrusters for vehicle in vehicles])
    tolerance = 4.0 / np.sqrt(2.0 * len(SEEDS))
    thrust = tables[:, :, FULL_THRUST] / TABLE[:, FULL_THRUST] - 1.0
    assert_allclose(
        scatter(thrust[:, 0]), np.hypot(SIGMA.main_thrust_fraction, SIGMA.thruster_fraction), rtol=tolerance
    )
    assert_allclose(scatter(thrust[:, 7:]), SIGMA.thruster_fraction, rtol=tolerance)
    common = SIGMA.assist_thrust_fraction**2 + SIGMA.thruster_fraction**2 / 6.0
    assert_allclose(scatter(thrust[:, 1:7].mean(axis=1)), np.sqrt(common), rtol=tolerance)
    isp = TABLE[:, FLOW] / tables[:, :, FLOW] - 1.0
    assert_allclose(scatter(isp[:, [0, 1, 7]]), SIGMA.isp_fraction, rtol=tolerance)
    cosines = np.einsum("sti,ti->st", tables[:, :, DIRECTION : DIRECTION + 3], TABLE[:, DIRECTION : DIRECTION + 3])
    turns = np.degrees(np.arccos(np.clip(cosines, -1.0, 1.0)))
    assert_allclose(scatter(turns), np.sqrt(2.0) * SIGMA.thruster_direction_deg, rtol=tolerance)  # two axes
    masses = np.array([vehicle.propellant_kg for vehicle in vehicles]) - NOMINAL.start.propellant_kg
    assert_allclose(scatter(masses), SIGMA.mass_fraction * 776.0, rtol=tolerance)
    coms = np.array([vehicle.mass[1:4] for vehicle in vehicles]) - NOMINAL.vehicle.mass.dry_com_m
    assert_allclose(scatter(coms), SIGMA.com_m, rtol=tolerance)


def test_no_dispersions_leave_the_nominal_start() -> None:
    exact, start = mission(), nominal_start(mission())
    state = initial_state(exact)
    assert_array_equal(state[R : R + 3], start.r_mci)
    assert_array_equal(state[V : V + 3], start.v_mci)
    assert_allclose(state[Q : Q + 4], start.q_mci_body, atol=1e-15)
    assert_array_equal(state[W:], 0.0)
    assert_allclose(true_vehicle(exact).thrusters, TABLE, rtol=1e-15)
    assert true_vehicle(exact).propellant_kg == exact.start.propellant_kg


def test_one_error_does_not_change_the_draw_of_another() -> None:
    louder = mission("nominal", dispersions__position_m="900.0", dispersions__isp_fraction="0.0")
    ours, theirs = initial_state(NOMINAL), initial_state(louder)
    assert_array_equal(ours[V:], theirs[V:])
    assert_allclose(theirs[:3] - nominal_start(louder).r_mci, 3.0 * (ours[:3] - nominal_start(NOMINAL).r_mci))
    assert_array_equal(true_vehicle(NOMINAL).thrusters[:, FULL_THRUST], true_vehicle(louder).thrusters[:, FULL_THRUST])


def test_the_same_seed_draws_the_same_and_another_draws_anew() -> None:
    assert_array_equal(initial_state(NOMINAL), initial_state(NOMINAL))
    assert not np.array_equal(initial_state(NOMINAL), initial_state(replace(NOMINAL, seed=2)))


@pytest.mark.parametrize("direction", [(0.0, 0.0, 1.0), (1.0, 0.0, 0.0), (0.6, -0.8, 0.0)])
def test_a_tilted_direction_is_a_unit_vector_at_that_angle(direction: tuple[float, ...]) -> None:
    moved = tilted(np.array(direction), np.array([3e-3, -4e-3]))
    assert_allclose(np.linalg.norm(moved), 1.0)
    assert_allclose(np.arccos(moved @ direction), np.arctan(5e-3), rtol=1e-6)


def test_a_thruster_without_direction_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match="direction of a thruster"):
        true_vehicle(mission(vehicle__main_engine__direction="[0.0, 0.0, 0.0]"))
