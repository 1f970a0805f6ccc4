"""Navigation with fixes of the camera: late, over a displaced map, wrong, and without the rangefinder."""

from __future__ import annotations

import numpy as np
import pytest
from fix_samples import POSITION_M, FixSource, carried, fix_belief, fix_processor, pose_covariance
from navigation_samples import STEP_NS, Hover, level_map, step
from scipy.stats import chi2

from lander_common.mission import Mission, resolve
from lander_flight import error_state as es
from lander_flight import strapdown as sd
from lander_flight.fix_gate import FixGate, FixGateParameters, FixInnovation
from lander_flight.fix_processor import shared_tilt
from lander_flight.fix_update import Pose, measure, measure_place, turn
from lander_flight.inertial_filter import InertialFilter
from lander_flight.range_gate import Verdict
from lander_runtime.messages import NavigationState, time_message, zeros
from lander_terrain.parameters import TerrainParameters
from lander_terrain.terrain import Terrain
from lander_tools.navigation_trial import NavigationTrial, Record
from lander_tools.reference_descent import matrix

Array = np.ndarray
LEVER = np.array(POSITION_M) - [0.0, 0.0, 0.9]
BEHIND = np.array([40.0, -60.0, 35.0, 0.1, -0.05, 0.08])


def far_nav() -> Array:
    """A state 200 km short of the target with every sensor error set."""
    site = resolve("nominal", 1, {"map": "flat"}).site_frame
    r, v = site.to_mci(np.array([-30e3, -200e3, 3e3]), np.array([200.0, 1300.0, -40.0]), 77.0)
    nav = np.zeros(sd.NAV_SIZE)
    nav[:3], nav[3:6], nav[6:10] = r, v, np.array([0.1, -0.3, 0.5, 0.8]) / np.sqrt(0.99)
    nav[sd.SCENE :] = (3.0, -2.0, 4.0, 8.0, -5.0, 3e-4, -2e-4, 1e-4)
    return nav


def test_the_rows_of_a_fix_agree_with_finite_differences() -> None:
    site, nav = resolve("nominal", 1, {"map": "flat"}).site_frame, far_nav()
    R_site_body = site.R_mci_site(77.0).T @ np.array(es.body_axes(nav)).T
    pose = Pose(np.array([-30e3, -200e3, 3e3]), R_site_body, np.eye(6))
    rows = measure(nav, pose, LEVER, site, 77.0).rows
    steps = np.ones(es.SIZE)
    steps[es.ATTITUDE : es.GYRO], steps[es.CAMERA :] = 1e-4, 1e-4
    for k in range(es.SIZE):
        change = []
        for sign in (1.0, -1.0):
            error, shifted = np.zeros(es.SIZE), nav.copy()
            error[k] = sign * steps[k]
            es.correct(shifted, error)
            change.append(measure(shifted, pose, LEVER, site, 77.0).innovation)
        numeric = (change[1] - change[0]) / (2.0 * steps[k])  # a larger state leaves a smaller innovation
        np.testing.assert_allclose(rows[:, k], numeric, atol=1e-3, err_msg=es.NAMES[k])


def test_a_displacement_is_turned_by_errors_of_attitude_and_mount() -> None:
    """Exact rotations of what is seen against the rows: 60 m at 1 mrad are 60 mm, of which the second order leaves 0.1."""
    site, nav, error = resolve("nominal", 1, {"map": "flat"}).site_frame, far_nav(), np.zeros(es.SIZE)
    error[es.ATTITUDE : es.GYRO], error[es.CAMERA :] = (4e-4, -7e-4, 5e-4), (-6e-4, 3e-4, 8e-4)
    error[: es.VELOCITY] = (3.0, -2.0, 5.0)
    true, moved_site = nav.copy(), np.array([12.0, -5.0, -60.0])
    es.correct(true, error)
    R_mci_site, R_mci_body, R_true = site.R_mci_site(77.0), *(np.array(es.body_axes(each)).T for each in (nav, true))
    later = nav.copy()
    later[:3] += R_mci_site @ moved_site
    in_camera = (R_true @ turn(true[sd.CAMERA :])).T @ R_mci_site @ moved_site
    seen_site = R_mci_site.T @ R_mci_body @ in_camera
    now, now_rows = measure_place(later, LEVER, site, 77.0, seen_site)
    then, then_rows = measure_place(nav, LEVER, site, 77.0, np.zeros(3))
    innovation = seen_site - (now - then)
    np.testing.assert_allclose(innovation, (now_rows - then_rows) @ error, atol=2e-4)
    assert np.linalg.norm(innovation) > 0.02


