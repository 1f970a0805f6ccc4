"""The error budget of navigation: which source of error gives how much of what is left at touchdown.

Linear covariance analysis (Geller 2006) along the reference descent: the navigation filter itself flies, its covariance is kept apart
by source, and its gains act on all of them alike. The sum over the sources is the filter's own covariance, to rounding.
`python -m lander_tools.error_budget` prints the table of docs/error-budget.md.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from math import exp

import click
import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission, resolve
from lander_common.onboard_map import OnboardMap
from lander_flight import error_state as es
from lander_flight import range_update as ru
from lander_flight.inertial_filter import InertialFilter, new_state
from lander_flight.navigation import Navigation
from lander_flight.navigation_parameters import rangefinder_mount
from lander_flight.range_processor import mount_table
from lander_runtime.messages import ImuIncrements, Message, RangeMeasurement, time_message
from lander_runtime.subsystem import Inputs, Tick
from lander_sensors.rangefinder import RangefinderParameters
from lander_tools.make_map import make_map
from lander_tools.reference_descent import PointLander, ReferenceGuidance, matrix, point_lander

Array = NDArray[np.float64]

# Sources of error: the states that hold each from the start.
INITIAL = {
    "initial position": slice(es.POSITION, es.VELOCITY),
    "initial velocity": slice(es.VELOCITY, es.ATTITUDE),
    "initial attitude": slice(es.ATTITUDE, es.GYRO),
    "gyro bias": slice(es.GYRO, es.ACCELEROMETER),
    "accelerometer bias": slice(es.ACCELEROMETER, es.RANGE),
    "rangefinder bias": slice(es.RANGE, es.THRUST),
    "accelerometer misalignment": slice(es.THRUST, es.THRUST + 2),
    "accelerometer scale factor": slice(es.THRUST + 2, es.MAP),
    "map heights": slice(es.MAP, es.SIGHT),
    "boresight": slice(es.SIGHT, es.REGISTER),
    "map registration": slice(es.REGISTER, es.SLOPE),
    "relief within the uncertainty": slice(es.SLOPE, es.SCENE),
}
DRIVEN = ("gyro noise and scale", "accelerometer noise", "free-fall calibration", "rangefinder noise")
_TICK_S = 0.1
_NEWTON_STEPS = 6
_LINK_RANGE_M = 15_000.0  # beyond it the rangefinder's margin over the mare is gone


class BudgetFilter(InertialFilter):
    """A filter that also keeps its covariance by source, in `parts`, shape (sources, 37, 37).

    `shares`: of the variance of every innovation of a range, by source; what is missing to 1 is the noise of that range.
    """

    def __init__(self, of: InertialFilter) -> None:
        super().__init__(of.nav, of.P, of.time_s, of.noise, len(of.history))
        self.names = (*INITIAL, *DRIVEN)
        self.parts = np.zeros((len(self.names), es.SIZE, es.SIZE))
        self.shares: list[Array] = []
        for k, states in enumerate(INITIAL.values()):
            self.parts[k, states, states] = self.P[states, states]

    def _part(self, name: str) -> Array:
        part: Array = self.parts[self.names.index(name)]
        return part

    def carry(self) -> None:
        """See the base; each source is carried, and the process noise goes to its own."""
        if self.lag_s <= 0.0:
            return
        sums, noise, before = self.sums.copy(), self.noise, self._turned
        phi = np.eye(es.SIZE)
        phi[: es.DYNAMIC, : es.DRIVING] = es.transition(sums, self.nav[:3])
        super().carry()
        self.parts = phi @ self.parts @ phi.T
        tau = sums[es.TAU]
        attitude = noise[es.WHITE_GYRO] * tau + noise[es.GYRO_PER_ANGLE] * (self._turned - before)
        _add(self._part("gyro noise and scale"), slice(es.ATTITUDE, es.GYRO), attitude)
        _add(self._part("accelerometer noise"), slice(es.VELOCITY, es.ATTITUDE), noise[es.WHITE_ACCELEROMETER] * tau)
        _add(self._part("gyro bias"), INITIAL["gyro bias"], noise[es.WALK_GYRO] * tau)
        _add(self._part("accelerometer bias"), INITIAL["accelerometer bias"], noise[es.WALK_ACCELEROMETER] * tau)

    def update(self, row: Array, innovation: float, noise_variance: float) -> None:
        """See the base; the noise of a range and that of a calibration are told apart by what they measure."""
        shared, variance = es.covered(self.P, row)
        gain = shared / (variance + noise_variance)
        ranged = np.any(row[: es.ATTITUDE])
        if ranged:
            self.shares.append(np.einsum("i,kij,j->k", row, self.parts, row) / (variance + noise_variance))
        kept = np.eye(es.SIZE) - np.outer(gain, row)
        self.parts = kept @ self.parts @ kept.T
        source = "rangefinder noise" if ranged else "free-fall calibration"
        self._part(source)[:] += noise_variance * np.outer(gain, gain)
        super().update(row, innovation, noise_variance)

    def fade(self, state: int, distance: float, correlation: float, variance: float) -> None:
        """See the base."""
        phi = exp(-distance / correlation)
        self.parts[:, state, :] *= phi
        self.parts[:, :, state] *= phi
        source = "map heights" if state < es.SIGHT else "relief within the uncertainty"
        self._part(source)[state, state] += (1.0 - phi * phi) * variance
        super().fade(state, distance, correlation, variance)


def _add(part: Array, states: slice, variance: float) -> None:
    indices = np.arange(es.SIZE)[states]
    part[indices, indices] += variance


@dataclass(frozen=True)
class Budget:
    """One-sigma errors at the end, by source; columns as COLUMNS says."""

    names: tuple[str, ...]
    sigmas: Array  # shape (sources, 5)
    total: Array  # of the filter itself, shape (5,)
    shares: Array  # of the variance of innovations, on average over the ranges, shape (sources,); zero without ranges


COLUMNS = (
    "velocity along, m/s",
    "velocity across, m/s",
    "velocity up, m/s",
    "position along, m",
    "position across, m",
)


def budget(mission: Mission, onboard_map: OnboardMap, ranges: bool) -> Budget:
    """Fly the reference descent without any error and analyse what errors would have done; with or without the rangefinder."""
    navigation = Navigation(mission, onboard_map)
    navigation.filter = kept = BudgetFilter(navigation.filter)
    guidance = ReferenceGuidance(mission.site_frame, mission.site.approach_azimuth_deg)
    shots = PerfectRangefinder(mission, onboard_map)
    for tick, lander in _perfect_descent(mission, guidance):
        shot = shots.shoot(tick, lander, kept.P) if ranges else None
        latest = {"imu_increments": _increments(tick, lander), "range": shot, "trn_fix": None, "throttle_command": None}
        navigation.step(tick, Inputs(latest, {key for key, message in latest.items() if message is not None}))
    kept.carry()
    directions = guidance.directions(kept.time_s)
    shares = np.mean(kept.shares, axis=0) if kept.shares else np.zeros(len(kept.names))
    return Budget(kept.names, _sigmas(kept.parts, directions), _sigmas(kept.P[None], directions)[0], shares)


def _sigmas(parts: Array, directions: Array) -> Array:
    along, left, up = directions.T
    columns = [(es.VELOCITY, along), (es.VELOCITY, left), (es.VELOCITY, up), (es.POSITION, along), (es.POSITION, left)]
    variances = [np.einsum("i,kij,j->k", axis, parts[:, s : s + 3, s : s + 3], axis) for s, axis in columns]
    return np.asarray(np.sqrt(np.maximum(np.array(variances).T, 0.0)))


def _perfect_descent(mission: Mission, guidance: ReferenceGuidance) -> Iterator[tuple[Tick, PointLander]]:
    lander, step_ns, seq = point_lander(mission), round(_TICK_S * 1e9), 0
    while lander.time_s < guidance.end_s:
        if seq:
            wanted = guidance.thrust(lander.r_mci, lander.v_mci, lander.time_s + 0.5 * _TICK_S)
            axes = guidance.attitude(lander.q_mci_body, wanted, lander.time_s + _TICK_S, _TICK_S)
            axis = matrix(axes)[:, 2]
            lander.step(max(0.0, float(axis @ wanted)) * axis, axes, _TICK_S)
        yield Tick(seq, seq * step_ns, step_ns if seq else 0), lander
        seq += 1


def _increments(tick: Tick, lander: PointLander) -> Message:
    return ImuIncrements(
        interval_ns=tick.step_ns,
        delta_v_body=lander.delta_v_body,
        delta_theta_body=lander.delta_theta_body,
        valid=True,
        saturated=False,
    )


class PerfectRangefinder:
    """Shots that agree with the map, so that next to nothing is corrected and only the covariance moves."""

    def __init__(self, mission: Mission, onboard_map: OnboardMap) -> None:
        self._parameters = mission.part("rangefinder", RangefinderParameters)
        self._mount = mount_table(rangefinder_mount(mission))
        self._site, self._map = mission.site_frame, onboard_map
        self._com = np.array(mission.vehicle.mass.dry_com_m)

    def shoot(self, tick: Tick, lander: PointLander, P: Array) -> Message | None:
        """A shot along the beam that is nearest to the vertical; None where the ground is too far or too near."""
        nav = new_state(lander.r_mci, lander.v_mci, lander.q_mci_body)
        up = matrix(lander.q_mci_body).T @ (lander.r_mci / np.linalg.norm(lander.r_mci))
        beam = int(np.argmax(-self._mount[:, ru.MOUNT_AXIS : ru.MOUNT_AXIS + 3] @ up))
        length = self._length(nav, P, beam, tick.time_s)
        if not self._parameters.minimum_range_m <= length <= _LINK_RANGE_M:
            return None
        sigma = self._parameters.noise_floor_m + self._parameters.noise_per_range * length
        valid_at = time_message(tick.stamp_ns)
        return RangeMeasurement(
            time_of_validity=valid_at, valid=True, status=0, beam=beam, range_m=length, sigma_m=sigma, signal_db=1.0
        )

    def _length(self, nav: Array, P: Array, beam: int, time_s: float) -> float:
        """Newton's method on the clearance of the beam's end."""
        length = float(np.linalg.norm(nav[:3])) - self._site.radius_m
        placed = (
            self._com,
            self._site.R_mcmf_site,
            time_s,
            self._site.radius_m,
            self._map.table,
            self._map.values,
            1.0,
        )
        for _ in range(_NEWTON_STEPS):
            _, found = ru.measure(nav, P, self._mount[beam], beam, *placed, length)
            length -= float(found[ru.CLEARANCE] / found[ru.PER_RANGE])
        return length


def table(inertial: Budget, ranged: Budget) -> str:
    """Both budgets as a table in Markdown."""
    head = "| source | " + " | ".join(f"{column}" for column in COLUMNS) + " |"
    lines = [head, "|---|" + "---|" * len(COLUMNS)]
    rows = [*zip(inertial.names, inertial.sigmas, ranged.sigmas, strict=True), ("all", inertial.total, ranged.total)]
    for name, alone, with_ranges in rows:
        cells = (f"{_digits(a)} / {_digits(b)}" for a, b in zip(alone, with_ranges, strict=True))
        lines.append(f"| {name} | " + " | ".join(cells) + " |")
    return "\n".join(lines)


def _digits(value: float) -> str:
    return "0" if value < 5e-4 else f"{value:.3f}" if value < 1.0 else f"{value:.1f}"


@click.command()
@click.option("--scenario", default="nominal", show_default=True, help="Which vehicle, site, sensors and map.")
def main(scenario: str) -> None:
    """Print the error budget: each cell without / with the rangefinder."""
    mission = resolve(scenario, seed=1)
    onboard_map = make_map(mission)
    click.echo(table(budget(mission, onboard_map, ranges=False), budget(mission, onboard_map, ranges=True)))


if __name__ == "__main__":
    main()
