"""The propellant bound, against a published-style figure, a direct transcription, closed forms and the braking solver."""

from __future__ import annotations

from dataclasses import replace
from math import log, pi, sqrt

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy.optimize import minimize

from lander_common.mission import resolve
from lander_common.moon import GM_M3_S2, REFERENCE_RADIUS_M, STANDARD_GRAVITY_M_S2
from lander_tools import optimum
from lander_tools.optimum import PlanarState, Propulsion

Array = NDArray[np.float64]
LANDER = Propulsion(776.0, 1620.0, 300.0 * STANDARD_GRAVITY_M_S2)
LEVEL_START = PlanarState(REFERENCE_RADIUS_M + 20_000.0, 0.0, 1688.0)


def test_the_reference_lander_needs_the_reference_propellant() -> None:
    descent = optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, LANDER)
    assert descent.propellant_kg == pytest.approx(362.3, abs=0.05)  # computed elsewhere for the project's reference set


def test_a_descent_ends_at_rest_on_the_ground() -> None:
    descent = optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, LANDER)
    assert descent.radius_m[-1] == pytest.approx(REFERENCE_RADIUS_M, abs=0.1)
    assert descent.radial_speed_m_s[-1] == pytest.approx(0.0, abs=1e-3)
    assert descent.transverse_speed_m_s[-1] == pytest.approx(0.0, abs=1e-3)


def test_mass_follows_tsiolkovsky_and_the_bound_exceeds_the_loss_free_burn() -> None:
    descent = optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, LANDER)
    delta_v = LANDER.exhaust_velocity_m_s * log(LANDER.mass_kg / descent.mass_kg[-1])
    energy_speed = sqrt(1688.0**2 + 2.0 * GM_M3_S2 * (1.0 / REFERENCE_RADIUS_M - 1.0 / LEVEL_START.radius_m))
    assert 1688.0 < delta_v < 1688.0 + 1.62 * descent.burn_s
    assert delta_v > energy_speed  # an impulse at the ground would take just this


def test_no_directly_transcribed_descent_is_cheaper() -> None:
    """Pitch at eleven nodes and the burn time, by sequential quadratic programming: knows nothing of costates."""
    descent = optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, LANDER)
    direct = _transcribed_burn_s(descent.burn_s)
    assert direct == pytest.approx(descent.burn_s, rel=3e-4)
    assert direct > descent.burn_s - 0.02  # integration error of the transcription


def test_thrust_points_against_the_motion_and_pitches_up_steadily() -> None:
    descent = optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, LANDER)
    assert np.all(np.diff(descent.pitch_rad) > 0.0)
    assert np.all(np.abs(descent.pitch_rad) < pi / 4.0)


def test_waiting_for_the_best_ignition_saves_little_but_never_costs() -> None:
    mission = resolve("nominal", 1)
    start, propulsion = optimum.descent_state(mission), optimum.propulsion_of(mission)
    ground = REFERENCE_RADIUS_M + mission.site.elevation_m
    at_once = optimum.propellant_bound(mission)
    best = optimum.optimal_descent_with_coast(start, ground, propulsion, longest_coast_s=120.0)
    assert 0.0 < at_once.propellant_kg - best.propellant_kg < 0.5
    assert best.coast_s > 60.0


def test_both_starts_of_the_mission_have_the_same_bound() -> None:
    late, early = (optimum.propellant_bound(resolve("nominal", 1, {"start": name})) for name in _STARTS)
    assert early.propellant_kg == pytest.approx(late.propellant_kg, rel=2e-4)


def test_coasting_keeps_energy_and_angular_momentum() -> None:
    start = PlanarState(REFERENCE_RADIUS_M + 20_000.0, -18.8, 1687.5)
    end = optimum.coasted(start, 1500.0)
    assert end.radius_m * end.transverse_speed_m_s == pytest.approx(
        start.radius_m * start.transverse_speed_m_s, rel=1e-9
    )
    assert _energy(end) == pytest.approx(_energy(start), rel=1e-8)


def test_a_lander_too_weak_to_land_is_refused() -> None:
    weak = replace(LANDER, thrust_n=300.0)
    with pytest.raises(optimum.NoOptimumError, match="shooting"):
        optimum.optimal_descent(LEVEL_START, REFERENCE_RADIUS_M, weak)


_STARTS = ("powered_descent", "deorbit")


def _energy(state: PlanarState) -> float:
    return 0.5 * (state.radial_speed_m_s**2 + state.transverse_speed_m_s**2) - GM_M3_S2 / state.radius_m


def _transcribed_burn_s(guess_s: float) -> float:
    nodes = np.linspace(0.0, 1.0, 11)

    def end(x: Array) -> Array:
        return _flown(np.interp(np.linspace(0.0, 1.0, 201), nodes, x[:-1]), x[-1] * guess_s)

    solution = minimize(
        lambda x: x[-1],
        np.append(np.linspace(0.05, 0.65, 11), 1.0),
        constraints={"type": "eq", "fun": end},
        method="SLSQP",
        options={"maxiter": 100, "ftol": 1e-10},
    )
    assert np.max(np.abs(end(solution.x))) < 1e-4
    return float(solution.x[-1]) * guess_s


def _flown(pitch: Array, burn_s: float) -> Array:
    """Scaled miss of a descent with given pitch at the ends and middles of 100 Runge-Kutta steps."""
    y = np.array([LEVEL_START.radius_m, 0.0, 1688.0])
    h = burn_s / 100

    def rates(state: Array, time_s: float, angle: float) -> Array:
        r, vr, vt = state
        a = LANDER.thrust_n / (LANDER.mass_kg - LANDER.mass_flow_kg_s * time_s)
        return np.array([vr, vt * vt / r - GM_M3_S2 / r**2 + a * np.sin(angle), -vr * vt / r - a * np.cos(angle)])

    for i in range(100):
        t = i * h
        k1 = rates(y, t, pitch[2 * i])
        k2 = rates(y + 0.5 * h * k1, t + 0.5 * h, pitch[2 * i + 1])
        k3 = rates(y + 0.5 * h * k2, t + 0.5 * h, pitch[2 * i + 1])
        k4 = rates(y + h * k3, t + h, pitch[2 * i + 2])
        y = y + h / 6.0 * (k1 + 2.0 * k2 + 2.0 * k3 + k4)
    return (y - np.array([REFERENCE_RADIUS_M, 0.0, 0.0])) / np.array([1000.0, 10.0, 10.0])
