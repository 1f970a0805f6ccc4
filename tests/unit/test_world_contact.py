"""Legs and ground against closed forms: spring, friction, tipping, and falls onto a smooth Moon."""

from __future__ import annotations

from math import atan, degrees, pi, radians, sin, sqrt

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from numpy.testing import assert_allclose
from world_samples import (
    NOTHING,
    com,
    falling,
    inertia_matrix,
    lander,
    leaning,
    mission,
    on_plane,
    place,
    properties,
    surface_gravity,
    with_law,
)

from lander_common.quaternion import IDENTITY, rotate
from lander_world.contact import BROKEN, LEVEL, TOUCHED, leg_force, pad_friction, pad_places
from lander_world.dynamics import advance
from lander_world.initial_state import Q
from lander_world.landing import motion
from lander_world.plant import Plant

LIGHT = mission(start__propellant_kg="60.0")
G = surface_gravity(LIGHT)
LEGS = LIGHT.vehicle.legs
K, C = 4.0 * LEGS.stiffness_n_m, 4.0 * LEGS.damping_n_s_m
EDGE_M = LEGS.pad_radius_m * sin(radians(45.0))  # from the middle to the line between two pads


def standing(
    slope_deg: float = 0.0, v_site: tuple[float, float, float] = (0.0, 0.0, 0.0), sink_m: float | None = None
) -> Plant:
    """A lander whose legs carry it on a plane (or are compressed by `sink_m`)."""
    plant = on_plane(lander(LIGHT), slope_deg)
    mass = properties(plant)[0]
    depth = mass * G / K if sink_m is None else sink_m
    tilt = leaning(slope_deg)
    x, y, z = rotate(tilt, (0.0, 0.0, float(com(plant)[2]) - depth))
    return place(plant, (x, y, z), v_site, tilt)


def land(plant: Plant, duration_s: float) -> np.ndarray:
    """Move near the ground; return height and speed across of the centre of mass in site at each tick, shape (n, 2)."""
    frame, rows = LIGHT.site_frame, []
    for i in range(round(duration_s / 0.02)):
        r_site, v_site = frame.to_site(plant.state[0:3], plant.state[3:6], i * 0.02)
        rows.append((r_site[2], np.hypot(v_site[0], v_site[1])))
        advance(plant, NOTHING, i * 0.02, 0.02, True)
    return np.array(rows)


def place_now(plant: Plant, time_s: float) -> np.ndarray:
    return LIGHT.site_frame.to_site(plant.state[0:3], plant.state[3:6], time_s)[0]


def test_a_fall_takes_the_time_and_reaches_the_speed_of_the_closed_form() -> None:
    bench = falling(20.0)
    world = bench.physics.world
    while np.isnan(world.plant.first_contact[0]):
        bench.step(None)
    g = G * (1.0 - 20.0 / 1.7348e6)  # mean over the fall: gravity falls with 1/r^2, so by 2 h/r at the top
    assert_allclose(world.plant.first_contact[0], sqrt(2.0 * 20.0 / g), atol=1.1e-3)  # within a sub-step
    assert_allclose(motion(world.plant.first_contact[1:]).vertical_speed_m_s, sqrt(2.0 * g * 20.0), atol=2e-3)


def test_a_lander_at_rest_sinks_by_its_weight_over_the_stiffness() -> None:
    plant = standing(sink_m=0.0)
    mass = properties(plant)[0]
    sunk = float(com(plant)[2]) - land(plant, 8.0)[-1, 0]
    assert_allclose(sunk, mass * G / K, rtol=1e-4)


def test_without_damping_it_bobs_at_the_frequency_of_its_springs() -> None:
    plant = with_law(standing(sink_m=0.0), damping=0.0)
    mass = properties(plant)[0]
    heights = land(plant, 3.0)[:, 0]
    middle = float(com(plant)[2]) - mass * G / K
    crossings = np.flatnonzero(np.diff(np.sign(heights - middle)) > 0)
    times = [0.02 * (i + (middle - heights[i]) / (heights[i + 1] - heights[i])) for i in crossings]
    assert_allclose(np.diff(times).mean(), 2.0 * pi * sqrt(mass / K), rtol=2e-3)


