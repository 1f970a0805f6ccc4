"""From a wanted thrust direction to the commanded attitude, turned no faster than allowed."""

from __future__ import annotations

from lander_common.quaternion import (
    Quaternion,
    Vector,
    conjugate,
    from_axes,
    from_rotation_vector,
    multiply,
    normalised,
    rotate,
    to_rotation_vector,
)
from lander_flight.lander_state import cross, norm, scaled, unit

_PARALLEL = 1e-3  # sine of the angle between thrust and reference below which the reference says nothing


def attitude(direction_mci: Vector, left_mci: Vector) -> Quaternion | None:
    """`q_mci_body` with body z along a direction and body y as near to `left_mci` as can be.

    Body x is then up while the thrust brakes and forward when it points up: the side with the rangefinder faces the
    ground, and roll is continuous through the pitch-up. None where direction and reference are parallel.
    """
    x = cross(left_mci, direction_mci)
    if norm(x) < _PARALLEL:
        return None
    x = unit(x)
    return from_axes(x, cross(direction_mci, x), direction_mci)


class Pointing:
    """Carries the commanded attitude towards the wanted one at a limited rate."""

    def __init__(self) -> None:
        self.q_mci_body: Quaternion | None = None
        self.w_body: Vector = (0.0, 0.0, 0.0)

    def hold(self, q_mci_body: Quaternion) -> None:
        """Command an attitude, at rest."""
        self.q_mci_body = q_mci_body
        self.w_body = (0.0, 0.0, 0.0)

    def resume(self, q_mci_body: Quaternion, w_body: Vector) -> None:
        """Go on from an attitude that was commanded, and the rate of it."""
        self.q_mci_body, self.w_body = q_mci_body, w_body

    def stop(self) -> None:
        """Command the attitude commanded last, at rest."""
        self.w_body = (0.0, 0.0, 0.0)

    def turn_on(self, step_s: float) -> None:
        """Turn on for a step at the rate commanded last."""
        if self.q_mci_body is not None:
            turn = from_rotation_vector(scaled(self.w_body, step_s))
            self.q_mci_body = normalised(multiply(self.q_mci_body, turn))

    def move(self, wanted: Quaternion, w_mci: Vector | None, rate_rad_s: float, step_s: float) -> None:
        """Advance the command by a step towards what is wanted; `w_mci` is the known rate of what is wanted."""
        if self.q_mci_body is None or step_s <= 0.0:
            return
        turn = to_rotation_vector(multiply(conjugate(self.q_mci_body), wanted))
        angle, most = norm(turn), rate_rad_s * step_s
        if angle > most:
            self.q_mci_body = normalised(multiply(self.q_mci_body, from_rotation_vector(scaled(turn, most / angle))))
            self.w_body = scaled(turn, rate_rad_s / angle)
            return
        self.q_mci_body = wanted
        w_body = scaled(turn, 1.0 / step_s) if w_mci is None else rotate(conjugate(wanted), w_mci)
        self.w_body = w_body if norm(w_body) < rate_rad_s else scaled(w_body, rate_rad_s / norm(w_body))
