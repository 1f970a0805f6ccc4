"""Health: each check against hand-made situations, and the rules of verdicts."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from math import exp, nan, radians, sqrt
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from pydantic import ValidationError

from lander_common.mission import Mission, resolve
from lander_flight.health import Health
from lander_flight.health_monitors import LeakMonitor, LowPass
from lander_flight.health_parameters import Check, HealthParameters
from lander_flight.health_quantities import QUANTITIES
from lander_flight.health_table import band_text, checks, declared_ages_s, markdown
from lander_flight.health_verdict import ERROR, OK, STALE, WARN, Verdict, closed, outside, worst
from lander_runtime.config import ConfigError
from lander_runtime.messages import GuidanceCommand, HealthStatus, header_message, zeros
from lander_runtime.subsystem import Inputs, Tick

STEP_NS = 100_000_000
TYPES = {
    "imu_increments": "ImuIncrements",
    "range": "RangeMeasurement",
    "navigation_state": "NavigationState",
    "guidance_command": "GuidanceCommand",
    "throttle_command": "ThrottleCommand",
    "vehicle_telemetry": "VehicleTelemetry",
}
Change = Callable[[dict[str, Any]], None]


@pytest.fixture(scope="module")
def mission() -> Mission:
    return resolve("nominal", 1)


def healthy(mission: Mission, time_ns: int) -> dict[str, Any]:
    """Every input as it should be in the middle of the braking burn, 7 km above the ground."""
    messages = {key: zeros(f"lander_interfaces/msg/{name}") for key, name in TYPES.items()}
    for message in messages.values():
        message.header = header_message(time_ns, "")
    vehicle = mission.vehicle
    fill_vehicle(messages["vehicle_telemetry"], mission)
    mass = vehicle.mass.dry_kg + 100.0 + vehicle.mass.unusable_propellant_kg + 12.0
    imu = messages["imu_increments"]
    imu.valid, imu.interval_ns = True, 20_000_000
    imu.delta_v_body[2] = vehicle.full_thrust_n / mass * 0.02
    shot = messages["range"]
    shot.valid, shot.range_m, shot.signal_db = True, 7000.0, 8.0
    fill_navigation(messages["navigation_state"], mission)
    messages["guidance_command"].phase = GuidanceCommand.BRAKING
    messages["guidance_command"].delta_v_to_go_m_s = 300.0
    messages["throttle_command"].thrust_n = vehicle.full_thrust_n
    messages["throttle_command"].main_engine = True
    messages["throttle_command"].engine_fraction = np.ones(1 + vehicle.assist.count)
    messages["throttle_command"].engine_stuck_open = np.zeros(1 + vehicle.assist.count, dtype=np.bool_)
    messages["navigation_state"].specific_force_body[2] = vehicle.full_thrust_n / mass
    imu.delta_theta_body[:] = 1e-7
    imu.delta_v_body[:2] = 1e-5
    return messages


def fill_vehicle(telemetry: Any, mission: Mission) -> None:
    tanks = mission.vehicle.tanks
    telemetry.propellant_gauge_kg = 100.0 + mission.vehicle.mass.unusable_propellant_kg
    telemetry.rcs_propellant_gauge_kg = 12.0
    share = 12.0 / tanks.rcs_propellant_capacity_kg
    blow_down = 1.0 / (share / tanks.rcs_pressure_full_pa + (1.0 - share) / tanks.rcs_pressure_empty_pa)
    telemetry.tank_pressure_pa = np.array([tanks.regulated_pressure_pa, blow_down])
    telemetry.main_chamber_pa, telemetry.main_valve_open = 1.0e6, True
    telemetry.assist_chamber_pa = np.full(mission.vehicle.assist.count, 0.9e6)
    telemetry.assist_valve_open = np.full(mission.vehicle.assist.count, True)
    telemetry.contact = np.zeros(mission.vehicle.legs.count, dtype=np.bool_)
    telemetry.available_power_w = 180.0


def fill_navigation(state: Any, mission: Mission) -> None:
    state.altitude_m, state.altitude_low_m = 7000.0, 6990.0
    state.r_lander_mci[:] = (mission.site_frame.radius_m + 7000.0, 0.0, 0.0)
    state.v_lander_mci[:] = (-65.0, 250.0, 0.0)
    state.q_mci_body[:] = (0.0, 0.0, 0.0, 1.0)
    state.range_age_s = 0.0
    state.range_innovation_sigma_m = 5.0
    state.range_verdict = state.ACCEPTED
    state.attitude_sigma_rad[:] = radians(0.01)


class Bench:
    """Health with every input under control."""

    def __init__(self, mission: Mission) -> None:
        self.mission = mission
        self.health = Health(mission)
        self.time_ns = 0
        self.last: dict[str, Any] = {}

    def step(self, change: Change | None = None, absent: tuple[str, ...] = ()) -> Any:
        messages = healthy(self.mission, self.time_ns)
        if change:
            change(messages)
        for key, message in messages.items():
            if key not in absent:
                self.last[key] = message
        latest = {key: self.last.get(key) for key in TYPES}
        tick = Tick(self.time_ns // STEP_NS, self.time_ns, STEP_NS if self.time_ns else 0)
        self.time_ns += STEP_NS
        return self.health.step(tick, Inputs(latest, set(latest) - set(absent)))["health_status"]

    def steps(self, count: int, change: Change | None = None, absent: tuple[str, ...] = ()) -> list[Any]:
        return [self.step(change, absent) for _ in range(count)]


def verdict(status: Any, name: str) -> int:
    return int(status.verdicts[status.checks.index(name)])


def value(status: Any, name: str) -> float:
    return float(status.values[status.checks.index(name)])


def bad(status: Any) -> set[str]:
    return {name for name, level in zip(status.checks, status.verdicts, strict=True) if level != OK}


def test_all_is_well_in_a_healthy_flight(mission: Mission) -> None:
    statuses = Bench(mission).steps(100)
    assert all(status.overall == OK and not bad(status) and not status.detections for status in statuses)


# What goes wrong, and the check that must say so. Each change is applied from the first second on.
def _nan_navigation(m: dict[str, Any]) -> None:
    m["navigation_state"].r_lander_mci[1] = nan


def _set(topic: str, **fields: Any) -> Change:
    def change(messages: dict[str, Any]) -> None:
        for name, new in fields.items():
            setattr(messages[topic], name, new)

    return change


def _imu(axis_rate_deg_s: float = 0.0, acceleration: float | None = None) -> Change:
    def change(messages: dict[str, Any]) -> None:
        imu = messages["imu_increments"]
        imu.delta_theta_body[0] = radians(axis_rate_deg_s) * 0.02
        if acceleration is not None:
            imu.delta_v_body[:] = (0.0, 0.0, acceleration * 0.02)

    return change


def _scaled_thrust(factor: float) -> Change:
    def change(messages: dict[str, Any]) -> None:
        messages["imu_increments"].delta_v_body[2] *= factor

    return change


def _terminal(**navigation: Any) -> Change:
    def change(messages: dict[str, Any]) -> None:
        messages["guidance_command"].phase = GuidanceCommand.TERMINAL
        _upright(messages["navigation_state"])
        _set("navigation_state", **navigation)(messages)

    return change


def _upright(state: Any) -> None:
    """Thrust axis (body z) along mci x, which is up here."""
    state.q_mci_body[:] = (0.0, sqrt(0.5), 0.0, sqrt(0.5))
    state.altitude_m, state.altitude_low_m = 700.0, 695.0
    state.v_lander_mci[:] = (-20.0, 2.3, 0.0)


def _rejected(messages: dict[str, Any]) -> None:
    messages["navigation_state"].range_verdict = messages["navigation_state"].REJECTED


def _weak_signal(messages: dict[str, Any]) -> None:
    messages["range"].signal_db = -12.0


def _mute_rangefinder(messages: dict[str, Any]) -> None:
    messages["range"].header = header_message(0, "")


def _no_return(messages: dict[str, Any]) -> None:
    messages["range"].valid = False


def _engine(number: int, fraction: float = 1.0, stuck_open: bool = False) -> Change:
    def change(messages: dict[str, Any]) -> None:
        messages["throttle_command"].engine_fraction[number] = fraction
        messages["throttle_command"].engine_stuck_open[number] = stuck_open

    return change


def _silent_axis(messages: dict[str, Any]) -> None:
    messages["imu_increments"].delta_theta_body[1] = 0.0


def _scattering() -> Change:
    """Ranges that scatter by five sigma; the seed is fixed."""
    noise = np.random.default_rng(1)

    def change(messages: dict[str, Any]) -> None:
        messages["navigation_state"].range_innovation_m = float(noise.normal(0.0, 25.0 * 1.3))

    return change


def _two_contacts(messages: dict[str, Any]) -> None:
    messages["vehicle_telemetry"].contact[:2] = True


def _far_from_the_target(messages: dict[str, Any]) -> None:
    _terminal()(messages)
    messages["navigation_state"].r_lander_site = messages["navigation_state"].r_lander_site + [2000.0, 0.0, 0.0]


def _tank(index: int, factor: float) -> Change:
    def change(messages: dict[str, Any]) -> None:
        messages["vehicle_telemetry"].tank_pressure_pa[index] *= factor

    return change


FAULTS: dict[str, tuple[Change, str, int]] = {
    "IMU reports a failure": (_set("imu_increments", valid=False), "imu_self_test", ERROR),
    "IMU saturated": (_set("imu_increments", saturated=True), "imu_saturation", ERROR),
    "tumbling as the IMU sees it": (_imu(axis_rate_deg_s=40.0), "imu_rate", ERROR),
    "absurd acceleration": (_imu(acceleration=25.0), "imu_acceleration", ERROR),
    "accelerometers off, as on Luna 25": (_imu(acceleration=0.0), "thrust_agreement", ERROR),
    "thrust 10 % high, as on Chandrayaan-2": (_scaled_thrust(1.10), "thrust_agreement", ERROR),
    "thrust 25 % low": (_scaled_thrust(0.75), "thrust_agreement", ERROR),
    "no returns": (_no_return, "range_dropouts", ERROR),
    "weak returns": (_weak_signal, "range_link_margin", ERROR),
    "nothing accepted": (_set("navigation_state", range_age_s=-1.0), "range_lock", ERROR),
    "range far from prediction": (_set("navigation_state", range_innovation_m=-40.0), "range_innovation", ERROR),
    "good ranges rejected, as on Mission 1": (_rejected, "range_rejected", ERROR),
    "navigation not a number": (_nan_navigation, "navigation_finite", ERROR),
    "quaternion not of unit length": (
        _set("navigation_state", q_mci_body=np.array([0.0, 0.0, 0.0, 1.01])),
        "navigation_attitude_norm",
        ERROR,
    ),
    "below the ground": (_set("navigation_state", altitude_m=-1000.0), "altitude", ERROR),
    "escaping": (_set("navigation_state", v_lander_mci=np.array([0.0, 3000.0, 0.0])), "speed", ERROR),
    "altitude lost": (_terminal(altitude_sigma_m=80.0), "altitude_uncertainty", ERROR),
    "velocity lost": (_terminal(v_sigma_site_m_s=np.array([3.0, 0.1, 0.1])), "velocity_uncertainty", ERROR),
    "attitude lost": (
        _set("navigation_state", attitude_sigma_rad=np.array([0.0, 0.02, 0.0])),
        "attitude_uncertainty",
        ERROR,
    ),
    "too fast to stop": (
        _terminal(altitude_m=500.0, v_lander_mci=np.array([-60.0, 0.0, 0.0])),
        "stopping_height",
        ERROR,
    ),
    "tumbling as navigation sees it": (
        _set("navigation_state", w_mci_body=np.array([0.0, 0.5, 0.0])),
        "body_rate",
        ERROR,
    ),
    "off the commanded attitude": (
        _set("throttle_command", attitude_error_body=np.array([0.0, radians(20.0), 0.0])),
        "attitude_error",
        ERROR,
    ),
    "leaning over": (_terminal(q_mci_body=np.array([0.0, 0.0, 0.0, 1.0])), "tilt", ERROR),
    "thrust not given": (_set("throttle_command", thrust_not_given_n=600.0), "thrust_not_given", ERROR),
    "torque not given": (
        _set("throttle_command", torque_not_given_body=np.array([80.0, 0.0, 0.0])),
        "torque_not_given",
        ERROR,
    ),
    "not enough propellant": (_set("guidance_command", delta_v_to_go_m_s=900.0), "propellant_reserve", ERROR),
    "RCS tank empty": (_set("vehicle_telemetry", rcs_propellant_gauge_kg=0.5), "rcs_propellant", ERROR),
    "tank pressure up, as on Peregrine": (_tank(0, 1.3), "main_tank_pressure", ERROR),
    "RCS tank leaks gas": (_tank(1, 0.6), "rcs_tank_pressure", ERROR),
    "main engine weak": (_engine(0, 0.8), "main_engine", ERROR),
    "main engine lost": (_engine(0, 0.0), "main_engine_lost", ERROR),
    "one assist thruster out": (_engine(4, 0.0), "assist_thrusters", ERROR),
    "one assist thruster burns unasked": (_engine(2, stuck_open=True), "assist_thrusters", ERROR),
    "navigation goes by the thrust": (_set("navigation_state", imu_verdict=2), "imu_replaced", ERROR),
    "an axis of the IMU is off": (_silent_axis, "imu_silence", ERROR),
    "noisy ranges, as on IM-2": (_scattering(), "range_scatter", ERROR),
    "the only altimeter is dead": (_mute_rangefinder, "altimeter_lost", ERROR),
    "altitude in doubt, as on Mission 2": (_terminal(altitude_low_m=300.0), "altitude_doubt", ERROR),
    "turning against the command": (
        _set("navigation_state", w_mci_body=np.array([0.25, 0.0, 0.0])),
        "rate_error",
        ERROR,
    ),
    "down far from the target": (_far_from_the_target, "target_distance", ERROR),
    "no power for payloads": (_set("vehicle_telemetry", available_power_w=0.0), "payload_power", ERROR),
    "two false contacts": (_two_contacts, "false_contact", ERROR),
}


# Beyond its persistence, a row may take so long to see its fault, s: low-passes of 2 s (to 80 % in 3.2 s, a tenth of 20 dB
# in 2.6 s, an eighth of nothing in 0.3 s), 5 s for the gauge, and what is itself a time.
SMOOTHED_S = {
    "thrust_agreement": 2.0,
    "range_dropouts": 3.2,
    "range_link_margin": 1.3,
    "range_scatter": 3.5,
    "rate_error": 0.0,
    "imu_silence": 3.0,
}


@pytest.mark.parametrize("fault", FAULTS)
def test_what_goes_wrong_is_seen_by_its_check_and_is_over_when_it_is_over(mission: Mission, fault: str) -> None:
    change, name, expected = FAULTS[fault]
    bench = Bench(mission)
    bench.steps(60)
    during = bench.steps(80, change)
    assert verdict(during[-1], name) == expected
    assert (name in {d for status in during for d in status.detections}) == (expected == ERROR)
    if expected == ERROR:
        seen = next(count for count, status in enumerate(during) if name in status.detections)
        row = next(row for row in checks(mission) if row.name == name)
        assert 0.1 * seen <= row.persistence_s + SMOOTHED_S.get(name, 0.0) + 0.001
        assert during[seen].responses[during[seen].detections.index(name)] == row.response
    after = bench.steps(150)
    assert verdict(after[-1], name) == OK  # nothing latches


def test_every_check_is_seen_to_fail_by_a_test(mission: Mission) -> None:
    ages = {row.name for row in checks(mission) if row.stale}
    gradual = {"propellant_agreement", "leak_rate"}
    assert {name for _, name, _ in FAULTS.values()} | ages | gradual == {row.name for row in checks(mission)}


def test_a_leak_shows_as_propellant_that_the_acceleration_does_not_explain(mission: Mission) -> None:
    bench, vehicle, leak_kg_s = Bench(mission), mission.vehicle, 1.0
    assist_n = vehicle.full_thrust_n - vehicle.main_engine.thrust_n
    flow = (vehicle.main_engine.thrust_n / vehicle.main_engine.isp_s + assist_n / vehicle.assist.isp_s) / 9.80665

    def burning(messages: dict[str, Any]) -> None:
        time_s = bench.time_ns * 1e-9
        gone = flow * time_s + leak_kg_s * max(0.0, time_s - 30.0)
        messages["vehicle_telemetry"].propellant_gauge_kg = 108.0 - gone
        mass = vehicle.mass.dry_kg + 108.0 + 12.0 - gone
        messages["navigation_state"].specific_force_body[2] = vehicle.full_thrust_n / mass
        messages["guidance_command"].time_to_touchdown_s = 60.0

    sound = bench.steps(300, burning)[-1]
    leaking = bench.steps(300, burning)[-1]
    assert verdict(sound, "propellant_agreement") == OK
    assert verdict(leaking, "propellant_agreement") == ERROR
    seen = value(leaking, "propellant_agreement") - value(sound, "propellant_agreement")
    assert seen == pytest.approx(-leak_kg_s * (30.0 - 5.0), rel=0.05)  # late by the smoothing of the gauge
    assert verdict(leaking, "leak_rate") == ERROR
    assert value(leaking, "leak_rate") == pytest.approx(leak_kg_s, rel=0.05)
    assert leaking.advice == HealthStatus.ABORT  # what is left would not last


def test_a_new_life_goes_on_from_what_was_found_and_advised(mission: Mission) -> None:
    bench = Bench(mission)

    def leaking(messages: dict[str, Any]) -> None:
        gauge_kg = 108.0 - 0.5 * max(bench.time_ns * 1e-9 - 10.0, 0.0)
        messages["vehicle_telemetry"].propellant_gauge_kg = gauge_kg
        messages["navigation_state"].specific_force_body[2] = 0.0
        sensed_m_s2 = messages["imu_increments"].delta_v_body[2] / 0.02
        messages["throttle_command"].thrust_n = sensed_m_s2 * (mission.vehicle.mass.dry_kg + gauge_kg + 12.0)
        messages["guidance_command"].time_to_touchdown_s = 120.0

    before = bench.steps(700, leaking)[-1]
    assert before.advice == HealthStatus.ABORT
    bench.health = Health(mission)
    bench.health.restore({"health_status": before})
    after = bench.steps(60, leaking)
    assert {status.advice for status in after} == {HealthStatus.ABORT}
    assert not [name for status in after for name in status.detections]  # nothing is found twice
    assert {value(status, "leak_rate") for status in after} == {value(before, "leak_rate")}
    gone_on = value(before, "propellant_agreement") - value(after[-1], "propellant_agreement")
    assert 0.0 <= gone_on <= 0.5 * 6.0  # kg: what leaks in the six seconds of the new life, less the lag of the gauge


def test_a_new_life_forgets_a_leak_that_a_whole_window_does_not_show() -> None:
    monitor = LeakMonitor(window_s=120.0, gauge_sigma_kg=2.0)
    monitor.restore(0.5)
    rates = [monitor.rate_kg_s for _ in range(1210) if monitor.step(400.0, 0.1) is None]
    assert rates[:1190] == [0.5] * 1190
    assert rates[-1] == 0.0


def test_without_a_last_message_a_new_life_begins_afresh(mission: Mission) -> None:
    bench = Bench(mission)
    bench.health.restore({})
    assert all(status.overall == OK for status in bench.steps(20))


@pytest.mark.parametrize(("rate_kg_s", "within_s"), [(0.1, 35.0), (0.3, 20.0), (1.0, 10.0)])
def test_a_leak_is_found_from_a_noisy_gauge_within_its_time(rate_kg_s: float, within_s: float) -> None:
    noise, monitor = np.random.default_rng(3), LeakMonitor(120.0, 2.0)
    for _ in range(3000):
        monitor.step(400.0 + float(noise.normal(0.0, 2.0)), 0.1)
        assert monitor.rate_kg_s == 0.0
    took_s = next(
        0.1 * step
        for step in range(1000)
        if not monitor.step(400.0 - rate_kg_s * 0.1 * step + float(noise.normal(0.0, 2.0)), 0.1) and monitor.rate_kg_s
    )
    assert took_s <= within_s


def test_propellant_that_was_used_while_nobody_counted_is_not_a_leak() -> None:
    """Three seconds of full thrust, 1.6 kg, without a state of navigation: enough for a leak by the rule of six sigma."""
    noise = np.random.default_rng(3)
    rates = {}
    for name in ("counted on", "forgotten"):
        monitor = LeakMonitor(120.0, 0.2)
        for step in range(1200):
            if 300 <= step < 330 and name == "forgotten":
                monitor.forget(0.1)
            else:
                monitor.step(400.0 - 1.6 * (step >= 330) + float(noise.normal(0.0, 0.2)), 0.1)
            rates[name] = max(rates.get(name, 0.0), monitor.rate_kg_s)
    assert rates["counted on"] > 0.0
    assert rates["forgotten"] == 0.0


@pytest.mark.parametrize("key", TYPES)
def test_an_input_that_stops_is_stale_after_its_declared_age_and_others_are_not(mission: Mission, key: str) -> None:
    bench = Bench(mission)
    bench.steps(20)
    name = {"navigation_state": "navigation", "vehicle_telemetry": "telemetry"}.get(key, key.split("_")[0]) + "_age"
    limit_s = declared_ages_s()[key]
    silent = bench.steps(10, absent=(key,))
    for count, status in enumerate(silent, start=1):
        assert value(status, name) == pytest.approx(0.1 * count)
        assert (verdict(status, name) == STALE) == (count * STEP_NS > round(limit_s * 1e9))
    depending = {check for check, quantity in QUANTITIES.items() if key in quantity.needs}
    assert bad(silent[-1]) == depending | {name}
    assert [found for status in silent for found in status.detections] == [name]
    assert bench.steps(40)[-1].overall == OK


def test_with_terrain_relative_navigation_a_dead_rangefinder_is_no_reason_to_abort() -> None:
    bench = Bench(resolve("nominal_trn", 1))
    bench.steps(20)
    status = bench.steps(80, absent=("range",))[-1]
    assert verdict(status, "range_age") == STALE
    assert verdict(status, "altimeter_lost") == OK
    assert status.advice == HealthStatus.CONTINUE


def test_an_input_that_never_came_ages_from_the_first_step(mission: Mission) -> None:
    bench = Bench(mission)
    statuses = bench.steps(5, absent=("range",))
    assert value(statuses[-1], "range_age") == pytest.approx(0.4)
    assert verdict(statuses[-1], "range_age") == STALE


def test_without_any_input_health_still_answers(mission: Mission) -> None:
    status = Bench(mission).steps(10, absent=tuple(TYPES))[-1]
    assert status.overall == STALE
    assert set(status.verdicts.tolist()) == {STALE}


def test_long_ticks_of_the_coast_are_no_reason_for_alarm(mission: Mission) -> None:
    bench = Bench(mission)
    for second in range(30):
        bench.time_ns = second * 1_000_000_000
        status = bench.step(_coasting)
    assert not bad(status)


def _coasting(messages: dict[str, Any]) -> None:
    messages["guidance_command"].phase = GuidanceCommand.COAST
    messages["imu_increments"].delta_v_body[:] = 1e-5
    messages["navigation_state"].specific_force_body[:] = 0.0
    messages["throttle_command"].thrust_n = 0.0
    messages["throttle_command"].main_engine = False
    messages["range"].valid = False
    messages["navigation_state"].altitude_m = 50_000.0
    telemetry = messages["vehicle_telemetry"]
    telemetry.main_chamber_pa, telemetry.main_valve_open = 0.0, False
    telemetry.assist_chamber_pa[:], telemetry.assist_valve_open[:] = 0.0, False


def test_ignition_at_the_end_of_a_long_tick_is_no_disagreement(mission: Mission) -> None:
    bench = Bench(mission)

    def igniting(messages: dict[str, Any]) -> None:
        _coasting(messages)
        messages["imu_increments"].interval_ns = 1_000_000_000
        if bench.time_ns == 19_000_000_000:
            messages["throttle_command"].thrust_n = mission.vehicle.full_thrust_n

    for second in range(20):
        bench.time_ns = second * 1_000_000_000
        bench.step(igniting)
    bench.time_ns = 19_100_000_000
    assert all(abs(value(status, "thrust_agreement")) < 0.02 for status in bench.steps(50))


def test_a_single_outlier_of_the_rangefinder_is_no_finding(mission: Mission) -> None:
    bench = Bench(mission)
    bench.steps(30)
    outlier = bench.step(_set("navigation_state", range_innovation_m=-900.0, range_verdict=3))
    assert not outlier.detections
    assert bench.step().overall == OK


def check(**fields: Any) -> Check:
    base = {
        "id": "H99",
        "name": "x",
        "about": "x",
        "unit": "m",
        "persistence_s": 0.5,
        "phases": (),
        "reason": "x",
        "fault": "x",
        "blames": (),
        "response": "x",
    }
    return Check(**{**base, **fields})


def run(judge: Verdict, values: list[float]) -> Iterator[int]:
    for number, number_value in enumerate(values):
        judge.judge(number_value, number * STEP_NS)
        yield judge.now


def test_a_verdict_waits_for_its_persistence_on_the_way_in_and_out() -> None:
    judge = Verdict(check(warn=(None, 1.0), error=(None, 2.0)), 0.0)
    levels = list(run(judge, [0.0, *[3.0] * 8, *[0.0] * 8]))
    assert levels == [OK] + [OK] * 5 + [ERROR] * 3 + [ERROR] * 5 + [OK] * 3


def test_changing_between_warning_and_error_does_not_start_the_wait_anew() -> None:
    judge = Verdict(check(warn=(None, 1.0), error=(None, 2.0)), 0.0)
    assert list(run(judge, [1.5, 2.5, 1.5, 2.5, 1.5, 2.5]))[-1] == ERROR


@given(values=st.lists(st.one_of(st.floats(allow_nan=True), st.sampled_from([0.5, 1.5, 2.5])), max_size=60))
def test_a_verdict_is_never_worse_than_its_worst_value(values: list[float]) -> None:
    judge = Verdict(check(warn=(-1.0, 1.0), error=(-2.0, 2.0), persistence_s=0.3), 0.0)
    for level in run(judge, values):
        worst_seen = ERROR if any(outside(v, (-2.0, 2.0)) for v in values) else WARN
        assert level == OK or (level <= worst_seen and any(outside(v, (-1.0, 1.0)) for v in values))


@given(values=st.lists(st.floats(-0.9, 0.9), min_size=10, max_size=20), before=st.floats(3.0, 9.0))
def test_after_good_values_for_the_persistence_a_verdict_is_good(values: list[float], before: float) -> None:
    judge = Verdict(check(warn=(-1.0, 1.0), error=(-2.0, 2.0)), 0.0)
    assert list(run(judge, [*[before] * 10, *values]))[-1] == OK


def test_what_is_not_a_number_is_beyond_every_limit() -> None:
    assert outside(nan, closed((None, 5.0)))
    assert not outside(nan, None)


def test_an_error_outranks_what_is_merely_unknown() -> None:
    assert worst([OK, STALE, ERROR, WARN]) == ERROR
    assert worst([OK, STALE, WARN]) == STALE
    assert worst([]) == OK


@given(tau=st.floats(0.1, 10.0), step=st.floats(0.01, 5.0))
def test_low_pass_follows_the_exponential_step_response(tau: float, step: float) -> None:
    low_pass = LowPass(tau)
    low_pass.put(0.0, step)
    for _ in range(5):
        value_now = low_pass.put(1.0, step)
    assert value_now == pytest.approx(1.0 - exp(-5.0 * step / tau))


def test_a_sample_that_is_not_finite_passes_through_a_low_pass_and_is_forgotten() -> None:
    low_pass = LowPass(1.0)
    low_pass.put(1.0, 0.1)
    assert low_pass.put(nan, 0.1) != low_pass.put(1.0, 0.1) == 1.0


def test_the_table_comes_out_as_rows_for_documents(mission: Mission) -> None:
    rows = checks(mission)
    assert [row.id for row in rows] == sorted({row.id for row in rows})
    for row in rows:
        assert all((row.id, row.name, row.about, row.unit, row.phases, row.reason))
        assert row.warn or row.error or row.stale
    assert next(row.stale for row in rows if row.name == "imu_age") == "> 0.04"
    assert band_text((-1.0, 2.5)) == "< -1 or > 2.5"


def test_a_table_that_names_what_is_not_watched_is_refused_with_a_hint(mission: Mission) -> None:
    document = mission.documents["health"].data
    saved = document["checks"][0]["name"]
    document["checks"][0]["name"] = "imu_agee"
    try:
        with pytest.raises(ConfigError, match=r"H01: nothing named 'imu_agee' is watched \(did you mean 'imu_age'"):
            Health(mission)
    finally:
        document["checks"][0]["name"] = saved


def test_ids_are_given_once(mission: Mission) -> None:
    parameters = mission.part("health", HealthParameters)
    twice = {**parameters.model_dump(), "checks": [parameters.checks[0].model_dump()] * 2}
    with pytest.raises(ValidationError, match="id H01 is given to more than one check"):
        HealthParameters.model_validate(twice)


def test_a_check_without_limits_is_refused() -> None:
    with pytest.raises(ValidationError, match="needs at least one"):
        check()


def test_a_response_that_nobody_described_is_refused(mission: Mission) -> None:
    table = mission.part("health", HealthParameters).model_dump()
    table["checks"][0]["response"] = "pray"
    with pytest.raises(ValidationError, match="response pray is not described under responses"):
        HealthParameters.model_validate(table)


def test_the_document_shows_the_table_that_is_flown(mission: Mission) -> None:
    page = (Path(__file__).parents[2] / "docs" / "fdir.md").read_text(encoding="utf-8")
    assert markdown(mission) in page
