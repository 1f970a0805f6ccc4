"""Thrusters and tanks against closed forms of pulses, Tsiolkovsky, and the rules of the valves."""

from __future__ import annotations

from itertools import pairwise
from math import exp, inf, log

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from world_samples import FULL_ON, MAIN_ON, NOTHING, THRUSTERS, in_free_space, lander, mission, properties, run

from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_world import thrusters
from lander_world.dynamics import advance
from lander_world.initial_state import V, W
from lander_world.plant import Plant
from lander_world.thrusters import DELAY, FLOW, FULL_THRUST, IMPULSE, MINIMUM_ON, OPEN_FOR, STUCK, THRUST, fire
from lander_world.vehicle_tables import nominal_thrusters

TICK_S = 0.02
MAIN, ASSIST, RCS = 0, 1, 7


def one(engine: int, on_s: float) -> np.ndarray:
    command = NOTHING.copy()
    command[engine] = on_s
    return command


def impulses(engine: int, commands: list[float], tick_s: float = TICK_S, settle: int = 60) -> np.ndarray:
    """Impulse, N s, of an engine in each tick of a list of commands and some more without any."""
    plant = in_free_space(lander())
    given_n_s = []
    for i, on_s in enumerate(commands + [0.0] * settle):
        advance(plant, one(engine, on_s), i * tick_s, tick_s, False)
        given_n_s.append(plant.engines[engine, IMPULSE])
    return np.array(given_n_s)


def pulse_impulse(full: float, rise: float, fall: float, on_s: float) -> float:
    """Impulse of one pulse and its tail: F t - F tau_r (1 - e) + F tau_f (1 - e), with e = exp(-t/tau_r)."""
    built = 1.0 - exp(-on_s / rise)
    return full * (on_s - rise * built + fall * built)


@pytest.mark.parametrize(("engine", "on_s"), [(ASSIST, 0.02), (ASSIST, 0.037), (RCS, 0.01), (RCS, 0.015), (MAIN, 0.2)])
def test_a_pulse_gives_the_impulse_of_the_closed_form(engine: int, on_s: float) -> None:
    row = nominal_thrusters(mission().vehicle)[engine]
    commands = [inf] * int(on_s / TICK_S + 1e-9) + [on_s % TICK_S if on_s % TICK_S > 1e-9 else 0.0]
    expected = pulse_impulse(row[FULL_THRUST], row[thrusters.RISE], row[thrusters.FALL], on_s)
    assert_allclose(impulses(engine, commands).sum(), expected, rtol=1e-5)


@pytest.mark.parametrize("tick_s", [0.02, 0.1, 1.0])
def test_a_pulse_gives_the_same_impulse_in_ticks_of_any_length(tick_s: float) -> None:
    assert_allclose(impulses(RCS, [0.013], tick_s).sum(), pulse_impulse(5.0, 0.004, 0.004, 0.013), rtol=1e-5)


@given(st.lists(st.floats(1e-4, 0.1), min_size=1, max_size=20), st.floats(0.0, 0.03), st.floats(0.0, 0.2))
def test_the_impulse_does_not_depend_on_where_steps_end(steps: list[float], begin: float, length: float) -> None:
    valve = (0.005, begin, begin + length)
    ends = np.cumsum([0.0, *steps])
    whole_thrust, whole = fire(200.0, 0.006, 0.009, 120.0, valve, 0.0, float(ends[-1]))
    thrust, total = 120.0, 0.0
    for start, end in pairwise(ends):
        thrust, impulse = fire(200.0, 0.006, 0.009, thrust, valve, float(start), float(end))
        total += impulse
    assert_allclose(total, whole, rtol=1e-9, atol=2e-6)  # a tail that is below 1e-6 of full thrust is cut
    assert_allclose(thrust, whole_thrust, rtol=1e-6, atol=1e-3)


@given(st.floats(0.0, 200.0), st.floats(0.0, 0.1), st.floats(0.0, 0.1), st.floats(0.001, 0.2))
def test_thrust_stays_between_nothing_and_full(thrust: float, begin: float, length: float, step: float) -> None:
    after, impulse = fire(200.0, 0.006, 0.006, thrust, (0.0, begin, begin + length), 0.0, step)
    assert 0.0 <= after <= 200.0 + 1e-9
    assert 0.0 <= impulse <= 200.0 * step + 1e-9


def test_the_valve_answers_after_its_delay() -> None:
    plant = in_free_space(lander())
    advance(plant, one(MAIN, inf), 0.0, 0.012, False)  # as long as the delay
    assert plant.engines[MAIN, THRUST] == 0.0
    advance(plant, one(MAIN, inf), 0.012, 0.008, False)
    assert_allclose(plant.engines[MAIN, THRUST], 420.0 * (1.0 - exp(-0.008 / 0.040)), rtol=1e-12)


def test_a_long_command_reaches_full_thrust_and_closing_tails_off() -> None:
    plant = in_free_space(lander())
    run(plant, 2.0, TICK_S, MAIN_ON)
    assert_allclose(plant.engines[MAIN, THRUST], 420.0, rtol=1e-12)
    advance(plant, NOTHING, 2.0, TICK_S, False)
    assert_allclose(plant.engines[MAIN, THRUST], 420.0 * exp(-(TICK_S - 0.012) / 0.030), rtol=1e-12)


def test_commands_of_a_tick_or_more_leave_no_gap_between_ticks() -> None:
    thrust = impulses(ASSIST, [TICK_S] * 10, settle=0)[3:] / TICK_S
    assert_allclose(thrust, 200.0, rtol=1e-3)


