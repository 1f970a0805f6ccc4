"""Engines that fail: found by their chambers, and flown around. On the throttle's bench, and by hand."""

from __future__ import annotations

from dataclasses import replace
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from attitude_bench import NO_ERRORS, Bench, Errors, Want, mission, steady
from hypothesis import given
from hypothesis import strategies as st

from lander_flight.engine_monitor import EngineMonitor
from lander_flight.throttle import Throttle
from lander_flight.throttle_parameters import ThrottleParameters
from lander_runtime.messages import GuidanceCommand
from lander_runtime.subsystem import Inputs, Tick

BRAKING = Want(thrust_n=1536.0, main_engine=True, assist_engines=True)
HOVERING = Want(thrust_n=700.0, assist_engines=True, phase=GuidanceCommand.TERMINAL)
TICK_S, TELEMETRY_TICKS = 0.02, 5
SILENCE = Inputs(dict.fromkeys(("vehicle_telemetry", "navigation_state", "guidance_command")), set())


class Failing(Bench):
    """A bench one of whose assist thrusters gives another thrust from a time on."""

    def __init__(self, want: Want, thruster: int, factor: float, at_s: float, until_s: float = 1e9) -> None:
        super().__init__(steady(want), NO_ERRORS)
        factors = [1.0] * 6
        factors[thruster] = factor
        self.broken = Errors(assist_factor=tuple(factors))
        self.thruster, self.at_s, self.until_s = thruster, at_s, until_s
        self.sound_force, self.sound_torque = self.forces.copy(), self.torques.copy()

    def move(self, step_s: float) -> None:
        broken = self.at_s <= self.stamp_ns * 1e-9 < self.until_s
        self.errors = self.broken if broken else NO_ERRORS
        scale = self.errors.assist_factor[self.thruster]
        row = 1 + self.thruster
        self.forces[row], self.torques[row] = scale * self.sound_force[row], scale * self.sound_torque[row]
        super().move(step_s)


def fraction(bench: Bench, thruster: int) -> Any:
    """What is believed of a thruster over time."""
    return np.array([command.engine_fraction[1 + thruster] for command in bench.history.commands])


def found_s(bench: Failing) -> float:
    """When the thruster was first found to be other than nominal, after its failure."""
    other = np.flatnonzero(np.abs(fraction(bench, bench.thruster) - 1.0) > 0.05)
    return bench.history.time_s[int(other[0])] - bench.at_s if len(other) else np.inf


@pytest.mark.parametrize("want", [BRAKING, HOVERING])
@pytest.mark.parametrize("thruster", [0, 3, 4])
def test_a_dead_thruster_is_found_within_six_tenths_of_a_second_and_the_attitude_held(
    want: Want, thruster: int
) -> None:
    bench = Failing(want, thruster, 0.0, at_s=2.0)
    history = bench.run(9.0)
    assert 0.0 < found_s(bench) <= 0.6
    assert history.norm().max() < 10.0
    assert history.norm(after_s=7.0).max() < 1.0
    assert bench.command.assist_on_s[thruster] == 0.0
    others = np.delete(bench.command.engine_fraction, 1 + thruster)
    assert others == pytest.approx(np.ones(6))


def test_without_its_opposite_a_ring_of_six_gives_the_thrust_of_four() -> None:
    bench = Failing(BRAKING, 2, 0.0, at_s=1.0)
    bench.run(5.0)
    assert bench.command.assist_limit_n == pytest.approx(800.0, abs=10.0)
    assert bench.command.main_limit_n == pytest.approx(420.0)


def test_a_weak_thruster_is_measured() -> None:
    bench = Failing(HOVERING, 1, 0.6, at_s=1.0)
    bench.run(5.0)
    assert found_s(bench) <= 0.7
    assert fraction(bench, 1)[-1] == pytest.approx(0.6, abs=0.03)
    assert bench.history.norm(after_s=4.0).max() < 0.5


def test_a_thruster_that_comes_back_is_used_again_after_its_trial() -> None:
    bench = Failing(BRAKING, 5, 0.0, at_s=1.0, until_s=4.0)
    bench.run(14.0)
    believed = fraction(bench, 5)
    assert believed.min() == 0.0
    assert believed[-1] == 1.0
    assert bench.history.norm(after_s=12.5).max() < 0.5


