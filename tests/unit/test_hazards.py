"""Hazard detection: slopes by brightness, the hazard map over craters of known place, the safest place, and the divert to it."""

from __future__ import annotations

from math import cos, radians, sin
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from trn_samples import shade

from lander_common.camera_geometry import camera_geometry
from lander_common.mission import Mission, resolve
from lander_common.onboard_map import MapGrid, OnboardMap
from lander_common.quaternion import Quaternion, from_axes
from lander_common.sun import mission_sun_site
from lander_flight.guidance import Guidance
from lander_flight.guidance_parameters import GuidanceParameters
from lander_flight.hazard_map import Light, hazard_map
from lander_flight.hazards import Hazards
from lander_flight.hazards_parameters import HazardsParameters
from lander_flight.redesignation import Redesignation
from lander_runtime.messages import CameraImage, Message, header_message, zeros
from lander_runtime.subsystem import Inputs, Tick
from lander_tools.point_mass import Errors, PointMassFlight

Array = np.ndarray
MISSION = resolve("nominal_hazards", 1, {"map": "flat"})
P = MISSION.part("hazards", HazardsParameters)
GUIDANCE = MISSION.part("guidance", GuidanceParameters)
SUN = mission_sun_site(MISSION)
LIGHT = Light(SUN, np.array([0.0, 0.0, 1.0]))
PAD_M, POSTING_M, HALF_M = 1.3, 0.6, 45.0
LINE = np.arange(-HALF_M, HALF_M + 0.5 * POSTING_M, POSTING_M)
EAST, NORTH = np.meshgrid(LINE, LINE)
LEVEL_BRIGHTNESS = 70.0
place = st.floats(-25.0, 25.0)


def crater(e: Array, n: Array, east: float, north: float, diameter_m: float) -> Array:
    """Heights of a bowl of a fifth of its width, with a rim."""
    r = np.hypot(e - east, n - north) / (0.5 * diameter_m)
    return diameter_m * np.where(r < 1.0, 0.19 * r**2 - 0.15, 0.04 * np.exp(-3.0 * (r - 1.0)))


def picture(heights: Array, posting_m: float = POSTING_M) -> Array:
    """Ground as the camera sees it from above: another implementation of the law of reflection."""
    level = shade(np.zeros((3, 3), np.float32), 1.0, SUN, LIGHT.view)[1, 1]
    return LEVEL_BRIGHTNESS * shade(heights.astype(np.float32), posting_m, SUN, LIGHT.view).astype(float) / level


def risk_of(heights: Array, image: Array | None = None) -> Array:
    """Hazard map of ground that the onboard map holds for level."""
    seen = picture(heights) if image is None else image
    return hazard_map(seen, np.zeros_like(heights), POSTING_M, LIGHT, PAD_M, P)


@given(slope=st.floats(-0.4, 0.15))
def test_a_slope_towards_the_sun_is_read_off_its_brightness(slope: float) -> None:
    towards = LIGHT.across
    heights = slope * (towards[0] * EAST[:5, :5] + towards[1] * NORTH[:5, :5])
    relative = picture(heights)[2, 2] / LEVEL_BRIGHTNESS
    assert float(LIGHT.slope(np.array(relative))) == pytest.approx(slope, abs=0.02 + 0.2 * slope**2)


@settings(max_examples=20)
@given(east=place, north=place, diameter=st.floats(5.0, 12.0))
def test_a_crater_that_the_map_does_not_hold_is_a_hazard_and_the_plain_around_is_not(
    east: float, north: float, diameter: float
) -> None:
    risk = risk_of(crater(EAST, NORTH, east, north, diameter))
    away = np.hypot(EAST - east, NORTH - north)
    wall = np.abs(away - 0.35 * diameter) < 0.5
    assert float(np.mean(risk[wall])) > 0.3  # of landings aimed there, normal to 2.5 m
    clear = (away > diameter + 12.0) & (np.maximum(abs(EAST), abs(NORTH)) < HALF_M - 10.0)
    assert float(np.max(risk[clear])) < 0.02


