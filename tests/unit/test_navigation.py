"""The navigation subsystem: what it does with messages, good, bad, late and missing."""

from __future__ import annotations

import numpy as np
import pytest
from navigation_samples import SIGMAS, STEP_NS, Hover, flat_mission, increments, level_map, shot, step
from scipy.spatial.transform import Rotation

from lander_common.quaternion import conjugate, multiply
from lander_common.start import nominal_start
from lander_flight import error_state as es
from lander_flight import strapdown as sd
from lander_flight.navigation import Navigation
from lander_runtime.messages import NavigationState, encode, header_message, zeros
from lander_runtime.subsystem import Inputs, Tick
from lander_tools.reference_descent import matrix

BEHIND = np.array([12.0, -20.0, 15.0, 0.1, -0.05, 0.08])  # an error of a 1-sigma or so


def test_it_begins_exactly_at_the_nominal_start() -> None:
    mission = flat_mission()
    outputs = step(Navigation(mission), Tick(0, 0, 0), increments(0))
    state, start = outputs["navigation_state"], nominal_start(mission)
    np.testing.assert_array_equal(state.r_lander_mci, start.r_mci)
    np.testing.assert_array_equal(state.v_lander_mci, start.v_mci)
    np.testing.assert_array_equal(state.q_mci_body, start.q_mci_body)
    np.testing.assert_allclose(state.r_sigma_site_m, mission.dispersions.position_m, rtol=1e-9)
    np.testing.assert_allclose(state.v_sigma_site_m_s, mission.dispersions.velocity_m_s, rtol=1e-9)
    np.testing.assert_allclose(state.attitude_sigma_rad, np.radians(mission.dispersions.attitude_deg), rtol=1e-9)
    assert state.range_age_s == -1.0


def test_site_figures_are_those_of_the_frames() -> None:
    hover = Hover()
    state = hover.fly(60, ranges=False)
    site, time_s = hover.mission.site_frame, hover.lander.time_s
    r, v = site.to_site(state.r_lander_mci, state.v_lander_mci, time_s)
    np.testing.assert_allclose(state.r_lander_site, r, atol=1e-6)
    np.testing.assert_allclose(state.v_lander_site, v, atol=1e-9)
    q = multiply(conjugate(site.q_mci_site(time_s)), tuple(state.q_mci_body.tolist()))
    assert abs(float(np.dot(state.q_site_body, q))) == pytest.approx(1.0, abs=1e-12)


def test_without_errors_the_state_is_the_truth() -> None:
    hover = Hover()
    state = hover.fly(500, ranges=False)
    np.testing.assert_allclose(hover.error(), 0.0, atol=1e-6)
    assert state.imu_verdict == NavigationState.ACCEPTED
    np.testing.assert_allclose(state.specific_force_body, hover.lander.delta_v_body / 0.02, atol=1e-9)


def test_altitude_is_that_of_the_lowest_pad() -> None:
    hover = Hover(tilt_rad=0.3)
    state = hover.fly(1, ranges=False)
    legs = hover.mission.vehicle.legs
    azimuths = np.radians(legs.first_azimuth_deg) + 2.0 * np.pi * np.arange(legs.count) / legs.count
    pads = legs.pad_radius_m * np.array([np.cos(azimuths), np.sin(azimuths), 0.0 * azimuths])
    arms = matrix(hover.lander.q_mci_body) @ (pads - hover.navigation.com_body()[:, None])
    up = hover.lander.r_mci / np.linalg.norm(hover.lander.r_mci)
    assert state.altitude_m == pytest.approx(hover.height_m() + float((up @ arms).min()), abs=1e-3)


def test_ranges_over_level_ground_correct_height_and_descent() -> None:
    hover = Hover(error=BEHIND)
    state = hover.fly(1000)
    up = hover.lander.r_mci / np.linalg.norm(hover.lander.r_mci)
    error = hover.error()
    assert abs(error[:3] @ up) < 1.5  # the map is trusted to 1 m
    assert abs(error[3:] @ up) < 0.02
    assert state.altitude_sigma_m < 0.5
    assert abs(state.altitude_m - (hover.height_m() - hover.navigation.com_body()[2])) < 0.7
    assert state.range_verdict == NavigationState.ACCEPTED
    assert state.range_age_s == 0.0


