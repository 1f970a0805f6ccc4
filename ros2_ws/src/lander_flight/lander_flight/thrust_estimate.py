"""What the engines really give: the mass from use and gauge, and the ratio of sensed to expected acceleration."""

from __future__ import annotations

from math import exp, isfinite, log, sqrt

from lander_common.mission import Mission
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import Vector
from lander_flight.braking import ThrustModel
from lander_flight.guidance_parameters import EstimatorParameters
from lander_flight.lander_state import Demand, LanderState, Limits, body_z, combined, dot
from lander_flight.mass_model import MassModel

_MODEL_STEP_KG = 5.0  # of propellant, after which the centre of mass is computed anew: it moves by millimetres


class ThrustEstimate:
    """Mass, kg, and `ratio`: true thrust over mass, relative to nominal thrust over estimated mass.

    The ratio lumps errors of thrust and mass, which cannot be told apart and need not be: both act as acceleration. The
    sensed acceleration is the change of velocity over a step less gravity, not one tick's specific force, because
    pulsed thrusters make single ticks differ.
    """

    def __init__(self, mission: Mission, parameters: EstimatorParameters) -> None:
        self._parameters = parameters
        vehicle, start = mission.vehicle, mission.start
        main, assist = vehicle.main_engine, vehicle.assist
        self.main_n = main.thrust_n
        self.assist_n = assist.count * assist.thrust_n
        self._nominal_n, self.share = self.full_n, 1.0  # thrust at hand over nominal
        self._main_exhaust = main.isp_s * STANDARD_GRAVITY_M_S2
        self._assist_exhaust = assist.isp_s * STANDARD_GRAVITY_M_S2
        self._model = MassModel(vehicle, start.propellant_kg, start.rcs_propellant_kg)
        self._dry_kg = vehicle.mass.dry_kg
        self._unusable_kg = vehicle.mass.unusable_propellant_kg
        self._propellant_kg, self._rcs_kg = start.propellant_kg, start.rcs_propellant_kg
        self._modelled_kg = self._propellant_kg
        self._capacity_kg = vehicle.tanks.propellant_capacity_kg
        self._gauged = False
        self.ratio = 1.0
        self.acceleration_m_s2 = 0.0  # sensed specific force along body z, mean over the last step
        self._last: LanderState | None = None
        self._engines = (False, False)
        self._since_change_s = 0.0

    def engines(self, main_n: float, assist_n: float) -> None:
        """Take note of what the engines are found to give at most, N; nominal thrusts until then."""
        self.main_n, self.assist_n = main_n, assist_n
        self.share = min(self.full_n / self._nominal_n, 1.0)

    @property
    def mass_kg(self) -> float:
        """Estimated mass."""
        return self._dry_kg + self._propellant_kg + self._rcs_kg

    @property
    def usable_kg(self) -> float:
        """Estimated usable propellant."""
        return max(self._propellant_kg - self._unusable_kg, 0.0)

    @property
    def full_n(self) -> float:
        """Thrust of all engines that work."""
        return self.main_n + self.assist_n

    @property
    def com_height_m(self) -> float:
        """Height of the centre of mass over the pads."""
        if abs(self._modelled_kg - self._propellant_kg) > _MODEL_STEP_KG:
            self._model.update(self._propellant_kg, self._rcs_kg)
            self._modelled_kg = self._propellant_kg
        return self._model.com_body_m[2]

    def limits(self) -> Limits:
        """What the engines can give now."""
        return Limits(self.acceleration(self.main_n), self.acceleration(self.assist_n))

    def acceleration(self, thrust_n: float) -> float:
        """What a commanded (nominal) thrust gives now, m/s2."""
        return self.ratio * thrust_n / self.mass_kg

    def thrust(self, acceleration_m_s2: float) -> float:
        """Thrust to command for an acceleration, N."""
        return acceleration_m_s2 * self.mass_kg / self.ratio

    def model(self) -> ThrustModel:
        """What the engines can give, for the braking solver."""
        return ThrustModel(
            full_acceleration_m_s2=self.acceleration(self.full_n),
            main_share=self.main_n / self.full_n,
            main_exhaust_velocity_m_s=self._main_exhaust,
            assist_exhaust_velocity_m_s=self._assist_exhaust,
        )

    def delta_v(self, thrust_n: float, time_s: float) -> float:
        """Velocity change, m/s, of a constant thrust with the main engine on, over a time (Tsiolkovsky)."""
        spent = min(self.ratio * self._flow(thrust_n, True, True) * time_s / self.mass_kg, 0.95)
        return -thrust_n / self._flow(thrust_n, True, True) * log(1.0 - spent)

    def gauge(self, propellant_kg: float, rcs_propellant_kg: float, step_s: float) -> None:
        """Draw the estimate slowly towards the gauges; one that is far off is broken and counts little.

        The first reading replaces a plan that it contradicts: then this copy was started in mid-flight.
        """
        most = self._parameters.gauge_outlier_kg
        first, self._gauged = not self._gauged, True
        if first and 0.0 <= propellant_kg <= self._capacity_kg and abs(propellant_kg - self._propellant_kg) > most:
            self._propellant_kg = propellant_kg
        weight = 1.0 - exp(-step_s / self._parameters.gauge_time_constant_s)
        for_main = weight * _limited(propellant_kg - self._propellant_kg, most)
        for_rcs = weight * _limited(rcs_propellant_kg - self._rcs_kg, most)
        self._propellant_kg = max(self._propellant_kg + for_main, 0.0)
        self._rcs_kg = max(self._rcs_kg + for_rcs, 0.0)

    def update(self, state: LanderState, demanded: Demand) -> None:
        """Take in a state, and what had been demanded since the one before."""
        last, self._last = self._last, state
        thrust_n, main_engine, assist_engines = demanded.thrust_n, demanded.main_engine, demanded.assist_engines
        if last is None:
            return
        step_s = state.time_s - last.time_s
        self._propellant_kg -= self.ratio * self._flow(thrust_n, main_engine, assist_engines) * step_s
        self._propellant_kg = max(self._propellant_kg, 0.0)
        self._since_change_s += step_s
        if (main_engine, assist_engines) != self._engines:
            self._engines, self._since_change_s = (main_engine, assist_engines), 0.0
        if 0.0 < step_s < self._parameters.longest_step_s:
            self.acceleration_m_s2 = _sensed(last, state, step_s)
            if self._since_change_s > self._parameters.settle_s and thrust_n > self._parameters.least_thrust_n:
                self._learn(thrust_n, step_s)

    def _flow(self, thrust_n: float, main_engine: bool, assist_engines: bool) -> float:
        """Nominal propellant flow, kg/s."""
        main_n = self.main_n if main_engine else 0.0
        assist_n = max(thrust_n - main_n, 0.0) if assist_engines else 0.0
        return main_n / self._main_exhaust + assist_n / self._assist_exhaust

    def _learn(self, thrust_n: float, step_s: float) -> None:
        p = self._parameters
        deviation = _limited(self.acceleration_m_s2 / self.acceleration(thrust_n) - 1.0, p.outlier)
        weight = 1.0 - exp(-step_s / p.thrust_time_constant_s)
        self.ratio = min(max(self.ratio * (1.0 + weight * deviation), p.ratio_range[0]), p.ratio_range[1])


