"""The descent camera: where things are in its images, how bright, how noisy, and what faults do to it."""

from __future__ import annotations

from collections.abc import Sequence
from math import cos, radians, sin
from typing import Any

import cv2
import numpy as np
import pytest
from terrain_samples import flat, mare

from lander_common.camera_geometry import Lens
from lander_common.faults.camera import Blurred, Dark, Dust
from lander_common.mission import Mission, resolve
from lander_common.sun import direction_from_angles
from lander_runtime.messages import stamp_ns, zeros
from lander_runtime.subsystem import Inputs, Tick, stamped
from lander_sensors.camera import Camera, degraded
from lander_sensors.camera_motion import smear
from lander_sensors.camera_parameters import CameraParameters, Exposure, Imager, PlumeDust
from lander_sensors.camera_view import CameraPose, CameraView
from lander_sensors.imager import Detector, next_exposure_s
from lander_sensors.plume_dust import draw_veil
from lander_terrain.photometry import brightness
from lander_terrain.sunlight import to_local

LENS = Lens(width_px=256, height_px=256, focal_px=222.0, centre_px=(128.3, 127.4), k1=-0.12, k2=0.015)
SUN = direction_from_angles(12.0, 108.0)
STILL = (np.zeros(3), np.zeros(3))
UPRIGHT = (0.0, 0.0, 0.0, 1.0)


def looking_down(origin: Sequence[float], tilt_deg: float = 0.0) -> CameraPose:
    """A camera at rest, the top of its image towards the north, tilted towards it."""
    s, c = sin(radians(tilt_deg)), cos(radians(tilt_deg))
    R_site_optical = np.array([[1.0, 0.0, 0.0], [0.0, -c, s], [0.0, -s, -c]])
    return CameraPose(np.array(origin, float), R_site_optical, *STILL)


def rays(pose: CameraPose, pixels: np.ndarray) -> np.ndarray:
    """Unit directions in site of pixels (u, v), by OpenCV."""
    criteria = (cv2.TERM_CRITERIA_COUNT | cv2.TERM_CRITERIA_EPS, 100, 1e-12)
    distortion = np.array([LENS.k1, LENS.k2, 0.0, 0.0])
    plane = cv2.undistortPoints(pixels.astype(float), LENS.matrix, distortion, criteria=criteria)[:, 0]
    directions = np.column_stack([plane, np.ones(len(plane))]) @ pose.R_site_optical.T
    return np.asarray(directions / np.linalg.norm(directions, axis=1)[:, None])


@pytest.mark.parametrize("tilt_deg", [0.0, 35.0])
def test_level_ground_is_as_bright_as_the_law_says_at_every_pixel(tilt_deg: float) -> None:
    terrain, pose = flat(), looking_down((0.0, -30_000.0, 12_000.0), tilt_deg)
    image = CameraView(terrain, SUN, LENS).frame(pose, 0.0)
    pixels = np.array([(u, v) for u in range(3, 256, 50) for v in range(5, 256, 50)])
    for (u, v), ray in zip(pixels, rays(pose, pixels), strict=True):
        reach, incidence = terrain.ray_range(pose.origin_site, ray, 1e6)
        e, n, _ = terrain.to_map(pose.origin_site + reach * ray)
        sun_up = to_local(terrain.data.radius, e, n, *SUN)[2]
        expected = brightness(0.17, sun_up, cos(incidence), float(-ray @ SUN))
        assert image[v, u] == pytest.approx(expected, rel=2e-3), (u, v)


@pytest.mark.parametrize("tilt_deg", [0.0, 35.0])
def test_what_is_in_a_pixel_is_where_its_ray_meets_the_terrain(tilt_deg: float) -> None:
    """Witness: rays by OpenCV, their ends by sphere tracing on the exact terrain, slopes by differences there.

    Both are blurred by a pixel, because rays are points and pixels are not.
    """
    sun = direction_from_angles(40.0, 108.0)  # so high that there are no cast shadows
    terrain, pose = mare(605), looking_down((300.0, -500.0, 2000.0), tilt_deg)
    image = CameraView(terrain, sun, LENS).frame(pose, 0.0)
    side, first = 48, 100
    pixels = np.array([(u, v) for v in range(first, first + side) for u in range(first, first + side)])
    expected = np.empty(len(pixels))
    for k, ray in enumerate(rays(pose, pixels)):
        reach, _ = terrain.ray_range(pose.origin_site, ray, 1e5)
        e, n, _ = terrain.to_map(pose.origin_site + reach * ray)
        east, west, north, south = terrain.heights(
            np.array([e + 8.0, e - 8.0, e, e]), np.array([n, n, n + 8.0, n - 8.0]), 12.0
        )
        normal = np.array([(west - east) / 16.0, (south - north) / 16.0, 1.0])
        normal /= np.linalg.norm(normal)
        expected[k] = brightness(terrain.albedo(e, n), normal @ sun, -normal @ ray, -ray @ sun)
    seen = image[first : first + side, first : first + side]
    shape = seen.shape
    seen, expected = (cv2.GaussianBlur(x, (0, 0), 1.0) for x in (seen, expected.reshape(shape).astype(np.float32)))
    assert np.corrcoef(seen.ravel(), expected.ravel())[0, 1] > 0.9
    assert np.hypot(*shift_px(seen, expected)) < 0.1


