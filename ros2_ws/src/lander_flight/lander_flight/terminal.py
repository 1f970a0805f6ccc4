"""Terminal descent: speed by height on the assist thrusters, horizontal velocity nulled by small tilts."""

from __future__ import annotations

from math import radians, sqrt, tan

from lander_common.quaternion import Vector
from lander_flight.guidance_parameters import TerminalParameters


def profile_speed(height_m: float, deceleration_m_s2: float, end_speed_m_s: float) -> float:
    """Downward speed, m/s, from which a constant net deceleration leads to the end speed after a height: v2 = ve2 + 2 a h."""
    return sqrt(end_speed_m_s**2 + 2.0 * deceleration_m_s2 * max(height_m, 0.0))


def stopping_deceleration(height_m: float, speed_m_s: float, end_speed_m_s: float) -> float:
    """Constant net deceleration, m/s2, that slows to the end speed within a height; infinite if there is no height left."""
    excess = speed_m_s**2 - end_speed_m_s**2
    if speed_m_s <= end_speed_m_s:
        return 0.0
    return excess / (2.0 * height_m) if height_m > 0.0 else float("inf")


def tilt_limit(altitude_m: float, table: tuple[tuple[float, float], ...]) -> float:
    """Largest tilt, rad, at an altitude: linear between the rows of a table of altitude, m, and tilt, deg."""
    below = table[0]
    for row in table:
        if altitude_m <= row[0]:
            span = row[0] - below[0]
            share = (altitude_m - below[0]) / span if span > 0.0 else 0.0
            return radians(below[1] + max(share, 0.0) * (row[1] - below[1]))
        below = row
    return radians(table[-1][1])


class TerminalDescent:
    """The control law of the terminal descent, in approach."""

    def __init__(self, parameters: TerminalParameters) -> None:
        self._parameters = parameters
        self.main_engine = True  # it is still burning when the terminal descent begins

    def command(
        self, position: Vector, velocity: Vector, height_m: float, gravity_m_s2: float, limits: Limits
    ) -> Vector:
        """Thrust acceleration, m/s2, wanted at a height above the beginning of the last slow metres."""
        p = self._parameters
        speed = -velocity[2]
        needed = stopping_deceleration(height_m, speed, p.touchdown_speed_m_s) + gravity_m_s2
        self._choose_engines(needed, limits)
        most = limits.all_m_s2 if self.main_engine else limits.assist_m_s2
        least = limits.main_m_s2 if self.main_engine else p.least_thrust * limits.assist_m_s2
        planned = min(p.deceleration_m_s2, (1.0 - p.thrust_margin) * limits.assist_m_s2 - gravity_m_s2)
        wanted = profile_speed(height_m, planned, p.touchdown_speed_m_s)
        forward = planned if height_m > 0.0 else 0.0
        up = gravity_m_s2 + forward + p.speed_gain_1_s * (speed - wanted)
        if needed < 1e6 and up < needed and speed > wanted:
            up = needed
        up = min(max(up, least), most)
        return self._tilted(position, velocity, height_m, speed, up, most)

    def _choose_engines(self, needed: float, limits: Limits) -> None:
        p = self._parameters
        if needed > p.relight_margin * limits.assist_m_s2:
            self.main_engine = True
        elif needed < p.cutoff_margin * limits.assist_m_s2:
            self.main_engine = False

    def _tilted(
        self, position: Vector, velocity: Vector, height_m: float, speed: float, up: float, most: float
    ) -> Vector:
        """Add the horizontal acceleration that nulls the velocity, within the limit of tilt; the vertical comes first."""
        p = self._parameters
        towards = -p.position_gain_1_s if height_m > p.position_floor_m else 0.0
        vx, vy = towards * position[0], towards * position[1]
        fast = sqrt(vx * vx + vy * vy)
        if fast > p.position_speed_limit_m_s:
            vx, vy = vx * p.position_speed_limit_m_s / fast, vy * p.position_speed_limit_m_s / fast
        ax, ay = p.velocity_gain_1_s * (vx - velocity[0]), p.velocity_gain_1_s * (vy - velocity[1])
        wanted = sqrt(ax * ax + ay * ay)
        largest = up * tan(tilt_limit(height_m, p.tilt_deg))
        if wanted > largest:
            ax, ay = ax * largest / wanted, ay * largest / wanted
        return (ax, ay, up)


class Limits:
    """Thrust accelerations, m/s2, that the engines can give at the present mass."""

    __slots__ = ("all_m_s2", "assist_m_s2", "main_m_s2")

    def __init__(self, main_m_s2: float, assist_m_s2: float) -> None:
        self.main_m_s2 = main_m_s2
        self.assist_m_s2 = assist_m_s2
        self.all_m_s2 = main_m_s2 + assist_m_s2
