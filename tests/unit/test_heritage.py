"""Heritage strategies do what their docstrings say of history, and nothing of them flies with our own logic."""

from __future__ import annotations

import numpy as np
import pytest

from lander_common.mission import resolve
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.heritage.inertial_drift import InertialDrift, InertialDriftParameters
from lander_flight.heritage.range_gates import CredulousGate, LatchingGate, LatchingGateParameters
from lander_flight.heritage.reset_response import ResetResponse, ResetResponseParameters
from lander_flight.lander_state import NOTHING, Demand
from lander_flight.navigation_parameters import NavigationParameters
from lander_flight.range_gate import FrigorisGateParameters, Innovation, Verdict
from lander_flight.throttle_parameters import ThrottleParameters
from lander_runtime.config import ConfigError
from lander_tools.campaign.fly_tasks import landings

TELEMETRY_S = 0.1  # between two readings of the chamber pressures


def shot(value_m: float) -> Innovation:
    return Innovation(0.0, value_m, 10.0, 1.0)


def latching(settle_shots: int = 0, in_a_row: int = 1) -> LatchingGate:
    return LatchingGate(
        LatchingGateParameters(kind="latching", settle_shots=settle_shots, limit_m=500.0, in_a_row=in_a_row)
    )


def test_the_latching_gate_never_takes_back_what_it_has_given_up() -> None:
    gate = latching()
    verdicts = [gate.judge(shot(value)).verdict for value in (499.0, -3000.0, 0.0, 1.0)]
    assert verdicts == [Verdict.ACCEPTED, Verdict.REJECTED, Verdict.REJECTED, Verdict.REJECTED]


def test_a_noise_pulse_alone_does_not_end_the_use_of_the_rangefinder() -> None:
    gate = latching(in_a_row=3)
    pulses = [gate.judge(shot(value)).verdict for value in (-9000.0, -9000.0, 0.0)]
    assert pulses == [Verdict.REJECTED, Verdict.REJECTED, Verdict.ACCEPTED]
    rim = [gate.judge(shot(value)).verdict for value in (600.0, 601.0, 602.0, 0.0)]
    assert rim == [Verdict.REJECTED] * 4


def test_the_first_ranges_set_the_altitude_of_the_latching_gate_however_far_off_they_are() -> None:
    gate = latching(settle_shots=2)
    first = [gate.judge(shot(-3000.0)) for _ in range(2)]
    assert [judgement.doubt_m for judgement in first] == [3000.0, 3000.0]
    assert gate.judge(shot(-3000.0)).verdict is Verdict.REJECTED


def test_the_credulous_gate_believes_a_kilometre() -> None:
    judgement = CredulousGate().judge(shot(-1000.0))
    assert judgement.verdict is Verdict.ACCEPTED
    assert judgement.doubt_m == 1000.0


class Position:
    """A filter as far as the drift knows it."""

    def __init__(self) -> None:
        self.nav = np.array([0.0, 3.0, 4.0]) * 1e5


def test_the_drift_moves_the_position_up_by_its_rate_and_stops_at_its_most() -> None:
    filter_, drift = Position(), InertialDrift(InertialDriftParameters(climb_m_s=2.0, most_m=10.0))
    heights = []
    for _ in range(20):
        drift.grow(filter_, 1.0)  # type: ignore[arg-type]
        heights.append(float(np.linalg.norm(filter_.nav)) - 5e5)
    assert heights[:5] == pytest.approx([2.0, 4.0, 6.0, 8.0, 10.0])
    assert heights[-1] == pytest.approx(10.0)
    drift.forget()
    drift.grow(filter_, 1.0)  # type: ignore[arg-type]
    assert float(np.linalg.norm(filter_.nav)) - 5e5 == pytest.approx(12.0)


def test_a_reset_shuts_the_engines_once_for_its_time() -> None:
    response, full = ResetResponse(ResetResponseParameters(engines_off_s=10.0)), Demand(thrust_n=100.0)
    assert response.limited(full, False, 99.0) is full
    assert response.limited(full, True, 100.0) is NOTHING
    assert response.limited(full, False, 109.9) is NOTHING
    assert response.limited(full, True, 110.0) is full


@pytest.mark.parametrize("name", list(landings()))
def test_our_logic_has_nothing_of_the_heritage_in_any_scenario(name: str) -> None:
    mission = resolve(name, 1, settings={"scenario.logic": "frigoris"})
    navigation = mission.part("navigation", NavigationParameters)
    assert isinstance(navigation.range_gate, FrigorisGateParameters)
    assert navigation.inertial_drift is None
    assert mission.part("guidance", GuidanceParameters).reset_response is None


@pytest.mark.parametrize("name", [name for name, scenario in landings().items() if scenario.heritage])
def test_every_heritage_logic_resolves_and_differs_from_ours(name: str) -> None:
    heritage = resolve(name, 1, settings={"scenario.logic": "heritage"})
    ours = resolve(name, 1)
    heritage.part("navigation", NavigationParameters)
    heritage.part("guidance", GuidanceParameters)
    assert heritage.scenario.logic == "heritage"
    assert heritage.documents != ours.documents
    assert heritage.scenario.faults == ours.scenario.faults


@pytest.mark.parametrize("name", [name for name, scenario in landings().items() if scenario.heritage])
def test_no_heritage_logic_has_our_responses_to_faults(name: str) -> None:
    mission = resolve(name, 1, settings={"scenario.logic": "heritage"})
    guidance = mission.part("guidance", GuidanceParameters)
    assert guidance.doubt is None
    assert guidance.abort is None
    assert guidance.other_site is None
    assert mission.part("navigation", NavigationParameters).acceleration is None
    samples = mission.part("throttle", ThrottleParameters).engines.samples
    if name == "slim_engine_loss":  # its software went on with the engine that was left
        assert samples >= 2.0 / TELEMETRY_S
    else:
        assert samples > 10_000  # no engine is ever found out
    assert not {"hazards", "trn"} & set(mission.scenario.members)


def test_a_scenario_without_heritage_does_not_fly_it() -> None:
    with pytest.raises(ConfigError, match="has no heritage logic"):
        resolve("nominal", 1, settings={"scenario.logic": "heritage"})
    with pytest.raises(ConfigError, match="'frigoris' or 'heritage'"):
        resolve("nominal", 1, settings={"scenario.logic": "heretic"})
