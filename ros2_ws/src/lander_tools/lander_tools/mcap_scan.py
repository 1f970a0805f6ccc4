"""Walk through an MCAP file that may be unfinished or damaged, and find everything in it that is whole.

Knows only the framing of the format (mcap.dev/spec, version 0): a record is an opcode, a length and a payload; a chunk
is a record that holds records, with a checksum over them. Needs no index, no end of file, and finds the way back into
the file after a stretch that makes no sense.
"""

from __future__ import annotations

import re
import struct
from collections.abc import Iterator
from mmap import mmap
from typing import NamedTuple
from zlib import crc32

from rosbags.rosbag2.storage_mcap import DECOMPRESSORS

from lander_tools.bag import DAMAGE

Buffer = bytes | mmap

MAGIC = b"\x89MCAP0\r\n"
HEADER, FOOTER, SCHEMA, CHANNEL, MESSAGE, CHUNK, MESSAGE_INDEX, METADATA = (
    0x01,
    0x02,
    0x03,
    0x04,
    0x05,
    0x06,
    0x07,
    0x0C,
)
LAST_OPCODE, FIRST_PRIVATE_OPCODE = 0x0F, 0x80

_FRAME = struct.Struct("<BQ")
_CHUNK_HEAD = struct.Struct("<QQQI")  # start time, end time, uncompressed size, CRC
_MESSAGE_HEAD = struct.Struct("<HIQQ")  # channel, sequence, log time, publish time
MESSAGE_HEAD_BYTES = _MESSAGE_HEAD.size
_U16, _U32, _U64 = struct.Struct("<H"), struct.Struct("<I"), struct.Struct("<Q")
_CHUNK_FRAME = re.compile(rb"\x06[\s\S]{4}\x00{4}")  # a chunk shorter than 4 GiB


class Piece(NamedTuple):
    """A record at its place in the file; `whole` is False for a chunk that the end of the file cuts off."""

    opcode: int
    start: int  # of the payload
    end: int
    whole: bool


class Unreadable(NamedTuple):
    """A stretch of the file that makes no sense."""

    start: int
    end: int


class ChunkHead(NamedTuple):
    """What a chunk says of itself."""

    start_ns: int
    end_ns: int
    size: int  # uncompressed
    checksum: int  # CRC-32 of the uncompressed records; 0: none
    compression: str
    body: int  # where the records begin
    body_size: int


class MessageRecord(NamedTuple):
    """A message and the number of its channel."""

    channel: int
    stamp_ns: int
    data: bytes


class SchemaRecord(NamedTuple):
    """A message type."""

    id: int
    name: str
    encoding: str
    text: str


class ChannelRecord(NamedTuple):
    """A topic."""

    id: int
    schema: int
    topic: str
    encoding: str
    metadata: bytes  # as it stands in the file


def pieces(data: Buffer) -> Iterator[Piece | Unreadable]:
    """Records of the file from its beginning to its end; nothing where it is no MCAP file at all."""
    at = len(MAGIC)
    if data[:at] != MAGIC:
        at = _next_chunk(data, 0)
        if at == len(data):
            return
        yield Unreadable(0, at)
    while at < len(data) and not _is_end(data, at):
        piece = _piece_at(data, at)
        if piece is None:
            onward = _next_chunk(data, at + 1)
            yield Unreadable(at, onward)
            at = onward
        else:
            yield piece
            at = piece.end


def chunk_head(data: Buffer, start: int) -> ChunkHead | None:
    """The head of the chunk whose payload begins at `start`, or None where there cannot be one."""
    try:
        start_ns, end_ns, size, checksum = _CHUNK_HEAD.unpack_from(data, start)
        (length,) = _U32.unpack_from(data, start + _CHUNK_HEAD.size)
        compression = data[start + _CHUNK_HEAD.size + 4 : start + _CHUNK_HEAD.size + 4 + length].decode("ascii")
        body = start + _CHUNK_HEAD.size + 4 + length + 8
        (body_size,) = _U64.unpack_from(data, body - 8)
    except (struct.error, UnicodeDecodeError):
        return None
    if compression not in DECOMPRESSORS or (not compression and size != body_size):
        return None
    return ChunkHead(start_ns, end_ns, size, checksum, compression, body, body_size)


