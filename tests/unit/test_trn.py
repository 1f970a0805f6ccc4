"""The subsystem of terrain-relative navigation: when it says what."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import pytest
from trn_samples import Ground, looking_down

from lander_common.mission import resolve
from lander_common.quaternion import from_axes, from_rotation_vector
from lander_common.sun import mission_sun_site
from lander_flight.trn import Trn
from lander_flight.trn_picture import annotated
from lander_runtime.messages import CameraImage, NavigationState, TrnFix, encode, header_message, stamp_ns, zeros
from lander_runtime.subsystem import Inputs, Tick

Array = np.ndarray
MISSION = resolve("nominal_trn", 1)
PERIOD_NS = 100_000_000
R_BODY = np.array([[1.0, 0.0, 0.0], [0.0, 1.0, 0.0], [0.0, 0.0, 1.0]])  # upright: the landing head looks straight down
HEAD = 1
OFFSET = np.array([60.0, -40.0, 15.0])  # of what navigation believes
TILT_RAD = 1e-3


@pytest.fixture(scope="module")
def ground() -> Ground:
    return Ground.fractal(1, slope=0.05)


@pytest.fixture(scope="module")
def picture(ground: Ground) -> Array:
    pose = looking_down(*camera_place(), turn_rad=0.0)
    down = np.array([[0.0, -1.0, 0.0], [-1.0, 0.0, 0.0], [0.0, 0.0, -1.0]])  # image up is body x: east
    return ground.picture(type(pose)(pose.r_site, down), mission_sun_site(MISSION))


def camera_place() -> Array:
    """Of the lander at (300, -500, 6000) m."""
    arm = np.array([0.0, 0.6, 0.3]) - MISSION.vehicle.mass.dry_com_m
    return np.array([300.0, -500.0, 6000.0]) + arm


def image(at_ns: int, data: Array | None) -> Any:
    message = zeros("lander_interfaces/msg/CameraImage")
    message.header, message.valid, message.head = header_message(at_ns, "camera_optical"), data is not None, HEAD
    message.status = CameraImage.OK if data is not None else CameraImage.OFF
    if data is not None:
        message.height, message.width, message.data = *data.shape, data.ravel()
    return message


def navigation(at_ns: int, verdict: int = NavigationState.ACCEPTED) -> Any:
    state = zeros("lander_interfaces/msg/NavigationState")
    state.header = header_message(at_ns, "site")
    state.r_lander_site = np.array([300.0, -500.0, 6000.0]) + OFFSET
    x, y, z = (tuple(axis) for axis in R_BODY.T.tolist())
    state.q_site_body = state.q_mci_body = np.array(from_axes(x, y, z))  # a time at which mci and site are aligned
    state.r_sigma_site_m, state.attitude_sigma_rad = np.full(3, 60.0), np.full(3, 1e-4)
    state.trn_verdict = verdict
    return state


def learned(at_ns: int, verdict: int) -> Any:
    """The same, of a navigation that thought itself tilted until it was put right between the first image and the second."""
    state = navigation(at_ns, verdict)
    if at_ns > 15 * PERIOD_NS:
        state.attitude_correction_mci = np.array([-TILT_RAD, 0.0, 0.0])
    else:
        state.q_site_body = state.q_mci_body = np.array(from_rotation_vector((TILT_RAD, 0.0, 0.0)))
    return state


def fly(
    trn: Trn,
    frames: list[Array | None],
    verdict: int = NavigationState.ACCEPTED,
    believed: Callable[[int, int], Any] = navigation,
) -> list[Any]:
    """A frame at every second, a step at every tenth; what came out, with `due_ns`."""
    found = []
    for k in range(1, 10 * len(frames) + 1):
        tick, now = Tick(k, k * PERIOD_NS, PERIOD_NS), k * PERIOD_NS
        frame = image(now, frames[k // 10 - 1]) if k % 10 == 0 else None
        latest = {"image": frame, "navigation_state": believed(now, verdict)}
        message = trn.step(tick, Inputs(latest, {"image"} if frame is not None else set()))["trn_fix"]
        message.header = header_message(now, "site")
        encode(message, "lander_interfaces/msg/TrnFix")
        found.append(message)
    return found


def trn(ground: Ground) -> Trn:
    return Trn(MISSION, ground.image_map())


def test_the_first_fix_is_an_acquisition_and_comes_when_a_computer_would_be_done(
    ground: Ground, picture: Array
) -> None:
    said = fly(trn(ground), [picture, picture, picture])
    spoken = [message for message in said if message.reason != TrnFix.WAITING]
    parameters = trn(ground)._parameters
    assert [message.mode for message in spoken[:2]] == [TrnFix.ACQUISITION, TrnFix.TRACKING]
    late = [stamp_ns(message) * 1e-9 - message.time_of_validity.sec for message in spoken]
    assert late[0] == pytest.approx(parameters.acquisition_s, abs=0.051)
    assert late[1] == pytest.approx(parameters.tracking_s, abs=0.051)
    for message in spoken:
        assert message.valid
        sigma = np.sqrt(np.diag(message.covariance.reshape(6, 6))[:3])
        assert np.all(np.abs(message.r_camera_site - camera_place()) < 5.0 * sigma)


def test_between_fixes_it_says_that_it_waits(ground: Ground, picture: Array) -> None:
    said = fly(trn(ground), [picture, picture])
    assert sum(message.valid for message in said) <= 2
    assert all(message.reason == TrnFix.WAITING for message in said[:10])


def test_a_camera_without_a_picture_and_a_dark_one_are_told_apart(ground: Ground) -> None:
    dark = np.full((512, 512), 2, np.uint8)
    reasons = [message.reason for message in fly(trn(ground), [None, dark, None]) if message.reason != TrnFix.WAITING]
    assert reasons == [TrnFix.NO_IMAGE, TrnFix.DARK, TrnFix.NO_IMAGE]


def test_fixes_that_navigation_rejects_are_not_a_place_to_start_from(ground: Ground, picture: Array) -> None:
    said = fly(trn(ground), [picture, picture], NavigationState.REJECTED)
    assert {message.mode for message in said if message.valid} == {TrnFix.ACQUISITION}


def test_the_displacement_between_images_is_measured_near_the_ground(ground: Ground, picture: Array) -> None:
    low = trn(ground)
    low._motion._below_m = 1e4
    moved = [message for message in fly(low, [picture, picture, picture]) if message.moved]
    assert moved
    for message in moved:
        sigma = np.sqrt(np.diag(message.displacement_covariance.reshape(3, 3)))
        assert np.all(np.abs(message.displacement_site) < np.maximum(5.0 * sigma, 0.5))  # the camera stood still


def test_what_navigation_learns_of_its_attitude_between_images_is_no_displacement(
    ground: Ground, picture: Array
) -> None:
    low = trn(ground)
    low._motion._below_m = 1e4
    moved = [message for message in fly(low, [picture, picture, None], believed=learned) if message.moved]
    assert len(moved) == 1
    assert np.linalg.norm(moved[0].displacement_site) < 0.1 * TILT_RAD * 6000.0  # the camera stood still


def test_whoever_watches_sees_the_matches(ground: Ground, picture: Array) -> None:
    seen = []
    watched = trn(ground)
    watched.watch = lambda _frame, pixels, fix: seen.append(annotated(pixels, fix))
    fly(watched, [picture])
    (drawn,) = seen
    assert drawn.shape == (512, 512, 3)
    green = (drawn[:, :, 1].astype(int) - drawn[:, :, 0]) > 60
    assert green.sum() > 200
