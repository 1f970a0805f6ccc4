"""The throttle in the loop with a rigid body: response, limit cycle, slews, disturbances, propellant."""

from __future__ import annotations

from dataclasses import replace
from math import cos, exp, radians, sin, sqrt
from typing import Any

import numpy as np
import pytest
from attitude_bench import Bench, Errors, History, Want, about, mission, steady, turning
from scipy.spatial.transform import Rotation

from lander_flight.navigation_parameters import NavigationParameters
from lander_runtime.messages import GuidanceCommand, NavigationState

ASSIST_DUTY = 0.93
BRAKING = Want(thrust_n=420.0 + ASSIST_DUTY * 1200.0, main_engine=True, assist_engines=True)
DRIFTING = Want(phase=GuidanceCommand.COAST)
COASTING = Want(phase=GuidanceCommand.COAST, low_rate=True)
TERMINAL = Want(phase=GuidanceCommand.TERMINAL, thrust_n=650.0, assist_engines=True)
PITCH, YAW = (0.0, 1.0, 0.0), (0.0, 0.0, 1.0)
STANDARD_GRAVITY_M_S2, RCS_ISP_S = 9.80665, 220.0


def turned(want: Want, axis: tuple[float, float, float], angle_deg: float) -> Want:
    """The same with another attitude."""
    return replace(want, q_mci_body=about(axis, angle_deg))


def rcs_grams(history: History) -> float:
    """RCS propellant used, g."""
    return 1e3 * history.rcs_n_s / (RCS_ISP_S * STANDARD_GRAVITY_M_S2)


def arrival_s(history: History, within_deg: float) -> float:
    """When the error came to stay within a bound, s."""
    return history.time_s[int(np.flatnonzero(history.norm() > within_deg)[-1])]


@pytest.mark.parametrize("want", [BRAKING, TERMINAL], ids=["braking", "terminal"])
def test_a_step_on_the_assist_ring_answers_as_a_second_order_system(want: Want) -> None:
    begin_s, size_deg, frequency, damping = 2.0, 2.0, 2.0, 0.9
    history = Bench(lambda time_s: turned(want, PITCH, size_deg if time_s >= begin_s else 0.0)).run(10.0)
    damped = frequency * sqrt(1.0 - damping**2)
    times = np.array(history.time_s)
    since = times[times >= begin_s - 1e-9] - begin_s
    ratio = damping * frequency / damped
    expected = [exp(-damping * frequency * t) * (cos(damped * t) + ratio * sin(damped * t)) for t in since]
    error = history.errors()[times >= begin_s - 1e-9, 1] / size_deg
    assert error == pytest.approx(expected, abs=0.05)
    assert error.min() > -0.02  # closed form: -exp(-pi damping / sqrt(1 - damping^2)) = -0.0015


def test_the_limit_cycle_of_the_deadband_has_its_closed_form_period() -> None:
    """From edge to edge at half the rate of one smallest pulse: 8 deadband inertia / impulse, with a pulse per edge."""
    deadband_deg = 0.02
    bench = Bench(steady(DRIFTING), rcs__coast__attitude_deg=deadband_deg)
    step = 0.05 / bench.inertia[1, 1]  # rad/s, of one smallest pulse
    bench.w = np.array([0.0, 0.3 * step, 0.0])
    period = 8.0 * radians(deadband_deg) / step
    history = bench.run(4.0 * period)
    error = history.errors()[:, 1]
    upward = np.array(history.time_s)[1:][(error[:-1] < 0.0) & (error[1:] >= 0.0)]
    assert np.diff(upward)[1:] == pytest.approx(period, rel=0.02)
    assert np.abs(error).max() < 1.1 * deadband_deg
    assert history.rcs_pulses == 8
    assert history.rcs_n_s == pytest.approx(8 * 0.05, rel=0.05)


def test_coast_in_long_ticks_holds_the_attitude_on_what_the_limit_cycle_takes() -> None:
    """An axis takes two smallest impulses J in a period of 8 deadband inertia / J, at an arm of 1 m."""
    bench = Bench(steady(COASTING))
    bench.w = np.array([1e-4, -5e-5, 8e-5])
    history = bench.run(900.0)
    assert len(history.time_s) == 901  # all ticks but the first are long
    assert history.norm().max() < 0.3
    smallest, deadband = np.array([0.05, 0.05, 0.1]), radians(0.15)
    expected_n_s = 900.0 * float(np.sum(smallest**2 / (4.0 * deadband * np.diag(bench.inertia))))
    assert history.rcs_n_s == pytest.approx(expected_n_s, rel=0.3)
    assert rcs_grams(history) < 3.0


