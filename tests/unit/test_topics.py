"""The table and the pictures of nodes and topics say what the architecture says."""

from __future__ import annotations

import os
import shutil
import subprocess
from dataclasses import replace
from pathlib import Path
from xml.etree import ElementTree

import pytest
from click.testing import CliRunner

from lander_runtime.architecture import EVENT, EVERY_TICK, architecture
from lander_tools.architecture_picture import svg
from lander_tools.topics import command, dot, markdown, rate_text, topic_rows

CATALOGUE = architecture()
TOPICS = list(CATALOGUE.topics.values())


def test_every_topic_is_in_the_table_with_its_publisher_and_readers():
    rows = {row.topic: row for role in ("gating", "view", "run") for row in topic_rows(CATALOGUE, role)}
    assert rows.keys() == {topic.name for topic in TOPICS}
    assert rows["/navigation/state"].publisher == "navigation"
    assert (
        rows["/navigation/state"].subscribers == "trn, hazards, guidance, throttle, health, payload_manager, recorder"
    )
    assert rows["/clock"].publisher == "conductor"
    assert rows["/tf"].publisher == "navigation"
    assert rows["/sim/events"].qos == "latched"


@pytest.mark.parametrize(
    ("period_ns", "text"),
    [
        (EVERY_TICK, "every tick"),
        (EVENT, "event"),
        (100_000_000, "10 Hz"),
        (500_000_000, "2 Hz"),
        (10**10, "every 10 s"),
    ],
)
def test_rates_read_as_people_say_them(period_ns, text):
    assert rate_text(replace(TOPICS[0], period_ns=period_ns)) == text


@pytest.mark.parametrize("width", [80, 120, 220])
def test_the_command_prints_every_topic_at_any_width(width):
    result = CliRunner().invoke(command, env={**os.environ, "COLUMNS": str(width)})
    assert result.exit_code == 0
    for topic in TOPICS:
        assert topic.name in result.output


def test_markdown_has_one_row_for_each_topic_and_profile():
    lines = [line for line in markdown(CATALOGUE).splitlines() if line.startswith("| ")]
    profiles = {topic.qos.name for topic in TOPICS}
    assert len(lines) == len(TOPICS) + len(profiles) + 4 * 2  # four tables, each with a head and a rule
    assert len({line.count("|") for line in lines[: len(TOPICS)]}) == 1


def test_the_graph_has_an_edge_for_each_input_and_graphviz_takes_it():
    graph = dot(CATALOGUE)
    inputs = sum(len(node.inputs) for node in CATALOGUE.nodes.values() if not node.is_sink)
    assert graph.count(" -> ") == inputs
    if shutil.which("dot"):
        subprocess.run(["dot", "-Tsvg"], input=graph.encode(), check=True, capture_output=True)


def test_the_picture_names_every_node_and_topic():
    picture = ElementTree.fromstring(svg(CATALOGUE))
    texts = {"".join(element.itertext()) for element in picture.iter("{http://www.w3.org/2000/svg}text")}
    for topic in TOPICS:
        if topic.role == "gating":
            assert f"{topic.name}{rate_text(topic)}" in texts
        elif topic.role == "view":
            assert topic.name in texts
    for name in CATALOGUE.nodes:
        assert any(text.startswith(name.split("_")[0]) for text in texts)


def test_the_picture_in_docs_is_that_of_this_architecture():
    kept = Path(__file__).parents[2] / "docs" / "images" / "architecture.svg"
    assert kept.read_text() == svg(CATALOGUE), "run ./lander topics --svg > docs/images/architecture.svg"


@pytest.mark.parametrize("form", ["--markdown", "--dot", "--svg"])
def test_the_command_prints_each_form(form):
    result = CliRunner().invoke(command, [form])
    assert result.exit_code == 0
    assert "/navigation/state" in result.output
