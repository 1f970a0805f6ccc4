"""The world of one lander: all of its state in a few arrays, moved a tick at a time."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from lander_common.mission import Mission
from lander_terrain.surface import TerrainData
from numba import njit
from numpy.typing import NDArray

from lander_world import contact, thrusters
from lander_world.contact import contact_laws, contact_points
from lander_world.dynamics import Q, W, advance
from lander_world.ground import look_down
from lander_world.initial_state import initial_state
from lander_world.mass import COM, PROPERTIES, mass_properties
from lander_world.parameters import WorldParameters
from lander_world.report import ALTITUDE, REPORT_LENGTH, V_SITE, report
from lander_world.site_motion import site_table
from lander_world.vehicle_tables import true_vehicle

Array = NDArray[np.float64]
Ground = tuple[Array, Array, Array, Array]


class Plant(NamedTuple):
    """The arrays that the compiled tick works on; those marked * change."""

    state: Array  # * `lander_world.dynamics`
    tanks: Array  # * usable propellant in the main and the RCS tank, kg
    table: Array  # thrusters: `lander_world.thrusters`
    engines: Array  # * their state
    mass: Array  # `lander_world.mass`
    residual: float  # unusable propellant, kg
    ground: Ground  # site, contact points *, pads *, contact laws: `lander_world.contact`
    first_contact: Array  # * time, s, and state when anything first touched; NaN before
    assist: int  # number of assist thrusters
    longest_s: tuple[float, float, float]  # sub-steps: powered, coast, contact


@njit(cache=True)
def tick(
    plant: Plant, terrain: TerrainData, on_s: Array, time_s: float, step_s: float, near: bool, out: Array
) -> tuple[int, int, float]:
    """Move the world from `time_s` over `step_s` and fill the report; a step of zero only reports.

    Returns the number of refused commands, the point of the hull that hit the ground first (-1 if none), the clearance, m.
    """
    state = plant.state
    q_before = (state[Q], state[Q + 1], state[Q + 2], state[Q + 3])
    refused, hull = 0, -1
    if step_s > 0.0:
        powered, coast, touching = plant.longest_s
        longest = (touching, touching) if near else (powered, coast)
        refused, hull = advance(
            state, plant.tanks, plant.table, plant.engines, on_s, plant.mass, plant.residual, plant.ground, plant.first_contact,
            time_s, step_s, longest, near,
        )  # fmt: skip
    now = time_s + step_s
    properties = np.empty(PROPERTIES)
    mass_properties(plant.mass, plant.tanks[0] + plant.residual, plant.tanks[1], properties)
    site, points, pads, _ = plant.ground
    report(state, q_before, plant.tanks, properties, plant.engines, plant.assist, site, now, step_s, out)
    altitude, clearance = look_down(terrain, site, state, now, properties[COM : COM + 3], points, pads.shape[0])
    out[ALTITUDE] = altitude
    return refused, hull, clearance


class World:
    """The true lander over the true Moon."""

    def __init__(self, mission: Mission, parameters: WorldParameters, terrain: TerrainData) -> None:
        vehicle, true = mission.vehicle, true_vehicle(mission)
        residual = min(vehicle.mass.unusable_propellant_kg, true.propellant_kg)
        steps = parameters.sub_step
        legs = vehicle.legs
        self.plant = Plant(
            state=initial_state(mission),
            tanks=np.array([true.propellant_kg - residual, true.rcs_propellant_kg]),
            table=true.thrusters,
            engines=thrusters.thruster_state(len(true.thrusters)),
            mass=true.mass,
            residual=residual,
            ground=(
                site_table(mission.site_frame),
                contact_points(legs, parameters.hull),
                np.zeros((legs.count, contact.PAD_COLUMNS)),
                contact_laws(legs, parameters.pad, parameters.hull),
            ),
            first_contact=np.full(W + 4, np.nan),
            assist=vehicle.assist.count,
            longest_s=(steps.powered_s, steps.coast_s, steps.contact_s),
        )
        self.terrain = terrain
        self._contact_below_m = steps.contact_below_m
        self.report = np.zeros(REPORT_LENGTH)
        self.clearance_m = 0.0
        self.refused = 0  # commands of the tick that were too short for their valve
        self.hull_contact = -1  # point of the hull that touched the ground in the tick
        self.time_s = 0.0
        self._run(np.zeros(len(true.thrusters)), 0.0)

    def move(self, on_s: Array, time_s: float, step_s: float) -> None:
        """Advance over a tick that begins at a time since stamp 0, with the commanded open times, s."""
        self.time_s = time_s
        self._run(on_s, step_s)
        self.time_s = time_s + step_s

    def _run(self, on_s: Array, step_s: float) -> None:
        near = self.clearance_m < self._contact_below_m + self.speed_m_s * step_s
        self.report = np.empty(REPORT_LENGTH)  # its parts go out in messages
        self.refused, self.hull_contact, self.clearance_m = tick(
            self.plant, self.terrain, on_s, self.time_s, step_s, near, self.report
        )

    @property
    def speed_m_s(self) -> float:
        """Speed over ground."""
        x, y, z = self.report[V_SITE : V_SITE + 3].tolist()
        return float((x * x + y * y + z * z) ** 0.5)

    @property
    def altitude_m(self) -> float:
        """Altitude of the lowest pad above the terrain."""
        return float(self.report[ALTITUDE])
