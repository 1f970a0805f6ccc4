"""Random streams: one root seed, one child stream per user by name, so that a new user changes nobody else's draw."""

from __future__ import annotations

import zlib

import numpy as np


def stream(seed: int, name: str) -> np.random.Generator:
    """Generator of the stream `name` under a root seed (numpy SeedSequence with the name's CRC-32 as spawn key)."""
    return np.random.Generator(np.random.PCG64(np.random.SeedSequence(seed, spawn_key=(zlib.crc32(name.encode()),))))
