"""Missions with faults, for tests."""

from __future__ import annotations

from dataclasses import replace
from typing import Any

from lander_common.faults.catalogue import read_fault
from lander_common.mission import Mission


def with_faults(mission: Mission, *entries: dict[str, Any]) -> Mission:
    """The same mission with faults, given as in a scenario file."""
    faults = tuple(read_fault(entry) for entry in entries)
    return replace(mission, scenario=mission.scenario.model_copy(update={"faults": faults}))
