"""Inertial mechanisation against closed forms, other implementations and conserved quantities."""

from __future__ import annotations

from math import cos, pi, sin, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import solve_ivp

from lander_common.moon import C22, GM_M3_S2, GRAVITY_RADIUS_M, J2, REFERENCE_RADIUS_M, ROTATION_RATE_RAD_S
from lander_common.quaternion import from_rotation_vector, multiply, rotate, to_rotation_vector
from lander_flight import strapdown as sd
from lander_world import gravity as world

FAR_M = 60.0 * REFERENCE_RADIUS_M  # where J2 and C22 are below 1e-7 of the central force
NOTHING = np.zeros(3)
WORLD = world.gravity_model()


def state(r: object, v: object, q: object = (0.0, 0.0, 0.0, 1.0)) -> np.ndarray:
    nav = np.zeros(sd.NAV_SIZE)
    nav[sd.R : sd.R + 3], nav[sd.V : sd.V + 3], nav[sd.Q : sd.Q + 4] = r, v, q
    return nav


def low_orbit() -> np.ndarray:
    return state([1.2e6, -0.4e6, 1.3e6], [900.0, 1100.0, -500.0])


def potential(r: np.ndarray) -> float:
    """Point mass, J2 and C22 by Legendre functions of latitude and longitude (Kaula 1966, equation 1.31)."""
    size = float(np.linalg.norm(r))
    sine, longitude = r[2] / size, np.arctan2(r[1], r[0])
    ratio = (GRAVITY_RADIUS_M / size) ** 2
    zonal = -J2 * ratio * 0.5 * (3.0 * sine**2 - 1.0)
    sectoral = C22 * ratio * 3.0 * (1.0 - sine**2) * np.cos(2.0 * longitude)
    return float(GM_M3_S2 / size * (1.0 + zonal + sectoral))


@pytest.mark.parametrize("place", [[1.75e6, 0.0, 0.0], [1.0e6, -0.7e6, 1.3e6], [-0.2e6, 0.3e6, -1.8e6]])
def test_gravity_is_the_gradient_of_the_potential(place: list[float]) -> None:
    r, h = np.array(place), 20.0
    slope = [(potential(r + h * axis) - potential(r - h * axis)) / (2.0 * h) for axis in np.eye(3)]
    np.testing.assert_allclose(sd.gravity_mcmf(*r), slope, rtol=0, atol=1e-7)


def test_gravity_in_mci_agrees_with_the_simulated_world() -> None:
    place, time_s = (1.1e6, 0.5e6, 1.2e6), 4321.0
    np.testing.assert_allclose(sd.gravity_mci(*place, time_s), world.gravity_mci(WORLD, *place, time_s), rtol=1e-13)


@pytest.mark.parametrize("step_s", [0.02, 1.0])
def test_free_fall_follows_the_kepler_ellipse(step_s: float) -> None:
    semi_major, eccentricity = FAR_M, 0.2
    speed = sqrt(GM_M3_S2 / semi_major * (1.0 + eccentricity) / (1.0 - eccentricity))
    nav = state([semi_major * (1.0 - eccentricity), 0.0, 0.0], [0.0, speed, 0.0])
    steps = 2000
    for k in range(steps):
        sd.advance(nav, NOTHING, NOTHING, k * step_s, step_s)
    mean = sqrt(GM_M3_S2 / semi_major**3) * steps * step_s
    anomaly = mean
    for _ in range(30):  # Kepler's equation by fixed point
        anomaly = mean + eccentricity * sin(anomaly)
    expected = [
        semi_major * (cos(anomaly) - eccentricity),
        semi_major * sqrt(1.0 - eccentricity**2) * sin(anomaly),
        0.0,
    ]
    np.testing.assert_allclose(nav[sd.R : sd.R + 3], expected, atol=2e-2)


