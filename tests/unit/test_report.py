"""The report of a run: arrays, key figures, plots, and a page that opens offline."""

from __future__ import annotations

import re
import shutil
from html.parser import HTMLParser

import numpy as np
import pytest
from click.testing import CliRunner
from hypothesis import given
from hypothesis import strategies as st
from scipy.spatial.transform import Rotation
from synthetic_run import SITE, TARGETS_SITE, Maker, record_run

from lander_common.mission import resolve
from lander_runtime.architecture import architecture
from lander_terrain.geometry import site_to_map
from lander_tools import verdict
from lander_tools.bag import Bag, BagError
from lander_tools.recorder import Recorder
from lander_tools.recover import recover
from lander_tools.report import command, make_report
from lander_tools.report.control_plots import lean_deg
from lander_tools.report.flight_data import PHASE_NAMES, read_flight, to_map
from lander_tools.report.ground_plots import shaded, terrain_of
from lander_tools.report.key_figures import navigation_table, phase_table, tiles
from lander_tools.report.navigation_plots import rotation_error
from lander_tools.report.plots import PLOTS
from lander_tools.report.style import means, peaks, themed, thin
from lander_tools.report.timeline_plots import failing_checks, spans_of
from lander_tools.run_folder import RunFolder

FLIGHT_S = 12.0
ABOUT = {"scenario": "nominal", "logic": "frigoris", "seed": 1, "transport": "in-process", "version": "0.1.0"}


@pytest.fixture(scope="module")
def run(tmp_path_factory):
    """A run folder with everything in it, and its report."""
    folder = RunFolder(tmp_path_factory.mktemp("runs") / "run <1>")
    record_run(folder.bag, FLIGHT_S, lost={"payload_manager": 300})
    folder.write_config(resolve("nominal", 1).resolved())
    lost = verdict.NodeLost(node="payload_manager", tick=300, time_s=6.0, cause="killed <by> test")
    judged = verdict.failed_to_run("a <b>reason</b> & more", **ABOUT)
    verdict.write(judged.model_copy(update={"outcome": "lost", "nodes_lost": (lost,)}), folder.verdict)
    make_report(folder.path)
    return folder


@pytest.fixture(scope="module")
def flight(run):
    with Bag(run.path) as bag:
        return read_flight(bag)


class Page(HTMLParser):
    """Collects what a page refers to, and its texts."""

    def __init__(self, text):
        super().__init__()
        self.references, self.ids, self.tags, self.texts = [], [], set(), []
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.add(tag)
        for name, value in attrs:
            if name in ("src", "href", "xlink:href", "srcset", "action", "data"):
                self.references.append(value)
            if name == "id":
                self.ids.append(value)

    def handle_data(self, data):
        self.texts.append(data)


@pytest.fixture(scope="module")
def page(run):
    return Page(run.report.read_text())


def test_the_page_needs_nothing_but_itself(run, page):
    assert all(reference.startswith(("#", "data:image/png;base64,")) for reference in page.references)
    assert not page.tags & {"script", "link", "iframe", "img", "object", "embed"}
    text = re.sub(r'xmlns(:xlink)?="[^"]*"', "", run.report.read_text())
    assert not re.search(r"(https?:)?//[a-z]+\.|@import|url\((?!#)", text)


def test_every_plot_is_on_the_page_and_beside_it(run, page):
    for plot in PLOTS:
        assert plot.name in page.ids
        assert f"#{plot.name}" in page.references
        assert (run.plots / f"{plot.name}.png").read_bytes().startswith(b"\x89PNG")


def test_inner_links_lead_somewhere_and_ids_are_unique(page):
    assert len(page.ids) == len(set(page.ids))
    assert {reference[1:] for reference in page.references if reference.startswith("#")} <= set(page.ids)


def test_texts_from_the_run_are_shown_as_they_are(page):
    text = "".join(page.texts)
    assert "a <b>reason</b> & more" in text
    assert "Lost payload_manager at 6.00 s: killed <by> test." in text
    assert "Resilience lands in Mare Frigoris, seed 1" in text
    assert "# one fixed-thrust apogee engine" not in text  # the configuration, without the comments of its files
    assert "thrust_n: 420.0" in text
    assert "main engine: ignition" in text
    assert "ros2 bag play 'run <1>/bag' --clock" in text


def test_the_page_follows_the_readers_theme(run):
    text = run.report.read_text()
    assert "prefers-color-scheme: dark" in text
    assert 'name="viewport"' in text
    assert "fill: var(--ink)" in text
    assert "#1c2430" not in text.replace("--ink: #1c2430", "")


def test_a_report_can_be_drawn_from_the_bag_alone(tmp_path, run):
    shutil.copytree(run.bag, tmp_path / "bag")
    page = Page(make_report(tmp_path).read_text())
    text = "".join(page.texts)
    assert "Success" in text
    assert "at rest, upright" in text
    assert "The run folder has no resolved.yaml." in text
    assert "ground_track" in page.ids  # without relief


