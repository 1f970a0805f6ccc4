"""What can happen to engines, tanks and the body of the lander."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import DeviceFault, StandingFault


class EngineFault(DeviceFault):
    """A fault of one thruster, or of all of one sort."""

    subject: Literal["engine"]
    thruster: str = Field(
        pattern=r"^(main|assist|rcs|assist_[1-9]\d*|rcs_[1-9]\d*)$",
        description="main, assist or rcs (all of them), assist_1, rcs_3, ...",
    )


class Off(EngineFault):
    """No thrust, whatever is commanded: the chamber is lost, the nozzle broken."""

    kind: Literal["off"]


class ThrustFactor(EngineFault):
    """More or less thrust than it should give, at the same specific impulse."""

    kind: Literal["thrust_factor"]
    factor: float = Field(ge=0, le=1.5, description="of the thrust")


class StuckShut(EngineFault):
    """The valve stays shut once it is shut."""

    kind: Literal["stuck_shut"]


class StuckOpen(EngineFault):
    """The valve is open, whatever is commanded."""

    kind: Literal["stuck_open"]


class Slow(EngineFault):
    """Thrust builds up and dies away slowly."""

    kind: Literal["slow"]
    time_constant_s: float = Field(gt=0, le=5.0, description="added to those of the build-up and the tail-off")


class TankFault(DeviceFault):
    """A fault of the main propellant tanks."""

    subject: Literal["tank"]


class Leak(TankFault):
    """Propellant is lost."""

    kind: Literal["leak"]
    rate_kg_s: float = Field(gt=0, le=50, description="of the loss")


class PressureLoss(TankFault):
    """The feed pressure falls: main engine and assist thrusters give less, in proportion."""

    kind: Literal["pressure_loss"]
    pressure_fraction: float = Field(ge=0, lt=1, description="of the regulated pressure that is left")


class RateLimit(DeviceFault):
    """The drive electronics refuse pulses of the attitude thrusters that would turn the lander faster than a limit."""

    subject: Literal["vehicle"]
    kind: Literal["rate_limit"]
    limit_deg_s: float = Field(gt=0, le=60, description="of the rate about each axis of the body")


class MassError(StandingFault):
    """The lander is heavier or lighter than anybody knows."""

    subject: Literal["vehicle"]
    kind: Literal["mass_error"]
    dry_mass_kg: float = Field(description="added to the dry mass")


KINDS = (Off, ThrustFactor, StuckShut, StuckOpen, Slow, Leak, PressureLoss, RateLimit, MassError)
