"""The pitch-up and the terminal descent: polynomials and profiles against closed forms."""

from __future__ import annotations

from math import atan2, degrees, hypot, radians, sqrt, tan

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.mission import resolve
from lander_common.quaternion import Vector
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.lander_state import LanderState, Limits
from lander_flight.pitch_up import PitchUp, evaluate, quadratic, reference_gate, slope
from lander_flight.terminal import TerminalDescent, profile_speed, stopping_deceleration, tilt_limit

PARAMETERS = resolve("nominal", 1).part("guidance", GuidanceParameters)
LIMITS = Limits(1.02, 2.92)  # at 411 kg
GRAVITY = 1.628

coordinate = st.floats(-3000.0, 3000.0)
speed = st.floats(-200.0, 200.0)
vector = st.tuples(coordinate, coordinate, coordinate)
velocity = st.tuples(speed, speed, speed)


@given(
    r=vector,
    v=velocity,
    r_end=vector,
    v_end=velocity,
    a_end=st.tuples(*(st.floats(-4.0, 4.0),) * 3),
    T=st.floats(2, 90),
)
def test_the_quadratic_meets_position_velocity_and_acceleration_at_its_end(
    r: Vector, v: Vector, r_end: Vector, v_end: Vector, a_end: Vector, T: float
) -> None:
    c = quadratic(r, v, r_end, v_end, a_end, T)
    for i in range(3):
        c0, c1, c2 = c[0][i], c[1][i], c[2][i]
        assert c0 + c1 + c2 == pytest.approx(a_end[i], abs=1e-6)
        assert v[i] + T * (c0 + c1 / 2.0 + c2 / 3.0) == pytest.approx(v_end[i], abs=1e-6)
        assert r[i] + v[i] * T + T**2 * (c0 / 2.0 + c1 / 6.0 + c2 / 12.0) == pytest.approx(r_end[i], abs=1e-5)


def test_the_slope_is_the_derivative_of_the_acceleration() -> None:
    c = quadratic(
        (-250.0, 3.0, 2200.0), (34.0, -1.0, -63.0), (0.0, 0.0, 1000.0), (0.0, 0.0, -44.0), (0.0, 0.0, 1.6), 22.0
    )
    ahead, behind = evaluate(c, 0.4 + 1e-5), evaluate(c, 0.4 - 1e-5)
    difference = [(a - b) / (2e-5 * 22.0) for a, b in zip(ahead, behind, strict=True)]
    assert slope(c, 0.4, 22.0) == pytest.approx(difference, rel=1e-6)


def test_from_the_reference_gate_the_best_profile_is_the_reference() -> None:
    p = PARAMETERS.pitch_up
    gate = reference_gate(p, p.ends[0], GRAVITY)
    c = quadratic(
        gate.position_m,
        gate.velocity_m_s,
        (0.0, 0.0, p.ends[0].altitude_m),
        (0.0, 0.0, -p.ends[0].speed_m_s),
        (0.0, 0.0, p.end_acceleration_m_s2 - GRAVITY),
        p.duration_s,
    )
    assert c[2] == pytest.approx((0.0, 0.0, 0.0), abs=1e-9)  # linear, as the reference is
    assert hypot(c[0][0], c[0][2] + GRAVITY) == pytest.approx(p.start_acceleration_m_s2)
    assert degrees(atan2(c[0][2] + GRAVITY, -c[0][0])) == pytest.approx(p.start_pitch_deg)


def test_the_pitch_up_turns_no_faster_than_the_lander_can() -> None:
    p = PARAMETERS.pitch_up
    start, end = radians(p.start_pitch_deg), p.end_acceleration_m_s2
    u = np.linspace(0.0, 1.0, 200)
    x = p.start_acceleration_m_s2 * np.cos(start) * (1.0 - u)
    z = p.start_acceleration_m_s2 * np.sin(start) * (1.0 - u) + end * u
    rates = np.degrees(np.diff(np.arctan2(z, x))) / (p.duration_s / 199)
    assert np.max(rates) < 3.5


