"""Thrusters: valves that open late, thrust that builds up and tails off, propellant that it takes.

Thrust is first order between valve events, so its mean over any interval is known in closed form: a pulse gives its
exact impulse however long the step of the integrator is.
"""

from __future__ import annotations

from math import exp, inf

import numpy as np
from numba import njit
from numpy.typing import NDArray

Array = NDArray[np.float64]

# Columns of the table of thrusters: what does not change in flight
POSITION, DIRECTION, FULL_THRUST, FLOW, DELAY, RISE, FALL, MINIMUM_ON, TANK = 0, 3, 6, 7, 8, 9, 10, 11, 12
TABLE_COLUMNS = 13
MAIN_TANK, RCS_TANK = 0.0, 1.0

# Columns of the state of the thrusters
THRUST = 0  # N, now
CARRY = 1  # s into the tick for which the command of the tick before still holds the valve open
OPEN_FOR = 2  # s that the valve has been commanded open without a break
FACTOR = 3  # of the thrust: 1 unless the engine has a fault
STUCK = 4  # NORMAL, SHUT or OPEN
BEGIN = 5  # s into the tick: the valve opens
END = 6  # s into the tick: the valve shuts (inf: it stays open)
MEAN = 7  # N, mean thrust over the latest sub-step
IMPULSE = 8  # N s, over the tick
STATE_COLUMNS = 9
NORMAL, SHUT, OPEN = 0.0, 1.0, 2.0

_OFF = 1e-6  # of full thrust: a tail-off that has come down to this has ended


def thruster_state(count: int) -> Array:
    """State of thrusters that are shut and sound; shape (count, STATE_COLUMNS)."""
    state = np.zeros((count, STATE_COLUMNS))
    state[:, FACTOR] = 1.0
    return state


@njit(cache=True)
def begin_tick(table: Array, state: Array, on_s: Array, step_s: float) -> int:
    """Take the commanded open times, s, of the tick that begins now; return how many were too short to open a valve.

    A command of at least the step keeps the valve open until a later command says otherwise. A valve that is shut does
    not open for less than its minimum on-time; one that is open stays open until it has been open that long.
    """
    refused = 0
    for i in range(table.shape[0]):
        wanted = on_s[i] if on_s[i] > 0.0 else 0.0  # not a number counts as no
        held = wanted >= step_s - 1e-9
        minimum = table[i, MINIMUM_ON]
        if state[i, OPEN_FOR] == 0.0 and not held and 0.0 < wanted < minimum - 1e-9:
            wanted, refused = 0.0, refused + 1
        if 0.0 < state[i, OPEN_FOR] < minimum - 1e-9:
            wanted = max(wanted, minimum - state[i, OPEN_FOR])
            held = wanted >= step_s - 1e-9
        delay = table[i, DELAY]
        state[i, BEGIN] = delay
        state[i, END] = inf if held else delay + wanted
        state[i, OPEN_FOR] = state[i, OPEN_FOR] + step_s if held else 0.0
        state[i, IMPULSE] = 0.0
        if state[i, STUCK] != NORMAL:
            state[i, CARRY] = 0.0
            state[i, BEGIN] = 0.0
            state[i, END] = inf if state[i, STUCK] == OPEN else 0.0
    return refused


@njit(cache=True)
def end_tick(table: Array, state: Array, step_s: float) -> None:
    """Note how far this tick's commands reach into the next."""
    for i in range(table.shape[0]):
        state[i, CARRY] = min(max(state[i, END] - step_s, 0.0), table[i, DELAY])


@njit(cache=True)
def fire(
    full: float, rise: float, fall: float, thrust: float, valve: tuple[float, float, float], start: float, end: float
) -> tuple[float, float]:
    """Thrust at `end` and impulse, N s, from `start` to `end`, s into the tick.

    `valve` is (carry, begin, shut): the valve is open until `carry` and from `begin` to `shut`.
    """
    carry, begin, shut = valve
    impulse = 0.0
    now = start
    while now < end:
        target = 0.0
        until = end
        if now < carry:
            target, until = full, carry
        elif now < begin:
            until = begin
        elif now < shut:
            target, until = full, shut
        until = min(until, end)
        length = until - now
        constant = rise if target > 0.0 else fall
        left = exp(-length / constant) if constant > 0.0 else 0.0
        impulse += target * length + (thrust - target) * constant * (1.0 - left)
        thrust = target + (thrust - target) * left
        now = until
    return (0.0 if thrust < _OFF * full else thrust), impulse


@njit(cache=True)
def fire_all(table: Array, state: Array, start: float, end: float) -> tuple[float, float]:
    """Fire all thrusters from `start` to `end`, s into the tick; return the propellant wanted from each tank, kg."""
    wanted_main, wanted_rcs = 0.0, 0.0
    length = end - start
    for i in range(table.shape[0]):
        state[i, MEAN] = 0.0
        if state[i, THRUST] == 0.0 and start >= state[i, CARRY] and (end <= state[i, BEGIN] or start >= state[i, END]):
            continue
        valve = (state[i, CARRY], state[i, BEGIN], state[i, END])
        full = table[i, FULL_THRUST] * state[i, FACTOR]
        state[i, THRUST], impulse = fire(full, table[i, RISE], table[i, FALL], state[i, THRUST], valve, start, end)
        state[i, MEAN] = impulse / length
        state[i, IMPULSE] += impulse
        if table[i, TANK] == MAIN_TANK:
            wanted_main += impulse * table[i, FLOW]
        else:
            wanted_rcs += impulse * table[i, FLOW]
    return wanted_main, wanted_rcs


@njit(cache=True)
def starve(table: Array, state: Array, tank: float, share: float, length: float) -> None:
    """Leave the thrusters of a tank only a share of their impulse of the latest sub-step, and end their thrust."""
    for i in range(table.shape[0]):
        if table[i, TANK] == tank:
            state[i, IMPULSE] -= (1.0 - share) * state[i, MEAN] * length
            state[i, MEAN] *= share
            state[i, THRUST] = 0.0


@njit(cache=True)
def quiet(table: Array, state: Array) -> bool:
    """Whether no engine on the main tank has thrust now or will have in this tick."""
    for i in range(table.shape[0]):
        if table[i, TANK] != MAIN_TANK:
            continue
        if state[i, THRUST] > 0.0 or state[i, CARRY] > 0.0 or state[i, END] > state[i, BEGIN]:
            return False
    return True
