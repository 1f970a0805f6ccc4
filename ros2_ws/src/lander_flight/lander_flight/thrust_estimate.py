"""What the engines really give: the mass from use and gauge, and the ratio of sensed to expected acceleration."""

from __future__ import annotations

from math import exp, sqrt

from lander_common.mission import Mission
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import Vector, rotate
from lander_flight.guidance_parameters import EstimatorParameters
from lander_flight.lander_state import LanderState, dot
from lander_flight.mass_model import MassModel


class ThrustEstimate:
    """Mass, kg, and `ratio`: true thrust over mass, relative to nominal thrust over estimated mass.

    The ratio lumps errors of thrust and mass, which cannot be told apart and need not be: both act as acceleration. The
    sensed acceleration is the change of velocity over a step less gravity, not one tick's specific force, because pulsed
    thrusters make single ticks differ.
    """

    def __init__(self, mission: Mission, parameters: EstimatorParameters) -> None:
        self._parameters = parameters
        main, assist = mission.vehicle.main_engine, mission.vehicle.assist
        self._main_n = main.thrust_n
        self._main_exhaust = main.isp_s * STANDARD_GRAVITY_M_S2
        self._assist_exhaust = assist.isp_s * STANDARD_GRAVITY_M_S2
        start = mission.start
        self._model = MassModel(mission.vehicle, start.propellant_kg, start.rcs_propellant_kg)
        self._propellant_kg, self._rcs_kg = start.propellant_kg, start.rcs_propellant_kg
        self.ratio = 1.0
        self.acceleration_m_s2 = 0.0  # sensed, along body z
        self._last: LanderState | None = None
        self._engines = (False, False)
        self._since_change_s = 0.0

    @property
    def mass_kg(self) -> float:
        """Estimated mass."""
        return self._model.mass_kg

    @property
    def com_height_m(self) -> float:
        """Height of the centre of mass over the pads."""
        return self._model.com_body_m[2]

    def gauge(self, propellant_kg: float, rcs_propellant_kg: float, step_s: float) -> None:
        """Draw the estimate slowly towards a gauge reading; one that is far off is a broken gauge and counts little."""
        weight = 1.0 - exp(-step_s / self._parameters.gauge_time_constant_s)
        for_main = min(max(propellant_kg - self._propellant_kg, -10.0), 10.0)
        if for_main == for_main:  # not NaN
            self._propellant_kg = max(self._propellant_kg + weight * for_main, 0.0)
        self._rcs_kg = rcs_propellant_kg if 0.0 <= rcs_propellant_kg <= 2.0 * self._rcs_kg + 1.0 else self._rcs_kg

    def update(self, state: LanderState, thrust_n: float, main_engine: bool, assist_engines: bool) -> None:
        """Take in a state; the rest is what had been commanded since the one before."""
        last, self._last = self._last, state
        if last is None:
            return
        step_s = state.time_s - last.time_s
        self._spend(thrust_n, main_engine, assist_engines, step_s)
        if (main_engine, assist_engines) != self._engines:
            self._engines, self._since_change_s = (main_engine, assist_engines), 0.0
        self._since_change_s += step_s
        if step_s <= 0.0 or step_s > 0.5:
            return
        self._sense(last, state, step_s)
        if self._since_change_s > self._parameters.settle_s and thrust_n > 0.2 * self._main_n:
            self._learn(thrust_n, step_s)

    def _spend(self, thrust_n: float, main_engine: bool, assist_engines: bool, step_s: float) -> None:
        main_n = self._main_n if main_engine else 0.0
        assist_n = max(thrust_n - main_n, 0.0) if assist_engines else 0.0
        flow = main_n / self._main_exhaust + assist_n / self._assist_exhaust
        self._propellant_kg = max(self._propellant_kg - self.ratio * flow * step_s, 0.0)
        self._model.update(self._propellant_kg, self._rcs_kg)

    def _sense(self, last: LanderState, state: LanderState, step_s: float) -> None:
        """Mean acceleration over the step less gravity at its middle, along body z."""
        x, y, z = (0.5 * float(a + b) for a, b in zip(last.r_mci, state.r_mci, strict=True))
        g = GM_M3_S2 / (x * x + y * y + z * z) ** 1.5
        dv = state.v_mci - last.v_mci
        sensed: Vector = (
            float(dv[0]) / step_s + g * x,
            float(dv[1]) / step_s + g * y,
            float(dv[2]) / step_s + g * z,
        )
        self.acceleration_m_s2 = dot(sensed, rotate(state.q_mci_body, (0.0, 0.0, 1.0)))

    def _learn(self, thrust_n: float, step_s: float) -> None:
        expected = self.ratio * thrust_n / self.mass_kg
        deviation = self.acceleration_m_s2 / expected - 1.0
        limit = self._parameters.outlier
        deviation = min(max(deviation, -limit), limit)
        if deviation != deviation:
            return
        weight = 1.0 - exp(-step_s / self._parameters.thrust_time_constant_s)
        least, most = self._parameters.ratio_range
        self.ratio = min(max(self.ratio * (1.0 + weight * deviation), least), most)


def gravity(position: Vector, radius_m: float) -> Vector:
    """Gravity, m/s2, in approach, at a position near the target; `radius_m` is that of the target."""
    x, y, z = position[0], position[1], position[2] + radius_m
    r2 = x * x + y * y + z * z
    g = -GM_M3_S2 / (r2 * sqrt(r2))
    return (g * x, g * y, g * z)
