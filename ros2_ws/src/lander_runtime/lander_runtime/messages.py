"""Message types without ROS, built from the `.msg` files that ROS itself builds from.

`from lander_runtime.messages import NavigationState` gives the type of `lander_interfaces/msg/NavigationState.msg`: a
plain dataclass of numbers, strings and numpy arrays. Its `tick` and `header` are filled in by the runtime when it is
published, so subsystems leave them out. `encode` and `decode` are the one place where messages become CDR bytes.
"""

from __future__ import annotations

import os
from collections.abc import Callable
from functools import cache, lru_cache, partial
from pathlib import Path
from typing import Any

import numpy as np
from rosbags.typesys import Stores, get_types_from_msg, get_typestore
from rosbags.typesys.store import Typestore

from lander_runtime.cdr import Encoder, UnsupportedTypeError

Message = Any  # an instance of a type that rosbags builds at run time; its fields are those of the .msg file

PACKAGE = "lander_interfaces"
NANOSECONDS = 1_000_000_000
_TICK_OFFSET = 4  # bytes: every message of ours begins with `uint64 tick`, right after the CDR encapsulation header

_STAMP_OFFSET = _TICK_OFFSET + 8  # then comes `std_msgs/Header header`, whose first field is the stamp


def interfaces_share() -> Path:
    """Folder of lander_interfaces: its source beside this package, or its installed share."""
    source = Path(__file__).resolve().parents[2] / PACKAGE
    if source.is_dir():
        return source
    for prefix in os.environ.get("AMENT_PREFIX_PATH", "").split(os.pathsep):
        share = Path(prefix) / "share" / PACKAGE
        if share.is_dir():
            return share
    raise FileNotFoundError(f"{PACKAGE} is neither beside this package nor in AMENT_PREFIX_PATH: build the workspace")


@cache
def typestore() -> Typestore:
    """The standard types of ROS 2 Jazzy and our own."""
    store = get_typestore(Stores.ROS2_JAZZY)
    types: dict[str, Any] = {}
    for file in sorted((interfaces_share() / "msg").glob("*.msg")):
        types.update(get_types_from_msg(file.read_text(), f"{PACKAGE}/msg/{file.stem}"))
    store.register(types)
    return store


@cache
def message_type(name: str) -> Any:
    """The dataclass of a message type by its full name, such as `sensor_msgs/msg/Imu`."""
    return typestore().types[name]


def __getattr__(name: str) -> Any:
    full_name = f"{PACKAGE}/msg/{name}"
    if name.startswith("_") or full_name not in typestore().types:
        raise AttributeError(f"no message type {full_name}")
    return _constructor(full_name)


@cache
def _constructor(full_name: str) -> Any:
    cls = message_type(full_name)
    constructor = partial(cls, tick=0, header=None)
    for key, value in vars(cls).items():  # constants of the .msg file, such as GuidanceCommand.BRAKING
        if key.isupper():
            setattr(constructor, key, value)
    return constructor


@lru_cache(maxsize=64)
def time_message(stamp_ns: int) -> Message:
    """builtin_interfaces/Time of a stamp in integer nanoseconds; shared by all that is true then, so not to be changed."""
    seconds, nanoseconds = divmod(stamp_ns, NANOSECONDS)
    return message_type("builtin_interfaces/msg/Time")(sec=seconds, nanosec=nanoseconds)


@lru_cache(maxsize=64)
def header_message(stamp_ns: int, frame_id: str) -> Message:
    """std_msgs/Header of a stamp in integer nanoseconds; shared by all messages of a tick, so not to be changed."""
    return message_type("std_msgs/msg/Header")(stamp=time_message(stamp_ns), frame_id=frame_id)


def stamp_ns(message: Message) -> int:
    """Stamp of a message's header in integer nanoseconds."""
    return time_ns(message.header.stamp)


def time_ns(time: Message) -> int:
    """builtin_interfaces/Time in integer nanoseconds."""
    return int(time.sec) * NANOSECONDS + int(time.nanosec)


def encode(message: Message, type_name: str) -> bytes:
    """CDR bytes of a message, padding zeroed, so that equal messages have equal bytes."""
    return _encoder(type_name)(message)


def decode(data: bytes | memoryview, type_name: str) -> Message:
    """Message from its CDR bytes."""
    return typestore().deserialize_cdr(data, type_name)


@cache
def _encoder(type_name: str) -> Callable[[Message], bytes]:
    store = typestore()
    try:
        return Encoder(store, type_name)
    except UnsupportedTypeError:
        return lambda message: bytes(store.serialize_cdr(message, type_name))


def plain(message: Message) -> dict[str, Any]:
    """The fields of a message as plain data, without tick and header."""
    fields = {key: value for key, value in vars(message).items() if not key.isupper() and not key.startswith("__")}
    return {
        key: value.tolist() if isinstance(value, np.ndarray) else value
        for key, value in fields.items()
        if key not in ("tick", "header")
    }


def peek_tick(data: bytes) -> int:
    """Tick number of an encoded message of ours, without decoding the rest (little-endian CDR)."""
    return int.from_bytes(data[_TICK_OFFSET : _TICK_OFFSET + 8], "little")


def peek_stamp_ns(data: bytes) -> int:
    """Header stamp of an encoded message of ours in ns, without decoding the rest."""
    seconds = int.from_bytes(data[_STAMP_OFFSET : _STAMP_OFFSET + 4], "little", signed=True)
    return seconds * NANOSECONDS + int.from_bytes(data[_STAMP_OFFSET + 4 : _STAMP_OFFSET + 8], "little")


def zeros(type_name: str) -> Message:
    """A message with every number zero, every text and sequence empty: a start for tests and stand-ins."""
    cls = message_type(type_name)
    from rosbags.interfaces import Nodetype  # the only place that walks the definition

    def value(definition: Any) -> Any:
        kind, detail = definition
        if kind == Nodetype.BASE:
            return {"string": "", "bool": False}.get(detail[0], 0.0 if "float" in detail[0] else 0)
        if kind == Nodetype.NAME:
            return zeros(detail)
        element, length = detail
        if element[0] == Nodetype.BASE and element[1][0] not in ("string",):
            return np.zeros(length if kind == Nodetype.ARRAY else 0, dtype=element[1][0].replace("bool", "bool_"))
        return [value(element) for _ in range(length if kind == Nodetype.ARRAY else 0)]

    _, fields = typestore().fielddefs[type_name]
    return cls(**{name: value(definition) for name, definition in fields})