def test_level_ground_tells_nothing_of_the_horizontal_position() -> None:
    hover = Hover(error=BEHIND)
    before = hover.navigation.filter.P.copy()
    hover.fly(500)
    east = hover.mission.site_frame.R_mci_site(hover.lander.time_s)[:, 0]
    assert east @ hover.navigation.filter.P[:3, :3] @ east > 0.98 * (east @ before[:3, :3] @ east)


def test_a_late_range_does_what_it_would_have_done_in_time() -> None:
    """Given its time of validity, a range that comes five ticks late gives the same state as one in time."""
    in_time, late = Hover(error=BEHIND, tilt_rad=0.2), Hover(error=BEHIND, tilt_rad=0.2)
    for seq in range(1, 201):
        tick, imu = in_time.move()
        step(in_time.navigation, tick, imu, shot(in_time.range_m(), tick.stamp_ns) if seq % 10 == 0 else None)
        tick, imu = late.move()
        if seq % 10 == 0:
            measured = late.range_m()
        due = seq % 10 == 5 and seq > 10
        step(late.navigation, tick, imu, shot(measured, tick.stamp_ns - 5 * STEP_NS) if due else None)
    for _ in range(5):
        step(in_time.navigation, *in_time.move())
        tick, imu = late.move()
        last = shot(measured, tick.stamp_ns - 5 * STEP_NS) if late.seq == 205 else None
        step(late.navigation, tick, imu, last)
    assert np.linalg.norm(in_time.error()[:3]) < 0.9 * np.linalg.norm(BEHIND[:3])
    np.testing.assert_allclose(late.error()[:3], in_time.error()[:3], atol=0.02)
    np.testing.assert_allclose(late.error()[3:], in_time.error()[3:], atol=1e-3)


def test_a_range_without_the_device_s_own_word_is_not_used() -> None:
    hover = Hover(error=BEHIND)
    tick, imu = hover.move()
    outputs = step(hover.navigation, tick, imu, shot(500.0, tick.stamp_ns, valid=False))
    assert outputs["navigation_state"].range_verdict == NavigationState.NOT_USED
    np.testing.assert_allclose(hover.error(), BEHIND, atol=1e-2)


def test_a_range_from_before_all_history_is_not_used() -> None:
    hover = Hover()
    hover.fly(50, ranges=False)
    tick, imu = hover.move()
    state = step(hover.navigation, tick, imu, shot(1000.0, tick.stamp_ns - 5_000_000_000))["navigation_state"]
    assert state.range_verdict == NavigationState.NOT_USED


def test_an_outlier_is_set_aside_and_the_next_good_range_is_used() -> None:
    hover = Hover()
    hover.fly(100)
    tick, imu = hover.move()
    state = step(hover.navigation, tick, imu, shot(0.3 * hover.range_m(), tick.stamp_ns))["navigation_state"]
    assert state.range_verdict == NavigationState.REJECTED
    assert state.range_innovation_m == pytest.approx(-0.7 * hover.range_m(), rel=0.02)
    np.testing.assert_allclose(hover.error(), 0.0, atol=0.05)
    state = hover.fly(5)
    assert state.range_verdict == NavigationState.ACCEPTED


def test_an_altimeter_that_keeps_disagreeing_is_believed_in_the_end() -> None:
    """The ground is 3 km lower than the map says, as beyond a crater's rim: a second later the altitude follows the ranges."""
    hover = Hover(height_m=4000.0)
    hover.fly(100)
    verdicts = []
    for _ in range(60):
        tick, imu = hover.move()
        measurement = shot(hover.range_m() + 3000.0, tick.stamp_ns) if hover.seq % 5 == 0 else None
        state = step(hover.navigation, tick, imu, measurement)["navigation_state"]
        verdicts.append(state.range_verdict)
    assert verdicts[10] == NavigationState.REJECTED
    assert verdicts[-1] == NavigationState.ACCEPTED
    assert state.altitude_m == pytest.approx(hover.height_m() + 3000.0, abs=100.0)


