"""Who takes part in a run, tick by tick, and what is known of it beforehand: the scenario's plan."""

from __future__ import annotations

from bisect import bisect_right
from collections.abc import Collection, Sequence

from lander_runtime.faults import Change
from lander_runtime.subsystem import Tick

CATCH_UP_TICKS = 200  # so many missed ticks at most does a member that comes back go through
HISTORY_MESSAGES = 256  # that a publisher keeps for it: more, for the run goes on while it asks


class Timetable:
    """Changes that are known before they happen."""

    def __init__(self, changes: Sequence[Change] = ()) -> None:
        self._coming = list(changes)

    def add(self, change: Change) -> None:
        """One more."""
        self._coming.append(change)
        self._coming.sort(key=lambda coming: coming.at_ns)

    def past(self, stamp_ns: int) -> list[Change]:
        """All that has happened up to a time, for one who comes late."""
        past = [change for change in self._coming if change.at_ns <= stamp_ns]
        del self._coming[: len(past)]
        return past

    def due(self, stamp_ns: int) -> list[Change]:
        """What happens at the tick that ends at a time: one thing to each member, anything more at the next tick."""
        if not self._coming or self._coming[0].at_ns > stamp_ns:
            return []
        due: dict[str, Change] = {}
        later = []
        for change in self._coming:
            if change.at_ns <= stamp_ns and change.node not in due:
                due[change.node] = change
            else:
                later.append(change)
        self._coming = later
        return list(due.values())


class Membership:
    """Who takes part, and since or until when. To tell it the same twice changes nothing."""

    def __init__(self, members: Collection[str], planned: Sequence[Change] = ()) -> None:
        # The ticks at which each member left and came back, in turn; it takes part before the first of them.
        self._turns: dict[str, list[int]] = {name: [] for name in members}
        self._timetable = Timetable([change for change in planned if change.node in self._turns])
        self._followed = False

    def follow(self, tick: Tick, besides: str = "") -> list[Change]:
        """Carry out what is planned for a tick, but for one member; to be called for every tick, in order."""
        changes = [] if self._followed else self._timetable.past(tick.previous_ns)
        self._followed = True
        changes += self._timetable.due(tick.stamp_ns)
        for change in changes:
            if change.node != besides:
                self._turn(change.node, tick.seq, not change.leaves)
        return changes

    def lose(self, name: str, from_tick: int) -> None:
        """A member takes no part from a tick on."""
        self._turn(name, from_tick, False)

    def join(self, name: str, from_tick: int) -> None:
        """A member takes part again from a tick on."""
        self._turn(name, from_tick, True)

    def _turn(self, name: str, tick: int, takes_part: bool) -> None:
        turns = self._turns[name]
        at = bisect_right(turns, tick)
        if (at % 2 == 0) != takes_part:
            turns[at:] = [tick]

    def owes(self, name: str | None, tick: int) -> bool:
        """Whether consumers may wait for what `name` publishes at a tick."""
        return name in self._turns and bisect_right(self._turns[name], tick) % 2 == 0

    def returns(self, name: str, tick: int) -> int | None:
        """The tick at which a member that takes no part at a tick comes back, as far as is known."""
        turns = self._turns[name]
        at = bisect_right(turns, tick)
        return turns[at] if at < len(turns) else None

    def left_at(self, name: str) -> int | None:
        """The first tick of a member's absence, if it has not come back."""
        turns = self._turns[name]
        return turns[-1] if len(turns) % 2 else None

    @property
    def present(self) -> list[str]:
        """Members that are not lost."""
        return [name for name, turns in self._turns.items() if len(turns) % 2 == 0]
