"""The steps of a set-up: make `.venv`, install the locked requirements, build the workspace, compile kernels."""

from __future__ import annotations

import importlib.util
import os
import platform
import re
import shutil
import subprocess
import sys
import sysconfig
import time
from collections import deque
from collections.abc import Callable
from pathlib import Path

from lander_tools.setup_env import SetupError, environment
from lander_tools.setup_stamp import Project, Stamp, is_usable, missing_packages, wanted

LOG = "lander-setup.log"  # in .venv
UNFINISHED = "unfinished"  # in place of a package's digest while it is being built
DISK_NEEDED_GB = 2.0  # .venv takes half of it, pip's cache and the build most of the rest
KEEP_KERNELS_S = 86400.0  # for how long kernels compiled from other sources are kept
OLDEST_GLIBC = (2, 28)  # of the ROS 2 wheels: manylinux_2_28
DEBIAN_HINT = "on Debian or Ubuntu: sudo apt install g++ python3-dev python3-venv"
NO_VENV = f"This Python ({sys.executable}) cannot make virtual environments; {DEBIAN_HINT}"
# The locks are complete, so pip has nothing to resolve: without --no-deps a release newer than the lock, asked for through
# an extra (coverage[toml]), would be looked at and refused for want of a hash.
PIP = ("-m", "pip", "install", "--no-deps", "--require-hashes", "--no-input", "--progress-bar", "off")
# One package has no wheel; it is built with the locked setuptools, not with what an isolated build would download.
WHEELS_ONLY = ("--only-binary", ":all:", "--no-binary", "empy", "--no-build-isolation")
COLCON = ("build", "--symlink-install", "--event-handlers", "console_direct+", "console_cohesion-")

# What a failed command said, and what to do about it.
FAILURES = {
    "No space left on device|Errno 28": f"The disk is full: free {DISK_NEEDED_GB:.0f} GB, then call ./lander again.",
    "connection broken by|Temporary failure in name resolution|Network is unreachable|Could not fetch URL": (
        "The package index cannot be reached, which the first set-up needs: check the network (or the proxy, or pip's"
        " index-url), then call ./lander again."
    ),
    "DO NOT MATCH THE HASHES": (
        "A downloaded package is not the one that was locked: empty pip's cache (python3 -m pip cache purge), or check"
        " the index that pip is configured to use."
    ),
    r"Python\.h: No such file|missing:.*Development": f"Python's headers are missing; {DEBIAN_HINT}",
    "ensurepip": NO_VENV,
}


class Progress:
    """Says what set-up is doing: one line that changes on a terminal, a few lines elsewhere."""

    def __init__(self) -> None:
        self._live = sys.stderr.isatty()
        self._interval_s = 0.1 if self._live else 10.0
        self._begin = self._last = time.monotonic()
        self._stage = ""

    def stage(self, title: str) -> None:
        """A new stage begins."""
        if self._live and self._stage:
            self._write(f"\r\x1b[K{self._stage}: done\n")
        self._stage = title
        self._write(title if self._live else f"{title}\n")

    def detail(self, text: str) -> None:
        """What the stage is at; shown now and then."""
        now = time.monotonic()
        if now - self._last < self._interval_s:
            return
        self._last = now
        line = f"{self._stage}: {text}"
        self._write(f"\r\x1b[K{line[: shutil.get_terminal_size().columns - 1]}" if self._live else f"  {text}\n")

    def note(self, text: str) -> None:
        """Something that should be read."""
        self._write(f"\n{text}\n")

    def done(self) -> None:
        """All is done."""
        elapsed = time.monotonic() - self._begin
        self.stage("")
        self._write(f"Ready after {elapsed:.0f} s.\n")

    def _write(self, text: str) -> None:
        sys.stderr.write(text)
        sys.stderr.flush()


