"""The least propellant with which the vehicle can land: what its guidance is measured against.

Full thrust from ignition to the ground, optimal steering on a spherical Moon that does not turn, landing anywhere along
the orbit's ground track. Solved by Pontryagin's principle and shooting: with the mass flow constant, least propellant
is least time, and the thrust points along the costate of velocity (Lawden 1963, primer vector). In polar coordinates
the costate of the central angle is zero because the range is free (Bryson and Ho 1975, section 2.5).
"""

from __future__ import annotations

from dataclasses import dataclass
from math import sqrt

import numpy as np
from scipy.integrate import solve_ivp
from scipy.optimize import minimize_scalar, root

from lander_common.frames import Array
from lander_common.mission import Mission
from lander_common.moon import GM_M3_S2, REFERENCE_RADIUS_M, STANDARD_GRAVITY_M_S2

_TOLERANCE = 1e-10  # of the integration, relative
_STEERING_GUESS = (
    0.6,
    0.25,
)  # costates of radius (scaled) and of climb over that of transverse speed: near a usual landing


@dataclass(frozen=True)
class PlanarState:
    """Position and velocity in the orbit's plane."""

    radius_m: float
    radial_speed_m_s: float  # up
    transverse_speed_m_s: float  # forward


@dataclass(frozen=True)
class Propulsion:
    """A vehicle of constant thrust."""

    mass_kg: float
    thrust_n: float
    exhaust_velocity_m_s: float

    @property
    def mass_flow_kg_s(self) -> float:
        """Propellant burnt per second."""
        return self.thrust_n / self.exhaust_velocity_m_s


@dataclass(frozen=True)
class OptimalDescent:
    """A fuel-optimal descent and its history; arrays have one element per time."""

    coast_s: float  # before ignition
    burn_s: float
    propellant_kg: float
    downrange_m: float  # along the ground, from ignition to touchdown
    time_s: Array  # from ignition
    radius_m: Array
    radial_speed_m_s: Array
    transverse_speed_m_s: Array
    pitch_rad: Array  # of the thrust above the local horizontal, against the motion
    mass_kg: Array


class NoOptimumError(RuntimeError):
    """The shooting method did not converge."""


def optimal_descent(
    start: PlanarState, ground_radius_m: float, propulsion: Propulsion, samples: int = 200
) -> OptimalDescent:
    """Least-propellant landing with ignition at once. Raises NoOptimumError where no solution is found."""
    problem = _Problem(start, ground_radius_m, propulsion)
    speed = start.transverse_speed_m_s
    flow = propulsion.mass_flow_kg_s
    burn_guess = 1.03 * propulsion.mass_kg / flow * (1.0 - np.exp(-speed / propulsion.exhaust_velocity_m_s))
    guess = np.array([*_STEERING_GUESS, burn_guess / problem.time_scale])
    solution = root(problem.miss, guess, method="hybr", options={"xtol": 1e-12})
    if np.max(np.abs(problem.miss(solution.x))) > 1e-7:
        raise NoOptimumError(f"the shooting method stopped: {solution.message}")
    return problem.descent(solution.x, samples)


def optimal_descent_with_coast(
    start: PlanarState, ground_radius_m: float, propulsion: Propulsion, longest_coast_s: float
) -> OptimalDescent:
    """Least-propellant landing with the best moment of ignition within a time on the coasting orbit."""

    def propellant(coast_s: float) -> float:
        return optimal_descent(coasted(start, coast_s), ground_radius_m, propulsion).propellant_kg

    best = minimize_scalar(propellant, bounds=(0.0, longest_coast_s), method="bounded", options={"xatol": 1.0})
    descent = optimal_descent(coasted(start, float(best.x)), ground_radius_m, propulsion)
    return OptimalDescent(**{**descent.__dict__, "coast_s": float(best.x)})


def coasted(start: PlanarState, time_s: float) -> PlanarState:
    """The state after a time without thrust (Kepler orbit, integrated)."""
    if time_s <= 0.0:
        return start

    def rates(_: float, y: Array) -> list[float]:
        r, vr, vt = y
        return [vr, vt * vt / r - GM_M3_S2 / r**2, -vr * vt / r]

    y0 = [start.radius_m, start.radial_speed_m_s, start.transverse_speed_m_s]
    end = solve_ivp(rates, (0.0, time_s), y0, method="DOP853", rtol=_TOLERANCE, atol=1e-6).y[:, -1]
    return PlanarState(*(float(value) for value in end))


def propulsion_of(mission: Mission) -> Propulsion:
    """Full thrust of the mission's vehicle, its mean exhaust velocity, and its mass at the descent altitude."""
    vehicle, start = mission.vehicle, mission.start
    main, assist = vehicle.main_engine, vehicle.assist
    flow = (main.thrust_n / main.isp_s + assist.count * assist.thrust_n / assist.isp_s) / STANDARD_GRAVITY_M_S2
    mass = vehicle.mass.dry_kg + start.propellant_kg + start.rcs_propellant_kg
    if start.kind == "deorbit":
        mass *= np.exp(-_deorbit_delta_v(mission) / (main.isp_s * STANDARD_GRAVITY_M_S2))
    return Propulsion(mass, vehicle.full_thrust_n, vehicle.full_thrust_n / flow)


