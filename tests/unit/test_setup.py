"""The set-up installs and builds what is asked for, once, repairs what was interrupted, and says what is missing."""

from __future__ import annotations

import ast
import errno
import fcntl
import os
import re
import subprocess
import sys
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from lander_tools import setup_steps
from lander_tools.cli import COMMANDS
from lander_tools.project import project_root
from lander_tools.setup_env import START, SetupError, environment, explain_os_error, lock, sourced_ros
from lander_tools.setup_stamp import STAMP, Project, Stamp, is_ready, wanted
from lander_tools.setup_steps import LOG, UNFINISHED, Setup, explain_failure, mend_cmake_paths

PACKAGES = ("lander_bringup", "lander_interfaces", "lander_tools", "tf2_msgs")
LOCKED = """# made by a tool
numpy==2.4.6 ; python_version >= '3.11' \\
    --hash=sha256:00
ros-rclpy==7.1.6 \\
    --hash=sha256:11
"""


@pytest.fixture
def project(tmp_path: Path) -> Project:
    """A small project of the same form, in a path with a space."""
    root = tmp_path / "fri goris"
    for name in PACKAGES:
        touch(root / "ros2_ws" / "src" / name / "package.xml", "<package/>")
    touch(root / "ros2_ws" / "src" / "lander_tools" / "setup.py", "setup()")
    touch(root / "ros2_ws" / "src" / "lander_tools" / "lander_tools" / "cli.py")
    touch(root / "ros2_ws" / "src" / "lander_tools" / "lander_tools" / "warm_up.py", "# njit")
    touch(root / "ros2_ws" / "src" / "lander_interfaces" / "msg" / "Tick.msg", "uint64 tick")
    touch(root / "config" / "scenario" / "nominal.yaml")
    for name in ("wheels", "sourced-ros", "bootstrap"):
        touch(root / "requirements" / f"{name}.txt", LOCKED)
    return Project(root)


def touch(path: Path, text: str = "") -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text(text)
    return path


class Killed(BaseException):
    """The set-up is killed at this moment."""


class FakeSetup(Setup):
    """A set-up whose commands leave what the real ones leave, and that can be killed in the midst of any of them."""

    def __init__(self, project: Project, kill_at: int = -1) -> None:
        super().__init__(project, lock_descriptor=-1)
        self.project = project
        self.kill_at = kill_at
        self.called: list[str] = []
        self.built: list[str] = []

    def _call(self, command: list[str], follow: Callable[[str], None] = str, **_: Any) -> None:
        name, act = next((n, a) for word, n, a in self.steps() if word in " ".join(command[1:]))
        killed = len(self.called) == self.kill_at
        self.called.append(name)
        act(command, follow, killed)
        if killed:
            raise Killed

    def steps(self) -> list[tuple[str, str, Callable[..., None]]]:
        return [
            ("-m venv", "venv", self.make_venv),
            ("bootstrap.txt", "bootstrap", self.install),
            ("wheels.txt", "install", self.install),
            ("bin/colcon", "colcon", self.build),
            ("warm_up", "warm up", self.compile),
        ]

    def make_venv(self, _command: list[str], _follow: Callable[[str], None], killed: bool) -> None:
        touch(self.project.venv / "pyvenv.cfg")
        touch(self.project.venv / "lib" / "python3.11" / "site-packages" / "numpy" / "_core" / "include" / "x.h")
        if not killed:
            touch(self.project.python).parent.joinpath("python").unlink()
            self.project.python.symlink_to(sys.executable)

    def install(self, _command: list[str], follow: Callable[[str], None], _killed: bool) -> None:
        follow("Collecting numpy==2.4.6")

    def compile(self, _command: list[str], _follow: Callable[[str], None], _killed: bool) -> None:
        pass

    def build(self, command: list[str], follow: Callable[[str], None], killed: bool) -> None:
        names = command[command.index("--packages-select") + 1 : command.index("--cmake-args")]
        for name in names[:1] if killed else names:
            self.built.append(name)
            touch(self.project.workspace / "install" / name / "share" / name / "package.xml")
            follow(f"Finished <<< {name} [1.00s]")


def set_up(project: Project) -> FakeSetup:
    setup = FakeSetup(Project(project.root, project.ros, project.underlay))
    setup.run()
    return setup


