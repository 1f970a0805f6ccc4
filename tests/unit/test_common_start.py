"""The nominal start against orbit integrals, an independent integration of the two-body problem, spherical geometry."""

from __future__ import annotations

from math import acos, pi, sqrt

import numpy as np
import pytest
from numpy.testing import assert_allclose
from scipy.integrate import solve_ivp

from lander_common.frames import OMEGA_MCI, R_mci_mcmf
from lander_common.mission import Mission, resolve
from lander_common.moon import GM_M3_S2, REFERENCE_RADIUS_M
from lander_common.quaternion import rotate
from lander_common.start import NominalStart, nominal_start

POWERED = resolve("nominal", 1, choices={"start": "powered_descent"})
DEORBIT = resolve("nominal", 1, choices={"start": "deorbit"})


def heights(r: np.ndarray, v: np.ndarray) -> tuple[float, float]:
    """Perilune and apolune above the reference sphere from energy and the eccentricity vector."""
    a = 1.0 / (2.0 / np.linalg.norm(r) - v @ v / GM_M3_S2)
    e = float(np.linalg.norm(np.cross(v, np.cross(r, v)) / GM_M3_S2 - r / np.linalg.norm(r)))
    return a * (1.0 - e) - REFERENCE_RADIUS_M, a * (1.0 + e) - REFERENCE_RADIUS_M


def coast(r: np.ndarray, v: np.ndarray, duration_s: float) -> tuple[np.ndarray, np.ndarray]:
    def rate(_t: float, x: np.ndarray) -> np.ndarray:
        return np.concatenate([x[3:], -GM_M3_S2 / np.linalg.norm(x[:3]) ** 3 * x[:3]])

    x = solve_ivp(rate, (0.0, duration_s), np.concatenate([r, v]), method="DOP853", rtol=1e-12, atol=1e-6).y[:, -1]
    return x[:3], x[3:]


def ground_range(mission: Mission, r_mci: np.ndarray, time_s: float) -> float:
    r_mcmf = R_mci_mcmf(time_s).T @ r_mci
    return REFERENCE_RADIUS_M * acos(
        float(r_mcmf @ mission.site_frame.R_mcmf_site[:, 2]) / float(np.linalg.norm(r_mcmf))
    )


def after_coast() -> tuple[NominalStart, np.ndarray, np.ndarray]:
    """The deorbit start, and its state after the burn (as an impulse) and the coast."""
    start = nominal_start(DEORBIT)
    r, v = coast(start.r_mci, start.v_mci, start.deorbit_time_s)
    v = v * (1.0 - start.deorbit_delta_v_m_s / np.linalg.norm(v))
    return start, *coast(r, v, start.descent_time_s - start.deorbit_time_s)


def test_the_powered_descent_starts_on_the_descent_ellipse_at_its_altitude() -> None:
    start = nominal_start(POWERED)
    assert_allclose(heights(start.r_mci, start.v_mci), (15e3, 100e3), atol=1e-3)
    r, _ = coast(start.r_mci, start.v_mci, POWERED.start.lead_time_s) if POWERED.start.lead_time_s else (start.r_mci, 0)
    assert_allclose(np.linalg.norm(r) - REFERENCE_RADIUS_M, 20e3, atol=1e-6)
    assert start.r_mci @ start.v_mci < 0.0  # on the way down


def test_the_powered_descent_starts_at_its_range_from_the_target() -> None:
    start = nominal_start(POWERED)
    r, _ = coast(start.r_mci, start.v_mci, start.descent_time_s) if start.descent_time_s else (start.r_mci, 0)
    assert_allclose(ground_range(POWERED, r, start.descent_time_s), POWERED.start.range_to_target_m, atol=1e-3)


