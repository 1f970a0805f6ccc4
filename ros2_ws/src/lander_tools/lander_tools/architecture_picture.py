"""The picture of nodes and topics in the README, drawn from the architecture: `./lander topics --svg`.

Nodes stand in the order of the data flow within a tick. Each topic is a line from its publisher to everybody who reads
it; what leads back to the left opens the loop, because it is used at the tick after.
"""

from __future__ import annotations

from dataclasses import dataclass
from html import escape

from lander_runtime.architecture import Architecture, Node, Topic
from lander_tools.topics import rate_text, subscribers_of

_COLUMN, _LANE, _MARGIN = 142, 40, 16  # px
_HEAD_TOP, _HEAD_HEIGHT, _FIRST_LANE = 44, 44, 132
_BOX = 126
_VIEW_LINE, _NAME_LINE = 15, 17
_PACKAGES = {
    "lander_world": "world",
    "lander_sensors": "sensors",
    "lander_flight": "flight software",
    "lander_tools": "tools",
}
_STYLE = """
  .ground { fill: #ffffff } .band { fill: #f3f4f6 } .life { stroke: #d5d9e0; stroke-width: 1.5 }
  text { font-family: system-ui, -apple-system, "Segoe UI", Roboto, "DejaVu Sans", sans-serif; fill: #1c2430 }
  .package { font-size: 13px; fill: #5b6675 } .node { font-size: 15px; font-weight: 600; fill: #ffffff }
  .topic { font-size: 13px; font-weight: 600; stroke: #f3f4f6; stroke-width: 4; paint-order: stroke }
  .rate, .note, .view { font-size: 12px; font-weight: 400; fill: #5b6675 }
  .lander_world { --c: #a85b12 } .lander_sensors { --c: #0f766e }
  .lander_flight { --c: #3450a8 } .lander_tools { --c: #5b6675 }
  .head { fill: var(--c) } .line { stroke: var(--c); stroke-width: 2; fill: none } .mark { fill: var(--c) }
  .delayed { stroke-dasharray: 7 5 }
  @media (prefers-color-scheme: dark) {
    .ground { fill: #0f141b } .band { fill: #171e28 } .life { stroke: #303a48 } text { fill: #e6eaf0 }
    .package, .rate, .note, .view { fill: #9aa7b8 } .node { fill: #0f141b } .topic { stroke: #171e28 }
    .lander_world { --c: #e5a45c } .lander_sensors { --c: #4fc7ba }
    .lander_flight { --c: #8fa8f5 } .lander_tools { --c: #9aa7b8 }
  }
"""


@dataclass(frozen=True)
class _Lane:
    """A topic and whom it connects, by their columns."""

    topic: Topic
    package: str
    source: int
    targets: tuple[int, ...]
    delayed: tuple[int, ...]  # targets that use the message at the tick after

    @property
    def back(self) -> bool:
        """Whether the line leads to the left."""
        return all(target < self.source for target in self.targets)


def svg(catalogue: Architecture) -> str:
    """The picture as a standalone SVG that follows the reader's light or dark theme."""
    workers = [node.name for node in catalogue.nodes.values() if not node.is_sink]
    sinks = [node.name for node in catalogue.nodes.values() if node.is_sink]
    names = [*catalogue.order(workers), *sinks]
    lanes = [_lane(catalogue, topic, names) for topic in catalogue.topics.values() if topic.role == "gating"]
    lanes.sort(key=lambda lane: (any(lane.delayed), lane.source))
    nodes = [catalogue.nodes[name] for name in names]
    views = {node.name: _views(catalogue, node) for node in nodes}
    foot = _FIRST_LANE + _LANE * len(lanes)
    height = foot + 46 + _VIEW_LINE * max(len(lines) for lines in views.values()) + _MARGIN
    width = 2 * _MARGIN + _COLUMN * len(names)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}">',
        "<title>Nodes and topics of Frigoris</title>",
        f"<style>{_STYLE}</style>",
        f'<rect class="ground" width="{width}" height="{height}"/>',
        *_bands(nodes, foot),
        *(f'<line class="life" x1="{_x(i)}" y1="{_HEAD_TOP}" x2="{_x(i)}" y2="{foot}"/>' for i in range(len(nodes))),
        *(_head(i, node) for i, node in enumerate(nodes)),
        *(part for row, lane in enumerate(lanes) for part in _line(lane, _FIRST_LANE + _LANE * row)),
        *_view_notes(nodes, views, foot),
        "</svg>\n",
    ]
    return "\n".join(parts)