def test_the_jacobi_constant_is_conserved_over_an_hour_of_long_ticks() -> None:
    def jacobi(nav: np.ndarray, time_s: float) -> float:
        r, v, angle = nav[0:3], nav[3:6], ROTATION_RATE_RAD_S * time_s
        c, s = cos(angle), sin(angle)
        fixed = np.array([c * r[0] + s * r[1], c * r[1] - s * r[0], r[2]])
        return float(0.5 * v @ v - potential(fixed) - ROTATION_RATE_RAD_S * (r[0] * v[1] - r[1] * v[0]))

    nav = low_orbit()
    first = jacobi(nav, 0.0)
    for k in range(3600):
        sd.fall(nav, 0.0, 0.0, 0.0, float(k), 1.0)
    assert jacobi(nav, 3600.0) == pytest.approx(first, abs=1e-4)  # of 1.5e6 m2/s2


def test_a_coast_agrees_with_another_integrator() -> None:
    def derivative(t: float, y: np.ndarray) -> np.ndarray:
        return np.concatenate([y[3:], world.gravity_mci(WORLD, *y[:3], t)])

    nav = low_orbit()
    other = solve_ivp(derivative, (0.0, 1000.0), nav[:6], method="DOP853", rtol=1e-12, atol=1e-6).y[:, -1]
    for k in range(1000):
        sd.fall(nav, 0.0, 0.0, 0.0, float(k), 1.0)
    np.testing.assert_allclose(nav[:3], other[:3], atol=1e-3)
    np.testing.assert_allclose(nav[3:6], other[3:], atol=1e-6)


def test_the_integration_of_gravity_is_of_fourth_order() -> None:
    def end(step_s: float) -> np.ndarray:
        nav = low_orbit()
        for k in range(round(1600.0 / step_s)):
            sd.fall(nav, 0.1, -0.2, 0.3, k * step_s, step_s)
        return nav[:3].copy()

    exact = end(2.0)
    coarse, fine = (float(np.linalg.norm(end(step) - exact)) for step in (160.0, 80.0))
    assert np.log2(coarse / fine) == pytest.approx(4.0, abs=0.4)


def test_constant_thrust_adds_its_closed_form_to_the_fall() -> None:
    force, step_s, steps = np.array([0.0, 0.0, 2.5]), 0.1, 600
    q = from_rotation_vector((0.3, -0.8, 0.4))
    thrusting, falling = state([FAR_M, 0.0, 0.0], [0.0, 200.0, 0.0], q), state([FAR_M, 0.0, 0.0], [0.0, 200.0, 0.0], q)
    for k in range(steps):
        sd.advance(thrusting, NOTHING, force * step_s, k * step_s, step_s)
        sd.advance(falling, NOTHING, NOTHING, k * step_s, step_s)
    a, t = np.array(rotate(q, (0.0, 0.0, 2.5))), steps * step_s
    np.testing.assert_allclose(thrusting[sd.V : sd.V + 3] - falling[sd.V : sd.V + 3], a * t, atol=1e-4)
    np.testing.assert_allclose(thrusting[sd.R : sd.R + 3] - falling[sd.R : sd.R + 3], 0.5 * a * t * t, atol=2e-3)


def test_a_constant_body_rate_turns_by_the_closed_form() -> None:
    rate, step_s, steps = (0.02, -0.05, 0.03), 0.02, 1500
    nav = low_orbit()
    for k in range(steps):
        sd.advance(nav, np.array(rate) * step_s, NOTHING, k * step_s, step_s)
    x, y, z = (value * steps * step_s for value in rate)
    np.testing.assert_allclose(nav[sd.Q : sd.Q + 4], from_rotation_vector((x, y, z)), atol=1e-12)


def test_coning_leaves_no_drift_when_increments_are_rotation_vectors() -> None:
    """An axis that runs round a cone (Bortz 1971): q(t) = (sin(a/2) cos wt, sin(a/2) sin wt, 0, cos(a/2))."""
    half_angle, frequency, step_s = 0.02, 2.0 * pi * 3.0, 0.02

    def attitude(t: float) -> tuple[float, float, float, float]:
        s = sin(half_angle)
        return (s * cos(frequency * t), s * sin(frequency * t), 0.0, cos(half_angle))

    nav = state([FAR_M, 0.0, 0.0], NOTHING, attitude(0.0))
    for k in range(500):
        x, y, z, w = attitude(k * step_s)
        increment = to_rotation_vector(multiply((-x, -y, -z, w), attitude((k + 1) * step_s)))
        sd.advance(nav, np.array(increment), NOTHING, k * step_s, step_s)
    np.testing.assert_allclose(nav[sd.Q : sd.Q + 4], attitude(10.0), atol=1e-11)


