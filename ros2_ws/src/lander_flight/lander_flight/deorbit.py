"""Deorbit burn: against the velocity, centred on its planned time, ended on sensed velocity change."""

from __future__ import annotations

from lander_common.moon import GM_M3_S2
from lander_common.quaternion import Vector
from lander_flight.braking import predict_coast
from lander_flight.lander_state import LanderState, combined, dot, norm, scaled, unit


class DeorbitBurn:
    """The plan of the burn and what has been sensed of it."""

    def __init__(self, middle_s: float, delta_v_m_s: float, acceleration_m_s2: float, time_limit_factor: float) -> None:
        """`time_limit_factor`: the burn is over after this many times its planned duration, whatever was sensed."""
        self._delta_v_m_s = self.delta_v_to_go_m_s = delta_v_m_s
        self._acceleration = acceleration_m_s2
        self._middle_s = middle_s
        duration_s = delta_v_m_s / acceleration_m_s2
        self.begin_s = middle_s - 0.5 * duration_s
        self._latest_s = self.begin_s + time_limit_factor * duration_s
        self._direction: Vector | None = None
        self._last: LanderState | None = None
        self._sensed: Vector = (0.0, 0.0, 0.0)

    def resume(self, delta_v_to_go_m_s: float) -> None:
        """Go on with so much of the velocity change still to come."""
        self._delta_v_m_s = self.delta_v_to_go_m_s = delta_v_to_go_m_s

    def direction(self, state: LanderState) -> Vector:
        """Thrust direction in mci: against the velocity at the middle of the burn, chosen once."""
        if self._direction is None:
            _, v = predict_coast(state.r_mci, state.v_mci, self._middle_s - state.time_s)
            self._direction = unit(scaled(v, -1.0))
        return self._direction

    def is_over(self, state: LanderState, step_s: float) -> bool:
        """Take in a state; whether to cut now: nearer to the plan than a step later, or far too late."""
        last, self._last = self._last, state
        if last is not None and self.begin_s < state.time_s:
            self._sensed = combined(1.0, self._sensed, 1.0, _sensed_change(last, state))
        self.delta_v_to_go_m_s = self._delta_v_m_s - dot(self._sensed, self.direction(state))
        return self.delta_v_to_go_m_s < 0.5 * self._acceleration * step_s or state.time_s > self._latest_s

    def time_to_go_s(self, state: LanderState) -> float:
        """Time to the end of the burn."""
        return max(self.begin_s - state.time_s, 0.0) + self.delta_v_to_go_m_s / self._acceleration


def _sensed_change(last: LanderState, state: LanderState) -> Vector:
    """Velocity change that gravity does not explain: trapezoidal rule over a step."""
    step_s = state.time_s - last.time_s
    g0, g1 = _gravity(last.r_mci), _gravity(state.r_mci)
    gained = combined(1.0, state.v_mci, -1.0, last.v_mci)
    return combined(1.0, gained, -0.5 * step_s, combined(1.0, g0, 1.0, g1))


def _gravity(r_mci: Vector) -> Vector:
    return scaled(r_mci, -GM_M3_S2 / norm(r_mci) ** 3)