# --- what is asked for, and when


def test_the_first_call_does_everything_and_the_second_nothing(project: Project) -> None:
    assert not is_ready(project, Stamp.read(project))
    assert set_up(project).called == ["venv", "bootstrap", "install", "colcon", "warm up"]
    assert is_ready(project, Stamp.read(project))
    assert set_up(project).called == []


@pytest.mark.parametrize(
    ("changed", "asked", "built"),
    [
        ("ros2_ws/src/lander_tools/lander_tools/cli.py", [], []),
        ("ros2_ws/src/lander_tools/lander_tools/__pycache__/cli.pyc", [], []),
        ("config/scenario/nominal.yaml", [], []),
        ("config/scenario/other.yaml", ["colcon"], ["lander_bringup"]),
        ("ros2_ws/src/lander_interfaces/msg/Tick.msg", ["colcon"], ["lander_interfaces"]),
        ("ros2_ws/src/lander_interfaces/msg/New.msg", ["colcon"], ["lander_interfaces"]),
        ("ros2_ws/src/lander_tools/setup.py", ["colcon"], ["lander_tools"]),
        ("ros2_ws/src/lander_new/package.xml", ["colcon"], ["lander_new"]),
        ("ros2_ws/src/lander_tools/lander_tools/warm_up.py", ["warm up"], []),
    ],
)
def test_a_change_asks_for_what_depends_on_it_and_no_more(
    project: Project, changed: str, asked: list[str], built: list[str]
) -> None:
    set_up(project)
    touch(project.root / changed, "# changed, jit" if "warm_up" in changed else "# changed")
    project = Project(project.root)
    setup = set_up(project)
    assert (setup.called, setup.built) == (asked, built)
    assert is_ready(project, Stamp.read(project))


def test_new_requirements_are_installed_into_the_environment_that_is_there(project: Project) -> None:
    set_up(project)
    project.requirements.write_text(LOCKED.replace("2.4.6", "2.5.5"))
    assert set_up(project).called == ["bootstrap", "install", "warm up"]


def test_other_ros_wheels_ask_for_the_types_to_be_compiled_anew(project: Project) -> None:
    set_up(project)
    project.requirements.write_text(LOCKED.replace("7.1.6", "7.1.7"))
    assert set_up(project).built == list(PACKAGES)


def test_a_project_that_was_moved_is_set_up_anew(project: Project) -> None:
    set_up(project)
    moved = Project(project.root.rename(project.root.with_name("elsewhere")))
    assert set_up(moved).called[0] == "venv"
    assert is_ready(moved, Stamp.read(moved))


@pytest.mark.parametrize(
    ("lost", "asked"),
    [
        (".venv/bin/python", ["venv", "bootstrap", "install", "colcon", "warm up"]),
        (f".venv/{STAMP}", ["venv", "bootstrap", "install", "colcon", "warm up"]),
        ("ros2_ws/install/tf2_msgs/share/tf2_msgs/package.xml", ["colcon"]),
    ],
)
def test_what_somebody_has_removed_is_made_again(project: Project, lost: str, asked: list[str]) -> None:
    set_up(project)
    (project.root / lost).unlink()
    assert not is_ready(project, Stamp.read(project))
    assert set_up(project).called == asked


def test_kernels_that_cannot_be_compiled_ahead_do_not_stop_the_set_up(
    project: Project, capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: Any) -> None:
        raise SetupError("the flight crashed")

    monkeypatch.setattr(FakeSetup, "compile", fail)
    set_up(project)
    assert "because the flight crashed" in capsys.readouterr().err
    assert is_ready(project, Stamp.read(project))


def test_kernels_are_compiled_ahead_only_for_what_flies(project: Project) -> None:
    setup = FakeSetup(project)
    setup.run(with_kernels=False)
    assert setup.called == ["venv", "bootstrap", "install", "colcon"]
    assert is_ready(project, Stamp.read(project), with_kernels=False)
    assert not is_ready(project, Stamp.read(project))
    assert set_up(project).called == ["warm up"]


# --- interruptions


@pytest.mark.parametrize("kill_at", range(5))
def test_a_set_up_that_was_killed_at_any_step_is_repaired_by_the_next_call(project: Project, kill_at: int) -> None:
    with pytest.raises(Killed):
        FakeSetup(project, kill_at).run()
    assert not is_ready(project, Stamp.read(project))
    again = set_up(project)
    assert again.called[0] == ["venv", "venv", "venv", "colcon", "warm up"][kill_at]
    assert is_ready(project, Stamp.read(project))


