"""The smaller parts of guidance: pointing, the estimate of thrust, the deorbit burn, contact and rest."""

from __future__ import annotations

from itertools import pairwise
from math import cos, degrees, log, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation

from lander_common.frames import SiteFrame
from lander_common.mission import Mission, resolve
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import IDENTITY, Quaternion, Vector, rotate
from lander_flight.deorbit import DeorbitBurn
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.lander_state import ApproachFrame, Demand, LanderState, angle_between, cross, dot, unit
from lander_flight.pointing import Pointing, attitude
from lander_flight.thrust_estimate import ThrustEstimate, gravity
from lander_flight.touchdown import ContactMonitor, RestMonitor, slow_descent_height

MISSION: Mission = resolve("nominal", 1)
PARAMETERS = MISSION.part("guidance", GuidanceParameters)
LEFT: Vector = (0.0, 1.0, 0.0)
ZERO: Vector = (0.0, 0.0, 0.0)
FULL_FLOW = (420.0 / 320.0 + 1200.0 / 293.6) / STANDARD_GRAVITY_M_S2  # kg/s, config/vehicle/resilience.yaml
FAR: Vector = (1.8e6, 0.0, 0.0)


def state(time_s: float = 0.0, **changes: object) -> LanderState:
    plain = LanderState(time_s, FAR, ZERO, IDENTITY, ZERO, (0.0, 0.0, 100.0), ZERO, 100.0, 0.5, 98.5, (False,) * 4)
    return plain._replace(**changes)


def _turn(a: Quaternion, b: Quaternion) -> float:
    """Angle between two attitudes, deg, by scipy."""
    return float(np.degrees((Rotation.from_quat(a).inv() * Rotation.from_quat(b)).magnitude()))


def test_braking_attitude_has_body_x_up_and_terminal_attitude_has_it_forward() -> None:
    """In the approach frame: x forward, y left, z up."""
    braking, upright = attitude((-1.0, 0.0, 0.0), LEFT), attitude((0.0, 0.0, 1.0), LEFT)
    assert braking is not None
    assert upright is not None
    assert rotate(braking, (1.0, 0.0, 0.0)) == pytest.approx((0.0, 0.0, 1.0))
    assert rotate(upright, (1.0, 0.0, 0.0)) == pytest.approx((1.0, 0.0, 0.0))


@given(pitch=st.floats(-0.2, 1.7), out=st.floats(-0.3, 0.3))
def test_the_attitude_points_the_thrust_and_keeps_body_y_left(pitch: float, out: float) -> None:
    direction = unit((-cos(pitch), out, sin(pitch)))
    q = attitude(direction, LEFT)
    assert q is not None
    assert rotate(q, (0.0, 0.0, 1.0)) == pytest.approx(direction, abs=1e-9)
    assert rotate(q, (0.0, 1.0, 0.0))[1] > 0.9


def test_a_thrust_along_the_reference_gives_no_attitude() -> None:
    assert attitude(LEFT, LEFT) is None


def test_roll_is_continuous_through_the_pitch_up() -> None:
    attitudes = [attitude((-cos(a), 0.0, sin(a)), LEFT) for a in np.linspace(0.0, radians(100.0), 101)]
    turns = [_turn(a, b) for a, b in pairwise(attitudes) if a is not None and b is not None]
    assert turns == pytest.approx([1.0] * 100, abs=1e-6)


@given(angle=st.floats(0.01, 3.0), rate=st.floats(0.01, 0.2), step=st.floats(0.05, 1.0))
def test_the_command_turns_no_faster_than_its_limit(angle: float, rate: float, step: float) -> None:
    pointing = Pointing()
    pointing.hold(IDENTITY)
    wanted = (0.0, sin(angle / 2.0), 0.0, cos(angle / 2.0))
    pointing.move(wanted, None, rate, step)
    assert pointing.q_mci_body is not None
    assert radians(_turn(IDENTITY, pointing.q_mci_body)) == pytest.approx(min(angle, rate * step), abs=1e-7)
    assert np.linalg.norm(pointing.w_body) <= rate * (1.0 + 1e-9)


def test_a_known_rate_is_handed_on_in_body_axes() -> None:
    pointing = Pointing()
    pointing.hold((0.0, 0.0, sin(0.5), cos(0.5)))
    pointing.move((0.0, 0.0, sin(0.5), cos(0.5)), (0.02, 0.0, 0.0), 0.1, 0.1)
    assert pointing.w_body == pytest.approx((0.02 * cos(1.0), -0.02 * sin(1.0), 0.0))


