"""The launch runner does with a launch file what ROS launch does, and refuses what it does not know."""

from __future__ import annotations

import io
import json
import os
import re
import signal
import socket
import subprocess
import sys
import textwrap
import threading
from collections.abc import Callable, Mapping, Sequence
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_runtime.architecture import architecture
from lander_tools import launch_runner, spare
from lander_tools.launch_display import Pace, PlainDisplay, describe_progress
from lander_tools.launch_file import LaunchError, ProcessPlan, declared_arguments, plan
from lander_tools.launch_runner import Outcome, free_domain, isolated, launch
from lander_tools.launch_text import Scope, substitute, substitute_command
from lander_tools.project import project_root
from lander_tools.run import OPTIONAL_NODES

DESCENT = project_root() / "launch" / "descent.launch.yaml"
RUN_ARGUMENTS = {"scenario", "seed", "rate", "vehicle", "site", "start", "settings", "record", "respawn_down"}
RUN_ARGUMENTS |= {"stop_after", "out"}
Write = Callable[..., Path]


@pytest.fixture
def write(tmp_path: Path) -> Write:
    def write(text: str, name: str = "test.launch.yaml") -> Path:
        path = tmp_path / name
        path.write_text(textwrap.dedent(text))
        return path

    return write


@pytest.fixture
def index(tmp_path: Path) -> dict[str, str]:
    """An environment whose ament index knows package `demo` and its `node`, in a path with a space."""
    install(tmp_path / "in stall", "demo", "node", "#!/usr/bin/env python3\nprint('hello')\n")
    return {**os.environ, "AMENT_PREFIX_PATH": str(tmp_path / "in stall")}


def install(prefix: Path, package: str, executable: str, text: str) -> None:
    marker = prefix / "share" / "ament_index" / "resource_index" / "packages" / package
    program = prefix / "lib" / package / executable
    for file in (marker, program):
        file.parent.mkdir(parents=True, exist_ok=True)
    marker.touch()
    program.write_text(text)
    program.chmod(0o755)


def scope(**configurations: str) -> Scope:
    return Scope(configurations, {"HERE": "set", "EMPTY": ""}, Path("/folder of file"))


class Record:
    """A display that remembers."""

    def __init__(self) -> None:
        self.lines: list[tuple[str, str]] = []
        self.values: list[dict[str, Any]] = []
        self.changed = threading.Event()

    def line(self, name: str, text: str) -> None:
        self.lines.append((name, text))

    def progress(self, values: Mapping[str, Any]) -> None:
        self.values.append(dict(values))


def python(name: str, code: str, **options: Any) -> ProcessPlan:
    return ProcessPlan(name, (sys.executable, "-c", textwrap.dedent(code)), output="screen", **options)


def fly(*plans: ProcessPlan, log_folder: Path | None = None) -> tuple[Outcome, Record]:
    record = Record()
    return launch(plans, os.environ, record, log_folder), record


WAIT_FOR_EVER = "import time; time.sleep(600)"
IGNORE_EVERYTHING = """
    import signal, time
    for number in (signal.SIGINT, signal.SIGTERM):
        signal.signal(number, signal.SIG_IGN)
    print('[progress] {}', flush=True)
    time.sleep(600)
"""


# --- what a text can refer to


@pytest.mark.parametrize(
    ("text", "value"),
    [
        ("$(var name)", "x y"),
        ("a $(var name) b", "a x y b"),
        ("$(env HERE)", "set"),
        ("$(env EMPTY)", ""),
        ("$(env MISSING fallback)", "fallback"),
        ("$(env MISSING 'two words')", "two words"),
        ('$(env MISSING "with $(var name)")', "with x y"),
        ("$(env MISSING $(env HERE))", "set"),
        ("$(dirname)/other.yaml", "/folder of file/other.yaml"),
        (r"\$(var name)", "$(var name)"),
        ("costs 5$ (cheap)", "costs 5$ (cheap)"),
        ("", ""),
    ],
)
def test_a_substitution_gives_what_ros_launch_gives(text: str, value: str) -> None:
    assert substitute(text, scope(name="x y")) == value


@given(st.text(alphabet=st.characters(blacklist_characters="$\\")))
def test_a_text_without_substitutions_stays_as_it_is(text: str) -> None:
    assert substitute(text, scope()) == text


