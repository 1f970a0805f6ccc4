"""What can still be read of one storage file of an unfinished or damaged bag."""

from __future__ import annotations

import shutil
import sqlite3
import struct
from collections import Counter
from collections.abc import Iterator
from contextlib import closing
from functools import cache
from mmap import ACCESS_READ, mmap
from pathlib import Path
from tempfile import TemporaryDirectory
from typing import NamedTuple, Protocol

from rosbags.interfaces import Qos
from rosbags.rosbag2.storage_mcap import get_qos
from rosbags.typesys import Stores, get_types_from_idl, get_types_from_msg, get_typestore

from lander_runtime.messages import typestore
from lander_tools import mcap_scan
from lander_tools.bag import DAMAGE, Bag, BagError, Record
from lander_tools.bag_writer import DESCRIPTION_RECORD
from lander_tools.mcap_scan import CHANNEL, CHUNK, FOOTER, MESSAGE, METADATA, SCHEMA, ChannelRecord, Piece, SchemaRecord

_UNPARSABLE = (struct.error, UnicodeDecodeError)


class TopicDefinition(NamedTuple):
    """What a new bag needs to know of a topic."""

    type: str
    definition: str
    type_hash: str
    qos: list[Qos]


class Salvage(Protocol):
    """A storage file that is being read for what is left of it. Losses are complete after `records()` has ended."""

    topics: dict[str, TopicDefinition]
    description: dict[str, str]
    losses: list[str]

    def records(self) -> Iterator[Record]:
        """Every message that can be read, in the order of the file."""

    def close(self) -> None:
        """Let go of the file."""


class McapSalvage:
    """The rest of an MCAP file."""

    def __init__(self, file: Path, keep_damaged: bool) -> None:
        """Find definitions and damage. `keep_damaged`: also take messages out of chunks with a wrong checksum."""
        self.topics: dict[str, TopicDefinition] = {}
        self.description: dict[str, str] = {}
        self.losses: list[str] = []
        self._name = file.name
        self._keep_damaged = keep_damaged
        self._data: mcap_scan.Buffer = _mapped(file)
        self._schemas: dict[int, SchemaRecord] = {}
        self._channels: dict[int, ChannelRecord] = {}
        self._pieces: list[Piece] = []
        self._unsound: set[Piece] = set()
        self._survey()
        self._define_topics()

    def close(self) -> None:
        """Let go of the file."""
        if isinstance(self._data, mmap):
            self._data.close()

    def records(self) -> Iterator[Record]:
        """Every message that can be read, in the order of the file."""
        orphans, end_ns = 0, 0
        for message in self._messages():
            channel = self._channels.get(message.channel)
            if channel is None or channel.topic not in self.topics:
                orphans += 1
                continue
            end_ns = max(end_ns, message.stamp_ns)
            yield Record(channel.topic, message.stamp_ns, message.data)
        if orphans:
            self.losses.append(f"{orphans} messages of topics whose definition cannot be read")
        if not any(piece.opcode == FOOTER for piece in self._pieces):
            self.losses.append(f"what was recorded after {end_ns * 1e-9:.3f} s and had not reached {self._name} yet")

    def _survey(self) -> None:
        """Walk through the file once for its structure; definitions in sound stretches count before those in others."""
        doubtful: list[tuple[int, bytes]] = []
        for piece in mcap_scan.pieces(self._data):
            if not isinstance(piece, Piece):
                self.losses.append(f"{piece.end - piece.start} bytes at offset {piece.start}, which make no sense")
                continue
            self._pieces.append(piece)
            if piece.opcode == CHUNK:
                self._survey_chunk(piece, doubtful)
            elif piece.opcode in (SCHEMA, CHANNEL, METADATA):
                self._note(piece.opcode, self._data[piece.start : piece.end])
        for opcode, payload in doubtful:
            self._note(opcode, payload)

    def _survey_chunk(self, piece: Piece, doubtful: list[tuple[int, bytes]]) -> None:
        body, sound = mcap_scan.chunk_body(self._data, piece)
        if not sound:
            self._unsound.add(piece)
        for opcode, start, end in mcap_scan.records(body):
            if opcode == MESSAGE:
                continue
            if sound:
                self._note(opcode, body[start:end])
            else:
                doubtful.append((opcode, body[start:end]))

    def _note(self, opcode: int, payload: bytes) -> None:
        try:
            if opcode == SCHEMA:
                schema = mcap_scan.parse_schema(payload)
                self._schemas.setdefault(schema.id, schema)
            elif opcode == CHANNEL:
                channel = mcap_scan.parse_channel(payload)
                self._channels.setdefault(channel.id, channel)
            else:
                name, entries = mcap_scan.parse_metadata(payload)
                self.description.update(entries if name == DESCRIPTION_RECORD else {})
        except _UNPARSABLE:
            return  # its messages, if any, are counted as orphans

    def _define_topics(self) -> None:
        for channel in self._channels.values():
            schema = self._schemas.get(channel.schema)
            definition = schema and _definition(schema, channel)
            if definition:
                self.topics.setdefault(channel.topic, definition)

    def _messages(self) -> Iterator[mcap_scan.MessageRecord]:
        for piece in self._pieces:
            if piece.opcode == CHUNK:
                yield from self._chunk_messages(piece)
            elif piece.opcode == MESSAGE:
                yield mcap_scan.parse_message(self._data[piece.start : piece.end])

    def _chunk_messages(self, piece: Piece) -> Iterator[mcap_scan.MessageRecord]:
        body, _ = mcap_scan.chunk_body(self._data, piece)
        if piece in self._unsound and not self._keep_damaged:
            self.losses.append(_damaged_chunk(self._data, piece, body))
            return
        reached = 0
        for opcode, start, end in mcap_scan.records(body):
            reached = end
            if opcode == MESSAGE and end - start >= mcap_scan.MESSAGE_HEAD_BYTES:
                yield mcap_scan.parse_message(body[start:end])
        if not piece.whole:
            self.losses.append(f"the last {len(body) - reached} bytes of {self._name}, which ends within a record")
        elif reached < len(body):
            self.losses.append(f"{len(body) - reached} bytes of a damaged chunk at offset {piece.start}")


