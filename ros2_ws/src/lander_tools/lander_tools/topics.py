"""`./lander topics`: every topic with its type, rate, QoS, publisher and subscribers, from the architecture alone."""

from __future__ import annotations

from collections.abc import Iterable
from dataclasses import astuple, dataclass, fields, replace

import click
from rich.box import SIMPLE_HEAD
from rich.console import Console
from rich.table import Table

from lander_runtime.architecture import EVENT, EVERY_TICK, Architecture, Topic, architecture
from lander_runtime.messages import NANOSECONDS
from lander_tools.markdown import table

_PIPED_WIDTH = 220  # columns, where the output goes into a file or another program
# Topics of the runtime are published by the runtime inside the nodes, so no node declares them.
_RUNTIME_PUBLISHERS = {"tick": "conductor", "tick_done": "members", "node_events": "conductor, members"}
_RUNTIME_SUBSCRIBERS = {"tick": "members", "tick_done": "conductor", "node_events": "conductor, members"}
_ROLES = {"gating": "flight", "view": "standard messages", "run": "runtime"}


@dataclass(frozen=True)
class TopicRow:
    """A topic, for people."""

    topic: str
    type: str
    rate: str
    qos: str
    publisher: str
    subscribers: str
    about: str


def topic_rows(catalogue: Architecture, role: str) -> list[TopicRow]:
    """The topics of a role (gating, view, run) in the order of the architecture."""
    return [_row(catalogue, topic) for topic in catalogue.topics.values() if topic.role == role]


def rate_text(topic: Topic) -> str:
    """A rate as people say it: `every tick`, `event`, `10 Hz`."""
    if topic.period_ns == EVERY_TICK:
        return "every tick"
    if topic.period_ns == EVENT:
        return "event"
    hertz = NANOSECONDS / topic.period_ns
    return f"{hertz:g} Hz" if hertz >= 1.0 else f"every {topic.period_ns / NANOSECONDS:g} s"


def subscribers_of(catalogue: Architecture, topic: Topic, sinks: bool = True) -> list[str]:
    """Nodes that read a topic; without those that only listen, such as the recorder, if `sinks` is False."""
    return [
        node.name
        for node in catalogue.nodes.values()
        if (sinks or not node.is_sink) and any(port.topic.key == topic.key for port in node.inputs)
    ]


def qos_rows(catalogue: Architecture) -> list[tuple[str, str]]:
    """Name and meaning of every QoS profile that is used."""
    profiles = {topic.qos.name: topic.qos for topic in catalogue.topics.values()}
    return [
        (name, f"{qos.reliability.replace('_', ' ')}, {qos.durability.replace('_', ' ')}, keep last {qos.depth}")
        for name, qos in profiles.items()
    ]


def markdown(catalogue: Architecture) -> str:
    """The tables as Markdown, one for each role, and one of the QoS profiles."""
    parts = []
    for role, title in _ROLES.items():
        rows = [astuple(row) for row in topic_rows(catalogue, role)]
        parts.append(f"### {title.capitalize()}\n\n{table(_headings(), rows)}\n")
    parts.append(f"### QoS profiles\n\n{table(['qos', 'policies'], qos_rows(catalogue))}\n")
    return "\n".join(parts)


def dot(catalogue: Architecture) -> str:
    """Nodes and gating topics as a Graphviz graph; dashed: used at the tick after."""
    lines = [
        "digraph frigoris {",
        "  rankdir=LR;",
        '  node [fontname="sans-serif"];',
        '  edge [fontname="sans-serif"];',
    ]
    for package in dict.fromkeys(node.package for node in catalogue.nodes.values()):
        names = [node.name for node in catalogue.nodes.values() if node.package == package]
        lines.append(
            f'  subgraph "cluster_{package}" {{ label="{package}"; ' + " ".join(f"{name};" for name in names) + " }"
        )
    for node in catalogue.nodes.values():
        for port in () if node.is_sink else node.inputs:
            publisher = catalogue.publisher_of(port.topic)
            style = ", style=dashed" if port.delayed else ""
            lines.append(f'  {publisher} -> {node.name} [label="{port.topic.name}\\n{rate_text(port.topic)}"{style}];')
    return "\n".join([*lines, "}", ""])


def tables(catalogue: Architecture, width: int) -> Iterable[Table]:
    """The tables for a terminal; what a topic is about is left out where there is no room for it."""
    wide = width >= 160
    for role, title in _ROLES.items():
        table = Table(
            title=title.capitalize(), title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False
        )
        for heading in _headings()[: None if wide else -1]:
            table.add_column(heading, no_wrap=heading == "topic", style="cyan" if heading == "topic" else None)
        for row in topic_rows(catalogue, role):
            table.add_row(*(astuple(row) if wide else _narrow(row)))
        yield table
    profiles = _table("QoS profiles")
    for heading in ("qos", "policies"):
        profiles.add_column(heading)
    for qos in qos_rows(catalogue):
        profiles.add_row(*qos)
    yield profiles


@click.command(name="topics", short_help="Every topic: type, rate, QoS, publisher, subscribers.")
@click.option("--markdown", "form", flag_value="markdown", help="As Markdown tables, for documents.")
@click.option("--dot", "form", flag_value="dot", help="As a Graphviz graph of nodes and topics.")
@click.option("--svg", "form", flag_value="svg", help="As the picture of nodes and topics in the README.")
def command(form: str | None) -> None:
    """Print every topic of the architecture with its type, rate, QoS, publisher and subscribers."""
    catalogue = architecture()
    if form == "markdown":
        click.echo(markdown(catalogue), nl=False)
    elif form == "dot":
        click.echo(dot(catalogue), nl=False)
    elif form == "svg":
        from lander_tools.architecture_picture import svg

        click.echo(svg(catalogue), nl=False)
    else:
        console = Console()
        if not console.is_terminal:
            console = Console(width=_PIPED_WIDTH)
        for table in tables(catalogue, console.width):
            console.print(table)


def _row(catalogue: Architecture, topic: Topic) -> TopicRow:
    publisher = catalogue.publisher_of(topic) or _RUNTIME_PUBLISHERS[topic.of or topic.key]
    subscribers = [_RUNTIME_SUBSCRIBERS[topic.key]] if topic.key in _RUNTIME_SUBSCRIBERS else []
    subscribers += subscribers_of(catalogue, topic)
    return TopicRow(
        topic=topic.name,
        type=topic.type,
        rate=rate_text(topic),
        qos=topic.qos.name,
        publisher=publisher,
        subscribers=", ".join(subscribers) or "outside tools",
        about=topic.about,
    )


def _table(title: str) -> Table:
    return Table(title=title, title_justify="left", title_style="bold", box=SIMPLE_HEAD, pad_edge=False)


def _narrow(row: TopicRow) -> tuple[str, ...]:
    """A row for a narrow terminal: without the package of its type and without what it is about."""
    return astuple(replace(row, type=row.type.rpartition("/")[2]))[:-1]


def _headings() -> list[str]:
    return [field.name for field in fields(TopicRow)]
