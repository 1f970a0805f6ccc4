"""Pulse-width modulation of on-off thrusters whose pulses begin at the beginning of a tick."""

from __future__ import annotations

from collections.abc import Sequence

_ROUNDING_S = 1e-9  # far below any valve's resolution, far above the rounding of sums of ticks


class PulseWidthModulator:
    """Turns duties into valve open times, a frame of several ticks at a time.

    A thruster's on-time in a frame is 0, the whole frame, or anything from the minimum on-time to the frame less the
    minimum off-time. What rounding to that leaves over is owed to the next frame (first-order sigma-delta), so the mean
    of the open time is the mean of the duty, from the first frame of each thruster on.

    A valve that opens and shuts with the same delay, and thrust that builds up and decays with the same time constant,
    give an impulse of thrust times open time. Where the build-up takes longer by `lost_s`, so much is added to each
    pulse (for a first-order lag it loses lost_s (1 - exp(-on / rise)), nearly all of it in any pulse worth the name).

    Thrusters that stand opposite each other share a frame, so that their ripple gives no torque; the frames of the
    pairs follow each other, so that the force is smooth.
    """

    def __init__(
        self,
        count: int,
        frame_ticks: int,
        tick_s: float,
        minimum_on_s: float,
        minimum_off_s: float,
        lost_s: float,
    ) -> None:
        """Raises ValueError where the frame leaves no room for a pulse."""
        self._frame_ticks = frame_ticks
        self._tick_s = tick_s
        self._frame_s = frame_ticks * tick_s
        self._shortest_s = minimum_on_s
        self._longest_s = self._frame_s - minimum_off_s
        self._lost_s = lost_s
        if self._shortest_s > self._longest_s:
            raise ValueError(f"no room in {self._frame_s} s for {minimum_on_s} s on and {minimum_off_s} s off")
        groups = count // 2 if count % 2 == 0 else count
        self._phase = [(i % groups) * frame_ticks // groups for i in range(count)]
        self.reset()

    @property
    def begins(self) -> bool:
        """Whether a pulse may begin in the coming tick."""
        return self._beat in self._phase

    def reset(self) -> None:
        """Close all valves at once and forget what is owed."""
        count = len(self._phase)
        self.owed_s = [0.0] * count  # asked for less commanded so far
        self._left_s = [0.0] * count  # of the pulse under way
        self._open = [False] * count  # at the end of the latest tick
        self._begun = [False] * count  # whether there has been a frame
        self._beat = 0

    def step(self, duties: Sequence[float]) -> list[float]:
        """Open times in the coming tick, s, from duties in [0, 1]."""
        tick_s, owed, left, beat, phase = self._tick_s, self.owed_s, self._left_s, self._beat, self._phase
        on_s = []
        for i, duty in enumerate(duties):
            if beat == phase[i]:
                self._begin(i, duty)
            on = left[i]
            if on > tick_s - _ROUNDING_S:
                on = tick_s
            elif on < _ROUNDING_S:
                on = 0.0
            left[i] -= on
            owed[i] += duty * tick_s - on
            self._open[i] = on == tick_s
            on_s.append(on)
        self._beat = (beat + 1) % self._frame_ticks
        return on_s

    def _begin(self, i: int, duty: float) -> None:
        """Choose the on-time of a thruster for the frame that begins."""
        if not self._begun[i]:
            self._begun[i], self.owed_s[i] = True, 0.0
        lost_s = 0.0 if self._open[i] else self._lost_s
        pulse_s = self._nearest_s(self.owed_s[i] + duty * self._frame_s + lost_s)
        self._left_s[i] = pulse_s
        if pulse_s > 0.0:
            self.owed_s[i] += lost_s

    def _nearest_s(self, wanted_s: float) -> float:
        """The nearest on-time that a valve can give within a frame, s."""
        if wanted_s < self._shortest_s:
            return self._shortest_s if wanted_s > 0.5 * self._shortest_s else 0.0
        if wanted_s > self._longest_s:
            return self._frame_s if wanted_s > 0.5 * (self._longest_s + self._frame_s) else self._longest_s
        return wanted_s