@pytest.mark.parametrize("fault", ["missing", "invalid", "of another length"])
def test_without_increments_the_last_ones_hold_and_the_doubt_grows(fault: str) -> None:
    hover = Hover()
    hover.fly(100)
    sigma = float(np.sqrt(np.trace(hover.navigation.filter.P[3:6, 3:6])))
    for _ in range(50):
        tick, imu = hover.move()
        imu.valid = fault != "invalid"
        imu.interval_ns += fault == "of another length"
        state = step(hover.navigation, tick, None if fault == "missing" else imu)["navigation_state"]
        assert state.imu_verdict == NavigationState.REJECTED
    assert np.linalg.norm(hover.error()[:3]) < 0.01  # the thrust did not change meanwhile
    hover.navigation.filter.carry()
    assert np.sqrt(np.trace(hover.navigation.filter.P[3:6, 3:6])) > sigma + 0.5
    assert hover.fly(5).imu_verdict == NavigationState.ACCEPTED


def test_without_increments_motion_follows_from_what_was_commanded() -> None:
    """A turn at a constant rate under constant thrust, in closed form: attitude q exp(w t), increments along the turned axis."""
    hover = Hover()
    hover.fly(100)
    navigation, rate = hover.navigation, np.array([0.05, -0.02, 0.01])
    before = matrix(tuple(navigation.filter.nav[6:10]))
    command = zeros("lander_interfaces/msg/ThrottleCommand")
    thrust_m_s2 = 1.0
    share = thrust_m_s2 * navigation._mass.mass_kg / (6 * hover.mission.vehicle.assist.thrust_n)
    command.assist_on_s, command.engine_fraction = np.full(6, share * STEP_NS * 1e-9), np.ones(7)
    command.engine_stuck_open, command.w_mci_body_coming = np.zeros(7, dtype=bool), rate
    nothing = dict.fromkeys(("imu_increments", "range", "trn_fix"))
    for _ in range(50):
        tick, _ = hover.move()
        inputs = Inputs({**nothing, "throttle_command": command}, {"throttle_command"})
        state = navigation.step(tick, inputs)["navigation_state"]
    turned = Rotation.from_matrix(before.T @ matrix(tuple(state.q_mci_body))).as_rotvec()
    np.testing.assert_allclose(turned, rate, atol=1e-9)  # over a second
    assert state.w_mci_body == pytest.approx(rate)
    assert state.specific_force_body == pytest.approx([0.0, 0.0, thrust_m_s2], rel=1e-3)  # of mass spent meanwhile
    sigma = navigation._parameters.blind
    believed = np.hypot(sigma.rate_sigma_rad_s, sigma.rate_fraction * np.linalg.norm(rate))
    navigation.filter.carry()
    assert np.sqrt(navigation.filter.P[6, 6]) == pytest.approx(float(np.hypot(believed, SIGMAS[6])), rel=0.01)


def test_a_restored_copy_goes_on_as_if_nothing_had_happened() -> None:
    hover = Hover(error=BEHIND)
    for _ in range(125):
        tick, imu = hover.move()
        measurement = shot(hover.range_m(), tick.stamp_ns) if hover.seq % 5 == 0 else None
        outputs = step(hover.navigation, tick, imu, measurement)
    state, filter_ = outputs["navigation_state"], outputs["navigation_filter"]
    state.header = header_message(tick.stamp_ns, "site")
    copy = Navigation(hover.mission, level_map())
    copy.restore({"navigation_state": state, "navigation_filter": filter_})
    for _ in range(100):
        tick, imu = hover.move()
        one = step(hover.navigation, tick, imu)["navigation_state"]
        other = step(copy, tick, imu)["navigation_state"]
    np.testing.assert_allclose(other.r_lander_mci, one.r_lander_mci, atol=1e-6)
    np.testing.assert_allclose(other.v_sigma_site_m_s, one.v_sigma_site_m_s, rtol=1e-6)
    assert other.range_age_s == pytest.approx(one.range_age_s)


