"""Thruster and mass tables of the vehicle as it truly is: the vehicle file with this run's errors on it."""

from __future__ import annotations

from dataclasses import dataclass
from math import cos, pi, radians, sin

import numpy as np
from numpy.typing import NDArray

from lander_common.faults.vehicle import MassError
from lander_common.mission import Dispersions, Engine, MassProperties, Mission, Vehicle
from lander_common.moon import STANDARD_GRAVITY_M_S2
from lander_runtime.config import ConfigError
from lander_runtime.rng import stream
from lander_world import thrusters
from lander_world.mass import mass_table

Array = NDArray[np.float64]
Place = tuple[tuple[float, float, float], tuple[float, float, float]]  # position, direction


@dataclass(frozen=True)
class TrueVehicle:
    """What the simulation knows of the vehicle and the flight software does not."""

    thrusters: Array  # main engine, assist thrusters, RCS thrusters; shape (count, thrusters.TABLE_COLUMNS)
    mass: Array  # see `lander_world.mass`
    propellant_kg: float  # in the main tanks at the start, unusable included
    rcs_propellant_kg: float


def true_vehicle(mission: Mission) -> TrueVehicle:
    """The vehicle of a run. Raises ConfigError where it cannot be built."""
    vehicle, start, sigma = mission.vehicle, mission.start, mission.dispersions
    com_error = stream(mission.seed, "dispersion/com").normal(0.0, 1.0, 3) * sigma.com_m
    laden_kg = vehicle.mass.dry_kg + start.propellant_kg + start.rcs_propellant_kg
    # The dry lander was weighed on Earth; what is not known well is how much is left in the tanks.
    mass_error_kg = float(stream(mission.seed, "dispersion/mass").normal()) * sigma.mass_fraction * laden_kg
    propellant_kg = min(max(start.propellant_kg + mass_error_kg, 0.0), vehicle.tanks.propellant_capacity_kg)
    return TrueVehicle(
        dispersed_thrusters(nominal_thrusters(vehicle), sigma, mission.seed),
        mass_table(_weighed_wrong(mission), com_error),
        propellant_kg,
        start.rcs_propellant_kg,
    )


def _weighed_wrong(mission: Mission) -> MassProperties:
    """Mass properties with the mass that nobody knows of, which sits at the dry centre of mass."""
    errors = [one.fault for one in mission.faults_of("vehicle") if isinstance(one.fault, MassError)]
    mass = mission.vehicle.mass
    return mass.model_copy(update={"dry_kg": mass.dry_kg + sum(error.dry_mass_kg for error in errors)})


def nominal_thrusters(vehicle: Vehicle) -> Array:
    """Table of the thrusters as the vehicle file describes them: the main engine, the assist ring, the RCS."""
    main, rcs = vehicle.main_engine, vehicle.rcs
    rows = [_row(main, (main.position_m, main.direction), thrusters.MAIN_TANK)]
    rows += [_row(vehicle.assist, place, thrusters.MAIN_TANK) for place in _ring(vehicle)]
    rows += [_row(rcs, place, thrusters.RCS_TANK) for place in rcs.thrusters]
    return np.array(rows)


def _ring(vehicle: Vehicle) -> list[Place]:
    ring = vehicle.assist
    azimuths = [radians(ring.first_azimuth_deg) + 2.0 * pi * i / ring.count for i in range(ring.count)]
    return [((ring.radius_m * cos(a), ring.radius_m * sin(a), ring.height_m), (0.0, 0.0, 1.0)) for a in azimuths]


def _row(engine: Engine, place: Place, tank: float) -> list[float]:
    position, direction = place
    length = float(np.linalg.norm(direction))
    if length == 0.0:
        raise ConfigError(["vehicle: the direction of a thruster is zero"])
    flow = 1.0 / (engine.isp_s * STANDARD_GRAVITY_M_S2)
    lags = (engine.valve_delay_s, engine.rise_time_constant_s, engine.tail_off_time_constant_s, engine.minimum_on_s)
    return [*position, *(value / length for value in direction), engine.thrust_n, flow, *lags, tank]


def dispersed_thrusters(table: Array, sigma: Dispersions, seed: int) -> Array:
    """The table with errors of thrust (common and of each), direction and specific impulse."""
    table = table.copy()
    count = len(table)
    rcs = table[:, thrusters.TANK] == thrusters.RCS_TANK
    assist = ~rcs
    assist[0] = False
    each = stream(seed, "dispersion/thruster").normal(0.0, 1.0, count) * sigma.thruster_fraction
    table[:, thrusters.FULL_THRUST] *= 1.0 + each
    table[0, thrusters.FULL_THRUST] *= (
        1.0 + float(stream(seed, "dispersion/main_thrust").normal()) * sigma.main_thrust_fraction
    )
    common = float(stream(seed, "dispersion/assist_thrust").normal()) * sigma.assist_thrust_fraction
    table[assist, thrusters.FULL_THRUST] *= 1.0 + common
    isp = stream(seed, "dispersion/isp").normal(0.0, 1.0, 3) * sigma.isp_fraction
    for group, error in zip((np.arange(count) == 0, assist, rcs), isp, strict=True):
        table[group, thrusters.FLOW] /= 1.0 + error
    tilts = stream(seed, "dispersion/direction").normal(0.0, 1.0, (count, 2)) * radians(sigma.thruster_direction_deg)
    for row, tilt in zip(table, tilts, strict=True):
        row[thrusters.DIRECTION : thrusters.DIRECTION + 3] = tilted(
            row[thrusters.DIRECTION : thrusters.DIRECTION + 3], tilt
        )
    return table


def tilted(direction: Array, tilt: Array) -> Array:
    """A unit vector turned by two small angles, rad, about the two axes across it."""
    helper = np.eye(3)[np.argmin(np.abs(direction))]
    first = np.cross(direction, helper)
    first /= np.linalg.norm(first)
    moved = direction + tilt[0] * first + tilt[1] * np.cross(direction, first)
    return np.asarray(moved / np.linalg.norm(moved))
