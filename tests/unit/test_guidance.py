"""Guidance as a whole: it lands a point mass, also a dispersed one, a late-informed one, and from any moment."""

from __future__ import annotations

from copy import deepcopy
from dataclasses import replace
from functools import cache
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from lander_common.mission import Mission, resolve
from lander_flight import phases
from lander_flight.guidance import Guidance
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.phases import Phase
from lander_runtime.architecture import architecture
from lander_runtime.messages import GuidanceCommand, Message
from lander_runtime.subsystem import Inputs, Tick
from lander_tools.optimum import propellant_bound
from lander_tools.point_mass import Errors, PointMassFlight, PointMassLanding, dispersed

READ = [port.topic.key for port in architecture().nodes["guidance"].inputs]
NOISE = Errors(altitude_noise_m=0.3)
DOCUMENT = Path(__file__).resolve().parents[2] / "docs" / "guidance.md"


def mission(seed: int = 1, start: str = "powered_descent") -> Mission:
    return resolve("nominal", seed, {"start": start})


@cache
def nominal() -> PointMassLanding:
    return PointMassFlight(mission(), Errors()).fly()


def _is_soft(landing: PointMassLanding) -> bool:
    gentle = landing.vertical_m_s < 1.6 and landing.horizontal_m_s < 0.2
    return landing.landed and gentle and landing.tilt_deg < 2.0


def test_the_nominal_landing_is_soft_and_on_target() -> None:
    assert _is_soft(nominal())
    assert nominal().miss_m < 10.0


def test_the_nominal_landing_needs_little_more_than_the_bound() -> None:
    assert nominal().propellant_kg < 1.045 * propellant_bound(mission()).propellant_kg


def test_every_phase_is_flown_once_and_in_order() -> None:
    flown = nominal().log.column("phase")
    assert np.all(np.diff(flown) >= 0.0)
    assert set(flown) == {Phase.COAST, Phase.BRAKING, Phase.PITCH_UP, Phase.TERMINAL, Phase.TOUCHDOWN}


def test_the_main_engine_is_off_below_one_kilometre() -> None:
    log = nominal().log
    low = log.column("altitude_m") < 990.0
    assert np.all(log.column("thrust_n")[low] <= 1200.0)
    assert np.all(log.column("phase")[low] >= Phase.TERMINAL)


@pytest.mark.parametrize("seed", [2, 3])
def test_dispersed_landings_are_soft_and_near(seed: int) -> None:
    landing = PointMassFlight(mission(seed), dispersed(mission(seed))).fly()
    assert _is_soft(landing)
    assert landing.miss_m < 300.0


@pytest.mark.parametrize("sign", [-1.0, 1.0])
def test_three_sigma_of_acceleration_do_not_cost_the_landing_point(sign: float) -> None:
    """2.8 % of acceleration: 1 % (1-sigma) of either thrust and 0.5 % of mass, combined as is most likely."""
    errors = replace(NOISE, main_thrust=0.007 * sign, assist_thrust=0.0245 * sign, mass=-0.008 * sign)
    landing = PointMassFlight(mission(), errors).fly()
    assert _is_soft(landing)
    assert landing.miss_m < 300.0


@pytest.mark.parametrize(("bias_m", "known_m"), [(1000.0, 5000.0), (-1000.0, 3000.0), (2000.0, 8000.0)])
def test_an_altitude_that_is_corrected_late_is_survived(bias_m: float, known_m: float) -> None:
    errors = replace(NOISE, navigation_site_m=(0.0, 0.0, bias_m), altitude_known_below_m=known_m)
    assert _is_soft(PointMassFlight(mission(), errors).fly())


def test_an_altitude_corrected_too_late_ends_slower_than_without_the_main_engine() -> None:
    """1 km too high in belief until 893 m (M2, 2025): the stop needs more than there is; free fall would end at 85 m/s."""
    errors = replace(NOISE, navigation_site_m=(0.0, 0.0, 1000.0), altitude_known_below_m=893.0)
    landing = PointMassFlight(mission(), errors).fly()
    low = landing.log.column("altitude_m") < 800.0
    assert np.all(landing.log.column("thrust_n")[low] > 1500.0)
    assert landing.vertical_m_s < 25.0
    assert landing.horizontal_m_s < 1.0


