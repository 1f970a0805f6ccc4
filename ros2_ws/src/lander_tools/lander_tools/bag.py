"""Read bags: our own or any other rosbag2 with MCAP or sqlite3 storage, as a run folder, a bag folder or a bare file.

Whatever is wrong with a bag ends in one BagError whose text says what it is and what to do.
"""

from __future__ import annotations

import struct
from collections.abc import Collection, Iterator
from contextlib import contextmanager
from dataclasses import dataclass
from functools import cached_property
from pathlib import Path
from typing import NamedTuple

import apsw
from rosbags.interfaces import Connection, ConnectionExtRosbag2, MessageDefinitionFormat, Qos
from rosbags.interfaces.typing import Typesdict
from rosbags.rosbag2 import Reader, ReaderError
from rosbags.serde import SerdeError
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore
from rosbags.typesys.base import TypesysError
from rosbags.typesys.store import Typestore
from ruamel.yaml.error import YAMLError

from lander_runtime.messages import Message, typestore

STORAGE_SUFFIXES = (".mcap", ".db3")
METADATA = "metadata.yaml"
RECOVERED = "-recovered"  # ending of the name of a restored bag

# What rosbags lets through where a file is damaged; it checks sizes and checksums, but not every number that it finds.
DAMAGE = (
    ReaderError,
    SerdeError,
    TypesysError,
    YAMLError,
    apsw.Error,
    struct.error,
    OSError,
    EOFError,
    ValueError,
    TypeError,
    AttributeError,
    LookupError,
    ArithmeticError,
    AssertionError,
    MemoryError,
    RecursionError,
    RuntimeError,  # lz4
    SyntaxError,  # of the code that rosbags makes from a definition
)


class BagError(Exception):
    """A bag cannot be read; the text is one clear sentence or two, with what to do."""


class Record(NamedTuple):
    """A message as it stands in a bag."""

    topic: str
    stamp_ns: int  # log time
    data: bytes  # CDR


@dataclass(frozen=True)
class TopicInBag:
    """A topic of a bag."""

    name: str
    type: str
    count: int
    definition: str  # text of its .msg or .idl, with everything that it refers to
    type_hash: str  # RIHS01, empty where the bag does not say
    qos: list[Qos]


class Bag:
    """An open bag. Use it as a context manager."""

    def __init__(self, path: Path | str) -> None:
        """Open a bag. Raises BagError where there is none or it cannot be read."""
        self.path = locate(Path(path))
        with _explained(self.path):
            self._reader = Reader(self.path)
            self._reader.open()
            self.topics = {name: _topic(info.connections) for name, info in self._reader.topics.items()}

    def __enter__(self) -> Bag:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        """Close the file."""
        self._reader.close()

    @property
    def description(self) -> dict[str, str]:
        """What was flown, as the recorder wrote it: scenario, seed, version; empty in a foreign bag."""
        return dict(self._reader.storage.metadata.custom or {})

    @property
    def message_count(self) -> int:
        """Number of messages."""
        return self._reader.message_count

    @property
    def start_ns(self) -> int:
        """Log time of the first message, ns."""
        return self._reader.start_time if self.message_count else 0

    @property
    def end_ns(self) -> int:
        """Log time of the last message, ns."""
        return self._reader.end_time - 1 if self.message_count else 0

    def records(self, topics: Collection[str] | None = None) -> Iterator[Record]:
        """All messages of the given topics (names; all if None) in the order of their log time.

        Raises BagError where the file turns out to be damaged.
        """
        wanted = [each for each in self._reader.connections if topics is None or each.topic in topics]
        if not wanted:
            return
        with _explained(self.path):
            for connection, stamp_ns, data in self._reader.messages(wanted):
                yield Record(connection.topic, stamp_ns, data)

    def messages(self, topic: str) -> Iterator[tuple[int, Message]]:
        """Log time, ns, and decoded message of everything on a topic; nothing where the bag has no such topic."""
        for record in self.records([topic]):
            yield record.stamp_ns, self.decode(topic, record.data)

    def decode(self, topic: str, data: bytes) -> Message:
        """Message from its CDR bytes, by the definition that the bag itself carries. Raises BagError."""
        type_name = self.topics[topic].type
        store = self.types(type_name)
        with _explained(self.path):
            return store.deserialize_cdr(data, type_name)

    def canonical(self, topic: str, data: bytes) -> bytes:
        """The same message with its padding zeroed, so that equal messages have equal bytes whoever encoded them.

        Raises BagError.
        """
        type_name, message = self.topics[topic].type, self.decode(topic, data)
        with _explained(self.path):
            return bytes(self.types(type_name).serialize_cdr(message, type_name))

    def types(self, type_name: str) -> Typestore:
        """Where to find a type: in this installation where the bag means the same by it, else in the bag itself."""
        with _explained(self.path):
            foreign = self._foreign_types
        if type_name in foreign:
            return foreign[type_name]
        if type_name in typestore().fielddefs:
            return typestore()
        raise BagError(f"{self.path} does not say what {type_name} is, and it is not known here: it cannot be decoded")

    @cached_property
    def _foreign_types(self) -> dict[str, Typestore]:
        """Types that this installation does not have, or has in another version."""
        found: dict[str, Typestore] = {}
        for connection in self._reader.connections:
            definitions = _definitions(connection)
            if connection.msgtype in definitions and not _known_here(definitions):
                found[connection.msgtype] = get_typestore(Stores.EMPTY)
                found[connection.msgtype].register(definitions)
        return found


