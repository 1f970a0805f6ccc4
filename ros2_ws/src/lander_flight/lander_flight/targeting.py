"""Targeting: which arc braking flies. Chooses ignition in the coast and keeps the range through the burn."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace
from math import radians
from typing import NamedTuple

from lander_common.quaternion import Vector
from lander_flight.braking import Arc, BrakingSolver, Gate, ThrustModel, advanced, primer_at
from lander_flight.guidance_parameters import BrakingParameters
from lander_flight.lander_state import LanderState, turning_rate, unit
from lander_flight.shooting import ANYWHERE, BY_IGNITION, BY_SHAPE, BY_THRUST


class _Start(NamedTuple):
    """What every solution begins with."""

    time_s: float
    r_mci: Vector
    v_mci: Vector
    thrust: ThrustModel


class Targeting:
    """Holds the arc that is flown and renews it. A solution that fails leaves the last good one in force."""

    def __init__(self, solvers: Sequence[BrakingSolver], parameters: BrakingParameters) -> None:
        """`solvers`: to the gate of the plan, and to lower ones for when that is out of reach."""
        self._solver, *self._lower = solvers
        self._parameters = parameters
        self._planned_s: float | None = None
        self.arc: Arc | None = None
        self.failures = 0  # in a row

    def aim(self, gates: Sequence[Gate], height_m: float) -> None:
        """Plan to these gates, higher by this, from now on."""
        for solver, gate in zip((self._solver, *self._lower), gates, strict=True):
            solver.aim(gate, height_m)

    def is_due(self, time_s: float, period_s: float) -> bool:
        """Whether the last attempt at a plan is that long ago."""
        return self._planned_s is None or time_s - self._planned_s >= period_s

    def plan_ignition(self, state: LanderState, thrust: ThrustModel, coast_guess_s: float) -> None:
        """Choose ignition so that the cheapest arc at the planned level ends at the gate."""
        start = self._begin(state, thrust)
        arc = self._carried(state) or self._guessed(start, coast_guess_s)
        planned = replace(arc, level=self._parameters.level)
        self._keep(self._solver.solve(BY_IGNITION, planned, *start))

    def ignite(self, state: LanderState) -> None:
        """Begin the burn now."""
        arc = self._carried(state)
        self.arc = None if arc is None else replace(arc, coast_s=0.0)

    def replan(self, state: LanderState, thrust: ThrustModel) -> None:
        """Renew the arc in the burn: by thrust while that works, at last anywhere; at a limit as it can be."""
        p = self._parameters
        start = self._begin(state, thrust)
        arc = self._carried(state) or self._guessed(start, 0.0)
        mode = BY_THRUST if arc.burn_s > p.level_hold_s else ANYWHERE
        renewed = self._solver.solve(mode, arc, *start)
        if not (renewed.converged and p.level_least <= renewed.level <= p.level_most):
            renewed = self._at_limit(renewed if renewed.converged else replace(arc, level=p.level_most), start)
        if self._keep(renewed):
            return
        last = replace(arc, level=p.level_most)
        for solver in self._lower:
            if self._keep(solver.solve(ANYWHERE, last, *start)):
                return
        self.failures += 1

    def _begin(self, state: LanderState, thrust: ThrustModel) -> _Start:
        self._planned_s = state.time_s
        return _Start(state.time_s, state.r_mci, state.v_mci, thrust)

    def _guessed(self, start: _Start, coast_s: float) -> Arc:
        guess = self._solver.first_guess(*start, self._parameters.level, coast_s)
        return self._solver.solve(ANYWHERE, guess, *start)

    def _at_limit(self, wanted: Arc, start: _Start) -> Arc:
        """Where the level that makes the range cannot be had: let the shape make it, or land elsewhere."""
        p = self._parameters
        held = replace(wanted, level=min(max(wanted.level, p.level_least), p.level_most))
        cheapest = self._solver.solve(ANYWHERE, held, *start)
        if not cheapest.converged or cheapest.burn_s < p.shape_least_s:
            return cheapest
        shaped = self._solver.solve(BY_SHAPE, cheapest, *start)
        affordable = shaped.burn_s <= cheapest.burn_s + p.shape_allowance_s
        return shaped if shaped.converged and affordable else cheapest

    def _keep(self, arc: Arc) -> bool:
        """Fly the arc if it is one. An arc that ends with thrust downwards dives: it reaches the gate, but no more."""
        p = self._parameters
        upright = arc.end_pitch_rad > radians(p.least_end_pitch_deg)
        if not (arc.converged and upright and arc.burn_s < p.longest_s):
            return False
        self.arc, self.failures = arc, 0
        return True

    def _carried(self, state: LanderState) -> Arc | None:
        return None if self.arc is None else advanced(self.arc, state.time_s, state.r_mci)

    def direction(self, state: LanderState) -> tuple[Vector, Vector] | None:
        """Thrust direction in mci now, and its turning rate, rad/s; None without an arc."""
        if self.arc is None:
            return None
        primer, rate = primer_at(self.arc, state.time_s, state.r_mci)
        return unit(primer), turning_rate(primer, rate)

    def burn_to_go_s(self, time_s: float) -> float:
        """Time to the gate; zero without an arc."""
        return 0.0 if self.arc is None else self.ignition_in_s(time_s) + self.arc.burn_s

    def ignition_in_s(self, time_s: float) -> float:
        """Time to ignition; zero without an arc."""
        return 0.0 if self.arc is None else self.arc.coast_s - (time_s - self.arc.epoch_s)
