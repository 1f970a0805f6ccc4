"""Landers and grounds that the tests of lander_world share."""

from __future__ import annotations

from functools import cache
from math import cos, inf, radians, sin

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission, resolve
from lander_common.quaternion import Quaternion, Vector, from_rotation_vector, multiply
from lander_runtime.messages import Message, header_message, zeros
from lander_runtime.subsystem import Inputs, Outputs, Tick
from lander_world import contact
from lander_world.dynamics import advance
from lander_world.gravity import gravity_mcmf, gravity_model
from lander_world.initial_state import Q, R, V
from lander_world.mass import COM, PROPERTIES, mass_properties
from lander_world.parameters import WorldParameters
from lander_world.physics import Physics
from lander_world.plant import Plant, build_plant

Array = NDArray[np.float64]
THRUSTERS = 15
NOTHING = np.zeros(THRUSTERS)
MAIN_ON = np.array([inf] + [0.0] * 14)
FULL_ON = np.array([inf] * 7 + [0.0] * 8)


@cache
def _mission(dispersions: str, seed: int, settings: tuple[tuple[str, str], ...]) -> Mission:
    return resolve("nominal", seed, {"terrain": "flat", "map": "flat", "dispersions": dispersions}, dict(settings))


def mission(dispersions: str = "none", seed: int = 1, **settings: str) -> Mission:
    """The nominal mission on a smooth Moon; settings with __ for the dot (`start__propellant_kg="60"`)."""
    return _mission(dispersions, seed, tuple((key.replace("__", "."), value) for key, value in settings.items()))


def lander(described: Mission | None = None) -> Plant:
    """The plant of a mission (none given: without errors)."""
    described = described or mission()
    return build_plant(described, described.part("world", WorldParameters))


def in_free_space(plant: Plant) -> Plant:
    """The same far from any mass, at the origin, at rest."""
    plant.state[:] = 0.0
    plant.state[R] = 1.0  # not at the singular point
    plant.state[Q + 3] = 1.0
    return plant._replace(gravity=np.zeros(3))


def round_moon(plant: Plant) -> Plant:
    """The same over a Moon without J2 and C22."""
    return plant._replace(gravity=gravity_model(0.0, 0.0))


def with_steps(plant: Plant, step_s: float) -> Plant:
    """The same with all sub-steps alike."""
    return plant._replace(longest_s=(step_s, step_s, step_s))


def run(plant: Plant, duration_s: float, tick_s: float, on_s: Array = NOTHING, start_s: float = 0.0) -> None:
    """Advance in ticks of equal length, far from the ground."""
    for i in range(round(duration_s / tick_s)):
        advance(plant, on_s, start_s + i * tick_s, tick_s, False)


def properties(plant: Plant) -> Array:
    """Mass, centre of mass and inertia now."""
    out = np.empty(PROPERTIES)
    mass_properties(plant.mass, plant.tanks[0] + plant.residual, plant.tanks[1], out)
    return out


def inertia_matrix(plant: Plant) -> Array:
    """Inertia about the centre of mass now, shape (3, 3)."""
    xx, yy, zz, xy, xz, yz = properties(plant)[4:]
    return np.array([[xx, xy, xz], [xy, yy, yz], [xz, yz, zz]])


def surface_gravity(described: Mission) -> float:
    """What a plumb line feels at the target, m/s2: gravity less the centrifugal acceleration, along the vertical."""
    frame = described.site_frame
    r = frame.r_site_mcmf
    rate = 2.6617073e-6  # rad/s, sidereal
    centrifugal = rate**2 * np.array([r[0], r[1], 0.0])
    return -float((np.array(gravity_mcmf(gravity_model(), *r)) + centrifugal) @ frame.R_mcmf_site[:, 2])


