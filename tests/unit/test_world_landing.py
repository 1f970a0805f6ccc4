"""The rules of the judge."""

from __future__ import annotations

from dataclasses import replace
from math import degrees, radians, tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from world_samples import lander, mission, place

from lander_common.mission import resolve
from lander_common.quaternion import from_rotation_vector
from lander_runtime.config import ConfigError
from lander_world.landing import Motion, excess, footprint_slope_deg, is_still, motion, verdict
from lander_world.parameters import LandingLimits

LIMITS = mission().part("limits", LandingLimits)
GOOD = Motion(1.0, 0.2, 1.0, 0.5)
REST = Motion(0.0, 0.0, 1.0, 0.0)


def outcome(touchdown: Motion = GOOD, slope_deg: float = 0.0, rest: Motion = REST, still: bool = True) -> str:
    return verdict(touchdown, slope_deg, rest, slope_deg, still, LIMITS).outcome


def test_a_gentle_upright_landing_is_a_success() -> None:
    assert outcome() == "success"


@pytest.mark.parametrize(
    ("quantity", "success", "survivable"),
    [
        ("vertical_speed_m_s", 2.0, 3.0),
        ("horizontal_speed_m_s", 0.5, 1.0),
        ("tilt_deg", 5.0, 8.0),
        ("rate_deg_s", 2.0, 4.0),
    ],
)
def test_each_limit_divides_the_outcomes(quantity: str, success: float, survivable: float) -> None:
    assert outcome(replace(GOOD, **{quantity: success})) == "success"
    assert outcome(replace(GOOD, **{quantity: success + 0.01})) == "survivable"
    assert outcome(replace(GOOD, **{quantity: survivable})) == "survivable"
    assert outcome(replace(GOOD, **{quantity: survivable + 0.01})) == "lost"


def test_tilt_counts_beyond_the_slope() -> None:
    assert outcome(replace(GOOD, tilt_deg=9.0), slope_deg=5.0, rest=replace(REST, tilt_deg=5.0)) == "success"


@pytest.mark.parametrize(("tilt_deg", "expected"), [(4.9, "success"), (7.9, "survivable"), (8.1, "lost")])
def test_a_lander_must_stand_upright_at_rest(tilt_deg: float, expected: str) -> None:
    assert outcome(rest=replace(REST, tilt_deg=tilt_deg)) == expected


def test_a_lander_that_still_moves_is_lost() -> None:
    assert outcome(still=False) == "lost"
    assert is_still(REST, LIMITS)
    assert not is_still(replace(REST, horizontal_speed_m_s=0.03), LIMITS)
    assert not is_still(replace(REST, rate_deg_s=0.3), LIMITS)


def test_what_is_not_a_number_is_beyond_the_limits() -> None:
    assert len(excess(replace(GOOD, vertical_speed_m_s=float("nan")), 0.0, LIMITS.success)) == 1


def test_the_reason_names_quantity_value_and_limit() -> None:
    found = verdict(replace(GOOD, vertical_speed_m_s=2.5), 0.0, REST, 0.0, True, LIMITS)
    assert "vertical speed 2.50 m/s (limit 2)" in found.reason


@given(st.floats(0.0, 30.0), st.floats(-180.0, 180.0), st.floats(-100.0, 100.0))
def test_the_slope_of_a_plane_is_found(slope_deg: float, azimuth_deg: float, level: float) -> None:
    gradient = tan(radians(slope_deg))
    turns = np.radians(np.arange(0.0, 360.0, 45.0))
    places = [(0.0, 0.0), *((1.3 * np.cos(t), 1.3 * np.sin(t)) for t in turns)]
    a = radians(azimuth_deg)
    heights = [level + gradient * (np.cos(a) * e + np.sin(a) * n) for e, n in places]
    assert_allclose(footprint_slope_deg(heights, places), slope_deg, atol=1e-6)


@given(st.tuples(*[st.floats(-50.0, 50.0)] * 3), st.floats(-90.0, 90.0))
def test_motion_is_relative_to_the_ground_and_the_local_vertical(v: tuple[float, ...], tilt_deg: float) -> None:
    plant = place(lander(), (0.0, 0.0, 5.0), v, from_rotation_vector((radians(tilt_deg), 0.0, 0.0)))  # type: ignore[arg-type]
    found = motion(plant.state)
    assert_allclose(found.vertical_speed_m_s, -v[2], atol=1e-9)
    assert_allclose(found.horizontal_speed_m_s, np.hypot(v[0], v[1]), atol=1e-9)
    assert_allclose(found.tilt_deg, abs(tilt_deg), atol=1e-6)
    assert_allclose(found.rate_deg_s, degrees(2.6617073e-6), rtol=1e-9)  # the Moon turns under a lander that does not


def test_a_negative_limit_is_a_configuration_error() -> None:
    with pytest.raises(ConfigError, match=r"success\.tilt_deg"):
        resolve("nominal", 1, settings={"limits.success.tilt_deg": "-1.0"}).part("limits", LandingLimits)
