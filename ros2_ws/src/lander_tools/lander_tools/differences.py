"""Where two messages differ: field by field, exactly."""

from __future__ import annotations

import math
from collections.abc import Iterator
from dataclasses import fields, is_dataclass
from itertools import zip_longest
from typing import Any, NamedTuple

import numpy as np

from lander_runtime.messages import Message

ABSENT = "(not there)"


class FieldDifference(NamedTuple):
    """A field of two messages that is not the same."""

    field: str  # such as `r_lander_site[1]`
    a: Any
    b: Any

    @property
    def size(self) -> float:
        """Absolute difference of two numbers; infinite where a value is no number, or not finite."""
        if not all(isinstance(value, int | float) for value in (self.a, self.b)):
            return math.inf
        size = abs(float(self.a) - float(self.b))
        return math.inf if math.isnan(size) else size


def differences(a: Message, b: Message) -> Iterator[FieldDifference]:
    """Fields whose values are not the same, to the last bit; NaN is the same as NaN."""
    for (name_a, value_a), (name_b, value_b) in zip_longest(leaves(a), leaves(b), fillvalue=("", ABSENT)):
        if name_a == name_b:
            if not same(value_a, value_b):
                yield FieldDifference(name_a, value_a, value_b)
        else:  # of another version, or with sequences of other lengths: from here on names no longer pair up
            yield from _unpaired(dict(leaves(a)), dict(leaves(b)))
            return


def _unpaired(a: dict[str, Any], b: dict[str, Any]) -> Iterator[FieldDifference]:
    for name in [*a, *(name for name in b if name not in a)]:
        value_a, value_b = a.get(name, ABSENT), b.get(name, ABSENT)
        if not same(value_a, value_b):
            yield FieldDifference(name, value_a, value_b)


def leaves(value: Any, name: str = "") -> Iterator[tuple[str, Any]]:
    """Name and value of every number and text of a message, in the order of its definition."""
    if is_dataclass(value):
        for field in fields(value):
            yield from leaves(getattr(value, field.name), f"{name}.{field.name}" if name else field.name)
    elif isinstance(value, list | np.ndarray):
        elements = value.tolist() if isinstance(value, np.ndarray) else value
        for index, element in enumerate(elements):
            yield from leaves(element, f"{name}[{index}]")
    else:
        yield name, value


def same(a: Any, b: Any) -> bool:
    """Whether two values are one and the same; for numbers also in sign and kind, so that 0.0 is not -0.0."""
    return repr(a) == repr(b)
