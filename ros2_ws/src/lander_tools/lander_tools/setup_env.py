"""Make what the commands run in: `.venv` with ROS 2 and the libraries, and the built workspace.

`./lander` calls `main` before anything is installed, so this module and those it imports need the standard library
alone. What has to be done is in `setup_steps`, which a finished project never imports.
"""

from __future__ import annotations

import contextlib
import errno
import fcntl
import os
import sys
from collections.abc import Iterator, Mapping
from pathlib import Path

from lander_tools.setup_stamp import Project, Stamp, is_ready

# Threads in BLAS and OpenMP change sums and take the cores that other nodes need.
ONE_THREAD = ("OMP_NUM_THREADS", "OPENBLAS_NUM_THREADS", "MKL_NUM_THREADS", "NUMEXPR_NUM_THREADS", "NUMBA_NUM_THREADS")
ADDED = (
    *("VIRTUAL_ENV", "PATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "PYTHONPATH", "LD_LIBRARY_PATH"),
    *("_ROS_WHEELS_BOOTSTRAP_COMPLETE", "NUMBA_CACHE_DIR", *ONE_THREAD),
)  # what `environment` sets
# Like `python -m lander_tools.cli`, but modules in the user's working directory are not taken for ours.
START = "import sys; del sys.path[0]; from lander_tools.cli import main; main(prog_name='./lander')"
FLYING = {"run", "campaign", "test", "bench", "setup"}  # commands for which everything is made ready
OF_ANOTHER_ROS = ("PYTHONHOME", "PYTHONPATH", "AMENT_PREFIX_PATH", "CMAKE_PREFIX_PATH", "ROS_DISTRO")


class SetupError(Exception):
    """Set-up cannot go on. Its text says why and what to do."""


def sourced_ros(variables: Mapping[str, str]) -> tuple[str, tuple[Path, ...]]:
    """Which ROS 2 is sourced, with its prefixes; empty where none is, or where its folders are not there."""
    distribution = variables.get("ROS_DISTRO", "")
    prefixes = tuple(Path(prefix) for prefix in variables.get("AMENT_PREFIX_PATH", "").split(os.pathsep) if prefix)
    homes = [prefix for prefix in prefixes if (prefix / "share" / "rclpy" / "package.xml").exists()]
    return (f"{distribution} {homes[0]}", prefixes) if distribution and homes else ("", ())


def environment(project: Project, base: Mapping[str, str], *, with_workspace: bool = True) -> dict[str, str]:
    """The variables that nodes and tools need, computed rather than sourced, which would take longer than the start.

    They follow colcon's own setup files; what a sourced ROS 2 has set stays behind them.
    """
    result = dict(base)
    prefixes: list[Path] = []
    modules: list[Path] = []
    metadata: list[Path] = []
    libraries: list[Path] = []
    for package in project.packages if with_workspace else ():
        prefix = project.workspace / "install" / package.name
        prefixes.append(prefix)
        if (package / "setup.py").exists():
            modules.append(
                package
            )  # not by colcon's link to it: compiled kernels are cached by the path of their source
            metadata.append(project.workspace / "build" / package.name)
        else:
            modules.extend(prefix.glob("lib/python3*/site-packages"))
            libraries.append(prefix / "lib")
    if not project.ros:
        for name in OF_ANOTHER_ROS:
            result.pop(name, None)
        prefixes.append(project.venv)
        libraries += [project.venv / "lib", *sorted(project.venv.glob("lib/python3*/site-packages/ros_*.libs"))]
        result["_ROS_WHEELS_BOOTSTRAP_COMPLETE"] = "1"  # the libraries are found: no second start of the interpreter
    result["VIRTUAL_ENV"] = str(project.venv)
    _prepend(result, "PATH", [project.venv / "bin"])
    _prepend(result, "AMENT_PREFIX_PATH", prefixes)
    _prepend(result, "CMAKE_PREFIX_PATH", prefixes)
    _prepend(result, "PYTHONPATH", [*modules, *metadata])
    _prepend(result, "LD_LIBRARY_PATH", libraries)
    result.update(dict.fromkeys(ONE_THREAD, "1"))
    result["NUMBA_CACHE_DIR"] = str(project.kernel_cache)
    return result


def _prepend(variables: dict[str, str], name: str, paths: list[Path]) -> None:
    present = [part for part in variables.get(name, "").split(os.pathsep) if part]
    joined = os.pathsep.join(dict.fromkeys([*map(str, paths), *present]))
    if joined:
        variables[name] = joined


@contextlib.contextmanager
def lock(root: Path) -> Iterator[int]:
    """Hold the project for one set-up at a time; yield the descriptor of the lock.

    The lock is on the project's folder, so no file is left behind. Children that inherit the descriptor keep the lock
    when this process is killed: nobody repairs what is still being written.
    """
    descriptor = os.open(root, os.O_RDONLY)
    try:
        try:
            fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
        except BlockingIOError:
            sys.stderr.write("Another ./lander is setting this folder up; waiting for it.\n")
            fcntl.flock(descriptor, fcntl.LOCK_EX)
        yield descriptor
    finally:
        os.close(descriptor)


def ensure(project: Project, with_kernels: bool) -> None:
    """Set the project up where it is not; kernels are compiled ahead for what flies. Raises SetupError."""
    if is_ready(project, Stamp.read(project), with_kernels):
        return
    from lander_tools.setup_steps import Setup

    with lock(project.root) as descriptor:
        if not is_ready(project, Stamp.read(project), with_kernels):  # another call may have done it meanwhile
            Setup(project, descriptor).run(with_kernels)


def explain_os_error(error: OSError, root: Path) -> str:
    """What to do about a file that cannot be written or read."""
    if error.errno == errno.ENOSPC:
        return "The disk is full: free 2 GB, then call ./lander again."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"You must be able to write to {root}: change its owner, or clone into a folder of your own."
    return "Calling ./lander again repairs what was left unfinished."


def main(root: str, arguments: list[str]) -> int:
    """Set up where needed, then become the command line. Returns an exit status only where set-up failed."""
    ros, underlay = sourced_ros(os.environ)
    project = Project(Path(root), ros, underlay)
    try:
        ensure(project, with_kernels=not FLYING.isdisjoint(arguments[:1]))
    except SetupError as error:
        sys.stderr.write(f"\nlander: {error}\n")
        return 2
    except OSError as error:
        sys.stderr.write(f"\nlander: {error}. {explain_os_error(error, project.root)}\n")
        return 2
    except KeyboardInterrupt:
        sys.stderr.write("\nlander: interrupted; the next call goes on with the set-up.\n")
        return 130
    command = [str(project.python), "-c", START, *arguments]
    return os.execve(project.python, command, environment(project, os.environ))
