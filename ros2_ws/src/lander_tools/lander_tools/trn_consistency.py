"""How honest navigation is with the camera in the loop: errors of flights against what the filter and the displacements state.

NEES is chi-square with 3 degrees of freedom for each of position and velocity (Bar-Shalom, Li and Kirubarajan 2001, section 5.4).
Samples of one flight hang together, so the bounds are of one sample a flight: the middle one of each band. All flights over one
ground share its map: for position that is one draw of the registration of each zone, however many flights there are.
"""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass, field

import click
import numpy as np
from numpy.typing import NDArray
from scipy.stats import chi2

from lander_common.camera_geometry import camera_geometry
from lander_common.mission import Mission, resolve
from lander_flight import error_state as es
from lander_flight.fix_update import rotation_matrix
from lander_runtime.messages import Message, stamp_ns, time_ns
from lander_runtime.subsystem import Tick
from lander_tools.fly import Flight, fly_mission
from lander_tools.markdown import table

Array = NDArray[np.float64]

BANDS_M = ((5000.0, 20000.0), (2000.0, 5000.0), (500.0, 2000.0), (100.0, 500.0), (20.0, 100.0), (5.0, 20.0))
AXES = 3
_RISK = 0.05  # of the bounds, both sides together
_STATES = {"position": slice(es.POSITION, es.VELOCITY), "velocity": slice(es.VELOCITY, es.ATTITUDE)}


@dataclass(frozen=True)
class Sample:
    """What was wrong at a time, and what the filter said."""

    altitude_m: float
    nees: dict[str, float]
    error: dict[str, float]  # length, m or m/s


@dataclass(frozen=True)
class Displacement:
    """A displacement between two images."""

    altitude_m: float
    error_m: Array  # measured less true, in site
    sigma_m: Array  # as stated


@dataclass
class Watch:
    """Observes a flight, and keeps samples of the camera's part of it."""

    mission: Mission
    samples: list[Sample] = field(default_factory=list)
    displacements: list[Displacement] = field(default_factory=list)

    def __post_init__(self) -> None:
        """Where the heads sit."""
        self._heads = [np.array(head.position_m) for head in camera_geometry(self.mission).heads]
        self._truth: Message | None = None
        self._state: Message | None = None
        self._stations: dict[int, tuple[Message, Array]] = {}  # time of an image -> truth, place of its head in site, m

    def observe(self, tick: Tick, key: str, message: Message, _data: bytes) -> None:
        """See `lander_runtime.inprocess.Observer`."""
        if key == "truth":
            self._truth = message
        elif key == "image" and message.valid and self._truth is not None:
            arm = self._heads[message.head] - self._truth.r_com_body
            place = self._truth.r_lander_site + rotation_matrix(self._truth.q_site_body) @ arm
            self._stations[tick.stamp_ns] = self._truth, place
        elif key == "navigation_state":
            self._state = message
        elif key == "navigation_filter" and self._stations:
            self._sample(message)
        elif key == "trn_fix" and message.moved:
            self._measure(message)

    def _sample(self, filter_: Message) -> None:
        truth, state = self._truth, self._state
        if truth is None or state is None or stamp_ns(state) != stamp_ns(filter_):
            return
        P = filter_.covariance.reshape(es.SIZE, es.SIZE)
        errors = {
            "position": truth.r_lander_mci - state.r_lander_mci,
            "velocity": truth.v_lander_mci - state.v_lander_mci,
        }
        nees = {name: nees_of(errors[name], P[states, states]) for name, states in _STATES.items()}
        self.samples.append(
            Sample(truth.altitude_m, nees, {name: float(np.linalg.norm(error)) for name, error in errors.items()})
        )

    def _measure(self, fix: Message) -> None:
        then, now = (self._stations.get(time_ns(time)) for time in (fix.moved_since, fix.time_of_validity))
        if then is None or now is None:
            return
        sigma = np.sqrt(np.diag(fix.displacement_covariance.reshape(3, 3)))
        error = fix.displacement_site - (now[1] - then[1])
        self.displacements.append(Displacement(now[0].altitude_m, error, sigma))


def nees_of(error: Array, covariance: Array) -> float:
    """Normalised estimation error squared."""
    return float(error @ np.linalg.solve(covariance, error))


