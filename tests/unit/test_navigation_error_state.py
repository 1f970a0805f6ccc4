"""The error state: its transition, its covariance and its updates, against finite differences and textbook algebra."""

from __future__ import annotations

import numpy as np
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lander_common.quaternion import conjugate, from_rotation_vector, multiply, to_rotation_vector
from lander_flight import error_state as es
from lander_flight import strapdown as sd
from lander_flight.inertial_filter import InertialFilter

Array = np.ndarray
NOISE = np.array([1e-9, 1e-8, 1e-18, 1e-12, 1e-10])
STEP_S = 0.02
# One step of each driving error, large against rounding, small against what is not linear.
STEPS = np.concatenate(
    [np.full(3, 10.0), np.full(3, 0.1), np.full(3, 1e-4), np.full(3, 1e-5), np.full(3, 1e-3), [1.0], np.full(3, 1e-3)]
)


def increments(k: int) -> tuple[Array, Array]:
    """A lander that turns and thrusts, differently at every tick."""
    theta = np.array([0.01 * np.sin(0.3 * k), -0.06, 0.02]) * STEP_S
    delta_v = np.array([0.05, 0.02 * np.cos(0.2 * k), 2.5]) * STEP_S
    return theta, delta_v


def start() -> Array:
    nav = np.zeros(sd.NAV_SIZE)
    nav[:6] = [1.0e6, -0.5e6, 1.3e6, 900.0, 700.0, -400.0]
    nav[sd.Q : sd.Q + 4] = from_rotation_vector((0.4, -0.9, 0.2))
    return nav


def filter_at(nav: Array, P: Array | None = None) -> InertialFilter:
    return InertialFilter(nav, np.eye(es.SIZE) if P is None else P, 0.0, NOISE, 600)


def flown(nav: Array, ticks: int) -> InertialFilter:
    filter_ = filter_at(nav)
    for k in range(ticks):
        theta, delta_v = increments(k)
        filter_.advance(theta, delta_v, STEP_S)
    return filter_


def difference(true: Array, estimated: Array) -> Array:
    """Error state, true less estimated."""
    error = np.zeros(es.SIZE)
    error[:6] = true[:6] - estimated[:6]
    q, p = tuple(true[sd.Q : sd.Q + 4]), tuple(estimated[sd.Q : sd.Q + 4])
    error[es.ATTITUDE : es.GYRO] = to_rotation_vector(multiply(q, conjugate(p)))
    error[es.GYRO :] = true[sd.GYRO_BIAS :] - estimated[sd.GYRO_BIAS :]
    return error


def finite_difference_transition(ticks: int) -> Array:
    estimated = flown(start(), ticks).nav
    columns = []
    for state, step in enumerate(STEPS):
        error = np.zeros(es.SIZE)
        error[state] = step
        true = start()
        es.correct(true, error)
        columns.append(difference(flown(true, ticks).nav, estimated)[: es.DYNAMIC] / step)
    return np.array(columns).T


def test_the_transition_agrees_with_finite_differences_of_the_mechanisation() -> None:
    filter_ = flown(start(), 50)
    rows = es.transition(filter_.sums, start()[:3])
    scale = STEPS[None, :] / np.array([1.0] * 3 + [1.0] * 3 + [1e-2] * 3)[:, None]
    found, expected = rows * scale, finite_difference_transition(50) * scale
    np.testing.assert_allclose(found, expected, rtol=2e-2, atol=2e-5)


def test_a_row_carried_backwards_undoes_the_transition() -> None:
    filter_ = flown(start(), 40)
    forwards = np.eye(es.SIZE)
    forwards[: es.DYNAMIC, : es.DRIVING] = es.transition(filter_.sums, start()[:3])
    past, sums = filter_.back(40 * STEP_S)  # type: ignore[misc]
    row = np.random.default_rng(1).normal(size=es.SIZE)
    carried = es.backwards(row, sums, filter_.nav[:3])
    # What differs is how a gyro bias acts on velocity within the interval, which both take to second order only.
    np.testing.assert_allclose(carried @ forwards, row, rtol=1e-3, atol=5e-3)
    np.testing.assert_allclose(past[:10], start()[:10], rtol=0, atol=1e-7)


def test_the_state_of_half_a_tick_ago_lies_between_the_ticks() -> None:
    coarse, fine = filter_at(start()), filter_at(start())
    theta, delta_v = increments(0)
    coarse.advance(theta, delta_v, STEP_S)
    fine.advance(0.5 * theta, 0.5 * delta_v, 0.5 * STEP_S)
    past, _ = coarse.back(0.5 * STEP_S)  # type: ignore[misc]
    np.testing.assert_allclose(past[:10], fine.nav[:10], rtol=0, atol=2e-4)


def test_history_that_does_not_reach_far_enough_gives_nothing() -> None:
    assert flown(start(), 10).back(1.0) is None


def random_covariance(seed: int) -> Array:
    root = np.random.default_rng(seed).normal(size=(es.SIZE, es.SIZE))
    scale = np.sqrt(
        np.diag(
            [1e4] * 3
            + [1.0] * 3
            + [1e-8] * 3
            + [1e-14] * 3
            + [1e-8] * 3
            + [0.1]
            + [1e-8] * 3
            + [9.0] * 2
            + [1e-6] * 4
            + [200.0] * 2
            + [4.0] * 2
            + [9.0] * 3
            + [200.0] * 2
            + [1e-7] * 3
        )
    )
    return scale @ (root @ root.T / es.SIZE) @ scale


