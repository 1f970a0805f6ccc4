"""`./lander faults`: list every fault that a scenario may have, from the models that read them."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import click

from lander_common.faults.base import Fault
from lander_common.faults.catalogue import DEVICE_KINDS, catalogue
from lander_common.faults.process import NODE_KINDS, TOPIC_KINDS

_BOUNDS = {"ge": "at least", "gt": "more than", "le": "at most", "lt": "less than"}


@click.command()
@click.argument("subject", default="")
def command(subject: str) -> None:
    """List the faults that can happen to SUBJECT, or to anything: an entry for a scenario file, and what it means."""
    if subject and subject not in catalogue():
        raise click.UsageError(f"nothing happens to {subject!r}; there are: {', '.join(catalogue())}")
    for line in lines(subject):
        click.echo(line)


def lines(subject: str = "") -> Iterator[str]:
    """The list as text. All nodes have the same faults, and so have all topics: they are listed once."""
    if subject:
        for model in catalogue()[subject].values():
            yield from _entry(subject, model)
        return
    for model in DEVICE_KINDS:
        yield from _entry(model.of_subject(), model)
    for model in NODE_KINDS:
        yield from _entry("NODE", model)
    for model in TOPIC_KINDS:
        yield from _entry("TOPIC", model)
    yield f"NODE and TOPIC: any of {', '.join(catalogue())} that is a node or a topic (./lander topics)."


def _entry(subject: str, model: type[Fault]) -> Iterator[str]:
    yield f"{{subject: {subject}, kind: {model.of_kind()}}}  {model.__doc__}"
    for name, field in model.model_fields.items():
        if name not in ("subject", "kind"):
            need = "" if field.is_required() else "optional: "
            yield f"    {name:20} {need}{field.description}{_bounds(field.metadata)}"


def _bounds(metadata: list[Any]) -> str:
    found = [f"{word} {getattr(one, key):g}" for one in metadata for key, word in _BOUNDS.items() if hasattr(one, key)]
    return f" ({', '.join(found)})" if found else ""
