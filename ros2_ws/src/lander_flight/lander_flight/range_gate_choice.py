"""Which gate judges ranges: the configuration chooses."""

from __future__ import annotations

from typing import Annotated

from pydantic import Field

from lander_flight.heritage.range_gates import (
    CredulousGate,
    CredulousGateParameters,
    LatchingGate,
    LatchingGateParameters,
)
from lander_flight.range_gate import FrigorisGate, FrigorisGateParameters, RangeGate

RangeGateParameters = Annotated[
    FrigorisGateParameters | LatchingGateParameters | CredulousGateParameters, Field(discriminator="kind")
]


def build_gate(parameters: RangeGateParameters) -> RangeGate:
    """The strategy that the configuration names."""
    match parameters:
        case FrigorisGateParameters():
            return FrigorisGate(parameters)
        case LatchingGateParameters():
            return LatchingGate(parameters)
        case CredulousGateParameters():
            return CredulousGate()