def test_a_restored_bag_without_an_end_has_a_report_without_a_verdict(tmp_path):
    recorder = Recorder(tmp_path / "bag", {}, pytest.fail)
    for stamp_ns, key, data in Maker(FLIGHT_S).messages():
        if stamp_ns < 5_000_000_000:
            recorder.observe(stamp_ns, key, data)
    recorder.flush()
    recover(tmp_path)
    text = "".join(Page(make_report(tmp_path).read_text()).texts)
    assert "No verdict" in text
    assert "The record ends at 4.98 s, before the run was judged." in text
    recorder.close()


def test_a_bag_with_nothing_but_the_truth_has_a_short_report(tmp_path):
    others = tuple(key for key in architecture().topics if key != "truth")
    record_run(tmp_path / "bag", 3.0, skip=others)
    page = Page(make_report(tmp_path).read_text())
    assert {"descent", "profile", "terminal"} <= set(page.ids)
    assert not {"ranges", "position_error", "health"} & set(page.ids)


@pytest.mark.parametrize(
    ("make", "says"),
    [
        (lambda folder: None, "not a run folder"),
        (lambda folder: record_run(folder / "bag", 1.0, skip=("truth",)), "has no /sim/truth"),
        (lambda folder: (folder / "bag").mkdir(), "is not a bag"),
        (lambda folder: (record_run(folder / "bag", 1.0), (folder / "verdict.json").write_text("{")), "not a verdict"),
    ],
)
def test_what_has_no_report_is_refused_in_one_line(tmp_path, make, says):
    make(tmp_path)
    result = CliRunner().invoke(command, [str(tmp_path)])
    assert result.exit_code == 2
    assert says in result.output
    assert len(result.output.strip().splitlines()) == 1


def test_phases_follow_each_other_without_a_gap(flight):
    assert [phase.name for phase in flight.phases] == ["coast", "braking", "pitch-up", "terminal", "touchdown"]
    for one, next_one in zip(flight.phases, flight.phases[1:], strict=False):
        assert one.end_s == next_one.begin_s
    assert flight.phases[-1].end_s == flight.end_s == FLIGHT_S
    assert len(phase_table(flight).rows) == 5
    assert len(set(PHASE_NAMES.values())) == 7


def test_map_coordinates_are_those_of_the_terrain(flight):
    assert flight.radius_m == pytest.approx(SITE.radius_m, abs=1e-3)
    e, n, h = flight.place
    for row in (0, 200, len(e) - 1):
        expected = site_to_map(SITE.radius_m, *flight.truth["r_lander_site"][row])
        assert (e[row], n[row], h[row]) == pytest.approx(expected, abs=1e-2)


@given(
    st.tuples(*[st.floats(-9e5, 9e5)] * 2, st.floats(-2e5, 2e5)),
)
def test_map_coordinates_agree_with_the_terrains_anywhere(place):
    e, n, h = to_map(np.array([place]), SITE.radius_m)
    assert (e[0], n[0], h[0]) == pytest.approx(site_to_map(SITE.radius_m, *place), rel=1e-9, abs=1e-6)


@given(st.lists(st.floats(-1, 1), min_size=4, max_size=4), st.lists(st.floats(-1.5, 1.5), min_size=3, max_size=3))
def test_a_rotation_error_is_what_scipy_says(q, vector):
    if np.linalg.norm(q) < 0.1:
        return
    true = Rotation.from_quat(q)
    estimated = true * Rotation.from_rotvec(vector)
    # Either sign of a quaternion is the same attitude.
    for sign in (1.0, -1.0):
        found = rotation_error(sign * estimated.as_quat()[None], true.as_quat()[None])
        assert found[0] == pytest.approx(Rotation.from_rotvec(vector).as_rotvec(), abs=1e-9)


def test_the_lean_of_the_thrust_axis_is_what_scipy_says():
    random = np.random.default_rng(3)
    turns = Rotation.random(20, rng=random)
    places = random.normal(size=(20, 3))
    axis = turns.apply([0.0, 0.0, 1.0])
    cosine = np.sum(axis * places, axis=1) / np.linalg.norm(places, axis=1)
    assert lean_deg(turns.as_quat(), places) == pytest.approx(np.degrees(np.arccos(cosine)))


def test_speeds_are_those_of_the_local_horizon(flight):
    across, down = flight.speeds
    v = flight.truth["v_lander_site"]
    assert np.hypot(across, down) == pytest.approx(np.linalg.norm(v, axis=1))
    assert down[-1] == pytest.approx(-v[-1, 2], abs=1e-6)
    height = flight.place[2]
    climb = np.gradient(height, 0.02)
    assert -down[100:-100] == pytest.approx(climb[100:-100], rel=0.02, abs=5.0)