def test_coast_damps_what_is_left_of_a_burn_and_takes_grams() -> None:
    bench = Bench(steady(COASTING))
    bench.w = np.array([1e-3, -5e-4, 3e-4])
    history = bench.run(300.0)
    assert history.norm(60.0).max() < 0.3
    assert rcs_grams(history) < 5.0


def test_coast_follows_the_turn_of_the_orbit_in_long_ticks() -> None:
    history = Bench(turning(COASTING, PITCH, 0.05)).run(300.0)
    assert history.norm().max() < 0.3
    assert sum(command.low_rate for command in history.commands) > 0.95 * len(history.commands)


@pytest.mark.parametrize(("axis", "torque_n_m"), [(PITCH, 5.0), (YAW, 10.0)], ids=["pitch", "yaw"])
@pytest.mark.parametrize("angle_deg", [10.0, 60.0])
def test_an_rcs_slew_comes_near_the_bang_coast_bang_bound(axis: tuple, torque_n_m: float, angle_deg: float) -> None:
    bench = Bench(steady(turned(DRIFTING, axis, angle_deg)))
    inertia = float(np.array(axis) @ bench.inertia @ np.array(axis))
    angle, limit, acceleration = radians(angle_deg), radians(5.0), torque_n_m / inertia
    top = min(limit, sqrt(acceleration * angle))
    bound_s = angle / top + top / acceleration
    history = bench.run(1.6 * bound_s + 5.0)
    assert bound_s - 1.0 < arrival_s(history, 0.3) < 1.25 * bound_s + 1.0  # within 0.3 deg comes before the end
    assert (history.errors() @ np.array(axis)).min() > -0.3
    arm_m = 1.0
    assert history.rcs_n_s < 1.05 * 2.0 * inertia * top / arm_m  # speeding up and slowing down once


@pytest.mark.parametrize("angle_deg", [10.0, 60.0])
def test_a_slew_under_thrust_takes_no_rcs_propellant(angle_deg: float) -> None:
    bench = Bench(steady(turned(BRAKING, PITCH, angle_deg)))
    history = bench.run(angle_deg / 5.0 + 6.0)
    bound_s = angle_deg / 5.0 + radians(5.0) * bench.inertia[1, 1] / 120.0
    assert arrival_s(history, 0.3) < bound_s + 1.5
    assert history.errors()[:, 1].min() > -0.1
    assert history.rcs_n_s == 0.0


@pytest.mark.parametrize(("want", "rate_deg_s"), [(BRAKING, 2.0), (TERMINAL, 2.0), (DRIFTING, 0.5)])
def test_a_turn_that_guidance_leads_is_followed_within_a_degree(want: Want, rate_deg_s: float) -> None:
    history = Bench(turning(want, PITCH, rate_deg_s)).run(12.0)
    assert history.norm().max() < 1.0  # it begins with a jump of the rate
    assert history.norm(6.0).max() < 0.3


def test_misaligned_thrust_is_carried_by_the_ring_alone() -> None:
    errors = Errors(com_m=(0.003, -0.003, 0.0), assist_factor=(1.004, 0.995, 1.002, 0.993, 1.006, 0.998))
    bench = Bench(steady(BRAKING), errors)
    history = bench.run(25.0)
    assert history.norm().max() < 1.0  # at ignition, before it is known
    assert history.norm(10.0).max() < 0.1
    assert history.rcs_n_s == 0.0


def test_the_main_engine_alone_is_held_by_the_rcs_for_what_its_torque_asks() -> None:
    want = Want(thrust_n=420.0, main_engine=True, phase=GuidanceCommand.DEORBIT)
    history = Bench(steady(want), Errors(com_m=(0.003, 0.0, 0.0))).run(30.0)
    assert history.norm().max() < 0.3
    assert history.rcs_n_s == pytest.approx(0.003 * 420.0 * 30.0 / 1.0, rel=0.1)  # at an arm of 1 m


