"""The IMU model against its own statistics."""

from __future__ import annotations

from dataclasses import replace
from itertools import pairwise
from math import exp, pi, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.mission import resolve
from lander_runtime.messages import zeros
from lander_runtime.rng import stream
from lander_runtime.subsystem import Inputs, Tick
from lander_sensors.imu import Imu, ImuParameters
from lander_sensors.inertial_triad import DRAWS_PER_STEP, Triad, TriadErrors

GRADES = ("hg9900", "ln200s", "stim300")
PERFECT = TriadErrors(
    turn_on_bias=0.0,
    bias_instability=0.0,
    correlation_time_s=1.0,
    random_walk=0.0,
    scale_factor=0.0,
    misalignment_rad=0.0,
    quantum=0.0,
    limit=1e3,
)
MILLISECONDS_20 = 20_000_000
AT_REST = (0.0, 0.0, 0.0)


def grade(name: str) -> ImuParameters:
    return resolve("nominal", 1, choices={"imu": name}).part("imu", ImuParameters)


def record(
    errors: TriadErrors, count: int, step_s: float, true: tuple[float, float, float] = AT_REST, seed: int = 1
) -> Any:
    """Increments of one triad, shape (count, 3)."""
    triad = Triad(errors, stream(seed, "build"))
    normals = stream(seed, "noise").standard_normal((count, DRAWS_PER_STEP)).tolist()
    return np.array([triad.sense(true, step_s, row)[0] for row in normals])


def allan_variance(increments: Any, step_s: float, samples: int) -> float:
    """Overlapping Allan variance of a rate over `samples` steps, mean over the axes (IEEE 952, C.1)."""
    angle = np.concatenate([np.zeros((1, 3)), np.cumsum(increments, axis=0)])
    second = angle[2 * samples :] - 2.0 * angle[samples:-samples] + angle[: -2 * samples]
    return float(np.mean(second**2)) / (2.0 * (samples * step_s) ** 2)


def allan_tolerance(count: int, samples: int) -> float:
    """Four standard errors of an Allan variance, relative, over three axes (IEEE 952, C.1.9, squared, so doubled)."""
    return 4.0 * 2.0 / sqrt(2.0 * (3.0 * count / samples - 1.0))


@pytest.mark.parametrize("name", GRADES)
def test_white_noise_has_the_random_walk_of_the_data_sheet_and_falls_with_the_root_of_time(name: str) -> None:
    sheet = grade(name).gyro
    errors = replace(sheet.errors(), bias_instability=0.0, quantum=0.0)
    count, step_s = 40_000, 0.02
    increments = record(errors, count, step_s)
    walk = sheet.random_walk_deg_sqrt_h * pi / 180.0 / 60.0
    for samples in (1, 10, 50, 250):
        expected = walk**2 / (samples * step_s)
        assert allan_variance(increments, step_s, samples) == pytest.approx(
            expected, rel=allan_tolerance(count, samples)
        )


def test_bias_instability_follows_the_allan_variance_of_correlated_noise() -> None:
    sigma, tau, step_s, count = 2e-6, 5.0, 0.1, 60_000
    errors = replace(PERFECT, bias_instability=sigma, correlation_time_s=tau)
    increments = record(errors, count, step_s)
    for samples in (10, 50, 200):
        ratio = samples * step_s / tau
        # IEEE 952-1997, C.1.5, with q_c^2 = 2 sigma^2 / T_c.
        shape = 1.0 - (3.0 - 4.0 * exp(-ratio) + exp(-2.0 * ratio)) / (2.0 * ratio)
        expected = 2.0 * sigma**2 / ratio * shape
        tolerance = allan_tolerance(count, max(samples, round(2.0 * tau / step_s)))
        assert allan_variance(increments, step_s, samples) == pytest.approx(expected, rel=tolerance)


