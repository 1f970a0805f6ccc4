"""Campaigns: which seeds are flown, and what is said of them."""

from __future__ import annotations

import click
import pytest

from lander_tools.campaign import parse_seeds, summary


def landing(outcome: str, miss_m: float, used_kg: float) -> dict[str, object]:
    return {"outcome": outcome, "touched_down": True, "miss_m": miss_m, "propellant_used_kg": used_kg}


def test_seeds_are_numbers_and_ranges() -> None:
    assert parse_seeds("1-3,7,9-9") == [1, 2, 3, 7, 9]


@pytest.mark.parametrize("wrong", ["", "a", "1-", "-3", "1..4"])
def test_other_seeds_are_refused(wrong: str) -> None:
    with pytest.raises(click.UsageError, match="expected numbers and ranges"):
        parse_seeds(wrong)


def test_the_summary_counts_outcomes_and_takes_medians() -> None:
    results = {1: landing("success", 3.0, 380.0), 2: landing("success", 4.0, 370.0), 3: landing("lost", 5.0, 390.0)}
    lines = summary(results, bound_kg=200.0)
    assert lines[0] == "3 flights: 2 success, 1 lost"
    assert "median 380.0 kg, 1.900" in lines[1]
    assert "median 4 m, rms 4 m, worst 5 m" in lines[2]


def test_flights_that_never_touched_down_have_no_propellant_figure() -> None:
    assert summary({1: {"outcome": "lost", "touched_down": False}}, bound_kg=1.0) == ["1 flights: 1 lost"]
