"""Read a ROS 2 YAML launch file without ROS launch: what it declares, and which processes it asks for.

The elements, substitutions and rules are a subset of those of launch and launch_ros 3.4 and 0.26 (Jazzy), so that the
same file runs under `ros2 launch`; anything outside the subset is refused by name and line, never ignored. PyYAML reads
the file, as it does there, because YAML 1.1 and 1.2 differ in what `on` or `1e-3` mean.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import yaml

from lander_tools.launch_text import Scope, SubstitutionError, substitute, substitute_command

CONDITIONS = ("if", "unless")
PROCESS_KEYS = (
    "name", "output", "cwd", "env", "respawn", "respawn_delay", "respawn_max_retries", "on_exit", *CONDITIONS,
)  # fmt: skip
ELEMENTS = {
    "arg": ("name", "default", "description", "choice", *CONDITIONS),
    "let": ("name", "value", *CONDITIONS),
    "set_env": ("name", "value", *CONDITIONS),
    "include": ("file", "arg", *CONDITIONS),
    "group": ("scoped", "children", *CONDITIONS),
    "node": ("pkg", "exec", "exec_name", "namespace", "args", "ros_args", "param", "remap", *PROCESS_KEYS),
    "executable": ("cmd", *PROCESS_KEYS),
}
OUTPUTS = ("screen", "log", "both")
TYPES: dict[str, Callable[[str], Any]] = {"str": str, "int": int, "float": float}
UNLIMITED = -1


class LaunchError(ValueError):
    """A launch file cannot be used. The text begins with file and line."""


class Table(dict[Any, Any]):
    """A YAML mapping that knows its line and those of its keys."""

    line = 0
    lines: Mapping[Any, int] = {}


class Row(list[Any]):
    """A YAML list that knows the lines of its items."""

    lines: Sequence[int] = ()


@dataclass(frozen=True)
class Argument:
    """An argument that a launch file declares."""

    name: str
    default: str | None  # as written, before substitution; None: required
    description: str
    choices: tuple[str, ...]


@dataclass(frozen=True)
class ProcessPlan:
    """A process to run, all substitutions made."""

    name: str
    command: tuple[str, ...]
    environment: dict[str, str] = field(default_factory=dict)  # what the file adds to the runner's
    cwd: str | None = None
    output: str = "log"
    respawn: bool = False
    respawn_delay_s: float = 0.0
    respawn_max_retries: int = UNLIMITED
    ends_launch: bool = False  # `on_exit: shutdown`


class _Loader(yaml.SafeLoader):
    """PyYAML's safe loader, mappings being Tables."""


def _table(loader: _Loader, node: yaml.MappingNode) -> Table:
    loader.flatten_mapping(node)
    table = Table(loader.construct_mapping(node, deep=True))
    table.line = node.start_mark.line + 1
    table.lines = {key.value: key.start_mark.line + 1 for key, _ in node.value}
    return table


def _row(loader: _Loader, node: yaml.SequenceNode) -> Row:
    row = Row(loader.construct_sequence(node, deep=True))
    row.lines = [item.start_mark.line + 1 for item in node.value]
    return row


_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_SEQUENCE_TAG, _row)
_Loader.add_constructor(yaml.resolver.BaseResolver.DEFAULT_MAPPING_TAG, _table)


def declared_arguments(path: Path) -> list[Argument]:
    """The arguments that a file declares at its top. Raises LaunchError."""
    return [_argument(path, body) for kind, body in _elements(path, _read(path)) if kind == "arg"]


def plan(path: Path, arguments: Mapping[str, str], environment: Mapping[str, str]) -> list[ProcessPlan]:
    """The processes that a file asks for, in order. Raises LaunchError, also for arguments that nothing declares."""
    reader = _Reader(Scope(dict(arguments), dict(environment), path.resolve().parent))
    processes = list(reader.read(path))
    for name in arguments.keys() - reader.declared:
        raise LaunchError(f"{path}: no argument {name!r}; there are: {', '.join(sorted(reader.declared)) or 'none'}")
    return processes


def _read(path: Path) -> Row:
    try:
        with path.open(encoding="utf-8") as text:
            document = yaml.load(text, _Loader)
    except OSError as error:
        raise LaunchError(f"{path}: cannot be read: {error.strerror}") from None
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise LaunchError(f"{path}:{line}: not valid YAML: {error.problem}") from None
    if not isinstance(document, Table) or list(document) != ["launch"] or not isinstance(document["launch"], Row):
        raise LaunchError(f"{path}:1: a launch file is a list of elements under the one key `launch`")
    elements: Row = document["launch"]
    return elements