def test_in_the_terminal_descent_no_trial_is_made() -> None:
    bench = Failing(HOVERING, 5, 0.0, at_s=1.0, until_s=4.0)
    bench.run(14.0)
    assert fraction(bench, 5)[-1] == 0.0


def test_sound_engines_are_never_suspected() -> None:
    bench = Bench(steady(replace(HOVERING, thrust_n=640.0)))
    commands = bench.run(40.0).commands
    assert all((command.engine_fraction == 1.0).all() and not command.engine_stuck_open.any() for command in commands)


# By hand


def monitor() -> EngineMonitor:
    flown = mission()
    return EngineMonitor(flown.vehicle, flown.part("throttle", ThrottleParameters).engines)


def telemetry(main: float, ring: list[float], noise: float) -> Any:
    """Chambers by their share of the full pressure; `noise` makes every reading another."""
    return SimpleNamespace(main_chamber_pa=1e6 * (main + noise), assist_chamber_pa=9e5 * (np.array(ring) + noise))


def watch(watched: EngineMonitor, main_on: bool, on: list[bool], ring: list[float], looks: int) -> None:
    """So many looks, five ticks apart, at a ring that is commanded always the same."""
    for look in range(looks):
        for _ in range(TELEMETRY_TICKS):
            watched.command(main_on, [TICK_S if each else 0.0 for each in on], TICK_S)
        watched.look(telemetry(float(main_on), ring, 1e-4 * (1 + look % 7)), False)


def test_a_thruster_that_burns_unasked_is_found_in_two_looks() -> None:
    watched = monitor()
    watch(watched, False, [False] * 6, [0.0, 0.0, 1.0, 0.0, 0.0, 0.0], looks=2)
    assert watched.stuck_open == [False, False, False, True, False, False, False]
    watch(watched, False, [False] * 6, [0.0] * 6, looks=2)
    assert not any(watched.stuck_open)


def test_gauges_that_stand_still_tell_nothing() -> None:
    watched, dead = monitor(), telemetry(1.0, [0.0] + [1.0] * 5, 0.0)
    for _ in range(20):
        for _ in range(TELEMETRY_TICKS):
            watched.command(True, [TICK_S] * 6, TICK_S)
        watched.look(dead, False)
    assert watched.fraction == [1.0] * 7


def test_where_most_of_the_ring_seems_dead_the_gauges_are_not_believed() -> None:
    watched = monitor()
    watch(watched, True, [True] * 6, [0.0] * 5 + [1.0], looks=10)
    assert watched.fraction == [1.0] * 7


@given(
    st.integers(0, 5),
    st.lists(st.lists(st.booleans(), min_size=6, max_size=6), min_size=30, max_size=60),
)
def test_no_sound_engine_is_ever_isolated_whatever_is_commanded(dead: int, frames: list[list[bool]]) -> None:
    """Commands change at every look; chambers follow at once, but for the dead one."""
    watched = monitor()
    for on in frames:
        watch(watched, True, on, [float(each and i != dead) for i, each in enumerate(on)], looks=1)
    sound = [f for i, f in enumerate(watched.fraction) if i != 1 + dead]
    assert sound == pytest.approx([1.0] * 6)
    assert not any(watched.stuck_open)
    assert watched.fraction[1 + dead] == (0.0 if sum(on[dead] for on in frames) >= 2 else 1.0)


def test_a_new_life_goes_on_with_the_engines_as_they_were_found() -> None:
    bench = Failing(BRAKING, 3, 0.0, at_s=1.0)
    bench.run(3.0)
    last = bench.history.commands[-1]
    assert last.engine_fraction[4] == 0.0
    reborn = Throttle(mission())
    reborn.restore({"throttle_command": last})
    first = reborn.step(Tick(0, 0, 0), SILENCE)["throttle_command"]
    assert first.engine_fraction.tolist() == last.engine_fraction.tolist()
    assert first.assist_limit_n == last.assist_limit_n
    assert first.main_limit_n == pytest.approx(last.main_limit_n, rel=1e-3)  # the gauge has not told the mass yet
    fresh = Throttle(mission())
    fresh.restore({})
    assert fresh.step(Tick(0, 0, 0), SILENCE)["throttle_command"].assist_limit_n > last.assist_limit_n
