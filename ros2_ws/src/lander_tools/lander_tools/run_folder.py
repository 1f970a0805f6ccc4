"""The folder that a run leaves: where everything is in it."""

from __future__ import annotations

import re
from collections.abc import Mapping
from datetime import datetime
from pathlib import Path
from typing import Any

from ruamel.yaml import YAML
from ruamel.yaml.error import YAMLError


class RunFolderError(ValueError):
    """A run folder cannot be made or is none; the text says why."""


class RunFolder:
    """A run folder; the properties are the places in it."""

    def __init__(self, path: Path) -> None:
        self.path = path

    @property
    def bag(self) -> Path:
        """The rosbag2 folder."""
        return self.path / "bag"

    @property
    def config(self) -> Path:
        """The whole resolved configuration."""
        return self.path / "resolved.yaml"

    @property
    def verdict(self) -> Path:
        """How the run ended."""
        return self.path / "verdict.json"

    @property
    def report(self) -> Path:
        """The report, one file that opens offline."""
        return self.path / "report.html"

    @property
    def plots(self) -> Path:
        """The report's plots as PNGs."""
        return self.path / "plots"

    @property
    def logs(self) -> Path:
        """What the nodes printed."""
        return self.path / "logs"

    def write_config(self, resolved: Mapping[str, Any]) -> None:
        """Keep the configuration that is flown, with the comments of its files (`Mission.resolved()`).

        Raises RunFolderError where it cannot be written.
        """
        try:
            with self.config.open("w", encoding="utf-8") as stream:
                YAML().dump(dict(resolved), stream)
        except OSError as error:
            raise RunFolderError(f"{self.config} cannot be written: {error.strerror}") from None

    def read_config(self) -> Mapping[str, Any]:
        """The configuration that was flown; empty where the folder has none. Raises RunFolderError where it is broken."""
        if not self.config.is_file():
            return {}
        try:
            read = YAML(typ="safe").load(self.config.read_text(encoding="utf-8"))
        except (OSError, UnicodeDecodeError, YAMLError) as error:
            raise RunFolderError(f"{self.config} cannot be read: {str(error).partition(chr(10))[0]}") from None
        return read if isinstance(read, Mapping) else {}


def create(out: Path | None, scenario: str, seed: int, now: datetime, root: Path = Path("runs")) -> RunFolder:
    """Make the folder of a new run: `out` if the user names one, else `runs/<time>-<scenario>-<seed>`.

    Raises RunFolderError where `out` holds something already or the folder cannot be made.
    """
    name = f"{now:%Y-%m-%dT%H-%M-%S}-{re.sub(r'[^A-Za-z0-9_.-]+', '_', scenario)}-{seed}"
    path = out or _free(root / name)
    try:
        if path.is_dir() and any(path.iterdir()):
            raise RunFolderError(f"{path} is not empty, and a run never overwrites another: name another folder")
        folder = RunFolder(path)
        for place in (path, folder.plots, folder.logs):
            place.mkdir(parents=True, exist_ok=True)
    except OSError as error:
        raise RunFolderError(f"cannot make the run folder {path}: {error.strerror}") from None
    return folder


def open_run(path: Path) -> RunFolder:
    """The folder of a run that was flown. Raises RunFolderError where there is none."""
    if not path.is_dir():
        raise RunFolderError(f"{path}: there is no such folder")
    folder = RunFolder(path)
    if not any(place.exists() for place in (folder.bag, folder.verdict, folder.config)):
        raise RunFolderError(f"{path} is not a run folder: it has neither bag/, verdict.json nor resolved.yaml")
    return folder


def _free(path: Path) -> Path:
    """The path, or the path with a number where two runs begin in the same second."""
    free, number = path, 2
    while free.exists():
        free, number = path.with_name(f"{path.name}-{number}"), number + 1
    return free