def test_what_is_not_seen_and_what_lies_in_shadow_is_a_hazard() -> None:
    flat = np.zeros_like(EAST)
    image = picture(flat)
    image[EAST > 20.0] = np.nan
    image[(np.abs(EAST + 20.0) < 5.0) & (np.abs(NORTH) < 5.0)] = 0.0
    risk = risk_of(flat, image)
    at = {(e, n): risk[np.argmin(abs(LINE - n)), np.argmin(abs(LINE - e))] for e, n in ((35, 0), (-20, 0), (0, 0))}
    assert at[35, 0] == pytest.approx(1.0, abs=0.01)
    assert at[-20, 0] > 0.9
    assert at[0, 0] < 0.02


def test_a_slope_across_the_sun_is_known_from_the_map() -> None:
    across = LIGHT.across
    heights = 0.25 * (across[0] * NORTH - across[1] * EAST)
    seen = hazard_map(picture(heights), heights, POSTING_M, LIGHT, PAD_M, P)
    assert float(seen[75, 75]) > 0.9


# The node


HEIGHT_M = 300.0
FORWARD = radians(8.0)
UPRIGHT: Quaternion = from_axes((sin(FORWARD), cos(FORWARD), 0.0), (-cos(FORWARD), sin(FORWARD), 0.0), (0.0, 0.0, 1.0))


def frame(heights: Any, r_lander: Array) -> Message:
    """What the camera of an upright lander sees of ground `heights(e, n)`, painted pixel by pixel."""
    geometry = camera_geometry(MISSION)
    lens, head = geometry.lens, geometry.heads[1]
    v, u = np.mgrid[0 : lens.height_px, 0 : lens.width_px]
    rays = lens.directions(np.column_stack([u.ravel(), v.ravel()]))
    R_site_body = np.array([[sin(FORWARD), -cos(FORWARD), 0.0], [cos(FORWARD), sin(FORWARD), 0.0], [0.0, 0.0, 1.0]])
    x, y, z = R_site_body @ head.R_body_optical @ rays.T
    com = np.array(MISSION.vehicle.mass.dry_com_m)
    eye = r_lander + R_site_body @ (np.array(head.position_m) - com)
    line = np.arange(-200.0, 200.1, 0.4)
    drawn = picture(heights(*np.meshgrid(line, line)), 0.4)
    row = np.clip(np.round((eye[1] - eye[2] * y / z + 200.0) / 0.4).astype(int), 0, line.size - 1)
    column = np.clip(np.round((eye[0] - eye[2] * x / z + 200.0) / 0.4).astype(int), 0, line.size - 1)
    data = np.clip(drawn[row, column], 0.0, 255.0).astype(np.uint8)
    made: Message = CameraImage(
        header=header_message(0, "camera_optical"), valid=True, status=0, head=1, exposure_s=0.004, focal_px=lens.focal_px,
        centre_px=np.array(lens.centre_px), distortion=np.zeros(2), width=lens.width_px, height=lens.height_px, data=data,
    )  # fmt: skip
    return made


def hazards() -> Hazards:
    grid = MapGrid(np.zeros((101, 101), np.float32), 10.0, -500.0, -500.0, 0.5, 300.0, 15.0)
    return Hazards(MISSION, OnboardMap.from_grids([grid]))


def inputs(height_m: float, heights: Any = lambda e, n: crater(e, n, 0.0, 0.0, 8.0), seen: bool = True) -> Inputs:
    """A frame over a crater at the target, and the rest of what the node reads."""
    r_lander = np.array([3.0, -2.0, height_m])
    state = zeros("lander_interfaces/msg/NavigationState")
    state.r_lander_site, state.q_site_body = r_lander, np.array(UPRIGHT)
    messages = {
        "image": frame(heights, r_lander) if seen else None,
        "navigation_state": state,
        "guidance_command": zeros("lander_interfaces/msg/GuidanceCommand"),
    }
    return Inputs(messages, {"image"} if seen else set())


def answer(given: Inputs) -> Message:
    """What comes out a second later."""
    node = hazards()
    assert not node.step(Tick(0, 0, 0), given)["safe_site"].valid
    return node.step(Tick(1, 10**9, 10**9), inputs(HEIGHT_M, seen=False))["safe_site"]


def test_beside_a_crater_at_the_target_a_place_is_found_a_second_later() -> None:
    found = answer(inputs(HEIGHT_M))
    away = float(np.hypot(*found.r_safe_site[:2]))
    assert found.valid
    assert found.target_risk > 10.0 * found.risk
    assert 4.0 + PAD_M < away < found.reach_m + 5.0
    assert found.pixel_m == pytest.approx(HEIGHT_M / 443.4, rel=0.01)


