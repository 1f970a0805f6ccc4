"""Run the processes of a launch file: what `ros2 launch` does, where there is none.

Each process has its own process group and ends with this one, whatever ends this one. A run has a DDS domain of its
own, on this machine only, so that runs and tests never hear each other.
"""

from __future__ import annotations

import asyncio
import ctypes
import json
import os
import signal
import socket
import subprocess
import sys
import time
from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import closing, contextmanager, suppress
from dataclasses import dataclass, field, replace
from pathlib import Path
from typing import Any, Protocol

from lander_runtime.progress import DISPLAYED, PREFIX
from lander_tools.launch_file import ProcessPlan

LEAVE_S = 3.0  # after a run has ended by itself, for the others to finish what they are at
GRACE_S = 5.0  # between SIGINT, SIGTERM and SIGKILL, as in ROS launch
DOMAINS = range(1, 102)  # above, DDS would use ports that Linux hands out to anybody
BAD_CONFIGURATION = 2  # exit status of a node that starting again does not help
PR_SET_PDEATHSIG = 1
_LIBC = ctypes.CDLL(None)  # loaded before any fork, where loading would not be safe


class NoFreeDomainError(RuntimeError):
    """Every DDS domain is in use."""


class Display(Protocol):
    """What shows a run to a person."""

    def line(self, name: str, text: str) -> None:
        """A line of output of a process."""

    def progress(self, values: Mapping[str, Any]) -> None:
        """How far the run is."""


@dataclass
class Outcome:
    """How a launch went."""

    statuses: dict[str, list[int]] = field(default_factory=dict)  # exit statuses by process; negative: the signal
    ended_by: str = ""  # the process whose end was the end of the launch
    failed_early: bool = False  # it failed before the run had begun
    interrupted: bool = False

    @property
    def exit_status(self) -> int:
        """2 if the launch could not run, 130 if it was interrupted, else what the process that ended it says."""
        if self.interrupted:
            return 130
        if self.failed_early:
            return 2
        last = self.statuses[self.ended_by][-1] if self.ended_by else 0
        return last if last >= 0 else 128 - last


