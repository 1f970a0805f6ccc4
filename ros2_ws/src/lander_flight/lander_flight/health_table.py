"""The table of faults in words: what health watches and what is done about it, for documents and displays."""

from __future__ import annotations

from dataclasses import dataclass

from lander_common.mission import Mission
from lander_flight.health_parameters import Band, HealthParameters
from lander_flight.health_quantities import QUANTITIES
from lander_runtime.architecture import architecture
from lander_runtime.config import ConfigError, did_you_mean
from lander_runtime.messages import NANOSECONDS

AGES = {
    "imu_age": "imu_increments",
    "range_age": "range",
    "navigation_age": "navigation_state",
    "guidance_age": "guidance_command",
    "throttle_age": "throttle_command",
    "telemetry_age": "vehicle_telemetry",
}


@dataclass(frozen=True, slots=True)
class CheckRow:
    """A row of the table."""

    id: str
    name: str
    about: str
    unit: str
    warn: str
    error: str
    stale: str
    persistence_s: float
    phases: str
    reason: str
    fault: str
    blames: str
    response: str


def declared_ages_s() -> dict[str, float]:
    """Oldest age that each input of health accepts, s; infinity where it takes any."""
    ports = architecture().nodes["health"].inputs
    return {p.topic.key: float("inf") if p.max_age_ns is None else p.max_age_ns / NANOSECONDS for p in ports}


def parameters(mission: Mission) -> HealthParameters:
    """The table as it is flown. Raises ConfigError where it names what is not watched."""
    table = mission.part("health", HealthParameters)
    path, problems = mission.documents["health"].path, []
    for check in table.checks:
        if check.name not in QUANTITIES:
            hint = did_you_mean(check.name, list(QUANTITIES))
            problems.append(f"{path}: checks: {check.id}: nothing named {check.name!r} is watched{hint}")
        elif check.stale and check.name not in AGES:
            problems.append(f"{path}: checks: {check.id}: stale is for the ages of inputs: {', '.join(AGES)}")
    if problems:
        raise ConfigError(problems)
    return table


def checks(mission: Mission) -> list[CheckRow]:
    """The rows. Raises ConfigError."""
    limits = declared_ages_s()
    return [
        CheckRow(
            id=check.id,
            name=check.name,
            about=check.about,
            unit=check.unit,
            warn=band_text(check.warn),
            error=band_text(check.error),
            stale=f"> {limits[AGES[check.name]]:g}" if check.stale else "",
            persistence_s=check.persistence_s,
            phases=", ".join(check.phases) or "all",
            reason=check.reason,
            fault=check.fault,
            blames=", ".join(check.blames),
            response=check.response,
        )
        for check in parameters(mission).checks
    ]


def band_text(band: Band | None) -> str:
    """Which values are beyond a band, in words."""
    if band is None:
        return ""
    low, high = band
    sides = [f"< {low:g}"] if low is not None else []
    return " or ".join([*sides, f"> {high:g}"] if high is not None else sides)


def markdown(mission: Mission) -> str:
    """Both tables as docs/fdir.md shows them."""
    lines = [
        "| id | watched | warning | error | for, s | phases | reason of the limits | then it is said | points to | response |"
    ]
    lines.append("|---" * 10 + "|")
    for row in checks(mission):
        error = " or ".join(text for text in (row.error, row.stale and f"stale {row.stale}") if text)
        watched = f"`{row.name}`: {row.about}, {row.unit}"
        cells = (
            row.id,
            watched,
            row.warn,
            error,
            f"{row.persistence_s:g}",
            row.phases,
            row.reason,
            row.fault,
            row.blames,
        )
        lines.append(f"| {' | '.join(cells)} | {row.response} |")
    lines += ["", "| response | by | what is done |", "|---|---|---|"]
    for name, response in parameters(mission).responses.items():
        lines.append(f"| {name} | {response.by} | {response.about} |")
    return "\n".join(lines)