def shift_px(image: np.ndarray, reference: np.ndarray) -> np.ndarray:
    """How far an image lies from a reference of the same size, px (u, v): least squares on the reference's gradients."""
    down, right = np.gradient(reference.astype(float))
    columns = [values[4:-4, 4:-4].ravel() for values in (-right, -down, reference, np.ones_like(reference))]
    solution = np.linalg.lstsq(np.column_stack(columns), image[4:-4, 4:-4].ravel(), rcond=None)[0]
    return np.asarray(solution[:2] / solution[2])


def test_the_sky_is_black() -> None:
    pose = looking_down((0.0, 0.0, 5000.0), 85.0)
    image = CameraView(flat(), SUN, LENS).frame(pose, 0.0)
    assert image[:60].max() == 0.0
    assert image[200:].min() > 0.0


def test_the_same_ground_is_seen_from_two_heights() -> None:
    """Images from 1000 m and from 1100 m, the second brought to the scale of the first, lie on each other."""
    view = CameraView(mare(605), SUN, LENS)
    low = view.frame(looking_down((200.0, 100.0, 1000.0)), 0.0).copy()
    high = view.frame(looking_down((200.0, 100.0, 1100.0)), 0.0).copy()
    centred = np.float32([[1.0, 0.0, LENS.centre_px[0]], [0.0, 1.0, LENS.centre_px[1]]])
    distortion = np.array([LENS.k1, LENS.k2, 0.0, 0.0])
    low, high = (cv2.undistort(image, LENS.matrix, distortion) for image in (low, high))
    scale = 1100.0 / 1000.0
    warp = np.float32([[scale, 0.0, (1.0 - scale) * centred[0, 2]], [0.0, scale, (1.0 - scale) * centred[1, 2]]])
    same = cv2.warpAffine(high, warp, (256, 256))
    inside = slice(40, 216)
    assert np.corrcoef(low[inside, inside].ravel(), same[inside, inside].ravel())[0, 1] > 0.97


def test_smear_is_as_long_as_opencv_says_that_the_ground_moves() -> None:
    exposure_s, speed = 0.02, 112.6
    pose = looking_down((0.0, 0.0, 100.0))
    moving = CameraPose(pose.origin_site, pose.R_site_optical, np.array([speed, 0.0, 0.0]), np.zeros(3))
    expected = LENS.focal_px * speed * exposure_s / 100.0  # px, at the middle: 5
    sharp = CameraView(mare(605), SUN, LENS).frame(pose, 0.0).copy()
    smeared = CameraView(mare(605), SUN, LENS).frame(moving, exposure_s).copy()
    kernel = np.full((1, round(expected)), 1.0 / round(expected))
    likewise = cv2.filter2D(sharp, -1, kernel)
    middle = slice(96, 160)
    error = np.std((smeared - likewise)[middle, middle])
    assert error < 0.2 * np.std((smeared - sharp)[middle, middle])


def test_a_short_path_changes_nothing_and_a_long_one_keeps_the_light() -> None:
    image = np.zeros((64, 64), np.float32)
    image[32, 32] = 1.0
    paths = np.zeros((10, 10, 2))
    assert smear(image, paths) is image
    paths[..., 0] = 6.0
    smeared = smear(image, paths)
    assert smeared.sum() == pytest.approx(1.0, abs=1e-5)
    spread = np.sqrt(smeared[32] @ (np.arange(64) - 32.0) ** 2)
    assert spread == pytest.approx(6.0 / np.sqrt(12.0), rel=0.1)


@pytest.fixture(scope="module")
def mission() -> Mission:
    """The nominal mission with the camera."""
    return resolve("nominal", 1, {"camera": "descent"})


