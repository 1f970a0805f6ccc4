"""Read YAML configuration into pydantic models; say of every mistake where it is, what was expected and what to do."""

from __future__ import annotations

import difflib
import json
import os
from collections.abc import Iterator, Mapping, Sequence
from pathlib import Path
from typing import Any, TypeVar, get_args

from pydantic import BaseModel, ConfigDict, ValidationError
from ruamel.yaml import YAML
from ruamel.yaml.comments import CommentedMap, CommentedSeq
from ruamel.yaml.error import MarkedYAMLError

Key = tuple[str | int, ...]
SELF_EXPLAINING = ("fault",)  # types of errors whose message says everything already


class Parameters(BaseModel):
    """Base of every configuration model: unknown keys, NaN and infinity are errors; values cannot change afterwards."""

    model_config = ConfigDict(extra="forbid", frozen=True, allow_inf_nan=False)


Model = TypeVar("Model", bound=BaseModel)


class ConfigError(ValueError):
    """The configuration is wrong. Its text has one line for each mistake: file, line, key, what was expected."""

    def __init__(self, problems: Sequence[str]) -> None:
        super().__init__("\n".join(problems))
        self.problems = tuple(problems)


class Document:
    """A YAML file (or a part of one) with the places of its keys."""

    def __init__(self, path: Path, data: Any, at: Key = ()) -> None:
        self.path = path
        self.data = data
        self.at = at

    def section(self, key: str) -> Document:
        """A part of the document. Raises ConfigError where it is missing."""
        if not isinstance(self.data, Mapping) or key not in self.data:
            present = list(self.data) if isinstance(self.data, Mapping) else []
            raise ConfigError([f"{self.path}: section {key!r} is missing{did_you_mean(key, present)}"])
        return Document(self.path, self.data[key], (*self.at, key))

    def parse(self, model: type[Model]) -> Model:
        """The document as a model. Raises ConfigError with all mistakes."""
        try:
            # Through JSON, because pydantic's strict mode then still takes a list for a tuple and 1 for 1.0,
            # but neither '1e-4' nor true for a number.
            return model.model_validate_json(json.dumps(_plain(self.data)), strict=True)
        except ValidationError as error:
            raise ConfigError([self._problem(model, dict(detail)) for detail in error.errors()]) from None

    def problem(self, where: Key, text: str) -> str:
        """A line about a mistake: file, line and key, and the text."""
        key = ".".join(str(part) for part in (*self.at, *where))
        return f"{self.path}:{self._line(where)}: {key or 'document'}: {text}"

    def _problem(self, model: type[BaseModel], detail: dict[str, Any]) -> str:
        where = self._present(detail["loc"])
        text = self.problem(where, _expectation(detail))
        if detail["type"] == "extra_forbidden":
            text += did_you_mean(str(where[-1]), _fields_at(model, where[:-1]))
        return text

    def _present(self, where: Key) -> Key:
        """The place without the tags that pydantic puts into it for the chosen member of a union."""
        node, kept = self.data, list[str | int]()
        for part in where[:-1]:
            if _holds(node, part):
                kept.append(part)
                node = node[part]
        return (*kept, *where[-1:])

    def _line(self, where: Key) -> int:
        node, line = self.data, _first_line(self.data)
        for part in where:
            if isinstance(node, CommentedMap) and part in node:
                line = node.lc.key(part)[0] + 1 if part in (node.lc.data or {}) else line
            elif isinstance(node, CommentedSeq) and isinstance(part, int) and part < len(node):
                line = node.lc.item(part)[0] + 1
            else:
                break
            node = node[part]
        return int(line)