def place(plant: Plant, r_com_site: Vector, v_site: Vector, tilt: Quaternion) -> Plant:
    """Put the centre of mass at a place in site at stamp 0, with the attitude q_site_body, not turning in mci."""
    frame = mission().site_frame
    plant.state[:] = 0.0
    plant.state[R : R + 3], plant.state[V : V + 3] = frame.to_mci(np.array(r_com_site), np.array(v_site), 0.0)
    plant.state[Q : Q + 4] = multiply(frame.q_mci_site(0.0), tilt)
    return plant


def on_plane(plant: Plant, slope_deg: float) -> Plant:
    """Ground for all contact points: a plane through the target that rises towards east, and nothing else."""
    normal = (-sin(radians(slope_deg)), 0.0, cos(radians(slope_deg)))
    plant.ground.points[:, contact.NORMAL : contact.NORMAL + 3] = normal
    plant.ground.points[:, contact.LEVEL] = 0.0
    plant.ground.points[:, contact.WITHIN_REACH] = 1.0
    return plant


def leaning(slope_deg: float) -> Quaternion:
    """Attitude q_site_body of a lander that stands square on such a plane."""
    return from_rotation_vector((0.0, -radians(slope_deg), 0.0))


def with_law(plant: Plant, **laws: float) -> Plant:
    """The same with other contact laws."""
    names = ("stiffness", "damping", "friction", "stroke", "bottoming", "crush", "shear", "shear_damping")
    for name, value in laws.items():
        plant.ground.laws[names.index(name)] = value
    return plant


def com(plant: Plant) -> Array:
    """Centre of mass in body now, m."""
    return properties(plant)[COM : COM + 3]


class Bench:
    """Steps a Physics with hand-made throttle commands."""

    def __init__(self, described: Mission) -> None:
        self.physics = Physics(described)
        self.tick = Tick(0, 0, 0)
        self.truth: list[Message] = []
        self.events: list[Message] = []
        self.telemetry: list[Message] = []
        self.result: Message | None = None
        self._keep(self.physics.step(self.tick, Inputs({"throttle_command": None}, set())))

    def command(
        self, main: bool = False, assist_s: float = 0.0, low_rate: bool = False, rcs_s: tuple[float, ...] = ()
    ) -> Message:
        """A throttle command for the tick that begins now."""
        message = zeros("lander_interfaces/msg/ThrottleCommand")
        message.header = header_message(self.tick.stamp_ns, "body")
        message.main_engine, message.low_rate = main, low_rate
        message.assist_on_s = np.full(6, assist_s)
        message.rcs_on_s = np.array(rcs_s or (0.0,) * 8)
        return message

    def step(self, command: Message | None, fresh: bool = True) -> Outputs:
        """One tick."""
        inputs = Inputs({"throttle_command": command}, {"throttle_command"} if fresh and command is not None else set())
        step_ns = self.physics.next_step_ns(inputs)
        self.tick = Tick(self.tick.seq + 1, self.tick.stamp_ns + step_ns, step_ns)
        return self._keep(self.physics.step(self.tick, inputs))

    def _keep(self, outputs: Outputs) -> Outputs:
        self.truth.append(outputs["truth"])
        self.events += outputs.get("events", [])
        if "vehicle_telemetry" in outputs:
            self.telemetry.append(outputs["vehicle_telemetry"])
        self.result = outputs.get("result", self.result)
        return outputs

    def kinds(self) -> list[str]:
        """What happened, in order."""
        return [event.kind for event in self.events]


def falling(height_m: float, v_site: Vector = (0.0, 0.0, 0.0), tilt_deg: float = 0.0, **settings: str) -> Bench:
    """A bench with a nearly empty lander whose pads are that high above the target."""
    bench = Bench(mission(start__propellant_kg="60.0", **settings))
    world = bench.physics.world
    tilt = from_rotation_vector((0.0, radians(tilt_deg), 0.0))
    place(world.plant, (0.0, 0.0, height_m + float(com(world.plant)[2])), v_site, tilt)
    world.look()
    return bench
