"""The last messages that a node published, in a file that outlives its process: what the next life goes on from.

A small write for each message, which the operating system keeps in memory: it survives the death of the process, not that of the
machine. Each topic has two places that are written in turn, each with a checksum, so that a write cut short costs one message.
"""

from __future__ import annotations

import os
import struct
import zlib
from collections.abc import Iterable
from contextlib import suppress
from pathlib import Path

FOLDER = "checkpoints"  # in the run folder, one file for each node
_HEAD = struct.Struct("<QII")  # of a place: number of the write, length, checksum
_LIFE = struct.Struct("<Q")  # at the beginning of the file
_NOT_OPEN = -1
_PLACE_BYTES = 1 << 19  # twice an image; what is larger is not kept; a place takes no room until it is written


class Checkpoint:
    """One node's file. A file that cannot be written keeps nobody from flying."""

    def __init__(self, path: Path | None, keys: Iterable[str]) -> None:
        """`path`: None keeps nothing. `keys`: the topics to keep, in an order that is the same in every life."""
        self._path = path
        self._places = {key: _LIFE.size + 2 * i * _PLACE_BYTES for i, key in enumerate(keys)}
        self._life = 0
        self._file: int | None = None  # None: nothing is kept
        content = path.read_bytes() if path and path.is_file() else b""
        self.former_life: int | None = _LIFE.unpack_from(content)[0] if len(content) >= _LIFE.size else None
        self._newest = {
            key: max(_written(content, at), _written(content, at + _PLACE_BYTES)) for key, at in self._places.items()
        }
        self._writes = {key: number for key, (number, _) in self._newest.items()}

    def messages(self) -> dict[str, bytes]:
        """What the former life published last: the newest whole message of each topic, CDR bytes."""
        return {key: data for key, (_, data) in self._newest.items() if data}

    def begin(self, life: int) -> None:
        """Keep what a life publishes from now on. The first life counts as one when it has published something."""
        self._life = life
        self._file = None if self._path is None else _NOT_OPEN
        if life:
            with suppress(OSError):
                self._file = self._open()

    def _open(self) -> int:
        assert self._path is not None
        self._path.parent.mkdir(parents=True, exist_ok=True)
        file = os.open(self._path, os.O_RDWR | os.O_CREAT, 0o644)
        os.pwrite(file, _LIFE.pack(self._life), 0)
        return file

    def put(self, key: str, data: bytes) -> None:
        """Keep a message."""
        if self._file is None or key not in self._places or len(data) > _PLACE_BYTES - _HEAD.size:
            return
        self._writes[key] = number = self._writes[key] + 1
        at = self._places[key] + (number & 1) * _PLACE_BYTES
        try:
            if self._file == _NOT_OPEN:
                self._file = self._open()
            os.pwrite(self._file, _HEAD.pack(number, len(data), zlib.crc32(data)) + data, at)
        except OSError:  # a full disk, a folder that is gone
            self._file = None


def _written(content: bytes, at: int) -> tuple[int, bytes]:
    """Number and bytes of the write at a place; nothing where there is none, or only half of one."""
    if len(content) < at + _HEAD.size:
        return 0, b""
    number, length, checksum = _HEAD.unpack_from(content, at)
    data = content[at + _HEAD.size : at + _HEAD.size + length]
    return (number, data) if zlib.crc32(data) == checksum else (0, b"")
