"""Messages of one topic as arrays, a hundred times faster than decoding them one by one.

Where all messages of a topic have the same layout (every text and sequence as long as in the first message, which holds
for every topic that is published at a fixed rate), their CDR bytes laid end to end are an array of one numpy structured
type. Where they have not, the messages are decoded one by one; the columns are the same.
"""

from __future__ import annotations

from collections.abc import Collection, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray
from rosbags.interfaces import Nodetype
from rosbags.typesys.store import Typestore

from lander_tools.bag import Bag, BagError

Columns = dict[str, NDArray[Any]]

_ENCAPSULATION = 4  # bytes before the body; alignment counts from the body's beginning
_LITTLE_ENDIAN = b"\x00\x01"
_SIZES = {"bool": 1, "byte": 1, "char": 1, "int8": 1, "uint8": 1, "int16": 2, "uint16": 2, "int32": 4, "uint32": 4}
_SIZES |= {"int64": 8, "uint64": 8, "float32": 4, "float64": 8}
_LENGTH = "#length"  # ending of the name of a hidden column that holds the length of a text or sequence


class _UnevenError(Exception):
    """The messages do not all have one layout."""


class _Layout:
    """Walks the first message and notes where each field is."""

    def __init__(self, store: Typestore, sample: bytes) -> None:
        self._store = store
        self._sample = sample
        self._at = 0  # offset in the body
        self.names: list[str] = []
        self.formats: list[Any] = []
        self.offsets: list[int] = []

    def dtype(self, type_name: str) -> np.dtype[Any]:
        """The structured type of a whole message. Raises _UnevenError where this walk cannot describe it."""
        self._message(type_name, "")
        if not 0 <= len(self._sample) - _ENCAPSULATION - self._at <= 3:  # CDR may pad the end to 4 bytes
            raise _UnevenError
        return np.dtype(
            {"names": self.names, "formats": self.formats, "offsets": self.offsets, "itemsize": len(self._sample)}
        )

    def _message(self, type_name: str, prefix: str) -> None:
        for name, (kind, detail) in self._store.fielddefs[type_name][1]:
            self._field(kind, detail, prefix + name)

    def _field(self, kind: Nodetype, detail: Any, name: str) -> None:
        if kind == Nodetype.BASE:
            self._base(detail[0], name)
        elif kind == Nodetype.NAME:
            self._message(detail, f"{name}.")
        else:
            element, length = detail
            self._elements(element, length if kind == Nodetype.ARRAY else self._length(name), name)

    def _elements(self, element: Any, count: int, name: str) -> None:
        kind, detail = element
        if kind == Nodetype.BASE and detail[0] in _SIZES:
            if count:
                self._place(name, (_numpy_name(detail[0]), (count,)), _SIZES[detail[0]], count * _SIZES[detail[0]])
            return
        for index in range(count):
            self._field(kind, detail, f"{name}.{index}")

    def _base(self, base: str, name: str) -> None:
        if base in _SIZES:
            self._place(name, _numpy_name(base), _SIZES[base], _SIZES[base])
        elif base == "string":
            count = self._length(name)
            if not count:  # not even the closing NUL
                raise _UnevenError
            self._place(name, f"S{count}", 1, count)
        else:
            raise _UnevenError

    def _length(self, name: str) -> int:
        self._place(name + _LENGTH, "<u4", 4, 4)
        return int.from_bytes(self._sample[self.offsets[-1] : self.offsets[-1] + 4], "little")

    def _place(self, name: str, form: Any, alignment: int, size: int) -> None:
        self._at += -self._at % alignment
        self.names.append(name)
        self.formats.append(form)
        self.offsets.append(_ENCAPSULATION + self._at)
        self._at += size
        if _ENCAPSULATION + self._at > len(self._sample):
            raise _UnevenError


def _numpy_name(base: str) -> str:
    name = {"bool": "?", "byte": "u1", "char": "u1"}.get(base)
    return name or np.dtype(base).newbyteorder("<").str


def gather(bag: Bag, topics: Collection[str]) -> dict[str, list[bytes]]:
    """CDR bytes of every message of the given topics (names), read in one pass; a topic that is not there has none."""
    found: dict[str, list[bytes]] = {topic: [] for topic in topics}
    for record in bag.records(set(topics)):
        found[record.topic].append(record.data)
    return found


def columns(bag: Bag, topic: str, messages: Sequence[bytes], fields: Collection[str]) -> Columns:
    """Arrays of the named fields (`header.stamp.sec`, `r_lander_site`) of the messages of a topic, one row a message.

    A fixed-size array field gives shape (n, size). Sequences and texts whose length changes give an array of objects.
    Raises BagError where a message cannot be decoded, or has no such field because the bag is of another version.
    """
    if not messages:
        return {field: np.empty(0) for field in fields}
    try:
        return _columns(bag, topic, messages, fields)
    except KeyError as field:
        raise BagError(f"{bag.path}: {topic} has no field {field}: it was recorded by another version") from None


def _columns(bag: Bag, topic: str, messages: Sequence[bytes], fields: Collection[str]) -> Columns:
    try:
        table = _table(bag, topic, messages)
    except _UnevenError:
        return _decoded(bag, topic, messages, fields)
    return {field: _column(table, field) for field in fields}


def _table(bag: Bag, topic: str, messages: Sequence[bytes]) -> NDArray[Any]:
    first = messages[0]
    if first[:2] != _LITTLE_ENDIAN or any(len(data) != len(first) for data in messages):
        raise _UnevenError
    type_name = bag.topics[topic].type
    dtype = _Layout(bag.types(type_name), first).dtype(type_name)
    table = np.frombuffer(b"".join(messages), dtype)
    for name in dtype.names or ():
        if name.endswith(_LENGTH) and np.any(table[name] != table[name][0]):
            raise _UnevenError
    return table


def _column(table: NDArray[Any], field: str) -> NDArray[Any]:
    names = table.dtype.names or ()
    if field in names:
        column = table[field]
        return np.char.decode(column, "utf-8") if column.dtype.kind == "S" else np.ascontiguousarray(column)
    elements = [name for name in names if name.rpartition(".")[0] == field and not name.endswith(_LENGTH)]
    if elements:  # a sequence of texts
        return np.stack([_column(table, name) for name in elements], axis=1)
    if field + _LENGTH in names:  # an empty sequence
        return np.empty((len(table), 0))
    raise KeyError(field)


def _decoded(bag: Bag, topic: str, messages: Sequence[bytes], fields: Collection[str]) -> Columns:
    decoded = [bag.decode(topic, data) for data in messages]
    return {field: _as_array([_value(message, field) for message in decoded]) for field in fields}


def _value(message: Any, field: str) -> Any:
    for name in field.split("."):
        if not hasattr(message, name):
            raise KeyError(field)
        message = getattr(message, name)
    return message


def _as_array(values: list[Any]) -> NDArray[Any]:
    if len({np.shape(value) for value in values}) == 1:
        return np.array(values)
    ragged = np.empty(len(values), dtype=object)
    ragged[:] = values
    return ragged
