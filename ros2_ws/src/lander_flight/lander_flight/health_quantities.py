"""What the health checks watch: one function for each check, named as its row in the table.

Each returns the value in the unit of its row, or None where it does not apply now.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from math import acos, degrees, exp, hypot, isfinite, sqrt
from typing import Any

import numpy as np

from lander_common.mission import Vehicle
from lander_common.moon import GM_M3_S2, STANDARD_GRAVITY_M_S2
from lander_common.quaternion import Vector
from lander_flight.health_monitors import LeakMonitor, PropellantMonitor, RangeMonitor, SilenceMonitor, ThrustMonitor
from lander_flight.health_parameters import Model
from lander_runtime.messages import NavigationState


@dataclass(slots=True)
class Situation:
    """What the checks look at: the newest message of each input, their ages, and the running models."""

    vehicle: Vehicle
    model: Model
    radius_m: float  # of the Moon at the target
    target_site: Vector  # the target that was chosen before flight
    thrust: ThrustMonitor
    propellant: PropellantMonitor
    leak: LeakMonitor
    silence: SilenceMonitor
    range_monitor: RangeMonitor
    sole_altimeter: bool  # nothing but the rangefinder tells the altitude
    ages_s: dict[str, float]
    imu_increments: Any = None
    range: Any = None
    navigation_state: Any = None
    guidance_command: Any = None
    throttle_command: Any = None
    vehicle_telemetry: Any = None


@dataclass(frozen=True, slots=True)
class Quantity:
    """How a watched value is computed, and which inputs must be fresh for it to mean anything."""

    needs: tuple[str, ...]
    value: Callable[[Situation], float | None]


QUANTITIES: dict[str, Quantity] = {}
_Function = Callable[[Situation], float | None]


def _quantity(*needs: str) -> Callable[[_Function], _Function]:
    def register(function: _Function) -> _Function:
        QUANTITIES[function.__name__] = Quantity(needs, function)
        return function

    return register


def _age(name: str, key: str) -> None:
    QUANTITIES[name] = Quantity((), lambda s: s.ages_s[key])


_age("imu_age", "imu_increments")
_age("range_age", "range")
_age("navigation_age", "navigation_state")
_age("guidance_age", "guidance_command")
_age("throttle_age", "throttle_command")
_age("telemetry_age", "vehicle_telemetry")


def _length(vector: Any) -> float:
    x, y, z = vector.tolist()
    return sqrt(x * x + y * y + z * z)


@_quantity("imu_increments")
def imu_self_test(s: Situation) -> float:
    """1 where the IMU reports a failure."""
    return float(not s.imu_increments.valid)


@_quantity("imu_increments")
def imu_saturation(s: Situation) -> float:
    """1 where an axis is saturated."""
    return float(s.imu_increments.saturated)


@_quantity("imu_increments")
def imu_rate(s: Situation) -> float | None:
    """Magnitude of the measured rate, deg/s."""
    interval_ns = s.imu_increments.interval_ns
    return degrees(_length(s.imu_increments.delta_theta_body)) / (interval_ns * 1e-9) if interval_ns else None


@_quantity("imu_increments")
def imu_acceleration(s: Situation) -> float | None:
    """Magnitude of the measured specific force, m/s2."""
    interval_ns = s.imu_increments.interval_ns
    return _length(s.imu_increments.delta_v_body) / (interval_ns * 1e-9) if interval_ns else None


@_quantity("imu_increments")
def imu_silence(s: Situation) -> float:
    """How many times in a row an axis of the IMU has said exactly zero."""
    return float(s.silence.longest)


@_quantity("imu_increments", "navigation_state")
def imu_replaced(s: Situation) -> float:
    """1 where navigation goes by the commanded thrust instead of the accelerometers."""
    replaced = s.navigation_state.imu_verdict == NavigationState.DEWEIGHTED
    return float(replaced and not s.imu_increments.saturated)


@_quantity("imu_increments", "throttle_command", "vehicle_telemetry")
def thrust_agreement(s: Situation) -> float:
    """Sensed less commanded acceleration along the thrust axis, as a fraction of the commanded one."""
    return s.thrust.disagreement


@_quantity("range", "navigation_state")
def range_dropouts(s: Situation) -> float | None:
    """Share of shots without a valid range."""
    return s.range_monitor.dropouts if s.range_monitor.expected else None


@_quantity("range", "navigation_state")
def range_link_margin(s: Situation) -> float | None:
    """Signal above the detection threshold, dB."""
    return s.range_monitor.margin_db if s.range_monitor.expected else None


@_quantity("navigation_state")
def range_lock(s: Situation) -> float | None:
    """Time without an accepted range where ranges are expected, s."""
    return s.range_monitor.without_s if s.range_monitor.expected else None


@_quantity("range", "navigation_state")
def range_innovation(s: Situation) -> float | None:
    """Range measured less predicted, in expected standard deviations."""
    navigation = s.navigation_state
    if not s.range.valid or navigation.range_innovation_sigma_m <= 0.0:
        return None
    return float(navigation.range_innovation_m / navigation.range_innovation_sigma_m)


@_quantity("range", "navigation_state")
def range_rejected(s: Situation) -> float | None:
    """1 where navigation rejects valid ranges."""
    return float(s.navigation_state.range_verdict == NavigationState.REJECTED) if s.range.valid else None


@_quantity("range", "navigation_state")
def range_scatter(s: Situation) -> float | None:
    """Scatter of the ranges over the standard deviation that is expected of them."""
    return s.range_monitor.scatter if s.range_monitor.expected else None


@_quantity("guidance_command")
def altimeter_lost(s: Situation) -> float | None:
    """For how long the only altimeter has said nothing at all, not even that it sees no ground, s."""
    return s.ages_s["range"] if s.sole_altimeter else None


@_quantity("navigation_state")
def altitude_doubt(s: Situation) -> float | None:
    """By how much the altitude may be less than believed, where a range should have told, m."""
    navigation = s.navigation_state
    if not s.model.range_expected_above_m <= navigation.altitude_m <= s.model.doubt_counts_below_m:
        return None
    return float(navigation.altitude_m - navigation.altitude_low_m)


@_quantity("navigation_state")
def navigation_finite(s: Situation) -> float:
    """How many numbers of the navigation state are not finite."""
    n = s.navigation_state
    arrays = (n.r_lander_mci, n.v_lander_mci, n.q_mci_body, n.w_mci_body, n.r_lander_site, n.v_lander_site)
    bad = sum(0 if isfinite(sum(array.tolist())) else int(np.count_nonzero(~np.isfinite(array))) for array in arrays)
    return float(bad + (not isfinite(n.altitude_m)))


@_quantity("navigation_state")
def navigation_attitude_norm(s: Situation) -> float:
    """Length of the attitude quaternion less 1."""
    x, y, z, w = s.navigation_state.q_mci_body.tolist()
    return float(sqrt(x * x + y * y + z * z + w * w) - 1.0)


@_quantity("navigation_state")
def altitude(s: Situation) -> float:
    """Altitude that navigation believes, m."""
    return float(s.navigation_state.altitude_m)


@_quantity("navigation_state")
def speed(s: Situation) -> float:
    """Inertial speed that navigation believes, m/s."""
    return _length(s.navigation_state.v_lander_mci)


@_quantity("navigation_state")
def altitude_uncertainty(s: Situation) -> float:
    """1-sigma of the altitude, m."""
    return float(s.navigation_state.altitude_sigma_m)


@_quantity("navigation_state")
def velocity_uncertainty(s: Situation) -> float:
    """Largest 1-sigma of the velocity, m/s."""
    return float(max(s.navigation_state.v_sigma_site_m_s.tolist()))


@_quantity("navigation_state")
def attitude_uncertainty(s: Situation) -> float:
    """Largest 1-sigma of the attitude, deg."""
    return degrees(max(s.navigation_state.attitude_sigma_rad.tolist()))


@_quantity("navigation_state")
def body_rate(s: Situation) -> float:
    """Magnitude of the body rate that navigation believes, deg/s."""
    return degrees(_length(s.navigation_state.w_mci_body))


@_quantity("navigation_state", "vehicle_telemetry")
def stopping_height(s: Situation) -> float | None:
    """Height that full thrust needs to stop the descent, as a fraction of the height that there is."""
    navigation = s.navigation_state
    down = -_descent_rate(navigation)
    if down >= 0.0 or navigation.altitude_m <= s.model.range_expected_above_m:
        return None
    net = s.vehicle.full_thrust_n / s.thrust.mass_kg - GM_M3_S2 / s.radius_m**2
    return float(down * down / (2.0 * net * navigation.altitude_m)) if net > 0.0 else None


def _descent_rate(navigation: Any) -> float:
    """Velocity along the local vertical, m/s, downward positive."""
    x, y, z = navigation.r_lander_mci.tolist()
    u, v, w = navigation.v_lander_mci.tolist()
    radius = sqrt(x * x + y * y + z * z)
    return -float(x * u + y * v + z * w) / radius if radius > 0.0 else 0.0


@_quantity("navigation_state")
def tilt(s: Situation) -> float | None:
    """Angle of the thrust axis from the local vertical, deg."""
    x, y, z = s.navigation_state.r_lander_mci.tolist()
    qx, qy, qz, qw = s.navigation_state.q_mci_body.tolist()
    radius = sqrt(x * x + y * y + z * z)
    if radius == 0.0:
        return None
    zx, zy, zz = 2.0 * (qx * qz + qw * qy), 2.0 * (qy * qz - qw * qx), 1.0 - 2.0 * (qx * qx + qy * qy)
    return degrees(acos(max(-1.0, min(1.0, (x * zx + y * zy + z * zz) / radius))))


@_quantity("throttle_command", "guidance_command")
def attitude_error(s: Situation) -> float:
    """Angle between actual and commanded attitude, deg."""
    return degrees(_length(s.throttle_command.attitude_error_body))


@_quantity("navigation_state", "guidance_command")
def rate_error(s: Situation) -> float:
    """Body rate that navigation believes less that which guidance wants, deg/s."""
    return degrees(_length(s.navigation_state.w_mci_body - s.guidance_command.w_mci_body_command))


@_quantity("throttle_command", "guidance_command")
def thrust_not_given(s: Situation) -> float:
    """Thrust asked for less given, as a fraction of full thrust."""
    return float(s.throttle_command.thrust_not_given_n / s.vehicle.full_thrust_n)


@_quantity("throttle_command")
def torque_not_given(s: Situation) -> float:
    """Torque asked for less given, N m."""
    return _length(s.throttle_command.torque_not_given_body)


@_quantity("vehicle_telemetry", "navigation_state", "throttle_command")
def propellant_agreement(s: Situation) -> float:
    """Gauged propellant less what the sensed acceleration leaves, kg."""
    return s.propellant.deviation_kg


@_quantity("vehicle_telemetry", "navigation_state", "throttle_command")
def leak_rate(s: Situation) -> float:
    """Propellant that goes and that no engine has used, kg/s."""
    return s.leak.rate_kg_s


@_quantity("vehicle_telemetry", "guidance_command")
def propellant_reserve(s: Situation) -> float:
    """Usable propellant beyond what is still needed and what leaks until touchdown, kg.

    Needed is what the velocity still to be changed costs at the mean specific impulse.
    """
    main, ring = s.vehicle.main_engine, s.vehicle.assist
    flow = main.thrust_n / main.isp_s + ring.count * ring.thrust_n / ring.isp_s
    exhaust_m_s = s.vehicle.full_thrust_n / flow * STANDARD_GRAVITY_M_S2
    guidance = s.guidance_command
    needed = s.thrust.mass_kg * (1.0 - exp(-max(guidance.delta_v_to_go_m_s, 0.0) / exhaust_m_s))
    rate = s.leak.rate_kg_s if s.leak.rate_kg_s > s.model.leak_kg_s else 0.0
    lost = rate * max(guidance.time_to_touchdown_s, 0.0)
    gauged_kg = s.thrust.mass_kg - s.vehicle.mass.dry_kg - s.vehicle_telemetry.rcs_propellant_gauge_kg
    return float(gauged_kg - s.vehicle.mass.unusable_propellant_kg - needed - lost)


@_quantity("vehicle_telemetry")
def rcs_propellant(s: Situation) -> float:
    """Gauged RCS propellant, kg."""
    return float(s.vehicle_telemetry.rcs_propellant_gauge_kg)


@_quantity("vehicle_telemetry")
def main_tank_pressure(s: Situation) -> float:
    """Pressure of the main tanks as a fraction of the regulated one."""
    return float(s.vehicle_telemetry.tank_pressure_pa[0] / s.vehicle.tanks.regulated_pressure_pa)


@_quantity("vehicle_telemetry")
def rcs_tank_pressure(s: Situation) -> float:
    """RCS tank pressure less that of an isothermal blow-down at the gauged filling, as a fraction of the full one."""
    tanks = s.vehicle.tanks
    share = min(max(s.vehicle_telemetry.rcs_propellant_gauge_kg / tanks.rcs_propellant_capacity_kg, 0.0), 1.0)
    model = 1.0 / (share / tanks.rcs_pressure_full_pa + (1.0 - share) / tanks.rcs_pressure_empty_pa)
    return float((s.vehicle_telemetry.tank_pressure_pa[1] - model) / tanks.rcs_pressure_full_pa)


@_quantity("throttle_command")
def main_engine(s: Situation) -> float:
    """Thrust that the main engine is found to give, over nominal."""
    return float(s.throttle_command.engine_fraction[0])


@_quantity("throttle_command")
def main_engine_lost(s: Situation) -> float:
    """Thrust that the main engine is found to lack, over nominal."""
    return 1.0 - float(s.throttle_command.engine_fraction[0])


@_quantity("throttle_command")
def assist_thrusters(s: Situation) -> float:
    """How many assist thrusters do not give their nominal thrust, or burn unasked."""
    _, *fractions = s.throttle_command.engine_fraction.tolist()
    _, *stuck = s.throttle_command.engine_stuck_open.tolist()
    deviation = s.model.engine_deviation
    return float(sum(abs(f - 1.0) > deviation or is_open for f, is_open in zip(fractions, stuck, strict=True)))


@_quantity("navigation_state")
def target_distance(s: Situation) -> float:
    """Distance, level, to the target that was chosen before flight, m."""
    x, y, _ = s.navigation_state.r_lander_site.tolist()
    return hypot(x - s.target_site[0], y - s.target_site[1])


@_quantity("vehicle_telemetry")
def payload_power(s: Situation) -> float:
    """Power that payloads may draw, W."""
    return float(s.vehicle_telemetry.available_power_w)


@_quantity("vehicle_telemetry", "navigation_state")
def false_contact(s: Situation) -> float | None:
    """How many legs report contact at an altitude where there is nothing to touch."""
    if s.navigation_state.altitude_m < s.model.contact_possible_below_m:
        return None
    return float(sum(s.vehicle_telemetry.contact.tolist()))