def test_a_steady_yaw_torque_costs_the_rcs_its_impulse_and_no_more() -> None:
    torque_n_m = 0.7
    history = Bench(steady(BRAKING), Errors(torque_body_n_m=(0.0, 0.0, torque_n_m))).run(40.0)
    assert history.norm(5.0).max() < 0.3
    assert history.rcs_n_s == pytest.approx(torque_n_m * 40.0 / 1.0, rel=0.1)  # both thrusters of the couple at 1 m


def test_noise_of_the_rate_costs_next_to_nothing() -> None:
    history = Bench(steady(BRAKING), Errors(rate_noise_rad_s=3e-4)).run(20.0)  # a STIM300 read at 50 Hz
    assert history.norm().max() < 0.2
    assert rcs_grams(history) < 1.0


@pytest.mark.parametrize("duty", [0.25, 0.54, 0.9, ASSIST_DUTY, 0.97])
def test_the_mean_force_of_the_ring_is_as_wanted_within_two_per_mille(duty: float) -> None:
    want = Want(thrust_n=420.0 + duty * 1200.0, main_engine=True, assist_engines=True)
    history = Bench(steady(want), Errors(com_m=(0.002, 0.001, 0.0))).run(14.4)
    frames = 5 * 20  # ticks: twenty frames of five orders of the sigma-delta
    mean_n = float(np.mean(history.thrust_n[-6 * frames :]))
    assert mean_n == pytest.approx(want.thrust_n, rel=2e-3)


def test_the_same_flight_twice_is_the_same_to_the_last_bit() -> None:
    def flown() -> list[bytes]:
        bench = Bench(steady(BRAKING), Errors(com_m=(0.002, 0.001, 0.0), rate_noise_rad_s=1e-4))
        return [command.assist_on_s.tobytes() + command.rcs_on_s.tobytes() for command in bench.run(4.0).commands]

    assert flown() == flown()


@pytest.mark.parametrize("want", [BRAKING, TERMINAL], ids=["braking", "terminal"])
def test_the_rate_that_it_foresees_is_good_enough_to_fly_on_without_gyros(want: Want) -> None:
    """The first two seconds of a slew that nobody measures, against three sigma of what navigation believes of them."""
    errors = Errors(com_m=(0.003, -0.003, 0.0), assist_factor=(1.004, 0.995, 1.002, 0.993, 1.006, 0.998))
    begin_s, end_s = 12.0, 14.0
    bench = BlindBench(lambda time_s: turned(want, PITCH, 8.0 if time_s >= begin_s else 0.0), errors)
    bench.blind_s = (begin_s, end_s)
    bench.run(begin_s)
    foreseen = actual = bench.attitude()
    change = drift = 0.0
    while bench.stamp_ns * 1e-9 < end_s:
        coming = bench.command.w_mci_body_coming
        bench.tick()
        foreseen, actual = foreseen * Rotation.from_rotvec(0.02 * coming), bench.attitude()
        drift = max(drift, (foreseen.inv() * actual).magnitude())
        change = max(change, float(np.linalg.norm(bench.w)))
    believed = bench.believed
    assert change > 0.05
    assert drift < 3.0 * (end_s - begin_s) * float(np.hypot(believed.rate_sigma_rad_s, believed.rate_fraction * change))
    assert bench.run(25.0).norm(20.0).max() < 0.1


def test_engines_are_not_given_up_for_what_was_never_said() -> None:
    """Two seconds are gone through in silence, with every chamber cold: commands of these were for nobody."""
    bench = Bench(steady(BRAKING))
    bench.run(5.0)
    bench.throttle.heard = False
    bench.chambers = lambda: np.zeros(len(bench.pressure))  # type: ignore[method-assign]
    bench.run(7.0)
    del bench.chambers
    bench.throttle.heard = True
    assert min(command.engine_fraction.min() for command in bench.run(10.0).commands) == 1.0


class BlindBench(Bench):
    """A bench whose gyros are away for a while."""

    blind_s = (0.0, 0.0)
    believed = mission().part("navigation", NavigationParameters).blind

    def attitude(self) -> Rotation:
        """The truth."""
        return Rotation.from_quat(np.roll(self.q, -1))

    def navigation(self) -> Any:
        """The truth, or a word that nobody measured it."""
        message = super().navigation()
        message.imu_verdict = NavigationState.ACCEPTED
        if self.blind_s[0] < self.stamp_ns * 1e-9 <= self.blind_s[1]:
            message.imu_verdict = NavigationState.REJECTED
        return message
