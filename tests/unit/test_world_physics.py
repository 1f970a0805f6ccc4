"""Physics as a subsystem: what it publishes, when it ticks, how runs end."""

from __future__ import annotations

import numpy as np
import pytest
from numpy.testing import assert_allclose, assert_array_equal
from world_samples import Bench, falling, mission

from lander_common.quaternion import Vector, conjugate, from_rotation_vector, multiply, rotate
from lander_runtime.messages import GuidanceCommand, Message, encode
from lander_world.gravity import gravity_mci, gravity_model

MODEL = gravity_model()


def thrusting(seconds: float, seed: int = 1) -> Bench:
    """A dispersed lander with all engines on, which soon tumbles."""
    bench = Bench(mission("nominal", seed))
    for _ in range(round(seconds / 0.02)):
        bench.step(bench.command(main=True, assist_s=0.02))
    return bench


def to_the_end(bench: Bench) -> Message:
    """The result of a lander that is left alone."""
    while not bench.physics.finished:
        bench.step(None)
    assert bench.result is not None
    return bench.result


def test_the_increments_lead_from_state_to_state() -> None:
    truth = thrusting(20.0).truth
    r, v, q = truth[0].r_lander_mci.copy(), truth[0].v_lander_mci.copy(), tuple(truth[0].q_mci_body.tolist())
    for i, now in enumerate(truth[1:]):
        q = multiply(q, from_rotation_vector(tuple(now.delta_theta_body.tolist())))  # type: ignore[arg-type]
        gained = np.array(rotate(q, tuple(now.delta_v_body.tolist())))  # type: ignore[arg-type]
        middle = r + 0.01 * v
        g = np.array(gravity_mci(MODEL, *middle, 0.02 * i + 0.01))
        r = r + 0.02 * v + 0.5 * 0.02 * gained + 0.5 * 0.02**2 * g
        v = v + gained + 0.02 * g
    assert_allclose(v, truth[-1].v_lander_mci, atol=1e-7)
    assert_allclose(r, truth[-1].r_lander_mci, atol=1e-2)  # thrust is not constant over a tick
    turned = multiply(conjugate(tuple(truth[-1].q_mci_body.tolist())), q)  # type: ignore[arg-type]
    assert_allclose(np.abs(turned), (0.0, 0.0, 0.0, 1.0), atol=1e-12)


def test_site_quantities_are_those_of_the_site_frame() -> None:
    bench = thrusting(3.0)
    frame, now = mission().site_frame, bench.truth[-1]
    r, v = frame.to_site(now.r_lander_mci, now.v_lander_mci, bench.tick.time_s)
    assert_allclose(now.r_lander_site, r, atol=1e-8)
    assert_allclose(now.v_lander_site, v, atol=1e-11)
    q = multiply(conjugate(frame.q_mci_site(bench.tick.time_s)), tuple(now.q_mci_body.tolist()))  # type: ignore[arg-type]
    assert_allclose(now.q_site_body, q, atol=1e-12)


def test_altitude_is_that_of_the_lowest_pad() -> None:
    bench = falling(30.0, tilt_deg=10.0)
    drop = 1.3 * np.sin(np.radians(45.0)) * np.sin(np.radians(10.0))
    com = bench.physics.world.report[31]
    expected = 30.0 + com - com * np.cos(np.radians(10.0)) - drop
    assert_allclose(bench.physics.altitude_m, expected, atol=1e-4)
    bench.step(None)  # and the same when every point is looked at
    for _ in range(180):
        bench.step(None)
    fallen = 30.0 + com - float(bench.truth[-1].r_lander_site[2])
    assert_allclose(bench.physics.altitude_m, expected - fallen, atol=1e-3)


def test_the_first_tick_reports_the_start() -> None:
    bench = Bench(mission())
    assert bench.truth[0].step_ns == 0
    assert_array_equal(bench.truth[0].delta_v_body, 0.0)
    assert_allclose(bench.physics.altitude_m, 20_000.0 + 2_600.0, atol=2.0)  # the ground is 2600 m below the sphere
    assert_allclose(bench.truth[0].mass_kg, 776.0)
    assert len(bench.telemetry) == 1


def test_thrust_shows_as_specific_force() -> None:
    now = thrusting(1.0).truth[-1]
    specific = float(np.linalg.norm(now.delta_v_body)) / 0.02
    assert_allclose(specific, (now.main_thrust_n + now.assist_thrust_n) / now.mass_kg, rtol=1e-4)


def test_the_same_seed_gives_the_same_bytes_and_another_does_not() -> None:
    def data(bench: Bench) -> list[bytes]:
        for message in bench.truth:
            message.header = bench.command().header
        return [encode(message, "lander_interfaces/msg/Truth") for message in bench.truth]

    assert data(thrusting(2.0)) == data(thrusting(2.0))
    assert data(thrusting(2.0)) != data(thrusting(2.0, seed=2))


