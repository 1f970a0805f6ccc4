"""Slant ranges against closed forms and against marching in small steps."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from hypothesis import assume, example, given
from hypothesis import strategies as st
from numba import njit
from numpy.typing import NDArray
from terrain_samples import SITE, flat, mare, only, parameters

from lander_terrain import Terrain, altitude_at
from lander_terrain.rays import ray_range

Array = NDArray[np.float64]


def _direction(incidence: float, azimuth: float) -> Array:
    return np.array([np.sin(incidence) * np.sin(azimuth), np.sin(incidence) * np.cos(azimuth), -np.cos(incidence)])


@given(st.floats(1.0, 3e4), st.floats(0.0, 1.4), st.floats(0.0, 6.28), st.floats(-3e5, 3e5))
@example(25110.0, 1.4, 0.0, 0.0)  # arrives 1.4 deg flat after 258 km
def test_range_to_a_smooth_sphere_is_that_of_the_quadratic(
    height: float, incidence: float, azimuth: float, east: float
) -> None:
    origin = flat().to_site(east, -1e5, height)
    centre = np.array([0.0, 0.0, -flat().data.radius])
    down = _direction(incidence, azimuth)
    up = (origin - centre) / np.linalg.norm(origin - centre)
    direction = down - (down @ up) * up  # about the local vertical
    direction = direction / max(np.linalg.norm(direction), 1e-12) * np.sin(incidence) - np.cos(incidence) * up
    direction /= np.linalg.norm(direction)
    along, clearance = (origin - centre) @ direction, np.linalg.norm(origin - centre) ** 2 - flat().data.radius ** 2
    if along**2 <= clearance:
        assert np.isnan(flat().ray_range(origin, direction, 1e6)[0])
        return
    slant = np.sqrt(along**2 - clearance) / flat().data.radius  # sine of the angle between ray and ground
    assume(slant > 0.006)  # a flatter ray would take more steps than are made
    expected = clearance / (-along + np.sqrt(along**2 - clearance))  # the nearer root, without cancellation
    distance, angle = flat().ray_range(origin, direction, 1e6)
    hit = origin + expected * direction - centre
    assert distance == pytest.approx(expected, abs=1e-3 + 2e-4 / slant)  # the search ends 0.2 mm from the ground
    assert angle == pytest.approx(np.arccos(min(-direction @ hit / np.linalg.norm(hit), 1.0)), abs=1e-4)


def test_range_straight_down_is_the_altitude() -> None:
    for seed in range(1, 5):
        distance, _ = mare(seed).ray_range((0.0, 0.0, 8000.0), (0.0, 0.0, -1.0), 1e4)
        assert distance == pytest.approx(8000.0, abs=1e-3)


@njit
def _march(data: Any, origin: Array, direction: Array, start: float, end: float, step: float) -> float:
    """First distance at which the ray is below the surface, looked for in small steps."""
    reach = start
    while reach < end:
        r = origin + reach * direction
        if altitude_at(data, r[0], r[1], r[2]) <= 0.0:
            return reach
        reach += step
    return np.nan


@pytest.mark.parametrize("incidence_deg", [0.0, 30.0, 60.0, 75.0])
def test_range_over_rough_ground_is_that_of_marching_in_small_steps(incidence_deg: float) -> None:
    random = np.random.default_rng(int(incidence_deg))
    step = 0.02
    for seed in (1, 2, 3):
        for _ in range(4):
            e, n = random.uniform(-5e3, 5e3, 2)
            origin = mare(seed).to_site(e, n, mare(seed).height(e, n) + 30.0)
            direction = _direction(np.radians(incidence_deg), random.uniform(0.0, 6.28))
            distance, _ = mare(seed).ray_range(origin, direction, 1e3)
            expected = _march(mare(seed).data, origin, direction, 0.0, 1e3, step)
            assert expected - step - 0.01 <= distance <= expected + 0.01


def test_the_point_found_is_on_the_surface_from_far_away() -> None:
    random = np.random.default_rng(2)
    for _ in range(200):
        origin = np.array([*random.uniform(-2e5, 2e5, 2), 0.0])
        origin[2] = random.uniform(500.0, 1.5e4) - np.sum(origin[:2] ** 2) / 2.0 / mare(1).data.radius
        direction = _direction(random.uniform(0.0, 1.2), random.uniform(0.0, 6.28))
        distance, incidence = mare(1).ray_range(origin, direction, 1e5)
        assert mare(1).altitude(origin + distance * direction) == pytest.approx(0.0, abs=1e-3)
        assert 0.0 <= incidence < np.pi / 2.0


def test_a_ray_up_or_too_short_or_from_below_meets_nothing() -> None:
    assert np.isnan(mare(1).ray_range((0.0, 0.0, 1000.0), (0.0, 0.0, 1.0), 1e5)[0])
    assert np.isnan(mare(1).ray_range((0.0, 0.0, 1000.0), (0.0, 0.0, -1.0), 900.0)[0])
    assert np.isnan(mare(1).ray_range((0.0, 0.0, -1000.0), (0.0, 0.0, -1.0), 1e5)[0])


def test_a_level_ray_over_the_horizon_meets_nothing_and_below_it_meets_a_wall() -> None:
    assert np.isnan(flat().ray_range((0.0, 0.0, 10.0), (0.0, 1.0, 0.0), 1e5)[0])
    step = {
        "kind": "scarp",
        "name": "s",
        "east_m": 0.0,
        "north_m": 2e4,
        "azimuth_deg": 180.0,
        "step_m": 1e3,
        "width_m": 1e3,
    }
    terrain = only(features=({**step, "length_m": 1e5},))
    angle, middle = 2e4 / terrain.data.radius, terrain.data.radius + 500.0  # half way up the wall, where it is steepest
    start = middle * np.cos(angle) - terrain.data.radius
    distance, incidence = terrain.ray_range((0.0, 0.0, start), (0.0, 1.0, 0.0), 1e5)
    assert distance == pytest.approx(middle * np.sin(angle), abs=1e-3)
    assert np.pi / 2.0 - incidence == pytest.approx(np.arctan(1.5) - angle, abs=5e-4)


def test_the_rim_of_the_crater_hides_the_floor_behind_it() -> None:
    terrain = Terrain.build(parameters("crater_rim"), SITE, 1)
    origin = terrain.to_site(0.0, -60e3, terrain.height(0.0, -60e3) + 1000.0)
    direction = np.array([0.0, 0.0, 0.0]) - origin
    direction /= np.linalg.norm(direction)
    distance, _ = terrain.ray_range(origin, direction, 1e5)
    north = terrain.to_map(origin + distance * direction)[1]
    assert -60e3 < north < -43e3


def test_numba_code_may_ask_for_ranges() -> None:
    distance, incidence = ray_range(flat().data, 0.0, 0.0, 100.0, 0.0, 0.0, -1.0, 1e3)
    assert distance == pytest.approx(100.0, abs=1e-3)
    assert incidence == pytest.approx(0.0, abs=1e-6)