@pytest.fixture(scope="module")
def imager(mission: Mission) -> Imager:
    """Of the descent camera."""
    return mission.part("camera", CameraParameters).imager


@pytest.mark.parametrize("level", [0.005, 0.02])
def test_noise_is_that_of_photons_readout_and_converter(imager: Imager, level: float) -> None:
    exact = imager.model_copy(update={"response_nonuniformity": 0.0, "dark_current_e_s": 0.0})
    pixels = Detector(exact, (512, 512), np.random.default_rng(1)).expose(
        np.full((512, 512), level, np.float32), 0.004, np.random.default_rng(2)
    )
    electrons, step = exact.electrons_per_s * 0.004 * level, exact.full_well_e / 255.0
    assert pixels.mean() == pytest.approx(electrons / step, rel=2e-3)
    expected = np.sqrt(electrons + exact.read_noise_e**2 + step**2 / 12.0) / step
    assert pixels.std() == pytest.approx(expected, rel=0.02)


def test_a_bright_pixel_saturates_and_a_coarser_converter_has_fewer_steps(imager: Imager) -> None:
    coarse = imager.model_copy(update={"bits": 6})
    pixels = Detector(coarse, (64, 64), np.random.default_rng(1)).expose(
        np.linspace(0.0, 10.0, 4096, dtype=np.float32).reshape(64, 64), 0.004, np.random.default_rng(2)
    )
    assert pixels.max() == 252
    assert set(np.unique(pixels)) <= set(range(0, 256, 4))


def test_the_exposure_settles_where_the_bright_pixels_are_at_the_target(imager: Imager, mission: Mission) -> None:
    control = mission.part("camera", CameraParameters).exposure
    scene = np.random.default_rng(3).uniform(0.0, 0.05, (256, 256)).astype(np.float32)
    detector, noise = Detector(imager, scene.shape, np.random.default_rng(1)), np.random.default_rng(2)
    exposure_s = control.longest_s
    for _ in range(8):
        pixels = detector.expose(scene, exposure_s, noise)
        exposure_s = next_exposure_s(control, exposure_s, pixels)
    assert np.percentile(pixels, control.percentile) == pytest.approx(255.0 * control.target, rel=0.05)
    assert (
        next_exposure_s(control, control.first_s, np.zeros((9, 9), np.uint8)) == control.largest_step * control.first_s
    )


def test_an_exposure_out_of_order_is_refused(mission: Mission) -> None:
    values = mission.part("camera", CameraParameters).exposure.model_dump()
    with pytest.raises(ValueError, match="rise in this order"):
        Exposure(**{**values, "first_s": 1.0})


def test_a_camera_that_is_on_nowhere_is_refused(mission: Mission) -> None:
    values = mission.part("camera", CameraParameters).model_dump()
    with pytest.raises(ValueError, match="must be below highest_altitude_m"):
        CameraParameters(**{**values, "lowest_altitude_m": values["highest_altitude_m"]})


def test_dust_veils_the_ground_from_its_height_down() -> None:
    dust = PlumeDust(begins_below_m=30.0, opacity_at_ground=2.5, brightness=0.06)
    scene = np.random.default_rng(3).uniform(0.0, 0.02, (64, 64)).astype(np.float32)
    contrasts = []
    for height in (50.0, 30.0, 15.0, 2.0):
        image = scene.copy()
        draw_veil(dust, height, np.random.default_rng(1), image)
        contrasts.append(np.corrcoef(image.ravel(), scene.ravel())[0, 1])
    assert contrasts[:2] == pytest.approx([1.0, 1.0])
    assert contrasts[1] > contrasts[2] > contrasts[3]


def test_the_veil_is_that_of_its_waves_in_every_pixel() -> None:
    """`draw_veil` knows it for a table of directions; here it is worked out for each pixel."""
    image = np.ones((64, 96), np.float32)
    draw_veil(
        PlumeDust(begins_below_m=30.0, opacity_at_ground=2.5, brightness=0.06), 9.0, np.random.default_rng(1), image
    )
    random = np.random.default_rng(1)
    phases, amplitudes = 2.0 * np.pi * random.random(12), random.standard_normal(12)
    row, column = np.mgrid[:64, :96]
    angle = np.arctan2(row - 32.0, column - 48.0)[..., None]
    streak = np.sum(amplitudes * np.cos(np.arange(3, 15) * angle + phases), axis=-1) / np.sqrt(12.0)
    left = np.exp(-2.5 * 0.7**2 * np.maximum(1.0 + 0.3 * streak, 0.0))
    np.testing.assert_allclose(image, left + (1.0 - left) * 0.06, atol=2e-5)