def _sensed(last: LanderState, state: LanderState, step_s: float) -> float:
    """Mean acceleration over a step less gravity at its middle, along body z, m/s2."""
    x, y, z = (0.5 * (a + b) for a, b in zip(last.r_mci, state.r_mci, strict=True))
    ax, ay, az = ((b - a) / step_s for a, b in zip(last.v_mci, state.v_mci, strict=True))
    g = GM_M3_S2 / (x * x + y * y + z * z) ** 1.5
    return dot((ax + g * x, ay + g * y, az + g * z), body_z(state.q_mci_body))


def _limited(value: float, most: float) -> float:
    """The value between -most and most; nothing where it is not a number."""
    return min(max(value, -most), most) if isfinite(value) else 0.0


def gravity(position: Vector, radius_m: float) -> Vector:
    """Gravity, m/s2, in approach, at a position near the target; `radius_m` is that of the target."""
    x, y, z = position[0], position[1], position[2] + radius_m
    r2 = x * x + y * y + z * z
    g = -GM_M3_S2 / (r2 * sqrt(r2))
    return (g * x, g * y, g * z)


def thrust_of(acceleration: Vector, gravity_m_s2: Vector) -> Vector:
    """Thrust acceleration that gives an acceleration under gravity."""
    return combined(1.0, acceleration, -1.0, gravity_m_s2)