@given(st.text(min_size=1))
def test_what_a_substitution_gives_stays_one_word_of_a_command(value: str) -> None:
    assert substitute_command("run $(var it) now", scope(it=value)) == ["run", value, "now"]


@pytest.mark.parametrize(
    ("text", "complaint"),
    [
        ("$(var other)", r"\$\(var other\): no argument"),
        ("$(env MISSING)", "not set"),
        ("$(eval 1 + 1)", r"\$\(eval\) is not supported"),
        ("$(var name", "without its"),
        ("$(dirname x)", "takes 0 to 0 arguments"),
        ("$(find-pkg-share nowhere)", "'nowhere' is not installed"),
    ],
)
def test_a_wrong_substitution_is_refused_with_file_and_line(write: Write, text: str, complaint: str) -> None:
    path = write(f"launch:\n- let: {{name: a, value: b}}\n- let: {{name: c, value: '{text}'}}\n")
    with pytest.raises(LaunchError, match=rf"test\.launch\.yaml:3: .*{complaint}"):
        plan(path, {}, {})


# --- what a file may hold


@pytest.mark.parametrize(
    ("body", "line", "complaint"),
    [
        ("- timer: {period: 1}", 2, "element `timer` is not supported"),
        ("- node: {pkg: demo, exec: node, lifecycle: yes}", 2, "`node` has no key `lifecycle`"),
        ("- node:\n    pkg: demo\n    exec: node\n    machine: other", 5, "`node` has no key `machine`"),
        ("- group:\n  - let: {name: a, value: b}\n  - push_ros_namespace: {namespace: x}", 4, "`push_ros_namespace`"),
        ("- node: {pkg: demo, exec: none}", 2, "no executable 'none'; it has: node"),
        ("- node: {pkg: demo, exec: node, param: [{name: a, value: x, type: int}]}", 2, "a is 'x', expected int"),
        ("- node: {pkg: demo, exec: node, param: [{name: a, value: x, type: list_of_int}]}", 2, "not supported"),
        ("- node: {pkg: demo, exec: node, on_exit: restart}", 2, "expected shutdown"),
        ("- node: {pkg: demo, exec: node, output: loud}", 2, "expected one of screen"),
        ("- node: {pkg: demo, exec: node, respawn_delay: soon}", 2, "expected a number"),
        ("- node: {pkg: demo, exec: node, respawn: true}", 2, 'write "true"'),
        ("- node: {exec: node}", 2, "needs a `pkg`"),
        ("- executable: {name: x}", 2, "needs a `cmd`"),
        ("- let: {name: a, value: b, if: perhaps}", 2, "expected true, 1, false or 0"),
        ("- arg: {name: needed}", 2, "argument 'needed' is required"),
        ("- arg: {name: a, default: z, choice: [{value: x}, {value: y}]}", 2, "expected one of x, y"),
        ("- include: {file: absent.yaml}", 1, "cannot be read"),
        ("- just text", 2, "expected an element"),
        ("- let: {name: [}", 2, "not valid YAML"),
    ],
)
def test_whatever_is_not_supported_is_refused_by_name_and_line(
    write: Write, index: dict[str, str], body: str, line: int, complaint: str
) -> None:
    with pytest.raises(LaunchError) as caught:
        plan(write(f"launch:\n{body}\n"), {}, index)
    assert re.search(rf"\.yaml(:{line})?: ", str(caught.value))
    assert complaint in str(caught.value)


def test_an_argument_that_nothing_declares_is_refused(write: Write) -> None:
    path = write("launch:\n- arg: {name: seed, default: '1'}\n")
    with pytest.raises(LaunchError, match="no argument 'sed'; there are: seed"):
        plan(path, {"sed": "2"}, {})


