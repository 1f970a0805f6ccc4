"""The figures of history, taken from a flight."""

from __future__ import annotations

from math import isnan

import numpy as np
from numpy.typing import NDArray

from lander_common.scenario import Figure
from lander_flight.phases import Phase
from lander_runtime.messages import Message
from lander_tools.campaign.flight_log import FlightLog

_STOPPED_M_S = 3.0  # sinking no faster than this


def measured(figure: Figure, log: FlightLog, result: Message) -> float | None:
    """The quantity of a figure; None where the flight has none."""
    if figure.quantity in ("vertical_speed_m_s", "horizontal_speed_m_s", "miss_m"):
        return float(getattr(result, figure.quantity)) if result.touched_down else None
    found = _FROM_LOG[figure.quantity](figure, log)
    return None if found is None or isnan(found) else float(found)


def _speed_at(figure: Figure, log: FlightLog) -> float | None:
    assert figure.at_altitude_m is not None
    return _first(log.column("down_m_s"), log.column("altitude_m") < figure.at_altitude_m)


def _stopped_at(_figure: Figure, log: FlightLog) -> float | None:
    return _first(log.column("altitude_m"), _stopped(log))


def _believed_at_stop(_figure: Figure, log: FlightLog) -> float | None:
    return _first(log.column("believed_altitude_m"), _stopped(log))


def _altitude_error(_figure: Figure, log: FlightLog) -> float | None:
    """Believed less true, in the last second before the ground."""
    flying = log.column("altitude_m") > 1.0
    errors = (log.column("believed_altitude_m") - log.column("altitude_m"))[flying]
    return float(errors[-10:].mean()) if len(errors) else None


def _first_range(_figure: Figure, log: FlightLog) -> float | None:
    return _first(log.column("altitude_m"), log.column("range_valid") > 0.0)


def _deorbit_burn(_figure: Figure, log: FlightLog) -> float | None:
    time, burning = log.column("time_s"), log.column("thrust_n") > 0.0
    in_burn = burning & (log.column("phase") == Phase.DEORBIT)
    return float(np.ptp(time[in_burn])) if in_burn.any() else None


def _free_fall(_figure: Figure, log: FlightLog) -> float | None:
    """From the last thrust to the ground."""
    time, flying = log.column("time_s"), log.column("altitude_m") > 1.0
    burning = (log.column("thrust_n") > 1.0) & flying
    return float(time[flying][-1] - time[burning][-1]) if burning.any() else None


def _redesignations(_figure: Figure, log: FlightLog) -> float:
    return float(log.column("redesignations")[-1])


def _stopped(log: FlightLog) -> NDArray[np.bool_]:
    late = log.column("phase") >= Phase.PITCH_UP
    return np.asarray(late & (np.abs(log.column("down_m_s")) < _STOPPED_M_S) & (log.column("across_m_s") < 30.0))


def _first(values: NDArray[np.float64], where: NDArray[np.bool_]) -> float | None:
    return float(values[np.argmax(where)]) if where.any() else None


_FROM_LOG = {
    "speed_m_s": _speed_at,
    "stopped_at_m": _stopped_at,
    "believed_at_stop_m": _believed_at_stop,
    "altitude_error_m": _altitude_error,
    "first_range_m": _first_range,
    "deorbit_burn_s": _deorbit_burn,
    "free_fall_s": _free_fall,
    "redesignations": _redesignations,
}
