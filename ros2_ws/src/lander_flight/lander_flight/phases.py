"""The phases of the landing: the numbered table that guidance flies, messages carry and docs/guidance.md shows."""

from __future__ import annotations

from enum import IntEnum
from typing import NamedTuple

from lander_flight.guidance_parameters import GuidanceParameters


class Phase(IntEnum):
    """Numbers as in lander_interfaces/msg/GuidanceCommand."""

    DEORBIT = 0
    COAST = 1
    BRAKING = 2
    PITCH_UP = 3
    TERMINAL = 4
    TOUCHDOWN = 5
    SAFE = 6
    ABORT = 7


class Row(NamedTuple):
    """What a phase is."""

    phase: Phase
    steering: str
    engines: str
    ends: str


TABLE: tuple[Row, ...] = (
    Row(
        Phase.DEORBIT,
        "against the velocity at the middle of the burn",
        "main",
        "sensed velocity change reaches the plan",
    ),
    Row(Phase.COAST, "holds the attitude of ignition", "none", "range to go equals what the braking arc will cover"),
    Row(
        Phase.BRAKING,
        "along the primer vector of the fuel-optimal arc to the gate",
        "main, assist at the level that makes the range",
        "arc flown: at the gate, about 2.2 km high",
    ),
    Row(
        Phase.PITCH_UP,
        "quadratic acceleration to 1 km above the target, upright",
        "main, assist as needed",
        "at 1 km",
    ),
    Row(
        Phase.TERMINAL,
        "speed by height; horizontal velocity nulled by small tilts",
        "assist; main only if stopping needs it",
        "close to the ground for the uncertainty of altitude",
    ),
    Row(
        Phase.TOUCHDOWN,
        "constant slow descent, nearly upright",
        "assist until contact, then none",
        "engines cut and lander still",
    ),
    Row(Phase.SAFE, "none", "none", "never"),
    Row(
        Phase.ABORT,
        "up to 20 km and along the velocity, after a turn without thrust",
        "main and assist",
        "perilune is safe; then SAFE",
    ),
)


def time_after(phase: Phase, parameters: GuidanceParameters) -> float:
    """Planned time from the end of a phase to touchdown, s; before braking, from the end of braking."""
    end = parameters.pitch_up.ends[0]
    pitch_up, terminal, touchdown = parameters.pitch_up, parameters.terminal, parameters.touchdown
    slow_s = touchdown.altitude_m / terminal.touchdown_speed_m_s
    mean_speed = 0.5 * (end.speed_m_s + terminal.touchdown_speed_m_s)
    times = {
        Phase.BRAKING: pitch_up.duration_s,
        Phase.PITCH_UP: (end.altitude_m - touchdown.altitude_m) / mean_speed,
        Phase.TERMINAL: slow_s,
    }
    return sum(time_s for later, time_s in times.items() if later >= phase)


def delta_v_after(phase: Phase, parameters: GuidanceParameters, gravity_m_s2: float) -> float:
    """Planned velocity change by thrust from the end of a phase to touchdown, m/s; before braking, from the end of braking."""
    p, pitch_up = parameters, parameters.pitch_up
    mean = 0.5 * (pitch_up.start_acceleration_m_s2 + pitch_up.end_acceleration_m_s2)
    slowed = pitch_up.ends[0].speed_m_s - p.terminal.touchdown_speed_m_s
    hover_s = time_after(Phase.PITCH_UP, p)  # of the terminal descent and the slow one
    total = mean * pitch_up.duration_s if phase <= Phase.BRAKING else 0.0
    if phase <= Phase.PITCH_UP:
        return total + slowed + gravity_m_s2 * hover_s
    return gravity_m_s2 * time_after(Phase.TERMINAL, p) if phase == Phase.TERMINAL else 0.0


def markdown() -> str:
    """The table as docs/guidance.md shows it."""
    lines = ["| no. | phase | steering | engines | ends when |", "|---|---|---|---|---|"]
    lines += [
        f"| {row.phase.value} | {row.phase.name} | {row.steering} | {row.engines} | {row.ends} |" for row in TABLE
    ]
    return "\n".join(lines)
