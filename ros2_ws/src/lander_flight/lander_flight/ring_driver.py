"""The assist ring as one actuator: thrust and torque in, valve times out."""

from __future__ import annotations

from lander_common.mission import AssistRing
from lander_common.quaternion import Vector
from lander_flight.allocation import RingAllocation
from lander_flight.pulse_width import PulseWidthModulator


class RingDriver:
    """Allocation and pulse widths of the assist thrusters.

    What is wanted is taken up only at ticks at which a pulse may begin; between them the duties stand.
    """

    def __init__(
        self, ring: AssistRing, com_body_m: Vector, frame_ticks: int, tick_s: float, minimum_off_s: float
    ) -> None:
        self._ring = ring
        self._fractions: list[float] | None = None
        self._stuck_open: list[bool] | None = None
        self.move_com(com_body_m)
        lost_s = ring.rise_time_constant_s - ring.tail_off_time_constant_s
        self._modulator = PulseWidthModulator(ring.count, frame_ticks, tick_s, ring.minimum_on_s, minimum_off_s, lost_s)
        self._closed_s = [0.0] * ring.count
        self._duties: list[float] = []
        self.stop()

    def move_com(self, com_body_m: Vector) -> None:
        """Allocate about another centre of mass from now on."""
        self._com_body_m = com_body_m
        self._allocation = RingAllocation(self._ring, com_body_m, self._fractions, self._stuck_open)
        self.limit_n = self._allocation.limit_n
        self.standing = self._allocation.standing  # thrust, N, and torque, N m, of what burns though it is told not to

    def believe(self, fractions: list[float], stuck_open: list[bool]) -> None:
        """Allocate to thrusters that give so much of their nominal thrust, or burn all the time, from now on."""
        self._fractions, self._stuck_open = fractions, stuck_open
        self.move_com(self._com_body_m)

    def stop(self) -> list[float]:
        """Close all valves at once; return their open times."""
        if self._duties is self._closed_s:
            return self._closed_s
        self._modulator.reset()
        self.wanted_n_m: Vector = (0.0, 0.0, 0.0)  # torque that was taken up
        self.torque_n_m: Vector = (0.0, 0.0, 0.0)  # mean torque that the duties give
        self.thrust_n = 0.0  # mean thrust that the duties give
        self._duties = self._closed_s
        return self._closed_s

    def fire(self, thrust_n: float, torque_n_m: Vector) -> list[float]:
        """Open times in the coming tick, s, for a mean thrust along +z and a mean torque about x and y."""
        if self._modulator.begins:
            self._take_up(thrust_n, torque_n_m)
        return self._modulator.step(self._duties)

    def _take_up(self, thrust_n: float, torque_n_m: Vector) -> None:
        self.wanted_n_m = torque_n_m
        self._duties, exact = self._allocation.duties(thrust_n, torque_n_m[0], torque_n_m[1])
        if exact:
            self.thrust_n, self.torque_n_m = thrust_n, torque_n_m
        else:
            self.thrust_n, self.torque_n_m = self._allocation.effect(self._duties)

    def impulse(self, on_s: list[float]) -> Vector:
        """Angular impulse about x and y, N m s, and impulse along +z, N s, of open times."""
        if on_s is self._closed_s:
            return 0.0, 0.0, 0.0
        x = y = z = 0.0
        torques, thrusts = self._allocation.torques_n_m, self._allocation.thrusts_n
        for on, (torque_x, torque_y, _), thrust_n in zip(on_s, torques, thrusts):  # noqa: B905 - hot path
            x += on * torque_x
            y += on * torque_y
            z += on * thrust_n
        return x, y, z
