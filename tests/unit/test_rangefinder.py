"""The rangefinder model against closed forms and its own configured statistics."""

from __future__ import annotations

from dataclasses import dataclass, replace
from math import acos, cos, degrees, erf, hypot, isnan, log10, nan, pi, radians, sin, sqrt
from typing import Any

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from lander_common.frames import SiteFrame
from lander_common.mission import Mission, Vector3, resolve
from lander_common.quaternion import from_axes, multiply
from lander_runtime.messages import RangeMeasurement, header_message, stamp_ns, zeros
from lander_runtime.subsystem import Inputs, Tick
from lander_sensors.lidar_link import LinkParameters, margin_db
from lander_sensors.rangefinder import Rangefinder, RangefinderParameters, cone

RADIUS_M = 1_734_800.0
NOISELESS = {
    "boresight_sigma_deg": "0.0",
    "noise_floor_m": "1.0e-9",
    "noise_per_range": "0.0",
    "quantum_m": "0.0",
    "latency_s": "0.0",
    "link.fading_sigma_db": "0.0",
    "link.dropout_probability": "0.0",
    "link.outlier_probability": "0.0",
}
TICK_NS = 100_000_000


@dataclass(frozen=True)
class SmoothGround:
    """A sphere through the origin of the site frame, equally bright everywhere."""

    radius_m: float
    reflectance: float

    def ray_range(self, origin_site: Vector3, direction_site: Vector3, max_range_m: float) -> tuple[float, float]:
        """First intersection with the sphere: the smaller root of |o + t d| = R, in a form without cancellation."""
        x, y, z = origin_site[0], origin_site[1], origin_site[2] + self.radius_m
        along = x * direction_site[0] + y * direction_site[1] + z * direction_site[2]
        above = x * x + y * y + origin_site[2] * (origin_site[2] + 2.0 * self.radius_m)  # |o|^2 - R^2
        discriminant = along * along - above
        if along >= 0.0 or discriminant < 0.0 or above < 0.0:
            return nan, nan
        root = sqrt(discriminant)
        distance = above / (root - along)
        return (distance, acos(min(1.0, root / self.radius_m))) if distance <= max_range_m else (nan, nan)

    def albedo(self, east_m: float, north_m: float) -> float:
        """The same everywhere."""
        return self.reflectance


def mission(seed: int = 1, **changes: str) -> Mission:
    settings = {key.replace("__", "."): value for key, value in changes.items()}
    return resolve("nominal", seed, settings={f"rangefinder.{key}": value for key, value in settings.items()})


def noiseless(seed: int = 1, **changes: str) -> Mission:
    return mission(seed, **{**{key.replace(".", "__"): value for key, value in NOISELESS.items()}, **changes})


def smooth(albedo: float = 0.15) -> SmoothGround:
    return SmoothGround(RADIUS_M, albedo)


def device(of: Mission, albedo: float = 0.15) -> Rangefinder:
    """A rangefinder over a smooth sphere of the site's radius."""
    return Rangefinder(of, SmoothGround(of.site_frame.radius_m, albedo))


def truth(frame: SiteFrame, height_m: float, thrust_elevation_deg: float, stamp: int = 10**9) -> Any:
    """The lander above the target, flying north, its thrust axis that much above the horizontal; body y is west."""
    c, s = cos(radians(thrust_elevation_deg)), sin(radians(thrust_elevation_deg))
    q_site_body = from_axes((0.0, s, c), (-1.0, 0.0, 0.0), (0.0, -c, s))
    message = zeros("lander_interfaces/msg/Truth")
    message.header = header_message(stamp, "mci")
    message.q_site_body[:] = q_site_body
    message.q_mci_body[:] = multiply(frame.q_mci_site(0.0), q_site_body)
    message.r_lander_site[:] = (0.0, 0.0, height_m)
    message.r_lander_mci[:] = frame.to_mci(np.array([0.0, 0.0, height_m]), np.zeros(3), 0.0)[0]
    message.altitude_m = height_m
    return message