class Setup:
    """One set-up of a project."""

    def __init__(self, project: Project, lock_descriptor: int) -> None:
        self._project = project
        self._lock = lock_descriptor
        self._progress = Progress()

    def run(self, with_kernels: bool = True) -> None:
        """Do what the stamp does not vouch for. Raises SetupError."""
        project, goal = self._project, wanted(self._project)
        stamp = Stamp.read(project)
        if not stamp or stamp.identity != goal.identity or not stamp.requirements or not is_usable(project):
            self._make_venv(stamp)
            stamp = Stamp(goal.identity)
        if stamp.requirements != goal.requirements:
            stamp.requirements = ""
            stamp.write(project)
            self._install()
            stamp.requirements = goal.requirements
        self._build(stamp, goal)
        if with_kernels and stamp.kernels != goal.kernels:
            self._warm_up()
            stamp.kernels = goal.kernels
        stamp.write(project)
        self._progress.done()

    def _make_venv(self, old: Stamp | None) -> None:
        check_machine(self._project)
        venv = self._project.venv
        if venv.is_dir() and any(venv.iterdir()):
            if not old and not (venv / "pyvenv.cfg").exists():
                raise SetupError(f"{venv} is in the way, and no virtual environment: move it elsewhere.")
            self._progress.stage("Removing an unfinished or outdated .venv")
            _empty(venv)
        self._progress.stage("Setting up, once: this takes a few minutes and 1.1 GB. Making .venv")
        venv.mkdir(exist_ok=True)
        Stamp().write(self._project)
        options = ["--system-site-packages"] if self._project.ros else []
        self._call([sys.executable, "-m", "venv", *options, str(venv)])

    def _install(self) -> None:
        self._progress.stage("Installing packages")
        locked = re.findall(r"^([\w.-]+)==(?!.*win32)", self._project.requirements.read_text(encoding="utf-8"), re.M)
        seen: set[str] = set()

        def follow(line: str) -> None:
            match = re.match(r"(?:Collecting|Requirement already satisfied:) ([\w.-]+)", line)
            if match:
                seen.add(match[1])
                self._progress.detail(f"{len(seen)} of {len(set(locked))}, {match[1]}")

        pip, requirements = [str(self._project.python), *PIP], self._project.requirements
        self._call([*pip, "-r", str(requirements.with_name("bootstrap.txt"))])
        self._call([*pip, *WHEELS_ONLY, "-r", str(requirements)], follow)
        if not self._project.ros:
            mend_cmake_paths(self._project)

    def _build(self, stamp: Stamp, goal: Stamp) -> None:
        missing = missing_packages(self._project)
        changed = [name for name in goal.packages if goal.packages[name] != stamp.packages.get(name) or name in missing]
        if changed:
            check_compiler()
            for name in changed:
                if stamp.packages.get(name, UNFINISHED) == UNFINISHED:
                    self._remove_build(name)
                stamp.packages[name] = UNFINISHED
            stamp.write(self._project)
            self._colcon(changed, stamp, goal)
        stamp.packages = goal.packages
        stamp.write(self._project)

    def _remove_build(self, package: str) -> None:
        for folder in ("build", "install"):
            shutil.rmtree(self._project.workspace / folder / package, ignore_errors=True)

    def _colcon(self, packages: list[str], stamp: Stamp, goal: Stamp) -> None:
        self._progress.stage("Building the workspace")

        def follow(line: str) -> None:
            if match := re.match(r"Finished <<< (\w+)", line):
                stamp.packages[match[1]] = goal.packages[match[1]]
                stamp.write(self._project)
            elif match := re.match(r"(?:Starting >>> (\w+)|\[(\d+/\d+)\])", line):
                self._progress.detail(match[1] or f"step {match[2]}")

        python, cmake = self._project.python, f"-DPython3_EXECUTABLE={self._project.python}"
        colcon = [str(python), str(self._project.venv / "bin" / "colcon"), *COLCON, "--packages-select", *packages]
        options = ["--cmake-args", cmake, "-DBUILD_TESTING=OFF", "--no-warn-unused-cli"]
        self._call([*colcon, *options], follow, cwd=self._project.workspace)

    def _warm_up(self) -> None:
        if not self._project.warm_up.exists():
            return
        self._progress.stage("Compiling numerical kernels")
        _remove_older(self._project.kernel_cache.parent, KEEP_KERNELS_S)
        try:
            command = [str(self._project.python), "-m", "lander_tools.warm_up"]
            self._call(command, self._progress.detail, with_workspace=True)
        except SetupError as error:  # nothing but time is lost, and the tests will say what is wrong
            self._progress.note(f"Kernels will be compiled when they are first needed, because {error}")

    def _call(
        self,
        command: list[str],
        follow: Callable[[str], None] = lambda line: None,
        *,
        cwd: Path | None = None,
        with_workspace: bool = False,
    ) -> None:
        """Run a command, its output in the log. Raises SetupError with what to do where it fails."""
        variables = environment(self._project, os.environ, with_workspace=with_workspace)
        variables |= {"PYTHONUNBUFFERED": "1", "PIP_USER": "0", "PIP_DISABLE_PIP_VERSION_CHECK": "1"}
        # A home of its own for colcon, because defaults of the user could build elsewhere or otherwise.
        variables |= {"CMAKE_GENERATOR": "Ninja", "COLCON_HOME": str(self._project.workspace / "log")}
        log = self._project.venv / LOG
        tail: deque[str] = deque(maxlen=2000)
        with (
            log.open("a", encoding="utf-8") as record,
            self._start(command, cwd or self._project.root, variables) as process,
        ):
            record.write(f"$ {' '.join(command)}\n")
            for line in process.stdout or ():
                record.write(line)
                tail.append(line)
                follow(line.rstrip())
        if process.returncode:
            raise SetupError(explain_failure(command, "".join(tail), log))

    def _start(self, command: list[str], cwd: Path, variables: dict[str, str]) -> subprocess.Popen[str]:
        return subprocess.Popen(
            command,
            cwd=cwd,
            env=variables,
            text=True,
            errors="replace",
            stdin=subprocess.DEVNULL,
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
            pass_fds=[self._lock],
        )