def test_a_node_becomes_the_command_that_ros_launch_makes_of_it(write: Write, index: dict[str, str]) -> None:
    path = write("""
        launch:
        - arg: {name: seed, default: "1"}
        - node:
            pkg: demo
            exec: node
            name: talker
            namespace: moon
            args: "--fast '$(var seed)'"
            param:
            - {name: seed, value: "$(var seed)", type: int}
            - {name: label, value: "$(var seed)", type: str}
            - {name: guessed, value: "$(var seed)"}
            - {name: ratio, value: 0.5}
            - {name: flag, value: true}
            - {name: gains, value: [1.0, 2.0]}
            - {from: "$(dirname)/more.yaml"}
            remap:
            - {from: a, to: b}
            env:
            - {name: COLOUR, value: grey}
            respawn: "true"
            respawn_delay: 0.5
            respawn_max_retries: 3
    """)
    (node,) = plan(path, {"seed": "7"}, index)
    program = f"{index['AMENT_PREFIX_PATH']}/lib/demo/node"
    parameters = ["seed:=7", 'label:="7"', "guessed:=7", "ratio:=0.5", "flag:=true", "gains:=[1.0, 2.0]"]
    assert list(node.command) == [
        *(program, "--fast", "7", "--ros-args", "-r", "__node:=talker", "-r", "__ns:=/moon"),
        *(word for parameter in parameters for word in ("-p", parameter)),
        *("--params-file", f"{path.parent}/more.yaml", "-r", "a:=b"),
    ]
    assert (node.name, node.environment) == ("talker", {"COLOUR": "grey"})
    assert (node.respawn, node.respawn_delay_s, node.respawn_max_retries) == (True, 0.5, 3)


def test_conditions_groups_and_includes_have_the_scopes_of_ros_launch(write: Write) -> None:
    write(
        """
        launch:
        - arg: {name: who, default: nobody}
        - executable: {cmd: "echo $(var who) $(dirname)", name: inner}
        """,
        "inner.launch.yaml",
    )
    path = write("""
        launch:
        - let: {name: x, value: outer}
        - set_env: {name: FROM, value: file}
        - group:
          - let: {name: x, value: inner}
          - set_env: {name: FROM, value: group}
          - executable: {cmd: "echo $(var x)", name: first}
        - executable: {cmd: "echo $(var x)", name: second, if: "1"}
        - executable: {cmd: "echo never", unless: "True"}
        - group:
            scoped: false
            children:
            - let: {name: x, value: leaked}
        - executable: {cmd: "echo $(var x)", name: third}
        - include: {file: "$(dirname)/inner.launch.yaml", arg: [{name: who, value: "you and me"}]}
    """)
    plans = plan(path, {}, {})
    assert [(p.name, p.command[1:]) for p in plans] == [
        ("first", ("inner",)),
        ("second", ("outer",)),
        ("third", ("leaked",)),
        ("inner", ("you and me", str(path.parent))),
    ]
    assert [p.environment["FROM"] for p in plans] == ["group", "file", "file", "file"]


# --- the launch file of the project


def descent(tmp_path: Path, arguments: Mapping[str, str]) -> list[ProcessPlan]:
    """The plan of the descent, with every node that its packages declare installed."""
    for package in (project_root() / "ros2_ws" / "src").glob("lander_*"):
        setup = package / "setup.py"
        for name in re.findall(r'"(\w+) = [\w.]+:main"', setup.read_text()) if setup.exists() else ():
            install(tmp_path, package.name, name, "")
    return plan(DESCENT, arguments, {"AMENT_PREFIX_PATH": str(tmp_path)})


def test_the_descent_starts_every_node_of_the_architecture_from_its_package(tmp_path: Path) -> None:
    started = {p.name: Path(p.command[0]).parent.name for p in descent(tmp_path, dict.fromkeys(OPTIONAL_NODES, "true"))}
    assert started == {node.name: node.package for node in architecture().nodes.values()}


def test_every_node_of_the_descent_gets_the_same_parameters_with_their_types(tmp_path: Path) -> None:
    plans = descent(tmp_path, {"seed": "3", "rate": "1", "settings": "a.b=1\nc.d='x'", "scenario": "0123"})
    parameters = [[w for w, flag in zip(p.command[1:], p.command, strict=False) if flag == "-p"] for p in plans]
    assert all(given == parameters[0] for given in parameters)
    values = dict(text.split(":=", 1) for text in parameters[0])
    assert {name.removesuffix("_s") for name in values} == RUN_ARGUMENTS
    read = {name: json.loads(text) for name, text in values.items()}
    assert (read["seed"], read["rate"], read["record"]) == (3, 1.0, True)
    assert isinstance(read["rate"], float)
    assert (read["scenario"], read["settings"], read["vehicle"]) == ("0123", "a.b=1\nc.d='x'", "")