def shoot(rangefinder: Rangefinder, state: Any) -> Any:
    tick = Tick(1, stamp_ns(state), TICK_NS)
    return rangefinder.step(tick, Inputs({"truth": state}, {"truth"}))["range"]


def shots(rangefinder: Rangefinder, state: Any, count: int) -> list[Any]:
    return [shoot(rangefinder, state) for _ in range(count)]


@given(height=st.floats(1.0, 30_000.0), off_nadir=st.floats(0.0, radians(50.0)))
def test_smooth_ground_gives_the_slant_range_of_the_law_of_cosines(height: float, off_nadir: float) -> None:
    distance, incidence = smooth().ray_range((0.0, 0.0, height), (0.0, sin(off_nadir), -cos(off_nadir)), 1e5)
    lift = RADIUS_M + height
    # The triangle of the Moon's centre, the device and the spot: its side at the spot is the radius.
    assert distance**2 + lift**2 - 2.0 * distance * lift * cos(off_nadir) == pytest.approx(RADIUS_M**2, rel=1e-14)
    assert sin(incidence) == pytest.approx(lift / RADIUS_M * sin(off_nadir), rel=1e-6, abs=1e-7)  # law of sines


def test_smooth_ground_is_missed_by_rays_that_look_up_or_fall_short() -> None:
    for direction, reach in (((0.0, 0.0, 1.0), 1e6), ((0.0, 0.0, -1.0), 99.0), ((0.0, 1.0, 0.0), 1e6)):
        assert isnan(smooth().ray_range((0.0, 0.0, 100.0), direction, reach)[0])


@pytest.mark.parametrize(("elevation_deg", "beam"), [(20.0, 0), (30.0, 0), (55.0, 0), (65.0, 1), (90.0, 1)])
def test_range_is_that_of_the_beam_nearest_to_the_vertical(elevation_deg: float, beam: int) -> None:
    of = noiseless()
    message = shoot(device(of), truth(of.site_frame, 3000.0, elevation_deg))
    mount = of.part("rangefinder", RangefinderParameters).mount
    x, _, z = mount.position_m
    e, off_nadir = radians(elevation_deg), radians(abs(elevation_deg - (30.0, 90.0)[beam]))
    height = 3000.0 + cos(e) * x + sin(e) * z
    lift = of.site_frame.radius_m + height
    root = sqrt(of.site_frame.radius_m**2 - (lift * sin(off_nadir)) ** 2)
    assert (message.valid, message.beam) == (True, beam)
    assert message.range_m == pytest.approx(lift * cos(off_nadir) - root, abs=1e-3)


LINK = LinkParameters(
    reference_range_m=10_000.0,
    reference_albedo=0.15,
    reference_margin_db=4.0,
    fading_sigma_db=0.0,
    dropout_probability=0.0,
    outlier_probability=0.0,
)


def test_link_margin_is_the_reference_margin_at_the_reference() -> None:
    assert margin_db(LINK, 10_000.0, 1.0, 0.15) == pytest.approx(4.0)


def test_first_range_at_893_m_instead_of_3_km_is_a_loss_of_10_5_db() -> None:
    # The published reading of the loss of Mission 2, computed from R^-2 in the project's notes.
    gain = margin_db(LINK, 893.0, 1.0, 0.15) - margin_db(LINK, 3000.0, 1.0, 0.15)
    assert gain == pytest.approx(10.5, abs=0.05)
    assert margin_db(LINK, 893.0, 1.0, 0.15) - margin_db(LINK, 10_000.0, 1.0, 0.15) == pytest.approx(21.0, abs=0.05)


@given(range_m=st.floats(10.0, 20_000.0), incidence=st.floats(0.0, 1.4), albedo=st.floats(0.05, 0.5))
def test_link_margin_falls_with_the_square_of_range_and_with_lambert(
    range_m: float, incidence: float, albedo: float
) -> None:
    base = margin_db(LINK, range_m, 1.0, albedo)
    assert base - margin_db(LINK, 2.0 * range_m, 1.0, albedo) == pytest.approx(20.0 * log10(2.0))
    assert base - margin_db(LINK, range_m, cos(incidence), albedo) == pytest.approx(-10.0 * log10(cos(incidence)))
    assert margin_db(LINK, range_m, 1.0, 2.0 * albedo) - base == pytest.approx(10.0 * log10(2.0))