def test_a_killed_build_begins_afresh_with_the_packages_that_were_not_finished(project: Project) -> None:
    left = touch(project.workspace / "build" / "tf2_msgs" / "half.o")
    with pytest.raises(Killed):
        FakeSetup(project, kill_at=3).run()
    stamp = Stamp.read(project)
    assert stamp is not None
    assert stamp.packages["tf2_msgs"] == UNFINISHED
    assert set_up(project).built == list(PACKAGES[1:])
    assert not left.exists()


def test_a_killed_update_of_the_requirements_leads_to_a_fresh_environment(project: Project) -> None:
    set_up(project)
    project.requirements.write_text(LOCKED.replace("2.4.6", "2.5.5"))
    with pytest.raises(Killed):
        FakeSetup(project, kill_at=1).run()
    assert set_up(project).called[0] == "venv"


def test_a_half_made_environment_without_a_stamp_is_replaced(project: Project) -> None:
    touch(project.venv / "pyvenv.cfg")
    touch(project.venv / "lib" / "left over")
    set_up(project)
    assert not (project.venv / "lib" / "left over").exists()


def test_a_folder_that_is_no_environment_is_left_alone(project: Project) -> None:
    precious = touch(project.venv / "thesis.tex")
    with pytest.raises(SetupError, match=r"move it elsewhere"):
        set_up(project)
    assert precious.exists()


def test_a_second_set_up_waits_for_the_first(project: Project) -> None:
    with lock(project.root), open(project.root / "config" / "scenario" / "nominal.yaml"):
        other = os.open(project.root, os.O_RDONLY)
        with pytest.raises(BlockingIOError):
            fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
        os.close(other)
    with lock(project.root):
        pass


def test_children_of_a_killed_set_up_keep_others_out_until_they_have_ended(project: Project) -> None:
    with lock(project.root) as descriptor:
        child = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE, pass_fds=[descriptor])
    other = os.open(project.root, os.O_RDONLY)
    with pytest.raises(BlockingIOError):
        fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    child.communicate(b"\n")
    fcntl.flock(other, fcntl.LOCK_EX | fcntl.LOCK_NB)
    os.close(other)


# --- the environment


def test_the_environment_of_the_wheels_shuts_out_what_the_shell_has_of_another_ros(project: Project) -> None:
    site = project.venv / "lib" / "python3.11" / "site-packages"
    (site / "ros_rcl.libs").mkdir(parents=True)
    interfaces = project.workspace / "install" / "lander_interfaces"
    (interfaces / "lib" / "python3.11" / "site-packages").mkdir(parents=True)
    variables = environment(project, {"PATH": "/bin", "PYTHONPATH": "/other", "LD_LIBRARY_PATH": "/mine"})
    assert variables["PATH"].split(":") == [f"{project.venv}/bin", "/bin"]
    assert variables["AMENT_PREFIX_PATH"].split(":")[-1] == str(project.venv)
    assert str(interfaces) in variables["AMENT_PREFIX_PATH"].split(":")
    paths = variables["PYTHONPATH"].split(":")
    assert paths.index(f"{project.workspace}/src/lander_tools") < paths.index(f"{project.workspace}/build/lander_tools")
    assert str(interfaces / "lib" / "python3.11" / "site-packages") in variables["PYTHONPATH"].split(":")
    assert "/other" not in variables["PYTHONPATH"]
    assert variables["LD_LIBRARY_PATH"].split(":")[-1] == "/mine"
    assert str(site / "ros_rcl.libs") in variables["LD_LIBRARY_PATH"].split(":")
    assert variables["OMP_NUM_THREADS"] == "1"


