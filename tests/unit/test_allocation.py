"""Allocation: what thrusters that only push are asked for, judged by numpy, scipy and linear programming."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.optimize import linprog, lsq_linear

from lander_common.mission import AssistRing, Rcs, resolve
from lander_flight.allocation import (
    BoundedAllocation,
    RcsAllocation,
    RingAllocation,
    inverse3,
    multiply3,
    ring_positions,
    torque_about,
)

Array = NDArray[np.float64]
VEHICLE = resolve("nominal", 1).vehicle
COM = (0.002, -0.003, 0.9)

finite = st.floats(-10.0, 10.0)
vectors = st.tuples(finite, finite, finite)
rings = st.builds(
    lambda count, azimuth: VEHICLE.assist.model_copy(update={"count": count, "first_azimuth_deg": azimuth}),
    st.integers(3, 12),
    st.floats(0.0, 60.0),
)


def effects(ring: AssistRing, com: tuple[float, float, float]) -> Array:
    """Thrust, N, and torque about x and y, N m, of each thruster at full duty; shape (3, count)."""
    force = np.array([0.0, 0.0, ring.thrust_n])
    torques = np.array([np.cross(np.array(place) - com, force) for place in ring_positions(ring)])
    return np.stack([np.full(ring.count, ring.thrust_n), torques[:, 0], torques[:, 1]])


@given(vectors, vectors, vectors)
def test_the_torque_of_a_force_is_the_cross_product_of_numpy(com: tuple, place: tuple, force: tuple) -> None:
    assert torque_about(com, place, force) == pytest.approx(np.cross(np.subtract(place, com), force), abs=1e-9)


@given(st.lists(st.tuples(finite, finite, finite), min_size=3, max_size=3), vectors)
def test_the_inverse_of_a_matrix_undoes_it(rows: list, v: tuple) -> None:
    matrix = np.array(rows) + 25.0 * np.eye(3)  # diagonally dominant
    inverse = inverse3(tuple(map(tuple, matrix)))
    assert multiply3(inverse, tuple(matrix @ v)) == pytest.approx(v, abs=1e-9)


def test_thrusters_on_the_left_roll_to_the_right() -> None:
    left = ring_positions(VEHICLE.assist.model_copy(update={"first_azimuth_deg": 90.0}))[0]
    roll, pitch, yaw = torque_about((0.0, 0.0, 0.9), left, (0.0, 0.0, 200.0))
    assert roll == pytest.approx(200.0 * VEHICLE.assist.radius_m)  # about x forward: the left side (+y) goes up
    assert (pitch, yaw) == pytest.approx((0.0, 0.0), abs=1e-9)


@given(rings, st.data())
def test_the_ring_gives_whatever_is_within_its_reach(ring: AssistRing, data: st.DataObject) -> None:
    duty = st.floats(0.0, 1.0)
    reachable = np.array(data.draw(st.lists(duty, min_size=ring.count, max_size=ring.count)))
    wanted = effects(ring, COM) @ reachable
    duties, _ = RingAllocation(ring, COM).duties(*wanted)
    assert min(duties) >= 0.0
    assert max(duties) <= 1.0
    assert effects(ring, COM) @ duties == pytest.approx(wanted, abs=0.02)  # N and N m, of 200 and more


@given(rings, st.floats(-5e3, 5e3), st.floats(-500.0, 500.0), st.floats(-500.0, 500.0))
def test_duties_are_duties_whatever_is_wanted(ring: AssistRing, thrust: float, x: float, y: float) -> None:
    duties, _ = RingAllocation(ring, COM).duties(thrust, x, y)
    assert all(0.0 <= duty <= 1.0 for duty in duties)


@given(st.floats(0.2, 0.8), st.floats(-30.0, 30.0), st.floats(-30.0, 30.0))
def test_within_bounds_the_ring_takes_the_least_squares_of_the_duties(level: float, x: float, y: float) -> None:
    ring = VEHICLE.assist
    wanted = np.array([level * ring.count * ring.thrust_n, x, y])
    duties, exact = RingAllocation(ring, COM).duties(*wanted)
    assert exact
    assert duties == pytest.approx(np.linalg.pinv(effects(ring, COM)) @ wanted, abs=1e-9)


@given(st.floats(0.0, 80.0), st.floats(0.0, 360.0))
def test_at_full_thrust_the_ring_gives_the_torque_and_what_thrust_is_left(torque: float, angle_deg: float) -> None:
    ring = VEHICLE.assist
    x, y = torque * np.cos(np.radians(angle_deg)), torque * np.sin(np.radians(angle_deg))
    duties, _ = RingAllocation(ring, COM).duties(ring.count * ring.thrust_n, x, y)
    thrust, given_x, given_y = effects(ring, COM) @ duties
    best = linprog(-effects(ring, COM)[0], A_eq=effects(ring, COM)[1:], b_eq=[x, y], bounds=(0.0, 1.0))
    assert np.hypot(given_x - x, given_y - y) <= 2e-4 * torque + 1e-3  # torque is softer by 1e-4
    assert thrust == pytest.approx(-best.fun, abs=0.1)


@given(st.floats(-1.0, 8.0), st.floats(-2.0, 2.0), st.floats(-2.0, 2.0))
def test_out_of_reach_the_answer_is_the_weighted_least_squares_of_scipy(thrust: float, x: float, y: float) -> None:
    columns = (effects(VEHICLE.assist, COM).T / [200.0, 160.0, 160.0]).T
    softness = (1e-3, 1e-5, 1e-5)
    levels, _ = BoundedAllocation([tuple(column) for column in columns.T], softness).solve((thrust, x, y))
    weights = 1.0 / np.sqrt(softness)
    matrix, target = (
        np.vstack([weights[:, None] * columns, np.eye(6)]),
        np.append(weights * (thrust, x, y), np.zeros(6)),
    )
    reference = lsq_linear(matrix, target, (0.0, 1.0), tol=1e-12).x
    cost, best = (float(np.sum((matrix @ levels_ - target) ** 2)) for levels_ in (np.array(levels), reference))
    assert cost <= best * (1.0 + 1e-3) + 1e-6


def rcs_of(thrusters: list[tuple[Array, Array]]) -> Rcs:
    """An RCS with other places and directions."""
    plain = tuple((tuple(map(float, place)), tuple(map(float, force))) for place, force in thrusters)
    return VEHICLE.rcs.model_copy(update={"thrusters": plain})


def canted_rcs() -> Rcs:
    """Twelve thrusters on four corners, none along a body axis."""
    thrusters = []
    for corner in ((1.0, 1.0), (-1.0, 1.0), (-1.0, -1.0), (1.0, -1.0)):
        place = np.array([*corner, 1.5])
        for direction in ((-corner[1], corner[0], 0.5), (corner[1], -corner[0], 0.5), (corner[0], corner[1], -1.0)):
            thrusters.append((place, np.array(direction) / np.linalg.norm(direction)))
    return rcs_of(thrusters)


@pytest.mark.parametrize("rcs", [VEHICLE.rcs, canted_rcs()], ids=["resilience", "canted"])
@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sense", [1.0, -1.0])
def test_rcs_combinations_take_the_least_on_time(rcs: Rcs, axis: int, sense: float) -> None:
    allocation = RcsAllocation(rcs, (0.0, 0.0, 0.9))
    torques = np.array(allocation.torques_n_m).T
    wanted = sense * np.eye(3)[axis]
    best = linprog(np.ones(torques.shape[1]), A_eq=torques, b_eq=wanted, bounds=(0.0, None))
    combination = allocation.combinations[axis][0 if sense > 0.0 else 1]
    assert sum(share for _, share in combination.shares_s) == pytest.approx(best.fun, rel=1e-6)
    given_torque = sum(share * torques[:, i] for i, share in combination.shares_s)
    assert given_torque == pytest.approx(wanted, abs=1e-9)


def test_resilience_yaws_with_a_couple_and_rolls_with_one_thruster() -> None:
    allocation = RcsAllocation(VEHICLE.rcs, (0.0, 0.0, 0.9))
    used = [[[i for i, _ in combination.shares_s] for combination in pair] for pair in allocation.combinations]
    assert used == [[[4], [5]], [[7], [6]], [[0, 1], [2, 3]]]
    assert allocation.torque_n_m == pytest.approx((5.0, 5.0, 10.0))
    assert allocation.smallest_impulse_n_m_s == pytest.approx((0.05, 0.05, 0.1))


impulses = st.tuples(*[st.floats(-1.0, 1.0)] * 3)


@given(impulses, st.sampled_from([0.02, 1.0]))
def test_rcs_open_times_are_possible_and_their_impulse_is_as_wanted_or_less(wanted: tuple, tick_s: float) -> None:
    allocation = RcsAllocation(VEHICLE.rcs, (0.0, 0.0, 0.9))
    on_s = np.array(allocation.on_times_s(wanted, tick_s))
    assert np.all((on_s == 0.0) | ((on_s >= VEHICLE.rcs.minimum_on_s - 1e-9) & (on_s <= tick_s + 1e-12)))
    given_impulse = np.array(allocation.torques_n_m).T @ on_s
    most = np.array(allocation.torque_n_m) * tick_s
    if np.all(np.abs(wanted) <= most) and np.all(np.abs(wanted) >= allocation.smallest_impulse_n_m_s):
        assert given_impulse == pytest.approx(wanted, abs=1e-9)
    assert np.all(np.abs(given_impulse) <= np.abs(wanted) + 1e-9)


@pytest.mark.parametrize("tick_s", [0.02, 1.0])
def test_what_the_rcs_cannot_give_in_a_tick_is_cut_in_proportion(tick_s: float) -> None:
    rcs = canted_rcs()
    allocation = RcsAllocation(rcs, (0.0, 0.0, 0.9))
    wanted = 100.0 * tick_s * np.array([1.0, -0.5, 2.0])
    on_s = np.array(allocation.on_times_s(tuple(wanted), tick_s))
    assert on_s.max() == pytest.approx(tick_s)
    if tick_s == 1.0:  # no thruster falls below its minimum on-time
        given_impulse = np.array(allocation.torques_n_m).T @ on_s
        assert np.cross(given_impulse, wanted) == pytest.approx(np.zeros(3), abs=1e-6 * float(wanted @ wanted))


def test_an_rcs_that_cannot_turn_one_way_is_refused() -> None:
    without_pitch = VEHICLE.rcs.model_copy(update={"thrusters": VEHICLE.rcs.thrusters[:-2]})
    with pytest.raises(ValueError, match=r"no torque about \+y"):
        RcsAllocation(without_pitch, (0.0, 0.0, 0.9))


# Thrusters that have failed

fractions = st.lists(st.sampled_from([0.0, 0.5, 1.0]), min_size=6, max_size=6)


def real(fraction: list[float], stuck: list[bool], duties: list[float]) -> Array:
    """What duties truly give: thrust and torques of thrusters as they are."""
    acting = np.where(stuck, 1.0, duties) * np.array(fraction)
    return np.asarray(effects(VEHICLE.assist, COM) @ acting)


@settings(max_examples=30)
@example([0.5, 0.0, 0.5, 1.0, 0.0, 0.5], 348.0, -69.0, 0.0)
@given(fractions, st.floats(0.0, 1500.0), st.floats(-100.0, 100.0), st.floats(-100.0, 100.0))
def test_with_failed_thrusters_the_allocation_is_the_best_there_is(
    fraction: list[float], thrust: float, x: float, y: float
) -> None:
    """Torque goes before thrust: no other duties (scipy's bounded least squares) leave much less of the torque missing.

    The sum of squares that is minimised weighs the squares of missing thrust and torque 1 : 10 000. That of the solution is not
    greater than that of the other duties, so its missing torque is greater only by what their missing thrust weighs.
    """
    allocation = RingAllocation(VEHICLE.assist, COM, fraction)
    duties, _ = allocation.duties(thrust, x, y)
    given_n, (given_x, given_y, _) = allocation.effect(duties)
    assert min(duties) >= 0.0
    assert max(duties) <= 1.0
    assert (given_n, given_x, given_y) == pytest.approx(real(fraction, [False] * 6, duties), abs=1e-6)
    if sum(each > 0.0 for each in fraction) < 4:  # what is more than two dead is only asked for sane duties
        return
    unit_n, unit_n_m = VEHICLE.assist.thrust_n, VEHICLE.assist.thrust_n * VEHICLE.assist.radius_m
    columns = effects(VEHICLE.assist, COM) * np.array(fraction)
    best = lsq_linear(columns[1:], np.array([x, y]), bounds=(0.0, 1.0), tol=1e-12)
    missing_n = min(thrust, 6.0 * unit_n) - columns[0] @ best.x
    missing, least = np.hypot(given_x - x, given_y - y) / unit_n_m, np.linalg.norm(best.fun) / unit_n_m
    assert missing**2 <= least**2 + 1e-4 * (missing_n / unit_n) ** 2 + 6e-9  # 6e-9: the six duties themselves


@given(st.integers(0, 5), st.floats(0.0, 1200.0), st.floats(-30.0, 30.0), st.floats(-30.0, 30.0))
def test_one_lost_thruster_leaves_torque_and_four_fifths_of_the_rest(
    lost: int, thrust: float, x: float, y: float
) -> None:
    fraction = [0.0 if i == lost else 1.0 for i in range(6)]
    allocation = RingAllocation(VEHICLE.assist, COM, fraction)
    duties, _ = allocation.duties(thrust, x, y)
    given_n, (given_x, given_y, _) = allocation.effect(duties)
    assert duties[lost] == 0.0
    if 100.0 < thrust < 700.0:
        assert (given_n, given_x, given_y) == pytest.approx((thrust, x, y), abs=0.1)
    assert allocation.limit_n == pytest.approx(800.0, abs=10.0)


@given(st.integers(0, 5), st.floats(450.0, 1100.0))
def test_a_thruster_that_burns_unasked_is_counted_in(stuck: int, thrust: float) -> None:
    burning = [i == stuck for i in range(6)]
    allocation = RingAllocation(VEHICLE.assist, COM, None, burning)
    duties, _ = allocation.duties(thrust, 0.0, 0.0)
    assert duties[stuck] == 0.0
    assert real([1.0] * 6, burning, duties) == pytest.approx((thrust, 0.0, 0.0), abs=0.1)