def test_nothing_comes_back_from_black_or_from_behind() -> None:
    assert margin_db(LINK, 1000.0, 0.5, 0.0) == margin_db(LINK, 1000.0, -0.1, 0.15) < 0.0


@pytest.mark.parametrize("height_m", [9_000.0, 12_000.0, 15_000.0, 17_000.0])
def test_dropouts_follow_the_margin(height_m: float) -> None:
    of, count = mission(link__dropout_probability="0.0"), 1500
    messages = shots(device(of), truth(of.site_frame, height_m, 30.0), count)
    link = of.part("rangefinder", RangefinderParameters).link
    margin = margin_db(link, height_m, 1.0, 0.15)
    expected = 0.5 * (1.0 + erf(margin / link.fading_sigma_db / sqrt(2.0)))
    share = sum(message.valid for message in messages) / count
    # four standard errors of a share, and what a boresight error and the height of the mount change
    assert share == pytest.approx(expected, abs=4.0 * sqrt(expected * (1.0 - expected) / count) + 2e-3)


def test_reported_signal_scatters_about_the_margin_as_configured() -> None:
    of, count = mission(), 2000
    signals = np.array([message.signal_db for message in shots(device(of), truth(of.site_frame, 3000.0, 90.0), count)])
    link = of.part("rangefinder", RangefinderParameters).link
    assert np.mean(signals) == pytest.approx(margin_db(link, 3000.0, 1.0, 0.15), abs=4.0 * 1.5 / sqrt(count) + 0.01)
    assert np.std(signals) == pytest.approx(link.fading_sigma_db, rel=4.0 / sqrt(2.0 * count))


@pytest.mark.parametrize("height_m", [50.0, 1000.0, 8000.0])
def test_noise_has_the_stated_sigma_and_no_bias(height_m: float) -> None:
    of, count = mission(boresight_sigma_deg="0.0", link__outlier_probability="0.0"), 2000
    messages = [m for m in shots(device(of), truth(of.site_frame, height_m, 90.0), count) if m.valid]
    ranges = np.array([message.range_m for message in messages])
    parameters = of.part("rangefinder", RangefinderParameters)
    expected = height_m + parameters.mount.position_m[2]
    sigma = 0.5 + 0.0005 * expected
    assert messages[0].sigma_m == pytest.approx(sigma, abs=1e-6)
    quantisation = parameters.quantum_m**2 / 12.0
    assert np.std(ranges) == pytest.approx(sqrt(sigma**2 + quantisation), rel=4.0 / sqrt(2.0 * len(ranges)))
    assert np.mean(ranges) == pytest.approx(expected, abs=4.0 * sigma / sqrt(len(ranges)) + 1e-3)


def test_ranges_come_in_whole_quanta() -> None:
    of = mission(link__outlier_probability="0.0")
    ranges = np.array([message.range_m for message in shots(device(of), truth(of.site_frame, 500.0, 90.0), 200)])
    np.testing.assert_allclose(ranges / 0.15, np.rint(ranges / 0.15), atol=1e-6)


def test_outliers_are_as_many_as_configured_and_lie_before_the_echo() -> None:
    of, count = mission(link__outlier_probability="0.2", link__dropout_probability="0.0"), 2000
    ranges = np.array([message.range_m for message in shots(device(of), truth(of.site_frame, 3000.0, 90.0), count)])
    false = ranges < 3000.0 - 5.0 * 2.0
    expected = 0.2 * (3000.0 - 10.0 - 10.0) / (3000.0 - 10.0)  # uniform over the gate; the last 10 m are not told apart
    assert np.mean(false) == pytest.approx(expected, abs=4.0 * sqrt(0.2 * 0.8 / count))
    assert np.all(ranges[~false] < 3000.0 + 5.0 * 2.0)
    assert np.mean(ranges[false]) == pytest.approx(0.5 * (10.0 + 3000.0), abs=4.0 * 3000.0 / sqrt(12.0 * 0.2 * count))


