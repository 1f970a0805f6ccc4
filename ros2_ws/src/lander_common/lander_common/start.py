"""The nominal state at the start of a run, which the flight software believes and the truth is dispersed about."""

from __future__ import annotations

from dataclasses import dataclass
from math import acos, atan2, cos, pi, radians, sin, sqrt

import numpy as np

from lander_common.frames import OMEGA_MCI, Array, R_mci_mcmf
from lander_common.mission import Mission
from lander_common.moon import GM_M3_S2, REFERENCE_RADIUS_M
from lander_common.quaternion import Quaternion, from_axes


@dataclass(frozen=True)
class NominalStart:
    """State at stamp 0, and the plan of the deorbit burn (zero where the run starts after it)."""

    r_mci: Array  # m, shape (3,)
    v_mci: Array  # m/s, shape (3,)
    q_mci_body: Quaternion
    deorbit_time_s: float  # middle of the burn
    deorbit_delta_v_m_s: float  # against the velocity
    descent_time_s: float  # when the descent altitude is reached


def nominal_start(mission: Mission) -> NominalStart:
    """The start of a mission on two-body orbits.

    The descent orbit from apolune to perilune is laid so that at the descent altitude, going down, the lander is the
    given range short of the target and moves over the ground towards it. A deorbit start goes back on that ellipse to
    its apolune, and from there on the circle.
    """
    start = mission.start
    apolune, perilune = REFERENCE_RADIUS_M + start.apolune_m, REFERENCE_RADIUS_M + start.perilune_m
    a, e = 0.5 * (apolune + perilune), (apolune - perilune) / (apolune + perilune)
    r = REFERENCE_RADIUS_M + start.descent_altitude_m
    nu = -acos((a * (1.0 - e * e) / r - 1.0) / e)  # before perilune: going down
    deorbit = start.kind == "deorbit"
    coast_s = _time_from_apolune(a, e, nu)
    descent_time_s = start.lead_time_s + (coast_s if deorbit else 0.0)
    up, forward = _descent_axes(mission, descent_time_s, r, a, e, nu)
    if deorbit:
        v_circle = sqrt(GM_M3_S2 / apolune)
        v_apolune = sqrt(GM_M3_S2 * (2.0 / apolune - 1.0 / a))
        lead = v_circle / apolune * start.lead_time_s  # angle flown on the circle before the burn
        up, forward = _turned(up, forward, -(nu + pi) - lead)
        return NominalStart(
            apolune * up,
            v_circle * forward,
            _attitude(up, forward, 0.0),
            start.lead_time_s,
            v_circle - v_apolune,
            descent_time_s,
        )
    mean_motion = sqrt(GM_M3_S2 / a**3)
    nu_start = _true_anomaly(_mean_anomaly(e, nu) - mean_motion * start.lead_time_s, e)
    up, forward = _turned(up, forward, nu_start - nu)
    radius = a * (1.0 - e * e) / (1.0 + e * cos(nu_start))
    v_up, v_forward = _ellipse_velocity(a, e, nu_start)
    return NominalStart(
        radius * up,
        v_up * up + v_forward * forward,
        _attitude(up, forward, atan2(v_up, v_forward)),
        0.0,
        0.0,
        descent_time_s,
    )


def _descent_axes(mission: Mission, time_s: float, r: float, a: float, e: float, nu: float) -> tuple[Array, Array]:
    """Radial and forward unit vectors in mci at the descent altitude; the ground track then leads to the target."""
    R_mcmf_site = mission.site_frame.R_mcmf_site
    azimuth = radians(mission.site.approach_azimuth_deg)
    up_target = R_mcmf_site[:, 2]
    heading = R_mcmf_site @ np.array([sin(azimuth), cos(azimuth), 0.0])
    up, heading = _turned(up_target, heading, -mission.start.range_to_target_m / REFERENCE_RADIUS_M)
    R = R_mci_mcmf(time_s)
    up, heading = R @ up, R @ heading
    # The inertial velocity is that over the ground plus the Moon's rotation.
    _, v_forward = _ellipse_velocity(a, e, nu)
    v_horizontal = v_forward * heading + np.cross(OMEGA_MCI, r * up)
    return up, v_horizontal / np.linalg.norm(v_horizontal)


def _turned(up: Array, forward: Array, angle: float) -> tuple[Array, Array]:
    """The two axes carried forward by an angle in their plane, rad."""
    return cos(angle) * up + sin(angle) * forward, cos(angle) * forward - sin(angle) * up


def _ellipse_velocity(a: float, e: float, nu: float) -> tuple[float, float]:
    """Radial and transverse velocity, m/s, at true anomaly nu."""
    h = sqrt(GM_M3_S2 * a * (1.0 - e * e))
    return GM_M3_S2 / h * e * sin(nu), GM_M3_S2 / h * (1.0 + e * cos(nu))


def _mean_anomaly(e: float, nu: float) -> float:
    eccentric = 2.0 * atan2(sqrt(1.0 - e) * sin(0.5 * nu), sqrt(1.0 + e) * cos(0.5 * nu))
    return eccentric - e * sin(eccentric)


def _true_anomaly(mean: float, e: float) -> float:
    eccentric = mean
    for _ in range(20):  # Newton; converges in a few steps for the near-circular orbits here
        eccentric -= (eccentric - e * sin(eccentric) - mean) / (1.0 - e * cos(eccentric))
    return 2.0 * atan2(sqrt(1.0 + e) * sin(0.5 * eccentric), sqrt(1.0 - e) * cos(0.5 * eccentric))


def _time_from_apolune(a: float, e: float, nu: float) -> float:
    return (pi + _mean_anomaly(e, nu)) * sqrt(a**3 / GM_M3_S2)


def _attitude(up: Array, forward: Array, climb_angle: float) -> Quaternion:
    """Thrust axis (body z) against the velocity, body x up."""
    z_axis = -(cos(climb_angle) * forward + sin(climb_angle) * up)
    y_axis = np.cross(z_axis, up)
    y_axis /= np.linalg.norm(y_axis)
    x_axis = np.cross(y_axis, z_axis)
    x, y, z = (tuple(float(value) for value in axis) for axis in (x_axis, y_axis, z_axis))
    return from_axes(x, y, z)  # type: ignore[arg-type]
