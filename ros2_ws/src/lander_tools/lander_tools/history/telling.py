"""What the page and the document say of a retold landing: the same words for both."""

from __future__ import annotations

from collections import Counter
from collections.abc import Mapping, Sequence
from statistics import median
from typing import NamedTuple

from lander_common.scenario import Figure, Scenario
from lander_tools.campaign.flights import Flight

_NAMES = {
    "vertical_speed_m_s": ("speed down at the ground", "m/s", 1),
    "horizontal_speed_m_s": ("speed across at the ground", "m/s", 1),
    "miss_m": ("from the target", "m", 0),
    "speed_m_s": ("speed down at {:.0f} m", "m/s", 1),
    "stopped_at_m": ("stopped above the ground at", "m", 0),
    "believed_at_stop_m": ("altitude believed there", "m", 0),
    "altitude_error_m": ("altitude believed too high by", "m", 0),
    "first_range_m": ("first range at", "m", 0),
    "deorbit_burn_s": ("deorbit burn", "s", 1),
    "free_fall_s": ("free fall", "s", 0),
    "redesignations": ("changes of the target", "times", 0),
}
_OUTCOMES = {"success": "landed", "survivable": "landed hard", "lost": "lost", "aborted_safe": "aborted safely"}
_SUCCESS_M_S = 2.0  # down, config/limits


def name_of(figure: Figure) -> str:
    """What a figure is of."""
    return _NAMES[figure.quantity][0].format(figure.at_altitude_m)


COMPARED = ("figure", "in history", "flown with the logic of then", "difference", "within its bound")


class Compared(NamedTuple):
    """A figure of history beside what flights of the logic of then show; texts."""

    name: str
    told: str
    flown: str  # median and range
    difference: str  # of the median
    bound: str  # kept or not, where one is set


def compared(scenario: Scenario, flights: Sequence[Flight]) -> list[Compared]:
    """Every figure of a scenario, over the flights of the logic of then."""
    figures = scenario.landing.figures if scenario.landing else ()
    if not flights:
        return []
    return [_compared(each, [flight.figures[number] for flight in flights]) for number, each in enumerate(figures)]


def _compared(figure: Figure, values: Sequence[float | None]) -> Compared:
    known = [value for value in values if value is not None]
    middle = median(known) if known else None
    told = f"{figure.published} ({figure.mark}: {figure.source})"
    return Compared(name_of(figure), told, _spread(figure, known), agreement(figure, middle), _bound(figure, middle))


def _spread(figure: Figure, values: Sequence[float]) -> str:
    """Median and range."""
    if not values:
        return "none"
    _, unit, decimals = _NAMES[figure.quantity]
    told = (round(value, decimals) + 0.0 for value in (min(values), median(values), max(values)))  # + 0.0: no "-0"
    low, middle, high = (f"{value:.{decimals}f}" for value in told)
    return f"{middle} {unit}" if low == high else f"{middle} {unit} ({low} to {high})"


def _bound(figure: Figure, value: float | None) -> str:
    """Whether a value keeps to the bound of its figure; empty where there is none."""
    if figure.value is None:
        return ""
    if value is None:
        return "no"
    if figure.within is None:
        return "yes" if value >= figure.value else "no"
    return "yes" if abs(value / figure.value - 1.0) <= figure.within else "no"


def agreement(figure: Figure, value: float | None) -> str:
    """How a flight agrees with history, where that can be said in a number."""
    if figure.value is None or value is None:
        return ""
    if figure.within is None:
        return "as told" if value >= figure.value else f"below {figure.value:g}"
    return f"{100.0 * (value / figure.value - 1.0):+.0f} %"


def flown_landings(scenarios: Mapping[str, Scenario], flights: Sequence[Flight]) -> dict[str, list[Flight]]:
    """The flights of every landing that was flown, in the order of the scenarios."""
    flown = {name: [flight for flight in flights if flight.scenario == name] for name in scenarios}
    return {name: found for name, found in flown.items() if found}


def of_logic(flights: Sequence[Flight], logic: str) -> list[Flight]:
    """The flights of a logic, by seed."""
    return sorted((flight for flight in flights if flight.logic == logic), key=lambda flight: flight.seed)


def outcomes(flights: Sequence[Flight]) -> str:
    """How flights ended, most frequent first."""
    counts = Counter(_OUTCOMES[flight.outcome] for flight in flights)
    if len(flights) == 1:
        return next(iter(counts))
    return ", ".join(f"{count} of {len(flights)} {word}" for word, count in counts.most_common())


def as_expected(scenario: Scenario, flights: Sequence[Flight]) -> bool:
    """Whether every flight ended as the scenario says that it may."""
    expected = scenario.expected
    allowed = {} if expected is None else {"frigoris": expected.frigoris, "heritage": expected.heritage}
    return all(flight.outcome in allowed.get(flight.logic, (flight.outcome,)) for flight in flights)


def ending(flight: Flight) -> str:
    """The end of a flight in a phrase."""
    word = _OUTCOMES[flight.outcome]
    if flight.outcome == "aborted_safe" or flight.vertical_speed_m_s == 0.0:
        return f"{word}: {flight.reason}"
    return (
        f"{word}: {flight.vertical_speed_m_s:.1f} m/s down, {flight.horizontal_speed_m_s:.1f} m/s across, "
        f"tilt {flight.tilt_deg:.0f} deg, {_length(flight.miss_m)} from the target"
    )


def told(flights: Sequence[Flight]) -> str:
    """How flights of one logic ended: the first one in words, and all in numbers."""
    first = f"{ending(flights[0])} (seed {flights[0].seed})."
    return first if len(flights) == 1 else f"{first} Of all: {outcomes(flights)}."


def noticed(flights: Sequence[Flight]) -> str:
    """What was noticed, how late, how long before the end, and what was done; medians over the flights."""
    found = [(flight, flight.acted_upon) for flight in flights]
    told = [(flight, detection) for flight, detection in found if detection is not None]
    if not told:
        return "nothing"
    name, response = Counter((detection.fault, detection.response) for _, detection in told).most_common(1)[0][0]
    before = median(flight.end_s - detection.time_s for flight, detection in told)
    latencies = [detection.latency_s for _, detection in told if detection.latency_s is not None]
    late = f"{median(latencies):.1f} s after the fault, " if latencies else ""
    worst = f" (latest {max(latencies):.1f} s)" if len(latencies) > 1 else ""
    return f"{name}, {late}{before:.0f} s before the end{worst}; response: {response}"


def margin(flights: Sequence[Flight]) -> str:
    """What was left of the limits in the worst flight that landed."""
    landed = [flight for flight in flights if flight.landed]
    if not landed:
        return "none"
    spare = _SUCCESS_M_S - max(flight.vertical_speed_m_s for flight in landed)
    left = min(flight.propellant_left_kg for flight in landed)
    return f"{spare:.1f} m/s of speed, {left:.0f} kg of propellant"


def _length(metres: float) -> str:
    return f"{metres:.0f} m" if metres < 1000.0 else f"{metres / 1e3:.1f} km"
