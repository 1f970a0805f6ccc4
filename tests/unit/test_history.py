"""The retelling: figures of history are taken from a flight as they are defined, and the page opens offline."""

from __future__ import annotations

from pathlib import Path

import flight_samples
import numpy as np
import pytest

from lander_common.scenario import Figure, Scenario
from lander_flight.phases import Phase
from lander_runtime.messages import Message, zeros
from lander_tools.campaign.figures import measured
from lander_tools.campaign.flight_log import COLUMNS, FlightLog
from lander_tools.campaign.flights import Curve, Flight, append_flights, read_flights
from lander_tools.campaign.fly_tasks import landings
from lander_tools.history import document, page, telling
from lander_tools.verdict import Detection

M1 = "hakuto_m1_crater_rim"


def figure(quantity: str, at_altitude_m: float | None = None, value: float | None = None) -> Figure:
    within = None if value is None else 0.15
    told = {"published": "so", "source": "here", "mark": "sourced"}
    return Figure.model_validate(
        {"quantity": quantity, "at_altitude_m": at_altitude_m, "value": value, "within": within, **told}
    )


def fall(height_m: float = 5000.0, g: float = 1.62) -> FlightLog:
    """Burning at rest at a height for ten seconds while 0 is believed, then free fall."""
    log = FlightLog()
    for time in np.arange(0.0, 200.0, 0.1):
        falling = max(time - 10.0, 0.0)
        altitude = height_m - 0.5 * g * falling**2
        values = {
            "time_s": time,
            "altitude_m": max(altitude, 0.0),
            "down_m_s": g * falling if altitude > 0.0 else 0.0,
            "thrust_n": 650.0 if time <= 10.0 else 0.0,
            "phase": float(Phase.TERMINAL),
            "redesignations": float(time >= 50.0),
        }
        log.rows.append(tuple(values.get(name, 0.0) for name in COLUMNS))
    return log


def result(**fields: float) -> Message:
    made = zeros("lander_interfaces/msg/LandingResult")
    made.touched_down = True
    for name, value in fields.items():
        setattr(made, name, value)
    return made


def test_figures_of_a_free_fall_are_those_of_the_closed_form() -> None:
    log = fall()
    assert measured(figure("stopped_at_m"), log, result()) == 5000.0
    assert measured(figure("believed_at_stop_m"), log, result()) == 0.0
    assert measured(figure("free_fall_s"), log, result()) == pytest.approx((2 * 5000.0 / 1.62) ** 0.5, abs=0.2)
    expected = (2 * 1.62 * (5000.0 - 1000.0)) ** 0.5
    assert measured(figure("speed_m_s", 1000.0), log, result()) == pytest.approx(expected, abs=0.2)
    assert measured(figure("miss_m"), log, result(miss_m=7.0)) == 7.0
    assert measured(figure("first_range_m"), log, result()) is None
    assert measured(figure("redesignations"), log, result()) == 1.0


def test_agreement_is_said_as_a_difference_or_as_a_bound() -> None:
    assert telling.agreement(figure("miss_m", value=100.0), 110.0) == "+10 %"
    bound = figure("miss_m").model_copy(update={"value": 100.0})
    assert (telling.agreement(bound, 130.0), telling.agreement(bound, 90.0)) == ("as told", "below 100")
    assert telling.agreement(figure("miss_m"), 5.0) == ""


def flight(logic: str, seed: int, outcome: str) -> Flight:
    curve = Curve(
        time_s=[0.0, 100.0, 200.0],
        altitude_m=[9000.0, 900.0, 0.0],
        believed_altitude_m=[8000.0, 800.0, 0.0],
        down_m_s=[90.0, 30.0, 1.0],
        across_m_s=[500.0, 10.0, 0.0],
    )
    return flight_samples.flight(
        M1,
        logic=logic,
        seed=seed,
        outcome=outcome,
        reason="<why>",
        miss_m=1500.0,
        end_s=200.0,
        figures=[None, 1.0, 2.0, 3.0],
        detections=(
            Detection(fault="attitude_uncertainty", time_s=10.0, latency_s=None, response="report"),
            Detection(fault="range_rejected", time_s=20.0, latency_s=3.0 * seed, response="reweigh_range"),
        ),
        curve=curve if seed == 1 else None,
    )