def chunk_body(data: Buffer, piece: Piece) -> tuple[bytes, bool]:
    """Records of a chunk, uncompressed, and whether they are what was written (as far as its checksum can tell).

    Of a compressed chunk that is cut off or damaged nothing is left.
    """
    head = chunk_head(data, piece.start)
    assert head is not None, "pieces() yields no other chunks"
    body = data[head.body : min(head.body + head.body_size, piece.end)]
    if head.compression:
        try:
            body = DECOMPRESSORS[head.compression](body, head.size)
        except DAMAGE:
            return b"", False
    sound = not piece.whole or not head.checksum or crc32(body) == head.checksum
    return body, sound and (not piece.whole or len(body) == head.size)


def records(body: bytes) -> Iterator[tuple[int, int, int]]:
    """Opcode, start and end of the payload of each record in a chunk; stops where the next one is not whole."""
    at = 0
    while at + _FRAME.size <= len(body):
        opcode, length = _FRAME.unpack_from(body, at)
        end = at + _FRAME.size + length
        if opcode not in (SCHEMA, CHANNEL, MESSAGE) or end > len(body):
            return
        yield opcode, at + _FRAME.size, end
        at = end


def parse_message(payload: bytes) -> MessageRecord:
    """A message record. Raises struct.error where it is none."""
    channel, _, stamp_ns, _ = _MESSAGE_HEAD.unpack_from(payload)
    return MessageRecord(channel, stamp_ns, payload[_MESSAGE_HEAD.size :])


def parse_schema(payload: bytes) -> SchemaRecord:
    """A schema record. Raises struct.error or UnicodeDecodeError where it is none."""
    (number,) = _U16.unpack_from(payload)
    name, at = _text(payload, 2)
    encoding, at = _text(payload, at)
    text, _ = _text(payload, at)
    return SchemaRecord(number, name, encoding, text)


def parse_channel(payload: bytes) -> ChannelRecord:
    """A channel record. Raises struct.error or UnicodeDecodeError where it is none."""
    number, schema = struct.unpack_from("<HH", payload)
    topic, at = _text(payload, 4)
    encoding, at = _text(payload, at)
    (length,) = _U32.unpack_from(payload, at)
    return ChannelRecord(number, schema, topic, encoding, payload[at + 4 : at + 4 + length])


def parse_metadata(payload: bytes) -> tuple[str, dict[str, str]]:
    """Name and entries of a metadata record. Raises struct.error or UnicodeDecodeError where it is none."""
    name, at = _text(payload, 0)
    (length,) = _U32.unpack_from(payload, at)
    at, end = at + 4, at + 4 + length
    entries: dict[str, str] = {}
    while at < end:
        key, at = _text(payload, at)
        entries[key], at = _text(payload, at)
    return name, entries


def _text(payload: bytes, at: int) -> tuple[str, int]:
    (length,) = _U32.unpack_from(payload, at)
    end = at + 4 + length
    if end > len(payload):
        raise struct.error("text beyond the end of its record")
    return payload[at + 4 : end].decode("utf-8"), end


def _piece_at(data: Buffer, at: int) -> Piece | None:
    """The record at a place, if there can be one."""
    if at + _FRAME.size > len(data):
        return None
    opcode, length = _FRAME.unpack_from(data, at)
    start, end = at + _FRAME.size, at + _FRAME.size + length
    if opcode == CHUNK:
        head = chunk_head(data, start)
        if head is None or head.body + head.body_size != end:
            return None
        return Piece(opcode, start, min(end, len(data)), end <= len(data))
    known = HEADER <= opcode <= LAST_OPCODE or opcode >= FIRST_PRIVATE_OPCODE
    if not known or end > len(data) or not _can_begin(data, end):
        return None
    return Piece(opcode, start, end, True)


def _can_begin(data: Buffer, at: int) -> bool:
    """Whether a record, or the end of the file, can be at a place: a wrong length hardly ever leads to one."""
    if at + _FRAME.size > len(data) or _is_end(data, at):
        return True
    opcode = data[at]
    return HEADER <= opcode <= LAST_OPCODE or opcode >= FIRST_PRIVATE_OPCODE


def _is_end(data: Buffer, at: int) -> bool:
    return at + len(MAGIC) == len(data) and data[at:] == MAGIC


def _next_chunk(data: Buffer, at: int) -> int:
    """Where the next chunk begins whose head agrees with itself; the end of the file if there is none."""
    for match in _CHUNK_FRAME.finditer(data, at):
        if _piece_at(data, match.start()) is not None:
            return match.start()
    return len(data)
