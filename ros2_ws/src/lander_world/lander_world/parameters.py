"""Schema of config/world/*.yaml and config/limits/*.yaml."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lander_common.mission import NonNegative, Positive
from lander_runtime.config import Parameters


class TickLengths(Parameters):
    """How long a tick is."""

    powered_s: Positive
    coast_s: Positive
    coast_above_m: NonNegative  # altitude above which long ticks are granted


class SubSteps(Parameters):
    """Longest steps of the integrator."""

    powered_s: Positive
    coast_s: Positive
    contact_s: Positive
    contact_below_m: Positive  # clearance below which contact is computed


class Valves(Parameters):
    """What the valve drivers do by themselves."""

    command_hold_s: NonNegative


class Pad(Parameters):
    """Contact of a landing pad, beyond what the vehicle says about its legs."""

    bottoming_stiffness_n_m: Positive
    friction_stiffness_n_m: Positive
    friction_damping_n_s_m: NonNegative


class Hull(Parameters):
    """Points of the body that must not touch the ground, and how they do it all the same."""

    rings: tuple[tuple[Positive, float, Annotated[int, Field(ge=1)]], ...]  # radius m, height m, number of points
    stiffness_n_m: Positive
    damping_n_s_m: NonNegative
    friction: NonNegative
    slip_speed_m_s: Positive


class Gauges(Parameters):
    """Pressure gauges."""

    main_chamber_pa: Positive  # at full thrust
    assist_chamber_pa: Positive
    chamber_sigma_fraction: NonNegative
    tank_sigma_fraction: NonNegative


class WorldParameters(Parameters):
    """How the truth is computed."""

    name: str
    tick: TickLengths
    sub_step: SubSteps
    valves: Valves
    pad: Pad
    hull: Hull
    telemetry: Gauges


class TouchdownLimits(Parameters):
    """Largest values at first contact."""

    vertical_speed_m_s: Positive
    horizontal_speed_m_s: Positive
    tilt_deg: Positive  # beyond the slope
    rate_deg_s: Positive


class RestLimits(Parameters):
    """What counts as still, and when it must be reached."""

    after_s: Positive  # from first contact
    speed_m_s: Positive
    rate_deg_s: Positive
    settled_for_s: NonNegative


class OrbitLimits(Parameters):
    """What counts as a safe orbit, after the flight software has given up the landing."""

    perilune_m: Positive  # over the reference sphere
    quiet_s: Positive  # since then


class LandingLimits(Parameters):
    """What counts as a landing."""

    name: str
    success: TouchdownLimits
    survivable: TouchdownLimits
    rest: RestLimits
    orbit: OrbitLimits
    tipped_over_deg: Positive