def test_long_ticks_are_given_when_asked_for_high_above_the_ground() -> None:
    bench = Bench(mission())
    bench.step(bench.command())
    assert bench.truth[-1].step_ns == 20_000_000
    bench.step(bench.command(low_rate=True))
    assert bench.tick.stamp_ns == 1_000_000_000  # the first leads to a whole second
    bench.step(bench.command(low_rate=True))
    assert bench.truth[-1].step_ns == 1_000_000_000
    bench.step(bench.command())
    assert bench.truth[-1].step_ns == 20_000_000
    assert bench.kinds() == ["low_rate_on", "low_rate_off"]


def test_long_ticks_are_refused_near_the_ground() -> None:
    bench = falling(100.0)
    bench.step(bench.command(low_rate=True))
    assert bench.truth[-1].step_ns == 20_000_000


def test_long_ticks_are_given_to_a_lander_at_rest() -> None:
    bench = falling(0.2)
    while "at_rest" not in bench.kinds():
        bench.step(None)
    before = bench.truth[-1].r_lander_site
    for _ in range(3):
        bench.step(bench.command(low_rate=True))
    assert bench.truth[-1].step_ns == 1_000_000_000
    assert_allclose(bench.truth[-1].r_lander_site, before, atol=1e-4)
    assert_allclose(np.linalg.norm(bench.truth[-1].delta_v_body), 1.62, atol=0.01)  # the ground carries it


def test_long_and_short_ticks_fly_the_same_orbit() -> None:
    long, short = Bench(mission("nominal")), Bench(mission("nominal"))
    for _ in range(50):
        long.step(long.command(low_rate=True))
    for _ in range(2500):
        short.step(short.command())
    assert long.tick.stamp_ns == short.tick.stamp_ns
    assert_allclose(long.truth[-1].r_lander_mci, short.truth[-1].r_lander_mci, atol=1e-5)
    assert_allclose(long.truth[-1].q_mci_body, short.truth[-1].q_mci_body, atol=1e-12)


def test_engine_and_tank_events_come_once() -> None:
    bench = Bench(mission(start__propellant_kg="9.0"))
    for _ in range(500):
        bench.step(bench.command(main=True))
    for _ in range(10):
        bench.step(bench.command())
    assert bench.kinds() == ["main_engine_on", "tank_dry", "main_engine_off"]


def test_without_fresh_commands_the_main_engine_holds_and_then_closes() -> None:
    bench = thrusting(1.0)
    last = bench.command(main=True, assist_s=0.02)
    bench.step(last)
    for _ in range(8):
        bench.step(last, fresh=False)
    assert bench.truth[-1].main_thrust_n > 400.0
    assert bench.truth[-1].assist_thrust_n > 1100.0  # it was told to stay open
    for _ in range(30):
        bench.step(last, fresh=False)
    assert bench.truth[-1].main_thrust_n < 10.0
    assert bench.truth[-1].assist_thrust_n < 10.0


def test_pulses_are_not_repeated_without_a_fresh_command() -> None:
    bench = Bench(mission())
    pulse = bench.command(rcs_s=(0.012,) + (0.0,) * 7)
    used = [bench.step(pulse, fresh=i == 0)["truth"].rcs_propellant_kg for i in range(10)]
    assert used[1] < 12.0
    assert used[5] == used[9]


def test_a_command_for_other_thrusters_is_refused() -> None:
    bench = Bench(mission())
    command = bench.command()
    command.assist_on_s = np.zeros(5)
    with pytest.raises(ValueError, match="broadcast"):
        bench.step(command)


def test_gauges_scatter_about_the_truth() -> None:
    bench = Bench(mission())
    for _ in range(2000):
        bench.step(bench.command())
    readings = np.array([message.propellant_gauge_kg for message in bench.telemetry])
    sigma = mission().vehicle.tanks.gauge_sigma_kg
    assert len(readings) == 401
    assert_allclose(readings.mean(), 424.0, atol=4.0 * sigma / 20.0)
    assert_allclose(readings.std(), sigma, rtol=4.0 / np.sqrt(2.0 * 400.0))


def test_chamber_pressures_follow_thrust_and_tanks_their_contents() -> None:
    cold, hot = Bench(mission()).telemetry[-1], thrusting(1.0).telemetry[-1]
    assert cold.main_chamber_pa < 0.05e6
    assert not cold.main_valve_open
    assert_allclose(hot.main_chamber_pa, 1.0e6, rtol=0.03)
    assert_allclose(hot.assist_chamber_pa, 0.9e6, rtol=0.03)
    assert hot.main_valve_open
    assert hot.assist_valve_open.all()
    ullage = 1.0 / (12.0 / 15.0 / 2.2e6 + 3.0 / 15.0 / 0.6e6)  # Boyle: 1/p is linear in what is left
    assert_allclose(cold.tank_pressure_pa, (1.7e6, ullage), rtol=0.02)