def test_a_copy_that_was_restored_late_bridges_the_gap() -> None:
    hover = Hover()
    hover.fly(100)
    state = hover.fly(25)
    state.header = header_message(125 * STEP_NS, "site")
    filter_ = hover.navigation._filter_message()
    copy = Navigation(hover.mission, level_map())
    copy.restore({"navigation_state": state, "navigation_filter": filter_})
    for _ in range(20):  # 0.4 s without navigation
        hover.move()
    step(copy, *hover.move())
    np.testing.assert_allclose(copy.filter.nav[:3], hover.lander.r_mci, atol=0.05)
    assert copy.filter.time_s == pytest.approx(146 * STEP_NS * 1e-9)


def test_the_same_inputs_give_the_same_bytes() -> None:
    def states() -> list[bytes]:
        hover, encoded = Hover(error=BEHIND), []
        for _ in range(30):
            state = hover.fly(1)
            state.header = header_message(0, "site")
            encoded.append(encode(state, "lander_interfaces/msg/NavigationState"))
        return encoded

    assert states() == states()


def test_the_filter_message_holds_the_whole_filter() -> None:
    hover = Hover(error=BEHIND)
    hover.fly(20, ranges=False)
    for _ in range(5):
        tick, imu = hover.move()
        outputs = step(hover.navigation, tick, imu, shot(hover.range_m(), tick.stamp_ns))
    message = outputs["navigation_filter"]
    assert len(message.states) == es.SIZE
    assert message.covariance.shape == (es.SIZE**2,)
    assert message.bias.shape == (sd.NAV_SIZE - sd.GYRO_BIAS,)
    assert message.nis.size == 5


def test_accelerometers_are_calibrated_in_quiet_free_fall() -> None:
    hover, bias, random = Hover(height_m=30_000.0), np.array([8e-5, -5e-5, 1.2e-4]), np.random.default_rng(1)
    for _ in range(1500):
        _advance_falling(hover, bias * 0.02 + 1.4e-5 * random.normal(size=3), 1e-7 * random.normal(size=3))
    _advance_falling(hover, np.array([0.0, 0.0, 0.05]), np.zeros(3))  # an engine starts
    found = hover.navigation.filter.nav[sd.ACCELEROMETER_BIAS : sd.RANGE_BIAS]
    np.testing.assert_allclose(found, bias, atol=4.0 * 3e-5)
    sigmas = np.sqrt(np.diag(hover.navigation.filter.P)[es.ACCELEROMETER : es.RANGE])
    assert np.all(sigmas < 3e-5)


def test_thruster_pulses_in_free_fall_are_not_taken_for_a_bias() -> None:
    """Each pulse pushes along z by less than the noise of a tick, and turns the lander a little."""
    hover, random, rate = Hover(height_m=30_000.0), np.random.default_rng(2), 0.0
    for k in range(1500):
        pulse = 4.0e-5 if k % 5 == 0 else 0.0
        rate += 7e-5 * (k % 5 == 0) * (-1.0) ** (k // 5)
        theta = np.array([rate * 0.02, 0.0, 0.0]) + 1e-7 * random.normal(size=3)
        _advance_falling(hover, np.array([0.0, 0.0, pulse]) + 1.4e-5 * random.normal(size=3), theta)
    _advance_falling(hover, np.array([0.0, 0.0, 0.05]), np.zeros(3))
    assert abs(hover.navigation.filter.nav[sd.ACCELEROMETER_BIAS + 2]) < 1e-4  # the mean of the pulses is 4e-4


def _advance_falling(hover: Hover, delta_v: np.ndarray, delta_theta: np.ndarray) -> None:
    hover.seq += 1
    step(hover.navigation, Tick(hover.seq, hover.seq * STEP_NS, STEP_NS), increments(STEP_NS, delta_v, delta_theta))