def locate(path: Path) -> Path:
    """The bag that a path means: a bag folder, the bag of a run folder, or a storage file. Raises BagError."""
    if not path.exists():
        raise BagError(f"{path}: there is no such file or folder")
    if path.is_file():
        if path.name == METADATA:
            return locate(path.parent)
        if path.suffix not in STORAGE_SUFFIXES:
            raise BagError(f"{path} is not a bag: expected a folder with {METADATA}, or a .mcap or .db3 file")
        return path
    if (path / METADATA).is_file():
        return path
    for folder in (path / "bag", path / f"bag{RECOVERED}"):
        if (folder / METADATA).is_file():
            return folder
    if (path / "bag").is_dir():
        return locate(path / "bag")
    files = storage_files(path)
    if len(files) == 1:  # unfinished, or copied without its metadata.yaml: the file may be whole all the same
        return files[0]
    if files:
        raise BagError(
            f"{path} is not finished ({METADATA} is missing); `./lander recover {path}` restores what is there"
        )
    raise BagError(f"{path} is not a bag: it has neither {METADATA} nor a .mcap or .db3 file")


def storage_files(folder: Path) -> list[Path]:
    """Storage files in a folder, in the order in which they were recorded."""
    return sorted((file for file in folder.iterdir() if file.suffix in STORAGE_SUFFIXES), key=_recording_order)


def _recording_order(file: Path) -> tuple[int, str]:
    """`bag_10.mcap` comes after `bag_9.mcap`."""
    number = file.stem.rpartition("_")[2]
    return (int(number) if number.isdigit() else 0, file.name)


def _topic(connections: list[Connection]) -> TopicInBag:
    """A topic that is there more than once, from publishers with different QoS, counts as one."""
    connection = connections[0]
    assert isinstance(connection.ext, ConnectionExtRosbag2)
    return TopicInBag(
        connection.topic,
        connection.msgtype,
        sum(each.msgcount for each in connections),
        connection.msgdef.data,
        connection.digest,
        connection.ext.offered_qos_profiles,
    )


def _definitions(connection: Connection) -> Typesdict:
    """What the bag says of a type; nothing where that cannot be read, for then this installation may still know it."""
    try:
        if connection.msgdef.format == MessageDefinitionFormat.MSG:
            return get_types_from_msg(connection.msgdef.data, connection.msgtype)
        if connection.msgdef.format == MessageDefinitionFormat.IDL:
            return get_types_from_idl(connection.msgdef.data)
    except DAMAGE:
        pass
    return {}


def _known_here(definitions: Typesdict) -> bool:
    known = typestore().fielddefs
    return all(name in known and known[name][1] == fields for name, (_, fields) in definitions.items())


@contextmanager
def _explained(path: Path) -> Iterator[None]:
    """Turn whatever reading raises into a BagError."""
    try:
        yield
    except BagError:
        raise
    except PermissionError as error:
        raise BagError(f"{path} cannot be read: {error.strerror}") from None
    except DAMAGE as error:
        reason = str(error).partition("\n")[0].strip().rstrip(".") or type(error).__name__
        raise BagError(
            f"{path} is unfinished or damaged ({reason}); `./lander recover {path}` restores what can be read"
        ) from None