def test_the_descent_ends_with_physics_and_has_a_recorder_only_where_it_records(tmp_path: Path) -> None:
    assert [p.name for p in descent(tmp_path, {}) if p.ends_launch] == ["physics"]
    assert "recorder" not in [p.name for p in descent(tmp_path, {"record": "false"})]


def test_every_argument_of_the_descent_has_a_default_and_a_description() -> None:
    arguments = declared_arguments(DESCENT)
    assert {a.name for a in arguments} == RUN_ARGUMENTS | set(OPTIONAL_NODES)
    assert all(a.description and a.default is not None for a in arguments)


def test_ros_launch_reads_the_same_arguments_from_the_descent() -> None:
    pytest.importorskip("launch_ros")
    from launch import LaunchContext
    from launch.launch_description_sources import AnyLaunchDescriptionSource

    description = AnyLaunchDescriptionSource(str(DESCENT)).get_launch_description(LaunchContext())
    theirs = [(a.name, a.description) for a in description.get_launch_arguments()]
    assert theirs == [(a.name, a.description) for a in declared_arguments(DESCENT)]


# --- running


def test_output_is_prefixed_with_the_name_of_its_process_and_kept_in_its_log(tmp_path: Path) -> None:
    quiet = ProcessPlan("quiet", (sys.executable, "-c", "print('for the log')"))
    outcome, record = fly(python("loud", "print('one\\ntwo')"), quiet, log_folder=tmp_path)
    assert outcome.statuses == {"loud": [0], "quiet": [0]}
    assert record.lines == [("loud", "one"), ("loud", "two")]
    assert (tmp_path / "loud.log").read_text() == "one\ntwo\n"
    assert (tmp_path / "quiet.log").read_text() == "for the log\n"


def test_a_python_script_in_a_path_with_a_space_runs(index: dict[str, str], write: Write) -> None:
    plans = plan(write("launch:\n- node: {pkg: demo, exec: node, output: screen}\n"), {}, index)
    record = Record()
    launch(plans, index, record)
    assert record.lines == [("node", "hello")]


def test_lines_of_progress_go_to_the_display_and_not_to_the_log(tmp_path: Path) -> None:
    code = """
        print('[progress] {"altitude_m": 5.0}')
        print('[progress] not json')
    """
    _, record = fly(python("physics", code), log_folder=tmp_path)
    assert record.values == [{"altitude_m": 5.0}]
    assert record.lines == [("physics", "[progress] not json")]
    assert (tmp_path / "physics.log").read_text() == "[progress] not json\n"


def test_the_end_of_the_ending_process_ends_the_others_and_gives_the_status(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_runner, "LEAVE_S", 0.0)
    wait = python("wait", WAIT_FOR_EVER)
    outcome, _ = fly(wait, python("physics", "print('[progress] {}'); raise SystemExit(1)", ends_launch=True))
    assert outcome.ended_by == "physics"
    assert outcome.statuses["wait"] in ([-signal.SIGINT], [1])  # Python turns the signal into KeyboardInterrupt
    assert outcome.exit_status == 1


def test_others_may_finish_what_they_are_at_when_the_run_has_ended() -> None:
    slow = python("recorder", "import time; time.sleep(0.3)")
    outcome, _ = fly(slow, python("physics", "", ends_launch=True))
    assert outcome.statuses == {"recorder": [0], "physics": [0]}


