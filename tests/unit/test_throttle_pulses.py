"""Pulse widths: the mean is the duty, and valves are asked for nothing that they cannot do."""

from __future__ import annotations

from math import exp

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.typing import NDArray

from lander_flight.pulse_width import PulseWidthModulator

Array = NDArray[np.float64]
TICK_S, FRAME_TICKS, MINIMUM_ON_S, MINIMUM_OFF_S = 0.02, 6, 0.02, 0.008
FRAME_S = FRAME_TICKS * TICK_S

duty_lists = st.lists(st.floats(0.0, 1.0), min_size=6, max_size=6)


def modulator(count: int = 6, lost_s: float = 0.0) -> PulseWidthModulator:
    return PulseWidthModulator(count, FRAME_TICKS, TICK_S, MINIMUM_ON_S, MINIMUM_OFF_S, lost_s)


def open_times(duties: list[list[float]]) -> Array:
    """Open times of a thruster set, s; shape (ticks, thrusters)."""
    pulses = modulator(len(duties[0]))
    return np.array([pulses.step(duty) for duty in duties])


def open_and_shut(on_s: Array) -> tuple[list[float], list[float]]:
    """Lengths of the pulses of one thruster and of the gaps between them, s."""
    pulses, gaps = [], []
    pulse = gap = 0.0
    for on in on_s:
        if on > 0.0 and gap > 0.0:  # a pulse begins
            gaps.append(gap)
            gap = 0.0
        pulse += on
        if on < TICK_S:
            if pulse > 0.0:
                pulses.append(pulse)
                pulse = 0.0
            gap += TICK_S - on
    return pulses, gaps


@given(duty_lists, st.integers(2, 40))
def test_the_mean_of_a_steady_duty_is_met_within_half_a_minimum_pulse(duties: list[float], frames: int) -> None:
    on_s = open_times([duties] * ((frames + 1) * FRAME_TICKS))
    for i, phase in enumerate((0, 2, 4, 0, 2, 4)):
        inside = on_s[phase : phase + frames * FRAME_TICKS, i].sum()
        assert abs(inside - duties[i] * frames * FRAME_S) <= 0.5 * MINIMUM_ON_S + 1e-6


@given(st.lists(duty_lists, min_size=1, max_size=100))
def test_what_is_owed_stays_bounded_whatever_the_duties_do(duties: list[list[float]]) -> None:
    pulses = modulator()
    for wanted in duties:
        pulses.step(wanted)
        assert max(map(abs, pulses.owed_s)) <= FRAME_S + 0.5 * MINIMUM_ON_S + 1e-9


@given(st.lists(duty_lists, min_size=1, max_size=100))
def test_pulses_and_gaps_are_never_too_short(duties: list[list[float]]) -> None:
    on_s = open_times(duties + [[0.0] * 6] * FRAME_TICKS * 4)
    for thruster in on_s.T:
        pulses, gaps = open_and_shut(thruster)
        assert all(pulse >= MINIMUM_ON_S - 1e-9 for pulse in pulses)
        assert all(gap >= MINIMUM_OFF_S - 1e-9 for gap in gaps[1:])


@given(duty_lists)
def test_no_thruster_is_open_for_more_than_a_tick_in_a_tick(duties: list[float]) -> None:
    on_s = open_times([duties] * 50)
    assert on_s.min() >= 0.0
    assert on_s.max() <= TICK_S


def test_full_duty_stays_open_and_none_stays_shut() -> None:
    assert np.all(open_times([[1.0] * 6] * 50)[FRAME_TICKS:] == TICK_S)
    assert np.all(open_times([[0.0] * 6] * 50) == 0.0)


@pytest.mark.parametrize("duty", [0.3, 0.54, 0.8, 0.93])
def test_opposite_thrusters_fire_together_and_the_pairs_one_after_another(duty: float) -> None:
    on_s = open_times([[duty] * 6] * 60)
    assert np.array_equal(on_s[:, :3], on_s[:, 3:])
    steady = on_s[12:48]
    assert np.allclose(steady[:-2, 0], steady[2:, 1])
    assert np.allclose(steady[:-4, 0], steady[4:, 2])


def test_the_force_of_staggered_pairs_ripples_less_than_that_of_one_pair() -> None:
    share = open_times([[0.5] * 6] * 120)[12:].sum(axis=1) / (6 * TICK_S)
    assert np.ptp(share) <= 0.5  # together they would swing from 0 to 1


def test_the_braking_duty_comes_out_without_rounding() -> None:
    on_s = open_times([[0.93] * 6] * 606)[FRAME_TICKS:]
    assert on_s.mean(axis=0) / TICK_S == pytest.approx(np.full(6, 0.93), rel=1e-9)


def test_a_reset_closes_at_once_and_owes_nothing() -> None:
    pulses = modulator()
    pulses.step([0.9] * 6)
    pulses.reset()
    assert pulses.step([0.0] * 6) == [0.0] * 6
    assert pulses.owed_s == [0.0] * 6


def first_order_impulse(on_s: Array, rise_s: float, fall_s: float) -> float:
    """Impulse over full thrust, s, of open times under first-order build-up and decay."""
    thrust, impulse = 0.0, 0.0
    for on in np.append(on_s, np.zeros(20)):
        for length, target, constant in ((on, 1.0, rise_s), (TICK_S - on, 0.0, fall_s)):
            left = exp(-length / constant)
            impulse += target * length + (thrust - target) * constant * (1.0 - left)
            thrust = target + (thrust - target) * left
    return impulse


@pytest.mark.parametrize("duty", [0.2, 0.54, 0.93])
def test_equal_build_up_and_decay_leave_the_mean_impulse_as_it_is(duty: float) -> None:
    on_s = open_times([[duty] * 6] * 600)[:, 0]
    assert first_order_impulse(on_s, 0.006, 0.006) == pytest.approx(on_s.sum(), abs=1e-6)


@pytest.mark.parametrize("duty", [0.2, 0.54, 0.93])
def test_a_slower_build_up_is_made_good(duty: float) -> None:
    pulses = modulator(lost_s=0.004)
    on_s = np.array([pulses.step([duty] * 6) for _ in range(600)])[:, 0]
    left_over = 0.004 * exp(-MINIMUM_ON_S / 0.008) / (duty * FRAME_S)  # of an impulse, by pulses that end early
    assert first_order_impulse(on_s, 0.008, 0.004) == pytest.approx(duty * 600 * TICK_S, rel=left_over)
    uncorrected = open_times([[duty] * 6] * 600)[:, 0]
    assert first_order_impulse(uncorrected, 0.008, 0.004) < duty * 600 * TICK_S * (1.0 - 0.02)


def test_a_frame_without_room_for_a_pulse_is_refused() -> None:
    with pytest.raises(ValueError, match="no room"):
        PulseWidthModulator(6, 1, 0.02, 0.02, 0.008, 0.0)


def test_an_odd_ring_is_staggered_one_by_one() -> None:
    on_s = open_times([[0.3] * 5] * 120)
    assert len({tuple(np.flatnonzero(thruster > 0.0) % FRAME_TICKS) for thruster in on_s[12:].T}) > 2
