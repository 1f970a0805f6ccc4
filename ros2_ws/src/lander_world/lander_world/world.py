"""The world of one lander, moved a tick at a time in one compiled call."""

from __future__ import annotations

from math import sqrt

import numpy as np
from numba import njit
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_terrain.surface import TerrainData
from lander_world.contact import TOUCHED
from lander_world.dynamics import advance
from lander_world.ground import look_down
from lander_world.initial_state import Q
from lander_world.mass import COM, PROPERTIES, mass_properties
from lander_world.parameters import WorldParameters
from lander_world.plant import Plant, build_plant
from lander_world.report import ALTITUDE, REPORT_LENGTH, V_SITE, W_BODY, report

Array = NDArray[np.float64]
_SIZE_M = 3.0  # no point of a lander is farther from its centre of mass
_REACH_S = 0.1  # points of the hull that could reach the ground within this time take part in contact ...
_REACH_M = 0.1  # ... and all that are nearer than this


@njit(cache=True)
def tick(
    plant: Plant,
    terrain: TerrainData,
    on_s: Array,
    time_s: float,
    step_s: float,
    near: bool,
    reach_m: float,
    out: Array,
) -> tuple[int, int, float, float, int]:
    """Move the world from `time_s` over `step_s` and fill the report; a step of zero only reports.

    `near`: compute contact; `reach_m`: contact points nearer to the ground than this take part in the next tick.
    Returns the number of refused commands, the point of the hull that hit the ground first (-1 if none), the
    clearance, m, a bound of the speed over ground of any point of the lander, m/s, and the pads that touched (bit i: pad i).
    """
    state = plant.state
    q_before = (state[Q], state[Q + 1], state[Q + 2], state[Q + 3])
    refused, hull = 0, -1
    if step_s > 0.0:
        refused, hull = advance(plant, on_s, time_s, step_s, near)
    now = time_s + step_s
    properties = np.empty(PROPERTIES)
    mass_properties(plant.mass, plant.tanks[0] + plant.residual, plant.tanks[1], properties)
    report(plant, q_before, properties, now, step_s, out)
    altitude, clearance = look_down(plant, terrain, now, properties[COM : COM + 3], reach_m)
    out[ALTITUDE] = altitude
    fastest = _length(out, V_SITE) + _SIZE_M * _length(out, W_BODY)
    return refused, hull, clearance, fastest, _touching(plant.ground.pads)


@njit(cache=True)
def _length(out: Array, first: int) -> float:
    """Of a vector in the report."""
    return sqrt(out[first] ** 2 + out[first + 1] ** 2 + out[first + 2] ** 2)


@njit(cache=True)
def _touching(pads: Array) -> int:
    bits = 0
    for i in range(pads.shape[0]):
        if pads[i, TOUCHED] != 0.0:
            bits |= 1 << i
    return bits


class World:
    """The true lander over the true Moon."""

    def __init__(self, mission: Mission, parameters: WorldParameters, terrain: TerrainData) -> None:
        self.plant = build_plant(mission, parameters)
        self.terrain = terrain
        self._near_m = parameters.sub_step.contact_below_m
        self.report = np.zeros(REPORT_LENGTH)  # the truth in numbers: `lander_world.report`
        self.clearance_m = 0.0  # of the lowest point; a lower bound where the ground is far
        self.refused = 0  # commands of the tick that were too short for their valve
        self.hull_contact = -1  # point of the hull that touched the ground in the tick
        self.touching = 0  # bit i: pad i touched the ground in the tick
        self._fastest_m_s = 0.0  # bound of the speed over ground of any point of the lander
        self.time_s = 0.0
        self.look()

    def look(self) -> None:
        """Report without moving."""
        self.move(np.zeros(len(self.plant.table)), self.time_s, 0.0)

    def move(self, on_s: Array, time_s: float, step_s: float) -> None:
        """Advance over a tick that begins at a time since stamp 0, with the commanded open times, s."""
        near = self.clearance_m < self._near_m + self._fastest_m_s * step_s
        reach_m = _REACH_M + _REACH_S * self._fastest_m_s
        self.report = np.empty(REPORT_LENGTH)  # a new one: its parts go out in messages
        self.refused, self.hull_contact, self.clearance_m, self._fastest_m_s, self.touching = tick(
            self.plant, self.terrain, on_s, time_s, step_s, near, reach_m, self.report
        )
        self.time_s = time_s + step_s

    @property
    def speed_m_s(self) -> float:
        """Speed of the centre of mass over ground."""
        x, y, z = self.report[V_SITE : V_SITE + 3].tolist()
        return float((x * x + y * y + z * z) ** 0.5)

    @property
    def altitude_m(self) -> float:
        """Altitude of the lowest pad above the terrain."""
        return float(self.report[ALTITUDE])
