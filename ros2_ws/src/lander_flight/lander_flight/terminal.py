"""Terminal descent: speed by height on the assist thrusters, horizontal velocity nulled by small tilts."""

from __future__ import annotations

from math import inf, radians, sqrt, tan

from lander_common.quaternion import Vector
from lander_flight.guidance_parameters import TerminalParameters
from lander_flight.lander_state import Limits, norm, scaled

TiltTable = tuple[tuple[float, float], ...]


def profile_speed(height_m: float, deceleration_m_s2: float, end_speed_m_s: float) -> float:
    """Downward speed, m/s, from which a constant net deceleration leads to the end speed: v^2 = v_end^2 + 2 a h."""
    return sqrt(end_speed_m_s**2 + 2.0 * deceleration_m_s2 * max(height_m, 0.0))


def stopping_deceleration(height_m: float, speed_m_s: float, end_speed_m_s: float) -> float:
    """Constant net deceleration, m/s2, that slows to the end speed within a height; infinite if no height is left."""
    if speed_m_s <= end_speed_m_s:
        return 0.0
    return (speed_m_s**2 - end_speed_m_s**2) / (2.0 * height_m) if height_m > 0.0 else inf


def tilt_limit(altitude_m: float, table: TiltTable) -> float:
    """Largest tilt, rad, at an altitude: linear between the rows (altitude in m, tilt in deg), constant beyond them."""
    below = table[0]
    for row in table:
        if altitude_m <= row[0]:
            share = (altitude_m - below[0]) / (row[0] - below[0]) if row[0] > below[0] else 0.0
            return radians(below[1] + max(share, 0.0) * (row[1] - below[1]))
        below = row
    return radians(table[-1][1])


class TerminalDescent:
    """The control law of the terminal descent, in approach."""

    def __init__(self, parameters: TerminalParameters) -> None:
        self._parameters = parameters
        self.main_engine = True  # it is still burning when the terminal descent begins

    def thrust(
        self,
        position: Vector,
        velocity: Vector,
        height_m: float,
        gravity_m_s2: float,
        limits: Limits,
        end_speed_m_s: float,
    ) -> Vector:
        """Thrust acceleration, m/s2, wanted at a height above where a constant descent at the end speed begins."""
        p = self._parameters
        speed = -velocity[2]
        needed = gravity_m_s2 + stopping_deceleration(height_m, speed, end_speed_m_s)
        self._choose_engines(needed, speed, gravity_m_s2, limits)
        most = p.level_most * limits.all_m_s2 if self.main_engine else limits.assist_m_s2
        least = limits.main_m_s2 if self.main_engine else p.least_thrust * limits.assist_m_s2
        wanted_speed, forward = self._planned(velocity, height_m, gravity_m_s2, limits, end_speed_m_s)
        up = gravity_m_s2 + forward + p.speed_gain_1_s * (speed - wanted_speed)
        if speed > wanted_speed and height_m > 0.0:
            up = max(up, needed)
        up = min(max(up, least), most)
        x, y = self._level(position, velocity, height_m, up * tan(tilt_limit(height_m, p.tilt_deg)))
        wanted = (x, y, up)
        return scaled(wanted, min(most / norm(wanted), 1.0))

    def _choose_engines(self, needed: float, speed: float, gravity_m_s2: float, limits: Limits) -> None:
        """On where stopping needs more than the assist thrusters, unless they stop what speed is left in a few metres."""
        p = self._parameters
        left_m_s = sqrt(2.0 * max(limits.assist_m_s2 - gravity_m_s2, 0.0) * p.relight_height_m)
        if needed > p.relight_margin * limits.assist_m_s2 and speed > left_m_s:
            self.main_engine = True
        elif needed < p.cutoff_margin * limits.assist_m_s2 or speed <= left_m_s:
            self.main_engine = False

    def _planned(
        self, velocity: Vector, height_m: float, gravity_m_s2: float, limits: Limits, end_speed_m_s: float
    ) -> tuple[float, float]:
        """Downward speed wanted at a height, and the deceleration that keeps to it.

        The profile, unless the horizontal velocity would then not be gone at its end.
        """
        p = self._parameters
        if height_m <= 0.0:
            return end_speed_m_s, 0.0
        planned = max(min(p.deceleration_m_s2, (1.0 - p.thrust_margin) * limits.assist_m_s2 - gravity_m_s2), 0.0)
        speed = profile_speed(height_m, planned, end_speed_m_s)
        sideways = sqrt(velocity[0] ** 2 + velocity[1] ** 2) - p.level_free_m_s
        if sideways > 0.0:
            braking = p.level_share * gravity_m_s2 * tan(tilt_limit(height_m, p.tilt_deg))
            slower = 2.0 * height_m * braking / sideways
            if slower < speed:
                return slower, 0.0
        return speed, planned

    def _level(self, position: Vector, velocity: Vector, height_m: float, largest: float) -> tuple[float, float]:
        """Horizontal acceleration, no larger than given: to rest over the target at the floor, and from there on to rest.

        Least effort to a place at rest in a given time: a = -6 r / t^2 - 4 v / t (zero-effort miss and velocity: Ebrahimi,
        Bahrami and Roshanian 2008). A distance counts as no more than d t^2 / 1.5, d the divert deceleration: speed then falls
        with the time left as 1.5 r / t = d t.
        """
        p = self._parameters
        planned, end = (
            profile_speed(height, p.deceleration_m_s2, p.touchdown_speed_m_s)
            for height in (height_m, p.position_floor_m)
        )
        to_go_s = 2.0 * max(height_m - p.position_floor_m, 0.0) / (max(-velocity[2], planned) + end)
        x, y = _limited(position[0], position[1], p.divert_m_s2 * to_go_s**2 / 1.5)
        t = max(to_go_s, 4.0 / p.velocity_gain_1_s)
        far, fast = 6.0 / (t * t), 4.0 / t
        return _limited(-far * x - fast * velocity[0], -far * y - fast * velocity[1], largest)


def _limited(x: float, y: float, most: float) -> tuple[float, float]:
    """The plane vector, shortened to a length where it is longer."""
    length = sqrt(x * x + y * y)
    return (x, y) if length <= most else (x * most / length, y * most / length)