def _flown(position: Vector, flight: Vector) -> tuple[Vector, Vector, float]:
    """Fly the pitch-up as a point with perfect thrust; position and velocity at its end, and the velocity change."""
    pitch_up = PitchUp(PARAMETERS.pitch_up, GRAVITY)
    r, v, time_s, spent, h = np.array(position), np.array(flight), 0.0, 0.0, 0.1
    state = _state(r, v, time_s)
    while not pitch_up.is_over(state, h):
        acceleration, _ = pitch_up.acceleration(state, LIMITS.main_m_s2, 0.985 * LIMITS.all_m_s2)
        a = np.array(acceleration)
        spent += float(np.linalg.norm(a + [0.0, 0.0, GRAVITY])) * h
        r, v, time_s = r + v * h + 0.5 * a * h * h, v + a * h, time_s + h
        state = _state(r, v, time_s)
    return state.position, state.velocity, spent


def _state(r: np.ndarray, v: np.ndarray, time_s: float, altitude_m: float | None = None) -> LanderState:
    zero: Vector = (0.0, 0.0, 0.0)
    x, y, z = r.tolist()
    vx, vy, vz = v.tolist()
    altitude = z if altitude_m is None else altitude_m
    return LanderState(
        time_s, zero, zero, (0.0, 0.0, 0.0, 1.0), zero, (x, y, z), (vx, vy, vz), altitude, 0.5, altitude, ()
    )


@pytest.mark.parametrize("offset", [(0.0, 0.0, 0.0), (60.0, -20.0, 150.0), (-40.0, 30.0, -80.0)])
def test_the_pitch_up_ends_upright_above_the_target_from_near_the_gate(offset: Vector) -> None:
    gate = reference_gate(PARAMETERS.pitch_up, PARAMETERS.pitch_up.ends[0], GRAVITY)
    x, y, z = (a + b for a, b in zip(gate.position_m, offset, strict=True))
    position, final, _ = _flown((x, y, z), gate.velocity_m_s)
    assert hypot(position[0], position[1]) < 60.0
    assert hypot(final[0], final[1]) < 1.0
    assert -final[2] == pytest.approx(PARAMETERS.pitch_up.ends[0].speed_m_s, abs=2.0)


def test_where_the_ground_is_much_nearer_a_lower_end_is_taken() -> None:
    gate = reference_gate(PARAMETERS.pitch_up, PARAMETERS.pitch_up.ends[0], GRAVITY)
    x, y, z = gate.position_m
    position, final, _ = _flown((x, y, z - 700.0), gate.velocity_m_s)
    assert position[2] < 700.0
    assert hypot(final[0], final[1]) < 2.0


@given(height=st.floats(1.0, 3000.0), deceleration=st.floats(0.1, 3.0), end=st.floats(0.5, 2.0))
def test_the_profile_is_the_speed_that_a_constant_deceleration_stops(
    height: float, deceleration: float, end: float
) -> None:
    fast = profile_speed(height, deceleration, end)
    assert stopping_deceleration(height, fast, end) == pytest.approx(deceleration, rel=1e-6)
    duration = (fast - end) / deceleration
    assert fast * duration - 0.5 * deceleration * duration**2 == pytest.approx(height, rel=1e-6)


def test_stopping_needs_nothing_when_slow_and_everything_when_no_height_is_left() -> None:
    assert stopping_deceleration(100.0, 1.0, 1.2) == 0.0
    assert stopping_deceleration(0.0, 5.0, 1.2) == float("inf")


def test_the_late_rangefinder_of_2025_asked_for_more_than_the_engines_have() -> None:
    """893 m and 66 m/s: 2.44 m/s2 net (ispace, June 2025), with 1620 N at 400 kg there are 2.43."""
    assert stopping_deceleration(893.0, 66.0, 0.0) == pytest.approx(2.44, abs=0.005)


