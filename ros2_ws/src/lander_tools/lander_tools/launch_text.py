"""Substitutions in launch files, such as `$(var x)` and `$(env X default)`, nested and quoted."""

from __future__ import annotations

import os
import shlex
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path


class SubstitutionError(ValueError):
    """A text of a launch file cannot be substituted."""


@dataclass
class Scope:
    """What substitutions can refer to. Groups have their own copy."""

    configurations: dict[str, str]
    environment: dict[str, str]
    folder: Path  # of the launch file being read
    added: dict[str, str] = field(default_factory=dict)  # part of the environment that launch files have set

    def copy(self) -> Scope:
        """A scope whose changes do not reach this one."""
        return Scope(dict(self.configurations), dict(self.environment), self.folder, dict(self.added))

    def package_prefix(self, package: str) -> Path:
        """Where a package is installed, by the ament index. Raises SubstitutionError."""
        for prefix in filter(None, self.environment.get("AMENT_PREFIX_PATH", "").split(os.pathsep)):
            if (Path(prefix) / "share" / "ament_index" / "resource_index" / "packages" / package).exists():
                return Path(prefix)
        raise SubstitutionError(f"package {package!r} is not installed in any folder of AMENT_PREFIX_PATH")

    def executable(self, package: str, name: str) -> Path:
        """Path of an executable of a package. Raises SubstitutionError."""
        folder = self.package_prefix(package) / "lib" / package
        if not os.access(folder / name, os.X_OK):
            present = sorted(file.name for file in folder.iterdir()) if folder.is_dir() else []
            raise SubstitutionError(f"package {package!r} has no executable {name!r}; it has: {', '.join(present)}")
        return folder / name

    def _var(self, name: str) -> str:
        if name not in self.configurations:
            raise SubstitutionError(f"$(var {name}): no argument or let of this name before here")
        return self.configurations[name]

    def _env(self, name: str, default: str | None = None) -> str:
        value = self.environment.get(name, default)
        if value is None:
            raise SubstitutionError(f"$(env {name}): this variable is not set, and no default is given")
        return value

    def _find_pkg_share(self, package: str) -> str:
        return str(self.package_prefix(package) / "share" / package)

    def _dirname(self) -> str:
        return str(self.folder)

    def _launch_log_dir(self) -> str:
        return self.environment.get("ROS_LOG_DIR") or str(Path.home() / ".ros" / "log")

    def call(self, name: str, arguments: list[str]) -> str:
        """The value of a substitution. Raises SubstitutionError."""
        if name not in _KNOWN:
            raise SubstitutionError(f"substitution $({name}) is not supported; there are: {', '.join(_KNOWN)}")
        function, fewest, most = _KNOWN[name]
        if not fewest <= len(arguments) <= most:
            raise SubstitutionError(f"$({name}) takes {fewest} to {most} arguments, got {len(arguments)}")
        return function(self, *arguments)


# Name -> function, fewest and most arguments.
_KNOWN: dict[str, tuple[Callable[..., str], int, int]] = {
    "var": (Scope._var, 1, 1),
    "env": (Scope._env, 1, 2),
    "find-pkg-share": (Scope._find_pkg_share, 1, 1),
    "dirname": (Scope._dirname, 0, 0),
    "launch_log_dir": (Scope._launch_log_dir, 0, 0),
}


def substitute(text: str, scope: Scope) -> str:
    """The text with all substitutions made. Raises SubstitutionError."""
    return _Text(text, scope).all()


def substitute_command(text: str, scope: Scope) -> list[str]:
    """The words of a command line; what a substitution gives stays one word. Raises SubstitutionError."""
    try:
        return shlex.split(_Text(text, scope, shlex.quote).all())
    except ValueError as error:
        raise SubstitutionError(f"{text!r} is no command line: {error}") from None


class _Text:
    """A recursive-descent reader of one text."""

    def __init__(self, text: str, scope: Scope, quote: Callable[[str], str] = str) -> None:
        self._text = text
        self._scope = scope
        self._quote = quote
        self._at = 0

    def all(self) -> str:
        parts = []
        while self._at < len(self._text):
            substitution = self._text.startswith("$(", self._at)
            parts.append(self._quote(self._piece()) if substitution else self._piece())
        return "".join(parts)

    def _piece(self) -> str:
        """A substitution, an escaped character or a plain one."""
        if self._text.startswith("$(", self._at):
            self._at += 2
            return self._substitution()
        if self._text[self._at] == "\\" and self._at + 1 < len(self._text):
            self._at += 1
        self._at += 1
        return self._text[self._at - 1]

    def _substitution(self) -> str:
        words = [self._word()]
        while self._peek() == " ":
            self._at += 1
            words.append(self._word())
        if self._peek() != ")":
            raise SubstitutionError(f"a $( without its ) in {self._text!r}")
        self._at += 1
        return self._scope.call(words[0], words[1:])

    def _word(self) -> str:
        quote = self._peek()
        if quote in ("'", '"'):
            self._at += 1
            word = self._until(quote)
            self._at += 1
            return word
        return self._until(" )")

    def _until(self, ends: str) -> str:
        parts = []
        while self._peek() not in ends:
            parts.append(self._piece())
        return "".join(parts)

    def _peek(self) -> str:
        if self._at >= len(self._text):
            raise SubstitutionError(f"a $( without its ) in {self._text!r}")
        return self._text[self._at]
