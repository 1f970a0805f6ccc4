"""Kept flights for tests of what is told of them."""

from __future__ import annotations

from typing import Any

from lander_tools.campaign.flights import Flight

LANDED: dict[str, Any] = {
    "logic": "frigoris",
    "seed": 1,
    "changes": "",
    "outcome": "success",
    "reason": "as it was",
    "touched_down": True,
    "vertical_speed_m_s": 1.2,
    "horizontal_speed_m_s": 0.1,
    "tilt_deg": 0.5,
    "rest_tilt_deg": 0.5,
    "slope_deg": 1.0,
    "miss_m": 4.0,
    "end_s": 1000.0,
    "propellant_used_kg": 380.0,
    "propellant_left_kg": 50.0,
    "redesignations": 0,
    "figures": [],
    "faults": (),
    "detections": (),
    "curve": None,
}


def flight(scenario: str, **changes: Any) -> Flight:
    """A flight that landed well, but for the changes."""
    return Flight(scenario=scenario, **(LANDED | changes))
