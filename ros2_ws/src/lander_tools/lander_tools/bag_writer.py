"""Write bags: ordinary rosbag2 (version 9, MCAP) that `ros2 bag play` and any MCAP reader take as they are.

rosbags writes the format; added here are what it leaves out and a record of a flight needs: a checksum in every chunk,
the description of the run at the head of the file (metadata.yaml comes only at the end, and a killed recorder never
gets there), and a flush on demand.
"""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from contextlib import suppress
from io import SEEK_END, BytesIO
from pathlib import Path
from typing import Literal
from zlib import crc32

from rosbags.interfaces import Connection, Qos, QosDurability, QosHistory, QosLiveliness, QosReliability, QosTime
from rosbags.rosbag2 import StoragePlugin, Writer, WriterError
from rosbags.rosbag2.storage_mcap import McapWriter, write_record, write_string, write_uint32

from lander_runtime.architecture import QosProfile, architecture
from lander_runtime.messages import typestore

ROSBAG2_VERSION: Literal[9] = 9  # what ROS 2 Jazzy writes
DESCRIPTION_RECORD = "frigoris"  # name of the MCAP metadata record that says what was flown
_METADATA_OPCODE = 0x0C
_CRC_OFFSET = 9 + 24  # from the beginning of a chunk record: opcode and length, start and end time, uncompressed size
_ROOM = 64 * 1024  # bytes, for the record and the verdict of a run whose bag fills the disk
_FOREVER = QosTime(9223372036, 854775807)  # what rosbag2 writes for an infinite duration


class _CheckedStorage(McapWriter):
    """rosbags' MCAP storage, with a checksum in every chunk."""

    def close_chunk(self) -> None:
        """Write the pending chunk, then its CRC; until then a reader takes the zero there for no checksum."""
        start, checksum = self.bio.tell(), crc32(self.chunk.bio.getbuffer())
        super().close_chunk()
        self.bio.seek(start + _CRC_OFFSET)
        write_uint32(self.bio, checksum)
        self.bio.seek(0, SEEK_END)

    def describe(self, description: Mapping[str, str]) -> None:
        """Write a metadata record right away."""
        entries = BytesIO()
        for key, value in description.items():
            write_string(entries, key)
            write_string(entries, value)
        record = BytesIO()
        write_string(record, DESCRIPTION_RECORD)
        write_uint32(record, entries.tell())
        record.write(entries.getbuffer())
        write_record(self.bio, _METADATA_OPCODE, record)


class _CheckedWriter(Writer):
    STORAGE_PLUGINS = {**Writer.STORAGE_PLUGINS, StoragePlugin.MCAP: _CheckedStorage}  # noqa: RUF012


class BagWriter:
    """A bag that is being written. Log time and publish time of a message are its stamp in simulated time."""

    def __init__(self, path: Path, description: Mapping[str, str]) -> None:
        """Create the bag folder. `description` says what was flown: scenario, seed, version.

        Raises OSError or rosbags' WriterError where the folder exists already or cannot be made.
        """
        self.path = path
        self._writer = _CheckedWriter(path, version=ROSBAG2_VERSION, storage_plugin=StoragePlugin.MCAP)
        for key, value in description.items():
            self._writer.set_custom_data(key, value)
        self._writer.open()
        assert isinstance(self._writer.storage, _CheckedStorage)
        self._storage = self._writer.storage
        self._storage.describe(description)
        self._connections: dict[str, Connection] = {}

    def add_topic(self, name: str, type_name: str, definition: str, type_hash: str, qos: Sequence[Qos]) -> None:
        """Announce a topic by its name, with the text and the RIHS01 hash of its type."""
        self._connections[name] = self._writer.add_connection(
            name, type_name, msgdef=definition, rihs01=type_hash, offered_qos_profiles=qos
        )

    def add_architecture(self) -> None:
        """Announce every topic of the architecture."""
        for topic in architecture().topics.values():
            definition, _ = typestore().generate_msgdef(topic.type, ros_version=2)
            self.add_topic(
                topic.name, topic.type, definition, typestore().hash_rihs01(topic.type), [offered_qos(topic.qos)]
            )

    def write(self, topic: str, stamp_ns: int, data: bytes) -> None:
        """Append a message (CDR bytes) of an announced topic."""
        self._writer.write(self._connections[topic], stamp_ns, data)

    def flush(self) -> None:
        """Hand everything that was written to the operating system, so that it survives the end of this process."""
        if self._storage.chunk.msgs:
            self._storage.close_chunk()
        self._storage.bio.flush()

    def close(self) -> None:
        """Write the index and metadata.yaml."""
        self._writer.close()

    def abandon(self) -> None:
        """Close the file without an index, and give up its end: a full disk then has room for the verdict."""
        with suppress(OSError, ValueError):  # what could not be written before cannot be written now
            self._writer.abort()
        with suppress(OSError):
            size = self._storage.path.stat().st_size
            os.truncate(self._storage.path, size - _ROOM if size > 2 * _ROOM else size)


def offered_qos(profile: QosProfile) -> Qos:
    """rosbag2's form of a named profile."""
    return Qos(
        history=QosHistory.KEEP_LAST,
        depth=profile.depth,
        reliability=QosReliability[profile.reliability.upper()],
        durability=QosDurability[profile.durability.upper()],
        deadline=_FOREVER,
        lifespan=_FOREVER,
        liveliness=QosLiveliness.AUTOMATIC,
        liveliness_lease_duration=_FOREVER,
        avoid_ros_namespace_conventions=False,
    )


__all__ = ["BagWriter", "WriterError", "offered_qos"]
