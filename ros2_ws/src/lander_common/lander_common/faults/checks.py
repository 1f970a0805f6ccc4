"""Whether the faults of a scenario can happen in it: not after its end, not to a thruster that the vehicle has not."""

from __future__ import annotations

from collections.abc import Iterator, Mapping, Sequence

from lander_common.faults.base import Fault
from lander_common.faults.vehicle import EngineFault
from lander_runtime.config import ConfigError, Document


def check(document: Document, faults: Sequence[Fault], time_limit_s: float, thrusters: Mapping[str, int]) -> None:
    """Refuse what cannot happen. `thrusters`: how many there are of each sort. Raises ConfigError with all mistakes."""
    problems = [
        document.problem(("faults", index, key), text)
        for index, fault in enumerate(faults)
        for key, text in _mistakes(fault, time_limit_s, thrusters)
    ]
    if problems:
        raise ConfigError(problems)


def _mistakes(fault: Fault, time_limit_s: float, thrusters: Mapping[str, int]) -> Iterator[tuple[str, str]]:
    if fault.at_s is not None and fault.at_s >= time_limit_s:
        yield "at_s", f"is not before the end of the run: expected less than its time limit of {time_limit_s:g} s"
    if isinstance(fault, EngineFault):
        sort, _, number = fault.thruster.partition("_")
        if number and int(number) > thrusters[sort]:
            yield (
                "thruster",
                f"the vehicle has no {fault.thruster}: its {sort} thrusters are numbered 1 to {thrusters[sort]}",
            )
