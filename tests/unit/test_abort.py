"""Abort: the orbit that is reached, the prediction of it, and the softest landing where there is none."""

from __future__ import annotations

from math import pi, sqrt

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.mission import resolve
from lander_common.moon import GM_M3_S2
from lander_flight.abort import perilune_m
from lander_flight.guidance import Guidance
from lander_flight.phases import Phase
from lander_runtime.messages import HealthStatus, Message, zeros
from lander_tools import fly
from lander_tools.point_mass import Errors, PointMassFlight

MISSION = resolve("nominal", 1)
ABORT = zeros("lander_interfaces/msg/HealthStatus")
ABORT.advice = HealthStatus.ABORT


@given(st.floats(1.745e6, 1.9e6), st.floats(0.0, 0.3), st.floats(0.0, 2.0 * pi))
def test_the_perilune_is_that_of_the_ellipse(perilune: float, eccentricity: float, anomaly: float) -> None:
    """State on an ellipse by its true anomaly (Vallado 2013, algorithm 10)."""
    parameter = perilune * (1.0 + eccentricity)
    radius = parameter / (1.0 + eccentricity * np.cos(anomaly))
    rate = sqrt(GM_M3_S2 / parameter)
    r = (radius * np.cos(anomaly), radius * np.sin(anomaly), 0.0)
    v = (-rate * np.sin(anomaly), rate * (eccentricity + np.cos(anomaly)), 0.0)
    assert perilune_m(r, v) == pytest.approx(perilune, rel=1e-9)


def engines(main_n: float, assist_n: float) -> Message:
    """What the throttle says of the engines."""
    message = zeros("lander_interfaces/msg/ThrottleCommand")
    message.main_limit_n, message.assist_limit_n = main_n, assist_n
    return message


def aborted(at_s: float, errors: Errors | None = None, said: Message | None = None) -> PointMassFlight:
    """A flight that is advised to abort at a time, some minutes later."""
    flight, guidance = PointMassFlight(MISSION, Errors()), Guidance(MISSION)
    flight.fly(guidance, until_s=at_s)
    flight.errors = errors or Errors()
    flight.advice = {"health_status": ABORT, "throttle_command": said or engines(420.0, 1200.0)}
    flight.fly(guidance, until_s=at_s + 700.0)
    return flight


@pytest.mark.parametrize(
    ("at_s", "errors", "said"),
    [
        (10.0, None, None),
        (120.0, None, None),
        (300.0, None, None),
        (120.0, Errors(main_thrust=-1.0), engines(0.0, 1200.0)),
        (350.0, Errors(main_thrust=-1.0), engines(0.0, 1200.0)),
    ],
)
def test_in_the_coast_and_the_first_half_of_braking_a_safe_orbit_is_reached(
    at_s: float, errors: Errors | None, said: Message | None
) -> None:
    flight = aborted(at_s, errors, said)
    r, v = flight.y[:3], flight.y[3:6]
    assert flight.log.column("phase")[-1] == Phase.SAFE
    assert perilune_m(tuple(r), tuple(v)) - MISSION.site_frame.radius_m > 15_000.0
    assert flight.log.column("altitude_m").min() > 4000.0
    assert flight.mass_kg > 340.0 + 12.0 + 8.0


def test_a_lander_whose_only_altimeter_dies_goes_back_to_orbit() -> None:
    flight = fly("nominal", 1, settings={"scenario.faults": "[{at_s: 5, subject: rangefinder, kind: kill}]"})
    assert flight.result is not None
    assert flight.result.outcome == "aborted_safe"


def test_out_of_the_coast_from_the_parking_orbit_the_perilune_is_raised() -> None:
    """At once, for no more than is left between the descent orbit and the circle: 19.5 m/s, and what the angle costs."""
    mission = resolve("peregrine_leak", 1)
    flight, guidance = PointMassFlight(mission, Errors()), Guidance(mission)
    flight.fly(guidance, until_s=650.0)
    before_kg = flight.mass_kg
    flight.advice = {"health_status": ABORT, "throttle_command": engines(420.0, 1200.0)}
    flight.fly(guidance, until_s=800.0)
    r, v = flight.y[:3], flight.y[3:6]
    assert flight.log.column("phase")[-1] == Phase.SAFE
    assert perilune_m(tuple(r), tuple(v)) - mission.site_frame.radius_m > 59_000.0
    assert before_kg - flight.mass_kg < 776.0 * 30.0 / (300.0 * 9.81)  # 30 m/s


def test_too_late_for_an_orbit_the_landing_goes_on() -> None:
    flight, guidance = PointMassFlight(MISSION, Errors()), Guidance(MISSION)
    flight.fly(guidance, until_s=560.0)
    flight.advice = {"health_status": ABORT}
    landing = flight.fly(guidance)
    assert Phase.ABORT not in set(flight.log.column("phase"))
    assert landing.landed
    assert landing.vertical_m_s < 1.6


def test_with_a_leak_that_takes_the_propellant_an_abort_is_not_begun() -> None:
    leaking = zeros("lander_interfaces/msg/HealthStatus")
    leaking.advice, leaking.leak_kg_s = HealthStatus.ABORT, 1.5
    flight, guidance = PointMassFlight(MISSION, Errors()), Guidance(MISSION)
    flight.fly(guidance, until_s=300.0)
    flight.advice = {"health_status": leaking}
    flight.fly(guidance, until_s=310.0)
    assert flight.log.column("phase")[-1] == Phase.BRAKING


@pytest.mark.parametrize("at_s", [560.0, 620.0])
def test_a_main_engine_lost_too_late_for_an_orbit_is_landed_without(at_s: float) -> None:
    """Two gates of another thrust: 16 km further than planned, but softly."""
    flight, guidance = PointMassFlight(MISSION, Errors()), Guidance(MISSION)
    flight.fly(guidance, until_s=at_s)
    flight.errors = Errors(main_thrust=-1.0)
    flight.advice = {"health_status": ABORT, "throttle_command": engines(0.0, 1200.0)}
    landing = flight.fly(guidance)
    assert landing.landed
    assert landing.vertical_m_s < 2.0
    assert landing.horizontal_m_s < 0.5
