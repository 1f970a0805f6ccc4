"""What a project is made from, and the stamp in `.venv` that says what was installed and built.

The stamp is taken back before a change and given after it, so an interrupted set-up is seen by the next call. It holds
digests of contents, not times, so that a fresh checkout of the same files asks for nothing.
"""

from __future__ import annotations

import hashlib
import json
import os
import re
from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field, replace
from functools import cached_property
from pathlib import Path

STAMP = "lander-stamp.json"
BUILD_FILES = ("package.xml", "setup.py", "setup.cfg", "CMakeLists.txt", "*.yaml", "*/*.msg", "*/*.srv", "*/*.action")
INSTALLED_BY_NAME = {"lander_bringup": ("launch", "config")}  # folders of the project whose files a package installs


@dataclass(frozen=True)
class Project:
    """A clone of the project, and the ROS 2 that it shall use."""

    root: Path
    ros: str = ""  # which ROS 2 is sourced, empty where the wheels are used
    underlay: tuple[Path, ...] = ()  # prefixes of the sourced ROS 2

    @property
    def venv(self) -> Path:
        """Folder of the virtual environment."""
        return self.root / ".venv"

    @property
    def python(self) -> Path:
        """The virtual environment's interpreter."""
        return self.venv / "bin" / "python"

    @property
    def workspace(self) -> Path:
        """The colcon workspace."""
        return self.root / "ros2_ws"

    @property
    def requirements(self) -> Path:
        """The locked requirements."""
        return self.root / "requirements" / ("sourced-ros.txt" if self.ros else "wheels.txt")

    @property
    def warm_up(self) -> Path:
        """The module that fills numba's cache."""
        return self.workspace / "src" / "lander_tools" / "lander_tools" / "warm_up.py"

    @cached_property
    def kernels(self) -> str:
        """Digest of everything that is compiled at run time, and of what compiles it."""
        return _digest([self.requirements.read_bytes(), *_kernels(self)])

    @property
    def kernel_cache(self) -> Path:
        """Where compiled kernels are kept.

        By the sources' digest, because numba itself looks only at the file of the function that it compiled: a change
        in another file that the function calls into would go unnoticed.
        """
        return self.root / "build" / "numba" / self.kernels[:16]

    @cached_property
    def packages(self) -> tuple[Path, ...]:
        """Sources of the packages to build. A stand-in for a package that the sourced ROS 2 has is left out."""
        found = sorted(manifest.parent for manifest in (self.workspace / "src").glob("*/package.xml"))
        return tuple(package for package in found if not self._has_underlay(package.name))

    def _has_underlay(self, package: str) -> bool:
        own = self.workspace / "install"
        return any((prefix / "share" / package).is_dir() for prefix in self.underlay if own not in prefix.parents)


@dataclass
class Stamp:
    """Digests of what `.venv` and the workspace were made from."""

    identity: str = ""
    requirements: str = ""
    packages: dict[str, str] = field(default_factory=dict)
    kernels: str = ""

    @classmethod
    def read(cls, project: Project) -> Stamp | None:
        """The stamp of an environment; None where there is none that can be used."""
        try:
            return cls(**json.loads((project.venv / STAMP).read_text(encoding="utf-8")))
        except (OSError, ValueError, TypeError):
            return None

    def write(self, project: Project) -> None:
        """Replace the stamp on disk in one step."""
        fresh = project.venv / f"{STAMP}.new"
        fresh.write_text(json.dumps(vars(self), indent=1), encoding="utf-8")
        fresh.replace(project.venv / STAMP)


def wanted(project: Project) -> Stamp:
    """The stamp that the sources as they are now ask for."""
    requirements = project.requirements.read_bytes()
    ros_wheels = b"\n".join(re.findall(rb"^ros-.*$", requirements, re.MULTILINE))  # what the types are compiled against
    return Stamp(
        identity=f"{project.root} {project.ros}".strip(),
        requirements=_digest([requirements]),
        packages={path.name: _digest([ros_wheels, *_build_inputs(project, path)]) for path in project.packages},
        kernels=project.kernels if project.warm_up.exists() else "",
    )


def is_ready(project: Project, stamp: Stamp | None, with_kernels: bool = True) -> bool:
    """Whether nothing is left to do; without the kernels, nothing but what only flying needs."""
    goal = wanted(project)
    if stamp and not with_kernels:
        stamp = replace(stamp, kernels=goal.kernels)
    return stamp == goal and is_usable(project) and not missing_packages(project)


def is_usable(project: Project) -> bool:
    """Whether the environment's interpreter is there; the system's, to which it is a link, may have gone."""
    return os.access(project.python, os.X_OK)


def missing_packages(project: Project) -> list[str]:
    """Packages that are not in the workspace's install folder, whatever the stamp says."""
    installed = project.workspace / "install"
    return [p.name for p in project.packages if not (installed / p.name / "share" / p.name / "package.xml").exists()]


def _build_inputs(project: Project, package: Path) -> Iterator[bytes]:
    """What the build of a package depends on: contents of its build files, names of the files that it links."""
    for pattern in BUILD_FILES:
        for file in sorted(package.glob(pattern)):
            yield file.relative_to(package).as_posix().encode()
            yield file.read_bytes()
    for folder in INSTALLED_BY_NAME.get(package.name, ()):
        for file in sorted((project.root / folder).rglob("*.yaml")):
            yield file.relative_to(project.root).as_posix().encode()


def _kernels(project: Project) -> Iterator[bytes]:
    for file in sorted((project.workspace / "src").glob("*/*/*.py")):
        source = file.read_bytes()
        if b"jit" in source:  # njit, or the project's own decorator around it
            yield source


def _digest(parts: Iterable[bytes]) -> str:
    digest = hashlib.sha256()
    for part in parts:
        digest.update(len(part).to_bytes(8, "little") + part)
    return digest.hexdigest()[:16]