def test_tilt_is_limited_by_altitude() -> None:
    table = ((0.0, 2.0), (30.0, 3.0), (100.0, 10.0))
    assert [degrees(tilt_limit(h, table)) for h in (-5.0, 0.0, 15.0, 30.0, 65.0, 100.0, 5000.0)] == pytest.approx(
        [2.0, 2.0, 2.5, 3.0, 6.5, 10.0, 10.0]
    )


heights, falls, drifts = st.floats(0.0, 2000.0), st.floats(-5.0, 90.0), st.floats(-30.0, 30.0)


@given(height=heights, fall=falls, vx=drifts, vy=drifts, x=coordinate, y=coordinate)
def test_thrust_stays_within_what_the_engines_give_and_within_the_tilt(
    height: float, fall: float, vx: float, vy: float, x: float, y: float
) -> None:
    descent = TerminalDescent(PARAMETERS.terminal)
    a = descent.thrust((x, y, height), (vx, vy, -fall), height, GRAVITY, LIMITS, 1.2)
    most = LIMITS.all_m_s2 if descent.main_engine else LIMITS.assist_m_s2
    assert sqrt(a[0] ** 2 + a[1] ** 2 + a[2] ** 2) <= most * (1.0 + 1e-9)
    assert hypot(a[0], a[1]) <= a[2] * tan(tilt_limit(height, PARAMETERS.terminal.tilt_deg)) * (1.0 + 1e-9)


def test_the_main_engine_goes_off_on_the_profile_and_comes_back_when_stopping_needs_it() -> None:
    descent = TerminalDescent(PARAMETERS.terminal)
    descent.thrust((0.0, 0.0, 1000.0), (0.0, 0.0, -44.0), 996.0, GRAVITY, LIMITS, 1.2)
    assert not descent.main_engine
    a = descent.thrust((0.0, 0.0, 600.0), (0.0, 0.0, -44.0), 596.0, GRAVITY, LIMITS, 1.2)
    assert descent.main_engine
    assert a[2] >= GRAVITY + stopping_deceleration(596.0, 44.0, PARAMETERS.terminal.touchdown_speed_m_s) - 1e-9


def _lowered(height: float, fall: float, drift: float, from_m: float = 4.0) -> tuple[float, float, float]:
    """Descend as a point with perfect thrust: vertical and horizontal speed and time at the slow descent."""
    descent = TerminalDescent(PARAMETERS.terminal)
    r, v, time_s, h = np.array([0.0, 0.0, height]), np.array([drift, 0.0, -fall]), 0.0, 0.1
    while r[2] > from_m:
        a = np.array(descent.thrust(tuple(r.tolist()), tuple(v.tolist()), r[2] - from_m, GRAVITY, LIMITS, 1.2))
        a[2] -= GRAVITY
        r, v, time_s = r + v * h + 0.5 * a * h * h, v + a * h, time_s + h
        assert time_s < 400.0
    return -float(v[2]), hypot(v[0], v[1]), time_s


@pytest.mark.parametrize("fall", [10.0, 33.0, 44.0, 55.0])
@pytest.mark.parametrize("drift", [0.0, 5.0])
def test_the_descent_arrives_slowly_and_straight(fall: float, drift: float) -> None:
    down, sideways, _ = _lowered(1000.0, fall, drift)
    assert down == pytest.approx(PARAMETERS.terminal.touchdown_speed_m_s, abs=0.1)
    assert sideways < 0.1


def test_the_nominal_descent_takes_the_time_of_its_constant_deceleration() -> None:
    _, _, time_s = _lowered(1000.0, 43.95, 0.0)
    p = PARAMETERS.terminal
    assert time_s == pytest.approx((43.95 - p.touchdown_speed_m_s) / p.deceleration_m_s2, rel=0.05)


def test_the_descent_waits_for_a_horizontal_velocity_that_low_tilts_null_only_slowly() -> None:
    down, sideways, time_s = _lowered(60.0, 10.0, 6.0)
    assert sideways < 0.35
    assert down < 2.0
    assert time_s > 20.0