def test_without_damping_the_deepest_point_conserves_energy() -> None:
    plant = with_law(standing(v_site=(0.0, 0.0, -1.5), sink_m=0.0), damping=0.0)
    mass = properties(plant)[0]
    deepest = float(com(plant)[2]) - land(plant, 0.5)[:, 0].min()
    sag = mass * G / K
    assert_allclose(deepest, sag + sqrt(sag**2 + mass * 1.5**2 / K), rtol=2e-3)  # sampled every 20 ms


def test_beyond_its_stroke_a_leg_stops_hard() -> None:
    laws = standing().ground.laws
    at_stroke = leg_force(laws, LEGS.stroke_m, 0.0)
    assert_allclose(at_stroke, LEGS.stiffness_n_m * LEGS.stroke_m)
    assert leg_force(laws, LEGS.stroke_m + 0.01, 0.0) > at_stroke + 4000.0


@given(st.floats(0.0, 0.5), st.floats(-20.0, 20.0))
def test_a_leg_never_pulls(depth: float, speed: float) -> None:
    assert leg_force(standing().ground.laws, depth, speed) >= 0.0


@given(st.floats(0.0, 1e4), st.tuples(*[st.floats(-0.1, 0.1)] * 3), st.tuples(*[st.floats(-5.0, 5.0)] * 3))
def test_friction_never_exceeds_coulombs(load: float, stretch: tuple[float, ...], slide: tuple[float, ...]) -> None:
    force = pad_friction(standing().ground.laws, load, stretch, slide)
    assert np.linalg.norm(force) <= LEGS.friction * load * (1.0 + 1e-12)


@pytest.mark.parametrize("speed", [0.5, 1.0])
def test_it_slides_to_a_stop_over_the_distance_of_coulombs_law(speed: float) -> None:
    sag = properties(lander(LIGHT))[0] * G / 4e6
    plant = with_law(standing(v_site=(speed, 0.0, 0.0), sink_m=sag), stiffness=1e6, damping=2e4)  # does not nod
    land(plant, 4.0)
    assert_allclose(place_now(plant, 4.0)[0], speed**2 / (2.0 * LEGS.friction * G), rtol=0.01)


@pytest.mark.parametrize(("slope_deg", "slides"), [(29.0, False), (33.0, True)])
def test_it_holds_on_a_slope_up_to_the_angle_of_friction(slope_deg: float, slides: bool) -> None:
    assert_allclose(degrees(atan(LEGS.friction)), 31.0, atol=0.1)
    plant = standing(slope_deg)
    land(plant, 3.0)
    moved = np.linalg.norm(place_now(plant, 3.0) - place_now(standing(slope_deg), 0.0))
    assert (moved > 0.3) == slides


def test_on_a_slope_it_does_not_creep() -> None:
    plant = standing(10.0)
    land(plant, 5.0)
    before = place_now(plant, 5.0)
    for i in range(1500):
        advance(plant, NOTHING, 5.0 + i * 0.02, 0.02, True)
    assert_allclose(place_now(plant, 35.0), before, atol=1e-5)


@pytest.mark.parametrize(("beyond_deg", "falls"), [(-2.0, False), (2.0, True)])
def test_it_tips_over_where_its_centre_of_mass_passes_the_edge(beyond_deg: float, falls: bool) -> None:
    plant = lander(LIGHT)
    slope_deg = degrees(atan(EDGE_M / com(plant)[2])) + beyond_deg
    plant = with_law(standing(slope_deg, sink_m=0.0), friction=5.0, stiffness=1e6, damping=5e4, crush=1e9, shear=1e7)
    land(plant, 6.0)
    tilt = motion(plant.state).tilt_deg
    assert (abs(tilt - slope_deg) > 10.0) == falls