def _lane(catalogue: Architecture, topic: Topic, names: list[str]) -> _Lane:
    publisher = catalogue.publisher_of(topic)
    assert publisher is not None, "a gating topic has a publisher"
    readers = subscribers_of(catalogue, topic, sinks=False) or subscribers_of(catalogue, topic)
    delayed = [
        name
        for name in readers
        if any(port.delayed for port in catalogue.nodes[name].inputs if port.topic.key == topic.key)
    ]
    return _Lane(
        topic,
        catalogue.nodes[publisher].package,
        names.index(publisher),
        tuple(sorted(names.index(name) for name in readers)),
        tuple(names.index(name) for name in delayed),
    )


def _x(column: int) -> int:
    return _MARGIN + _COLUMN * column + _COLUMN // 2


def _bands(nodes: list[Node], foot: int) -> list[str]:
    """A band behind the nodes of each package."""
    parts = []
    for package in dict.fromkeys(node.package for node in nodes):
        columns = [i for i, node in enumerate(nodes) if node.package == package]
        left, right = _x(columns[0]) - _COLUMN // 2 + 4, _x(columns[-1]) + _COLUMN // 2 - 4
        parts.append(
            f'<rect class="band" x="{left}" y="{_MARGIN - 4}" width="{right - left}" '
            f'height="{foot - _MARGIN + 4}" rx="10"/>'
            f'<text class="package" x="{left + 12}" y="{_MARGIN + 15}">{_PACKAGES.get(package, package)}</text>'
        )
    return parts


def _head(column: int, node: Node) -> str:
    lines = node.name.split("_")
    lines[-1] += " *" if node.is_sink else ""
    first = _HEAD_TOP + _HEAD_HEIGHT // 2 + 5 - (len(lines) - 1) * _NAME_LINE // 2
    name = "".join(
        f'<text class="node" x="{_x(column)}" y="{first + _NAME_LINE * row}" text-anchor="middle">{escape(line)}</text>'
        for row, line in enumerate(lines)
    )
    return (
        f'<g class="{node.package}"><rect class="head" x="{_x(column) - _BOX // 2}" y="{_HEAD_TOP}" width="{_BOX}" '
        f'height="{_HEAD_HEIGHT}" rx="8"/>{name}</g>'
    )


def _line(lane: _Lane, y: int) -> list[str]:
    """Dot at the publisher, line, and an arrow head at every reader; the name of the topic above the line."""
    far_left, far_right = min(*lane.targets, lane.source), max(*lane.targets, lane.source)
    label_x, anchor = (_x(lane.source) - 12, "end") if lane.back else (_x(lane.source) + 12, "start")
    style = "line delayed" if lane.back and lane.delayed else "line"
    parts = [f'<g class="{lane.package}">']
    if lane.back or not lane.delayed:
        parts.append(f'<line class="{style}" x1="{_x(far_left)}" y1="{y}" x2="{_x(far_right)}" y2="{y}"/>')
    else:  # readers on both sides: the way back is dashed
        parts.append(f'<line class="line delayed" x1="{_x(far_left)}" y1="{y}" x2="{_x(lane.source)}" y2="{y}"/>')
        parts.append(f'<line class="line" x1="{_x(lane.source)}" y1="{y}" x2="{_x(far_right)}" y2="{y}"/>')
    parts.append(f'<circle class="mark" cx="{_x(lane.source)}" cy="{y}" r="4.5"/>')
    parts.extend(_arrow(target, lane.source, y) for target in lane.targets)
    parts.append(
        f'<text class="topic" x="{label_x}" y="{y - 7}" text-anchor="{anchor}">{escape(lane.topic.name)}'
        f'<tspan class="rate" dx="7">{rate_text(lane.topic)}</tspan></text></g>'
    )
    return parts


def _arrow(target: int, source: int, y: int) -> str:
    tip, back = (_x(target), _x(target) - 10) if target > source else (_x(target), _x(target) + 10)
    return f'<path class="mark" d="M{tip} {y} L{back} {y - 5} L{back} {y + 5} Z"/>'


def _views(catalogue: Architecture, node: Node) -> list[str]:
    """Standard messages that a node publishes besides its own; the node that closes the loop conducts the run."""
    keys = {topic.key for topic in node.outputs} | ({"tick"} if any(port.delayed for port in node.inputs) else set())
    return [topic.name for topic in catalogue.topics.values() if topic.role == "view" and topic.of in keys]


def _view_notes(nodes: list[Node], views: dict[str, list[str]], foot: int) -> list[str]:
    top = foot + 20
    note = "Standard messages for rqt, Foxglove and other tools, by publisher; dashed: used at the tick after; "
    parts = [f'<text class="note" x="{_MARGIN + 8}" y="{top}">{note}* hears every topic</text>']
    for column, node in enumerate(nodes):
        for row, name in enumerate(views[node.name]):
            y = top + 22 + _VIEW_LINE * row
            parts.append(f'<text class="view" x="{_x(column)}" y="{y}" text-anchor="middle">{escape(name)}</text>')
    return parts
