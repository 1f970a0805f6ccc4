"""Show a run to a person: prefixed lines of its nodes, and one line that says how far it is."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from typing import Any, TextIO

PLAIN_PERIOD_S = 10.0  # between lines of progress where there is no terminal


def describe_progress(values: Mapping[str, Any]) -> str:
    """One line: phase, T-, altitude, speed, propellant, real-time factor; what is not known is left out."""
    parts = [str(values["phase"]).ljust(9)] if "phase" in values else []
    if values.get("t_minus_s") is not None:
        parts.append(f"{_clock(values['t_minus_s']):>9}")
    elif "time_s" in values:
        parts.append(f"t {values['time_s']:7.1f} s")
    for key, write in _WRITTEN.items():
        if values.get(key) is not None:
            parts.append(write(float(values[key])))
    return "   ".join(parts)


def _clock(t_minus_s: float) -> str:
    sign = "-" if t_minus_s >= 0.0 else "+"
    minutes, seconds = divmod(int(abs(t_minus_s)), 60)
    return f"T{sign}{minutes:02d}:{seconds:02d}"


def _altitude(value_m: float) -> str:
    return f"{value_m / 1e3:7.2f} km" if abs(value_m) >= 1e3 else f"{value_m:7.1f} m "


_WRITTEN: dict[str, Callable[[float], str]] = {
    "altitude_m": _altitude,
    "speed_m_s": lambda value: f"{value:7.1f} m/s",
    "propellant_kg": lambda value: f"propellant {value:5.1f} kg",
    "real_time_factor": lambda value: f"{value:5.1f}x real time",
}


class Pace:
    """Real-time factor over the last seconds, from the times at which the run said how far it was."""

    def __init__(self, clock: Callable[[], float] = time.monotonic, window_s: float = 5.0) -> None:
        self._clock = clock
        self._window_s = window_s
        self._marks: list[tuple[float, float]] = []  # wall-clock time, simulated time

    def factor(self, time_s: float) -> float | None:
        """The factor now that the run is at `time_s`; None while too little is known."""
        now = self._clock()
        self._marks.append((now, time_s))
        while len(self._marks) > 2 and now - self._marks[1][0] > self._window_s:
            self._marks.pop(0)
        wall_s, simulated_s = now - self._marks[0][0], time_s - self._marks[0][1]
        return simulated_s / wall_s if wall_s > 0.0 else None


class PlainDisplay:
    """Lines only, for files and pipes."""

    def __init__(self, out: TextIO, clock: Callable[[], float] = time.monotonic) -> None:
        self._out = out
        self._clock = clock
        self._pace = Pace(clock)
        self._values: dict[str, Any] = {}
        self._shown_at = float("-inf")
        self._shown_phase: Any = None

    def line(self, name: str, text: str) -> None:
        """A line of output of a process."""
        self._write(f"[{name}] {text}")

    def progress(self, values: Mapping[str, Any]) -> None:
        """Show how far the run is, at every new phase and now and then."""
        self._merge(values)
        phase = self._values.get("phase")
        if phase != self._shown_phase or self._clock() - self._shown_at >= PLAIN_PERIOD_S:
            self._shown_at, self._shown_phase = self._clock(), phase
            self._show(describe_progress(self._values))

    def _merge(self, values: Mapping[str, Any]) -> None:
        """Nodes report what each of them knows."""
        self._values.update(values)
        if "time_s" in values and "real_time_factor" not in values:
            self._values["real_time_factor"] = self._pace.factor(values["time_s"])

    def _show(self, text: str) -> None:
        self._write(text)

    def _write(self, text: str) -> None:
        self._out.write(text + "\n")
        self._out.flush()


class LiveDisplay(PlainDisplay):
    """A status line that stays at the bottom of a terminal."""

    def __init__(self, out: TextIO) -> None:
        from rich.console import Console
        from rich.live import Live

        super().__init__(out)
        self._console = Console(file=out, highlight=False)
        self.live = Live(console=self._console, refresh_per_second=5, transient=True)

    def progress(self, values: Mapping[str, Any]) -> None:
        """Show how far the run is."""
        from rich.text import Text

        self._merge(values)
        self.live.update(Text(describe_progress(self._values), style="bold cyan", no_wrap=True))

    def _write(self, text: str) -> None:
        self._console.print(text, markup=False, soft_wrap=True)


@contextmanager
def display(out: TextIO) -> Iterator[PlainDisplay]:
    """The display that suits where the output goes."""
    if not out.isatty():
        yield PlainDisplay(out)
        return
    shown = LiveDisplay(out)
    with shown.live:
        yield shown