def test_the_flight_from_orbit_deorbits_coasts_in_long_ticks_and_lands() -> None:
    landing = PointMassFlight(mission(start="deorbit"), Errors()).fly()
    assert _is_soft(landing)
    steps = np.diff(landing.log.column("time_s"))
    coasting = landing.log.column("phase")[:-1] == Phase.COAST
    assert np.sum(steps[coasting] > 0.9) > 2500
    assert np.all(steps[~coasting] < 0.11)


def test_a_copy_that_is_started_in_mid_flight_takes_over() -> None:
    """In coast, braking (early and late), pitch-up, and high and low in the terminal descent."""
    flight, guidance = PointMassFlight(mission(), NOISE), Guidance(mission())
    for at_s in (10.0, 300.0, 670.0, 695.0, 730.0, 749.0):
        flight.fly(guidance, until_s=at_s)
        landing = deepcopy(flight).fly(Guidance(mission()))
        assert _is_soft(landing), at_s
        assert landing.miss_m < 300.0, at_s


def _inputs(changes: dict[str, Any]) -> tuple[Guidance, Inputs, Message]:
    """Guidance, and the inputs of its first step with fields of the navigation state changed."""
    flight = PointMassFlight(mission(), Errors())
    inputs = flight.inputs()
    state = inputs.latest("navigation_state")
    for name, value in changes.items():
        setattr(state, name, value)
    return Guidance(mission()), inputs, state


def test_without_any_navigation_nothing_fires() -> None:
    guidance = Guidance(mission())
    inputs = Inputs(dict.fromkeys(READ), set())
    command = guidance.step(Tick(0, 0, 0), inputs)["guidance_command"]
    assert not command.main_engine
    assert not command.assist_engines
    assert np.linalg.norm(command.q_mci_body_command) == pytest.approx(1.0)


@pytest.mark.parametrize("name", ["r_lander_mci", "v_lander_mci", "q_mci_body", "r_lander_site", "v_lander_site"])
@pytest.mark.parametrize("value", [np.nan, np.inf])
def test_a_state_that_is_not_finite_is_not_used(name: str, value: float) -> None:
    size = 4 if name == "q_mci_body" else 3
    guidance, inputs, _ = _inputs({name: np.full(size, value)})
    command = guidance.step(Tick(0, 0, 0), inputs)["guidance_command"]
    assert np.all(np.isfinite(command.q_mci_body_command))
    assert not command.main_engine


def test_a_gap_in_navigation_keeps_thrust_and_turning() -> None:
    flight, guidance = PointMassFlight(mission(), Errors()), Guidance(mission())
    flight.fly(guidance, until_s=30.0)
    nothing = Inputs(dict.fromkeys(READ), set())
    ticks = [Tick(10_000 + i, flight.time_ns + i * 100_000_000, 100_000_000) for i in range(40)]
    commands = [guidance.step(tick, nothing)["guidance_command"] for tick in ticks]
    assert all(command.main_engine and command.assist_engines for command in commands)
    assert len({command.thrust_n for command in commands}) == 1
    w = float(np.linalg.norm(commands[0].w_mci_body_command))
    turned = 2.0 * np.arccos(min(abs(commands[0].q_mci_body_command @ commands[15].q_mci_body_command), 1.0))
    assert turned == pytest.approx(1.5 * w, rel=1e-3)
    assert np.all(commands[-1].w_mci_body_command == 0.0)  # after two seconds it no longer turns


def test_the_same_flight_gives_the_same_commands() -> None:
    rows = [PointMassFlight(mission(7), dispersed(mission(7))).fly().log.rows for _ in range(2)]
    assert rows[0] == rows[1]


def test_phase_numbers_are_those_of_the_message() -> None:
    for phase in Phase:
        assert getattr(GuidanceCommand, phase.name) == phase.value
    assert [row.phase for row in phases.TABLE] == list(Phase)


def test_the_document_shows_the_table_that_the_code_flies() -> None:
    assert phases.markdown() in DOCUMENT.read_text(encoding="utf-8")


def test_the_time_after_a_phase_falls_as_phases_pass() -> None:
    parameters = mission().part("guidance", GuidanceParameters)
    times = [phases.time_after(phase, parameters) for phase in Phase]
    assert times == sorted(times, reverse=True)
    assert times[-1] == 0.0
