"""The payload manager: load rule, power, refusals, checkout and deployment."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from pydantic import ValidationError

from lander_common.mission import Mission, resolve
from lander_flight.payload_bay import Conditions, PayloadBay
from lander_flight.payload_manager import PayloadManager
from lander_flight.payload_parameters import PayloadManagerParameters
from lander_runtime.messages import GuidanceCommand, zeros
from lander_runtime.subsystem import Inputs, Tick

SECOND_NS = 1_000_000_000
HOUR_S = 3600.0
PAYLOADS = {
    "tenacious",
    "electrolyser",
    "food_module",
    "radiation_probe",
    "charter_plate",
    "memory_disc",
    "moonhouse",
}


@pytest.fixture(scope="module")
def mission() -> Mission:
    return resolve("nominal", 1)


@pytest.fixture(scope="module")
def parameters(mission: Mission) -> PayloadManagerParameters:
    return mission.part("payload_manager", PayloadManagerParameters)


def messages(time_to_touchdown_s: float, landed: bool, available_w: float = 180.0) -> dict[str, Any]:
    names = {
        "navigation_state": "NavigationState",
        "guidance_command": "GuidanceCommand",
        "vehicle_telemetry": "VehicleTelemetry",
    }
    inputs = {key: zeros(f"lander_interfaces/msg/{name}") for key, name in names.items()}
    inputs["guidance_command"].time_to_touchdown_s = time_to_touchdown_s
    inputs["guidance_command"].phase = GuidanceCommand.TOUCHDOWN if landed else GuidanceCommand.BRAKING
    inputs["vehicle_telemetry"].contact = np.full(4, landed)
    inputs["vehicle_telemetry"].available_power_w = available_w
    inputs["navigation_state"].specific_force_body[2] = 1.63 if landed else 3.0
    return inputs


class Bench:
    """A payload manager stepped second by second."""

    def __init__(self, mission: Mission, compression: str = "900.0") -> None:
        document = mission.documents["payload_manager"].data
        saved, document["time_compression"] = document["time_compression"], float(compression)
        self.manager = PayloadManager(mission)
        document["time_compression"] = saved
        self.second = 0

    def step(self, landed: bool = False, to_touchdown_s: float = 600.0, available_w: float = 180.0) -> Any:
        tick = Tick(self.second, self.second * SECOND_NS, SECOND_NS if self.second else 0)
        self.second += 1
        inputs = messages(to_touchdown_s, landed, available_w)
        return self.manager.step(tick, Inputs(inputs, set(inputs)))["payload_status"]

    def land(self, hours: float) -> Any:
        """Stand on the ground until so many hours of payload time have passed since touchdown."""
        while True:
            status = self.step(landed=True)
            since_s = self.manager.conditions.since_touchdown_s
            if since_s is not None and since_s >= hours * HOUR_S:
                return status


def states(status: Any) -> dict[str, str]:
    return dict(zip(status.payloads, status.states, strict=True))


def test_the_seven_payloads_weigh_about_15_5_kg_and_fit_the_capacity(parameters: PayloadManagerParameters) -> None:
    assert {payload.name for payload in parameters.payloads} == PAYLOADS
    mass = sum(payload.mass_kg for payload in parameters.payloads)
    assert mass == pytest.approx(15.5, abs=0.5)
    assert mass <= parameters.capacity_kg


def test_peak_power_is_near_the_noted_70_w_if_serialised(parameters: PayloadManagerParameters) -> None:
    highest = {p.name: max(state.power_w for state in p.states) for p in parameters.payloads}
    # deploying and running do not go together, nor does the release
    serialised = sum(highest.values()) - highest["tenacious"] - highest["moonhouse"]
    assert serialised < 70.0 < sum(highest.values())


def test_in_the_descent_only_the_probe_and_the_keep_warm_draw_power(mission: Mission) -> None:
    status = Bench(mission).step()
    on = {name for name, watts in zip(status.payloads, status.power_w, strict=True) if watts > 0.0}
    assert on == {"radiation_probe", "food_module"}
    assert status.total_power_w == pytest.approx(4.5)
    assert status.power_budget_w == mission.vehicle.power.descent_payload_power_w
    assert status.activity == "quiet for the landing"


def test_quiet_begins_90_minutes_before_touchdown_and_switches_off_what_was_on(mission: Mission) -> None:
    bench = Bench(mission)
    bench.step(to_touchdown_s=6000.0)
    assert bench.manager.request_switch("electrolyser", "heater") == (True, "")
    assert states(bench.step(to_touchdown_s=5401.0))["electrolyser"] == "heater"
    status = bench.step(to_touchdown_s=5399.0)
    assert states(status)["electrolyser"] == "off"
    assert "electrolyser had to be switched to off" in status.activity
    accepted, reason = bench.manager.request_switch("electrolyser", "heater")
    assert (accepted, reason) == (False, "electrolyser may not be in heater around the landing")


def test_quiet_ends_one_hour_after_touchdown(mission: Mission) -> None:
    bench = Bench(mission, "60.0")
    bench.step()
    bench.land(0.9)
    assert not bench.manager.request_switch("electrolyser", "heater")[0]
    bench.land(1.05)
    assert bench.manager.request_switch("electrolyser", "heater")[0]


def test_without_guidance_the_landing_may_be_near(mission: Mission) -> None:
    manager = PayloadManager(mission)
    nothing = Inputs(dict.fromkeys(("navigation_state", "guidance_command", "vehicle_telemetry")), set())
    status = manager.step(Tick(0, 0, 0), nothing)["payload_status"]
    assert status.activity == "quiet for the landing"


REFUSALS = [
    ("tenacius", "heater", "there is no payload 'tenacius' (did you mean 'tenacious'?)"),
    ("tenacious", "heatr", "tenacious has no state 'heatr' (did you mean 'heater'?)"),
    ("tenacious", "deploying", "tenacious gets into deploying only as a part of an activity"),
    ("tenacious", "checkout", "tenacious gets into checkout only from heater; it is in off"),
    ("food_module", "culture", "food_module may be in culture from 12.0 h after touchdown; it has not landed"),
    ("electrolyser", "run", "electrolyser gets into run only from idle; it is in off"),
    ("moonhouse", "releasing", "moonhouse may be in releasing from 72.0 h after touchdown; it has not landed"),
]


@pytest.mark.parametrize(("payload", "state", "reason"), REFUSALS)
def test_a_refusal_says_why(mission: Mission, payload: str, state: str, reason: str) -> None:
    bench = Bench(mission)
    bench.step(to_touchdown_s=20_000.0)
    accepted, given_reason = bench.manager.request_switch(payload, state)
    assert not accepted
    assert given_reason.startswith(reason)


def test_too_early_after_touchdown_is_refused_with_both_times(mission: Mission) -> None:
    bench = Bench(mission)
    bench.land(2.0)
    assert bench.manager.request_switch("food_module", "culture")[1].endswith("it is 2.0 h")


def test_a_switch_takes_effect_at_the_next_step(mission: Mission) -> None:
    bench = Bench(mission)
    bench.step()
    assert bench.manager.request_switch("radiation_probe", "off") == (True, "")
    assert bench.manager.bay.state("radiation_probe") == "measuring"
    assert states(bench.step())["radiation_probe"] == "off"


def test_requests_within_one_step_build_upon_each_other(mission: Mission) -> None:
    bench = Bench(mission)
    bench.step(to_touchdown_s=20_000.0)
    assert bench.manager.request_switch("electrolyser", "heater")[0]
    assert bench.manager.request_switch("electrolyser", "idle")[0]
    assert states(bench.step(to_touchdown_s=20_000.0))["electrolyser"] == "idle"


def test_an_accepted_request_that_the_next_step_forbids_is_not_done_and_says_so(mission: Mission) -> None:
    bench = Bench(mission)
    bench.step(to_touchdown_s=5401.0)
    assert bench.manager.request_switch("electrolyser", "heater")[0]
    status = bench.step(to_touchdown_s=5399.0)
    assert states(status)["electrolyser"] == "off"
    assert "not done after all: electrolyser may not be in heater around the landing" in status.activity


def test_the_budget_refuses_what_is_too_much(parameters: PayloadManagerParameters) -> None:
    bay = PayloadBay(parameters.payloads)
    reason = bay.why_not("electrolyser", "heater", Conditions(quiet=False, since_touchdown_s=None, budget_w=19.0))
    assert reason == "electrolyser in heater would bring the payloads to 19.5 W of 19.0 W"
    assert not bay.why_not("electrolyser", "heater", Conditions(False, None, 19.5))


def test_when_power_falls_the_least_important_payload_is_switched_off_first(mission: Mission) -> None:
    bench = Bench(mission)
    bench.step(to_touchdown_s=20_000.0)
    bench.manager.request_switch("electrolyser", "heater")
    assert states(bench.step(to_touchdown_s=20_000.0))["electrolyser"] == "heater"
    short = states(bench.step(to_touchdown_s=20_000.0, available_w=10.0))
    assert (short["electrolyser"], short["radiation_probe"]) == ("off", "measuring")
    shorter = states(bench.step(to_touchdown_s=20_000.0, available_w=4.0))
    assert (shorter["radiation_probe"], shorter["food_module"]) == ("off", "keep_warm")


@pytest.mark.parametrize("missing", ["contact", "phase", "rate", "force"])
def test_touchdown_takes_contact_phase_and_stillness_together(mission: Mission, missing: str) -> None:
    manager = PayloadManager(mission)
    for second in range(8):
        inputs = messages(0.0, landed=True)
        if missing == "contact":
            inputs["vehicle_telemetry"].contact = np.array([True, True, False, False])
        if missing == "phase":
            inputs["guidance_command"].phase = GuidanceCommand.TERMINAL
        if missing == "rate":
            inputs["navigation_state"].w_mci_body[0] = 0.05
        if missing == "force":
            inputs["navigation_state"].specific_force_body[2] = 0.0
        manager.step(Tick(second, second * SECOND_NS, SECOND_NS), Inputs(inputs, set(inputs)))
    assert manager.conditions.since_touchdown_s is None


def test_time_after_touchdown_counts_from_when_it_came_to_stand(mission: Mission) -> None:
    bench = Bench(mission, "1.0")
    for _ in range(5):
        bench.step()
    for _ in range(10):  # stands from second 5 on; certain two seconds later
        bench.step(landed=True)
    assert bench.manager.conditions.since_touchdown_s == pytest.approx(9.0)


def test_compressed_time_runs_as_many_times_as_fast_from_touchdown_on(mission: Mission) -> None:
    bench = Bench(mission, "900.0")
    bench.step(landed=True)
    since = []
    for _ in range(12):
        bench.step(landed=True)
        since.append(bench.manager.conditions.since_touchdown_s)
    certain = [value for value in since if value is not None]
    np.testing.assert_allclose(np.diff(certain), 900.0)


def test_the_checkout_of_the_first_half_day_is_gone_through_in_order(mission: Mission) -> None:
    bench = Bench(mission)
    seen: list[tuple[str, dict[str, str], float]] = []
    while not seen or seen[-1][0] != "checkout: algae culture started":
        status = bench.step(landed=True)
        seen.append((status.activity, states(status), float(status.activity_progress)))
        assert status.total_power_w <= status.power_budget_w
        assert 0.0 <= status.activity_progress <= 1.0
    abouts = [step.about for step in mission.part("payload_manager", PayloadManagerParameters).checkout]
    texts = ["quiet for the landing", "quiet after touchdown", *(f"checkout: {about}" for about in abouts)]
    assert list(dict.fromkeys(activity for activity, _, _ in seen)) == list(dict.fromkeys(texts))
    assert seen[-1][1] == {
        "tenacious": "heater",
        "electrolyser": "heater",
        "food_module": "culture",
        "radiation_probe": "measuring",
        "charter_plate": "carried",
        "memory_disc": "carried",
        "moonhouse": "carried",
    }
    assert len(seen) < 60  # within the minute that a run goes on after touchdown


def test_a_checkout_step_without_power_is_tried_again(mission: Mission) -> None:
    bench = Bench(mission)
    bench.land(1.6)
    for _ in range(3):
        status = bench.step(landed=True, available_w=12.0)
    assert "refused: electrolyser in heater would bring" in status.activity
    assert states(bench.step(landed=True))["electrolyser"] == "heater"


def deploying(mission: Mission) -> Bench:
    """A bench with Tenacious on its way down: at 60 times real time, 25 h after touchdown."""
    bench = Bench(mission, "60.0")
    bench.step(landed=True)
    bench.land(25.0)
    assert bench.manager.deploy_start("tenacious") == (True, "")
    return bench


def test_deployment_takes_20_minutes_with_rising_progress_and_ends_on_the_ground(mission: Mission) -> None:
    bench, feedback = deploying(mission), []
    for _ in range(25):
        status = bench.step(landed=True)
        feedback.append(bench.manager.deploy_feedback())
    progress = [item.progress for item in feedback]
    assert progress == sorted(progress)
    assert progress.index(1.0) + 1 == 20  # minutes, one a step
    assert list(dict.fromkeys(item.step for item in feedback)) == ["release latches", "lower by winch", "cut the line"]
    assert (feedback[-1].deployed, feedback[-1].active) == (True, False)
    assert states(status)["tenacious"] == "deployed"


def test_cancelling_holds_the_rover_where_it_is_and_it_can_go_on(mission: Mission) -> None:
    bench = deploying(mission)
    for _ in range(5):
        bench.step(landed=True)
    assert bench.manager.deploy_cancel() == (True, "")
    held = states(bench.step(landed=True))
    at = bench.manager.deploy_feedback()
    assert (held["tenacious"], at.active, at.reason) == ("held", False, "cancelled")
    bench.step(landed=True)
    assert bench.manager.deploy_feedback().progress == at.progress == pytest.approx(5.0 / 20.0)
    assert bench.manager.deploy_start("tenacious") == (True, "")
    for _ in range(15):
        bench.step(landed=True)
    assert bench.manager.deploy_feedback().deployed


def test_deployment_is_refused_with_reason(mission: Mission) -> None:
    bench = Bench(mission, "900.0")
    bench.step()
    reason = "tenacious gets into deploying only from heater or checkout or held; it is in off"
    assert bench.manager.deploy_start("tenacious") == (False, reason)
    assert bench.manager.deploy_start("yutu") == (False, "'yutu' is no rover; there is tenacious")
    assert bench.manager.deploy_cancel() == (False, "tenacious is not being deployed")
    bench.land(10.0)
    assert bench.manager.deploy_start("tenacious")[1] == (
        "tenacious may be in deploying from 24.0 h after touchdown; it is 10.0 h"
    )


def test_deployed_once_is_deployed(mission: Mission) -> None:
    bench = deploying(mission)
    for _ in range(21):
        bench.step(landed=True)
    assert bench.manager.deploy_start("tenacious") == (False, "tenacious is deployed already")
    assert not bench.manager.request_switch("tenacious", "off")[0]


def test_the_electrolyser_does_not_run_while_the_winch_does(mission: Mission) -> None:
    bench = deploying(mission)
    bench.step(landed=True)
    conditions = Conditions(quiet=False, since_touchdown_s=60.0 * HOUR_S, budget_w=180.0)
    bench.manager.bay.put("electrolyser", "idle", 0.0)
    reason = bench.manager.bay.why_not("electrolyser", "run", conditions)
    assert reason == "electrolyser may not be in run while tenacious/deploying"


def test_a_run_of_the_electrolyser_ends_by_itself_after_four_hours(parameters: PayloadManagerParameters) -> None:
    bay = PayloadBay(parameters.payloads)
    bay.put("electrolyser", "run", 1000.0)
    bay.run_on(1000.0 + 3.9 * HOUR_S)
    assert bay.state("electrolyser") == "run"
    bay.run_on(1000.0 + 4.0 * HOUR_S)
    assert bay.state("electrolyser") == "idle"


def test_the_moonhouse_is_placed_only_from_a_deployed_rover(parameters: PayloadManagerParameters) -> None:
    bay = PayloadBay(parameters.payloads)
    conditions = Conditions(quiet=False, since_touchdown_s=73.0 * HOUR_S, budget_w=180.0)
    assert bay.why_not("moonhouse", "releasing", conditions) == "moonhouse in releasing needs tenacious/deployed"
    bay.put("tenacious", "deployed", 0.0)
    assert not bay.why_not("moonhouse", "releasing", conditions)


_KEYS = [("tenacious", s) for s in ("off", "heater", "checkout", "deploying", "held", "deployed")]
_KEYS += [("electrolyser", s) for s in ("off", "heater", "idle", "run")]
_KEYS += [("food_module", s) for s in ("keep_warm", "culture")]
_KEYS += [("radiation_probe", s) for s in ("off", "measuring")]
_KEYS += [("moonhouse", s) for s in ("carried", "releasing", "placed")]


@settings(max_examples=60)
@given(data=st.data())
def test_whatever_is_asked_for_power_stays_in_budget_and_the_descent_stays_quiet(mission: Mission, data: Any) -> None:
    bench = Bench(mission)
    for landed in [False] * 4 + [True] * 14:
        for key in data.draw(st.lists(st.sampled_from(_KEYS), max_size=3)):
            bench.manager.request_switch(*key)
        if data.draw(st.booleans()):
            bench.manager.deploy_start("tenacious")
        if data.draw(st.integers(0, 5)) == 0:
            bench.manager.deploy_cancel()
        status = bench.step(landed=landed, available_w=data.draw(st.sampled_from([6.0, 30.0, 180.0])))
        assert status.total_power_w <= status.power_budget_w + 1e-9
        if not landed:
            assert status.total_power_w <= 4.5


def test_the_same_requests_at_the_same_ticks_give_the_same_record(mission: Mission) -> None:
    def record() -> list[tuple[Any, ...]]:
        bench, lines = Bench(mission), []
        for second in range(30):
            if second == 3:
                bench.manager.request_switch("radiation_probe", "off")
            status = bench.step(landed=second > 5)
            lines.append((status.activity, tuple(status.states), status.total_power_w, status.activity_progress))
        return lines

    assert record() == record()


def test_a_table_that_names_unknown_states_is_refused(parameters: PayloadManagerParameters) -> None:
    table = parameters.model_dump()
    table["checkout"][0]["state"] = "singing"
    with pytest.raises(ValidationError, match="radiation_probe/singing is no state of any payload"):
        PayloadManagerParameters.model_validate(table)


def test_payloads_beyond_the_capacity_are_refused(parameters: PayloadManagerParameters) -> None:
    with pytest.raises(ValidationError, match=r"payloads of 15\.2 kg exceed the capacity of 10\.0 kg"):
        PayloadManagerParameters.model_validate({**parameters.model_dump(), "capacity_kg": 10.0})