def test_thrust_while_turning_gives_the_closed_form() -> None:
    """Body z turns about y at rate w with specific force f along it: v = f/w (1 - cos wT, 0, sin wT)."""
    rate, force, step_s, steps = 0.05, 2.0, 0.02, 1000
    # The increment of a tick in body coordinates at its end: the axis came from an angle w dt behind.
    turn = rate * step_s
    delta_v = np.array([-force / rate * (1.0 - cos(turn)), 0.0, force / rate * sin(turn)])
    thrusting, falling = state([FAR_M, 0.0, 0.0], NOTHING), state([FAR_M, 0.0, 0.0], NOTHING)
    for k in range(steps):
        sd.advance(thrusting, np.array([0.0, turn, 0.0]), delta_v, k * step_s, step_s)
        sd.advance(falling, NOTHING, NOTHING, k * step_s, step_s)
    angle = rate * steps * step_s
    expected = [force / rate * (1.0 - cos(angle)), 0.0, force / rate * sin(angle)]
    np.testing.assert_allclose(thrusting[sd.V : sd.V + 3] - falling[sd.V : sd.V + 3], expected, atol=1e-6)


def test_estimated_sensor_errors_are_taken_out_of_the_increments() -> None:
    step_s, force, rate = 0.02, np.array([0.1, -0.2, 2.5]), np.array([0.01, 0.02, -0.03])
    true, errors = low_orbit(), low_orbit()
    errors[sd.GYRO_BIAS : sd.ACCELEROMETER_BIAS] = bias = np.array([1e-4, -2e-4, 3e-4])
    errors[sd.ACCELEROMETER_BIAS : sd.RANGE_BIAS] = offset = np.array([1e-2, 2e-2, -1e-2])
    errors[sd.THRUST_AXIS : sd.MAP_HEIGHT] = axis = np.array([1e-3, -1e-3, 2e-3])
    read_z = (force[2] + offset[2]) / (1.0 - axis[2])
    read = force + offset + axis * read_z
    for k in range(100):
        sd.advance(true, rate * step_s, force * step_s, k * step_s, step_s)
        sd.advance(errors, (rate + bias) * step_s, read * step_s, k * step_s, step_s)
    np.testing.assert_allclose(errors[:10], true[:10], rtol=0, atol=1e-9)


small = st.floats(-0.05, 0.05)
vectors = st.tuples(small, small, small)


@given(turn=vectors, gain=vectors, q=vectors, step_s=st.sampled_from([0.02, 0.1, 1.0]))
def test_rewind_undoes_advance(
    turn: tuple[float, float, float],
    gain: tuple[float, float, float],
    q: tuple[float, float, float],
    step_s: float,
) -> None:
    before = low_orbit()
    before[sd.Q : sd.Q + 4] = from_rotation_vector(q)
    before[sd.GYRO_BIAS] = 1e-4
    after = before.copy()
    sd.advance(after, np.array(turn), np.array(gain), 10.0, step_s)
    sd.rewind(after, np.array(turn), np.array(gain), 10.0, step_s)
    np.testing.assert_allclose(after, before, rtol=0, atol=1e-8)


@given(turns=st.lists(vectors, min_size=1, max_size=50))
def test_the_attitude_stays_a_unit_quaternion(turns: list[tuple[float, float, float]]) -> None:
    nav = low_orbit()
    for turn in turns:
        sd.turn_body(nav, *turn)
        sd.turn_mci(nav, *turn)
    assert np.linalg.norm(nav[sd.Q : sd.Q + 4]) == pytest.approx(1.0, abs=1e-14)