@pytest.mark.parametrize("name", GRADES)
def test_bias_scale_and_misalignment_of_many_units_scatter_as_configured(name: str) -> None:
    units = 400
    tolerance = 4.0 / sqrt(2.0 * 3 * units)  # four standard errors of a standard deviation of 3 axes per unit
    parameters = grade(name)
    for errors in (parameters.gyro.errors(), parameters.accelerometer.errors()):
        triads = [Triad(errors, stream(seed, "build")) for seed in range(units)]
        rows = np.array([triad.rows for triad in triads]) - np.eye(3)
        off_diagonal = rows[:, ~np.eye(3, dtype=bool)]
        assert np.std([triad.bias for triad in triads]) == pytest.approx(errors.turn_on_bias, rel=tolerance)
        assert np.std(np.diagonal(rows, axis1=1, axis2=2)) == pytest.approx(errors.scale_factor, rel=tolerance)
        assert np.std(off_diagonal) == pytest.approx(errors.misalignment_rad, rel=tolerance)


def test_scale_factor_and_misalignment_are_recovered_from_a_calibration_run() -> None:
    errors = replace(PERFECT, scale_factor=1e-4, misalignment_rad=5e-5, random_walk=1e-4)
    triad = Triad(errors, stream(3, "build"))
    normals = stream(3, "noise").standard_normal((6000, DRAWS_PER_STEP)).tolist()
    true = stream(3, "truth").uniform(-1.0, 1.0, (6000, 3))
    sensed = np.array([triad.sense(t.tolist(), 1.0, row)[0] for t, row in zip(true, normals, strict=True)])
    estimate = np.linalg.lstsq(true, sensed, rcond=None)[0].T
    standard_error = errors.random_walk / sqrt(6000 / 3.0)
    np.testing.assert_allclose(estimate, triad.rows, atol=5.0 * standard_error)


def test_constant_bias_grows_with_time_whatever_the_tick() -> None:
    errors = replace(PERFECT, turn_on_bias=1e-3)
    short, long = record(errors, 500, 0.02), record(errors, 10, 1.0)
    np.testing.assert_allclose(short.sum(axis=0), long.sum(axis=0), rtol=1e-12)
    np.testing.assert_allclose(long.sum(axis=0), 10.0 * np.array(Triad(errors, stream(1, "build")).bias), rtol=1e-12)


def test_noise_over_a_second_is_the_same_in_short_and_in_long_ticks() -> None:
    errors = replace(PERFECT, random_walk=1e-4)
    short = record(errors, 50 * 1500, 0.02).reshape(1500, 50, 3).sum(axis=1)
    long = record(errors, 1500, 1.0, seed=2)
    tolerance = 4.0 / sqrt(2.0 * 4500)
    assert np.std(short) == pytest.approx(1e-4, rel=tolerance)
    assert np.std(long) == pytest.approx(1e-4, rel=tolerance)


def test_perfect_triad_gives_back_what_goes_in() -> None:
    triad = Triad(PERFECT, stream(1, "build"))
    assert triad.sense((0.1, -0.2, 0.3), 0.02, [1.0] * DRAWS_PER_STEP) == ((0.1, -0.2, 0.3), False)


@given(
    quantum=st.floats(1e-7, 1e-3),
    increments=st.lists(st.tuples(*[st.floats(-0.5, 0.5)] * 3), min_size=1, max_size=60),
)
def test_quantisation_loses_nothing(quantum: float, increments: list[tuple[float, float, float]]) -> None:
    triad = Triad(replace(PERFECT, quantum=quantum), stream(1, "build"))
    given_out = np.array([triad.sense(true, 0.02, [0.0] * DRAWS_PER_STEP)[0] for true in increments])
    np.testing.assert_allclose(
        given_out.sum(axis=0) + triad.carry, np.sum(increments, axis=0), atol=1e-12 * len(increments)
    )
    assert np.all(np.abs(triad.carry) <= 0.5 * quantum * (1.0 + 1e-9))
    np.testing.assert_allclose(given_out / quantum, np.rint(given_out / quantum), atol=1e-6)


def test_a_steady_rate_far_below_a_quantum_comes_out_in_the_mean() -> None:
    increments = record(replace(PERFECT, quantum=1e-3), 10_000, 0.02, true=(1e-5, -2.5e-5, 0.0))
    np.testing.assert_allclose(increments.sum(axis=0), (0.1, -0.25, 0.0), atol=0.5e-3 * (1.0 + 1e-9))