def test_a_process_that_ignores_signals_or_is_stopped_is_killed(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(launch_runner, "LEAVE_S", 0.0)
    monkeypatch.setattr(launch_runner, "GRACE_S", 0.2)
    hang = "import os, signal; print('[progress] {}', flush=True); os.kill(os.getpid(), signal.SIGSTOP)"
    ending = python("physics", "import time; time.sleep(0.5)", ends_launch=True)
    outcome, _ = fly(python("deaf", IGNORE_EVERYTHING), python("hung", hang), ending)
    assert outcome.statuses["deaf"] == [-signal.SIGKILL]
    assert len(outcome.statuses["hung"]) == 1


def test_a_process_takes_its_children_with_it(tmp_path: Path) -> None:
    code = f"""
        import subprocess, sys
        child = subprocess.Popen([sys.executable, '-c', {WAIT_FOR_EVER!r}])
        open({str(tmp_path / "child")!r}, 'w').write(str(child.pid))
    """
    fly(python("parent", code))
    assert wait_until_gone([int((tmp_path / "child").read_text())])


def test_a_process_is_respawned_as_often_as_it_may_be() -> None:
    mortal = python("mortal", "raise SystemExit(7)", respawn=True, respawn_max_retries=2)
    outcome, record = fly(mortal)
    assert outcome.statuses == {"mortal": [7, 7, 7]}
    assert record.lines == [("mortal", "ended: exit status 7")] * 3


def test_a_spare_takes_the_place_of_a_process_that_is_run_again(tmp_path: Path) -> None:
    stand_in = (
        "import json, os, runpy, sys; told = json.loads(sys.stdin.readline()); os.environ.update(told['environment']);"
        "print('was warm', flush=True); runpy.run_path(told['words'][0])"
    )
    script = tmp_path / "mortal"
    script.write_text("#!/usr/bin/env python\nimport os\nprint(os.environ['WHO'], flush=True)\nraise SystemExit(7)")
    mortal = ProcessPlan(
        "mortal", (str(script),), {"WHO": "mortal"}, output="screen", respawn=True, respawn_max_retries=2
    )
    record = Record()
    outcome = launch([mortal], os.environ, record, None, [sys.executable, "-c", stand_in])
    assert outcome.statuses == {"mortal": [7, 7, 7]}
    assert [text for _, text in record.lines if "ended" not in text] == ["mortal", *["was warm", "mortal"] * 2]


def test_a_spare_that_has_died_costs_only_time() -> None:
    mortal = python("mortal", "raise SystemExit(7)", respawn=True, respawn_max_retries=1)
    outcome = launch([mortal], os.environ, Record(), None, [sys.executable, "-c", "raise SystemExit(1)"])
    assert outcome.statuses == {"mortal": [7, 7]}


def test_a_spare_becomes_the_script_that_it_is_told(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    script = tmp_path / "node"
    script.write_text("import os, sys\nprint(__name__, sys.argv[1:], os.environ['WHO'])")
    told = json.dumps({"words": [str(script), "--ros-args"], "environment": {"WHO": "imu"}})
    done: list[object] = []
    monkeypatch.setattr(spare, "be_discovered", lambda _: done.append("known to DDS"))
    monkeypatch.setattr(spare, "warm_up", lambda *what: done.append(what))
    monkeypatch.setattr(spare.real_time, "take", lambda level: done.append(level))
    monkeypatch.setattr(spare.real_time, "rest", lambda: done.append("rest"))
    monkeypatch.setattr(sys, "argv", ["spare"])
    monkeypatch.setenv("WHO", "nobody")
    for text in (f"{told}\n", ""):
        monkeypatch.setattr(sys, "stdin", io.StringIO(text))
        spare.main("nominal", "3")
    assert capsys.readouterr().out == "__main__ ['--ros-args'] imu\n"
    loading = [spare.real_time.LAST, "known to DDS", "rest", ("nominal", 3)]
    assert done == [*loading, spare.real_time.LAST, *loading]


def test_a_node_that_fails_before_the_run_has_begun_ends_the_launch() -> None:
    outcome, record = fly(python("imu", "raise SystemExit(3)"), python("wait", WAIT_FOR_EVER))
    assert (outcome.ended_by, outcome.exit_status) == ("imu", 2)
    assert ("imu", "ended: exit status 3") in record.lines


def test_a_node_that_is_killed_later_does_not_end_the_launch() -> None:
    code = "import os, signal; print('[progress] {}', flush=True); os.kill(os.getpid(), signal.SIGKILL)"
    outcome, record = fly(python("payload", code), python("physics", "import time; time.sleep(0.5)", ends_launch=True))
    assert outcome.statuses == {"payload": [-signal.SIGKILL], "physics": [0]}
    assert outcome.exit_status == 0
    assert ("payload", "ended: killed by SIGKILL") in record.lines


def test_a_program_that_is_not_there_is_said_and_ends_the_launch(tmp_path: Path) -> None:
    outcome, record = fly(ProcessPlan("absent", (str(tmp_path / "absent"),)), python("wait", WAIT_FOR_EVER))
    assert outcome.exit_status == 2
    assert record.lines[0][0] == "absent"
    assert "cannot be started" in record.lines[0][1]


RUNNER = """
    import os, sys
    from lander_tools.launch_display import PlainDisplay
    from lander_tools.launch_file import ProcessPlan
    from lander_tools.launch_runner import launch
    child = "import os, time; print('pid', os.getpid(), flush=True); time.sleep(600)"
    plans = [ProcessPlan(name, (sys.executable, "-c", child), output="screen") for name in ("a", "a")]
    sys.exit(launch(plans, os.environ, PlainDisplay(sys.stdout)).exit_status)
"""


def start_runner() -> tuple[subprocess.Popen[str], list[int]]:
    command = [sys.executable, "-c", textwrap.dedent(RUNNER)]
    variables = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    runner = subprocess.Popen(command, stdout=subprocess.PIPE, text=True, env=variables)
    assert runner.stdout is not None
    return runner, [int(runner.stdout.readline().split()[-1]) for _ in range(2)]


def is_running(pid: int) -> bool:
    try:
        return Path(f"/proc/{pid}/stat").read_text().rsplit(")", 1)[1].split()[0] != "Z"
    except OSError:
        return False


def wait_until_gone(pids: Sequence[int]) -> bool:
    """Whether the processes are gone, within the patience of a test."""
    gone = threading.Event()
    return any(not any(map(is_running, pids)) or gone.wait(0.05) for _ in range(200))


def test_the_nodes_die_with_the_runner_however_it_dies() -> None:
    runner, children = start_runner()
    with runner:
        runner.kill()
    assert wait_until_gone(children)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM, signal.SIGHUP])