def test_errors_in_view_decay_over_what_it_moves_aside_and_what_it_shrinks_by() -> None:
    processor = fix_processor(resolve("nominal", 1, {"map": "flat"}))
    filter_ = InertialFilter(far_nav(), np.eye(es.SIZE), 0.0, np.zeros(5), 10)
    fix = zeros("lander_interfaces/msg/TrnFix")
    fix.posting_m = fix.zone_spacing_m = 2.0
    lower = 1000.0 - 40.0 * 500.0 / 512.0  # the side of the view is 512/500 of the height
    for up, east in ((1000.0, 0.0), (lower, 30.0)):
        fix.r_camera_site, fix.scene_map_m = np.array([0.0, 0.0, up]), np.array([east, 0.0])
        processor._fade(filter_, fix)
        if not east:
            filter_.nav[sd.SCENE : sd.ZONE] = 1.0
    reach = 2.0 * fix_belief(resolve("nominal", 1)).detail_correlation
    left = np.exp(-np.array([50.0, 50.0, 30.0]) / reach)
    np.testing.assert_allclose(filter_.nav[sd.SCENE : sd.ZONE], left, rtol=1e-6)


def test_a_view_that_shrinks_by_a_part_renews_its_mean_as_one_that_moves_by_that_part() -> None:
    """Means over a field of independent cells: of 64 x 64, of the middle 56 x 56, and of 64 x 64 that lie 8 aside."""
    field = np.random.default_rng(1).standard_normal((2000, 64, 72), np.float32)
    whole, shrunk, aside = field[:, :, :64], field[:, 4:60, 4:60], field[:, :, 8:]
    means = np.array([part.mean(axis=(1, 2)) for part in (whole, shrunk, aside)])
    np.testing.assert_allclose(np.corrcoef(means)[0, 1:], 1.0 - 8.0 / 64.0, atol=0.03)  # 5 sigma of 2000 samples


def test_fixes_that_share_their_tilt_hold_what_a_markov_sequence_tells_of_its_mean() -> None:
    """Against the inverse of the whole covariance of 12 samples; position about a given attitude stays as it was."""
    moved, covariance = 0.3, pose_covariance(500.0)
    sequence = np.exp(-moved * np.abs(np.subtract.outer(np.arange(12), np.arange(12))))
    exact = np.ones(12) @ np.linalg.solve(sequence, np.ones(12))
    further = covariance + shared_tilt(covariance, moved)
    share = covariance[3:, 3:] @ np.linalg.inv(further[3:, 3:])
    np.testing.assert_allclose(1.0 + 11.0 * share, exact * np.eye(3) + (1.0 - np.eye(3)), atol=1e-9)
    np.testing.assert_allclose(shared_tilt(covariance, np.inf), 0.0, atol=1e-30)
    own = [np.linalg.inv(np.linalg.inv(each)[:3, :3]) for each in (covariance, further)]
    np.testing.assert_allclose(own[1], own[0], rtol=1e-6, atol=1e-12)


def test_map_axes_of_the_samples_are_those_of_the_filter() -> None:
    """Two derivations: rotation about one axis here, the closed form of `geometry.local_axes` there."""
    site, nav = resolve("nominal", 1, {"map": "flat"}).site_frame, far_nav()
    rows = measure(nav, Pose(np.zeros(3), np.eye(3), np.eye(6)), np.zeros(3), site, 77.0).rows
    up = site.R_mci_site(77.0).T @ nav[:3] / np.linalg.norm(nav[:3])
    np.testing.assert_allclose(carried(up), -rows[:3, es.SCENE : es.ZONE], atol=1e-12)