@given(rate=st.floats(-50.0, 50.0))
def test_saturation_clips_at_the_limit_and_says_so(rate: float) -> None:
    triad = Triad(replace(PERFECT, limit=10.0), stream(1, "build"))
    (x, _, _), saturated = triad.sense((rate * 0.02, 0.0, 0.0), 0.02, [0.0] * DRAWS_PER_STEP)
    assert x == pytest.approx(max(-10.0, min(10.0, rate)) * 0.02)
    assert saturated == (abs(rate * 0.02) > 10.0 * 0.02)


def run(seed: int, steps_ns: list[int]) -> list[Any]:
    imu, now_ns, out = Imu(resolve("nominal", seed)), 0, []
    for seq, step_ns in enumerate(steps_ns):
        truth = zeros("lander_interfaces/msg/Truth")
        truth.step_ns, now_ns = step_ns, now_ns + step_ns
        truth.delta_v_body[2] = 2.1e-9 * step_ns
        out.append(imu.step(Tick(seq, now_ns, step_ns), Inputs({"truth": truth}, {"truth"}))["imu_increments"])
    return out


def test_the_first_tick_has_no_length_and_no_increment() -> None:
    (first,) = run(1, [0])
    assert (first.interval_ns, first.valid, first.delta_v_body.tolist()) == (0, True, [0.0, 0.0, 0.0])


def test_without_truth_the_device_is_silent_but_answers() -> None:
    imu = Imu(resolve("nominal", 1))
    message = imu.step(Tick(5, 10**8, MILLISECONDS_20), Inputs({"truth": None}, set()))["imu_increments"]
    assert not message.valid


def test_short_and_long_ticks_follow_each_other() -> None:
    messages = run(1, [0, MILLISECONDS_20, 1_000_000_000, MILLISECONDS_20])
    assert [message.interval_ns for message in messages] == [0, MILLISECONDS_20, 1_000_000_000, MILLISECONDS_20]
    for message in messages[1:]:
        scale_error, counts = 2e-3 * message.interval_ns * 1e-9, 2e-5
        assert message.delta_v_body[2] == pytest.approx(2.1e-9 * message.interval_ns, abs=scale_error + counts)


def test_the_seed_decides_the_noise() -> None:
    steps = [0, *[MILLISECONDS_20] * 20]
    first, again, other = (np.array([m.delta_theta_body for m in run(seed, steps)]) for seed in (1, 1, 2))
    assert np.array_equal(first, again)
    assert not np.array_equal(first, other)


def test_a_new_life_of_the_device_draws_other_noise_and_stays_the_same_device() -> None:
    truth, last = zeros("lander_interfaces/msg/Truth"), zeros("lander_interfaces/msg/ImuIncrements")
    truth.step_ns, last.tick = MILLISECONDS_20, 4711
    mission = resolve("nominal", 1)
    lives = [Imu(mission) for _ in range(3)]
    for imu in lives[1:]:
        imu.restore({"imu_increments": last})
    ticks = [Tick(k, k * MILLISECONDS_20, MILLISECONDS_20) for k in range(1, 101)]
    first, second, again = (
        np.array([imu.step(tick, Inputs({"truth": truth}, {"truth"}))["imu_increments"].delta_v_body for tick in ticks])
        for imu in lives
    )
    assert np.array_equal(second, again)  # on every transport the same
    assert abs(np.corrcoef(first.ravel(), second.ravel())[0, 1]) < 4.0 / sqrt(first.size)
    assert np.array_equal(lives[0].gyro.rows, lives[1].gyro.rows)


def test_grades_are_ordered_from_navigation_to_mems() -> None:
    for better, worse in pairwise(grade(name) for name in GRADES):
        assert better.gyro.random_walk_deg_sqrt_h < worse.gyro.random_walk_deg_sqrt_h
        assert better.gyro.turn_on_bias_deg_h < worse.gyro.turn_on_bias_deg_h
        assert better.accelerometer.turn_on_bias_micro_g < worse.accelerometer.turn_on_bias_micro_g