def _elements(path: Path, items: Row) -> Iterator[tuple[str, Any]]:
    """Kind and body of each element of a list, after a look at its keys."""
    for item, line in zip(items, items.lines, strict=True):
        if not isinstance(item, Table) or len(item) != 1:
            raise LaunchError(f"{path}:{line}: expected an element such as `- node: {{...}}`, got {item!r}")
        ((kind, body),) = item.items()
        if kind not in ELEMENTS:
            raise LaunchError(f"{path}:{line}: element `{kind}` is not supported; there are: {', '.join(ELEMENTS)}")
        if kind == "group" and isinstance(body, Row):
            body = Table(children=body)
            body.line = line
        _check_keys(path, kind, body, ELEMENTS[kind], line)
        yield kind, body


def _check_keys(path: Path, kind: str, body: Any, known: Sequence[str], line: int) -> None:
    if not isinstance(body, Table):
        raise LaunchError(f"{path}:{line}: `{kind}` needs keys: {', '.join(known)}")
    for key in body:
        if key not in known:
            at = body.lines.get(key, body.line)
            raise LaunchError(f"{path}:{at}: `{kind}` has no key `{key}` here; there are: {', '.join(known)}")


def _argument(path: Path, body: Table) -> Argument:
    choices = tuple(str(choice["value"]) for choice in body.get("choice", ()))
    default = body.get("default")
    name = body.get("name")
    if not isinstance(name, str):
        raise LaunchError(f"{path}:{body.line}: `arg` needs a `name`")
    return Argument(name, None if default is None else str(default), str(body.get("description", "")), choices)


