"""The description of a mission: which vehicle, site, terrain, start, sensors and flight software a run flies.

A run is described by a scenario, a seed and overrides; every process resolves the same files to the same description.
Shared parts are validated here; `sensors` and `flight` are handed out section by section to the packages that own them.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from functools import cached_property
from typing import Annotated, Any, Literal, TypeVar

from pydantic import Field

from lander_common.faults.checks import check
from lander_common.faults.injection import Injection
from lander_common.frames import SiteFrame
from lander_common.scenario import Scenario, choose_logic
from lander_runtime.config import ConfigError, Document, Parameters, did_you_mean, override, read_layered

Positive = Annotated[float, Field(gt=0)]
NonNegative = Annotated[float, Field(ge=0)]
Fraction = Annotated[float, Field(ge=0, le=1)]
Vector3 = tuple[float, float, float]


class Engine(Parameters):
    """A thruster: what it gives, and how fast."""

    thrust_n: Positive
    isp_s: Positive
    valve_delay_s: NonNegative  # from the command to the first thrust, and to the first loss of it
    rise_time_constant_s: NonNegative  # first-order build-up
    tail_off_time_constant_s: NonNegative  # first-order decay
    minimum_on_s: NonNegative


class MountedEngine(Engine):
    """An engine at its place."""

    position_m: Vector3  # in body
    direction: Vector3  # of the force on the vehicle, in body


class AssistRing(Engine):
    """Assist thrusters in a ring about the z axis, thrusting along +z."""

    count: Annotated[int, Field(ge=3)]
    radius_m: Positive
    height_m: float  # of the nozzles' line of action origin above the pads
    first_azimuth_deg: float  # of the first thruster from body x towards y


class Rcs(Engine):
    """Attitude thrusters in pairs."""

    thrusters: tuple[tuple[Vector3, Vector3], ...]  # position in body (m), direction of the force in body


class Legs(Parameters):
    """Landing legs, equally spaced."""

    count: Annotated[int, Field(ge=3)]
    pad_radius_m: Positive  # of the pads' circle
    first_azimuth_deg: float
    stroke_m: Positive  # of the shock absorber before it bottoms
    stiffness_n_m: Positive
    damping_n_s_m: NonNegative
    friction: NonNegative
    crush_force_n: Positive  # a leg breaks above this


class MassProperties(Parameters):
    """Mass, centre of mass and inertia. The body origin is the centre of the plane under the pads."""

    dry_kg: Positive  # everything but propellant
    dry_com_m: Vector3
    dry_inertia_kg_m2: Vector3  # principal, about the dry centre of mass, along the body axes
    tank_com_m: Vector3  # centre of the main propellant
    tank_gyration_radius_m: Positive  # of the propellant about its own centre
    unusable_propellant_kg: NonNegative
    rcs_tank_com_m: Vector3


class Tanks(Parameters):
    """Main propellant tanks and the RCS tank."""

    propellant_capacity_kg: Positive
    rcs_propellant_capacity_kg: Positive
    regulated_pressure_pa: Positive
    rcs_pressure_full_pa: Positive  # blow-down
    rcs_pressure_empty_pa: Positive
    gauge_sigma_kg: NonNegative


class Power(Parameters):
    """What the bus needs and what it has for payloads."""

    bus_power_w: Positive
    available_power_w: Positive
    descent_payload_power_w: NonNegative


class Vehicle(Parameters):
    """A lander."""

    name: str
    about: str
    mass: MassProperties
    main_engine: MountedEngine
    assist: AssistRing
    rcs: Rcs
    tanks: Tanks
    legs: Legs
    power: Power

    @property
    def full_thrust_n(self) -> float:
        """Main and all assist thrusters, N."""
        return self.main_engine.thrust_n + self.assist.count * self.assist.thrust_n

    @property
    def thruster_counts(self) -> dict[str, int]:
        """How many thrusters there are of each sort, by the words that scenarios use."""
        return {"main": 1, "assist": self.assist.count, "rcs": len(self.rcs.thrusters)}


class Site(Parameters):
    """A landing site."""

    name: str
    about: str
    latitude_deg: Annotated[float, Field(ge=-90, le=90)]
    longitude_deg: Annotated[float, Field(ge=-180, le=180)]
    elevation_m: float
    ground_seed: Annotated[int, Field(ge=0)]  # of the ground's details: every run flies over the same ground
    touchdown_utc: str  # planned, for the Sun
    approach_azimuth_deg: Annotated[float, Field(ge=0, lt=360)]  # heading over ground at the target, from north to east


class Start(Parameters):
    """Where a run begins. Orbit heights are above the reference sphere."""

    name: str
    kind: Literal["powered_descent", "deorbit"]
    apolune_m: Positive
    perilune_m: Positive
    descent_altitude_m: Positive  # where the powered descent may begin
    range_to_target_m: Positive  # along the ground, from there
    propellant_kg: Positive
    rcs_propellant_kg: Positive
    lead_time_s: NonNegative  # from the start of the run to the middle of the deorbit burn, or to the descent altitude
    time_limit_s: Positive  # the run is lost if it lasts longer


class Dispersions(Parameters):
    """One-sigma errors between what the flight software believes and what is."""

    name: str
    position_m: NonNegative
    velocity_m_s: NonNegative
    attitude_deg: NonNegative
    mass_fraction: NonNegative  # of the propellant-laden mass
    main_thrust_fraction: NonNegative
    assist_thrust_fraction: NonNegative  # common to all assist thrusters
    thruster_fraction: NonNegative  # of each thruster by itself
    thruster_direction_deg: NonNegative
    isp_fraction: NonNegative
    com_m: NonNegative


_KINDS: dict[str, type[Parameters]] = {"vehicle": Vehicle, "site": Site, "start": Start, "dispersions": Dispersions}
Part = TypeVar("Part", bound=Parameters)


@dataclass(frozen=True)
class Mission:
    """A resolved description of a run."""

    scenario: Scenario
    seed: int
    vehicle: Vehicle
    site: Site
    start: Start
    dispersions: Dispersions
    documents: Mapping[str, Document]  # every file as it was read, by kind

    @cached_property
    def site_frame(self) -> SiteFrame:
        """The site frame of this mission's site."""
        return SiteFrame(self.site.latitude_deg, self.site.longitude_deg, self.site.elevation_m)

    def part(self, kind: str, model: type[Part]) -> Part:
        """A file that another package owns, such as `part("navigation", NavigationParameters)`. Raises ConfigError."""
        if kind not in self.documents:
            known = list(self.documents)
            raise ConfigError(
                [f"scenario {self.scenario.name!r} names no {kind} in its parts{did_you_mean(kind, known)}"]
            )
        return self.documents[kind].parse(model)

    def faults_of(self, subject: str) -> tuple[Injection, ...]:
        """The faults of a subject, each with its window and its random stream, in the order of the scenario."""
        faults = enumerate(self.scenario.faults)
        return tuple(Injection(index, fault, self.seed) for index, fault in faults if fault.subject == subject)

    def resolved(self) -> dict[str, Any]:
        """The whole description as plain data, for the run folder."""
        return {"seed": self.seed, **{kind: document.data for kind, document in self.documents.items()}}