def test_on_a_plain_the_target_is_as_good_as_any() -> None:
    found = answer(inputs(HEIGHT_M, heights=lambda e, _n: np.zeros_like(e)))
    assert found.target_risk < GUIDANCE.redesignation.tolerated_risk


@pytest.mark.parametrize("height_m", [100.0, 800.0])
def test_too_high_and_too_low_nothing_is_offered(height_m: float) -> None:
    assert not answer(inputs(height_m)).valid


def test_without_a_frame_nothing_is_offered() -> None:
    assert not answer(inputs(HEIGHT_M, seen=False)).valid


# Guidance


def offer(risk: float = 0.001, target_risk: float = 0.3, at: tuple[float, float] = (10.0, 0.0)) -> Message:
    made = zeros("lander_interfaces/msg/SafeSite")
    made.valid, made.risk, made.target_risk, made.r_safe_site = True, risk, target_risk, np.array([*at, 0.0])
    return made


def test_the_target_is_changed_twice_at_most_and_not_in_haste() -> None:
    p = GUIDANCE.redesignation
    choice = Redesignation(p)
    taken = [choice.elsewhere(float(t), 500.0, offer()) is not None for t in range(20)]
    assert np.flatnonzero(taken).tolist() == [0, round(p.apart_s)]
    assert choice.count == p.most


def test_the_target_is_kept_where_it_is_good_where_nothing_is_better_and_close_to_the_ground() -> None:
    choice = Redesignation(GUIDANCE.redesignation)
    assert choice.elsewhere(0.0, 500.0, None) is None
    assert choice.elsewhere(0.0, 500.0, zeros("lander_interfaces/msg/SafeSite")) is None
    assert choice.elsewhere(0.0, 500.0, offer(risk=0.0, target_risk=0.005)) is None
    assert choice.elsewhere(0.0, 500.0, offer(risk=0.2)) is None
    assert choice.elsewhere(0.0, 100.0, offer()) is None
    assert choice.elsewhere(0.0, 500.0, offer()) == (10.0, 0.0, 0.0)


class Offered(PointMassFlight):
    """A flight that is offered another place as soon as it is lower than some height."""

    def __init__(self, mission: Mission, at: tuple[float, float], below_m: float) -> None:
        super().__init__(mission, Errors(altitude_noise_m=0.3))
        self.at, self._below_m = at, below_m

    def inputs(self) -> Inputs:
        given = super().inputs()
        if given.latest("navigation_state").altitude_m < self._below_m:
            self.advice = {"safe_site": offer(at=self.at)}
        return given


def test_a_copy_of_guidance_that_takes_over_keeps_the_changed_target() -> None:
    flight, guidance, copy = Offered(MISSION, (8.0, 3.0), 400.0), Guidance(MISSION), Guidance(MISSION)
    flight.fly(guidance, until_s=735.0)
    command = guidance.step(Tick(10_000, flight.time_ns, 100_000_000), flight.inputs())["guidance_command"]
    command.header = header_message(flight.time_ns, "mci")
    copy.restore({"guidance_command": command})
    flight.advice = {}
    flight.fly(copy)
    e, n, _ = flight._in_site()[0]
    assert command.redesignations >= 1
    assert np.hypot(e - 8.0, n - 3.0) < 1.0


@pytest.mark.parametrize("below_m", [P.highest_m, 300.0, 150.0])
@pytest.mark.parametrize("azimuth_deg", [8.0, 98.0])
def test_guidance_gets_as_far_as_hazard_detection_counts_upon(below_m: float, azimuth_deg: float) -> None:
    reach, azimuth = P.reach(below_m), radians(azimuth_deg)
    flight = Offered(MISSION, (reach * sin(azimuth), reach * cos(azimuth)), below_m)
    landing = flight.fly()
    e, n, _ = flight._in_site()[0]
    assert np.hypot(e - flight.at[0], n - flight.at[1]) < P.landing_sigma_m
    assert landing.landed
    assert landing.vertical_m_s < 1.6
    assert landing.horizontal_m_s < 0.2
