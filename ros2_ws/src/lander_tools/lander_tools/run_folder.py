"""Where a run leaves what it recorded: `runs/<UTC time>-<scenario>-<seed>/`, or where the user says."""

from __future__ import annotations

from datetime import datetime, timezone
from itertools import count
from pathlib import Path


def project_root() -> Path:
    """The top of the repository, from the place of this file (a link to it, where the workspace is built)."""
    return Path(__file__).resolve().parents[4]


def create(scenario: str, seed: int, out: Path | None = None) -> Path:
    """Make a new folder for a run. Raises FileExistsError where `out` has something in it already."""
    if out is not None:
        out.mkdir(parents=True, exist_ok=True)
        if any(out.iterdir()):
            raise FileExistsError(f"{out} is not empty: name another folder, nothing is ever overwritten")
        return out.resolve()
    stamp = datetime.now(timezone.utc).strftime("%Y%m%dT%H%M%SZ")
    base = project_root() / "runs" / f"{stamp}-{Path(scenario).stem}-{seed}"
    for number in count(1):  # several runs may begin in the same second
        folder = base if number == 1 else base.with_name(f"{base.name}-{number}")
        try:
            folder.mkdir(parents=True)
        except FileExistsError:
            continue
        return folder
    raise AssertionError("count() does not end")
