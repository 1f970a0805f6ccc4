"""Fly the landings of history again: every scenario, both logics, many seeds, in processes without ROS."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from typing import NamedTuple

import numpy as np

from lander_common.mission import resolve
from lander_common.scenario import Scenario
from lander_runtime.config import config_root, read_layered
from lander_tools.detections import DetectionLog
from lander_tools.fly import fly_mission
from lander_tools.history.figures import measured
from lander_tools.history.flight_log import FlightLog
from lander_tools.history.record import Curve, Flight

_CURVE_POINTS = 500
_LAST_S = 300.0  # the curve is finer over this time before the end


class Task(NamedTuple):
    """A flight that is to be flown."""

    scenario: str
    logic: str
    seed: int


def landings() -> dict[str, Scenario]:
    """The scenarios that tell a landing of history, in the order of their dates."""
    names = [path.stem for path in (config_root() / "scenario").glob("*.yaml")]
    scenarios = {name: read_layered("scenario", name).parse(Scenario) for name in sorted(names)}
    told = [(each.landing.date, name) for name, each in scenarios.items() if each.landing is not None]
    return {name: scenarios[name] for _, name in sorted(told)}


def retell(tasks: Sequence[Task], jobs: int) -> Iterator[Flight]:
    """Every flight, as soon as it has been flown."""
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(fly_one, task) for task in tasks]):
            yield future.result()


def fly_one(task: Task) -> Flight:
    """Fly one and keep what the retelling needs."""
    mission = resolve(task.scenario, task.seed, settings={"scenario.logic": task.logic})
    log, found = FlightLog(), DetectionLog()
    flown = fly_mission(mission, [log, found.observe])
    result, landing = flown.result, mission.scenario.landing
    assert result is not None  # it was flown to its end
    return Flight(
        scenario=task.scenario,
        logic=task.logic,
        seed=task.seed,
        outcome=result.outcome,
        reason=result.reason,
        vertical_speed_m_s=result.vertical_speed_m_s,
        horizontal_speed_m_s=result.horizontal_speed_m_s,
        tilt_deg=result.tilt_deg,
        miss_m=result.miss_m,
        end_s=result.touchdown_time_s if result.touched_down else flown.sim_time_s,
        propellant_left_kg=result.propellant_left_kg,
        figures=[measured(figure, log, result) for figure in landing.figures] if landing else [],
        detections=found.detections(),
        curve=_curve(log) if task.seed == 1 else None,
    )


def _curve(log: FlightLog) -> Curve:
    """Few points far from the end, many near it."""
    time = log.column("time_s")
    early = np.flatnonzero(time < time[-1] - _LAST_S)
    late = np.flatnonzero(time >= time[-1] - _LAST_S)
    kept = np.concatenate([part[:: max(1, 2 * len(part) // _CURVE_POINTS)] for part in (early, late) if len(part)])
    columns = {name: np.round(log.column(name)[kept], 2).tolist() for name in Curve.model_fields}
    return Curve(**columns)
