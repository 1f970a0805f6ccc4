"""Files that are there whole or not at all."""

from __future__ import annotations

import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

_PARTIAL = ".partial"


@contextmanager
def written_whole(path: Path) -> Iterator[Path]:
    """A file to write in place of `path`, which it becomes when all went well: no reader sees half of it, nor another writer's.

    Raises OSError.
    """
    partial = path.with_name(f"{path.stem}.{os.getpid()}{_PARTIAL}{path.suffix}")
    try:
        yield partial
        partial.replace(path)
    finally:
        partial.unlink(missing_ok=True)


def is_whole(path: Path) -> bool:
    """Whether a file is none that is being written."""
    return not path.stem.endswith(_PARTIAL)
