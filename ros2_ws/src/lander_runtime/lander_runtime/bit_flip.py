"""A single bit flipped in a message, as radiation does."""

from __future__ import annotations

import copy
from functools import cache
from typing import Any

import numpy as np
from rosbags.interfaces import Nodetype

from lander_runtime.messages import Message, typestore


def with_flipped_bit(message: Message, random: np.random.Generator) -> Message:
    """A copy with one bit flipped in one of its numbers, each bit as likely; tick, header and texts are left alone."""
    numbers = {name: np.array(getattr(message, name), dtype, ndmin=1) for name, dtype in _numbers(message.__msgtype__)}
    sizes = {name: array.size * _bits(array.dtype) for name, array in numbers.items()}
    struck = copy.copy(message)
    left = int(random.integers(max(sum(sizes.values()), 1)))
    for name, size in sizes.items():
        if left < size:
            flipped = _flipped(numbers[name], left)
            setattr(struck, name, flipped if isinstance(getattr(message, name), np.ndarray) else flipped.item())
            break
        left -= size
    return struck


@cache
def _numbers(type_name: str) -> tuple[tuple[str, str], ...]:
    """Fields of a type that are numbers or arrays of them, with the name of their dtype."""
    _, fields = typestore().fielddefs[type_name]
    found = []
    for name, (kind, detail) in fields:
        base: Any = detail if kind == Nodetype.BASE else detail[0][1] if kind != Nodetype.NAME else ("string",)
        if name != "tick" and isinstance(base, tuple) and base[0] != "string":
            found.append((name, base[0]))
    return tuple(found)


def _bits(dtype: np.dtype[Any]) -> int:
    return 1 if dtype == np.bool_ else 8 * dtype.itemsize


def _flipped(array: np.ndarray[Any, Any], at: int) -> np.ndarray[Any, Any]:
    bits = _bits(array.dtype)
    index, bit = divmod(at, bits)
    if array.dtype == np.bool_:
        array[index] = not array[index]
    else:
        raw = array.view(f"u{array.dtype.itemsize}")
        raw[index] ^= raw.dtype.type(1 << bit)
    return array
