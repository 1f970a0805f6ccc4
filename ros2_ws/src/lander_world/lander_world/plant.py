"""The arrays that the compiled tick works on, made from the mission's files. Those marked * change in flight."""

from __future__ import annotations

from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_world import contact, thrusters
from lander_world.contact import contact_laws, contact_points
from lander_world.gravity import gravity_model
from lander_world.initial_state import STATE_LENGTH, initial_state
from lander_world.parameters import WorldParameters
from lander_world.site_motion import site_table
from lander_world.vehicle_tables import true_vehicle

Array = NDArray[np.float64]


class Ground(NamedTuple):
    """What contact needs (`lander_world.contact`)."""

    site: Array  # `lander_world.site_motion`
    points: Array  # * contact points, pads first, each with the plane of the ground under it
    pads: Array  # * state of the pads
    laws: Array  # contact laws


class Plant(NamedTuple):
    """The lander."""

    state: Array  # * see `lander_world.initial_state`
    tanks: Array  # * usable propellant in the main and the RCS tank, kg
    table: Array  # thrusters (`lander_world.thrusters`): main engine, assist, RCS
    engines: Array  # * their state
    mass: Array  # `lander_world.mass`
    residual: float  # unusable propellant, kg
    gravity: Array  # `lander_world.gravity`
    ground: Ground
    first_contact: Array  # * when anything first touches: time, s, and the state before; the time is NaN until then
    assist: int  # number of assist thrusters
    longest_s: tuple[float, float, float]  # sub-steps: powered, coast, near the ground


def build_plant(mission: Mission, parameters: WorldParameters) -> Plant:
    """The lander of a mission with this run's errors on it, at stamp 0. Raises ConfigError where it cannot be built."""
    vehicle, true, steps = mission.vehicle, true_vehicle(mission), parameters.sub_step
    residual = min(vehicle.mass.unusable_propellant_kg, true.propellant_kg)
    return Plant(
        state=initial_state(mission),
        tanks=np.array([true.propellant_kg - residual, true.rcs_propellant_kg]),
        table=true.thrusters,
        engines=thrusters.thruster_state(len(true.thrusters)),
        mass=true.mass,
        residual=residual,
        gravity=gravity_model(),
        ground=Ground(
            site_table(mission.site_frame),
            contact_points(vehicle.legs, parameters.hull),
            np.zeros((vehicle.legs.count, contact.PAD_COLUMNS)),
            contact_laws(vehicle.legs, parameters.pad, parameters.hull),
        ),
        first_contact=np.full(1 + STATE_LENGTH, np.nan),
        assist=vehicle.assist.count,
        longest_s=(steps.powered_s, steps.coast_s, steps.contact_s),
    )