class Runner:
    """Runs processes until one that ends the launch has ended, all have, or a signal says so."""

    def __init__(
        self,
        plans: Sequence[ProcessPlan],
        environment: Mapping[str, str],
        display: Display,
        log_folder: Path | None = None,
        spare: Sequence[str] = (),
    ) -> None:
        """`spare`: command line of a process that takes the place of one that is run again (`lander_tools.spare`); none if empty."""
        self._spare_command = spare
        self._spare: _Running | None = None
        self._plans = _with_unique_names(plans)
        self._environment = environment
        self._display = display
        self._log_folder = log_folder
        self._running: dict[str, int] = {}  # process ids, which are also those of their groups
        self._begun = False  # a node has reported progress
        self._closing = False  # processes are told to end; what they say to that is for their logs
        self._end = asyncio.Event()
        self._hurry = asyncio.Event()
        self.outcome = Outcome({plan.name: [] for plan in self._plans})

    async def run(self) -> Outcome:
        """Run to the end."""
        loop = asyncio.get_running_loop()
        handled = (signal.SIGINT, signal.SIGTERM, signal.SIGHUP)
        for number in handled:
            loop.add_signal_handler(number, self._interrupt)
        closer = asyncio.create_task(self._close_all())
        try:
            await self._keep_spare()
            await asyncio.gather(*(self._keep(plan) for plan in self._plans))
        finally:
            self._end.set()
            if self._spare:
                await self._spare.kill()
            await closer
            for number in handled:
                loop.remove_signal_handler(number)
        return self.outcome

    def _interrupt(self) -> None:
        if self._end.is_set():
            self._hurry.set()
        self.outcome.interrupted = not self.outcome.ended_by
        self._end.set()

    async def _keep(self, plan: ProcessPlan) -> None:
        """Run a process, and again as often as it shall be respawned.

        Unlike ROS launch, which knows only its own end: a process that ended well has done its part.
        """
        retries = 0
        while not self._end.is_set():
            status = await self._run_once(plan, again=retries > 0)
            self.outcome.statuses[plan.name].append(status)
            if self._end.is_set():
                return
            hopeless = status == BAD_CONFIGURATION or not plan.respawn
            failed_early = status != 0 and not self._begun and hopeless
            if status:
                self._display.line(plan.name, f"ended: {describe_status(status)}")
            if plan.ends_launch or failed_early:
                self.outcome.ended_by, self.outcome.failed_early = plan.name, failed_early
                self._end.set()
                return
            if status == 0 or not plan.respawn or retries == plan.respawn_max_retries:
                return
            retries += 1
            await _wait(self._end, plan.respawn_delay_s)

    async def _run_once(self, plan: ProcessPlan, again: bool) -> int:
        with _log(self._log_folder, plan.name) as log:
            try:
                running = await self._take_spare(plan) if again else None
                running = running or await self._start(plan.command, plan.cwd, plan.environment)
            except OSError as error:
                self._display.line(plan.name, f"cannot be started: {error}")
                return 127
            running.child.listen(lambda line: self._relay(plan, line, log))
            self._running[plan.name] = running.pid
            if again:
                await self._keep_spare()
            status = await running.end()
            del self._running[plan.name]
            return status

    async def _start(self, command: Sequence[str], cwd: str | None, environment: Mapping[str, str]) -> _Running:
        """Start a process. Raises OSError."""
        transport, child = await asyncio.get_running_loop().subprocess_exec(
            _Child,
            *interpreted(command),
            cwd=cwd,
            env={**self._environment, "PYTHONUNBUFFERED": "1", DISPLAYED: "1", **environment},
            stderr=subprocess.STDOUT,
            start_new_session=True,
            preexec_fn=_first_acts(os.getpid()),
        )
        return _Running(transport, child)

    async def _keep_spare(self) -> None:
        """See that there is a spare, where there shall be one."""
        if not self._spare_command or self._end.is_set():
            return
        with suppress(OSError):
            self._spare = await self._start(self._spare_command, None, self._plans[0].environment)

    async def _take_spare(self, plan: ProcessPlan) -> _Running | None:
        """The spare, told to become a process; None where there is none that could."""
        spare, self._spare = self._spare, None
        script = len(interpreted(plan.command)) > len(plan.command)
        if spare is None:
            return None
        if not spare.lives or not script or plan.cwd:
            await spare.kill()
            return None
        spare.become(plan)
        return spare

    def _relay(self, plan: ProcessPlan, line: str, log: Callable[[str], None]) -> None:
        values = progress_values(line)
        if values is not None:
            self._begun = True
            self._display.progress(values)
            return
        log(line)
        if plan.output != "log" and not self._closing:
            self._display.line(plan.name, line)

    async def _close_all(self) -> None:
        """Once the end has come, end all processes, ever more firmly."""
        await self._end.wait()
        if not self.outcome.interrupted and not self.outcome.failed_early:
            await self._until_all_ended(LEAVE_S)
        for number in (signal.SIGINT, signal.SIGTERM, signal.SIGKILL):
            if not self._running:
                return
            self._hurry.clear()
            self._closing = True
            for pid in self._running.values():
                _signal_group(pid, number)
                _signal_group(pid, signal.SIGCONT)  # a stopped process does not hear the others
            await self._until_all_ended(GRACE_S)

    async def _until_all_ended(self, timeout_s: float) -> None:
        deadline = time.monotonic() + timeout_s
        while self._running and not self._hurry.is_set() and time.monotonic() < deadline:
            await asyncio.sleep(0.02)


class _Running:
    """A process that has been started."""

    def __init__(self, transport: asyncio.SubprocessTransport, child: _Child) -> None:
        self._transport = transport
        self.child = child
        self.pid = transport.get_pid()

    @property
    def lives(self) -> bool:
        """Whether it has not exited."""
        return self._transport.get_returncode() is None

    def become(self, plan: ProcessPlan) -> None:
        """Tell a spare which script to become, in the words that `lander_tools.spare` reads."""
        text = json.dumps({"words": plan.command, "environment": plan.environment})
        pipe = self._transport.get_pipe_transport(0)
        assert isinstance(pipe, asyncio.WriteTransport)
        pipe.write(f"{text}\n".encode())

    async def kill(self) -> None:
        """End it at once."""
        _signal_group(self.pid, signal.SIGKILL)
        await self.end()

    async def end(self) -> int:
        """Its exit status, when it has exited and its output has ended."""
        with closing(self._transport):
            await self.child.exited.wait()
            _signal_group(self.pid, signal.SIGKILL)  # what the process has left behind
            await self.child.closed.wait()
        return self._transport.get_returncode() or 0


class _Child(asyncio.SubprocessProtocol):
    """Cuts the output of a process into lines, and tells when it has exited and when its output has ended.

    Not the streams of asyncio, which tell of the exit only when the output has ended: a child of the process that keeps
    it open would hide that the process has died.
    """

    def __init__(self) -> None:
        self._unheard: list[str] = []  # lines that came before anybody listened
        self._on_line: Callable[[str], None] = self._unheard.append
        self._rest = b""
        self.exited = asyncio.Event()
        self.closed = asyncio.Event()

    def listen(self, on_line: Callable[[str], None]) -> None:
        """Hand on all lines, also those that have come."""
        self._on_line = on_line
        for line in self._unheard:
            on_line(line)
        self._unheard.clear()

    def pipe_data_received(self, fd: int, data: bytes) -> None:
        """Hand on the lines that are whole."""
        *whole, self._rest = (self._rest + data).split(b"\n")
        for line in whole:
            self._on_line(line.decode(errors="replace").rstrip("\r"))

    def process_exited(self) -> None:
        """The process is no more; others may still write to its output."""
        self.exited.set()

    def connection_lost(self, exc: Exception | None) -> None:
        """The output has ended; its last line need not have."""
        if self._rest:
            self._on_line(self._rest.decode(errors="replace"))
        self.closed.set()


