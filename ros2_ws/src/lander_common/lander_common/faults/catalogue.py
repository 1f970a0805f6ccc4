"""Every fault that a scenario may have, and how its entries in the file become models."""

from __future__ import annotations

import json
from functools import cache
from typing import Annotated, Any, NoReturn

from pydantic import PlainValidator, ValidationError
from pydantic_core import InitErrorDetails, PydanticCustomError

from lander_common.faults import camera, imu, process, rangefinder, site_map, vehicle
from lander_common.faults.base import Data, Fault, Model
from lander_runtime.architecture import architecture
from lander_runtime.config import did_you_mean

DEVICE_KINDS: tuple[Model, ...] = (
    *rangefinder.KINDS,
    *imu.KINDS,
    *camera.KINDS,
    *vehicle.KINDS,
    *site_map.KINDS,
)
_WORLD = "physics"  # the world itself can neither be killed nor hang


@cache
def catalogue() -> dict[str, dict[str, Model]]:
    """Subject -> kind -> model: devices, then every node, then every topic of the run that is not the world's own."""
    table: dict[str, dict[str, Model]] = {}
    for model in DEVICE_KINDS:
        table.setdefault(model.of_subject(), {})[model.of_kind()] = model
    for node in architecture().nodes.values():
        if node.name != _WORLD:
            kinds = (process.Kill,) if node.is_sink else process.NODE_KINDS  # the recorder does not come back
            table.setdefault(node.name, {}).update({model.of_kind(): model for model in kinds})
    for topic in architecture().topics.values():
        if topic.role == "gating" and not topic.name.startswith("/sim/"):
            table.setdefault(topic.key, {}).update({model.of_kind(): model for model in process.TOPIC_KINDS})
    return table


def read_fault(entry: Any) -> Fault:
    """A fault from its entry in a scenario file. Raises ValidationError, with the nearest known word for unknown ones."""
    if isinstance(entry, Fault):
        return entry
    if not isinstance(entry, dict):
        _refuse((), entry, "should be a mapping: {at_s: 60, subject: rangefinder, kind: dropout, ...}")
    kinds = catalogue().get(_word(entry, "subject", list(catalogue())), {})
    model = kinds[_word(entry, "kind", list(kinds))]
    for key in entry:
        if key not in model.model_fields:
            _refuse((key,), entry[key], f"is not a known key{did_you_mean(key, list(model.model_fields))}")
    # As in lander_runtime.config: strict, through JSON, so that a list is a tuple and 1 is 1.0.
    return model.model_validate_json(json.dumps(entry), strict=True)


AnyFault = Annotated[Fault, PlainValidator(read_fault)]


def _word(entry: Data, key: str, known: list[str]) -> str:
    """The subject or the kind of an entry, which must be a known one."""
    word = entry.get(key)
    if word not in known:
        expected = f"expected one of {', '.join(known)}"
        if word is None:
            _refuse((), entry, f"{key} is missing: {expected}")
        _refuse((key,), word, f"unknown {key}{did_you_mean(str(word), known)}: {expected}")
    return str(word)


def _refuse(where: tuple[str, ...], value: Any, text: str) -> NoReturn:
    problem = InitErrorDetails(type=PydanticCustomError("fault", "{text}", {"text": text}), loc=where, input=value)
    raise ValidationError.from_exception_data("fault", [problem])