def test_a_signal_to_the_runner_ends_the_nodes_and_is_told_in_the_status(number: signal.Signals) -> None:
    runner, children = start_runner()
    with runner:
        runner.send_signal(number)
    assert runner.returncode == 130
    assert wait_until_gone(children)


# --- runs do not hear each other


def test_parallel_runs_get_different_domains_and_give_them_back() -> None:
    with free_domain() as first, free_domain() as second:
        assert first != second
    with free_domain() as again:
        assert again == first


def test_a_domain_in_which_somebody_else_listens_is_left_alone() -> None:
    with free_domain() as domain:
        pass
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as listener:
        listener.bind(("", 7400 + 250 * domain))
        with free_domain() as other:
            assert other != domain


def test_a_run_stays_in_its_domain_and_on_this_machine() -> None:
    variables = isolated({"ROS_DOMAIN_ID": "0", "ROS_LOCALHOST_ONLY": "0", "HOME": "/h"}, 17, Path("/log"))
    assert variables == {
        "HOME": "/h",
        "ROS_DOMAIN_ID": "17",
        "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST",
        "ROS_LOG_DIR": "/log/ros",
    }


# --- the line of progress


def test_progress_is_one_line_of_what_is_known() -> None:
    values = {"phase": "braking", "t_minus_s": 400.0, "altitude_m": 15234.0, "speed_m_s": 1402.3}
    line = describe_progress({**values, "propellant_kg": 512.0, "real_time_factor": 8.4})
    assert line.split() == (
        ["braking", "T-06:40", "15.23", "km", "1402.3", "m/s", "propellant", "512.0", "kg", "8.4x", "real", "time"]
    )
    assert describe_progress({"time_s": 12.0, "altitude_m": 87.5, "phase": None}).split()[1:] == [
        "t",
        "12.0",
        "s",
        "87.5",
        "m",
    ]
    assert "T+00:12" in describe_progress({"t_minus_s": -12.0})


def test_the_pace_is_simulated_over_wall_clock_time() -> None:
    times = iter([0.0, 1.0, 2.0, 30.0])
    pace = Pace(lambda: next(times))
    assert [pace.factor(t) for t in (0.0, 4.0, 10.0, 24.0)] == [None, 4.0, 5.0, 0.5]


def test_without_a_terminal_progress_is_shown_at_new_phases_and_now_and_then(
    capsys: pytest.CaptureFixture[str],
) -> None:
    now = [0.0]
    display = PlainDisplay(sys.stdout, lambda: now[0])
    for time_s, phase in ((0.0, "coast"), (1.0, "coast"), (2.0, "braking"), (13.0, "braking")):
        now[0] = time_s
        display.progress({"phase": phase})
        display.progress({"altitude_m": 10.0})  # from another node
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()] == ["coast", "braking", "braking"]