def test_the_approach_frame_is_the_site_frame_turned_by_the_azimuth() -> None:
    frame = ApproachFrame(SiteFrame(60.5, -4.6, -2600.0), 90.0)
    assert frame.from_site((5.0, 3.0, 2.0)) == pytest.approx((5.0, 3.0, 2.0))  # heading east: x east, y north
    north = ApproachFrame(SiteFrame(60.5, -4.6, -2600.0), 0.0)
    assert north.from_site((0.0, 1.0, 0.0)) == pytest.approx((1.0, 0.0, 0.0))


def test_approach_vectors_turn_with_the_moon() -> None:
    site = SiteFrame(60.5, -4.6, -2600.0)
    frame = ApproachFrame(site, 90.0)
    assert frame.to_mci((0.0, 0.0, 1.0), 3000.0) == pytest.approx(site.R_mci_site(3000.0)[:, 2])


def test_gravity_at_the_target_points_down_and_leans_to_the_centre_beside_it() -> None:
    radius = MISSION.site_frame.radius_m
    assert gravity(ZERO, radius) == pytest.approx((0.0, 0.0, -GM_M3_S2 / radius**2))
    beside = gravity((1000.0, 0.0, 0.0), radius)
    assert beside[0] / beside[2] == pytest.approx(1000.0 / radius)


def _learnt(factor: float, seconds: float = 60.0) -> tuple[ThrustEstimate, float]:
    """The estimate after a burn of full thrust in field-free space, thrust wrong by a factor; and the true mass."""
    estimate = ThrustEstimate(MISSION, PARAMETERS.estimator)
    thrust_n = estimate.full_n
    demand = Demand(thrust_n=thrust_n, main_engine=True, assist_engines=True)
    mass, v, time_s = estimate.mass_kg, 0.0, 0.0
    far: Vector = (1e12, 0.0, 0.0)
    while time_s < seconds:
        estimate.update(state(time_s, r_mci=far, v_mci=(0.0, 0.0, v)), demand)
        v += factor * thrust_n / mass * 0.1
        mass -= factor * FULL_FLOW * 0.1
        time_s += 0.1
    return estimate, mass


@pytest.mark.parametrize("factor", [0.97, 1.0, 1.03])
def test_the_true_acceleration_is_learnt_from_the_change_of_velocity(factor: float) -> None:
    estimate, mass = _learnt(factor)
    true = factor * estimate.full_n / mass
    assert estimate.acceleration(estimate.full_n) == pytest.approx(
        true, rel=1e-3
    )  # the lag while mass falls: 0.6 %/8 s


def test_mass_falls_as_the_engines_use_it() -> None:
    estimate, mass = _learnt(1.0)
    assert estimate.mass_kg == pytest.approx(mass, abs=0.1)  # a step of 0.1 s burns 0.06 kg


def test_a_broken_gauge_hardly_moves_the_mass() -> None:
    estimate = ThrustEstimate(MISSION, PARAMETERS.estimator)
    before = estimate.mass_kg
    for reading in (float("nan"), float("inf"), -1e9):
        estimate.gauge(reading, reading, 0.1)
    assert abs(estimate.mass_kg - before) < 0.1


def test_a_copy_started_in_mid_flight_takes_the_mass_from_the_gauge() -> None:
    estimate = ThrustEstimate(MISSION, PARAMETERS.estimator)
    estimate.gauge(100.0, MISSION.start.rcs_propellant_kg, 0.1)
    assert estimate.mass_kg == pytest.approx(340.0 + 100.0 + MISSION.start.rcs_propellant_kg)


def test_a_gauge_is_believed_in_time() -> None:
    estimate = ThrustEstimate(MISSION, PARAMETERS.estimator)
    before = estimate.mass_kg
    for _ in range(6000):
        estimate.gauge(MISSION.start.propellant_kg - 5.0, MISSION.start.rcs_propellant_kg, 0.1)
    assert before - estimate.mass_kg == pytest.approx(5.0, abs=0.01)


def test_the_velocity_change_to_go_is_tsiolkovskys() -> None:
    estimate, time_s = ThrustEstimate(MISSION, PARAMETERS.estimator), 400.0
    left = 1.0 - FULL_FLOW * time_s / estimate.mass_kg
    assert estimate.delta_v(1620.0, time_s) == pytest.approx(-1620.0 / FULL_FLOW * log(left), rel=1e-9)