class _Reader:
    """Walks through a launch file and the files that it includes."""

    def __init__(self, scope: Scope) -> None:
        self._scope = scope
        self._path = Path()
        self.declared: set[str] = set()

    def read(self, path: Path) -> Iterator[ProcessPlan]:
        """The processes of a file."""
        outer = self._path, self._scope.folder
        self._path, self._scope.folder = path, path.resolve().parent
        yield from self._walk(_read(path))
        self._path, self._scope.folder = outer

    def _walk(self, items: Row) -> Iterator[ProcessPlan]:
        for kind, body in _elements(self._path, items):
            try:
                if self._applies(body):
                    yield from getattr(self, f"_{kind}")(body)
            except SubstitutionError as error:
                raise LaunchError(f"{self._path}:{body.line}: {error}") from None

    def _applies(self, body: Table) -> bool:
        wanted = "if" not in body or self._truth(body, "if")
        return wanted and ("unless" not in body or not self._truth(body, "unless"))

    def _arg(self, body: Table) -> Iterator[ProcessPlan]:
        argument = _argument(self._path, body)
        self.declared.add(argument.name)
        values = self._scope.configurations
        if argument.name not in values:
            if argument.default is None:
                raise self._error(body, "name", f"argument {argument.name!r} is required: give {argument.name}:=VALUE")
            values[argument.name] = substitute(argument.default, self._scope)
        if argument.choices and values[argument.name] not in argument.choices:
            choices = ", ".join(argument.choices)
            raise self._error(
                body, "choice", f"{argument.name} is {values[argument.name]!r}, expected one of {choices}"
            )
        yield from ()

    def _let(self, body: Table) -> Iterator[ProcessPlan]:
        self._scope.configurations[self._text(body, "name")] = self._text(body, "value")
        yield from ()

    def _set_env(self, body: Table) -> Iterator[ProcessPlan]:
        name, value = self._text(body, "name"), self._text(body, "value")
        self._scope.environment[name] = self._scope.added[name] = value
        yield from ()

    def _include(self, body: Table) -> Iterator[ProcessPlan]:
        path = Path(self._text(body, "file"))
        for argument in body.get("arg", ()):
            _check_keys(self._path, "include: arg", argument, ("name", "value"), body.line)
            self._scope.configurations[self._text(argument, "name")] = self._text(argument, "value")
        yield from self.read(path)

    def _group(self, body: Table) -> Iterator[ProcessPlan]:
        scoped = "scoped" not in body or self._truth(body, "scoped")
        outer = self._scope
        if scoped:
            self._scope = outer.copy()
        yield from self._walk(body["children"])
        self._scope = outer

    def _node(self, body: Table) -> Iterator[ProcessPlan]:
        package, executable = self._text(body, "pkg"), self._text(body, "exec")
        name = self._text(body, "name", "")
        command = [str(self._scope.executable(package, executable)), *self._words(body, "args")]
        command += ["--ros-args", *self._words(body, "ros_args")]
        command += ["-r", f"__node:={name}"] if name else []
        namespace = self._text(body, "namespace", "")
        command += ["-r", f"__ns:=/{namespace.lstrip('/')}"] if namespace else []
        for parameter in body.get("param", ()):
            command += self._parameter(parameter, body.line)
        for remap in body.get("remap", ()):
            _check_keys(self._path, "remap", remap, ("from", "to"), body.line)
            command += ["-r", f"{self._text(remap, 'from')}:={self._text(remap, 'to')}"]
        yield self._process(body, self._text(body, "exec_name", "") or name or executable, command)

    def _executable(self, body: Table) -> Iterator[ProcessPlan]:
        command = self._words(body, "cmd")
        if not command:
            raise self._error(body, "cmd", "`executable` needs a `cmd`")
        yield self._process(body, self._text(body, "name", "") or Path(command[0]).name, command)

    def _parameter(self, body: Any, line: int) -> list[str]:
        _check_keys(self._path, "param", body, ("name", "value", "type", "from"), line)
        if "from" in body:
            return ["--params-file", self._text(body, "from")]
        return ["-p", f"{self._text(body, 'name')}:={json.dumps(self._typed(body))}"]

    def _typed(self, body: Table) -> Any:
        """A parameter's value: as written if it is no text, else of the stated type, else what YAML makes of it."""
        value = body.get("value")
        if value is None:
            raise self._error(body, "name", "`param` needs a `value`")
        if not isinstance(value, str):
            return value
        text, kind = substitute(value, self._scope), body.get("type", "")
        if not kind:
            return yaml.safe_load(text) if text else ""
        if kind == "bool":
            return self._truth(body, "value")
        if kind not in TYPES:
            raise self._error(body, "type", f"type `{kind}` is not supported; there are: {', '.join([*TYPES, 'bool'])}")
        try:
            return TYPES[kind](text)
        except ValueError:
            raise self._error(body, "value", f"{body['name']} is {text!r}, expected {kind}") from None

    def _process(self, body: Table, name: str, command: Sequence[str]) -> ProcessPlan:
        own = {self._text(item, "name"): self._text(item, "value") for item in body.get("env", ())}
        output, on_exit = self._text(body, "output", "log"), self._text(body, "on_exit", "")
        if output not in OUTPUTS:
            raise self._error(body, "output", f"output is {output!r}, expected one of {', '.join(OUTPUTS)}")
        if on_exit not in ("", "shutdown"):
            raise self._error(body, "on_exit", f"on_exit is {on_exit!r}, expected shutdown")
        return ProcessPlan(
            name=name,
            command=tuple(command),
            environment={**self._scope.added, **own},
            cwd=self._text(body, "cwd", "") or None,
            output=output,
            respawn="respawn" in body and self._respawn(body),
            respawn_delay_s=self._number(body, "respawn_delay", 0.0),
            respawn_max_retries=int(self._number(body, "respawn_max_retries", UNLIMITED)),
            ends_launch=on_exit == "shutdown",
        )

    def _respawn(self, body: Table) -> bool:
        if isinstance(body["respawn"], bool):
            raise self._error(body, "respawn", 'respawn is a bare true or false, which ROS 2 refuses: write "true"')
        return self._truth(body, "respawn")

    def _text(self, body: Table, key: str, default: str | None = None) -> str:
        value = body.get(key, default)
        if value is None or isinstance(value, list | dict):
            raise self._error(body, key, f"needs a `{key}`, a text" if value is None else f"`{key}` is not a text")
        return substitute(str(value), self._scope)

    def _words(self, body: Table, key: str) -> list[str]:
        return substitute_command(str(body.get(key, "")), self._scope)

    def _number(self, body: Table, key: str, default: float) -> float:
        value = body.get(key, default)
        if isinstance(value, bool) or not isinstance(value, int | float):
            raise self._error(body, key, f"{key} is {value!r}, expected a number")
        return float(value)

    def _truth(self, body: Table, key: str) -> bool:
        text = self._text(body, key).strip().lower()
        if text not in ("true", "1", "false", "0"):
            raise self._error(body, key, f"`{key}` is {text!r}, expected true, 1, false or 0")
        return text in ("true", "1")

    def _error(self, body: Table, key: str, text: str) -> LaunchError:
        return LaunchError(f"{self._path}:{body.lines.get(key, body.line)}: {text}")