@pytest.mark.parametrize(("share", "falls"), [(0.7, False), (1.15, True)])
def test_caught_pads_trip_it_near_the_speed_of_the_closed_form(share: float, falls: bool) -> None:
    # Momentum about the line of the caught pads stays, and must lift the centre of mass over it. In lunar gravity the
    # lander hops before it gets there, and turns on while it flies, so that it falls a little below that speed already.
    plant = lander(LIGHT)
    mass, height = properties(plant)[0], float(com(plant)[2])
    about_edge = inertia_matrix(plant)[1, 1] + mass * (height**2 + EDGE_M**2)
    lift = sqrt(height**2 + EDGE_M**2) - height
    trip_speed = sqrt(2.0 * mass * G * lift * about_edge) / (mass * height)
    assert_allclose(trip_speed, 1.8, atol=0.25)  # the estimate of the reference figures
    plant = standing(v_site=(share * trip_speed, 0.0, 0.0), sink_m=0.0)
    plant = with_law(plant, friction=50.0, stiffness=5e5, damping=2e4, crush=1e9, shear=1e7, shear_damping=1e5)
    plant.ground.points[1:3, LEVEL] = -1e9  # the pads behind stand in the air
    plant.ground.points[4:, LEVEL] = -1e9  # and so does the hull
    assert (max_turn(plant, 1.5) > degrees(atan(EDGE_M / height))) == falls


def max_turn(plant: Plant, duration_s: float) -> float:
    largest = 0.0
    for i in range(round(duration_s / 0.005)):
        advance(plant, NOTHING, i * 0.005, 0.005, True)
        largest = max(largest, motion(plant.state).tilt_deg)
    return largest


def test_a_lander_that_stands_stays_where_it_is_while_the_moon_turns() -> None:
    plant = standing()
    land(plant, 10.0)
    r_site, v_site = LIGHT.site_frame.to_site(plant.state[0:3], plant.state[3:6], 10.0)
    assert_allclose(r_site[:2], 0.0, atol=1e-3)
    assert_allclose(v_site, 0.0, atol=1e-6)


def test_a_leg_breaks_above_its_crush_force() -> None:
    plant = standing(v_site=(0.0, 0.0, -12.0), sink_m=0.0)
    advance(plant, NOTHING, 0.0, 0.02, True)
    assert plant.ground.pads[:, BROKEN].all()


def test_pads_report_their_touch() -> None:
    plant = place(on_plane(lander(LIGHT), 0.0), (0.0, 0.0, 5.0), (0.0, 0.0, 0.0), IDENTITY)
    advance(plant, NOTHING, 0.0, 0.02, True)
    assert not plant.ground.pads[:, TOUCHED].any()
    plant = standing()
    advance(plant, NOTHING, 0.0, 0.02, True)
    assert plant.ground.pads[:, TOUCHED].all()


def test_the_pads_are_where_the_vehicle_file_says() -> None:
    pads = pad_places(LEGS)
    assert_allclose(np.linalg.norm(pads, axis=1), 1.3)
    assert_allclose(pads[0], (EDGE_M, EDGE_M, 0.0))


@settings(max_examples=15)
@given(st.floats(-1.0, 1.0), st.floats(-1.0, 1.0), st.floats(-3.0, 0.0), st.floats(-15.0, 15.0))
def test_contact_never_adds_energy(vx: float, vy: float, vz: float, slope_deg: float) -> None:
    plant = on_plane(lander(LIGHT), slope_deg)
    plant = place(plant, (0.0, 0.0, 1.5), (vx, vy, vz), IDENTITY)

    def energy(time_s: float) -> float:
        r, v = LIGHT.site_frame.to_site(plant.state[0:3], plant.state[3:6], time_s)
        w = plant.state[10:13]
        return float(properties(plant)[0] * (0.5 * v @ v + G * r[2]) + 0.5 * w @ inertia_matrix(plant) @ w)

    before = energy(0.0)
    for i in range(150):
        advance(plant, NOTHING, i * 0.02, 0.02, True)
    assert energy(3.0) <= before + 0.5  # J of 1e3: Coriolis and the shape of the Moon are not in the sum
    assert_allclose(np.linalg.norm(plant.state[Q : Q + 4]), 1.0, atol=1e-12)
