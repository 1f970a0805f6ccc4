"""The run digest: a hash chain per node over everything it published, and one digest over all nodes."""

from __future__ import annotations

from collections.abc import Mapping
from hashlib import blake2b

DIGEST_BYTES = 32


class DigestChain:
    """Hash chain over the messages that one node published, in order."""

    def __init__(self) -> None:
        self._hash = blake2b(digest_size=DIGEST_BYTES)
        self.count = 0

    def add(self, topic_key: str, data: bytes) -> None:
        """Append one message: its topic, its length and its CDR bytes."""
        self._hash.update(b"%s %d\n%s" % (topic_key.encode(), len(data), data))
        self.count += 1

    def value(self) -> bytes:
        """Digest of everything so far."""
        return self._hash.digest()


def run_digest(nodes: Mapping[str, bytes]) -> str:
    """Digest of a run, as hex, from the final digest of each node; the order of the mapping does not matter."""
    whole = blake2b(digest_size=DIGEST_BYTES)
    for name in sorted(nodes):
        whole.update(name.encode() + b"\0" + nodes[name])
    return whole.hexdigest()


def with_life(node: str, life: int) -> str:
    """The name under which a life of a node enters the run digest: every life has a chain of its own."""
    return f"{node}/{life}" if life else node