def test_the_ground_track_leads_to_the_target() -> None:
    start = nominal_start(POWERED)
    r, v = coast(start.r_mci, start.v_mci, start.descent_time_s) if start.descent_time_s else (start.r_mci, start.v_mci)
    over_ground = v - np.cross(OMEGA_MCI, r)
    normal = np.cross(r, over_ground)
    target = R_mci_mcmf(start.descent_time_s) @ POWERED.site_frame.r_site_mcmf
    assert_allclose(normal / np.linalg.norm(normal) @ target, 0.0, atol=1.0)  # m, off the great circle of the track


def test_the_deorbit_starts_on_the_circle() -> None:
    start = nominal_start(DEORBIT)
    assert_allclose(heights(start.r_mci, start.v_mci), (100e3, 100e3), atol=1e-3)
    assert_allclose(np.linalg.norm(start.r_mci) - REFERENCE_RADIUS_M, 100e3, atol=1e-6)
    assert_allclose(np.linalg.norm(start.v_mci), 1633.5, atol=0.05)  # of a 100 km circle


def test_the_deorbit_burn_is_hohmanns() -> None:
    assert_allclose(nominal_start(DEORBIT).deorbit_delta_v_m_s, 19.5, atol=0.05)  # 100 x 100 to 100 x 15 km


def test_the_deorbit_leads_to_the_descent_altitude_at_the_stated_time() -> None:
    start, r, v = after_coast()
    assert_allclose(np.linalg.norm(r) - REFERENCE_RADIUS_M, 20e3, atol=0.1)
    assert_allclose(heights(r, v), (15e3, 100e3), atol=1.0)
    assert r @ v < 0.0
    assert_allclose(start.descent_time_s - start.deorbit_time_s, 48.2 * 60.0, atol=6.0)  # 48.2 min later


def test_both_starts_meet_over_the_same_ground() -> None:
    start, r, v = after_coast()
    powered = nominal_start(POWERED)
    lead = powered.descent_time_s
    r_powered, v_powered = coast(powered.r_mci, powered.v_mci, lead) if lead else (powered.r_mci, powered.v_mci)
    to_mcmf, to_mcmf_powered = R_mci_mcmf(start.descent_time_s).T, R_mci_mcmf(lead).T
    assert_allclose(to_mcmf @ r, to_mcmf_powered @ r_powered, atol=1.0)
    assert_allclose(to_mcmf @ v, to_mcmf_powered @ v_powered, atol=1e-3)


@pytest.mark.parametrize("mission", [POWERED, DEORBIT], ids=["powered descent", "deorbit"])
def test_the_thrust_axis_points_against_the_velocity(mission: Mission) -> None:
    start = nominal_start(mission)
    thrust_axis = np.array(rotate(start.q_mci_body, (0.0, 0.0, 1.0)))
    assert_allclose(thrust_axis, -start.v_mci / np.linalg.norm(start.v_mci), atol=1e-9)
    assert np.array(rotate(start.q_mci_body, (1.0, 0.0, 0.0))) @ start.r_mci > 0.0  # body x up


@pytest.mark.parametrize("lead_time_s", ["0.0", "60.0", "300.0"])
def test_a_lead_time_is_flown_back_on_the_same_ellipse(lead_time_s: str) -> None:
    mission = resolve("nominal", 1, settings={"start.lead_time_s": lead_time_s})
    start = nominal_start(mission)
    lead = float(lead_time_s)
    assert start.descent_time_s == lead
    r, _ = coast(start.r_mci, start.v_mci, lead) if lead else (start.r_mci, start.v_mci)
    assert_allclose(np.linalg.norm(r) - REFERENCE_RADIUS_M, 20e3, atol=0.01)
    assert_allclose(ground_range(mission, r, lead), 640e3, atol=0.1)


def test_the_coast_time_is_the_kepler_time_of_flight() -> None:
    start, _, _ = after_coast()
    a = REFERENCE_RADIUS_M + 57.5e3
    half_period_s = pi * sqrt(a**3 / GM_M3_S2)
    assert start.descent_time_s - start.deorbit_time_s < half_period_s  # 20 km comes before perilune
