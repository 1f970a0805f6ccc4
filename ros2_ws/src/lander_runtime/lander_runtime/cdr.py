"""Encode messages of one type into CDR, in half the time of rosbags: one `struct` call for the whole message.

The layout of a message depends on nothing but the lengths of its texts, arrays and sequences, which hardly ever change: for
each set of lengths one `struct.Struct`, padding included, is made and kept. A sequence of texts is one block of bytes, and kept too:
such lists name things, and are the same again and again.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator, Sequence
from functools import lru_cache
from struct import Struct
from typing import Any, NamedTuple

from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

_ENCAPSULATION = "<BBH"  # then counts the alignment anew
_CODES = {"bool": "?", "byte": "B", "char": "B", "int8": "b", "uint8": "B", "int16": "h", "uint16": "H", "int32": "i"}
_CODES |= {"uint32": "I", "int64": "q", "uint64": "Q", "float32": "f", "float64": "d"}
_TEXTS = "texts"  # a sequence of strings
# What follows a count is aligned for a count, and so is a block that begins with one.
_ALIGNED_AS_BYTES = ("string", _TEXTS)


class UnsupportedTypeError(TypeError):
    """A type that this encoder leaves to rosbags."""


class _Field(NamedTuple):
    path: str
    base: str  # name of a primitive type, "string", or _TEXTS
    length: int | None  # of an array; None for a single value
    counted: bool  # a sequence or text, whose length comes first


class Encoder:
    """Encodes messages of one type."""

    def __init__(self, store: Typestore, type_name: str) -> None:
        """Raises UnsupportedTypeError."""
        self._name = type_name
        self._fields = list(_flat(store, type_name, ""))
        self._structs: dict[tuple[int, ...], Struct] = {}
        self._take_apart = _taking_apart(self._fields)

    def __call__(self, message: Any) -> bytes:
        """CDR bytes, little-endian, padding zeroed. Raises ValueError where an array has not the declared size."""
        sizes, values = self._take_apart(message)
        known = self._structs.get(sizes)
        return (known or self._struct(sizes)).pack(*values)

    def _struct(self, sizes: tuple[int, ...]) -> Struct:
        """The layout for some sizes, in bytes, of texts, arrays and sequences in their order."""
        layout, at, size = _ENCAPSULATION, 0, iter(sizes)
        for each in self._fields:
            item = 1 if each.base in _ALIGNED_AS_BYTES else Struct(f"<{_CODES[each.base]}").size
            if each.counted:
                layout, at = f"{layout}{-at % 4}xI", at + -at % 4 + 4
            if each.length is None and not each.counted:
                layout, at = f"{layout}{-at % item}x{_CODES[each.base]}", at + -at % item + item
                continue
            length = next(size)
            if length % item or (each.length is not None and length != each.length * item):
                raise ValueError(f"{self._name}: {each.path} has {length} bytes, of elements of {item} bytes")
            gap = -at % item if length else 0
            layout, at = f"{layout}{gap}x{length}s", at + gap + length
        self._structs[sizes] = made = Struct(layout)
        return made


def _taking_apart(fields: Sequence[_Field]) -> Callable[[Any], tuple[tuple[int, ...], tuple[Any, ...]]]:
    """A function that gives, for a message, the sizes that its layout depends on, and all that is to be packed.

    It is written for the type and compiled, as dataclasses are: to go through a list of fields takes twice as long.
    """
    lines, sizes, values = ["def take_apart(message):"], [], ["0", "1", "0"]
    for i, field in enumerate(fields):
        value = f"message.{field.path}"
        if not field.counted and field.length is None:
            values.append(value)
            continue
        if field.base == "string":
            lines.append(f" content{i} = counted{i} = {value}.encode() + b'\\0'")
        elif field.base == _TEXTS:
            lines.append(f" counted{i} = {value}; content{i} = block(tuple(counted{i}))")
        else:
            lines.append(f" counted{i} = {value}; content{i} = counted{i}.tobytes()")
        values += [f"len(counted{i})", f"content{i}"] if field.counted else [f"content{i}"]
        sizes.append(f"len(content{i})")
    lines.append(f" return ({''.join(f'{size}, ' for size in sizes)}), ({', '.join(values)})")
    scope: dict[str, Any] = {"block": _block}
    exec("\n".join(lines), scope)  # nothing but names of fields
    function: Callable[[Any], tuple[tuple[int, ...], tuple[Any, ...]]] = scope["take_apart"]
    return function


@lru_cache(maxsize=1024)
def _block(texts: tuple[str, ...]) -> bytes:
    """The content of a sequence of texts, from a place that is aligned for a count; the last text is not padded."""
    block = b""
    for text in texts:
        content = text.encode() + b"\0"
        block += bytes(-len(block) % 4) + len(content).to_bytes(4, "little") + content
    return block


def _flat(store: Typestore, type_name: str, prefix: str) -> Iterator[_Field]:
    fields: Any = store.fielddefs[type_name][1]  # a union of tuples that says less than its tags
    for name, (kind, detail) in fields:
        path = prefix + name
        if kind == Nodetype.NAME:
            yield from _flat(store, detail, f"{path}.")
        elif kind == Nodetype.BASE:
            yield _Field(path, detail[0], None, detail[0] == "string")
        else:
            (element, base), length = detail
            if element == Nodetype.BASE and base[0] == "string" and kind == Nodetype.SEQUENCE:
                yield _Field(path, _TEXTS, None, counted=True)
                continue
            if element != Nodetype.BASE or base[0] == "string":
                raise UnsupportedTypeError(type_name)
            yield _Field(path, base[0], length if kind == Nodetype.ARRAY else None, kind == Nodetype.SEQUENCE)
