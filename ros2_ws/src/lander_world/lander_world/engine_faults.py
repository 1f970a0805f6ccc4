"""Faults of thrusters and of their drive electronics, as factors, stuck valves, lags and refused pulses."""

from __future__ import annotations

from math import radians

import numpy as np
from numpy.typing import NDArray

from lander_common.faults import vehicle as faults
from lander_common.faults.base import Fault
from lander_common.mission import Vehicle
from lander_world import thrusters
from lander_world.initial_state import W
from lander_world.mass import COM, PROPERTIES, mass_properties
from lander_world.plant import Plant

Array = NDArray[np.float64]
_TORQUE = 1e-3  # share of a thruster's greatest torque below which it does not count as turning about an axis


class EngineFaults:
    """Sets the state of every thruster anew in each tick, from the faults that act in it."""

    def __init__(self, plant: Plant, vehicle: Vehicle) -> None:
        self._plant = plant
        self._lags = plant.table[:, thrusters.RISE : thrusters.FALL + 1].copy()
        first, assist = 1, vehicle.assist.count
        self._rows = {
            "main": slice(0, 1),
            "assist": slice(first, first + assist),
            "rcs": slice(first + assist, len(plant.table)),
        }

    def apply(self, active: list[Fault], on_s: Array) -> Array:
        """Put the faults into the plant; return what is left of the commanded open times, s."""
        engines, table = self._plant.engines, self._plant.table
        engines[:, thrusters.FACTOR] = 1.0
        engines[:, thrusters.STUCK] = thrusters.NORMAL
        table[:, thrusters.RISE : thrusters.FALL + 1] = self._lags
        for fault in active:
            if isinstance(fault, faults.EngineFault):
                self._apply(fault, self._rows_of(fault.thruster))
            elif isinstance(fault, faults.PressureLoss):
                engines[table[:, thrusters.TANK] == thrusters.MAIN_TANK, thrusters.FACTOR] *= fault.pressure_fraction
            elif isinstance(fault, faults.RateLimit):
                on_s = np.where(self._turns_faster(radians(fault.limit_deg_s)), 0.0, on_s)
        return on_s

    def _apply(self, fault: faults.EngineFault, rows: slice) -> None:
        engines, table = self._plant.engines, self._plant.table
        match fault:
            case faults.Off():
                engines[rows, thrusters.FACTOR] = 0.0
            case faults.ThrustFactor():
                engines[rows, thrusters.FACTOR] *= fault.factor
            case faults.StuckShut():
                engines[rows, thrusters.STUCK] = thrusters.SHUT
            case faults.StuckOpen():
                engines[rows, thrusters.STUCK] = thrusters.OPEN
            case faults.Slow():
                table[rows, thrusters.RISE : thrusters.FALL + 1] += fault.time_constant_s

    def _rows_of(self, thruster: str) -> slice:
        sort, _, number = thruster.partition("_")
        rows = self._rows[sort]
        return slice(rows.start + int(number) - 1, rows.start + int(number)) if number else rows

    def _turns_faster(self, limit: float) -> NDArray[np.bool_]:
        """Which attitude thrusters would add to a rate, rad/s, that is beyond the limit already."""
        plant, rcs = self._plant, self._rows["rcs"]
        properties = np.empty(PROPERTIES)
        mass_properties(plant.mass, plant.tanks[0] + plant.residual, plant.tanks[1], properties)
        arms = plant.table[rcs, thrusters.POSITION : thrusters.POSITION + 3] - properties[COM : COM + 3]
        torques = np.cross(arms, plant.table[rcs, thrusters.DIRECTION : thrusters.DIRECTION + 3])
        rate = plant.state[W : W + 3]
        too_fast = np.where(np.abs(rate) > limit, np.sign(rate), 0.0)
        faster = np.zeros(len(plant.table), dtype=bool)
        faster[rcs] = (torques * too_fast > _TORQUE * np.abs(torques).max()).any(axis=1)
        return faster
