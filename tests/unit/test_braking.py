"""The braking arc: its prediction against scipy, its optimality against the bound, its solver against bad input."""

from __future__ import annotations

from dataclasses import replace
from functools import cache
from math import inf, nan, radians

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.typing import NDArray
from scipy.integrate import solve_ivp

from lander_common.mission import Mission, resolve
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import Vector
from lander_common.start import nominal_start
from lander_flight.braking import (
    Arc,
    BrakingSolver,
    Gate,
    ThrustModel,
    advanced,
    predict_coast,
    predict_end,
    primer_at,
)
from lander_flight.guidance_parameters import BrakingParameters, GuidanceParameters
from lander_flight.lander_state import ApproachFrame, LanderState, angle_between
from lander_flight.shooting import ANYWHERE, BY_IGNITION, BY_SHAPE, BY_THRUST
from lander_flight.targeting import Targeting
from lander_tools.optimum import coasted, descent_state, optimal_descent, propulsion_of

Array = NDArray[np.float64]
LANDER = ThrustModel(1620.0 / 776.0, 420.0 / 1620.0, 320.0 * STANDARD_GRAVITY_M_S2, 293.6 * STANDARD_GRAVITY_M_S2)
GATE = Gate((-260.0, 0.0, 2250.0), (34.0, 0.0, -63.0))
GROUND = Gate((0.0, 0.0, 0.0), (0.0, 0.0, 0.0))
LEVEL = 0.96


@cache
def mission() -> Mission:
    return resolve("nominal", 1)


@cache
def start() -> tuple[Vector, Vector]:
    state = nominal_start(mission())
    return _vector(state.r_mci), _vector(state.v_mci)


def solver(gate: Gate = GATE) -> BrakingSolver:
    frame = ApproachFrame(mission().site_frame, mission().site.approach_azimuth_deg)
    return BrakingSolver(gate, frame.R_mcmf_approach, frame.r_target_mcmf)


@cache
def ignition(gate: Gate = GATE, level: float = LEVEL) -> Arc:
    s, (r, v) = solver(gate), start()
    arc = s.solve(ANYWHERE, s.first_guess(0.0, r, v, LANDER, level, 0.0), 0.0, r, v, LANDER)
    return s.solve(BY_IGNITION, arc, 0.0, r, v, LANDER)


def _vector(values: Array) -> Vector:
    x, y, z = values.tolist()
    return (x, y, z)


def _burnt(arc: Arc, r: Vector, v: Vector, time_s: float, thrust: ThrustModel = LANDER) -> Array:
    """State and primer after a part of a burn, by scipy."""
    flow = thrust.main_share / thrust.main_exhaust_velocity_m_s
    flow += (arc.level - thrust.main_share) / thrust.assist_exhaust_velocity_m_s
    a0, share = arc.level * thrust.full_acceleration_m_s2, flow * thrust.full_acceleration_m_s2

    def rates(t: float, y: Array) -> Array:
        position, primer = y[0:3], y[6:9]
        radius = np.linalg.norm(position)
        g = GM_M3_S2 / radius**3
        gradient = g * (3.0 * np.outer(position, position) / radius**2 - np.eye(3))
        acceleration = a0 / (1.0 - share * t) * primer / np.linalg.norm(primer) - g * position
        return np.concatenate([y[3:6], acceleration, y[9:12], gradient @ primer])

    y0 = np.array([*r, *v, *arc.primer, *arc.primer_rate])
    return np.asarray(solve_ivp(rates, (0.0, time_s), y0, method="DOP853", rtol=1e-11, atol=1e-9).y[:, -1])


def test_the_predicted_end_agrees_with_scipy() -> None:
    arc = replace(ignition(), coast_s=0.0)
    r, v = predict_end(arc, *start(), LANDER)
    witness = _burnt(arc, *start(), arc.burn_s)
    assert r == pytest.approx(witness[0:3], abs=1.0)
    assert v == pytest.approx(witness[3:6], abs=0.01)


