"""Random streams: one root seed, one child stream per user by name, so that a new user changes nobody else's draw."""

from __future__ import annotations

import zlib
from collections.abc import Mapping
from typing import Any

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Generator of the stream `name` under a root seed (numpy SeedSequence with the name's CRC-32 as spawn key)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))))


def later_stream(seed: int, name: str, published: Mapping[str, Any]) -> np.random.Generator:
    """The same for a new life of its user, so that it does not draw once more what the former life has drawn.

    `published`: what that published last, by topic; the newest tick of it tells lives apart, alike on every transport.
    """
    newest = max((int(message.tick) for message in published.values()), default=None)
    return stream(seed, name if newest is None else f"{name} after tick {newest}")
