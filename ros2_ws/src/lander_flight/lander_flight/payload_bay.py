"""The payload bay: which state each payload is in, and the rules by which it may change."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

from lander_common.units import HOUR_S
from lander_flight.payload_parameters import Payload, State
from lander_runtime.config import did_you_mean

_POWER_ROUNDING_W = 1e-9


@dataclass(frozen=True, slots=True)
class Conditions:
    """What the rules depend on beside the states of the payloads."""

    quiet: bool  # for the landing
    since_touchdown_s: float | None  # None: not landed
    budget_w: float


class PayloadBay:
    """States of all payloads. Times are of the payload clock, s, which runs faster than the run's where compressed."""

    def __init__(self, payloads: Sequence[Payload]) -> None:
        self.payloads = {payload.name: payload for payload in payloads}
        self._states = {payload.name: _state(payload, payload.initial) for payload in payloads}
        self._entered_s = dict.fromkeys(self._states, 0.0)

    def copy(self) -> PayloadBay:
        """The same states, to plan with."""
        twin = PayloadBay(list(self.payloads.values()))
        twin._states, twin._entered_s = dict(self._states), dict(self._entered_s)
        return twin

    def state(self, name: str) -> str:
        """Name of a payload's present state."""
        return self._states[name].name

    def states(self) -> list[str]:
        """Names of the present states, in the order of the table."""
        return [state.name for state in self._states.values()]

    def power_w(self) -> list[float]:
        """Power drawn by each, W."""
        return [state.power_w for state in self._states.values()]

    def why_not(self, name: str, wanted: str, conditions: Conditions, commanded: bool = True) -> str:
        """Why a payload may not be put into a state now; empty where it may. `commanded`: by a service."""
        payload = self.payloads.get(name)
        if payload is None:
            return f"there is no payload {name!r}{did_you_mean(name, list(self.payloads))}"
        state = payload.state(wanted)
        if state is None:
            names = [state.name for state in payload.states]
            return f"{name} has no state {wanted!r}{did_you_mean(wanted, names)}; it has {', '.join(names)}"
        if commanded and not state.commanded:
            return f"{name} gets into {wanted} only as a part of an activity"
        return (
            self._out_of_order(name, state)
            or _out_of_season(name, state, conditions)
            or self._in_the_way(name, state)
            or self._too_much(name, state, conditions.budget_w)
        )

    def _out_of_order(self, name: str, state: State) -> str:
        now = self._states[name].name
        if not state.reached_from or now in state.reached_from or now == state.name:
            return ""
        return f"{name} gets into {state.name} only from {' or '.join(state.reached_from)}; it is in {now}"

    def _in_the_way(self, name: str, state: State) -> str:
        present = {f"{other}/{at.name}" for other, at in self._states.items()}
        if state.needs_any and not present & set(state.needs_any):
            return f"{name} in {state.name} needs {' or '.join(state.needs_any)}"
        hindrance = next((key for key in state.not_while if key in present), None)
        return f"{name} may not be in {state.name} while {hindrance}" if hindrance else ""

    def _too_much(self, name: str, state: State, budget_w: float) -> str:
        total = sum(at.power_w for other, at in self._states.items() if other != name) + state.power_w
        if total <= budget_w + _POWER_ROUNDING_W or state.power_w <= self._states[name].power_w:
            return ""
        return f"{name} in {state.name} would bring the payloads to {total:.1f} W of {budget_w:.1f} W"

    def put(self, name: str, wanted: str, now_s: float) -> None:
        """Put a payload into a state, unasked. Raises KeyError where there is none of that name."""
        self._states[name] = _state(self.payloads[name], wanted)
        self._entered_s[name] = now_s

    def run_on(self, now_s: float) -> None:
        """Let states of limited duration go on to what follows them."""
        for name, state in list(self._states.items()):
            if state.lasts_s is not None and state.then is not None and now_s - self._entered_s[name] >= state.lasts_s:
                self.put(name, state.then, now_s)

    def enforce(self, conditions: Conditions, now_s: float) -> list[str]:
        """Put into its safe state what may not go on as it is; return the names, in the order in which it was done."""
        forced = [name for name, state in self._states.items() if conditions.quiet and not state.in_descent]
        for name in forced:
            self.put(name, self.payloads[name].safe, now_s)
        return forced + self._shed(conditions.budget_w, now_s)

    def _shed(self, budget_w: float, now_s: float) -> list[str]:
        shed = []
        for payload in sorted(self.payloads.values(), key=lambda payload: -payload.priority):
            if sum(self.power_w()) <= budget_w + _POWER_ROUNDING_W:
                break
            if _state(payload, payload.safe).power_w < self._states[payload.name].power_w:
                self.put(payload.name, payload.safe, now_s)
                shed.append(payload.name)
        return shed


def _state(payload: Payload, name: str) -> State:
    state = payload.state(name)
    if state is None:
        raise KeyError(f"{payload.name} has no state {name!r}")
    return state


def _out_of_season(name: str, state: State, conditions: Conditions) -> str:
    if conditions.quiet and not state.in_descent:
        return f"{name} may not be in {state.name} around the landing"
    if state.after_touchdown_s is None:
        return ""
    hours = state.after_touchdown_s / HOUR_S
    if conditions.since_touchdown_s is None:
        return f"{name} may be in {state.name} from {hours:.1f} h after touchdown; it has not landed"
    if conditions.since_touchdown_s < state.after_touchdown_s:
        now = conditions.since_touchdown_s / HOUR_S
        return f"{name} may be in {state.name} from {hours:.1f} h after touchdown; it is {now:.1f} h"
    return ""
