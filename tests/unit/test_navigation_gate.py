"""The gate: what it believes of a range, and that it never shuts one out for good."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from lander_flight.range_gate import FrigorisGate, FrigorisGateParameters, Innovation, Judgement, Verdict

PARAMETERS = FrigorisGateParameters(
    kind="frigoris",
    accept_sigma=3.0,
    reject_sigma=6.0,
    readmit_shots=10,
    readmit_scatter_sigma=5.0,
    readmit_scatter_fraction=0.1,
    readmit_rate_m_s=10.0,
    readmit_window_s=3.0,
    scatter_shots=20,
    scatter_factor=3.0,
    scatter_most_m=400.0,
    scatter_accept_sigma=2.0,
    scatter_correlated_shots=10.0,
    stuck_shots=8,
)
SIGMA_M, NOISE_M, PERIOD_S = 5.0, 2.0, 0.1


def judge(gate: FrigorisGate, value_m: float, shot: int) -> Judgement:
    return gate.judge(Innovation(shot * PERIOD_S, value_m, SIGMA_M, NOISE_M))


@pytest.mark.parametrize(
    ("value_m", "verdict"),
    [(0.0, Verdict.ACCEPTED), (-14.9, Verdict.ACCEPTED), (20.0, Verdict.DEWEIGHTED), (-31.0, Verdict.REJECTED)],
)
def test_a_verdict_follows_the_size_of_the_innovation(value_m: float, verdict: Verdict) -> None:
    assert judge(FrigorisGate(PARAMETERS), value_m, 0).verdict is verdict


@given(size=st.floats(3.0001, 6.0))
def test_a_deweighted_innovation_pulls_as_hard_as_one_at_the_limit(size: float) -> None:
    """Huber's function: the influence stays at its value at three sigmas."""
    judgement = judge(FrigorisGate(PARAMETERS), size * SIGMA_M, 0)
    assert size / judgement.deweight == pytest.approx(3.0)


def test_consistent_disagreement_is_readmitted_as_doubt_about_the_filter() -> None:
    gate = FrigorisGate(PARAMETERS)
    verdicts = [judge(gate, 3000.0 + 20.0 * np.sin(shot), shot) for shot in range(10)]
    assert [judgement.verdict for judgement in verdicts[:9]] == [Verdict.REJECTED] * 9
    assert verdicts[9].verdict is Verdict.DEWEIGHTED
    assert verdicts[9].doubt_m == pytest.approx(3000.0, abs=30.0)


def test_scattered_outliers_are_never_readmitted() -> None:
    gate, random = FrigorisGate(PARAMETERS), np.random.default_rng(1)
    values = -random.uniform(50.0, 8000.0, 2000)
    assert all(judge(gate, value, shot).verdict is Verdict.REJECTED for shot, value in enumerate(values))


def test_a_stuck_range_is_not_readmitted_while_the_lander_descends_fast() -> None:
    gate = FrigorisGate(PARAMETERS)
    values = [500.0 + 50.0 * shot * PERIOD_S for shot in range(200)]  # 50 m/s of descent that the device does not see
    assert all(judge(gate, value, shot).verdict is Verdict.REJECTED for shot, value in enumerate(values))


def test_shots_too_far_apart_are_not_taken_together() -> None:
    gate = FrigorisGate(PARAMETERS)
    assert all(judge(gate, 1000.0, 10 * shot).verdict is Verdict.REJECTED for shot in range(50))


@given(history=st.lists(st.floats(-1e4, 1e4), max_size=60), offset=st.floats(40.0, 5000.0))
def test_nothing_latches_whatever_came_before(history: list[float], offset: float) -> None:
    gate = FrigorisGate(PARAMETERS)
    for shot, value in enumerate(history):
        judge(gate, value, shot)
    later = len(history) + 100
    verdicts = [judge(gate, offset, later + shot).verdict for shot in range(10)]
    assert Verdict.DEWEIGHTED in verdicts
    assert judge(gate, 0.0, later + 10).verdict is Verdict.ACCEPTED


def test_a_device_noisier_than_it_says_is_used_by_what_it_scatters() -> None:
    gate, random = FrigorisGate(PARAMETERS), np.random.default_rng(2)
    judged = [judge(gate, float(value), shot) for shot, value in enumerate(random.normal(0.0, 20.0 * SIGMA_M, 300))]
    settled = judged[40:]
    used = [judgement for judgement in settled if judgement.verdict is Verdict.DEWEIGHTED]
    assert len(used) > 0.9 * len(settled)
    weight = np.median([judgement.deweight for judgement in used])
    assert weight == pytest.approx(20.0 * np.sqrt(PARAMETERS.scatter_correlated_shots), rel=0.2)


def test_a_device_that_says_the_same_again_and_again_is_not_readmitted_however_slow_the_descent() -> None:
    gate = FrigorisGate(PARAMETERS)
    drifting = [Innovation(shot * PERIOD_S, 500.0 + 0.1 * shot, SIGMA_M, NOISE_M, 742.5) for shot in range(300)]
    assert all(gate.judge(innovation).verdict is Verdict.REJECTED for innovation in drifting)


@settings(max_examples=30)
@given(seed=st.integers(0, 10_000), share=st.floats(0.1, 1.2))
def test_ranges_that_scatter_as_expected_are_never_taken_for_noise(seed: int, share: float) -> None:
    gate, random = FrigorisGate(PARAMETERS), np.random.default_rng(seed)
    for shot, value in enumerate(random.normal(0.0, share * SIGMA_M, 200)):
        assert judge(gate, float(value), shot).deweight <= 5.0 / 3.0