def bounds(flights: int) -> tuple[float, float]:
    """Between which the mean of NEES over degrees of freedom lies, one independent sample a flight."""
    low, high = chi2.ppf([0.5 * _RISK, 1.0 - 0.5 * _RISK], AXES * flights) / (AXES * flights)
    return float(low), float(high)


def middle(samples: Sequence[Sample], band: tuple[float, float]) -> Sample | None:
    """The sample nearest to the middle of a band, on a logarithmic scale."""
    inside = within(samples, band)
    centre = np.log(band[0] * band[1]) / 2.0
    return min(inside, key=lambda sample: abs(np.log(sample.altitude_m) - centre), default=None)


def within(samples: Sequence[Sample], band: tuple[float, float]) -> list[Sample]:
    """Those of a band."""
    return [sample for sample in samples if band[0] <= sample.altitude_m < band[1]]


def consistency_table(flights: Sequence[Watch]) -> str:
    """NEES over degrees of freedom, by height."""
    rows = []
    for band in BANDS_M:
        every = [sample for flight in flights for sample in within(flight.samples, band)]
        chosen = [sample for sample in (middle(flight.samples, band) for flight in flights) if sample is not None]
        if not chosen:
            continue
        low, high = bounds(len(chosen))
        cells = [f"{band[0]:g} to {band[1]:g} m", f"{len(every)} of {len(chosen)}", f"{low:.2f} to {high:.2f}"]
        for name, unit in (("position", "m"), ("velocity", "m/s")):
            of_all, of_one = (np.mean([sample.nees[name] for sample in those]) / AXES for those in (every, chosen))
            length, most = np.percentile([sample.error[name] for sample in every], [50, 99])
            cells += [f"{of_one:.2f}", f"{of_all:.2f}", f"{length:.3g}, {most:.3g} {unit}"]
        rows.append(cells)
    head = ["height", "samples of flights", "bounds (95 %), one a flight"]
    for name in _STATES:
        head += [f"NEES/3 of {name}, one a flight", "all samples", "error, median and 99 %"]
    return table(head, rows)


def displacement_table(flights: Sequence[Watch]) -> str:
    """Errors of displacements in stated sigmas, and how much of one is left in the next."""
    rows = []
    for low, high in BANDS_M:
        runs = [[one for one in flight.displacements if low <= one.altitude_m < high] for flight in flights]
        scaled = [np.array([one.error_m / one.sigma_m for one in run]) for run in runs if len(run) > 1]
        if not scaled:
            continue
        errors = np.array([one.error_m for run in runs for one in run])
        square = np.concatenate(scaled) ** 2
        lagged = np.concatenate([run[1:] * run[:-1] for run in scaled])
        cells = [f"{low:g} to {high:g} m", str(len(errors))]
        cells += [", ".join(f"{1e3 * value:.0f}" for value in np.sqrt(np.mean(errors**2, axis=0)))]
        cells += [", ".join(f"{value:.2f}" for value in np.sqrt(square.mean(axis=0)))]
        cells += [", ".join(f"{value:.1f}" for value in lagged.mean(axis=0) / square.mean(axis=0))]
        rows.append(cells)
    head = (
        "height",
        "displacements",
        "rms, mm (east, north, up)",
        "rms over stated sigma",
        "correlation with the next",
    )
    return table(head, rows)


def landing(flight: Flight) -> str:
    """How a flight ended, in a few words."""
    result = flight.result
    if result is None:
        return "broken off"
    return f"{result.outcome}, {result.horizontal_speed_m_s:.2f} m/s across, {result.miss_m:.1f} m from the target"


@click.command()
@click.option("--scenario", default="nominal_trn", show_default=True)
@click.option("--seeds", default="1-10", show_default=True, help="First and last.")
@click.option("--grounds/--one-ground", help="Each flight over ground of its own, with maps of its own.")
def consistency(scenario: str, seeds: str, grounds: bool) -> None:
    """NEES of flights with the camera in the loop, and errors of displacements, by height."""
    first, _, last = seeds.partition("-")
    flights = []
    for seed in range(int(first), int(last or first) + 1):
        mission = resolve(scenario, seed, {}, {"site.ground_seed": str(seed)} if grounds else {})
        watch = Watch(mission)
        flight = fly_mission(mission, [watch.observe])
        flights.append(watch)
        click.echo(f"seed {seed}: {landing(flight)}; {flight.digest}", err=True)
    click.echo(f"{scenario}, {len(flights)} flights\n\n{consistency_table(flights)}\n\n{displacement_table(flights)}")