def test_range_belongs_to_the_time_of_validity() -> None:
    of = noiseless(latency_s="0.03")
    state = truth(of.site_frame, 1000.0, 90.0)
    state.v_lander_site[2] = -60.0
    message = shoot(device(of), state)
    assert message.time_of_validity.sec * 10**9 + message.time_of_validity.nanosec == 10**9 - 30_000_000
    assert message.range_m == pytest.approx(1000.4 + 60.0 * 0.03, abs=1e-4)


def test_a_long_latency_reaches_back_into_the_history() -> None:
    of = noiseless(latency_s="0.45")
    rangefinder = device(of)
    for number in range(10):  # accelerating downwards: only the history can tell where it was
        time_s = 1.0 + 0.1 * number
        state = truth(of.site_frame, 1000.0 - 2.0 * time_s**2, 90.0, stamp=round(time_s * 1e9))
        state.v_lander_site[2] = -4.0 * time_s
        message = shoot(rangefinder, state)
    then = 1.9 - 0.45
    assert message.range_m == pytest.approx(1000.4 - 2.0 * then**2, abs=0.5 * 4.0 * 0.05**2 + 1e-3)


def test_turning_moves_the_beam_back_within_the_latency() -> None:
    of = noiseless(latency_s="0.05")
    state = truth(of.site_frame, 1000.0, 90.0)
    state.w_mci_body[:] = (0.0, -radians(10.0), 0.0)
    tilt = radians(10.0) * 0.05
    assert shoot(device(of), state).range_m == pytest.approx(1000.4 / cos(tilt), abs=0.05)


def test_below_the_minimum_range_there_is_no_valid_range() -> None:
    of = noiseless()
    message = shoot(device(of), truth(of.site_frame, 5.0, 90.0))
    assert (message.valid, message.status, message.range_m) == (False, RangeMeasurement.OUT_OF_RANGE, 0.0)


def test_high_above_there_is_no_return() -> None:
    of = noiseless()
    for height_m in (19_000.0, 100_000.0):
        message = shoot(device(of), truth(of.site_frame, height_m, 30.0))
        assert (message.valid, message.status) == (False, RangeMeasurement.NO_RETURN)


def test_without_truth_the_device_answers_that_nothing_came_back() -> None:
    of = mission()
    message = device(of).step(Tick(0, 0, 0), Inputs({"truth": None}, set()))["range"]
    assert not message.valid


def test_boresights_of_many_units_scatter_as_configured() -> None:
    units = 150
    of, angles = mission(), []
    beams = of.part("rangefinder", RangefinderParameters).mount.beams
    for seed in range(units):
        built = device(replace(of, seed=seed)).boresights_body
        angles += [acos(min(1.0, float(np.dot(b.direction, t)))) for b, t in zip(beams, built, strict=True)]
    rms = degrees(sqrt(np.mean(np.square(angles))))
    # two axes across each boresight; the third turns about it and does nothing
    assert rms == pytest.approx(0.1 * sqrt(2.0), rel=4.0 / sqrt(2.0 * 2 * 2 * units))


@dataclass(frozen=True)
class Bowl:
    """A paraboloid h = x^2 / (2 a) + y^2 / (2 b) below a device that looks straight down on it from its height."""

    a: float
    b: float

    def ray_range(
        self, origin_site: tuple[float, float, float], direction_site: tuple[float, float, float], max_range_m: float
    ) -> tuple[float, float]:
        x, y, z = direction_site
        quadratic = x * x / (2.0 * self.a) + y * y / (2.0 * self.b)
        root = 2.0 * origin_site[2] / (sqrt(z * z + 4.0 * quadratic * origin_site[2]) - z)
        return (root, 0.0) if root <= max_range_m else (nan, nan)

    def albedo(self, east_m: float, north_m: float) -> float:
        return 0.5


