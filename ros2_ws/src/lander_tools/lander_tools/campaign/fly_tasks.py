"""Fly what a campaign asks for, in processes without ROS, and keep of each flight what is told of it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from concurrent.futures import ProcessPoolExecutor, as_completed
from pathlib import Path

import numpy as np

from lander_common.mission import Mission, resolve
from lander_common.scenario import Scenario
from lander_runtime.config import config_root, read_layered
from lander_tools.campaign.figures import measured
from lander_tools.campaign.flight_log import FlightLog
from lander_tools.campaign.flights import Curve, Flight, Task, append_flights, forget, read_flights
from lander_tools.detections import DetectionLog
from lander_tools.fly import fly_mission
from lander_tools.maps import ensure_maps

_CURVE_POINTS = 500
_LAST_S = 300.0  # the curve is finer over this time before the end
_START = "start"  # the change that chooses another start; the others are settings


def scenarios() -> dict[str, Scenario]:
    """Every scenario that there is, by name. Raises ConfigError."""
    names = sorted(path.stem for path in (config_root() / "scenario").glob("*.yaml"))
    return {name: read_layered("scenario", name).parse(Scenario) for name in names}


def landings() -> dict[str, Scenario]:
    """The scenarios that tell a landing of history, in the order of their dates."""
    every = scenarios()
    told = sorted((each.landing.date, name) for name, each in every.items() if each.landing is not None)
    return {name: every[name] for _, name in told}


def fly_missing(tasks: Sequence[Task], folder: Path, keep: bool, jobs: int) -> Iterator[tuple[int, int, Flight]]:
    """Fly what the folder has not kept, and keep it: the number of each flight, of how many, and the flight.

    `keep`: whether flights from before count. Raises ConfigError where a scenario is wrong, FlightsError where the folder is.
    """
    if not keep:
        forget(folder, tasks)
    flown = {flight.task for flight in read_flights(folder)}
    missing = [task for task in tasks if task not in flown]
    for number, flight in enumerate(fly_tasks(missing, jobs), 1):
        append_flights(folder, [flight])
        yield number, len(missing), flight


def fly_tasks(tasks: Sequence[Task], jobs: int) -> Iterator[Flight]:
    """Every flight, as soon as it has been flown. Raises ConfigError where a scenario is wrong."""
    for task in {(task.scenario, task.logic, task.changes): task for task in tasks}.values():
        ensure_maps(mission_of(task))  # before several processes make the same one
    with ProcessPoolExecutor(jobs) as pool:
        for future in as_completed([pool.submit(fly_one, task) for task in tasks]):
            yield future.result()


def mission_of(task: Task) -> Mission:
    """What a task flies. Raises ConfigError."""
    changes = dict(line.split("=", 1) for line in task.changes.splitlines())
    choices = {_START: changes.pop(_START, "")}
    return resolve(task.scenario, task.seed, choices, {"scenario.logic": task.logic, **changes})


def fly_one(task: Task) -> Flight:
    """Fly one and keep what is told of it."""
    mission = mission_of(task)
    log, found = FlightLog(), DetectionLog()
    flown = fly_mission(mission, [log, found.observe])
    result, landing = flown.result, mission.scenario.landing
    assert result is not None  # it was flown to its end
    return Flight(
        **task._asdict(),
        **{key: getattr(result, key) for key in _OF_RESULT},
        end_s=result.touchdown_time_s if result.touched_down else flown.sim_time_s,
        redesignations=int(log.column("redesignations")[-1]),
        figures=[measured(figure, log, result) for figure in landing.figures] if landing else [],
        faults=tuple(found.onsets),
        detections=found.detections(),
        curve=_curve(log) if task.seed == 1 else None,
    )


_OF_RESULT = (
    "outcome",
    "reason",
    "touched_down",
    "vertical_speed_m_s",
    "horizontal_speed_m_s",
    "tilt_deg",
    "rest_tilt_deg",
    "slope_deg",
    "miss_m",
    "propellant_used_kg",
    "propellant_left_kg",
)


def _curve(log: FlightLog) -> Curve:
    """Few points far from the end, many near it."""
    time = log.column("time_s")
    early = np.flatnonzero(time < time[-1] - _LAST_S)
    late = np.flatnonzero(time >= time[-1] - _LAST_S)
    kept = np.concatenate([part[:: max(1, 2 * len(part) // _CURVE_POINTS)] for part in (early, late) if len(part)])
    columns = {name: np.round(log.column(name)[kept], 2).tolist() for name in Curve.model_fields}
    return Curve(**columns)
