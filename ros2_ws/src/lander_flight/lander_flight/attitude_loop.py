"""The attitude loop: which torque the assist ring should give, and which impulses the RCS."""

from __future__ import annotations

from math import copysign, radians

from lander_common.quaternion import Vector
from lander_flight.attitude_control import beyond, pulse_rate, wanted_rate
from lander_flight.throttle_parameters import DeadbandParameters, ThrottleParameters


class Deadband:
    """What the RCS lets be, in radians."""

    __slots__ = ("angle", "drift", "tolerance")

    def __init__(self, parameters: DeadbandParameters) -> None:
        self.angle = radians(parameters.attitude_deg)
        self.drift = radians(parameters.drift_rate_deg_s)
        self.tolerance = radians(parameters.rate_tolerance_deg_s)


class AttitudeLoop:
    """Rate wanted from the attitude error; from the rate error a torque (ring) or a pulse (RCS)."""

    def __init__(self, parameters: ThrottleParameters, rcs_torque_n_m: Vector, rcs_smallest_n_m_s: Vector) -> None:
        attitude = parameters.attitude
        self._rate_gain = 2.0 * attitude.damping * attitude.natural_frequency_rad_s
        self._angle_gain = 0.5 * attitude.natural_frequency_rad_s / attitude.damping
        self._limit_rad_s = radians(attitude.slew_rate_limit_deg_s)
        self._fraction = attitude.torque_fraction
        self._sampled_gain = attitude.sampled_gain_limit
        self._coast, self._powered = Deadband(parameters.rcs.coast), Deadband(parameters.rcs.powered)
        self.rcs_torque_n_m = rcs_torque_n_m
        self.rcs_smallest_n_m_s = rcs_smallest_n_m_s

    def control(
        self,
        error: Vector,
        w_wanted: Vector,
        rate: Vector,
        inertia: Vector,
        ring_torque_n_m: float,
        powered: bool,
        tick_s: float,
    ) -> tuple[Vector, Vector]:
        """Torque for the ring, N m, and angular impulse for the RCS in the coming tick, N m s, both in body.

        `error`: rotation vector from the actual to the wanted attitude, rad. `w_wanted`: feed-forward rate, `rate`:
        actual rate, rad/s. `ring_torque_n_m`: what the ring can give about x and y, 0 where the RCS has to hold them.
        """
        by_ring = ring_torque_n_m > 0.0
        band = self._powered if powered else self._coast
        rx, ry, rz = self.rcs_torque_n_m
        ix, iy, iz = inertia
        if by_ring:
            rx = ry = ring_torque_n_m
            outside = (error[0], error[1], beyond(error[2], band.angle))
        else:
            outside = (beyond(error[0], band.angle), beyond(error[1], band.angle), beyond(error[2], band.angle))
        stop = (self._fraction * rx / ix, self._fraction * ry / iy, self._fraction * rz / iz)
        gain = min(self._angle_gain, self._sampled_gain / tick_s)
        approach = wanted_rate(outside, stop, gain, self._limit_rad_s)
        dx = w_wanted[0] + approach[0] - rate[0]
        dy = w_wanted[1] + approach[1] - rate[1]
        dz = w_wanted[2] + approach[2] - rate[2]
        pulse_z = self._pulse(2, dz, outside[2], band, iz, tick_s)
        if by_ring:
            torque = (self._rate_gain * ix * dx, self._rate_gain * iy * dy, 0.0)
            return torque, (0.0, 0.0, pulse_z)
        pulse_x = self._pulse(0, dx, outside[0], band, ix, tick_s)
        pulse_y = self._pulse(1, dy, outside[1], band, iy, tick_s)
        return (0.0, 0.0, 0.0), (pulse_x, pulse_y, pulse_z)

    def _pulse(
        self, axis: int, rate_error: float, outside: float, band: Deadband, inertia: float, tick_s: float
    ) -> float:
        """Impulse of the RCS about an axis, N m s."""
        smallest = self.rcs_smallest_n_m_s[axis] / inertia
        if outside != 0.0:  # come back with half the smallest pulse, so that pulses at both edges can be the smallest
            rate_error += copysign(0.5 * smallest, outside)
        change = inertia * pulse_rate(rate_error, outside, max(band.drift, smallest), max(band.tolerance, smallest))
        most = self.rcs_torque_n_m[axis] * tick_s
        return min(max(change, -most), most)
