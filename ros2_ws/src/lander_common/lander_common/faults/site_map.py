"""What can be wrong with the onboard map."""

from __future__ import annotations

from typing import Literal

from pydantic import Field

from lander_common.faults.base import StandingFault


class MapFault(StandingFault):
    """A fault of the map that was loaded before flight."""

    subject: Literal["map"]


class Elsewhere(MapFault):
    """The map is of ground some way off, as if the target had been moved after it was made."""

    kind: Literal["elsewhere"]
    east_m: float = Field(description="from the target to the middle of what the map shows")
    north_m: float = Field(description="the same, to the north")


class OtherTerrain(MapFault):
    """The map shows another terrain than the one that is flown over."""

    kind: Literal["other_terrain"]
    terrain: str = Field(description="a name under config/terrain")


KINDS = (Elsewhere, OtherTerrain)
