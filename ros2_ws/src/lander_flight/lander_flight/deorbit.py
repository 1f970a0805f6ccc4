"""Deorbit burn: against the velocity, centred on its planned time, ended on sensed velocity change."""

from __future__ import annotations

from lander_common.frames import Array
from lander_common.moon import GM_M3_S2
from lander_common.quaternion import Vector
from lander_flight.braking import predict_coast
from lander_flight.guidance_parameters import DeorbitParameters
from lander_flight.lander_state import LanderState, dot, norm, unit


class DeorbitBurn:
    """The plan of the burn and what has been sensed of it."""

    def __init__(
        self, middle_s: float, delta_v_m_s: float, acceleration_m_s2: float, parameters: DeorbitParameters
    ) -> None:
        self._delta_v_m_s = delta_v_m_s
        self._acceleration = acceleration_m_s2
        self._middle_s = middle_s
        duration_s = delta_v_m_s / acceleration_m_s2
        self.begin_s = middle_s - 0.5 * duration_s
        self._latest_s = self.begin_s + parameters.time_limit_factor * duration_s
        self._direction: Vector | None = None
        self._last: LanderState | None = None
        self._sensed: Vector = (0.0, 0.0, 0.0)

    def direction(self, state: LanderState) -> Vector:
        """Thrust direction in mci: against the velocity at the middle of the burn, chosen once."""
        if self._direction is None:
            _, v = predict_coast(state.r_mci, state.v_mci, self._middle_s - state.time_s)
            self._direction = unit((-float(v[0]), -float(v[1]), -float(v[2])))
        return self._direction

    def delta_v_to_go(self, state: LanderState) -> float:
        """Planned less sensed velocity change along the thrust direction, m/s."""
        last, self._last = self._last, state
        if last is not None and self.begin_s < state.time_s:
            self._sensed = _added(self._sensed, _sensed_change(last, state))
        return self._delta_v_m_s - dot(self._sensed, self.direction(state))

    def over(self, state: LanderState, delta_v_to_go: float, step_s: float) -> bool:
        """Whether to cut now: nearer to the plan than a step later, or far too late."""
        return delta_v_to_go < 0.5 * self._acceleration * step_s or state.time_s > self._latest_s


def _sensed_change(last: LanderState, state: LanderState) -> Vector:
    """Velocity change that gravity does not explain: trapezoidal rule over a step."""
    step_s = state.time_s - last.time_s
    g0, g1 = _gravity(last.r_mci), _gravity(state.r_mci)
    x, y, z = (float(b - a) for a, b in zip(last.v_mci, state.v_mci, strict=True))
    half = 0.5 * step_s
    return (x - half * (g0[0] + g1[0]), y - half * (g0[1] + g1[1]), z - half * (g0[2] + g1[2]))


def _gravity(r_mci: Array) -> Vector:
    r = (float(r_mci[0]), float(r_mci[1]), float(r_mci[2]))
    g = -GM_M3_S2 / norm(r) ** 3
    return (g * r[0], g * r[1], g * r[2])


def _added(a: Vector, b: Vector) -> Vector:
    return (a[0] + b[0], a[1] + b[1], a[2] + b[2])
