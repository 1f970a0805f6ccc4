"""Attitude control laws, each for itself."""

from __future__ import annotations

import numpy as np
import pytest
from attitude_bench import body, mission
from hypothesis import assume, given
from hypothesis import strategies as st

from lander_flight.attitude_control import RateObserver, beyond, clipped, pulse_rate, slew_speed, wanted_rate
from lander_flight.mass_model import MassModel

positive = st.floats(0.01, 1.0)
INERTIA = (420.0, 420.0, 380.0)


@given(st.floats(0.0, 3.0), positive, positive)
def test_the_speed_of_approach_can_be_stopped_in_the_angle_left(angle: float, gain: float, deceleration: float) -> None:
    speed = slew_speed(angle, gain, deceleration, 1e9)
    assert speed**2 <= 2.0 * deceleration * angle + 1e-12


@given(positive, positive)
def test_the_speed_of_approach_has_no_step_and_no_kink(gain: float, deceleration: float) -> None:
    near, h = deceleration / gain**2, 1e-6 * deceleration / gain**2
    below, at, above = (slew_speed(near + k * h, gain, deceleration, 1e9) for k in (-1, 0, 1))
    assert at == pytest.approx(gain * near)
    assert (above - at) / h == pytest.approx((at - below) / h, rel=1e-4)


@given(positive, positive, st.floats(0.01, 0.1))
def test_a_slew_along_the_law_decelerates_as_it_was_promised(gain: float, deceleration: float, angle: float) -> None:
    angle += deceleration / gain**2
    h = 1e-6 * angle
    speed = slew_speed(angle, gain, deceleration, 1e9)
    faster, slower = (slew_speed(angle + step, gain, deceleration, 1e9) for step in (h, -h))
    # The rate of change of the speed is speed d(speed)/d(angle).
    assert speed * (faster - slower) / (2.0 * h) == pytest.approx(deceleration, rel=1e-4)


errors = st.tuples(*[st.floats(-2.0, 2.0)] * 3)


@given(errors, st.tuples(positive, positive, positive))
def test_the_wanted_rate_points_along_the_error_and_no_axis_has_to_stop_too_hard(error: tuple, stop: tuple) -> None:
    assume(np.linalg.norm(error) > 1e-6)
    gain = 0.5
    rate = np.array(wanted_rate(error, stop, gain, 0.1))
    assert np.cross(rate, error) == pytest.approx(np.zeros(3), abs=1e-9)
    assert np.dot(rate, error) > 0.0
    assert np.linalg.norm(rate) <= 0.1 + 1e-12
    direction = np.array(error) / np.linalg.norm(error)
    promised = min(a / abs(n) for a, n in zip(stop, direction, strict=True) if abs(n) > 1e-12)
    assert np.linalg.norm(rate) ** 2 <= 2.0 * promised * np.linalg.norm(error) + 1e-12


def test_without_an_error_no_rate_is_wanted() -> None:
    assert wanted_rate((0.0, 0.0, 0.0), (0.1, 0.1, 0.1), 0.5, 0.1) == (0.0, 0.0, 0.0)


@given(st.floats(-1.0, 1.0), positive)
def test_what_is_beyond_a_band_and_what_is_clipped_to_it_add_up(value: float, band: float) -> None:
    assert beyond(value, band) + clipped(value, band) == pytest.approx(value, abs=1e-12)
    assert abs(clipped(value, band)) <= band


def test_a_pulse_waits_for_a_rate_error_that_it_can_take_out() -> None:
    assert pulse_rate(0.9e-3, 0.0, 1e-3, 1e-4) == 0.0  # inside the deadband, drifting slowly
    assert pulse_rate(1.1e-3, 0.0, 1e-3, 1e-4) == 1.1e-3
    assert pulse_rate(0.9e-4, 0.01, 1e-3, 1e-4) == 0.0  # outside it
    assert pulse_rate(-1.1e-4, -0.01, 1e-3, 1e-4) == -1.1e-4


