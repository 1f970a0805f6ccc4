"""The throttle as a subsystem: what it does with each input, and without it."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

import numpy as np
import pytest
from attitude_bench import Bench, Errors, Want, about, steady

from lander_common.mission import resolve
from lander_flight.throttle import Throttle
from lander_runtime.config import ConfigError
from lander_runtime.messages import GuidanceCommand, encode
from lander_runtime.subsystem import Inputs, Tick

BRAKING = Want(thrust_n=1536.0, main_engine=True, assist_engines=True)
COASTING = Want(phase=GuidanceCommand.COAST, low_rate=True)
TILTED = about((0.0, 1.0, 0.0), 5.0)
Tamper = Callable[[dict[str, Any]], dict[str, Any]]


class Spoilt(Bench):
    """A bench whose inputs a test spoils from a time on."""

    def __init__(self, want: Callable[[float], Want], spoil: Tamper, from_s: float, **kwargs: Any) -> None:
        super().__init__(want, **kwargs)
        self.spoil, self.from_s = spoil, from_s

    def tamper(self, inputs: dict[str, Any]) -> dict[str, Any]:
        return self.spoil(inputs) if self.stamp_ns * 1e-9 >= self.from_s - 1e-9 else inputs


def without(key: str) -> Tamper:
    """Inputs without one of them."""
    return lambda inputs: {**inputs, key: None}


def spoilt(key: str, name: str, value: Any) -> Tamper:
    """Inputs with a field of a message overwritten."""

    def spoil(inputs: dict[str, Any]) -> dict[str, Any]:
        if inputs[key] is not None:
            setattr(inputs[key], name, value)
        return inputs

    return spoil


def fires(command: Any) -> bool:
    """Whether any valve opens."""
    return bool(command.main_engine or command.assist_on_s.any() or command.rcs_on_s.any())


def numbers(command: Any) -> np.ndarray[Any, Any]:
    """All numbers of a command."""
    scalars = [command.thrust_n, command.thrust_not_given_n]
    arrays = (command.assist_on_s, command.rcs_on_s, command.torque_command_body, command.torque_not_given_body)
    return np.concatenate([scalars, *arrays, command.attitude_error_body])


def at(bench: Bench, time_s: float) -> Any:
    """The command given at a time."""
    return bench.history.commands[int(np.argmin(np.abs(np.array(bench.history.time_s) - time_s)))]


def test_before_any_guidance_everything_is_off() -> None:
    bench = Spoilt(steady(BRAKING), without("guidance_command"), 0.0)
    bench.w = np.array([0.1, 0.0, 0.0])
    history = bench.run(0.5)
    assert not any(fires(command) or command.low_rate for command in history.commands)
    assert all(command.phase == GuidanceCommand.SAFE for command in history.commands)


def test_a_command_of_zeros_is_none() -> None:
    bench = Spoilt(steady(BRAKING), spoilt("guidance_command", "q_mci_body_command", np.zeros(4)), 0.0)
    assert not any(fires(command) for command in bench.run(0.3).commands)


def test_the_message_can_be_encoded() -> None:
    command = Bench(steady(BRAKING)).run(0.1).commands[-1]
    bench = Bench(steady(BRAKING))
    assert encode(bench.stamped(command), "lander_interfaces/msg/ThrottleCommand")
    assert command.assist_on_s.shape == (6,)
    assert command.rcs_on_s.shape == (8,)


def test_stale_guidance_is_held_for_its_accepted_age_and_then_made_safe() -> None:
    bench = Spoilt(steady(BRAKING), without("guidance_command"), 1.05)  # the last command is of 1.00 s
    bench.run(3.0)
    assert at(bench, 1.30).main_engine
    assert at(bench, 1.30).phase == GuidanceCommand.BRAKING
    for time_s in (1.32, 1.5, 2.5):
        command = at(bench, time_s)
        assert not command.main_engine
        assert not command.assist_on_s.any()
        assert command.phase == GuidanceCommand.SAFE
    assert bench.history.norm().max() < 0.3


def test_safe_hold_stops_the_turn_and_holds_the_attitude_wanted_last() -> None:
    bench = Spoilt(steady(Want(w_body=(0.0, 0.02, 0.0))), without("guidance_command"), 0.05)
    bench.w = np.array([0.0, 0.02, 0.0])
    history = bench.run(20.0)
    assert bench.w == pytest.approx(np.zeros(3), abs=1e-3)
    wanted_deg = np.degrees(0.02 * 0.32)  # the command of stamp 0 turned on until it was too old
    assert history.errors()[-1, 1] == pytest.approx(-wanted_deg, abs=0.3)


def test_guidance_that_comes_back_is_obeyed_again() -> None:
    bench = Spoilt(steady(BRAKING), without("guidance_command"), 1.05)
    bench.run(2.0)
    bench.from_s = 1e9
    bench.run(2.2)
    assert bench.command.main_engine
    assert bench.command.assist_on_s.any()


def test_without_navigation_the_predicted_attitude_is_flown_for_a_moment_and_then_the_rcs_rests() -> None:
    bench = Spoilt(steady(Want(TILTED, phase=GuidanceCommand.COAST)), without("navigation_state"), 1.0)
    history = bench.run(2.0)
    on = np.array([command.rcs_on_s.any() for command in history.commands])
    times = np.array(history.time_s)
    assert on[(times > 1.02) & (times < 1.2)].any()
    assert not on[times > 1.26].any()


def test_without_navigation_thrust_goes_on_as_guidance_wants_with_the_known_misalignment_taken_off() -> None:
    bench = Spoilt(steady(BRAKING), without("navigation_state"), 10.0, errors=Errors(com_m=(0.003, 0.0, 0.0)))
    bench.run(15.0)
    assert bench.command.thrust_n == pytest.approx(1536.0)
    assert np.linalg.norm(np.degrees(bench.w)) < 0.2  # 4.6 N m untrimmed would give 3 deg/s by now


@pytest.mark.parametrize("value", [np.full(4, np.nan), np.full(4, np.inf), np.zeros(4)])
def test_a_navigation_state_that_says_nothing_counts_as_missing(value: Any) -> None:
    bench = Spoilt(steady(Want(TILTED)), spoilt("navigation_state", "q_mci_body", value), 1.0)
    history = bench.run(2.0)
    assert not bench.command.rcs_on_s.any()
    assert all(np.isfinite(numbers(command)).all() for command in history.commands)


@pytest.mark.parametrize(
    ("key", "name", "value"),
    [
        ("navigation_state", "w_mci_body", np.full(3, np.nan)),
        ("guidance_command", "q_mci_body_command", np.full(4, np.nan)),
        ("guidance_command", "w_mci_body_command", np.full(3, np.inf)),
        ("guidance_command", "thrust_n", float("nan")),
        ("vehicle_telemetry", "propellant_gauge_kg", float("nan")),
        ("vehicle_telemetry", "rcs_propellant_gauge_kg", float("inf")),
    ],
)
def test_nothing_that_comes_in_makes_a_nan_go_out(key: str, name: str, value: Any) -> None:
    bench = Spoilt(steady(BRAKING), spoilt(key, name, value), 0.5)
    assert all(np.isfinite(numbers(command)).all() for command in bench.run(1.5).commands)


def test_an_engine_cut_is_obeyed_at_once() -> None:
    bench = Bench(lambda time_s: BRAKING if time_s < 0.99 else Want(phase=GuidanceCommand.TOUCHDOWN))
    bench.run(1.0)
    assert bench.history.time_s[-1] == pytest.approx(1.0)
    assert fires(at(bench, 0.98))
    assert not fires(bench.command)
    assert bench.command.phase == GuidanceCommand.TOUCHDOWN


def test_after_touchdown_the_rcs_rests() -> None:
    bench = Bench(steady(Want(TILTED, phase=GuidanceCommand.TOUCHDOWN)))
    assert not any(fires(command) for command in bench.run(0.5).commands)


def test_assist_thrusters_that_may_not_fire_do_not_and_what_is_missing_is_reported() -> None:
    bench = Bench(steady(Want(thrust_n=1000.0, main_engine=True)))
    bench.run(0.2)
    assert not bench.command.assist_on_s.any()
    assert bench.command.thrust_n == pytest.approx(420.0)
    assert bench.command.thrust_not_given_n == pytest.approx(580.0)


def test_thrust_beyond_all_engines_is_reported_as_not_given() -> None:
    bench = Bench(steady(Want(thrust_n=2000.0, main_engine=True, assist_engines=True)))
    bench.run(0.2)
    assert bench.command.assist_on_s == pytest.approx(np.full(6, 0.02))
    assert bench.command.thrust_not_given_n == pytest.approx(380.0, abs=0.1)


def test_less_thrust_than_the_main_engine_has_leaves_the_ring_shut() -> None:
    bench = Bench(steady(Want(thrust_n=300.0, main_engine=True, assist_engines=True)))
    bench.run(0.5)
    assert not any(command.assist_on_s.any() for command in bench.history.commands)
    assert bench.command.thrust_not_given_n == pytest.approx(-120.0)


def test_a_large_error_takes_all_that_the_rcs_has() -> None:
    bench = Bench(steady(Want(about((0.0, 0.0, 1.0), 60.0))))
    bench.tick()
    assert bench.command.torque_command_body == pytest.approx((0.0, 0.0, 10.0), abs=1e-9)
    assert bench.command.torque_not_given_body == pytest.approx(np.zeros(3), abs=1e-9)
    assert bench.command.attitude_error_body == pytest.approx((0.0, 0.0, np.radians(60.0)))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("sense", [1.0, -1.0])
def test_valves_turn_the_lander_towards_the_wanted_attitude(axis: int, sense: float) -> None:
    x, y, z = sense * np.eye(3)[axis]
    direction = (float(x), float(y), float(z))
    for want in (Want(), BRAKING):
        bench = Bench(steady(replace(want, q_mci_body=about(direction, 10.0))))
        bench.run(1.0)
        assert bench.w @ np.array(direction) > 0.01


def test_a_long_tick_is_asked_for_only_when_all_is_quiet() -> None:
    quiet = Bench(steady(COASTING))
    quiet.tick()
    assert quiet.command.low_rate
    far = Bench(steady(Want(TILTED, phase=GuidanceCommand.COAST, low_rate=True)))
    far.tick()
    assert not far.command.low_rate
    fast = Bench(steady(COASTING))
    fast.w = np.array([0.0, 0.01, 0.0])
    fast.tick()
    assert not fast.command.low_rate
    firing = Bench(steady(Want(thrust_n=420.0, main_engine=True, low_rate=True)))
    firing.tick()
    assert not firing.command.low_rate


def test_a_fast_tumble_is_stopped_and_the_long_tick_then_resumed() -> None:
    bench = Bench(steady(COASTING))
    bench.w = np.array([0.0, 0.02, 0.01])
    history = bench.run(120.0)
    assert history.commands[-1].low_rate
    assert history.norm(60.0).max() < 0.3


def test_a_command_is_turned_on_between_the_ticks_of_guidance() -> None:
    rate = 0.05
    bench = Bench(steady(Want(w_body=(0.0, rate, 0.0))))
    bench.run(0.08)
    assert bench.command.attitude_error_body[1] == pytest.approx(rate * 0.08, abs=1e-3)


def test_a_value_out_of_its_bounds_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match="natural_frequency"):
        Throttle(resolve("nominal", 1, settings={"throttle.attitude.natural_frequency_rad_s": "-1"}))


def test_a_pulse_frame_that_is_too_short_for_the_thrusters_is_an_error_of_the_configuration() -> None:
    with pytest.raises(ConfigError, match=r"no room in 0\.02 s"):
        Throttle(resolve("nominal", 1, settings={"throttle.ring.frame_ticks": "1"}))


def test_the_throttle_takes_a_ring_of_another_count() -> None:
    throttle = Throttle(resolve("nominal", 1, settings={"vehicle.assist.count": "8", "vehicle.assist.thrust_n": "150"}))
    bench = Bench(steady(BRAKING))
    inputs = {"navigation_state": bench.navigation(), "guidance_command": bench.guidance(), "vehicle_telemetry": None}
    outputs = throttle.step(Tick(0, 0, 0), Inputs(inputs, {"navigation_state", "guidance_command"}))
    assert outputs["throttle_command"].assist_on_s.shape == (8,)
    assert outputs["throttle_command"].thrust_n == pytest.approx(1536.0)
