"""Attitude control: a rate wanted from the attitude error, and a torque or a pulse from the rate error."""

from __future__ import annotations

from math import copysign, sqrt

from lander_common.quaternion import Vector


def slew_speed(angle_rad: float, gain_per_s: float, deceleration_rad_s2: float, limit_rad_s: float) -> float:
    """Speed of approach wanted at a distance from the target, rad/s.

    Proportional when near; further out the speed that a constant deceleration can still stop,
    sqrt(2 a (angle - a / 2 k^2)), which continues the line without a step or a kink; at most the limit (eigenaxis slews
    under rate and torque limits: Wie and Lu 1995).
    """
    near = deceleration_rad_s2 / (gain_per_s * gain_per_s)
    speed = gain_per_s * angle_rad if angle_rad <= near else sqrt(2.0 * deceleration_rad_s2 * (angle_rad - 0.5 * near))
    return speed if speed < limit_rad_s else limit_rad_s


def beyond(value: float, band: float) -> float:
    """What a value exceeds a symmetric band by, with its sign; 0 inside."""
    return copysign(abs(value) - band, value) if abs(value) > band else 0.0


def mean(a: Vector, b: Vector) -> Vector:
    """The vector in the middle of two."""
    return (0.5 * (a[0] + b[0]), 0.5 * (a[1] + b[1]), 0.5 * (a[2] + b[2]))


def clipped(value: float, limit: float) -> float:
    """What of a value is within -limit and limit."""
    return value if -limit <= value <= limit else copysign(limit, value)


def wanted_rate(error: Vector, accelerations: Vector, gain_per_s: float, limit_rad_s: float) -> Vector:
    """Body rate that leads along the shortest rotation to the target, rad/s.

    `error`: rotation vector from the actual to the wanted attitude, rad. `accelerations`: that each axis can be stopped
    with, rad/s2; the slew uses what all axes can give at once along its axis of rotation.
    """
    ex, ey, ez = error
    angle = sqrt(ex * ex + ey * ey + ez * ez)
    if angle == 0.0:
        return (0.0, 0.0, 0.0)
    ax, ay, az = accelerations
    deceleration = 1.0 / max(abs(ex) / (ax * angle), abs(ey) / (ay * angle), abs(ez) / (az * angle))
    per_angle = slew_speed(angle, gain_per_s, deceleration, limit_rad_s) / angle
    return (ex * per_angle, ey * per_angle, ez * per_angle)


def pulse_rate(rate_error: float, error_beyond: float, drift_rad_s: float, tolerance_rad_s: float) -> float:
    """Change of rate that a pulse should bring now, rad/s; 0 for no pulse.

    `rate_error`: wanted less actual. Inside the deadband (`error_beyond` 0) any drift below a limit is let be; outside,
    the rate wanted is met to within a tolerance, which must not be less than the smallest pulse gives, so that no pulse
    overshoots into one the other way (phase plane and limit cycle of on-off thrusters: Sidi 1997, chapter 9).
    """
    allowed = drift_rad_s if error_beyond == 0.0 else tolerance_rad_s
    return rate_error if abs(rate_error) >= allowed else 0.0


class RateObserver:
    """Body rate and the lever arm of the thrust, from measured rates and commanded impulses (Luenberger 1971).

    It predicts with the torque that was commanded, so that the controller sees its own pulses at once and does not give
    them twice, and it corrects slowly with the measurement, which takes the noise out. The torque left unexplained is
    put down to a lever arm times the thrust: it vanishes when the engines stop, and is there again when they start.
    """

    __slots__ = ("_arm_limit_m", "_bandwidth", "_pending", "arm_body_m", "mean_w_body", "w_body")

    def __init__(self, bandwidth_rad_s: float, arm_limit_m: float) -> None:
        self._bandwidth = bandwidth_rad_s
        self._arm_limit_m = arm_limit_m
        self._pending: Vector = (0.0, 0.0, 0.0)  # N m s, commanded but not there yet
        self.w_body: Vector = (0.0, 0.0, 0.0)  # rad/s, at the end of the newest tick
        self.mean_w_body: Vector = (0.0, 0.0, 0.0)  # rad/s, over that tick: what a gyro measures of it
        self.arm_body_m: Vector = (0.0, 0.0, 0.0)  # torque per thrust

    def predict(self, impulse_n_m_s: Vector, late: float, thrust_n: float, inertia: Vector, step_s: float) -> None:
        """Advance over a tick in which an angular impulse was commanded, of which the part `late` comes in the next."""
        self.w_body, self.mean_w_body = self.foresee(impulse_n_m_s, late, thrust_n, inertia, step_s)
        jx, jy, jz = impulse_n_m_s
        self._pending = (late * jx, late * jy, late * jz)

    def foresee(
        self, impulse_n_m_s: Vector, late: float, thrust_n: float, inertia: Vector, step_s: float
    ) -> tuple[Vector, Vector]:
        """Rate at the end of such a tick, and its mean over the tick, rad/s; pulses of a long one are at its beginning."""
        jx, jy, jz = impulse_n_m_s
        px, py, pz = self._pending
        ax, ay, az = self.arm_body_m
        wx, wy, wz = self.w_body
        ix, iy, iz = inertia
        now = 1.0 - late
        s = thrust_n * step_s
        end = (
            wx + (px + now * jx + s * ax + step_s * (iy - iz) * wy * wz) / ix,
            wy + (py + now * jy + s * ay + step_s * (iz - ix) * wz * wx) / iy,
            wz + (pz + now * jz + s * az + step_s * (ix - iy) * wx * wy) / iz,
        )
        return end, mean(self.w_body, end) if late > 0.0 else end

    def correct(self, w_measured: Vector, thrust_n: float, inertia: Vector, step_s: float) -> None:
        """Take in the mean rate that was measured over a tick; both poles of the error are at the bandwidth."""
        wx, wy, wz = self.w_body
        mx, my, mz = self.mean_w_body
        dx, dy, dz = w_measured[0] - mx, w_measured[1] - my, w_measured[2] - mz
        k = self._bandwidth * step_s
        gain = 2.0 * k / (1.0 + 2.0 * k)
        self.w_body = (wx + gain * dx, wy + gain * dy, wz + gain * dz)
        if thrust_n > 0.0:
            arm_gain = self._bandwidth * k / (thrust_n * (1.0 + 2.0 * k))
            ax, ay, az = self.arm_body_m
            ix, iy, iz = inertia
            limit = self._arm_limit_m
            ax, ay, az = ax + arm_gain * ix * dx, ay + arm_gain * iy * dy, az + arm_gain * iz * dz
            self.arm_body_m = (clipped(ax, limit), clipped(ay, limit), clipped(az, limit))

    def restart(self, w_measured: Vector) -> None:
        """Begin with a measured rate."""
        self.w_body = self.mean_w_body = w_measured
        self._pending = (0.0, 0.0, 0.0)

    def coming_rate(self, inertia: Vector) -> Vector:
        """Rate with the impulse that is still on its way, rad/s."""
        px, py, pz = self._pending
        wx, wy, wz = self.w_body
        return (wx + px / inertia[0], wy + py / inertia[1], wz + pz / inertia[2])
