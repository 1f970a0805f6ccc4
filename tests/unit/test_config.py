"""Configuration: every mistake is named with file, line, key and what was expected."""

from __future__ import annotations

from pathlib import Path
from typing import Literal

import pytest

from lander_common.mission import resolve
from lander_runtime.config import ConfigError, Document, Parameters, config_root, find, load, override, read


class Pump(Parameters):
    kind: Literal["fast", "slow"]
    power_w: float


class Plant(Parameters):
    mass_kg: float
    position_m: tuple[float, float, float]
    pumps: tuple[Pump, ...]


GOOD = """\
mass_kg: 1e3
position_m: [1, 2.5, 3]
pumps:
  - kind: fast
    power_w: 4
"""


def problems(tmp_path: Path, text: str) -> tuple[str, ...]:
    path = tmp_path / "plant.yaml"
    path.write_text(text)
    with pytest.raises(ConfigError) as caught:
        load(path, Plant)
    return caught.value.problems


def test_numbers_are_read_as_people_write_them(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(GOOD)
    plant = load(path, Plant)
    assert (plant.mass_kg, plant.position_m, plant.pumps[0].power_w) == (1000.0, (1.0, 2.5, 3.0), 4.0)


def test_a_misspelt_key_is_named_with_its_line_and_the_key_that_was_meant(tmp_path: Path) -> None:
    found = problems(tmp_path, GOOD.replace("power_w", "powr_w"))
    assert any("plant.yaml:5: pumps.0.powr_w: is not a known key (did you mean 'power_w'?)" in line for line in found)
    assert any("plant.yaml:4: pumps.0.power_w: is missing" in line for line in found)


@pytest.mark.parametrize(
    ("wrong", "expected"),
    [
        ("mass_kg: 1000 kg", "plant.yaml:1: mass_kg: Input should be a valid number, got '1000 kg'"),
        ("mass_kg: true", "plant.yaml:1: mass_kg"),
        ("mass_kg: .nan", "plant.yaml:1: mass_kg"),
        ("mass_kg: '1e3'", "plant.yaml:1: mass_kg"),
    ],
)
def test_what_is_not_a_finite_number_is_refused(tmp_path: Path, wrong: str, expected: str) -> None:
    (line,) = problems(tmp_path, GOOD.replace("mass_kg: 1e3", wrong))
    assert expected in line


def test_all_mistakes_are_reported_at_once(tmp_path: Path) -> None:
    text = GOOD.replace("1e3", "heavy").replace("[1, 2.5, 3]", "[1, 2]").replace("fast", "quick")
    found = "\n".join(problems(tmp_path, text))
    assert "mass_kg" in found
    assert "position_m" in found
    assert "'fast' or 'slow'" in found


def test_what_is_not_yaml_is_named_with_its_line(tmp_path: Path) -> None:
    (line,) = problems(tmp_path, "mass_kg: [1\nposition_m: {")
    assert "not valid YAML" in line
    assert "plant.yaml:" in line


def test_an_unknown_name_is_answered_with_the_nearest_and_with_all() -> None:
    with pytest.raises(ConfigError, match=r"did you mean 'resilience'\?.*there are: .*resilience"):
        find("vehicle", "resiliance")


def test_a_setting_replaces_one_value(tmp_path: Path) -> None:
    path = tmp_path / "plant.yaml"
    path.write_text(GOOD)
    document = read(path)
    override(document, "mass_kg", "12.5")
    assert document.parse(Plant).mass_kg == 12.5
    with pytest.raises(ConfigError, match="did you mean 'mass_kg'"):
        override(document, "mas_kg", "1")


def test_every_scenario_resolves_and_its_files_are_valid() -> None:
    for path in sorted((config_root() / "scenario").glob("*.yaml")):
        mission = resolve(path.stem, seed=1)
        assert mission.scenario.name == path.stem


def test_a_choice_replaces_a_part_of_the_scenario_and_a_wrong_one_is_refused() -> None:
    assert resolve("nominal", 1, {"start": "deorbit", "vehicle": ""}).start.kind == "deorbit"
    with pytest.raises(ConfigError, match="did you mean"):
        resolve("nominal", 1, {"start": "deorbits"})


def test_a_setting_of_the_mission_names_the_part_that_it_changes() -> None:
    assert resolve("nominal", 1, settings={"dispersions.position_m": "7"}).dispersions.position_m == 7.0
    with pytest.raises(ConfigError, match="begins with none of"):
        resolve("nominal", 1, settings={"dispersion.position_m": "7"})
    with pytest.raises(ConfigError, match="greater than or equal to 0"):
        resolve("nominal", 1, settings={"dispersions.position_m": "-7"})


def test_a_section_that_is_not_there_is_named() -> None:
    with pytest.raises(ConfigError, match="section 'b' is missing"):
        Document(Path("x.yaml"), {"a": 1}).section("b")
