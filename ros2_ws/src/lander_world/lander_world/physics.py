"""The physics subsystem: owns time, moves the true world tick by tick, says what happened and how the run ended."""

from __future__ import annotations

from typing import ClassVar

import numpy as np

from lander_common.mission import Mission
from lander_runtime.messages import GuidanceCommand, Message, Truth
from lander_runtime.subsystem import Inputs, Outputs, Tick, TimeOwner
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain
from lander_world import report
from lander_world.judge import Judge
from lander_world.parameters import LandingLimits, WorldParameters
from lander_world.telemetry import Telemetry
from lander_world.valves import ValveDrivers
from lander_world.vehicle_events import VehicleEvents
from lander_world.world import World
from lander_world.world_faults import FaultEvents, WorldFaults


class Physics(TimeOwner):
    """The truth."""

    name: ClassVar[str] = "physics"

    def __init__(self, mission: Mission) -> None:
        parameters = mission.part("world", WorldParameters)
        terrain = Terrain.build(mission.part("terrain", TerrainParameters), mission.site, mission.site.ground_seed)
        self.world = World(mission, parameters, terrain.data)
        self._judge = Judge(mission, self.world, terrain, mission.part("limits", LandingLimits))
        self._valves = ValveDrivers(mission.vehicle, parameters.valves.command_hold_s)
        self._events = VehicleEvents(self.world, parameters.tick.powered_s)
        self._telemetry = Telemetry(mission, parameters.telemetry)
        self._faults = WorldFaults(mission, self.world.plant)
        self._fault_events = FaultEvents(mission)
        self._powered_ns = round(parameters.tick.powered_s * 1e9)
        self._coast_ns = round(parameters.tick.coast_s * 1e9)
        self._coast_above_m = parameters.tick.coast_above_m
        self._stamp_ns = 0

    def next_step_ns(self, inputs: Inputs) -> int:
        """A short tick; where flight software asks for it and may have it, a long one, to a whole multiple of it."""
        command = inputs.latest("throttle_command")
        granted = self._judge.at_rest or self.world.altitude_m > self._coast_above_m
        if command is None or not command.low_rate or not granted:
            return self._powered_ns
        return self._coast_ns - self._stamp_ns % self._coast_ns

    @property
    def finished(self) -> bool:
        """Whether the run is over."""
        return self._judge.finished

    @property
    def altitude_m(self) -> float:
        """Altitude of the lowest pad above the terrain, m."""
        return self.world.altitude_m

    @property
    def speed_m_s(self) -> float:
        """Speed over ground, m/s."""
        return self.world.speed_m_s

    @property
    def time_s(self) -> float:
        """Time since stamp 0, s."""
        return self._stamp_ns * 1e-9

    @property
    def propellant_kg(self) -> float:
        """Usable main propellant left, kg."""
        return float(self.world.plant.tanks[0])

    def step(self, tick: Tick, inputs: Inputs) -> Outputs:
        """Move the world to the end of the tick."""
        events: list[Message] = []
        if tick.step_ns:
            on_s = self._faults.apply(tick, self.altitude_m, self._valves.open_times(tick, inputs))
            self.world.move(on_s, (tick.stamp_ns - tick.step_ns) * 1e-9, tick.step_s)
            self._stamp_ns = tick.stamp_ns
            command = inputs.latest("throttle_command")
            given_up = command is not None and command.phase == GuidanceCommand.SAFE
            events = self._events.watch(tick.step_s) + self._judge.watch(given_up)
        events += self._fault_events.watch(tick.stamp_ns, self.altitude_m)
        return self._outputs(tick, events)

    def _outputs(self, tick: Tick, events: list[Message]) -> Outputs:
        self._telemetry.touch(self.world.touching)
        outputs: Outputs = {"truth": truth_message(self.world.report, tick.step_ns, self.world.touching)}
        if self.node.outputs[-1].is_due(tick.previous_ns, tick.stamp_ns):
            plant = self.world.plant
            outputs["vehicle_telemetry"] = self._telemetry.message(
                plant.tanks, plant.residual, plant.table, plant.engines, self._faults.pressure_fraction
            )
        if events:
            outputs["events"] = events
        if self.finished:
            outputs["result"] = self._judge.result()
        return outputs


def truth_message(numbers: np.ndarray[tuple[int], np.dtype[np.float64]], step_ns: int, touching: int) -> Message:
    """The Truth message of a report (`lander_world.report`)."""
    r = report
    altitude, mass, propellant, rcs_propellant, main_thrust, assist_thrust = numbers[r.ALTITUDE :].tolist()
    return Truth(
        step_ns=step_ns,
        r_lander_mci=numbers[r.R_MCI : r.V_MCI],
        v_lander_mci=numbers[r.V_MCI : r.Q_MCI],
        q_mci_body=numbers[r.Q_MCI : r.W_BODY],
        w_mci_body=numbers[r.W_BODY : r.DELTA_V],
        delta_v_body=numbers[r.DELTA_V : r.DELTA_THETA],
        delta_theta_body=numbers[r.DELTA_THETA : r.R_SITE],
        r_lander_site=numbers[r.R_SITE : r.V_SITE],
        v_lander_site=numbers[r.V_SITE : r.Q_SITE],
        q_site_body=numbers[r.Q_SITE : r.COM_BODY],
        r_com_body=numbers[r.COM_BODY : r.ALTITUDE],
        altitude_m=altitude,
        mass_kg=mass,
        propellant_kg=propellant,
        rcs_propellant_kg=rcs_propellant,
        main_thrust_n=main_thrust,
        assist_thrust_n=assist_thrust,
        contact=touching,
    )