def test_the_predicted_coast_agrees_with_scipy() -> None:
    r, v = predict_coast(*start(), 2900.0)

    def rates(_: float, y: Array) -> Array:
        return np.concatenate([y[3:6], -GM_M3_S2 / np.linalg.norm(y[0:3]) ** 3 * y[0:3]])

    witness = solve_ivp(rates, (0.0, 2900.0), np.concatenate(start()), method="DOP853", rtol=1e-11, atol=1e-9).y[:, -1]
    assert r == pytest.approx(witness[0:3], abs=50.0)
    assert v == pytest.approx(witness[3:6], abs=0.05)


def test_a_planned_arc_ends_at_the_gate() -> None:
    arc = ignition()
    assert arc.converged
    r, v = predict_end(arc, *start(), LANDER)
    end_s = arc.coast_s + arc.burn_s
    r_site, v_site = mission().site_frame.to_site(np.array(r), np.array(v), end_s)
    frame = ApproachFrame(mission().site_frame, mission().site.approach_azimuth_deg)
    assert frame.from_site(_vector(r_site)) == pytest.approx(GATE.position_m, abs=1.0)
    assert frame.from_site(_vector(v_site)) == pytest.approx(GATE.velocity_m_s, abs=0.01)


def test_an_arc_of_full_thrust_to_the_ground_is_the_fuel_optimal_descent() -> None:
    """The bound is solved in the plane with other costates, and without the Moon's rotation (0.3 m/s along the track)."""
    arc = ignition(GROUND, 1.0)
    ground = mission().site_frame.radius_m
    bound = optimal_descent(coasted(descent_state(mission()), arc.coast_s), ground, propulsion_of(mission()))
    assert arc.burn_s == pytest.approx(bound.burn_s, rel=5e-4)


def test_the_chosen_ignition_is_the_cheapest() -> None:
    """Ignition a little earlier or later, the range then made by shape, costs more: to first order nothing."""
    s, (r, v), arc, shift_s = solver(), start(), ignition(), 0.25
    burns = []
    for sign in (-1.0, 0.0, 1.0):
        shifted = s.solve(BY_SHAPE, replace(arc, coast_s=arc.coast_s + sign * shift_s), 0.0, r, v, LANDER)
        assert shifted.converged
        burns.append(shifted.burn_s)
    assert burns[0] > burns[1] < burns[2]
    assert abs(burns[2] - burns[0]) / (2.0 * shift_s) < 2e-3  # seconds of burn per second of ignition


def test_the_level_makes_up_for_a_weak_engine() -> None:
    arc = replace(ignition(), coast_s=0.0, epoch_s=0.0)
    r, v = predict_coast(*start(), ignition().coast_s)
    weak = replace(LANDER, full_acceleration_m_s2=0.98 * LANDER.full_acceleration_m_s2)
    solved = solver().solve(BY_THRUST, arc, ignition().coast_s, r, v, weak)
    assert solved.converged
    assert solved.level == pytest.approx(LEVEL / 0.98, rel=2e-3)


def test_the_primer_between_plans_agrees_with_the_integrated_one() -> None:
    arc = replace(ignition(), coast_s=0.0)
    r, v = start()
    witness = _burnt(arc, r, v, 3.0)
    primer, rate = primer_at(arc, 3.0, _vector(witness[0:3]))
    assert angle_between(primer, _vector(witness[6:9])) < 1e-6
    assert rate == pytest.approx(witness[9:12], rel=1e-4)


def test_an_arc_seen_later_is_the_same_arc() -> None:
    arc, s = ignition(), solver()
    later_s = arc.coast_s + 20.0
    r, v = predict_coast(*start(), arc.coast_s)
    witness = _burnt(arc, r, v, 20.0)
    model = replace(LANDER, full_acceleration_m_s2=LANDER.full_acceleration_m_s2 / _mass_share(arc.level, 20.0))
    seen = replace(arc, coast_s=0.0, epoch_s=arc.coast_s)
    seen = advanced(seen, later_s, _vector(witness[0:3]))
    assert seen.burn_s == pytest.approx(arc.burn_s - 20.0)
    solved = s.solve(BY_THRUST, seen, later_s, _vector(witness[0:3]), _vector(witness[3:6]), model)
    assert solved.level == pytest.approx(arc.level, abs=1e-4)
    assert angle_between(solved.primer, seen.primer) < 1e-4