def test_a_sourced_ros_stays_behind_the_workspace_and_its_packages_are_used(project: Project, tmp_path: Path) -> None:
    ros = tmp_path / "ros"
    touch(ros / "share" / "rclpy" / "package.xml")
    touch(ros / "share" / "tf2_msgs" / "package.xml")
    shell = {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": str(ros), "PYTHONPATH": "/ros/python", "PATH": "/bin"}
    name, underlay = sourced_ros(shell)
    sourced = Project(project.root, name, underlay)
    assert name == f"jazzy {ros}"
    assert "tf2_msgs" not in wanted(sourced).packages
    assert sourced.requirements.name == "sourced-ros.txt"
    variables = environment(sourced, shell)
    assert variables["AMENT_PREFIX_PATH"].split(":")[-1] == str(ros)
    assert variables["PYTHONPATH"].split(":")[-1] == "/ros/python"
    assert variables["ROS_DISTRO"] == "jazzy"


@pytest.mark.parametrize(
    "shell", [{}, {"ROS_DISTRO": "jazzy"}, {"ROS_DISTRO": "jazzy", "AMENT_PREFIX_PATH": "/nowhere:"}]
)
def test_what_is_left_of_a_ros_that_is_not_there_does_not_count_as_one(shell: dict[str, str]) -> None:
    assert sourced_ros(shell) == ("", ())


def test_going_from_the_wheels_to_a_sourced_ros_sets_everything_up_anew(project: Project) -> None:
    set_up(project)
    assert wanted(Project(project.root, "jazzy /opt/ros/jazzy")).identity != wanted(project).identity


def test_folders_of_the_machine_that_built_the_wheels_are_replaced(project: Project) -> None:
    FakeSetup(project).make_venv([], str, killed=False)
    built = "/opt/python/cp311-cp311"
    text = f'DIRS "{built}/include/python3.11;{built}/lib/python3.11/site-packages/numpy/_core/include;/usr/include"'
    file = touch(project.venv / "share" / "std_msgs" / "cmake" / "export.cmake", text)
    mend_cmake_paths(project)
    python, numpy, other = re.findall(r'[^" ;]+(?: goris[^" ;]*)?', file.read_text())[1:]
    assert Path(python, "Python.h").exists() == Path(sys_include(), "Python.h").exists()
    assert numpy == str(project.venv / "lib" / "python3.11" / "site-packages" / "numpy" / "_core" / "include")
    assert other == "/usr/include"


def sys_include() -> str:
    import sysconfig

    return sysconfig.get_path("include")


# --- what cannot work is said, with what to do


@pytest.mark.parametrize(
    ("machine", "message"),
    [
        (("darwin", "arm64", ("", "")), "Linux on x86-64 only; this is darwin on arm64"),
        (("linux", "aarch64", ("glibc", "2.36")), "this is linux on aarch64"),
        (("linux", "x86_64", ("glibc", "2.17")), "need glibc 2.28 or newer; here is glibc 2.17"),
        (("linux", "x86_64", ("", "")), "here is another libc"),
    ],
)
def test_a_machine_without_wheels_is_told_of_what_would_work(machine: Any, message: str) -> None:
    with pytest.raises(SetupError, match=message) as caught:
        setup_steps.check_platform(*machine)
    assert "docker/" in str(caught.value)


def test_a_machine_with_wheels_is_accepted() -> None:
    setup_steps.check_platform("linux", "x86_64", ("glibc", "2.28"))


def test_a_missing_compiler_is_said_with_the_package(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    monkeypatch.setenv("PATH", str(tmp_path))
    monkeypatch.delenv("CC", raising=False)
    monkeypatch.delenv("CXX", raising=False)
    with pytest.raises(SetupError, match=r"No C compiler was found; .*apt install g\+\+"):
        setup_steps.check_compiler()
    touch(tmp_path / "cc").chmod(0o755)
    with pytest.raises(SetupError, match=r"No C\+\+ compiler"):
        setup_steps.check_compiler()


def test_a_python_that_cannot_make_environments_is_said(project: Project, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(setup_steps.importlib.util, "find_spec", lambda name: None)
    with pytest.raises(SetupError, match=r"cannot make virtual environments; .*python3-venv"):
        setup_steps.check_machine(project)


def test_too_little_disk_is_said_before_anything_is_downloaded(
    project: Project, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(setup_steps, "DISK_NEEDED_GB", 1e9)
    with pytest.raises(SetupError, match=r"GB of disk are needed"):
        set_up(project)


@pytest.mark.parametrize(
    ("output", "advice"),
    [
        ("OSError: [Errno 28] No space left on device", "disk is full"),
        (
            "WARNING: Retrying ... after connection broken by 'NewConnectionError(...)'\nERROR: none",
            "check the network",
        ),
        ("ERROR: THESE PACKAGES DO NOT MATCH THE HASHES FROM THE REQUIREMENTS FILE.", "not the one that was locked"),
        ("fatal error: Python.h: No such file or directory", "python3-dev"),
        ("The virtual environment was not created because ensurepip is not available.", "python3-venv"),
        ("long ago\n" + "line\n" * 40 + "the cause", "the cause"),
    ],
)
def test_a_failed_command_is_explained_in_one_message_that_names_the_log(output: str, advice: str) -> None:
    message = explain_failure(["pip", "install"], output, Path(LOG))
    assert advice in message
    assert LOG in message
    assert "long ago" not in message


@pytest.mark.parametrize(
    ("number", "advice"),
    [(errno.ENOSPC, "free 2 GB"), (errno.EACCES, "clone into a folder of your own"), (errno.EIO, "again repairs")],
)
def test_a_file_that_cannot_be_written_comes_with_what_to_do(number: int, advice: str) -> None:
    assert advice in explain_os_error(OSError(number, "reason"), Path("/clone"))


def test_a_command_that_fails_leaves_its_output_in_the_log(project: Project) -> None:
    project.venv.mkdir()
    failing = [sys.executable, "-c", "print('why it failed'); raise SystemExit(1)"]
    with lock(project.root) as descriptor, pytest.raises(SetupError, match="why it failed"):
        Setup(project, descriptor)._call(failing)
    assert "why it failed" in (project.venv / LOG).read_text()


def test_an_old_python_understands_the_first_file_and_is_told_what_is_needed(tmp_path: Path) -> None:
    lander = project_root() / "lander"
    ast.parse(lander.read_text(), feature_version=(3, 6))
    pretend = "import runpy, sys; sys.version_info = (3, 8, 1); runpy.run_path(sys.argv[1], run_name='__main__')"
    command = [sys.executable, "-c", pretend, str(lander)]
    said = subprocess.run(command, env={"PATH": str(tmp_path)}, capture_output=True, text=True, check=False)
    assert said.returncode == 1
    assert "Python 3.10 to 3.13 is needed, and python3 is 3.8" in said.stderr
    assert "Traceback" not in said.stderr


def test_the_set_up_needs_the_standard_library_alone() -> None:
    source = project_root() / "ros2_ws" / "src" / "lander_tools"
    code = f"import sys; sys.path.insert(0, {str(source)!r}); import lander_tools.setup_env, lander_tools.setup_steps"
    subprocess.run([sys.executable, "-I", "-S", "-c", code], check=True)


def test_modules_in_the_working_directory_are_not_taken_for_ours(tmp_path: Path) -> None:
    touch(tmp_path / "click.py", "raise SystemExit('not ours')")
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path[1:])}
    subprocess.run([sys.executable, "-c", START, "--help"], cwd=tmp_path, env=variables, check=True)


# --- the locked requirements and the command line


@pytest.mark.parametrize("name", ["wheels", "sourced-ros", "bootstrap"])
def test_every_locked_requirement_has_one_version_and_hashes(name: str) -> None:
    text = (project_root() / "requirements" / f"{name}.txt").read_text()
    entries = re.split(r"\n(?=\S)", re.sub(r"^#.*\n", "", text, flags=re.MULTILINE).strip())
    pinned = re.compile(r"[\w.-]+==\S+( ;.*)? \\\n(    --hash=sha256:[0-9a-f]{64}( \\\n)?)+$")
    assert [entry for entry in entries if not pinned.match(entry)] == []


def test_the_two_sets_of_requirements_have_the_same_versions() -> None:
    def pins(name: str) -> set[str]:
        text = (project_root() / "requirements" / f"{name}.txt").read_text()
        return set(re.findall(r"^[\w.-]+==\S+", text, re.MULTILINE))

    assert pins("sourced-ros") < pins("wheels")


@pytest.mark.parametrize("arguments", [[], *([name] for name in COMMANDS)])
def test_every_command_has_help(arguments: list[str]) -> None:
    from click.testing import CliRunner

    from lander_tools.cli import main

    result = CliRunner().invoke(main, [*arguments, "--help"], prog_name="./lander")
    assert result.exit_code == 0, result.output
    assert result.output.startswith("Usage: ./lander")