def test_late_fixes_give_what_batch_least_squares_gives() -> None:
    """Free fall, no process noise: the filter with fixes 0.5 s late against one solution over all of them, to first order."""
    random = np.random.default_rng(4)
    nav, sigmas = far_nav(), np.full(es.SIZE, 1e-9)
    nav[10:] = 0.0
    sigmas[:9] = [50.0] * 3 + [0.5] * 3 + [1e-4] * 3
    filter_ = InertialFilter(nav.copy(), np.diag(sigmas**2), 77.0, np.zeros(5), 600)
    truth = InertialFilter(nav.copy(), np.eye(es.SIZE), 77.0, np.zeros(5), 600)
    linear = InertialFilter(nav.copy(), np.eye(es.SIZE), 77.0, np.zeros(5), 600)
    error = 0.01 * sigmas * random.standard_normal(es.SIZE)
    es.correct(truth.nav, error)
    site, phi = resolve("nominal", 1, {"map": "flat"}).site_frame, np.eye(es.SIZE)
    covariance = np.diag([4.0, 9.0, 1.0, 1e-8, 4e-8, 1e-8])
    root = np.linalg.cholesky(covariance)
    information, vector = np.diag(sigmas**-2.0), np.zeros(es.SIZE)
    pending: list[tuple[int, Pose]] = []
    theta, fall = np.array([1e-3, -5e-4, 2e-4]), np.zeros(3)
    for k in range(1, 501):
        for each in (filter_, truth, linear):
            each.advance(theta, fall, 0.02)
        sums = linear.sums.copy()
        phi_step = np.eye(es.SIZE)
        phi_step[: es.DYNAMIC, : es.DRIVING] = es.transition(sums, linear.nav[:3])
        linear.sums[:] = 0.0
        phi = phi_step @ phi
        if k % 50 == 0 and k < 500:
            zero = Pose(np.zeros(3), np.eye(3), covariance)
            true, seen = measure(truth.nav, zero, LEVER, site, truth.time_s), None
            noise = root @ random.standard_normal(6) * 0.01
            R = _turned(truth, site)
            pose = Pose(-true.innovation[:3] + noise[:3], _small(noise[3:]) @ R, covariance)
            pending.append((k + 25, pose))
            seen = measure(linear.nav, pose, LEVER, site, linear.time_s)
            H = np.linalg.solve(root, seen.rows @ phi)
            information += H.T @ H
            vector += H.T @ np.linalg.solve(root, seen.innovation)
        if pending and pending[0][0] == k:
            _use_late(filter_, pending.pop(0)[1], root, site)
    filter_.carry()
    batch = phi @ np.linalg.solve(information, vector)
    found = (filter_.nav - linear.nav)[:6]
    np.testing.assert_allclose(found[:3], batch[:3], atol=1e-3)
    np.testing.assert_allclose(found[3:], batch[3:6], atol=1e-4)
    P = phi @ np.linalg.inv(information) @ phi.T
    np.testing.assert_allclose(np.sqrt(np.diag(filter_.P))[:9], np.sqrt(np.diag(P))[:9], rtol=1e-3)


def _turned(filter_: InertialFilter, site: object) -> Array:
    R = np.array(es.body_axes(filter_.nav)).T
    return site.R_mci_site(filter_.time_s).T @ R  # type: ignore[attr-defined]


def _small(angle: Array) -> Array:
    X = np.array([[0.0, -angle[2], angle[1]], [angle[2], 0.0, -angle[0]], [-angle[1], angle[0], 0.0]])
    return np.eye(3) + X + 0.5 * X @ X


def _use_late(filter_: InertialFilter, pose: Pose, root: Array, site: object) -> None:
    filter_.carry()
    walked = filter_.back(0.5)
    assert walked is not None
    past, sums = walked
    found = measure(past, pose, LEVER, site, filter_.time_s - 0.5)  # type: ignore[arg-type]
    rows = np.array([es.backwards(row, sums, filter_.nav[:3]) for row in found.rows])
    filter_.update_all(np.linalg.solve(root, rows), np.linalg.solve(root, found.innovation))


