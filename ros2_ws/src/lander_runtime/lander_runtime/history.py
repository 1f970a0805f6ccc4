"""What a node published last, for a process that comes late and asks."""

from __future__ import annotations

from collections import deque
from collections.abc import Collection, Iterator

from lander_runtime.membership import HISTORY_MESSAGES
from lander_runtime.messages import peek_tick


class History:
    """The last messages of each topic, in encoded form."""

    def __init__(self) -> None:
        self._kept: dict[str, deque[bytes]] = {}

    def keep(self, key: str, data: bytes) -> None:
        """A message was published."""
        if key not in self._kept:
            self._kept[key] = deque(maxlen=HISTORY_MESSAGES)
        self._kept[key].append(data)

    def since(self, tick: int, keys: Collection[str]) -> Iterator[tuple[str, bytes]]:
        """What was published on some topics from a tick on, in order."""
        for key in keys:
            for data in self._kept.get(key, ()):
                if peek_tick(data) >= tick:
                    yield key, data