def describe_status(status: int) -> str:
    """An exit status in words."""
    if status < 0:
        return f"killed by {signal.Signals(-status).name}"
    return f"exit status {status}"


def progress_values(line: str) -> dict[str, Any] | None:
    """What a line says of the progress of the run; None for any other line."""
    if line.startswith(PREFIX):
        with suppress(ValueError):
            values = json.loads(line.removeprefix(PREFIX))
            if isinstance(values, dict):
                return values
    return None


def interpreted(command: Sequence[str]) -> list[str]:
    """The command, begun with this interpreter if it is a Python script, whose first line no path with a space fits."""
    with suppress(OSError), open(command[0], "rb") as program:
        first = program.readline(512)
        if first.startswith(b"#!") and b"python" in first:
            return [sys.executable, *command]
    return list(command)


@contextmanager
def free_domain() -> Iterator[int]:
    """A DDS domain that nobody on this machine uses; it stays reserved while the context lasts.

    The reservation is a socket in Linux's abstract namespace: no other run can have the same name, and it vanishes with
    the process that holds it, however that ends. Raises NoFreeDomainError where all are taken.
    """
    for domain in DOMAINS:
        with closing(socket.socket(socket.AF_UNIX, socket.SOCK_DGRAM)) as reservation:
            try:
                reservation.bind(f"\0frigoris-domain-{domain}")
            except OSError:
                continue
            if _is_silent(domain):
                yield domain
                return
    raise NoFreeDomainError(f"all DDS domains from {DOMAINS[0]} to {DOMAINS[-1]} are in use on this machine")


def _is_silent(domain: int) -> bool:
    """Whether no DDS program on this machine listens for others in a domain."""
    discovery_port = 7400 + 250 * domain  # DDSI-RTPS 2.2, 9.6.1.1
    with closing(socket.socket(socket.AF_INET, socket.SOCK_DGRAM)) as probe:
        try:
            probe.bind(("", discovery_port))
        except OSError:
            return False
    return True


def isolated(environment: Mapping[str, str], domain: int, log_folder: Path | None = None) -> dict[str, str]:
    """The environment of a run in a DDS domain of its own that stays on this machine."""
    result = {name: value for name, value in environment.items() if name != "ROS_LOCALHOST_ONLY"}
    result |= {"ROS_DOMAIN_ID": str(domain), "ROS_AUTOMATIC_DISCOVERY_RANGE": "LOCALHOST"}
    if log_folder:
        result["ROS_LOG_DIR"] = str(log_folder / "ros")
    return result


def launch(
    plans: Sequence[ProcessPlan],
    environment: Mapping[str, str],
    display: Display,
    log_folder: Path | None = None,
    spare: Sequence[str] = (),
) -> Outcome:
    """Run processes to the end of the launch; `spare` as in `Runner`."""

    async def run() -> Outcome:
        return await Runner(plans, environment, display, log_folder, spare).run()

    return asyncio.run(run())


def _with_unique_names(plans: Sequence[ProcessPlan]) -> list[ProcessPlan]:
    seen: dict[str, int] = {}
    unique = []
    for plan in plans:
        seen[plan.name] = seen.get(plan.name, 0) + 1
        unique.append(plan if seen[plan.name] == 1 else replace(plan, name=f"{plan.name}-{seen[plan.name]}"))
    return unique


def _first_acts(parent: int) -> Callable[[], None]:
    """What a child does before it becomes the process: ask the kernel to be killed when this process dies."""

    def act() -> None:
        _LIBC.prctl(PR_SET_PDEATHSIG, signal.SIGKILL)
        if os.getppid() != parent:  # it has died already
            os._exit(1)

    return act


def _signal_group(pid: int, number: int) -> None:
    with suppress(ProcessLookupError):
        os.killpg(pid, number)


async def _wait(event: asyncio.Event, timeout_s: float) -> None:
    with suppress(asyncio.TimeoutError):
        await asyncio.wait_for(event.wait(), timeout_s)


@contextmanager
def _log(folder: Path | None, name: str) -> Iterator[Callable[[str], None]]:
    """Writes lines to the log of a process. A full disk ends the log, not the run."""
    if folder:
        folder.mkdir(parents=True, exist_ok=True)
    with open(folder / f"{name}.log" if folder else os.devnull, "ab", buffering=0) as file:

        def log(line: str) -> None:
            with suppress(OSError):
                file.write(f"{line}\n".encode())

        yield log
