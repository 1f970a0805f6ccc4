"""The range against the map: measurement row, plane fit and geometry, against finite differences, closed forms and other code."""

from __future__ import annotations

from math import pi

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.frames import SiteFrame
from lander_common.onboard_map import MapGrid, OnboardMap, level_grid
from lander_common.quaternion import conjugate, from_axes, multiply
from lander_flight import error_state as es
from lander_flight import range_update as ru
from lander_flight import strapdown as sd
from lander_flight.geometry import local_axes, map_place, site_axes
from lander_flight.navigation_parameters import Beam, Mount
from lander_flight.range_processor import mount_table
from lander_terrain.geometry import site_to_map

Array = np.ndarray
SITE = SiteFrame(60.5, -4.6, -2600.0)
MOUNT = Mount(
    position_m=(-0.9, 0.1, 0.4), beams=(Beam(direction=(-0.8, 0.2, -0.566)), Beam(direction=(0.0, 0.0, -1.0)))
)
COM = np.array([0.01, -0.02, 0.9])
TIME_S = 600.0
LEVEL = OnboardMap.from_grids([level_grid(0.0, 1000.0, 0.0)])


def nav_over(
    e: float, n: float, height_m: float, thrust_axis_site: tuple[float, float, float] = (0.3, -0.7, 0.65)
) -> Array:
    """A state above map coordinates near the target, with estimated errors of all kinds."""
    z = np.array(thrust_axis_site) / np.linalg.norm(thrust_axis_site)
    y = np.cross(z, (-0.2, 1.0, 0.5))
    y /= np.linalg.norm(y)
    x = np.cross(y, z)
    q_site_body = from_axes(tuple(x.tolist()), tuple(y.tolist()), tuple(z.tolist()))
    r, v = SITE.to_mci(np.array([e, n, height_m]), np.array([20.0, -30.0, -40.0]), TIME_S)
    nav = np.zeros(sd.NAV_SIZE)
    nav[:3], nav[3:6] = r, v
    nav[sd.Q : sd.Q + 4] = multiply(SITE.q_mci_site(TIME_S), q_site_body)
    nav[sd.RANGE_BIAS] = 0.7
    nav[sd.MAP_HEIGHT : sd.BORESIGHT] = (1.3, -0.4)
    nav[sd.BORESIGHT : sd.REGISTRATION] = (1e-3, -2e-3, 5e-4, 3e-4)
    nav[sd.REGISTRATION : sd.RELIEF] = (12.0, -7.0)
    nav[sd.RELIEF : sd.SCENE] = (0.3, -0.2)
    return nav


def slope_map(east: float, north: float) -> OnboardMap:
    """A plane, on a grid that covers some kilometres."""
    e = np.arange(-8000.0, 8001.0, 50.0)
    heights = east * e[None, :] + north * e[:, None]
    grid = MapGrid(heights.astype(np.float32), 50.0, -8000.0, -8000.0, 1.0, 500.0, 10.0)
    return OnboardMap.from_grids([grid, level_grid(60.0, 5000.0, 10.0)])


def measured(
    nav: Array, onboard_map: OnboardMap, beam: int, range_m: float, sigma_m: float = 40.0
) -> tuple[Array, Array]:
    P = np.diag(np.concatenate([np.full(3, sigma_m**2), np.full(es.SIZE - 3, 1e-12)]))
    placed = (COM, SITE.R_mcmf_site, TIME_S, SITE.radius_m, onboard_map.table, onboard_map.values, 1.0)
    row, found = ru.measure(nav, P, mount_table(MOUNT)[beam], beam, *placed, range_m)
    return row, found


@pytest.mark.parametrize("beam", [0, 1])
def test_the_measurement_row_agrees_with_finite_differences(beam: int) -> None:
    onboard_map, nav, range_m = slope_map(0.05, -0.12), nav_over(300.0, -900.0, 1500.0), 1700.0
    row, _ = measured(nav, onboard_map, beam, range_m)
    steps = np.concatenate(
        [
            np.full(3, 5.0),
            np.full(3, 1.0),
            np.full(3, 1e-3),
            np.full(6, 1.0),
            [1.0],
            np.full(3, 1.0),
            np.full(2, 1.0),
            np.full(4, 1e-3),
            np.full(2, 5.0),
            np.full(2, 1.0),
        ]
    )
    for state, step in enumerate(steps):
        clearances = []
        for sign in (1.0, -1.0):
            error, shifted = np.zeros(es.SIZE), nav.copy()
            error[state] = sign * step
            es.correct(shifted, error)
            clearances.append(measured(shifted, onboard_map, beam, range_m)[1][ru.CLEARANCE])
        slope = (clearances[0] - clearances[1]) / (2.0 * step)
        assert row[state] == pytest.approx(slope, rel=5e-3, abs=2e-4), es.NAMES[state]


def test_the_slope_over_range_agrees_with_finite_differences() -> None:
    onboard_map, nav = slope_map(0.05, -0.12), nav_over(300.0, -900.0, 1500.0)
    low, high = (measured(nav, onboard_map, 0, 1700.0 + step)[1] for step in (-1.0, 1.0))
    slope = (high[ru.CLEARANCE] - low[ru.CLEARANCE]) / 2.0
    assert measured(nav, onboard_map, 0, 1700.0)[1][ru.PER_RANGE] == pytest.approx(slope, rel=1e-3)


