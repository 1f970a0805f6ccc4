"""How a run ended: `verdict.json`, whose keys other programs rely on, and the same in one line for people."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import Any, Literal, NamedTuple

import numpy as np
from pydantic import BaseModel, ConfigDict, ValidationError

from lander_common.whole_file import written_whole
from lander_runtime.architecture import architecture
from lander_tools.bag import Bag
from lander_tools.columns import columns, gather

Outcome = Literal["success", "survivable", "lost", "aborted_safe", "failed_to_run"]
Transport = Literal["lockstep", "wall-clock", "in-process"]

_EXIT_STATUS: dict[Outcome, int] = {"success": 0, "survivable": 0, "aborted_safe": 0, "lost": 1, "failed_to_run": 2}
_HEADLINES: dict[Outcome, str] = {
    "success": "SUCCESS",
    "survivable": "LANDED, BEYOND THE LIMITS OF SUCCESS",
    "lost": "LOST",
    "aborted_safe": "ABORTED SAFELY",
    "failed_to_run": "FAILED TO RUN",
}


class VerdictError(ValueError):
    """A verdict cannot be read or written; the text says which, and why."""


class _Part(BaseModel):
    model_config = ConfigDict(extra="forbid", frozen=True)


class Touchdown(_Part):
    """First contact with the ground, judged on truth."""

    time_s: float
    vertical_speed_m_s: float  # downward positive
    horizontal_speed_m_s: float
    tilt_deg: float
    rate_deg_s: float
    miss_m: float
    altitude_error_m: float | None  # navigation less truth; null where nobody recorded it
    slope_deg: float


class NodeLost(_Part):
    """A member that took no part from a tick on."""

    node: str
    tick: int
    time_s: float
    cause: str

    @classmethod
    def of(cls, lost: Mapping[str, Any]) -> NodeLost:
        """From the record of the run, which also says when the node, or a new process in its place, was back."""
        back = "" if lost["back_s"] is None else f"; back at {lost['back_s']:.2f} s"
        return cls(node=lost["node"], tick=lost["tick"], time_s=lost["time_s"], cause=lost["cause"] + back)


class Detection(_Part):
    """A fault that the flight software noticed."""

    fault: str
    time_s: float
    latency_s: float | None  # since the fault began; null where none had been injected
    response: str


class Found(NamedTuple):
    """What a flight noticed on the way, beyond where it ended."""

    detections: tuple[Detection, ...] = ()
    redesignations: int = 0  # of the target


NOTHING_FOUND = Found()


class Verdict(_Part):
    """Everything that verdict.json holds."""

    outcome: Outcome
    reason: str
    scenario: str
    logic: str
    seed: int
    transport: Transport
    sim_time_s: float
    wall_time_s: float
    real_time_factor: float
    degraded: bool  # the machine could not keep up: the run says nothing about the flight software
    touchdown: Touchdown | None  # null where the lander touched nothing
    propellant_used_kg: float
    propellant_left_kg: float
    digest: str
    nodes_lost: tuple[NodeLost, ...]
    deadline_misses: int
    detections: tuple[Detection, ...]
    redesignations: int  # how often the flight software chose another target
    version: str
    stale_inputs: int = 0  # by the wall clock
    missed_ticks: int = 0  # steps that began late
    misses_in_a_row: int = 0  # deadlines, the most
    misses_at_s: float = 0.0  # simulated time of the last of these
    behind_s: float = 0.0  # by which the world began a tick too late, the most
    behind_at_s: float = 0.0  # simulated time of that
    stolen_s: float = 0.0  # processor time that the machine's host gave to others
    real_time: bool = False  # nodes had real-time priority
    command_delay_p50_s: float | None = None  # wall clock, from the IMU's sample to the throttle's command
    command_delay_p99_s: float | None = None

    @property
    def exit_status(self) -> int:
        """0: landed or safely aborted; 1: lost; 2: could not run."""
        return _EXIT_STATUS[self.outcome]

    @property
    def headline(self) -> str:
        """The outcome in capitals; that of a degraded run counts for nothing."""
        said = headline(self.outcome)
        return f"DEGRADED, THE MACHINE DID NOT KEEP UP ({said})" if self.degraded else said

    def __str__(self) -> str:
        """The verdict in one line."""
        if self.outcome == "failed_to_run":
            return f"{self.headline}: {self.reason}"
        parts = [self.reason, *self._touchdown_parts(), f"{self.propellant_left_kg:.1f} kg of propellant left"]
        parts.append(
            f"{self.sim_time_s:.1f} s flown in {self.wall_time_s:.1f} s ({self.real_time_factor:.1f} x real time)"
        )
        if self.redesignations:
            parts.append(f"target changed {self.redesignations} times")
        parts += [f"lost {node.node} at {node.time_s:.2f} s ({node.cause})" for node in self.nodes_lost]
        return f"{self.headline}: {'; '.join(parts)}"

    def _touchdown_parts(self) -> list[str]:
        if self.touchdown is None:
            return []
        at = self.touchdown
        speeds = f"{at.vertical_speed_m_s:.2f} m/s down and {at.horizontal_speed_m_s:.2f} m/s across"
        return [f"touchdown at {speeds}, tilted {at.tilt_deg:.1f} deg, {at.miss_m:.0f} m from the target"]


def headline(outcome: Outcome) -> str:
    """An outcome in capitals."""
    return _HEADLINES[outcome]


def compose(
    result: Mapping[str, Any],
    record: Mapping[str, Any],
    altitude_error_m: float | None = None,
    found: Found = NOTHING_FOUND,
    **about: Any,
) -> Verdict:
    """The verdict of a run that came to its end.

    `result`: the fields of LandingResult; `record`: what the conductor counted (`RunRecord.summary()`); `about`:
    scenario, logic, seed, transport, version. Raises pydantic's ValidationError where something is missing.
    """
    return Verdict(
        outcome=result["outcome"],
        reason=result["reason"],
        **{key: record[key] for key in ("sim_time_s", "wall_time_s", "real_time_factor", "digest", "deadline_misses")},
        **{key: record[key] for key in _PACE if key in record},
        degraded=is_degraded(record),
        touchdown=_touchdown(result, altitude_error_m),
        propellant_used_kg=result["propellant_used_kg"],
        propellant_left_kg=result["propellant_left_kg"],
        nodes_lost=tuple(NodeLost.of(lost) for lost in record["nodes_lost"]),
        **found._asdict(),
        **about,
    )


def failed_to_run(reason: str, degraded: bool = False, **about: Any) -> Verdict:
    """The verdict of a run that did not come to its end for a reason outside the flight. `about` as in `compose`."""
    return Verdict(
        outcome="failed_to_run",
        reason=reason,
        sim_time_s=0.0,
        wall_time_s=0.0,
        real_time_factor=0.0,
        degraded=degraded,
        touchdown=None,
        propellant_used_kg=0.0,
        propellant_left_kg=0.0,
        digest="",
        nodes_lost=(),
        deadline_misses=0,
        **NOTHING_FOUND._asdict(),
        **about,
    )


# Counts of a run by the wall clock.
_PACE = (
    "stale_inputs",
    "missed_ticks",
    "misses_in_a_row",
    "misses_at_s",
    "behind_s",
    "behind_at_s",
    "stolen_s",
    "real_time",
    "command_delay_p50_s",
    "command_delay_p99_s",
)

_LATE_SHARE = 0.01  # of the ticks: a fifth of what a landing is known to take (scenario message_loss)
_LATE_IN_A_ROW = 5  # ticks: half of the time for which the valve drivers hold without a command
_BEHIND_S = 0.2  # all of that time: no real world waits, and they would have closed


def is_degraded(record: Mapping[str, Any]) -> bool:
    """Whether the machine did not keep up: more came late, or more in a row, than the flight software need put up with.

    Always false in lockstep, where everybody waits for everybody.
    """
    if not record.get("rate", 0.0) > 0.0:
        return False
    late = max(record.get(key, 0) for key in ("deadline_misses", "stale_inputs", "missed_ticks"))
    in_a_row, behind_s = record.get("misses_in_a_row", 0), record.get("behind_s", 0.0)
    return late > _LATE_SHARE * record["ticks"] or in_a_row > _LATE_IN_A_ROW or behind_s > _BEHIND_S


def pace(record: Mapping[str, Any]) -> str:
    """How well a run by the wall clock was kept up with, in one line; empty for a run in lockstep."""
    p50, p99 = record.get("command_delay_p50_s"), record.get("command_delay_p99_s")
    if not record.get("rate", 0.0) > 0.0 or p50 is None or p99 is None:
        return ""
    priority = "with" if record.get("real_time") else "without"
    stolen_s = record.get("stolen_s", 0.0)
    stolen = f"; the host of this machine gave {stolen_s:.1f} s of its processors to others" if stolen_s > 0.1 else ""
    return (
        f"IMU sample to throttle command: {1e3 * p50:.1f} ms (median), {1e3 * p99:.1f} ms (99 %); "
        f"of {record['ticks']} ticks {record['deadline_misses']} missed their deadline, "
        f"{record['misses_in_a_row']} at most in a row (at {record['misses_at_s']:.2f} s); "
        f"{record['stale_inputs']} stale inputs, {record['missed_ticks']} late steps; "
        f"at most {1e3 * record['behind_s']:.0f} ms behind the clock (at {record['behind_at_s']:.2f} s), {priority} real-time priority"
        f"{stolen}"
    )


def altitude_error_m(bag: Bag) -> float | None:
    """Navigation altitude less true altitude at first contact, m; None where the bag does not show it."""
    truth, state = (architecture().topics[key].name for key in ("truth", "navigation_state"))
    messages = gather(bag, [truth, state])
    true = columns(bag, truth, messages[truth], ["tick", "altitude_m", "contact"])
    believed = columns(bag, state, messages[state], ["tick", "altitude_m"])
    touching = np.flatnonzero(true["contact"])
    if not len(touching):
        return None
    same = np.flatnonzero(believed["tick"] == true["tick"][touching[0]])
    return float(believed["altitude_m"][same[0]] - true["altitude_m"][touching[0]]) if len(same) else None


def write(verdict: Verdict, path: Path) -> None:
    """Write verdict.json at once, so that nobody reads half of it. Raises VerdictError."""
    try:
        with written_whole(path) as partial:
            partial.write_text(verdict.model_dump_json(indent=2) + "\n", encoding="utf-8")
    except OSError as error:
        raise VerdictError(f"{path} cannot be written: {error.strerror}") from None


def read(path: Path) -> Verdict:
    """Read verdict.json. Raises VerdictError."""
    try:
        return Verdict.model_validate_json(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise VerdictError(f"{path} cannot be read: {error.strerror}") from None
    except (ValidationError, UnicodeDecodeError) as error:
        detail = error.errors()[0] if isinstance(error, ValidationError) else {"loc": (), "msg": "not text"}
        where = ".".join(str(part) for part in detail["loc"]) or "document"
        raise VerdictError(f"{path} is not a verdict: {where}: {detail['msg']}") from None


def _touchdown(result: Mapping[str, Any], altitude_error: float | None) -> Touchdown | None:
    if not result["touched_down"]:
        return None
    keys = ("vertical_speed_m_s", "horizontal_speed_m_s", "tilt_deg", "rate_deg_s", "miss_m", "slope_deg")
    return Touchdown(
        time_s=result["touchdown_time_s"], altitude_error_m=altitude_error, **{key: result[key] for key in keys}
    )
