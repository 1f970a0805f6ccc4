"""Faults where they arise: each does to its device what its name says, from its beginning to its end, and nothing else."""

from __future__ import annotations

from math import inf, radians
from typing import Any

import numpy as np
import pytest
from fault_samples import with_faults
from numpy.testing import assert_allclose
from test_rangefinder import device, noiseless, truth
from world_samples import Bench, mission, properties

from lander_common.mission import Mission, resolve
from lander_runtime.messages import Message, RangeMeasurement, zeros
from lander_runtime.subsystem import Inputs, Tick
from lander_sensors.imu import Imu
from lander_world import thrusters
from lander_world.initial_state import W

TICK_NS = 20_000_000
FORCE = np.array([1.0, -2.0, 3.0])  # m/s2
RATE = np.array([0.01, 0.02, -0.03])  # rad/s


def increments(imu: Imu, stamp_ns: int, height_m: float = 5000.0) -> Message:
    """What the IMU says of a tick with a constant specific force and rate."""
    true = zeros("lander_interfaces/msg/Truth")
    true.step_ns, true.altitude_m = TICK_NS, height_m
    true.delta_v_body, true.delta_theta_body = FORCE * 0.02, RATE * 0.02
    tick = Tick(stamp_ns // TICK_NS, stamp_ns, TICK_NS)
    return imu.step(tick, Inputs({"truth": true}, {"truth"}))["imu_increments"]


def imu_pair(**fault: Any) -> tuple[Message, Message]:
    """The same tick as a sound and as a faulty IMU tell it; the fault begins at 1 s."""
    sound = resolve("nominal", 1)
    faulty = with_faults(sound, {"at_s": 1, "subject": "imu", **fault})
    return increments(Imu(sound), 10**9), increments(Imu(faulty), 10**9)


def test_a_fault_of_the_imu_changes_nothing_before_it_begins_and_after_it_ends() -> None:
    sound = resolve("nominal", 1)
    reset = {"at_s": 1, "subject": "imu", "kind": "reset", "duration_s": 0.5}
    first, second = Imu(sound), Imu(with_faults(sound, reset))
    for stamp in range(TICK_NS, 2 * 10**9, TICK_NS):
        said, other = increments(first, stamp), increments(second, stamp)
        assert other.valid == (not 10**9 <= stamp < 1.5 * 10**9)
        if other.valid:
            np.testing.assert_array_equal(said.delta_v_body, other.delta_v_body)


def test_an_accelerometer_axis_that_is_off_says_zero_and_the_others_do_not_change() -> None:
    sound, faulty = imu_pair(kind="accelerometer_axis_off", axis="y")
    np.testing.assert_array_equal(faulty.delta_v_body, sound.delta_v_body * (1, 0, 1))
    np.testing.assert_array_equal(faulty.delta_theta_body, sound.delta_theta_body)


def test_a_gyro_axis_that_is_off_says_zero() -> None:
    sound, faulty = imu_pair(kind="gyro_axis_off", axis="z")
    np.testing.assert_array_equal(faulty.delta_theta_body, sound.delta_theta_body * (1, 1, 0))


def test_biases_add_their_value_times_the_tick() -> None:
    sound, faulty = imu_pair(kind="accelerometer_bias", bias_m_s2=[0.1, 0, -0.2])
    assert_allclose(faulty.delta_v_body - sound.delta_v_body, [0.002, 0.0, -0.004], atol=1e-15)
    sound, faulty = imu_pair(kind="gyro_bias", bias_deg_s=[0, 1, 0])
    assert_allclose(faulty.delta_theta_body - sound.delta_theta_body, [0.0, radians(0.02), 0.0], atol=1e-15)


def test_saturated_accelerometers_show_the_limit_and_say_so() -> None:
    _, faulty = imu_pair(kind="saturation", limit_m_s2=1.5)
    assert_allclose(faulty.delta_v_body[1:], [-0.03, 0.03])
    assert faulty.saturated
    assert faulty.valid


def test_accelerometers_that_were_never_switched_on_say_zero_and_call_it_valid() -> None:
    sound, faulty = imu_pair(kind="accelerometers_zero")
    assert not faulty.delta_v_body.any()
    assert faulty.valid
    np.testing.assert_array_equal(faulty.delta_theta_body, sound.delta_theta_body)


def shots(described: Mission, height_m: float = 1000.0, count: int = 40) -> list[Message]:
    """Shots at 10 Hz straight down from rest over a smooth sphere, from stamp 0.1 s on."""
    rangefinder = device(described)
    found = []
    for number in range(1, count + 1):
        stamp = number * 100_000_000
        true = truth(described.site_frame, height_m, 90.0, stamp)
        found.append(rangefinder.step(Tick(number, stamp, 100_000_000), Inputs({"truth": true}, {"truth"}))["range"])
    return found


def ranges(described: Mission, **fault: Any) -> tuple[np.ndarray, np.ndarray]:
    """Ranges of a sound and of a faulty device, m; 0 where not valid. The fault acts from 1 s to 3 s."""
    entry = {"at_s": 1, "duration_s": 2, "subject": "rangefinder", **fault}
    sound, faulty = shots(described), shots(with_faults(described, entry))
    apart = [a.range_m == b.range_m for a, b in zip(sound, faulty, strict=True)]
    assert all(apart[:9] + apart[29:]), "it acts outside its time"
    return np.array([m.range_m for m in sound[9:29]]), np.array([m.range_m for m in faulty[9:29]])


def test_link_loss_ends_ranges_at_the_distance_that_the_link_budget_gives() -> None:
    """4 dB margin at 10 km: 24 dB less reach 1 km, by the inverse square."""
    fault = {"at_s": 0, "subject": "rangefinder", "kind": "link_loss", "loss_db": 24.0}
    described = with_faults(noiseless(), fault)
    assert all(shot.valid for shot in shots(described, 990.0, 3))
    assert not any(shot.valid for shot in shots(described, 1010.0, 3))
    assert shots(described, 1010.0, 1)[0].status == RangeMeasurement.NO_RETURN


def test_dropout_loses_the_stated_share_of_shots() -> None:
    _, all_lost = ranges(noiseless(), kind="dropout", probability=1)
    assert not all_lost.any()
    _, half_lost = ranges(noiseless(), kind="dropout", probability=0.5)
    assert 2 <= np.count_nonzero(half_lost == 0.0) <= 18  # binomial: beyond that once in 10 000


def test_bias_noise_and_outliers_change_ranges_as_their_names_say() -> None:
    sound, faulty = ranges(noiseless(), kind="bias", bias_m=-30.0)
    assert_allclose(faulty, sound - 30.0)
    sound, faulty = ranges(noiseless(), kind="noise", noise_sigma_m=50.0)
    assert 25.0 < np.std(faulty - sound) < 80.0  # chi-square, 20 shots, beyond that once in 1000
    sound, faulty = ranges(noiseless(noise_floor_m="2.0"), kind="noise_factor", factor=10.0)
    assert 10.0 < np.std(faulty - sound) < 32.0
    sound, faulty = ranges(noiseless(), kind="outliers", probability=1)
    assert ((faulty > 10.0) & (faulty < sound)).all()


def test_a_stuck_rangefinder_repeats_its_last_good_range_as_if_it_were_new() -> None:
    described = with_faults(noiseless(), {"at_s": 1, "subject": "rangefinder", "kind": "stuck"})
    rangefinder = device(described)
    found = []
    for number in range(1, 30):
        stamp = number * 100_000_000
        true = truth(described.site_frame, 2000.0 - 10.0 * number, 90.0, stamp)
        found.append(rangefinder.step(Tick(number, stamp, 100_000_000), Inputs({"truth": true}, {"truth"}))["range"])
    assert len({shot.range_m for shot in found[:9]}) == 9
    assert {shot.range_m for shot in found[9:]} == {found[8].range_m}
    assert all(shot.valid for shot in found)


def test_latency_gives_the_range_of_an_earlier_time_under_todays_stamp() -> None:
    described = with_faults(noiseless(), {"at_s": 0, "subject": "rangefinder", "kind": "latency", "extra_s": 0.5})
    rangefinder = device(described)
    for number in range(1, 21):
        stamp = number * 100_000_000
        true = truth(described.site_frame, 2000.0 - 10.0 * number, 90.0, stamp)
        shot = rangefinder.step(Tick(number, stamp, 100_000_000), Inputs({"truth": true}, {"truth"}))["range"]
    late = device(noiseless()).step(
        Tick(15, stamp, 100_000_000),
        Inputs({"truth": truth(described.site_frame, 2000.0 - 10.0 * 15, 90.0, stamp)}, {"truth"}),
    )["range"]
    assert_allclose(shot.range_m, late.range_m, atol=0.01)


def bench(*entries: dict[str, Any]) -> Bench:
    """A lander without errors, high above the Moon, with faults."""
    return Bench(with_faults(mission(), *entries))


def thrust_after(bench: Bench, ticks: int = 50, **command: Any) -> np.ndarray:
    """Thrust of every thruster, N, after some ticks of a command."""
    for _ in range(ticks):
        bench.step(bench.command(**command))
    return bench.physics.world.plant.engines[:, thrusters.THRUST].copy()


def engine(kind: str, thruster: str, **parameters: Any) -> dict[str, Any]:
    return {"at_s": 0.5, "subject": "engine", "kind": kind, "thruster": thruster, **parameters}


def test_an_engine_that_is_off_gives_no_thrust_and_takes_no_propellant() -> None:
    thrust = thrust_after(bench(engine("off", "assist_3")), main=True, assist_s=inf)
    assert_allclose(thrust[:7], [420.0, 200, 200, 0, 200, 200, 200], rtol=1e-5, atol=1e-9)


def test_a_thrust_factor_scales_thrust_and_consumption_of_what_it_names() -> None:
    sound, strong = bench(), bench(engine("thrust_factor", "assist", factor=1.1) | {"at_s": 0})
    thrust = thrust_after(strong, main=True, assist_s=inf)
    thrust_after(sound, main=True, assist_s=inf)
    assert_allclose(thrust[:7], [420.0] + [220.0] * 6, rtol=1e-6)
    left = [b.physics.world.plant.tanks[0] for b in (sound, strong)]
    assert left[1] < left[0]


def test_stuck_valves_do_not_obey() -> None:
    stuck = bench(engine("stuck_open", "assist_1"), engine("stuck_shut", "main"))
    thrust = thrust_after(stuck, main=True)
    assert_allclose(thrust[:3], [0.0, 200.0, 0.0], rtol=1e-6)


def test_a_slow_engine_needs_its_time_constant_to_build_up() -> None:
    slow = bench(engine("slow", "main", time_constant_s=1.0) | {"at_s": 0})
    thrust = thrust_after(slow, ticks=50, main=True)  # 1 s less 12 ms of delay, over 1.04 s
    assert_allclose(thrust[0], 420.0 * (1.0 - np.exp(-0.988 / 1.04)), rtol=1e-3)


def test_a_fault_that_ends_leaves_the_engine_sound() -> None:
    short = bench(engine("off", "main", duration_s=0.2), engine("slow", "assist", time_constant_s=1, duration_s=0.2))
    thrust = thrust_after(short, ticks=100, main=True, assist_s=inf)
    assert_allclose(thrust[:7], [420.0] + [200.0] * 6, rtol=1e-4)


def test_a_leak_empties_the_tank_at_its_rate_and_the_gauge_sees_it() -> None:
    leaking = bench({"at_s": 0.5, "subject": "tank", "kind": "leak", "rate_kg_s": 2.0, "duration_s": 1})
    before = float(leaking.physics.world.plant.tanks[0])
    for _ in range(100):
        leaking.step(leaking.command())
    assert_allclose(before - leaking.physics.world.plant.tanks[0], 2.0)
    assert properties(leaking.physics.world.plant)[0] == pytest.approx(leaking.truth[-1].mass_kg)


def test_pressure_loss_takes_thrust_in_proportion_and_shows_on_the_gauge() -> None:
    weak = bench({"at_s": 0.5, "subject": "tank", "kind": "pressure_loss", "pressure_fraction": 0.6})
    thrust = thrust_after(weak, main=True, assist_s=inf)
    assert_allclose(thrust[:7], [252.0] + [120.0] * 6, rtol=1e-5)
    regulated = mission().vehicle.tanks.regulated_pressure_pa
    assert weak.telemetry[-1].tank_pressure_pa[0] == pytest.approx(0.6 * regulated, rel=0.05)


def test_the_rate_limit_lets_the_lander_turn_no_faster_and_lets_it_slow_down() -> None:
    limited = bench({"at_s": 0, "subject": "vehicle", "kind": "rate_limit", "limit_deg_s": 2})
    faster, slower = (0.0,) * 6 + (0.02, 0.0), (0.0,) * 7 + (0.02,)  # about y: one pushes up at +x, the other at -x
    for _ in range(300):
        limited.step(limited.command(rcs_s=faster))
    rate = limited.physics.world.plant.state[W + 1]
    assert abs(rate) == pytest.approx(radians(2), rel=0.02)
    for _ in range(30):
        limited.step(limited.command(rcs_s=slower))
    assert abs(limited.physics.world.plant.state[W + 1]) < abs(rate)


def test_unknown_mass_makes_the_same_thrust_accelerate_less() -> None:
    """F = m a: the speed gained in a second goes with the inverse of the mass."""
    sound, heavy = bench(), bench({"subject": "vehicle", "kind": "mass_error", "dry_mass_kg": 100.0})
    gained = []
    for one in (sound, heavy):
        thrust_after(one, ticks=1, main=True)
        thrust_after(one, ticks=50, main=True)
        gained.append(float(np.linalg.norm(sum(t.delta_v_body for t in one.truth))))
    mass = sound.truth[0].mass_kg
    assert gained[0] / gained[1] == pytest.approx((mass + 100.0) / mass, rel=1e-3)


def test_every_fault_is_announced_when_it_begins_and_when_it_ends() -> None:
    one = bench(
        {"at_s": 0.5, "subject": "imu", "kind": "reset", "duration_s": 0.2},
        {"at_s": 0.6, "subject": "tank", "kind": "leak", "rate_kg_s": 2.0},
    )
    for _ in range(50):
        one.step(one.command())
    told = [(event.kind, event.subject, event.value) for event in one.events if event.kind.startswith("fault")]
    assert told == [("fault_on", "imu", 0.0), ("fault_on", "tank", 1.0), ("fault_off", "imu", 0.0)]
