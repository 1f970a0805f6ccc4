"""What the vehicle's own gauges and switches say."""

from __future__ import annotations

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_runtime.messages import Message, VehicleTelemetry
from lander_runtime.rng import stream
from lander_world import thrusters
from lander_world.parameters import Gauges

Array = NDArray[np.float64]


class Telemetry:
    """Gauges with noise, and contact switches that remember until they are read."""

    def __init__(self, mission: Mission, gauges: Gauges) -> None:
        self._vehicle = mission.vehicle
        self._gauges = gauges
        self._assist = slice(1, 1 + mission.vehicle.assist.count)
        self._quantity_noise = stream(mission.seed, "telemetry/quantity")
        self._pressure_noise = stream(mission.seed, "telemetry/pressure")
        self._touched = 0  # bit i: pad i

    def touch(self, bits: int) -> None:
        """Note which pads touched within a tick (bit i: pad i)."""
        self._touched |= bits

    def message(
        self, tanks: Array, residual_kg: float, table: Array, engines: Array, pressure_fraction: float = 1.0
    ) -> Message:
        """The message of now; forgets touches. `tanks`: usable propellant, kg (the gauge sees all that is there).

        `pressure_fraction`: what is left of the regulated pressure.
        """
        quantity = self._quantity_noise.normal(0.0, self._vehicle.tanks.gauge_sigma_kg, 2)
        share = engines[:, thrusters.THRUST] / table[:, thrusters.FULL_THRUST]
        chambers = share + self._pressure_noise.normal(0.0, self._gauges.chamber_sigma_fraction, len(share))
        touched, self._touched = self._touched, 0
        power, valves_open = self._vehicle.power, _open(engines)
        return VehicleTelemetry(
            tank_pressure_pa=self._tank_pressures(tanks, pressure_fraction),
            propellant_gauge_kg=max(float(tanks[0] + residual_kg + quantity[0]), 0.0),
            rcs_propellant_gauge_kg=max(float(tanks[1] + self._rcs_gauge_error(quantity[1])), 0.0),
            main_chamber_pa=max(float(chambers[0]), 0.0) * self._gauges.main_chamber_pa,
            assist_chamber_pa=np.maximum(chambers[self._assist], 0.0) * self._gauges.assist_chamber_pa,
            main_valve_open=bool(valves_open[0]),
            assist_valve_open=valves_open[self._assist],
            contact=np.array([bool(touched >> i & 1) for i in range(self._vehicle.legs.count)]),
            bus_power_w=power.bus_power_w,
            available_power_w=power.available_power_w,
        )

    def _rcs_gauge_error(self, error_kg: float) -> float:
        """A gauge errs in proportion to its tank."""
        tanks = self._vehicle.tanks
        return error_kg * tanks.rcs_propellant_capacity_kg / tanks.propellant_capacity_kg

    def _tank_pressures(self, tanks: Array, pressure_fraction: float) -> Array:
        """Main tanks under regulated pressure until they run dry; RCS tank in isothermal blow-down."""
        t = self._vehicle.tanks
        share = min(float(tanks[1]) / t.rcs_propellant_capacity_kg, 1.0)
        rcs = 1.0 / (share / t.rcs_pressure_full_pa + (1.0 - share) / t.rcs_pressure_empty_pa)
        main_noise, rcs_noise = self._pressure_noise.normal(0.0, self._gauges.tank_sigma_fraction, 2).tolist()
        main = t.regulated_pressure_pa * pressure_fraction if tanks[0] > 0.0 else 0.0
        main, rcs = main + main_noise * t.regulated_pressure_pa, rcs + rcs_noise * t.rcs_pressure_full_pa
        return np.array([max(main, 0.0), max(rcs, 0.0)])


def _open(engines: Array) -> NDArray[np.bool_]:
    """Which valves were told to be open at the end of the tick."""
    return np.asarray(np.isinf(engines[:, thrusters.END]))