class FixedHover(Hover):
    """A hover with fixes instead of ranges."""

    def __init__(self, late_s: float = 0.4, error: Array = BEHIND) -> None:
        super().__init__(error=error)
        self.navigation._fixes = fix_processor(self.mission)
        self.source = FixSource(self.mission, 0.0, posting_m=1.0, late_s=late_s)

    def fly_on_fixes(self, ticks: int) -> NavigationState:
        for _ in range(ticks):
            tick, imu = self.move()
            fix = self.source.look(tick, self.lander, self.navigation.com_body())
            state = step(self.navigation, tick, imu, None, fix)["navigation_state"]
        return state


@pytest.mark.parametrize("late_s", [0.1, 0.4, 1.5])
def test_fixes_correct_position_and_velocity_however_late(late_s: float) -> None:
    hover = FixedHover(late_s)
    state = hover.fly_on_fixes(2000)
    error = hover.error()
    assert np.linalg.norm(error[:3]) < 4.0 * np.linalg.norm(state.r_sigma_site_m)
    assert np.linalg.norm(error[3:]) < 4.0 * np.linalg.norm(state.v_sigma_site_m_s) < 0.4
    assert state.trn_verdict == NavigationState.ACCEPTED
    assert state.trn_age_s < 1.0 + late_s + 0.05


def test_one_wrong_fix_is_rejected_and_leaves_no_trace() -> None:
    spoiled, starved = FixedHover(), FixedHover()
    for each in (spoiled, starved):
        each.fly_on_fixes(530)
    spoiled.source.spoil, starved.source.blind = np.array([0.0, 60.0, 0.0]), True
    states = [each.fly_on_fixes(45) for each in (spoiled, starved)]  # one image at tick 550, its fix at 570
    assert states[0].trn_verdict == NavigationState.REJECTED
    np.testing.assert_array_equal(states[0].r_lander_mci, states[1].r_lander_mci)


def test_fixes_that_keep_agreeing_are_believed_again() -> None:
    hover = FixedHover()
    hover.fly_on_fixes(520)
    hover.lander.r_mci = hover.lander.r_mci + np.array([150.0, -100.0, 80.0])  # the filter is wrong all at once
    verdicts = [hover.fly_on_fixes(50).trn_verdict for _ in range(10)]
    assert verdicts[:3] == [NavigationState.REJECTED] * 3
    assert verdicts[-1] == NavigationState.ACCEPTED
    assert np.linalg.norm(hover.error()[:3]) < 10.0


def test_fixes_without_a_camera_are_not_used() -> None:
    hover = Hover()
    source = FixSource(hover.mission, 0.0)
    tick, imu = hover.move()
    fix = source._fix(tick.stamp_ns, hover.lander, hover.navigation.com_body())
    state = step(hover.navigation, tick, imu, None, fix)["navigation_state"]
    assert state.trn_verdict == NavigationState.NOT_USED


GATE = FixGateParameters(
    accept_nis=22.5,
    reject_nis=90.0,
    readmit_fixes=4,
    readmit_scatter_sigma=5.0,
    readmit_rate_m_s=10.0,
    readmit_window_s=12.0,
    vouch_s=3.0,
)


def innovation(time_s: float, value: float = 100.0, nis: float = 500.0, vouched: bool = False) -> FixInnovation:
    return FixInnovation(time_s, np.array([0.0, 0.0, value]), np.ones(3), nis, vouched)


def test_the_gate_never_latches_and_a_vouched_height_holds() -> None:
    gate = FixGate(GATE)
    verdicts = [gate.judge(innovation(100.0 + t, vouched=True)).verdict for t in range(8)]
    assert set(verdicts) == {Verdict.REJECTED}
    assert gate.judge(innovation(108.0)).verdict is Verdict.DEWEIGHTED  # the rangefinder has fallen silent


@pytest.mark.parametrize("values", [(100.0, 140.0, 90.0, 120.0), (100.0, 120.0, 140.0, 160.0)])
def test_scattered_or_fast_drifting_fixes_are_not_readmitted(values: tuple[float, ...]) -> None:
    gate = FixGate(GATE)
    verdicts = {gate.judge(innovation(100.0 + t, value)).verdict for t, value in enumerate(values)}
    assert verdicts == {Verdict.REJECTED}


