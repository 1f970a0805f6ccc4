"""What the measure of the filter's honesty makes of errors that are known."""

from __future__ import annotations

import numpy as np
import pytest

from lander_common.mission import resolve
from lander_flight import error_state as es
from lander_runtime.messages import header_message, time_message, zeros
from lander_runtime.subsystem import Tick
from lander_tools.trn_consistency import Watch, bounds, consistency_table, displacement_table, middle

SIGMA_M = 2.0


def watched(seed: int, samples: int = 200) -> Watch:
    """Errors of position and velocity drawn from what the filter states; displacements that err by half of that, always alike."""
    watch, random = Watch(resolve("nominal_trn", seed)), np.random.default_rng(seed)
    for k in range(samples):
        tick = Tick(k, k * 500_000_000, 500_000_000)
        truth, state = zeros("lander_interfaces/msg/Truth"), zeros("lander_interfaces/msg/NavigationState")
        image, filter_ = zeros("lander_interfaces/msg/CameraImage"), zeros("lander_interfaces/msg/NavigationFilter")
        truth.altitude_m, truth.q_site_body[3] = 400.0 - k, 1.0
        truth.r_lander_site = np.array([0.0, 0.0, 400.0 - k])
        state.header = filter_.header = header_message(tick.stamp_ns, "site")
        state.r_lander_mci, state.v_lander_mci = (
            SIGMA_M * random.standard_normal(3),
            SIGMA_M * random.standard_normal(3),
        )
        filter_.covariance = (SIGMA_M**2 * np.eye(es.SIZE)).ravel()
        image.valid = True
        for key, message in (
            ("truth", truth),
            ("image", image),
            ("navigation_state", state),
            ("navigation_filter", filter_),
        ):
            watch.observe(tick, key, message, b"")
        if k:
            fix = zeros("lander_interfaces/msg/TrnFix")
            fix.moved, fix.moved_since = True, time_message(tick.previous_ns)
            fix.time_of_validity = time_message(tick.stamp_ns)
            fix.displacement_site = SIGMA_M * np.array([0.5, -0.25, 0.1]) - [0.0, 0.0, 1.0]
            fix.displacement_covariance = (SIGMA_M**2 * np.eye(3)).ravel()
            watch.observe(tick, "trn_fix", fix, b"")
    return watch


def test_errors_as_stated_give_one_and_an_error_that_stays_is_seen_to() -> None:
    flights = [watched(seed) for seed in (1, 2, 3)]
    cells = consistency_table(flights).splitlines()[2].split(" | ")
    assert cells[1] == "600 of 3"
    assert float(cells[4]) == pytest.approx(1.0, abs=0.15)  # 4 sigma of the mean of 1800 squares
    assert float(cells[7]) == pytest.approx(1.0, abs=0.15)
    cells = displacement_table(flights).splitlines()[2].split(" | ")
    assert cells[3] == "0.50, 0.25, 0.10"
    assert cells[4] == "1.0, 1.0, 1.0 |"


def test_bounds_are_those_of_printed_tables() -> None:
    """Chi-square with 30 degrees of freedom: 16.791 and 46.979 (Abramowitz and Stegun 1964, table 26.8)."""
    np.testing.assert_allclose(bounds(10), (16.791 / 30.0, 46.979 / 30.0), rtol=1e-4)


def test_a_flight_counts_by_the_middle_of_a_band() -> None:
    sample = middle(watched(1).samples, (201.0, 401.0))
    assert sample is not None
    assert sample.altitude_m == pytest.approx((201.0 * 401.0) ** 0.5, abs=1.0)