def read(path: Path) -> Document:
    """Read a YAML 1.2 file. Raises ConfigError where it cannot be read or is not YAML."""
    try:
        data = YAML().load(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError([f"{path}: cannot be read: {error.strerror}"]) from None
    except MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 1
        raise ConfigError([f"{path}:{line}: not valid YAML: {error.problem}"]) from None
    return Document(path, data)


def load(path: Path, model: type[Model]) -> Model:
    """Read and validate a whole file. Raises ConfigError."""
    return read(path).parse(model)


def config_root() -> Path:
    """The config/ folder: $FRIGORIS_CONFIG, the repository's, or the installed one of lander_bringup."""
    override = os.environ.get("FRIGORIS_CONFIG")
    if override:
        return Path(override)
    source = Path(__file__).resolve().parents[4] / "config"
    if source.is_dir():
        return source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / "lander_bringup" / "config"
        if share.is_dir():
            return share
    raise ConfigError(
        ["no config/ folder: neither in the repository nor in lander_bringup's share; build the workspace"]
    )


def find(kind: str, name: str) -> Path:
    """Path of `config/<kind>/<name>.yaml`, or of a file that the user names. Raises ConfigError where there is none."""
    if name.endswith((".yaml", ".yml")):
        path = Path(name)
        if path.is_file():
            return path
        raise ConfigError([f"{kind} file {name!r} does not exist"])
    folder = config_root() / kind
    path = folder / f"{name}.yaml"
    if path.is_file():
        return path
    known = sorted(file.stem for file in folder.glob("*.yaml"))
    raise ConfigError([f"no {kind} named {name!r}{did_you_mean(name, known)}; there are: {', '.join(known)}"])


def read_layered(kind: str, name: str) -> Document:
    """A file of a kind laid over the one of the same kind that its key `base` names, and so on. Raises ConfigError.

    Mappings are merged key by key, unless they are of different `kind`; anything else of the base is replaced.
    """
    document = read(find(kind, name))
    base = document.data.pop("base", None) if isinstance(document.data, CommentedMap) else None
    if base is not None:
        _lay_under(document.data, read_layered(kind, str(base)).data)
    return document


def _lay_under(data: CommentedMap, base: CommentedMap) -> None:
    """Give a mapping what only its base has, in place."""
    for key, value in base.items():
        if key not in data:
            data[key] = value
        elif isinstance(data[key], CommentedMap) and isinstance(value, CommentedMap) and _alike(data[key], value):
            _lay_under(data[key], value)


def _alike(data: CommentedMap, base: CommentedMap) -> bool:
    """Whether two mappings are of the same kind, where they say their kind: another member of a union has other keys."""
    return "kind" not in data or data["kind"] == base.get("kind")


def split_setting(text: str) -> tuple[str, str]:
    """`key=value` as a pair. Raises ConfigError for anything else."""
    key, equals, value = text.partition("=")
    if not equals or not key:
        raise ConfigError([f"--set {text}: expected KEY=VALUE, such as navigation.range_gate.accept_sigma=4"])
    return key, value


def override(document: Document, key: str, value: str) -> None:
    """Set `a.b.c` in a document to a value written as YAML. Raises ConfigError where the key is not there."""
    *parents, last = key.split(".")
    node = document.data
    for depth, part in enumerate(parents):
        if not isinstance(node, Mapping) or part not in node:
            raise ConfigError([f"--set {key}: {'.'.join(parents[: depth + 1])!r} is not in {document.path}"])
        node = node[part]
    if not isinstance(node, Mapping) or last not in node:
        known = list(_dotted(document.data))
        raise ConfigError([f"--set {key}: no such key in {document.path}{did_you_mean(key, known)}"])
    node[last] = YAML().load(value)  # type: ignore[index]


def _dotted(data: Any, prefix: str = "") -> Iterator[str]:
    """`a.b.c` of every value in a document."""
    for key, value in data.items() if isinstance(data, Mapping) else ():
        yield f"{prefix}{key}"
        yield from _dotted(value, f"{prefix}{key}.")


def did_you_mean(wrong: str, known: Sequence[str]) -> str:
    """` (did you mean 'x'?)`, or nothing where no known name is near."""
    near = difflib.get_close_matches(wrong, [str(name) for name in known], n=1)
    return f" (did you mean {near[0]!r}?)" if near else ""


def _expectation(detail: dict[str, Any]) -> str:
    if detail["type"] == "missing":
        return "is missing and has no default: add it"
    if detail["type"] == "extra_forbidden":
        return "is not a known key"
    if detail["type"] in SELF_EXPLAINING:
        return str(detail["msg"])
    return f"{detail['msg']}, got {detail['input']!r}"


def _fields_at(model: type[BaseModel], where: Key) -> list[str]:
    """Names of the fields at a place, of every member of a union that may stand there."""
    models = [model]
    for part in where:
        if isinstance(part, str):
            fields = [one.model_fields[part].annotation for one in models if part in one.model_fields]
            models = [found for annotation in fields for found in _models_in(annotation)]
    return [name for one in models for name in one.model_fields]


def _models_in(annotation: Any) -> Iterator[type[BaseModel]]:
    if isinstance(annotation, type) and issubclass(annotation, BaseModel):
        yield annotation
    for argument in get_args(annotation):
        yield from _models_in(argument)


def _holds(node: Any, part: str | int) -> bool:
    return isinstance(part, int) if isinstance(node, list) else isinstance(node, Mapping) and part in node


def _first_line(data: Any) -> int:
    return int(data.lc.line) + 1 if isinstance(data, CommentedMap | CommentedSeq) else 1


def _plain(data: Any) -> Any:
    if isinstance(data, Mapping):
        return {key: _plain(value) for key, value in data.items()}
    if isinstance(data, list):
        return [_plain(value) for value in data]
    return data