@pytest.mark.parametrize("height_m", [50.0, 3000.0, 15000.0])
def test_over_a_sphere_the_beam_that_ends_on_it_has_no_clearance(height_m: float) -> None:
    nav = nav_over(
        -40_000.0, -150_000.0, height_m + 6900.0
    )  # 6.9 km below the site's horizon plane lies the ground there
    nav[sd.RANGE_BIAS : sd.NAV_SIZE] = 0.0
    q_site_body = multiply(conjugate(SITE.q_mci_site(TIME_S)), tuple(nav[sd.Q : sd.Q + 4]))
    site, _ = SITE.to_site(nav[:3], nav[3:6], TIME_S)
    R = rotation(q_site_body)
    origin = site + R @ (np.array(MOUNT.position_m) - COM)
    direction = R @ (np.array(MOUNT.beams[1].direction) / np.linalg.norm(MOUNT.beams[1].direction))
    distance = to_sphere(origin + np.array([0.0, 0.0, SITE.radius_m]), direction)
    _, found = measured(nav, LEVEL, 1, distance)
    assert found[ru.CLEARANCE] == pytest.approx(0.0, abs=1e-5)


def to_sphere(origin: Array, direction: Array) -> float:
    """Distance along a ray from outside to the sphere through the target."""
    along = float(origin @ direction)
    return -along - float(np.sqrt(along**2 - origin @ origin + SITE.radius_m**2))


def rotation(q: tuple[float, float, float, float]) -> Array:
    from transforms3d.quaternions import quat2mat

    return np.asarray(quat2mat([q[3], q[0], q[1], q[2]]))


spread = st.tuples(st.floats(5.0, 400.0), st.floats(-300.0, 300.0), st.floats(5.0, 400.0))


@given(spread=spread, east=st.floats(-0.2, 0.2), north=st.floats(-0.2, 0.2))
def test_the_fit_of_a_plane_is_the_plane(spread: tuple[float, float, float], east: float, north: float) -> None:
    onboard_map = slope_map(east, north)
    mean, slope_e, slope_n, left = ru.fit_plane(onboard_map.table, onboard_map.values, 700.0, -300.0, spread)
    assert mean == pytest.approx(700.0 * east - 300.0 * north, abs=1e-3)
    assert (slope_e, slope_n) == pytest.approx((east, north), abs=1e-3)
    assert left < 1e-2


def test_relief_shorter_than_the_spread_becomes_variance_and_not_slope() -> None:
    e = np.arange(-4000.0, 4001.0, 20.0)
    heights = 3.0 * np.sin(2.0 * pi * e / 350.0)[None, :] * np.ones((e.size, 1))
    grid = MapGrid(heights.astype(np.float32), 20.0, -4000.0, -4000.0, 1.0, 500.0, 0.0)
    onboard_map = OnboardMap.from_grids([grid, level_grid(60.0, 5000.0, 0.0)])
    mean, slope_e, _, left = ru.fit_plane(onboard_map.table, onboard_map.values, 100.0, 0.0, (400.0, 0.0, 400.0))
    assert abs(mean) < 0.5
    assert abs(slope_e) < 0.2 * 3.0 * 2.0 * pi / 350.0
    assert left == pytest.approx(4.5, rel=0.15)  # half the square of the amplitude


@given(e=st.floats(-6e5, 6e5), n=st.floats(-6e5, 6e5), h=st.floats(-3000.0, 1e5))
def test_map_coordinates_are_those_of_the_terrain(e: float, n: float, h: float) -> None:
    """Against the terrain's own code, from a point placed along the great circle."""
    arc = np.hypot(e, n) / SITE.radius_m
    toward = np.array([e, n, 0.0]) / max(np.hypot(e, n), 1e-9)
    centred = (SITE.radius_m + h) * (np.sin(arc) * toward + np.array([0.0, 0.0, np.cos(arc)]))
    site = centred - np.array([0.0, 0.0, SITE.radius_m])
    r, _ = SITE.to_mci(site, np.zeros(3), TIME_S)
    found = map_place(site_axes(SITE.R_mcmf_site, TIME_S), tuple(r.tolist()), SITE.radius_m)
    assert found == pytest.approx(site_to_map(SITE.radius_m, *site.tolist())[:2], abs=1e-4)
    assert found == pytest.approx((e, n), abs=1e-3)


def test_local_axes_are_orthogonal_and_level_at_the_place() -> None:
    r, _ = SITE.to_mci(np.array([2e5, -4e5, 1e4]), np.zeros(3), TIME_S)
    axes = site_axes(SITE.R_mcmf_site, TIME_S)
    east, north, up, distance = local_axes(axes, tuple(r.tolist()))
    M = np.array([east, north, up])
    np.testing.assert_allclose(M @ M.T, np.eye(3), atol=1e-12)
    np.testing.assert_allclose(up, r / np.linalg.norm(r), atol=1e-12)
    assert distance == pytest.approx(np.linalg.norm(r))
    moved = map_place(axes, tuple((r + 100.0 * np.array(east)).tolist()), SITE.radius_m)
    here = map_place(axes, tuple(r.tolist()), SITE.radius_m)
    assert moved[0] - here[0] == pytest.approx(100.0 * SITE.radius_m / distance, rel=0.02)
