"""Restore a bag that was not finished, was cut off or is damaged: `./lander recover BAG`.

The original is never touched: what can be read goes into a new bag beside it, with an index and metadata.yaml, and what
cannot be read is said.
"""

from __future__ import annotations

import shutil
from contextlib import ExitStack, closing
from dataclasses import dataclass
from pathlib import Path

import click

from lander_tools.bag import METADATA, RECOVERED, STORAGE_SUFFIXES, Bag, BagError, storage_files
from lander_tools.bag_writer import BagWriter, WriterError
from lander_tools.salvage import Salvage, open_salvage


class CannotRun(click.ClickException):
    """A command that could not do its work; exit status 2, as for a run that failed to run."""

    exit_code = 2


@dataclass(frozen=True)
class Recovery:
    """What was restored, and what was not."""

    source: Path
    restored: Path  # the new bag, or the source itself where nothing is wrong with it
    messages: int
    topics: int
    end_s: float  # log time of the last message
    losses: tuple[str, ...]

    def __str__(self) -> str:
        found = f"{self.messages} messages of {self.topics} topics, up to {self.end_s:.3f} s"
        if self.restored == self.source:
            return f"{self.source} is whole: {found}. There is nothing to restore."
        lost = [f"Lost: {loss}." for loss in self.losses] or ["Nothing was lost but the index."]
        return "\n".join([f"Restored {found}, into {self.restored}.", *lost, f"{self.source} was not touched."])


def recover(path: Path, destination: Path | None = None, keep_damaged: bool = False) -> Recovery:
    """Restore a bag (run folder, bag folder or storage file) into `destination`, by default beside it.

    Messages in a chunk whose checksum is wrong are left out, since any of them may be wrong; `keep_damaged` keeps those
    that still make sense. Raises BagError where nothing can be restored or written.
    """
    source = _source(path)
    if _is_whole(source):
        with Bag(source) as bag:
            return Recovery(source, source, bag.message_count, len(bag.topics), bag.end_ns * 1e-9, ())
    destination = destination or _free_name(source)
    if destination.exists():
        raise BagError(f"{destination} exists already, and nothing is ever overwritten: name another place with --out")
    with ExitStack() as stack:
        files = storage_files(source) if source.is_dir() else [source]
        salvages = [stack.enter_context(closing(open_salvage(file, keep_damaged))) for file in files]
        try:
            return _rewrite(source, destination, salvages)
        except (OSError, WriterError) as error:
            reason = error.strerror if isinstance(error, OSError) else str(error)
            raise BagError(f"cannot write {destination}: {reason}; name another place with --out") from None


def _source(path: Path) -> Path:
    """The folder or file to restore."""
    if not path.exists():
        raise BagError(f"{path}: there is no such file or folder")
    if path.is_file():
        if path.name == METADATA:
            return _source(path.parent)
        if path.suffix in STORAGE_SUFFIXES:
            return path
        raise BagError(f"{path} is not a bag: expected a folder, or a .mcap or .db3 file")
    if storage_files(path):
        return path
    if (path / "bag").is_dir():
        return _source(path / "bag")
    raise BagError(f"{path} holds no .mcap or .db3 file: there is nothing to restore")


def _is_whole(source: Path) -> bool:
    """Whether the bag has its metadata, opens, and every message that it promises is there."""
    if source.is_dir() and not (source / METADATA).is_file():
        return False
    try:
        with Bag(source) as bag:
            return sum(1 for _ in bag.records()) == bag.message_count
    except BagError:
        return False


def _free_name(source: Path) -> Path:
    base = source.parent / f"{source.stem if source.is_file() else source.name}{RECOVERED}"
    number = 2
    name = base
    while name.exists():
        name = base.with_name(f"{base.name}-{number}")
        number += 1
    return name


def _rewrite(source: Path, destination: Path, salvages: list[Salvage]) -> Recovery:
    """Write everything that can be read into a new bag."""
    description: dict[str, str] = {}
    topics = {name: topic for salvage in reversed(salvages) for name, topic in salvage.topics.items()}
    for salvage in salvages:
        description.update(salvage.description)
    if not topics:
        raise BagError(f"{source} holds nothing that can be read as a bag: there is nothing to restore")
    writer = BagWriter(destination, {**description, "recovered_from": source.name})
    try:
        for name, topic in topics.items():
            writer.add_topic(name, topic.type, topic.definition, topic.type_hash, topic.qos)
        count, end_ns = _copy(salvages, writer)
        if not count:
            lost = "; ".join(loss for salvage in salvages for loss in salvage.losses)
            raise BagError(f"{source} holds no message that is whole: there is nothing to restore (lost: {lost})")
        writer.close()
    except BaseException:
        writer.abandon()
        shutil.rmtree(destination, ignore_errors=True)
        raise
    losses = tuple(loss for salvage in salvages for loss in salvage.losses)
    return Recovery(source, destination, count, len(topics), end_ns * 1e-9, losses)


def _copy(salvages: list[Salvage], writer: BagWriter) -> tuple[int, int]:
    """Write every message; return their number and the latest log time, ns."""
    count, end_ns = 0, 0
    for salvage in salvages:
        for record in salvage.records():
            writer.write(record.topic, record.stamp_ns, record.data)
            count, end_ns = count + 1, max(end_ns, record.stamp_ns)
    return count, end_ns


@click.command(name="recover", short_help="Restore a bag that was not finished or is damaged.")
@click.argument("bag", type=click.Path(path_type=Path))
@click.option(
    "--out", type=click.Path(path_type=Path), help="Folder for the restored bag (default: beside the original)."
)
@click.option("--keep-damaged", is_flag=True, help="Keep messages from stretches whose checksum is wrong.")
def command(bag: Path, out: Path | None, keep_damaged: bool) -> None:
    """Restore what can be read of BAG (a run folder, a bag folder, a .mcap or .db3 file) into a new bag.

    The original is not touched. Says what was restored and what is lost.
    """
    try:
        click.echo(recover(bag, out, keep_damaged))
    except BagError as error:
        raise CannotRun(str(error)) from None