FLIGHTS = [flight("heritage", 1, "lost"), flight("frigoris", 1, "success"), flight("frigoris", 2, "lost")]


def test_flights_are_kept_and_read_back(tmp_path: Path) -> None:
    append_flights(tmp_path, FLIGHTS)
    assert read_flights(tmp_path) == FLIGHTS
    assert read_flights(tmp_path / "nothing") == []


def test_what_is_told_counts_outcomes_latencies_and_margins() -> None:
    ours = telling.of_logic(FLIGHTS, "frigoris")
    assert telling.outcomes(ours) == "1 of 2 landed, 1 of 2 lost"
    noticed = "range_rejected, 4.5 s after the fault, 180 s before the end (latest 6.0 s); response: reweigh_range"
    assert telling.noticed(ours) == noticed
    assert telling.margin(ours) == "0.8 m/s of speed, 50 kg of propellant"
    assert telling.ending(ours[0]).endswith("1.5 km from the target")
    scenario = landings()[M1]
    assert telling.as_expected(scenario, FLIGHTS[:2])
    assert not telling.as_expected(scenario, FLIGHTS)


def test_the_page_opens_offline_and_tells_every_flown_landing(tmp_path: Path) -> None:
    text = page.write(landings(), FLIGHTS, tmp_path).read_text()
    assert landings()[M1].history in text.replace("&#x27;", "'")
    assert text.count("<svg") == 1
    assert "src=" not in text
    assert "<script" not in text
    assert not [line for line in text.splitlines() if 'href="http' in line]
    assert (tmp_path / f"{M1}.png").is_file()


def test_the_document_has_a_chapter_for_every_flown_landing() -> None:
    text = document.render(landings(), FLIGHTS)
    assert f'<a id="{M1}"></a>\n\n## {landings()[M1].title}' in text
    assert f"[2023-04-25](#{M1})" in text
    assert "| stopped above the ground at | about 5 km (sourced: ispace, 26 May 2023) | none |  | no |" in text
    assert f"| {M1} | frigoris | 1-2 | 1 of 2" in text


def test_the_document_has_its_pictures_beside_it(tmp_path: Path) -> None:
    (tmp_path / f"{M1}.png").write_bytes(b"a plot")
    written = document.write(landings(), FLIGHTS, tmp_path, tmp_path / "docs")
    picture = written.parent / "images" / "history" / f"{M1}.png"
    assert picture.read_bytes() == b"a plot"
    assert f"(images/history/{M1}.png)" in written.read_text()


def test_a_figure_is_compared_by_the_median_of_all_flights_and_its_bound() -> None:
    scenario = landings()["resilience_m2_late_rangefinder"]
    flights = [
        flight("heritage", 1, "lost").model_copy(update={"figures": row})
        for row in ([900.0, 60.0, 42.0, None], [800.0, 62.0, 42.0, None], [950.0, 10.0, 30.0, None])
    ]
    rows = telling.compared(scenario, flights)
    assert (rows[0].flown, rows[0].difference, rows[0].bound) == ("900 m (800 to 950)", "+1 %", "yes")
    assert (rows[1].flown, rows[1].bound) == ("60.0 m/s (10.0 to 62.0)", "yes")
    assert (rows[3].flown, rows[3].bound) == ("none", "no")
    assert telling.compared(scenario, []) == []


def test_the_landings_of_history_tell_it_and_what_is_expected() -> None:
    told: dict[str, Scenario] = landings()
    assert len(told) >= 11
    for scenario in told.values():
        assert scenario.landing is not None
        assert scenario.expected is not None
        assert len(scenario.history) > 100
