"""Faults of a scenario: every mistake is named with file, line, key and what was expected; windows and streams are exact."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from fault_samples import with_faults

from lander_common.faults.base import Fault
from lander_common.faults.catalogue import catalogue, read_fault
from lander_common.faults.injection import Injection
from lander_common.mission import resolve
from lander_common.mission_map import map_path
from lander_runtime.config import ConfigError, config_root
from lander_runtime.rng import stream
from lander_terrain.parameters import TerrainParameters
from lander_tools.make_map import displacement, surveyed_terrain

GOOD = "{at_s: 60, subject: rangefinder, kind: dropout, duration_s: 30, probability: 1}"


def scenario(tmp_path: Path, *faults: str) -> Path:
    """The nominal scenario with faults; the first stands two lines after the word `faults`."""
    text = (config_root() / "scenario" / "nominal.yaml").read_text()
    path = tmp_path / "faulty.yaml"
    path.write_text(text.replace("faults: []", "faults:\n" + "".join(f"  - {fault}\n" for fault in faults)))
    return path


def problems(tmp_path: Path, *faults: str) -> tuple[str, ...]:
    with pytest.raises(ConfigError) as caught:
        resolve(str(scenario(tmp_path, *faults)), 1)
    return caught.value.problems


def test_a_mission_hands_out_the_faults_of_a_subject(tmp_path: Path) -> None:
    node = "{at_s: 10, subject: imu, kind: kill}"
    mission = resolve(str(scenario(tmp_path, node, GOOD)), 1)
    (dropout,) = mission.faults_of("rangefinder")
    assert dropout.fault.kind == "dropout"
    assert dropout.random.random() == stream(1, "fault/1/rangefinder/dropout").random()
    assert [injection.fault.kind for injection in mission.faults_of("imu")] == ["kill"]
    assert mission.faults_of("camera") == ()


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        (GOOD.replace("rangefinder", "rangefnder"), "faults.0.subject: unknown subject (did you mean 'rangefinder'?)"),
        (GOOD.replace("dropout", "drop_out"), "faults.0.kind: unknown kind (did you mean 'dropout'?): expected one of"),
        ("{at_s: 60, kind: dropout}", "faults.0: subject is missing: expected one of"),
        ("{at_s: 60, subject: rangefinder}", "faults.0: kind is missing: expected one of link_loss, dropout"),
        (GOOD.replace("duration_s", "duration"), "faults.0.duration: is not a known key (did you mean 'duration_s'?)"),
        (GOOD.replace(", probability: 1", ""), "faults.0.probability: is missing"),
        (
            GOOD.replace("probability: 1", "probability: 1.5"),
            "faults.0.probability: Input should be less than or equal to 1",
        ),
        (GOOD.replace("60", "-1"), "faults.0.at_s: Input should be greater than or equal to 0, got -1"),
        (GOOD.replace("60", "60 s"), "faults.0.at_s: Input should be a valid number, got '60 s'"),
        (GOOD.replace("at_s: 60, ", ""), "faults.0: Value error, needs either at_s or below_m"),
        (
            GOOD.replace("60", "1500"),
            "faults.0.at_s: is not before the end of the run: expected less than its time limit",
        ),
        ("{at_s: 1, subject: engine, kind: off, thruster: assist_7}", "faults.0.thruster: the vehicle has no assist_7"),
        ("dropout", "faults.0: should be a mapping"),
    ],
)
def test_a_mistake_is_named_with_its_place_and_what_was_expected(tmp_path: Path, wrong: str, expected: str) -> None:
    (line,) = problems(tmp_path, wrong)
    number = scenario(tmp_path, wrong).read_text().splitlines().index(f"  - {wrong}") + 1
    assert f"faulty.yaml:{number}: {expected}" in line


def test_mistakes_of_all_faults_are_told_at_once(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("dropout", "drop"), GOOD.replace("60", "-1"))
    assert len(found) == 2


def test_a_fault_acts_from_its_beginning_on_and_before_its_end() -> None:
    dropout = read_fault(
        {"at_s": 0.1, "subject": "rangefinder", "kind": "dropout", "duration_s": 0.2, "probability": 1}
    )
    injection = Injection(0, dropout, seed=1)
    ticks = range(0, 400_000_000, 20_000_000)
    assert [stamp for stamp in ticks if injection.active(stamp)] == list(range(100_000_000, 300_000_000, 20_000_000))


def test_a_fault_of_a_height_begins_there_once_and_goes_by_time_then() -> None:
    stuck = read_fault({"below_m": 50, "subject": "rangefinder", "kind": "stuck", "duration_s": 2})
    injection = Injection(0, stuck, seed=1)
    heights = [60.0, 50.0, 49.0, 55.0, 40.0]
    assert [injection.active(second * 1_000_000_000, h) for second, h in enumerate(heights)] == [
        False, False, True, True, False,
    ]  # fmt: skip


def kinds() -> list[type[Fault]]:
    return [model for models in catalogue().values() for model in models.values()]


UNITS = ("_s", "_m", "_db", "_px", "_kg", "_kg_s", "_deg_s", "_m_s2")
PURE_NUMBERS = ("factor", "probability")


def test_every_parameter_says_what_it_means_and_numbers_have_a_unit_in_their_names() -> None:
    for model in kinds():
        assert model.__doc__
        for name, field in model.model_fields.items():
            assert field.description or name in ("subject", "kind"), f"{model}: {name}"
            assert field.annotation is not float or name.endswith((*UNITS, *PURE_NUMBERS, "_fraction")), (
                f"{model}: {name}"
            )


def test_subjects_are_devices_nodes_and_topics_of_the_run() -> None:
    subjects = catalogue()
    assert {"rangefinder", "engine", "tank", "map", "navigation", "range"} <= set(subjects)
    assert {"dropout", "kill"} <= set(subjects["rangefinder"])
    assert set(subjects["range"]) == {"drop", "delay", "duplicate", "reorder", "corrupt", "freeze"}
    assert "physics" not in subjects
    assert "truth" not in subjects


def test_a_map_of_elsewhere_or_of_another_terrain_is_another_map() -> None:
    sound = resolve("nominal", 1)
    moved = {"subject": "map", "kind": "elsewhere", "east_m": 300.0, "north_m": -40.0}
    elsewhere = with_faults(sound, moved, moved | {"north_m": 1.0})
    assert displacement(elsewhere).tolist() == [600.0, -39.0]
    assert displacement(sound).tolist() == [0.0, 0.0]
    other = with_faults(sound, {"subject": "map", "kind": "other_terrain", "terrain": "crater_rim"})
    assert surveyed_terrain(other) == resolve("hakuto_m1_crater_rim", 1).part("terrain", TerrainParameters)
    assert surveyed_terrain(sound) == sound.part("terrain", TerrainParameters)
    assert len({map_path(mission) for mission in (sound, elsewhere, other)}) == 3


def test_every_kind_of_fault_stands_in_a_test() -> None:
    tests = "\n".join(path.read_text() for path in Path(__file__).parent.glob("test_*.py"))
    names = [kind.of_kind() for kind in kinds()]
    missing = [name for name in names if not re.search(rf'"{name}"|kind: {name}\b', tests)]
    assert not missing