def _burn(acceleration: float, planned: float = 0.54) -> float:
    """Velocity change after which a deorbit burn of 19.5 m/s is ended, flown on a circular orbit."""
    burn = DeorbitBurn(60.0, 19.5, planned, 1.1)
    r, v, time_s, h, given = np.array(FAR), np.array([0.0, (GM_M3_S2 / 1.8e6) ** 0.5, 0.0]), 0.0, 0.1, 0.0
    while not burn.is_over(state(time_s, r_mci=tuple(r.tolist()), v_mci=tuple(v.tolist())), h):
        thrust = acceleration if time_s >= burn.begin_s else 0.0
        a = thrust * np.array(burn.direction(state(time_s, r_mci=tuple(r.tolist()), v_mci=tuple(v.tolist()))))
        v = v + 0.5 * h * (a - GM_M3_S2 / np.linalg.norm(r) ** 3 * r)
        r = r + h * v
        v = v + 0.5 * h * (a - GM_M3_S2 / np.linalg.norm(r) ** 3 * r)
        given, time_s = given + thrust * h, time_s + h
    return given


@pytest.mark.parametrize("acceleration", [0.52, 0.54, 0.56])
def test_the_deorbit_burn_ends_on_sensed_velocity_whatever_the_thrust(acceleration: float) -> None:
    assert _burn(acceleration) == pytest.approx(19.5, abs=0.04)


def test_the_deorbit_burn_ends_in_time_where_nothing_is_sensed() -> None:
    """Luna 25 burnt half as long again because its accelerometers were off."""
    assert _burn(0.0) == 0.0  # it ends, though no velocity was gained


def _monitor() -> ContactMonitor:
    return ContactMonitor(PARAMETERS.touchdown)


def test_two_switches_are_contact_wherever_the_lander_believes_to_be() -> None:
    assert _monitor().is_touched(state(altitude_m=500.0, contacts=(True, False, True, False)), 0.0, 0.0)


def test_one_switch_is_contact_only_near_the_ground_and_slow() -> None:
    one = (False, True, False, False)
    assert not _monitor().is_touched(state(altitude_m=40.0, contacts=one), 0.0, 0.0)
    assert not _monitor().is_touched(state(altitude_m=1.0, velocity=(0.0, 0.0, -20.0), contacts=one), 0.0, 0.0)
    assert _monitor().is_touched(state(altitude_m=1.0, velocity=(0.0, 0.0, -1.2), contacts=one), 0.0, 0.0)


def test_switches_that_were_closed_high_up_say_nothing() -> None:
    monitor = _monitor()
    monitor.arm((True, True, False, False))
    assert not monitor.is_touched(state(altitude_m=1.0, contacts=(True, True, False, False)), 0.0, 0.0)
    assert monitor.is_touched(state(altitude_m=1.0, contacts=(True, True, True, False)), 0.0, 0.0)


def test_ground_that_carries_the_lander_is_felt_when_all_switches_fail() -> None:
    monitor, needed = _monitor(), PARAMETERS.touchdown.reaction_steps
    felt = [monitor.is_touched(state(altitude_m=0.5), 2.6, 1.5) for _ in range(needed)]
    assert felt == [False] * (needed - 1) + [True]


def test_one_rough_step_is_not_the_ground() -> None:
    monitor = _monitor()
    felt = [monitor.is_touched(state(altitude_m=0.5), 2.6 if i % 3 else 1.5, 1.5) for i in range(30)]
    assert not any(felt)


def test_rest_needs_time_without_turning_and_with_full_weight() -> None:
    monitor = RestMonitor(PARAMETERS.touchdown, 1.628)
    still = [monitor.is_at_rest(state(0.5 * i), 1.62, False) for i in range(40)]
    assert still.index(True) == round(PARAMETERS.touchdown.still_s / 0.5)
    assert not monitor.is_at_rest(state(30.0), 0.1, False)  # falling
    assert not monitor.is_at_rest(state(31.0, w_body=(0.1, 0.0, 0.0)), 1.62, True)


@given(sigma=st.floats(0.0, 100.0))
def test_the_slow_descent_begins_higher_the_less_sure_the_altitude_is(sigma: float) -> None:
    p = PARAMETERS.touchdown
    assert p.altitude_m <= slow_descent_height(p, sigma) <= p.highest_m


@given(a=st.tuples(*(st.floats(-9.0, 9.0),) * 3), b=st.tuples(*(st.floats(-9.0, 9.0),) * 3))
def test_angles_and_products_agree_with_numpy(a: Vector, b: Vector) -> None:
    assert cross(a, b) == pytest.approx(np.cross(a, b))
    assert dot(a, b) == pytest.approx(np.dot(a, b))
    assert 0.0 <= degrees(angle_between(a, b)) <= 180.0
