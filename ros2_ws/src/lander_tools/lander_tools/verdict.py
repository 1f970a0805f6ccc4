"""The verdict on a run: `verdict.json` in its folder, whose keys others rely on, and the last line of output."""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

VERDICT_FILE = "verdict.json"
EXIT_STATUS = {"success": 0, "survivable": 0, "aborted_safe": 0, "lost": 1}
FAILED_TO_RUN = 2
TOUCHDOWN = {
    "time_s": "touchdown_time_s",
    "vertical_speed_m_s": "vertical_speed_m_s",
    "horizontal_speed_m_s": "horizontal_speed_m_s",
    "tilt_deg": "tilt_deg",
    "rate_deg_s": "rate_deg_s",
    "miss_m": "miss_m",
    "altitude_error_m": "altitude_error_m",
    "slope_deg": "slope_deg",
}  # key in the verdict -> field of LandingResult


def judge(description: Mapping[str, Any], record: Mapping[str, Any], result: Mapping[str, Any]) -> dict[str, Any]:
    """The verdict, from what was flown (scenario, logic, seed, transport, version), the counts and a LandingResult.

    `record` may lack what its transport does not count; `result` is empty where the run did not reach its end.
    """
    touched_down = bool(result.get("touched_down"))
    return {
        "outcome": result.get("outcome", "failed_to_run"),
        "reason": result.get("reason", "the run did not reach its end"),
        **description,
        "sim_time_s": record.get("sim_time_s", 0.0),
        "wall_time_s": record.get("wall_time_s", 0.0),
        "real_time_factor": record.get("real_time_factor", 0.0),
        "degraded": bool(record.get("degraded", False)),
        "touchdown": {key: result.get(field) for key, field in TOUCHDOWN.items()} if touched_down else None,
        "propellant_used_kg": result.get("propellant_used_kg"),
        "propellant_left_kg": result.get("propellant_left_kg"),
        "digest": record.get("digest", ""),
        "nodes_lost": list(record.get("nodes_lost", ())),
        "deadline_misses": record.get("deadline_misses", 0),
        "detections": [],
    }


def failure(description: Mapping[str, Any], reason: str) -> dict[str, Any]:
    """The verdict on a run that could not be flown."""
    return judge(description, {}, {"outcome": "failed_to_run", "reason": reason})


def write(folder: Path, verdict: Mapping[str, Any]) -> None:
    """Put the verdict into a run folder, whole or not at all."""
    fresh = folder / f"{VERDICT_FILE}.new"
    fresh.write_text(json.dumps(verdict, indent=2) + "\n", encoding="utf-8")
    fresh.replace(folder / VERDICT_FILE)


def read(folder: Path) -> dict[str, Any] | None:
    """The verdict in a run folder; None where there is none."""
    try:
        verdict: dict[str, Any] = json.loads((folder / VERDICT_FILE).read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return None
    return verdict


def exit_status(verdict: Mapping[str, Any]) -> int:
    """0 landed or safely aborted, 1 lost, 2 could not run."""
    return EXIT_STATUS.get(verdict["outcome"], FAILED_TO_RUN)


def describe(verdict: Mapping[str, Any]) -> str:
    """The verdict in one line."""
    text = f"{verdict['outcome'].replace('_', ' ')}: {verdict['reason']}"
    touchdown = verdict.get("touchdown")
    if touchdown:
        text += (
            f" (touchdown at {touchdown['vertical_speed_m_s']:.2f} m/s down,"
            f" {touchdown['horizontal_speed_m_s']:.2f} m/s across, {touchdown['tilt_deg']:.1f} deg tilt,"
            f" {touchdown['miss_m']:.0f} m from the target)"
        )
    return text
