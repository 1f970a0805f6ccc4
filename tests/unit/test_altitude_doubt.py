"""Altitude in doubt: how carefully the lander comes down while it may be lower than it believes."""

from __future__ import annotations

from functools import cache

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.mission import resolve
from lander_flight.altitude_doubt import AltitudeDoubt
from lander_flight.guidance_parameters import DoubtParameters, GuidanceParameters
from lander_flight.lander_state import LanderState
from lander_tools.point_mass import Errors, PointMassFlight, PointMassLanding

MISSION = resolve("nominal", 1)
PARAMETERS = MISSION.part("guidance", GuidanceParameters).doubt
ZERO = (0.0, 0.0, 0.0)


def parameters() -> DoubtParameters:
    assert PARAMETERS is not None
    return PARAMETERS


def state(altitude_m: float, sigma_m: float) -> LanderState:
    low = altitude_m - 3.0 * sigma_m
    return LanderState(
        0.0, ZERO, ZERO, (0.0, 0.0, 0.0, 1.0), ZERO, (0.0, 0.0, altitude_m), ZERO, altitude_m, sigma_m, low, ()
    )


@cache
def landing(bias_m: float, known_below_m: float) -> PointMassLanding:
    """Navigation believes so much too much until the rangefinder speaks, and says that it knows it to 450 m."""
    errors = Errors(navigation_site_m=(0.0, 0.0, bias_m), altitude_known_below_m=known_below_m, altitude_sigma_m=450.0)
    return PointMassFlight(MISSION, errors).fly()


@pytest.mark.parametrize("bias_m", [-1200.0, -450.0, 450.0, 1200.0])
def test_a_first_range_at_893_m_is_early_enough_for_any_believable_error(bias_m: float) -> None:
    """Resilience, 2025: 893 m and 66 m/s were too late. Errors up to 2.7 sigma either way."""
    found = landing(bias_m, 893.0)
    assert found.landed
    assert found.vertical_m_s < 2.0
    assert found.propellant_kg < 424.0 - 8.0
    first = int(np.flatnonzero(found.log.column("altitude_m") < 893.0)[0])
    speed = -found.log.column("vertical_m_s")[first]
    assert speed**2 / (2.0 * 893.0) < 1200.0 / 410.0 - 1.62  # the assist thrusters stop it


def test_without_any_range_the_ground_is_met_at_the_speed_of_the_search() -> None:
    found = landing(300.0, -1.0)
    assert found.landed
    assert found.vertical_m_s < 20.0
    assert found.horizontal_m_s < 0.5


def test_a_known_altitude_changes_nothing() -> None:
    judged = AltitudeDoubt(parameters(), 290.0, 1.2).judge(state(900.0, 3.0), 400.0, 45.0, 1.62)
    assert judged == (0.0, 1.2)


def test_high_up_nothing_is_asked_of_the_rangefinder_yet() -> None:
    judged = AltitudeDoubt(parameters(), 290.0, 1.2).judge(state(12_000.0, 300.0), 500.0, 150.0, 1.62)
    assert judged.ground_m == 0.0


@given(altitude=st.floats(0.0, 3000.0), sigma=st.floats(20.0, 500.0), usable=st.floats(6.0, 60.0))
def test_the_search_reaches_the_lowest_ground_before_the_propellant_is_gone(
    altitude: float, sigma: float, usable: float
) -> None:
    """Hovering costs m g / c a second (rocket equation), which falls with the mass: this bounds it from above."""
    judged = AltitudeDoubt(parameters(), 293.6, 1.2).judge(state(altitude, sigma), 400.0, usable, 1.62)
    seconds = (altitude + 3.0 * sigma) / judged.speed_m_s
    spent = 400.0 * (1.0 - np.exp(-1.62 * seconds / (293.6 * 9.80665)))
    assert judged.speed_m_s >= 1.2
    assert spent <= usable - parameters().reserve_kg + 1e-6 or judged.speed_m_s == parameters().fastest_m_s