def resolve(
    scenario: str, seed: int, choices: Mapping[str, str] | None = None, settings: Mapping[str, str] | None = None
) -> Mission:
    """Read, override and validate what describes a run.

    `scenario` may also be the resolved.yaml that a run left: then nothing is read from config/, unless by `choices`.
    `choices` replace parts of the scenario (`{"vehicle": "apex1"}`; empty ones are ignored); `settings` replace single
    values (`{"navigation.range_gate.accept_sigma": "4"}`). Raises ConfigError with all mistakes of the first file that has any.
    """
    chosen = {kind: name for kind, name in (choices or {}).items() if name}
    changes = dict(settings or {})
    documents = _documents(read_layered("scenario", scenario), changes.pop("scenario.logic", None), chosen)
    document = documents["scenario"]
    for key, value in changes.items():
        _set(documents, key, value)
    missing = [kind for kind in _KINDS if kind not in documents]
    if missing:
        raise ConfigError([f"{document.path}: parts: {', '.join(missing)} missing: name a file under config/ for each"])
    parsed: dict[str, Any] = {kind: documents[kind].parse(model) for kind, model in _KINDS.items()}
    made = Mission(scenario=document.parse(Scenario), seed=seed, documents=documents, **parsed)
    check(document, made.scenario.faults, made.start.time_limit_s, made.vehicle.thruster_counts)
    return made


def _documents(file: Document, logic: str | None, choices: Mapping[str, str]) -> dict[str, Document]:
    """The scenario and every part that flies, by kind, from their files or from one file that holds them all."""
    complete = isinstance(file.data, Mapping) and isinstance(file.data.get("scenario"), Mapping)
    sections = [kind for kind in file.data if kind != "seed"] if complete else []
    documents = {kind: file.section(kind) for kind in sections} or {"scenario": file}
    parts = choose_logic(documents["scenario"], logic)
    to_read = {**(parts if logic or not complete else {}), **choices}
    documents["scenario"].data["parts"].update(choices)
    return documents | {kind: read_layered(kind, name) for kind, name in to_read.items()}


def _set(documents: Mapping[str, Document], key: str, value: str) -> None:
    kind, _, rest = key.partition(".")
    if kind not in documents:
        raise ConfigError(
            [f"--set {key}: begins with none of {', '.join(documents)}{did_you_mean(kind, list(documents))}"]
        )
    override(documents[kind], rest, value)