def test_a_large_footprint_gives_the_mean_over_the_spot() -> None:
    of = noiseless(divergence_mrad="20.0", mount__position_m="[0.0, 0.0, 0.0]")
    height, half_angle = 5000.0, 10e-3
    measured = shoot(Rangefinder(of, Bowl(9000.0, -30_000.0)), truth(of.site_frame, height, 90.0)).range_m
    radii = half_angle * np.sqrt((np.arange(200) + 0.5) / 200)  # equal areas
    turns = 2.0 * pi * np.arange(60) / 60
    bowl = Bowl(9000.0, -30_000.0)
    disc = [
        bowl.ray_range((0.0, 0.0, height), (r * np.cos(t), r * np.sin(t), -sqrt(1.0 - r * r)), 1e5)[0]
        for r in radii
        for t in turns
    ]
    assert abs(np.mean(disc) - height) > 0.05  # the relief within the spot matters
    assert measured == pytest.approx(np.mean(disc), abs=2e-3)


@given(x=st.floats(-1.0, 1.0), y=st.floats(-1.0, 1.0), z=st.floats(-1.0, -0.01))
def test_the_rays_of_a_spot_surround_the_boresight(x: float, y: float, z: float) -> None:
    axis = tuple(value / hypot(x, y, z) for value in (x, y, z))
    rays = np.array(cone((axis[0], axis[1], axis[2]), 1e-3))
    np.testing.assert_allclose(np.linalg.norm(np.cross(rays, axis), axis=1), 1e-3, rtol=1e-5)
    np.testing.assert_allclose(rays.mean(axis=0), axis, atol=1e-6)


# Altitude above the target and elevation of the thrust axis along a fuel-optimal descent (linear tangent steering at
# full thrust to 60 m/s down, 58 m/s forward at 3 km; computed once with the vehicle's mass and thrust), then the
# pitch-up and the terminal descent.
DESCENT = (
    (9808.0, 25.7),
    (8171.0, 26.5),
    (6514.0, 27.3),
    (4876.0, 28.0),
    (3302.0, 28.8),
    (2900.0, 40.0),
    (2700.0, 60.0),
    (2500.0, 80.0),
    (1000.0, 90.0),
    (20.0, 90.0),
)


@pytest.mark.parametrize(("height_m", "elevation_deg"), DESCENT)
def test_dark_mare_gives_ranges_from_10_km_down_through_the_pitch_up_to_the_ground(
    height_m: float, elevation_deg: float
) -> None:
    of, count = mission(), 400
    valid = sum(message.valid for message in shots(device(of), truth(of.site_frame, height_m, elevation_deg), count))
    assert valid >= 0.97 * count


def test_what_was_missed_does_not_change_later_noise() -> None:
    of = mission()
    seeing, blind = device(of), device(of)
    shots(seeing, truth(of.site_frame, 1000.0, 90.0), 20)
    shots(blind, truth(of.site_frame, 100_000.0, 90.0), 20)
    state = truth(of.site_frame, 500.0, 90.0, stamp=5 * 10**9)
    assert shoot(seeing, state) == shoot(blind, state)


def test_the_seed_decides_the_noise() -> None:
    ranges = []
    for seed in (1, 1, 2):
        of = mission(seed)
        ranges.append([message.range_m for message in shots(device(of), truth(of.site_frame, 1000.0, 90.0), 20)])
    assert ranges[0] == ranges[1] != ranges[2]


def test_the_missions_terrain_without_relief_gives_the_ranges_of_the_smooth_sphere() -> None:
    settings = {f"rangefinder.{key}": value for key, value in NOISELESS.items()}
    of = resolve("nominal", 1, choices={"terrain": "flat"}, settings=settings)
    for height_m, elevation_deg in DESCENT:
        state = truth(of.site_frame, height_m, elevation_deg)
        assert shoot(Rangefinder(of), state).range_m == pytest.approx(shoot(device(of), state).range_m, abs=2e-3)