class DatabaseSalvage:
    """The rest of an sqlite3 file. Works on a copy, because sqlite rolls an unfinished transaction back in place."""

    def __init__(self, file: Path) -> None:
        """Open a copy. Raises BagError where sqlite can do nothing with the file."""
        self.losses: list[str] = []
        self._folder = TemporaryDirectory()
        copy = Path(self._folder.name) / file.name
        for companion in (file, *(file.with_name(file.name + ending) for ending in ("-wal", "-shm", "-journal"))):
            if companion.is_file():
                shutil.copy(companion, self._folder.name)
        try:
            with closing(sqlite3.connect(copy)) as database:
                database.execute("PRAGMA journal_mode=DELETE")  # takes in what the -wal file holds
                database.execute("SELECT count(*) FROM sqlite_master")
        except sqlite3.Error as error:
            self._folder.cleanup()
            raise BagError(f"{file} cannot be restored: {error}") from None
        self._bag = Bag(copy)
        self.description = self._bag.description
        self.topics: dict[str, TopicDefinition] = {}
        for name, topic in self._bag.topics.items():
            definition = topic.definition or _own_definition(topic.type)
            type_hash = topic.type_hash or _type_hash(topic.type, definition, idl=False)
            if definition and type_hash:
                self.topics[name] = TopicDefinition(topic.type, definition, type_hash, topic.qos)

    def close(self) -> None:
        """Remove the copy."""
        self._bag.close()
        self._folder.cleanup()

    def records(self) -> Iterator[Record]:
        """Every message that can be read, in the order of its time."""
        lost: Counter[str] = Counter()
        try:
            for record in self._bag.records():
                if record.topic in self.topics:
                    yield record
                else:
                    lost[record.topic] += 1
        except BagError as error:
            self.losses.append(f"what follows a damaged page of the database ({error})")
        self.losses.extend(f"{count} messages of {topic}, whose type is unknown" for topic, count in lost.items())


def open_salvage(file: Path, keep_damaged: bool) -> Salvage:
    """Begin to salvage a storage file. Raises BagError where it cannot be read at all."""
    try:
        size = file.stat().st_size
        if not size:
            raise BagError(f"{file} is empty: nothing was ever written to it")
        if file.suffix == ".db3":
            return DatabaseSalvage(file)
        return McapSalvage(file, keep_damaged)
    except OSError as error:
        raise BagError(f"{file} cannot be read: {error.strerror}") from None


def _mapped(file: Path) -> mmap:
    with file.open("rb") as stream:
        return mmap(stream.fileno(), 0, access=ACCESS_READ)


def _damaged_chunk(data: mcap_scan.Buffer, piece: Piece, body: bytes) -> str:
    head = mcap_scan.chunk_head(data, piece.start)
    count = sum(opcode == MESSAGE for opcode, _, _ in mcap_scan.records(body))
    span = f"{head.start_ns * 1e-9:.3f} s to {head.end_ns * 1e-9:.3f} s" if head else "unknown times"
    return f"about {count} messages from {span}: their checksum is wrong (--keep-damaged keeps those that make sense)"


def _definition(schema: SchemaRecord, channel: ChannelRecord) -> TopicDefinition | None:
    type_hash = _type_hash(schema.name, schema.text, idl=schema.encoding != "ros2msg")
    if not type_hash:
        return None
    try:
        qos = get_qos(channel.metadata)
    except DAMAGE:
        qos = []
    return TopicDefinition(schema.name, schema.text, type_hash, qos)


@cache
def _type_hash(type_name: str, definition: str, idl: bool) -> str:
    """RIHS01 hash of a type, computed from its definition; empty where that cannot be parsed."""
    store = get_typestore(Stores.EMPTY)
    try:
        store.register(get_types_from_idl(definition) if idl else get_types_from_msg(definition, type_name))
        return store.hash_rihs01(type_name)
    except DAMAGE:
        return ""


def _own_definition(type_name: str) -> str:
    """The definition that this installation has; old sqlite3 bags carry none."""
    return typestore().generate_msgdef(type_name, ros_version=2)[0] if type_name in typestore().fielddefs else ""
