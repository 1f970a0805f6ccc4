"""Watches the truth for what ends a run: touchdown, crash, rest, or no time left."""

from __future__ import annotations

from math import cos, hypot, isnan, pi, sin

import numpy as np
from numpy.typing import NDArray

from lander_common.mission import Mission
from lander_common.mission_map import mission_target
from lander_runtime.messages import LandingResult, Message
from lander_terrain.terrain import Terrain
from lander_world.contact import BROKEN, LOAD
from lander_world.landing import (
    Motion,
    Verdict,
    excess,
    footprint_slope_deg,
    is_still,
    motion,
    perilune_height_m,
    verdict,
)
from lander_world.parameters import LandingLimits
from lander_world.report import R_SITE
from lander_world.vehicle_events import event
from lander_world.world import World

Array = NDArray[np.float64]

_AFTER_CRASH_S = 1.0  # the run goes on for this long, so that the record shows what became of it
_FOOTPRINT_POINTS = 8  # around the circle of the pads; and one in its middle
_NO_MOTION = Motion(0.0, 0.0, 0.0, 0.0)


class Judge:
    """Turns what the world does into events, and in the end into a result."""

    def __init__(self, mission: Mission, world: World, terrain: Terrain, limits: LandingLimits) -> None:
        self._world = world
        self._terrain = terrain
        self._limits = limits
        self._target_east_m, self._target_north_m, _ = mission_target(mission)
        self._pad_radius_m = mission.vehicle.legs.pad_radius_m
        self._time_limit_s = mission.start.time_limit_s
        self._loaded_kg = float(world.plant.tanks.sum())
        self._broken = 0
        self._touchdown: Motion | None = None
        self._touchdown_s = 0.0
        self._slope_deg = 0.0
        self._crash_s = 0.0
        self._crash = ""
        self._still_since_s: float | None = None
        self._given_up_s: float | None = None
        self._orbit = ""  # the safe one that the landing was given up for
        self.at_rest = False
        self.finished = False

    def watch(self, given_up: bool) -> list[Message]:
        """Events of the tick that has just been moved; may finish the run.

        `given_up`: the flight software is in its safe phase.
        """
        self._watch_orbit(given_up)
        events: list[Message] = []
        if self._touchdown is None and not isnan(self._world.plant.first_contact[0]):
            events += self._touch_down()
        if self._touchdown is not None:
            events += self._watch_legs() + self._watch_hull() + self._watch_rest()
        self.finished = self._is_over()
        return events

    def _watch_orbit(self, given_up: bool) -> None:
        """Since when the flight software has been content with an orbit that stays clear of the ground."""
        if not given_up or self._touchdown is not None:
            self._given_up_s = None
            return
        now_s, perilune_m = self._world.time_s, perilune_height_m(self._world.plant.state)
        self._given_up_s = now_s if self._given_up_s is None else self._given_up_s
        long_enough = now_s - self._given_up_s >= self._limits.orbit.quiet_s
        if long_enough and perilune_m >= self._limits.orbit.perilune_m:
            self._orbit = f"in an orbit that stays {perilune_m / 1000.0:.1f} km high"

    def _touch_down(self) -> list[Message]:
        contact = self._world.plant.first_contact
        self._touchdown_s = float(contact[0])
        self._touchdown = at = motion(contact[1:])
        self._slope_deg = self._footprint_slope_deg()
        text = (
            f"{at.vertical_speed_m_s:.2f} m/s down, {at.horizontal_speed_m_s:.2f} m/s across, "
            f"tilt {at.tilt_deg:.1f} deg, {at.rate_deg_s:.1f} deg/s, on a slope of {self._slope_deg:.1f} deg"
        )
        events = [event("first_contact", "lander", at.vertical_speed_m_s, text)]
        speeds = Motion(at.vertical_speed_m_s, at.horizontal_speed_m_s, 0.0, 0.0)
        beyond = excess(speeds, 0.0, self._limits.survivable)
        return events + (self._crashed(f"hit the ground at {', '.join(beyond)}", at) if beyond else [])

    def _watch_legs(self) -> list[Message]:
        pads = self._world.plant.ground.pads
        events: list[Message] = []
        if pads[:, BROKEN].sum() > self._broken:
            self._broken = int(pads[:, BROKEN].sum())
            for leg in np.flatnonzero(pads[:, BROKEN]):
                load = float(pads[leg, LOAD])
                if load > 0.0:
                    events.append(event("leg_broken", f"leg_{leg}", load, f"leg {leg} broke under {load:.0f} N"))
            events += self._crashed("a leg broke", motion(self._world.plant.state))
        return events

    def _watch_hull(self) -> list[Message]:
        if self._world.hull_contact < 0:
            return []
        now = motion(self._world.plant.state)
        if now.tilt_deg > self._limits.tipped_over_deg:
            return self._crashed(f"tipped over: the body touched the ground at a tilt of {now.tilt_deg:.0f} deg", now)
        return self._crashed("the body touched the ground", now)

    def _crashed(self, reason: str, moving: Motion) -> list[Message]:
        if self._crash:
            return []
        self._crash, self._crash_s = reason, self._world.time_s
        return [event("crash", "lander", moving.vertical_speed_m_s, f"m/s down: {reason}")]

    def _watch_rest(self) -> list[Message]:
        now = self._world.time_s
        if not is_still(motion(self._world.plant.state), self._limits):
            self._still_since_s, self.at_rest = None, False
            return []
        self._still_since_s = now if self._still_since_s is None else self._still_since_s
        if self.at_rest or now - self._still_since_s < self._limits.rest.settled_for_s:
            return []
        self.at_rest = True
        since = self._still_since_s - self._touchdown_s
        return [event("at_rest", "lander", since, f"still from {since:.1f} s after first contact")]

    def _is_over(self) -> bool:
        now = self._world.time_s
        if self._orbit:
            return True
        if self._crash:
            return now >= self._crash_s + _AFTER_CRASH_S
        if self._touchdown is not None:
            return now >= self._touchdown_s + self._limits.rest.after_s
        return now >= self._time_limit_s

    def _place(self) -> tuple[float, float, float]:
        x, y, z = self._world.report[R_SITE : R_SITE + 3].tolist()
        return self._terrain.to_map((x, y, z))

    def _footprint_slope_deg(self) -> float:
        """Slope of the terrain under the legs, deg."""
        e, n, _ = self._place()
        turns = [2.0 * pi * i / _FOOTPRINT_POINTS for i in range(_FOOTPRINT_POINTS)]
        places = [(e, n)] + [(e + self._pad_radius_m * cos(t), n + self._pad_radius_m * sin(t)) for t in turns]
        return footprint_slope_deg([self._terrain.height(*place) for place in places], places)

    def result(self) -> Message:
        """How the run ended; to be asked once it has finished."""
        now = motion(self._world.plant.state)
        slope_deg = self._footprint_slope_deg() if self._touchdown is not None else 0.0
        judged = self._verdict(now, slope_deg)
        at = self._touchdown or _NO_MOTION
        left_kg = float(self._world.plant.tanks.sum())
        e, n, _ = self._place()
        return LandingResult(
            outcome=judged.outcome,
            reason=judged.reason,
            touched_down=self._touchdown is not None,
            touchdown_time_s=self._touchdown_s,
            vertical_speed_m_s=at.vertical_speed_m_s,
            horizontal_speed_m_s=at.horizontal_speed_m_s,
            tilt_deg=at.tilt_deg,
            rate_deg_s=at.rate_deg_s,
            miss_m=hypot(e - self._target_east_m, n - self._target_north_m),
            slope_deg=self._slope_deg,
            altitude_error_m=0.0,
            rest_tilt_deg=max(now.tilt_deg - slope_deg, 0.0) if self._touchdown is not None else 0.0,
            propellant_used_kg=self._loaded_kg - left_kg,
            propellant_left_kg=left_kg,
        )

    def _verdict(self, now: Motion, slope_deg: float) -> Verdict:
        if self._crash:
            return Verdict("lost", f"crash: {self._crash}")
        if self._orbit:
            return Verdict("aborted_safe", self._orbit)
        if self._touchdown is None:
            return Verdict("lost", f"did not land within {self._time_limit_s:g} s")
        return verdict(self._touchdown, self._slope_deg, now, slope_deg, is_still(now, self._limits), self._limits)