def test_faults_of_light_and_optics_take_what_they_say() -> None:
    image = np.zeros((65, 65), np.float32)
    image[32, 32] = 1.0
    dark = Dark(subject="camera", kind="dark", at_s=1.0, light_fraction=0.1)
    assert degraded(image, dark).sum() == pytest.approx(0.1)
    soft = degraded(image, Blurred(subject="camera", kind="blurred", at_s=1.0, blur_sigma_px=3.0))
    assert np.sqrt(soft.sum(axis=0) @ (np.arange(65) - 32.0) ** 2) == pytest.approx(3.0, rel=0.03)
    veiled = degraded(image, Dust(subject="camera", kind="dust", at_s=1.0, opacity_fraction=0.75))
    assert veiled.std() == pytest.approx(0.25 * image.std(), rel=1e-5)
    assert veiled.mean() == pytest.approx(image.mean(), rel=1e-5)


def truth(height_m: float, q_site_body: Sequence[float]) -> Any:
    """A true state at rest above the target."""
    message = zeros("lander_interfaces/msg/Truth")
    message.r_lander_site = np.array([0.0, 0.0, height_m])
    message.q_site_body = np.array(q_site_body)
    message.altitude_m = height_m
    return message


def take(camera: Camera, seconds: int, seen: Any) -> Any:
    """The camera's message at a time."""
    tick = Tick(seconds * 50, seconds * 10**9, 20_000_000)
    outputs = camera.step(tick, Inputs({"truth": seen}, {"truth"}))
    ((_, message),) = stamped(camera.node, tick, outputs)
    return message


def test_frames_are_those_of_their_seed_and_stamped_at_mid_exposure(mission: Mission) -> None:
    first, again = (take(Camera(mission, mare(605)), 3, truth(800.0, UPRIGHT)) for _ in range(2))
    other = take(Camera(resolve("nominal", 2, {"camera": "descent"}), mare(605)), 3, truth(800.0, UPRIGHT))
    assert (first.width, first.height, first.data.size) == (512, 512, 512 * 512)
    assert stamp_ns(first) == 3 * 10**9
    assert np.array_equal(first.data, again.data)
    assert not np.array_equal(first.data, other.data)


def test_the_head_that_looks_down_is_read_out_and_none_too_high_or_on_the_ground(mission: Mission) -> None:
    camera = Camera(mission, mare(605))
    upright, braking = take(camera, 1, truth(500.0, UPRIGHT)), take(camera, 2, truth(500.0, (0.0, -0.6, 0.0, 0.8)))
    assert (upright.valid, upright.head) == (True, 1)
    assert (braking.valid, braking.head) == (True, 0)
    high, overturned = take(camera, 3, truth(20_001.0, UPRIGHT)), take(camera, 4, truth(500.0, (1.0, 0.0, 0.0, 0.0)))
    landed = take(camera, 5, truth(0.0, UPRIGHT))
    for message in (high, overturned, landed):
        assert (message.valid, message.status, message.data.size) == (False, type(message).OFF, 0)


def with_fault(fault: str) -> Camera:
    """The nominal camera with a fault."""
    mission = resolve("nominal", 1, {"camera": "descent"}, {"scenario.faults": f"[{{subject: camera, {fault}}}]"})
    return Camera(mission, mare(605))


def test_a_stuck_camera_gives_its_last_image_as_if_it_were_new() -> None:
    camera = with_fault("kind: stuck, at_s: 2.0, duration_s: 1.5")
    frames = [take(camera, second, truth(900.0 - 50.0 * second, UPRIGHT)) for second in (1, 2, 3, 4)]
    assert np.array_equal(frames[0].data, frames[1].data)
    assert np.array_equal(frames[0].data, frames[2].data)
    assert stamp_ns(frames[2]) == 3 * 10**9
    assert not np.array_equal(frames[0].data, frames[3].data)


def test_a_dark_camera_sees_less_until_its_exposure_makes_up_for_it() -> None:
    camera = with_fault("kind: dark, below_m: 885.0, light_fraction: 0.02")
    frames = [take(camera, second, truth(900.0 - 10.0 * second, UPRIGHT)) for second in range(1, 8)]
    assert frames[1].data.mean() < 0.1 * frames[0].data.mean()
    assert frames[6].exposure_s == camera._parameters.exposure.longest_s
