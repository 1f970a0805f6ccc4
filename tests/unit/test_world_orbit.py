"""Orbits against Kepler's laws, the drift of the node, and conserved quantities."""

from __future__ import annotations

from math import atan2, cos, pi, radians, sin, sqrt

import numpy as np
from numpy.testing import assert_allclose
from world_samples import NOTHING, lander, round_moon, run

from lander_common.moon import GM_M3_S2, GRAVITY_RADIUS_M, J2, REFERENCE_RADIUS_M
from lander_world.dynamics import advance
from lander_world.gravity import gravity_model, potential_mcmf
from lander_world.initial_state import R, V
from lander_world.plant import Plant

PERILUNE, APOLUNE = REFERENCE_RADIUS_M + 15e3, REFERENCE_RADIUS_M + 100e3
A, E = 0.5 * (PERILUNE + APOLUNE), (APOLUNE - PERILUNE) / (APOLUNE + PERILUNE)
PERIOD_S = 2.0 * pi * sqrt(A**3 / GM_M3_S2)


def in_orbit(plant: Plant, inclination_deg: float) -> Plant:
    """At perilune on the node."""
    speed = sqrt(GM_M3_S2 * (2.0 / PERILUNE - 1.0 / A))
    i = radians(inclination_deg)
    plant.state[R : R + 3] = (PERILUNE, 0.0, 0.0)
    plant.state[V : V + 3] = (0.0, speed * cos(i), speed * sin(i))
    return plant


def kepler(time_s: float) -> tuple[float, float]:
    """Place in the plane of the orbit, m: x towards perilune."""
    mean = 2.0 * pi * time_s / PERIOD_S
    eccentric = mean
    for _ in range(30):
        eccentric = mean + E * sin(eccentric)
    return A * (cos(eccentric) - E), A * sqrt(1.0 - E * E) * sin(eccentric)


def test_the_orbit_follows_keplers_equation() -> None:
    plant = in_orbit(round_moon(lander()), 0.0)
    for quarter in range(1, 5):
        run(plant, 1600.0, 1.0, start_s=1600.0 * (quarter - 1))
        assert_allclose(plant.state[:2], kepler(1600.0 * quarter), atol=1e-4)


def test_the_orbit_closes_after_keplers_period() -> None:
    plant = in_orbit(round_moon(lander()), 40.0)
    before = plant.state.copy()
    run(plant, 6000.0, 1.0)
    advance(plant, NOTHING, 6000.0, PERIOD_S - 6000.0, False)
    assert_allclose(plant.state[R : R + 3], before[R : R + 3], atol=1e-3)
    assert_allclose(plant.state[V : V + 3], before[V : V + 3], atol=1e-6)


def test_energy_and_angular_momentum_hold_over_ten_orbits() -> None:
    plant = in_orbit(round_moon(lander()), 60.0)
    r, v = plant.state[R : R + 3], plant.state[V : V + 3]
    energy, momentum = 0.5 * v @ v - GM_M3_S2 / np.linalg.norm(r), np.cross(r, v)
    run(plant, 10.0 * PERIOD_S, 1.0)
    assert_allclose(0.5 * v @ v - GM_M3_S2 / np.linalg.norm(r), energy, rtol=1e-11)
    assert_allclose(np.cross(r, v), momentum, atol=1e-11 * np.linalg.norm(momentum))


def test_with_j2_energy_and_the_axial_momentum_hold() -> None:
    model = gravity_model(J2, 0.0)
    plant = in_orbit(lander()._replace(gravity=model), 60.0)
    r, v = plant.state[R : R + 3], plant.state[V : V + 3]
    energy, axial = 0.5 * v @ v - potential_mcmf(model, *r), np.cross(r, v)[2]
    run(plant, PERIOD_S, 1.0)
    assert_allclose(0.5 * v @ v - potential_mcmf(model, *r), energy, rtol=1e-11)
    assert_allclose(np.cross(r, v)[2], axial, rtol=1e-11)


def test_with_c22_the_jacobi_integral_of_the_turning_moon_holds() -> None:
    rate = 2.6617073e-6  # rad/s
    model = gravity_model()
    plant = in_orbit(lander(), 60.0)

    def jacobi(time_s: float) -> float:
        r, v = plant.state[R : R + 3], plant.state[V : V + 3]
        c, s = cos(rate * time_s), sin(rate * time_s)
        potential = potential_mcmf(model, c * r[0] + s * r[1], c * r[1] - s * r[0], r[2])
        return float(0.5 * v @ v - potential - rate * np.cross(r, v)[2])

    before = jacobi(0.0)
    run(plant, 7000.0, 1.0)
    assert_allclose(jacobi(7000.0), before, rtol=1e-11)


def test_the_node_drifts_at_the_rate_of_j2() -> None:
    # First-order secular rate (Vallado 2013, chapter 9): -3/2 n J2 (R/p)^2 cos i
    inclination_deg = 60.0
    plant = in_orbit(lander()._replace(gravity=gravity_model(J2, 0.0)), inclination_deg)
    p = A * (1.0 - E * E)
    expected = -1.5 * (2.0 * pi / PERIOD_S) * J2 * (GRAVITY_RADIUS_M / p) ** 2 * cos(radians(inclination_deg))
    nodes = []
    for _ in range(20):  # whole orbits, so that the short-period part is the same at each sample
        nodes.append(node(plant))
        run(plant, PERIOD_S, 5.0)
    drift = np.polyfit(np.arange(20) * 5.0 * round(PERIOD_S / 5.0), np.unwrap(nodes), 1)[0]
    assert_allclose(drift, expected, rtol=0.01)  # the formula is of first order in J2 = 2e-4, the sampling adds some


def node(plant: Plant) -> float:
    h = np.cross(plant.state[R : R + 3], plant.state[V : V + 3])
    return atan2(h[0], -h[1])
