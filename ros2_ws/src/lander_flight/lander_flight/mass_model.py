"""What the flight software believes of the vehicle's mass, centre of mass and inertia."""

from __future__ import annotations

from lander_common.mission import MassProperties, Vehicle
from lander_common.quaternion import Vector


class MassModel:
    """Mass properties from the propellant left; products of inertia are taken as zero.

    The body origin is that of the vehicle file. The main propellant is a body with a radius of gyration about a fixed
    centre, the RCS propellant a point.
    """

    def __init__(self, vehicle: Vehicle, propellant_kg: float, rcs_propellant_kg: float) -> None:
        self._mass: MassProperties = vehicle.mass
        self._capacity_kg = vehicle.tanks.propellant_capacity_kg
        self._rcs_capacity_kg = vehicle.tanks.rcs_propellant_capacity_kg
        self._propellant_kg = propellant_kg
        self._rcs_propellant_kg = rcs_propellant_kg
        self.mass_kg = 0.0
        self.com_body_m: Vector = (0.0, 0.0, 0.0)
        self.inertia_kg_m2: Vector = (0.0, 0.0, 0.0)  # about the centre of mass, along the body axes
        self._evaluate()

    def update(self, propellant_kg: float, rcs_propellant_kg: float) -> None:
        """Take the gauges' word, kg; a gauge that says what no tank can hold is not believed."""
        if 0.0 <= propellant_kg <= self._capacity_kg:  # false for NaN too
            self._propellant_kg = propellant_kg
        if 0.0 <= rcs_propellant_kg <= self._rcs_capacity_kg:
            self._rcs_propellant_kg = rcs_propellant_kg
        self._evaluate()

    def _evaluate(self) -> None:
        mass = self._mass
        parts = (
            (mass.dry_kg, mass.dry_com_m),
            (self._propellant_kg, mass.tank_com_m),
            (self._rcs_propellant_kg, mass.rcs_tank_com_m),
        )
        total = mass.dry_kg + self._propellant_kg + self._rcs_propellant_kg
        x = y = z = 0.0
        for part_kg, com in parts:
            x, y, z = x + part_kg * com[0], y + part_kg * com[1], z + part_kg * com[2]
        x, y, z = x / total, y / total, z / total
        own = self._propellant_kg * mass.tank_gyration_radius_m**2
        ix, iy, iz = (dry + own for dry in mass.dry_inertia_kg_m2)
        for part_kg, com in parts:  # parallel axes
            dx2, dy2, dz2 = (com[0] - x) ** 2, (com[1] - y) ** 2, (com[2] - z) ** 2
            ix += part_kg * (dy2 + dz2)
            iy += part_kg * (dz2 + dx2)
            iz += part_kg * (dx2 + dy2)
        self.mass_kg = total
        self.com_body_m = (x, y, z)
        self.inertia_kg_m2 = (ix, iy, iz)
