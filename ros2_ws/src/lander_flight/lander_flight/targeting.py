"""Targeting: which arc braking flies. Chooses ignition in the coast and keeps the range through the burn."""

from __future__ import annotations

from dataclasses import replace

from lander_common.quaternion import Vector
from lander_flight.braking import (
    ANYWHERE,
    BY_IGNITION,
    BY_SHAPE,
    BY_THRUST,
    Arc,
    BrakingSolver,
    ThrustModel,
    advanced,
)
from lander_flight.guidance_parameters import BrakingParameters
from lander_flight.lander_state import LanderState, turning_rate, unit


class Targeting:
    """Holds the arc that is flown and renews it. A solution that fails leaves the last good one in force."""

    def __init__(self, solver: BrakingSolver, parameters: BrakingParameters) -> None:
        self._solver = solver
        self._parameters = parameters
        self.arc: Arc | None = None
        self._planned_s = -1.0e9

    def age_s(self, time_s: float) -> float:
        """Time since the arc was last renewed."""
        return time_s - self._planned_s

    def plan_ignition(self, state: LanderState, thrust: ThrustModel, coast_guess_s: float) -> None:
        """Choose ignition so that the cheapest arc at the planned level ends at the gate."""
        self._planned_s = state.time_s
        args = (state.time_s, state.r_mci, state.v_mci, thrust)
        arc = self._carried(state)
        if arc is None:
            guess = self._solver.first_guess(*args, self._parameters.level, coast_guess_s)
            arc = self._solver.solve(ANYWHERE, guess, *args)
        arc = self._solver.solve(BY_IGNITION, replace(arc, level=self._parameters.level), *args)
        if arc.converged:
            self.arc = arc

    def ignite(self, state: LanderState) -> None:
        """Begin the burn now."""
        arc = self._carried(state)
        self.arc = None if arc is None else replace(arc, coast_s=0.0)

    def replan(self, state: LanderState, thrust: ThrustModel) -> None:
        """Renew the arc in the burn."""
        p = self._parameters
        self._planned_s = state.time_s
        args = (state.time_s, state.r_mci, state.v_mci, thrust)
        arc = self._carried(state)
        if arc is None:
            guess = self._solver.first_guess(*args, p.level, 0.0)
            arc = self._solver.solve(ANYWHERE, guess, *args)
        if arc.burn_s < p.level_hold_s:
            renewed = self._solver.solve(BY_SHAPE, arc, *args)
        else:
            renewed = self._solver.solve(BY_THRUST, arc, *args)
            if not (renewed.converged and p.level_least <= renewed.level <= p.level_most):
                renewed = self._at_limit(arc, renewed, args)
        if renewed.converged and renewed.burn_s < p.longest_s:
            self.arc = renewed
        elif self.arc is None and arc.converged:
            self.arc = arc

    def _at_limit(self, arc: Arc, wanted: Arc, args: tuple[object, ...]) -> Arc:
        """Where the level that makes the range cannot be had: let the shape make it, or land elsewhere."""
        p = self._parameters
        level = wanted.level if wanted.converged else arc.level
        held = replace(arc, level=min(max(level, p.level_least), p.level_most))
        cheapest = self._solver.solve(ANYWHERE, held, *args)  # type: ignore[arg-type]
        shaped = self._solver.solve(BY_SHAPE, cheapest if cheapest.converged else held, *args)  # type: ignore[arg-type]
        if shaped.converged and shaped.burn_s <= cheapest.burn_s + p.shape_allowance_s:
            return shaped
        return cheapest

    def _carried(self, state: LanderState) -> Arc | None:
        return None if self.arc is None else advanced(self.arc, state.time_s, state.r_mci)

    def direction(self, state: LanderState) -> tuple[Vector, Vector] | None:
        """Thrust direction in mci now, and its turning rate, rad/s; None without an arc."""
        arc = self._carried(state)
        if arc is None:
            return None
        return unit(arc.primer), turning_rate(arc.primer, arc.primer_rate)

    def burn_to_go_s(self, time_s: float) -> float:
        """Time to the gate; zero without an arc."""
        if self.arc is None:
            return 0.0
        return self.arc.coast_s + self.arc.burn_s - (time_s - self.arc.epoch_s)

    def ignition_in_s(self, time_s: float) -> float:
        """Time to ignition."""
        return 0.0 if self.arc is None else self.arc.coast_s - (time_s - self.arc.epoch_s)