def descent_state(mission: Mission) -> PlanarState:
    """Where the powered descent may begin: at the descent altitude of the descent orbit, going down."""
    apolune, perilune = (REFERENCE_RADIUS_M + h for h in (mission.start.apolune_m, mission.start.perilune_m))
    r = REFERENCE_RADIUS_M + mission.start.descent_altitude_m
    angular_momentum = sqrt(2.0 * GM_M3_S2 * apolune * perilune / (apolune + perilune))
    speed_squared = GM_M3_S2 * (2.0 / r - 2.0 / (apolune + perilune))
    transverse = angular_momentum / r
    return PlanarState(r, -sqrt(speed_squared - transverse**2), transverse)


def propellant_bound(mission: Mission) -> OptimalDescent:
    """The bound for a mission: from its descent altitude to the height of its site, ignition at once."""
    ground = REFERENCE_RADIUS_M + mission.site.elevation_m
    return optimal_descent(descent_state(mission), ground, propulsion_of(mission))


def _deorbit_delta_v(mission: Mission) -> float:
    apolune, perilune = (REFERENCE_RADIUS_M + h for h in (mission.start.apolune_m, mission.start.perilune_m))
    circle = sqrt(GM_M3_S2 / apolune)
    return circle * (1.0 - sqrt(2.0 * perilune / (apolune + perilune)))


class _Problem:
    """The two-point boundary value problem in units of the ground radius, its circular speed and the initial mass."""

    def __init__(self, start: PlanarState, ground_radius_m: float, propulsion: Propulsion) -> None:
        self.length_scale = ground_radius_m
        self.speed_scale = sqrt(GM_M3_S2 / ground_radius_m)
        self.time_scale = ground_radius_m / self.speed_scale
        self.mass_scale = propulsion.mass_kg
        self.acceleration = propulsion.thrust_n / propulsion.mass_kg * self.time_scale / self.speed_scale
        self.flow = propulsion.mass_flow_kg_s / propulsion.mass_kg * self.time_scale
        self.start = (
            start.radius_m / self.length_scale,
            0.0,
            start.radial_speed_m_s / self.speed_scale,
            start.transverse_speed_m_s / self.speed_scale,
        )

    def rates(self, t: float, y: Array) -> list[float]:
        """State (radius, angle, radial and transverse speed) and costates (of radius and of both speeds)."""
        r, _, vr, vt, pr, pvr, pvt = y
        a = self.acceleration / (1.0 - self.flow * t) / sqrt(pvr * pvr + pvt * pvt)
        return [
            vr,
            vt / r,
            vt * vt / r - 1.0 / r**2 + a * pvr,
            -vr * vt / r + a * pvt,
            pvr * (vt * vt / r**2 - 2.0 / r**3) - pvt * vr * vt / r**2,
            -pr + pvt * vt / r,
            -2.0 * pvr * vt / r + pvt * vr / r,
        ]

    def integrate(self, unknowns: Array, times: Array | None = None) -> Array:
        """History for the unknowns: costates of radius and radial speed over that of transverse speed; burn time."""
        pr, pvr, duration = unknowns
        duration = min(float(duration), 0.999 / self.flow)
        y0 = [*self.start, pr, pvr, -1.0]
        solution = solve_ivp(
            self.rates, (0.0, duration), y0, method="DOP853", rtol=_TOLERANCE, atol=1e-12, t_eval=times
        )
        return np.asarray(solution.y)

    def miss(self, unknowns: Array) -> Array:
        """What is left of height above the ground, of radial and of transverse speed at the end, scaled."""
        end = self.integrate(unknowns)[:, -1]
        return np.array([end[0] - 1.0, end[2], end[3]])

    def descent(self, unknowns: Array, samples: int) -> OptimalDescent:
        """The solution in SI units."""
        duration = float(unknowns[2])
        times = np.linspace(0.0, duration, samples)
        r, angle, vr, vt, _, pvr, pvt = self.integrate(unknowns, times)
        mass = self.mass_scale * (1.0 - self.flow * times)
        return OptimalDescent(
            coast_s=0.0,
            burn_s=duration * self.time_scale,
            propellant_kg=float(self.mass_scale - mass[-1]),
            downrange_m=float(angle[-1]) * self.length_scale,
            time_s=times * self.time_scale,
            radius_m=r * self.length_scale,
            radial_speed_m_s=vr * self.speed_scale,
            transverse_speed_m_s=vt * self.speed_scale,
            pitch_rad=np.arctan2(pvr, -pvt),
            mass_kg=mass,
        )