def test_a_gentle_drop_is_a_success() -> None:
    bench = falling(1.0)
    result = to_the_end(bench)
    assert (result.outcome, result.touched_down) == ("success", True)
    assert_allclose(result.vertical_speed_m_s, np.sqrt(2.0 * 1.62 * 1.0), atol=0.02)
    assert_allclose(bench.tick.time_s - result.touchdown_time_s, 60.0, atol=0.021)
    assert bench.kinds() == ["first_contact", "at_rest"]
    assert result.miss_m < 0.01
    assert_allclose(result.propellant_left_kg, 52.0 + 12.0)
    assert result.propellant_used_kg == 0.0
    assert bench.truth[-1].contact == 0b1111


def test_contact_switches_remember_a_touch_until_they_are_read() -> None:
    bench = falling(0.5, v_site=(0.0, 0.0, -1.0))
    before = len(bench.telemetry)
    while bench.truth[-1].contact == 0:
        bench.step(None)
    bench.physics.world.plant.state[3:6] += 5.0 * bench.truth[-1].r_lander_mci / 1.7e6  # off it goes
    while len(bench.telemetry) == before or bench.truth[-1].contact:
        bench.step(None)
    assert any(message.contact.all() for message in bench.telemetry[before:])
    for _ in range(12):  # two messages on
        bench.step(None)
    assert not bench.telemetry[-1].contact.any()


@pytest.mark.parametrize(
    ("height_m", "v_site", "tilt_deg", "reason"),
    [
        (30.0, (0.0, 0.0, 0.0), 0.0, "vertical speed"),
        (0.5, (1.5, 0.0, 0.0), 0.0, "horizontal speed"),
        (0.5, (0.0, 0.0, 0.0), 65.0, "tipped over"),
        (0.5, (0.0, 0.0, 0.0), 180.0, "tipped over"),
        (3000.0, (0.0, 0.0, -80.0), 0.0, "vertical speed"),
    ],
)
def test_a_crash_is_called_a_crash(height_m: float, v_site: Vector, tilt_deg: float, reason: str) -> None:
    bench = falling(height_m, v_site, tilt_deg)
    result = to_the_end(bench)
    assert result.outcome == "lost"
    assert result.reason.startswith("crash")
    assert reason in result.reason
    assert "crash" in bench.kinds()
    assert np.isfinite(bench.truth[-1].r_lander_site).all()
    assert_allclose(bench.truth[-1].r_lander_site[2], 0.0, atol=20.0)  # the wreck lies about


def test_a_lander_that_lands_askew_is_lost_without_a_crash() -> None:
    bench = falling(0.5, tilt_deg=20.0)
    result = to_the_end(bench)
    assert result.outcome == "lost"
    assert "tilt 20.0" in result.reason
    assert "crash" not in bench.kinds()
    assert result.rest_tilt_deg < 1.0  # it righted itself


def test_a_lander_that_never_comes_down_is_lost_at_the_time_limit() -> None:
    bench = Bench(mission(start__time_limit_s="3.0"))
    result = to_the_end(bench)
    assert (result.outcome, result.touched_down) == ("lost", False)
    assert "did not land within 3 s" in result.reason
    assert bench.tick.time_s == 3.0


def given_up(bench: Bench, phase: int, seconds: float) -> Bench:
    """Coast with the flight software in a phase."""
    until_s = bench.tick.time_s + seconds
    while not bench.physics.finished and bench.tick.time_s < until_s:
        command = bench.command(low_rate=True)
        command.phase = phase
        bench.step(command)
    return bench


def test_a_landing_given_up_for_a_safe_orbit_is_aborted_safely() -> None:
    bench = given_up(Bench(mission()), GuidanceCommand.SAFE, 100.0)
    assert (bench.result.outcome, bench.result.touched_down) == ("aborted_safe", False)
    assert bench.tick.time_s == pytest.approx(61.0, abs=1.1)
    height_km = float(bench.result.reason.split()[-3])
    assert height_km == pytest.approx(15.0, abs=0.6)  # perilune of the start; position and velocity are dispersed


def test_an_orbit_is_no_end_while_the_landing_is_not_given_up() -> None:
    assert given_up(Bench(mission()), GuidanceCommand.COAST, 100.0).result is None


def test_an_orbit_that_meets_the_ground_is_not_safe() -> None:
    bench = Bench(mission())
    while bench.tick.time_s < 20.0:
        bench.step(
            bench.command(main=True, assist_s=1.0)
        )  # against the flight: the start holds the attitude of ignition
    assert given_up(bench, GuidanceCommand.SAFE, 100.0).result is None


def test_a_pulse_that_is_too_short_is_not_given_and_reported_once() -> None:
    bench = Bench(mission())
    for _ in range(3):
        bench.step(bench.command(assist_s=0.01))
    assert bench.truth[-1].assist_thrust_n == 0.0
    assert bench.kinds() == ["pulse_too_short"]