def test_the_observer_finds_the_lever_arm_of_the_thrust() -> None:
    """Its error obeys (s + b)^2 = 0: after 10 / b it is at 11 exp(-10)."""
    arm, thrust, dt = np.array([0.003, -0.002, 0.0002]), 1500.0, 0.02
    observer = RateObserver(1.5, 0.02)
    observer.restart((0.0, 0.0, 0.0))
    w = np.zeros(3)
    for _ in range(round(10.0 / 1.5 / dt)):
        w = w + arm * thrust * dt / INERTIA
        observer.predict((0.0, 0.0, 0.0), 0.0, thrust, INERTIA, dt)
        observer.correct(tuple(w), thrust, INERTIA, dt)
    # Yaw-free gyroscopic terms are below the bound: rates stay under 0.1 rad/s.
    assert np.array(observer.arm_body_m) == pytest.approx(arm, abs=0.02 * 0.003)


def test_the_observer_keeps_the_lever_arm_while_no_engine_fires() -> None:
    observer = RateObserver(1.5, 0.02)
    observer.arm_body_m = (0.003, 0.0, 0.0)
    observer.predict((0.0, 0.0, 0.0), 0.0, 0.0, INERTIA, 1.0)
    observer.correct((0.01, 0.0, 0.0), 0.0, INERTIA, 1.0)
    assert observer.arm_body_m == (0.003, 0.0, 0.0)
    assert observer.w_body[0] == pytest.approx(0.0075)  # of 0.01: 2 k / (1 + 2 k), k = 1.5


def test_the_observer_counts_an_impulse_once_and_in_the_end_wholly() -> None:
    observer = RateObserver(1.5, 0.02)
    observer.predict((4.2, 0.0, 0.0), 0.5, 0.0, INERTIA, 0.02)
    assert observer.w_body[0] == pytest.approx(0.005)
    assert observer.coming_rate(INERTIA)[0] == pytest.approx(0.01)
    observer.predict((0.0, 0.0, 0.0), 0.5, 0.0, INERTIA, 0.02)
    assert observer.w_body[0] == pytest.approx(0.01)
    assert observer.coming_rate(INERTIA) == observer.w_body


def test_what_a_gyro_measures_of_a_steadily_growing_rate_leaves_no_error() -> None:
    """A constant torque: the mean over a tick is half a tick's growth behind the rate at its end."""
    observer, w, dt = RateObserver(1.5, 0.02), 0.0, 0.02
    for _ in range(200):
        observer.predict((0.42, 0.0, 0.0), 0.7, 0.0, INERTIA, dt)
        grown = 0.42 / INERTIA[0] * (1.0 if w else 0.3)
        observer.correct((w + 0.5 * grown, 0.0, 0.0), 0.0, INERTIA, dt)
        w += grown
    assert observer.w_body[0] == pytest.approx(w, rel=1e-12)


@given(st.floats(0.0, 660.0), st.floats(0.0, 15.0))
def test_mass_properties_agree_with_the_sum_over_bodies(propellant_kg: float, rcs_kg: float) -> None:
    vehicle = mission().vehicle
    model = MassModel(vehicle, propellant_kg, rcs_kg)
    com, inertia = body(vehicle, propellant_kg, rcs_kg)
    assert model.mass_kg == pytest.approx(vehicle.mass.dry_kg + propellant_kg + rcs_kg)
    assert model.com_body_m == pytest.approx(com, abs=1e-9)
    assert np.diag(model.inertia_kg_m2) == pytest.approx(inertia, abs=1e-6)


@pytest.mark.parametrize("gauge", [float("nan"), -5.0, 700.0])
def test_a_gauge_that_says_what_cannot_be_is_not_believed(gauge: float) -> None:
    model = MassModel(mission().vehicle, 400.0, 10.0)
    model.update(gauge, gauge)
    assert model.mass_kg == pytest.approx(340.0 + 410.0)
