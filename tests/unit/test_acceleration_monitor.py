"""Accelerometers against the commanded thrust: what is believed, when, and that no velocity is lost."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lander_common.mission import resolve
from lander_flight.acceleration_monitor import AccelerationMonitor
from lander_flight.navigation_parameters import NavigationParameters

MISSION = resolve("nominal", 1)
PARAMETERS = MISSION.part("navigation", NavigationParameters).acceleration
TICK_S, MASS_KG, HIGH_M = 0.02, 600.0, 5000.0
FULL = MISSION.vehicle.full_thrust_n / MASS_KG


def command(share: float = 1.0, main: float = 1.0, fraction: float = 1.0) -> Any:
    """Main engine on, the ring at a share; the main engine is found to give `main`, the ring `fraction`."""
    return SimpleNamespace(
        main_engine=True,
        assist_on_s=np.full(6, share * TICK_S),
        engine_fraction=np.array([main] + [fraction] * 6),
        engine_stuck_open=np.zeros(7, dtype=bool),
    )


def monitor() -> AccelerationMonitor:
    assert PARAMETERS is not None
    return AccelerationMonitor(MISSION.vehicle, PARAMETERS)


def fly(watched: AccelerationMonitor, given: float, read: float, seconds: float, altitude_m: float = HIGH_M) -> float:
    """Velocity that is counted while the thrust truly gives `given` and the accelerometers read `read`, m/s2."""
    share = (given * MASS_KG - 420.0) / 1200.0
    return sum(
        watched.choose((0.0, 0.0, read * TICK_S), command(share), MASS_KG, TICK_S, altitude_m)[2]
        for _ in range(round(seconds / TICK_S))
    )


def test_accelerometers_that_say_zero_are_replaced_within_a_second_and_nothing_is_lost() -> None:
    watched = monitor()
    fly(watched, 2.5, 2.5, 20.0)
    counted, seconds = 0.0, 0.0
    while not watched.modelled:
        counted += fly(watched, 2.5, 0.0, TICK_S)
        seconds += TICK_S
    assert seconds <= 1.0
    assert counted == pytest.approx(2.5 * seconds, abs=0.02)
    assert fly(watched, 2.5, 0.0, 10.0) == pytest.approx(25.0, rel=1e-3)


def test_the_deorbit_burn_of_luna_25_is_counted_on_the_model_alone() -> None:
    """Zeros from before ignition on: one per cent of thrust is what is left to err by."""
    watched = monitor()
    fly(watched, 420.0 / MASS_KG, 0.0, 0.0)
    counted = fly(watched, 420.0 / MASS_KG, 0.0, 30.0)
    assert counted == pytest.approx(0.7 * 30.0, rel=0.01)


def test_the_model_learns_the_true_thrust_while_the_accelerometers_are_good() -> None:
    watched = monitor()
    fly(watched, 2.5, 2.5 * 1.03, 40.0)
    assert watched.ratio == pytest.approx(1.03, rel=1e-3)
    fly(watched, 2.5, 0.0, 2.0)
    assert fly(watched, 2.5, 0.0, 10.0) == pytest.approx(25.0 * 1.03, rel=2e-3)


def test_they_are_believed_again_when_they_agree_again() -> None:
    watched = monitor()
    fly(watched, 2.5, 2.5, 20.0)
    fly(watched, 2.5, 0.0, 5.0)
    fly(watched, 2.5, 2.5, 1.9)
    assert watched.modelled
    fly(watched, 2.5, 2.5, 1.0)
    assert not watched.modelled


def test_a_dead_engine_is_not_taken_for_dead_accelerometers() -> None:
    """For half a second thrust is missing that the chambers have not told of; then the throttle has found it out."""
    watched = monitor()
    fly(watched, FULL, FULL, 20.0)
    left = 1200.0 / MASS_KG
    for _ in range(25):
        watched.choose((0.0, 0.0, left * TICK_S), command(), MASS_KG, TICK_S, HIGH_M)
    for _ in range(500):
        watched.choose((0.0, 0.0, left * TICK_S), command(main=0.0), MASS_KG, TICK_S, HIGH_M)
        assert not watched.modelled


def test_the_ground_that_pushes_is_not_a_fault_near_the_ground_only() -> None:
    for altitude_m, expected in ((3.0, False), (3000.0, True)):
        watched = monitor()
        fly(watched, 1.6, 1.6, 5.0)
        fly(watched, 1.6, 3.4, 2.0, altitude_m)
        assert watched.modelled is expected


def test_sideways_acceleration_that_no_engine_gives_is_not_believed() -> None:
    watched = monitor()
    fly(watched, 2.5, 2.5, 5.0)
    for _ in range(100):
        chosen = watched.choose((0.04, 0.0, 2.5 * TICK_S), command((1500.0 - 420.0) / 1200.0), MASS_KG, TICK_S, HIGH_M)
    assert watched.modelled
    assert chosen[0] == 0.0


@settings(max_examples=50)
@given(ratio=st.floats(0.94, 1.06), seed=st.integers(0, 10_000))
def test_within_five_sigma_of_thrust_good_accelerometers_are_always_believed(ratio: float, seed: int) -> None:
    """Thrust and mass together 1.2 %; pulses that come a tick late."""
    watched, random = monitor(), np.random.default_rng(seed)
    late = 0.5
    for tick in range(400):
        share = random.uniform(0.1, 1.0) if tick % 50 == 0 else late
        given = ratio * (420.0 + 1200.0 * 0.5 * (share + late)) / MASS_KG
        watched.choose((0.0, 0.0, given * TICK_S), command(share), MASS_KG, TICK_S, HIGH_M)
        late = share
        assert not watched.modelled