# Whole descents, over another ground, with another map and other errors for each seed.

RUNS = 6
TICK_S = 0.2
SAMPLES_S = (300.0, 420.0, 500.0, 600.0, 680.0, 720.0, 775.0)
RISK = 1e-3


def ground_mission(seed: int) -> Mission:
    return resolve("nominal", seed, {"map": "flat", "terrain": "flat"}, {"site.ground_seed": str(seed)})


def descent(seed: int) -> NavigationTrial:
    """No rangefinder at all: everything comes from the camera."""
    mission = ground_mission(seed)
    terrain = Terrain.build(mission.part("terrain", TerrainParameters), mission.site, mission.site.ground_seed)
    trial = NavigationTrial(mission, terrain, level_map(), TICK_S, FixSource(mission, 15.0), ranges=False)
    trial.navigation._fixes = fix_processor(mission)
    return trial


@pytest.fixture(scope="module")
def records() -> list[Record]:
    return [descent(seed).run(sample_s=1.0) for seed in range(1, RUNS + 1)]


@pytest.mark.slow
def test_nees_on_fixes_alone_is_inside_its_chi_square_bounds(records: list[Record]) -> None:
    nees = np.array([record.nees()[np.searchsorted(record.time_s, SAMPLES_S)] for record in records])
    low, high = chi2.ppf([RISK / len(SAMPLES_S), 1.0 - RISK / len(SAMPLES_S)], RUNS * 9)
    total = nees.sum(axis=0)
    assert np.all((total > low) & (total < high)), (total / RUNS, low / RUNS, high / RUNS)


@pytest.mark.slow
def test_nis_of_fixes_is_inside_its_chi_square_bounds(records: list[Record]) -> None:
    nis = np.concatenate([record.fix_nis for record in records])
    low, high = chi2.ppf([RISK, 1.0 - RISK], 6 * nis.size) / nis.size
    assert nis.size > 4000
    assert low < float(np.mean(nis)) < high


@pytest.mark.slow
def test_altitude_and_velocity_hold_without_a_rangefinder(records: list[Record]) -> None:
    for record in records:
        true, estimated, sigma = record.altitude[-1]
        assert abs(true - estimated) < 4.0 * sigma
        assert np.linalg.norm(record.error[-1][3:6]) < 0.2


def test_displacements_between_late_images_correct_the_velocity() -> None:
    """Nothing but displacements, each known 0.4 s after the second image: velocity comes right, position stays as wrong as it was."""
    hover = FixedHover(error=np.array([0.0, 0.0, 0.0, 0.15, -0.1, 0.1]))
    random, places = np.random.default_rng(3), {}
    for _ in range(1500):
        tick, imu = hover.move()
        R = hover.mission.site_frame.R_mci_site(tick.time_s).T
        lever = matrix(hover.lander.q_mci_body) @ (np.array(POSITION_M) - hover.navigation.com_body())
        places[tick.seq] = R @ (hover.lander.r_mci + lever)
        fix = None
        if tick.seq % 50 == 20 and tick.seq > 100:
            fix = zeros("lander_interfaces/msg/TrnFix")
            images = tick.seq - 70, tick.seq - 20
            fix.moved, fix.moved_since = True, time_message(images[0] * STEP_NS)
            fix.time_of_validity = time_message(images[1] * STEP_NS)
            moved = places[images[1]] - places[images[0]]
            fix.displacement_site = moved + 0.05 * random.standard_normal(3)
            fix.displacement_covariance = (0.05**2 * np.eye(3)).ravel()
        state = step(hover.navigation, tick, imu, None, fix)["navigation_state"]
    assert np.linalg.norm(hover.error()[3:]) < 4.0 * np.linalg.norm(state.v_sigma_site_m_s) < 0.1
    assert np.all(state.v_sigma_site_m_s < 0.03)
    assert state.trn_verdict == NavigationState.NOT_USED