def test_the_navigation_table_holds_the_errors_at_first_contact(flight):
    rows = {name: (error, sigma) for name, error, sigma in navigation_table(flight).rows}
    row = int(np.flatnonzero(flight.truth["contact"])[0])
    error = flight.state["r_lander_site"][row, 1] - flight.truth["r_lander_site"][row, 1]
    sigma = 3.0 * flight.state["r_sigma_site_m"][row, 1]
    assert rows["position north, m"] == (f"{error:+.2f}", f"{sigma:.2f}")


def test_tiles_are_graded_by_the_limits_of_the_configuration():
    limits = resolve("nominal", 1).resolved()
    result = {
        "vertical_speed_m_s": 1.0,
        "horizontal_speed_m_s": 0.7,
        "tilt_deg": 12.0,
        "slope_deg": 1.0,
        "rate_deg_s": 0.0,
        "miss_m": 3.0,
        "propellant_left_kg": 40.0,
    }
    assert [tile.grade for tile in tiles(result, limits)] == ["good", "fair", "bad", "good", "", ""]
    assert [tile.grade for tile in tiles(result, {})] == [""] * 6


def test_failing_checks_are_named_with_their_times(flight):
    failing = failing_checks(flight)
    assert set(failing) == {"range age", "range agreement", "attitude error"}
    ((begin, end),) = [span for spans in failing["range agreement"].values() for span in spans]
    assert (begin, end) == (pytest.approx(0.5 * FLIGHT_S, abs=0.11), pytest.approx(0.52 * FLIGHT_S, abs=0.11))


def test_stretches_are_found_and_short_gaps_bridged():
    time = np.arange(10.0)
    active = np.array([0, 1, 1, 0, 1, 0, 0, 0, 1, 1], dtype=bool)
    assert spans_of(time, active) == [(1.0, 3.0), (4.0, 5.0), (8.0, 9.0)]
    assert spans_of(time, active, 2.0) == [(1.0, 5.0), (8.0, 9.0)]
    assert spans_of(time, np.zeros(10, dtype=bool)) == []
    assert spans_of(np.empty(0), np.empty(0, dtype=bool)) == []


@given(st.integers(0, 5000), st.integers(10, 700))
def test_thinned_arrays_keep_their_order_and_about_the_number_asked_for(count, points):
    (kept,) = thin(np.arange(count), points=points)
    assert list(kept) == sorted(kept)
    assert len(kept) <= 2 * points
    assert count == 0 or kept[0] == 0


def test_peaks_and_means_are_those_of_each_stretch():
    time, values = np.arange(12.0), np.array([1, 5, 2, np.nan, np.nan, np.nan, 3, 1, 2, 0, 0, 9.0])
    assert peaks(time, values, 4)[1] == pytest.approx([5, np.nan, 3, 9], nan_ok=True)
    assert means(time, np.arange(12.0), 4)[1] == pytest.approx([1, 4, 7, 10])


def test_level_ground_is_lit_evenly_and_slopes_to_the_sun_are_brighter():
    assert shaded(np.zeros((5, 6)), 10.0, 10.0) == pytest.approx(0.5)
    rising_to_the_west = np.tile(-np.arange(6.0), (5, 1))  # faces the Sun in the east-south-east
    assert shaded(rising_to_the_west, 10.0, 10.0)[2, 2] > 0.55
    assert shaded(-rising_to_the_west, 10.0, 10.0)[2, 2] < 0.45


@pytest.mark.parametrize("config", [{}, {"site": {}, "terrain": {}}, {"site": {"latitude_deg": "?"}, "seed": 1}])
def test_without_a_usable_configuration_there_is_no_relief(config):
    assert terrain_of(config) is None


def test_a_themed_svg_has_names_of_its_own():
    body = '<g clip-path="url(#b)"><use xlink:href="#c" fill="#5b6675"/></g>'
    svg = f'<?xml?><svg width="10pt" height="20pt" id="a">{body}</svg>'
    assert themed(svg, "plot") == (
        '<svg id="plot-a"><g clip-path="url(#plot-b)"><use xlink:href="#plot-c" fill="var(--muted)"/></g></svg>'
    )


def test_reading_a_damaged_bag_says_so(tmp_path, run):
    shutil.copytree(run.bag, tmp_path / "bag")
    data = bytearray((tmp_path / "bag" / "bag.mcap").read_bytes())
    data[len(data) // 2] ^= 1
    (tmp_path / "bag" / "bag.mcap").write_bytes(data)
    with pytest.raises(BagError, match="lander recover"):
        make_report(tmp_path)


def test_the_targets_of_guidance_are_listed_in_their_order(flight):
    """Tens of metres from the site's origin the sphere is flat to far below a millimetre."""
    before, terminal = np.array(TARGETS_SITE)[:, :2]
    np.testing.assert_allclose(flight.targets, [before, terminal, before], atol=1e-4)