def test_a_pulse_shorter_than_the_minimum_does_not_open_the_valve() -> None:
    plant = in_free_space(lander())
    refused, _ = advance(plant, one(ASSIST, 0.019), 0.0, 0.04, False)
    assert refused == 1
    run(plant, 0.2, TICK_S)
    assert plant.engines[ASSIST, IMPULSE] == 0.0
    assert plant.engines[ASSIST, THRUST] == 0.0


def test_an_open_valve_may_close_early_in_a_tick() -> None:
    commands = [TICK_S, 0.007]  # 27 ms in all
    assert_allclose(impulses(ASSIST, commands).sum(), pulse_impulse(200.0, 0.006, 0.006, 0.027), rtol=1e-5)


def test_the_main_engine_stays_open_for_its_minimum() -> None:
    given_n_s = impulses(MAIN, [inf, 0.0])
    assert_allclose(given_n_s.sum(), pulse_impulse(420.0, 0.040, 0.030, 0.100), rtol=1e-5)


def test_not_a_number_does_not_open_a_valve() -> None:
    assert impulses(ASSIST, [float("nan"), -1.0]).sum() == 0.0


def test_a_stuck_valve_does_not_obey() -> None:
    plant = in_free_space(lander())
    plant.engines[ASSIST, STUCK] = thrusters.OPEN
    plant.engines[MAIN, STUCK] = thrusters.SHUT
    run(plant, 1.0, TICK_S, MAIN_ON)
    assert_allclose(plant.engines[ASSIST, THRUST], 200.0, rtol=1e-9)
    assert plant.engines[MAIN, THRUST] == 0.0


def test_a_weak_engine_gives_its_share() -> None:
    plant = in_free_space(lander())
    plant.engines[MAIN, thrusters.FACTOR] = 0.5
    run(plant, 1.0, TICK_S, MAIN_ON)
    assert_allclose(plant.engines[MAIN, THRUST], 210.0, rtol=1e-9)


def speed(plant: Plant) -> float:
    return float(np.linalg.norm(plant.state[V : V + 3]))


def test_the_main_engine_obeys_tsiolkovsky() -> None:
    plant = in_free_space(lander())
    before = properties(plant)[0]
    run(plant, 300.0, TICK_S, MAIN_ON)
    expected = 320.0 * STANDARD_GRAVITY_M_S2 * log(before / properties(plant)[0])
    assert_allclose(speed(plant), expected, rtol=1e-8)


def test_main_and_assist_obey_tsiolkovsky_with_their_mean_impulse() -> None:
    plant = in_free_space(lander())
    before = properties(plant)[0]
    run(plant, 200.0, TICK_S, FULL_ON)
    mean_isp = 1620.0 / (420.0 / 320.0 + 1200.0 / 293.6)
    assert_allclose(mean_isp, 300.0, atol=0.1)  # what the mass budget rests on
    expected = mean_isp * STANDARD_GRAVITY_M_S2 * log(before / properties(plant)[0])
    assert_allclose(speed(plant), expected, rtol=1e-5)  # the two rise at different rates


def test_a_long_coast_tick_gives_the_rcs_its_momentum() -> None:
    plant = in_free_space(lander())
    inertia_z = properties(plant)[6]
    command = NOTHING.copy()
    command[7:9] = 0.05  # both +yaw thrusters
    advance(plant, command, 0.0, 1.0, False)
    expected = 2.0 * 1.0 * pulse_impulse(5.0, 0.004, 0.004, 0.05) / inertia_z
    assert_allclose(plant.state[W : W + 3], (0.0, 0.0, expected), atol=2e-6 * expected)
    assert speed(plant) < 1e-12  # a couple


def test_propellant_used_is_impulse_over_exhaust_speed() -> None:
    plant = in_free_space(lander())
    before = plant.tanks.copy()
    used = 0.0
    for i in range(100):
        advance(plant, FULL_ON, i * TICK_S, TICK_S, False)
        used += float(plant.engines[:, IMPULSE] @ plant.table[:, FLOW])
    assert_allclose(before[0] - plant.tanks[0], used, rtol=1e-10)
    assert plant.tanks[1] == before[1]


def test_an_empty_tank_ends_the_thrust_after_all_its_impulse() -> None:
    plant = in_free_space(lander(mission(start__propellant_kg="18.0")))
    usable = float(plant.tanks[0])
    assert_allclose(usable, 10.0)  # 8 kg cannot be used
    total = 0.0
    for i in range(6000):
        advance(plant, MAIN_ON, i * TICK_S, TICK_S, False)
        total += float(plant.engines[MAIN, IMPULSE])
    assert plant.tanks[0] == 0.0
    assert plant.engines[MAIN, THRUST] == 0.0
    assert_allclose(total, usable * 320.0 * STANDARD_GRAVITY_M_S2, rtol=1e-9)
    assert_allclose(properties(plant)[0], 340.0 + 8.0 + 12.0)


def test_the_table_of_thrusters_is_that_of_the_vehicle_file() -> None:
    table = nominal_thrusters(mission().vehicle)
    assert len(table) == THRUSTERS
    assert_allclose(table[:7, FULL_THRUST].sum(), mission().vehicle.full_thrust_n)
    assert_allclose(table[MAIN, [DELAY, MINIMUM_ON]], (0.012, 0.1))
    assert_allclose(table[1:7, :2].sum(axis=0), 0.0, atol=1e-12)  # the ring is centred
    assert in_free_space(lander()).engines[:, OPEN_FOR].sum() == 0.0