def explain_failure(command: list[str], output: str, log: Path) -> str:
    """What to do about a command that failed, from what it said."""
    for pattern, advice in FAILURES.items():
        if re.search(pattern, output):
            return f"{advice}\nDetails: {log}"
    last = "\n".join(output.strip().splitlines()[-15:])
    return f"{' '.join(command[:4])} ... failed:\n{last}\nDetails: {log}. Another ./lander goes on from here."


def check_machine(project: Project) -> None:
    """Raise SetupError where set-up cannot succeed on this machine, before anything is downloaded."""
    if project.ros:
        check_sourced_ros(project)
    else:
        check_platform(sys.platform, platform.machine(), platform.libc_ver())
    if not importlib.util.find_spec("venv") or not importlib.util.find_spec("ensurepip"):
        raise SetupError(NO_VENV)
    free_gb = shutil.disk_usage(project.root).free / 1e9
    if free_gb < DISK_NEEDED_GB:
        raise SetupError(f"{DISK_NEEDED_GB:.0f} GB of disk are needed at {project.root}, {free_gb:.1f} GB are free.")
    check_compiler()
    headers = Path(sysconfig.get_path("include"), "Python.h")
    if not headers.exists():
        raise SetupError(f"Python's headers are missing ({headers}); {DEBIAN_HINT}")


def check_platform(system: str, machine: str, libc: tuple[str, str]) -> None:
    """Raise SetupError where there are no ROS 2 wheels for this kind of machine."""
    if system != "linux" or machine != "x86_64":
        raise SetupError(
            f"The ROS 2 wheels exist for Linux on x86-64 only; this is {system} on {machine}. Install ROS 2 Jazzy and"
            " source it (source /opt/ros/jazzy/setup.bash), or use the container in docker/."
        )
    name, version = libc
    if name != "glibc" or tuple(map(int, version.split(".")[:2])) < OLDEST_GLIBC:
        raise SetupError(
            f"The ROS 2 wheels need glibc {'.'.join(map(str, OLDEST_GLIBC))} or newer; here is {name or 'another libc'}"
            f" {version}. Use a newer distribution (Debian 10, Ubuntu 20.04, RHEL 8, or later), or docker/."
        )


def check_sourced_ros(project: Project) -> None:
    """Raise SetupError where this Python is not the one that the sourced ROS 2 was built for."""
    if subprocess.run([sys.executable, "-c", "import rclpy"], capture_output=True, check=False).returncode:
        raise SetupError(
            f"ROS 2 is sourced ({project.ros}), but {sys.executable}, Python {platform.python_version()}, cannot import"
            " rclpy. Leave other Python environments (deactivate, conda deactivate), or use a shell without ROS."
        )


def check_compiler() -> None:
    """Raise SetupError where the message types cannot be compiled."""
    for language, variable, names in (("C", "CC", ("cc", "gcc", "clang")), ("C++", "CXX", ("c++", "g++", "clang++"))):
        if not any(map(shutil.which, [os.environ.get(variable, names[0]), *names])):
            raise SetupError(f"No {language} compiler was found; {DEBIAN_HINT}")


def mend_cmake_paths(project: Project) -> None:
    """Replace folders of the machine on which the wheels were built, which their CMake files name, by this one's."""
    (numpy_headers,) = project.venv.glob("lib/python3*/site-packages/numpy/_core/include")
    ask = [str(project.python), "-c", "import sysconfig; print(sysconfig.get_path('include'))"]
    python_headers = subprocess.check_output(ask, text=True).strip()
    for file in (project.venv / "share").rglob("*.cmake"):
        text = file.read_text(encoding="utf-8")
        mended = re.sub(r"/opt/python/[^;\"\s]*/numpy/_core/include", lambda _: str(numpy_headers), text)
        mended = re.sub(r"/opt/python/[^;\"\s]*/include/python3\.\d+", lambda _: python_headers, mended)
        if mended != text:
            file.unlink()  # it may be a hard link into the cache of a package manager
            file.write_text(mended, encoding="utf-8")


def _remove_older(folder: Path, age_s: float) -> None:
    """Remove what has not changed for a while; what is newer may be in use by a run."""
    for entry in folder.iterdir() if folder.is_dir() else ():
        if time.time() - entry.stat().st_mtime > age_s:
            shutil.rmtree(entry, ignore_errors=True)


def _empty(folder: Path) -> None:
    for entry in folder.iterdir():
        if entry.is_dir() and not entry.is_symlink():
            shutil.rmtree(entry)
        else:
            entry.unlink()