def test_propagation_is_the_textbook_product() -> None:
    P = random_covariance(3)
    filter_ = flown(start(), 5)
    phi = np.eye(es.SIZE)
    phi[: es.DYNAMIC, : es.DRIVING] = es.transition(filter_.sums, filter_.nav[:3])
    turned = 4.0 * np.arccos(abs(start()[sd.Q : sd.Q + 4] @ filter_.nav[sd.Q : sd.Q + 4])) ** 2
    filter_.P[:] = P
    filter_.carry()
    tau = 5 * STEP_S
    noise = np.zeros(es.SIZE)
    noise[es.VELOCITY : es.ATTITUDE] = NOISE[es.WHITE_ACCELEROMETER] * tau
    noise[es.ATTITUDE : es.GYRO] = NOISE[es.WHITE_GYRO] * tau + NOISE[es.GYRO_PER_ANGLE] * turned
    noise[es.GYRO : es.ACCELEROMETER] = NOISE[es.WALK_GYRO] * tau
    noise[es.ACCELEROMETER : es.RANGE] = NOISE[es.WALK_ACCELEROMETER] * tau
    expected = phi @ P @ phi.T + np.diag(noise)
    np.testing.assert_allclose(filter_.P, expected, rtol=1e-9, atol=1e-12 * np.abs(expected).max())
    assert filter_.lag_s == 0.0


def test_an_update_is_that_of_the_information_filter() -> None:
    P = random_covariance(5)
    row = np.random.default_rng(6).normal(size=es.SIZE)
    filter_ = filter_at(start(), P.copy())
    filter_.update(row, 0.0, 2.5)
    units = np.sqrt(np.diag(P))  # the inverse is taken in units of the standard deviations
    information = np.linalg.inv(P / np.outer(units, units)) + np.outer(row * units, row * units) / 2.5
    expected = np.linalg.inv(information) * np.outer(units, units)
    np.testing.assert_allclose(filter_.P / np.outer(units, units), expected / np.outer(units, units), atol=1e-9)


def test_an_update_moves_the_state_by_the_gain() -> None:
    P, row = random_covariance(7), np.zeros(es.SIZE)
    row[es.POSITION] = 1.0
    filter_ = filter_at(start(), P.copy())
    filter_.update(row, 30.0, 100.0)
    moved = difference(filter_.nav, start())
    np.testing.assert_allclose(moved, P[:, 0] / (P[0, 0] + 100.0) * 30.0, rtol=1e-4, atol=1e-12)


def test_what_updates_turned_the_attitude_by_is_kept() -> None:
    """To the square of the angle, which turns that do not commute leave."""
    filter_, random = filter_at(start(), random_covariance(8)), np.random.default_rng(9)
    units = np.sqrt(np.diag(filter_.P))
    for _ in range(5):
        filter_.update(random.normal(size=es.SIZE) / units, float(random.normal()), 1.0)
        filter_.update_all(random.normal(size=(3, es.SIZE)) / units, random.normal(size=3))
    before, after = (Rotation.from_quat(nav[sd.Q : sd.Q + 4]) for nav in (start(), filter_.nav))
    turned = (after * before.inv()).as_rotvec()
    assert np.linalg.norm(turned) > 1e-6
    np.testing.assert_allclose(filter_.attitude_correction, turned, atol=np.linalg.norm(turned) ** 2 + 1e-12)


@settings(max_examples=60)
@given(seed=st.integers(0, 2**31), noise=st.floats(1e-6, 1e6), updates=st.integers(1, 30))
def test_updates_keep_the_covariance_symmetric_and_positive(seed: int, noise: float, updates: int) -> None:
    random = np.random.default_rng(seed)
    P = random_covariance(seed)
    units = np.sqrt(np.diag(P))
    filter_ = filter_at(start(), P.copy())
    for _ in range(updates):
        before = np.diag(filter_.P).copy()
        filter_.update(random.normal(size=es.SIZE) / units, 0.0, noise)
        assert np.all(np.diag(filter_.P) <= before * (1.0 + 1e-12))
    np.testing.assert_array_equal(filter_.P, filter_.P.T)
    assert np.linalg.eigvalsh(filter_.P / np.outer(units, units)).min() > -1e-10


def test_a_faded_error_forgets_and_regains_its_own_variance() -> None:
    filter_ = filter_at(start(), random_covariance(9))
    filter_.nav[sd.MAP_HEIGHT] = 7.0
    filter_.fade(es.MAP, np.inf, 100.0, 16.0)
    expected = np.zeros(es.SIZE)
    expected[es.MAP] = 16.0
    np.testing.assert_array_equal(filter_.P[es.MAP], expected)
    assert filter_.nav[sd.MAP_HEIGHT] == 0.0


@given(first=st.floats(0.0, 500.0), second=st.floats(0.0, 500.0))
def test_fading_over_two_stretches_is_fading_over_their_sum(first: float, second: float) -> None:
    twice, once = filter_at(start(), random_covariance(2)), filter_at(start(), random_covariance(2))
    twice.fade(es.MAP, first, 200.0, 9.0)
    twice.fade(es.MAP, second, 200.0, 9.0)
    once.fade(es.MAP, first + second, 200.0, 9.0)
    np.testing.assert_allclose(twice.P, once.P, rtol=1e-9, atol=1e-12)


def test_every_error_has_a_name() -> None:
    assert len(es.NAMES) == es.SIZE