def _mass_share(level: float, time_s: float) -> float:
    flow = LANDER.main_share / LANDER.main_exhaust_velocity_m_s
    flow += (level - LANDER.main_share) / LANDER.assist_exhaust_velocity_m_s
    return 1.0 - flow * LANDER.full_acceleration_m_s2 * time_s


@settings(max_examples=30)
@given(
    factor=st.sampled_from((0.0, 0.3, 1e-6, 50.0, nan, inf, -1.0)),
    burn=st.sampled_from((0.0, 1e-9, 10.0, 1e5, nan)),
    mode=st.sampled_from((BY_IGNITION, BY_THRUST, BY_SHAPE, ANYWHERE)),
)
def test_the_solver_never_raises_and_never_calls_nonsense_converged(factor: float, burn: float, mode: int) -> None:
    (r, v), arc = start(), replace(ignition(), burn_s=burn)
    thrust = replace(LANDER, full_acceleration_m_s2=factor * LANDER.full_acceleration_m_s2)
    solved = solver().solve(mode, arc, 0.0, r, v, thrust)
    if solved.converged:
        assert np.all(np.isfinite([*solved.primer, *solved.primer_rate, solved.burn_s, solved.level, solved.coast_s]))


def _parameters() -> BrakingParameters:
    return mission().part("guidance", GuidanceParameters).braking


def _lander_state(time_s: float, r: Vector, v: Vector) -> LanderState:
    zero = (0.0, 0.0, 0.0)
    return LanderState(time_s, r, v, (0.0, 0.0, 0.0, 1.0), zero, zero, zero, 20_000.0, 300.0, 19_100.0, ())


def test_a_failed_plan_leaves_the_last_one_in_force() -> None:
    targeting = Targeting([solver()], _parameters())
    targeting.plan_ignition(_lander_state(0.0, *start()), LANDER, 0.0)
    good = targeting.arc
    assert good is not None
    targeting.ignite(_lander_state(good.coast_s, *predict_coast(*start(), good.coast_s)))
    before = targeting.arc
    targeting.replan(_lander_state(good.coast_s, *start()), replace(LANDER, full_acceleration_m_s2=0.01))
    assert targeting.arc is before
    assert targeting.failures == 1


def test_a_lander_that_is_too_weak_for_the_range_lands_short_of_nothing_but_elsewhere() -> None:
    """With 5 % less thrust than planned the level would pass its limit: the arc then ends anywhere, or by its shape."""
    targeting = Targeting([solver()], _parameters())
    targeting.plan_ignition(_lander_state(0.0, *start()), LANDER, 0.0)
    assert targeting.arc is not None
    coast_s = targeting.arc.coast_s
    r, v = predict_coast(*start(), coast_s)
    targeting.ignite(_lander_state(coast_s, r, v))
    targeting.replan(
        _lander_state(coast_s, r, v), replace(LANDER, full_acceleration_m_s2=0.95 * LANDER.full_acceleration_m_s2)
    )
    assert targeting.arc.converged
    assert targeting.arc.level == pytest.approx(_parameters().level_most)


def test_an_arc_that_would_dive_to_its_gate_is_refused() -> None:
    targeting = Targeting([solver()], replace_parameters(least_end_pitch_deg=80.0))
    targeting.plan_ignition(_lander_state(0.0, *start()), LANDER, 0.0)
    assert ignition().end_pitch_rad < radians(80.0)
    assert targeting.arc is None


def replace_parameters(**changes: float) -> BrakingParameters:
    return _parameters().model_copy(update=changes)
