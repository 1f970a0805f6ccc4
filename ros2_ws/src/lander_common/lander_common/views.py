"""Standard ROS messages derived from ours, so that rqt, Foxglove and any DDS client show something without our code."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np

from lander_runtime.messages import Message, message_type

View = Callable[[Message], Message]  # from a message of ours to the standard message that tools know


def _vector(values: Any) -> Message:
    return message_type("geometry_msgs/msg/Vector3")(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def _point(values: Any) -> Message:
    return message_type("geometry_msgs/msg/Point")(x=float(values[0]), y=float(values[1]), z=float(values[2]))


def _quaternion(values: Any) -> Message:
    x, y, z, w = (float(value) for value in values)
    return message_type("geometry_msgs/msg/Quaternion")(x=x, y=y, z=z, w=w)


def _header(message: Message, frame_id: str) -> Message:
    return message_type("std_msgs/msg/Header")(stamp=message.header.stamp, frame_id=frame_id)


def clock(tick: Message) -> Message:
    """Simulated time."""
    return message_type("rosgraph_msgs/msg/Clock")(clock=tick.header.stamp)


def imu_data(increments: Message) -> Message:
    """Increments as mean rates over the tick; the orientation is unknown (covariance -1, as sensor_msgs/Imu says)."""
    interval_s = max(increments.interval_ns, 1) * 1e-9
    unknown = np.zeros(9)
    unknown[0] = -1.0
    return message_type("sensor_msgs/msg/Imu")(
        header=_header(increments, "body"),
        orientation=_quaternion((0.0, 0.0, 0.0, 1.0)),
        orientation_covariance=unknown,
        angular_velocity=_vector(increments.delta_theta_body / interval_s),
        angular_velocity_covariance=np.zeros(9),
        linear_acceleration=_vector(increments.delta_v_body / interval_s),
        linear_acceleration_covariance=np.zeros(9),
    )


def rangefinder_scan(measurement: Message) -> Message:
    """The range as sensor_msgs/Range; no return is +infinity (REP-117)."""
    scan = message_type("sensor_msgs/msg/Range")
    return scan(
        header=_header(measurement, "rangefinder"),
        radiation_type=scan.INFRARED,
        field_of_view=0.0005,
        min_range=0.0,
        max_range=float("inf"),
        range=measurement.range_m if measurement.valid else float("inf"),
        variance=measurement.sigma_m**2,
    )


def camera_image(frame: Message) -> Message:
    """The frame as sensor_msgs/Image; an empty one where the camera has none."""
    return message_type("sensor_msgs/msg/Image")(
        header=_header(frame, "camera_optical"),
        height=frame.height,
        width=frame.width,
        encoding="mono8",
        is_bigendian=0,
        step=frame.width,
        data=frame.data,
    )


def camera_info(frame: Message) -> Message:
    """Lens and imager as sensor_msgs/CameraInfo."""
    f, (u, v) = float(frame.focal_px), (float(value) for value in frame.centre_px)
    return message_type("sensor_msgs/msg/CameraInfo")(
        header=_header(frame, "camera_optical"),
        height=frame.height,
        width=frame.width,
        distortion_model="plumb_bob",
        d=np.array([*frame.distortion, 0.0, 0.0, 0.0]),
        k=np.array([f, 0.0, u, 0.0, f, v, 0.0, 0.0, 1.0]),
        r=np.eye(3).ravel(),
        p=np.array([f, 0.0, u, 0.0, 0.0, f, v, 0.0, 0.0, 0.0, 1.0, 0.0]),
        binning_x=0,
        binning_y=0,
        roi=message_type("sensor_msgs/msg/RegionOfInterest")(
            x_offset=0, y_offset=0, height=0, width=0, do_rectify=False
        ),
    )


def odometry(state: Message) -> Message:
    """The estimate as nav_msgs/Odometry: pose in site, velocity in body."""
    from lander_common.quaternion import conjugate, rotate

    q = tuple(float(value) for value in state.q_site_body)
    v_body = rotate(conjugate(q), tuple(float(value) for value in state.v_lander_site))  # type: ignore[arg-type]
    pose = message_type("geometry_msgs/msg/Pose")(position=_point(state.r_lander_site), orientation=_quaternion(q))
    twist = message_type("geometry_msgs/msg/Twist")(linear=_vector(v_body), angular=_vector(state.w_mci_body))
    pose_sigma = np.concatenate([state.r_sigma_site_m, state.attitude_sigma_rad])
    twist_sigma = np.concatenate([state.v_sigma_site_m_s, np.zeros(3)])
    return message_type("nav_msgs/msg/Odometry")(
        header=_header(state, "site"),
        child_frame_id="body",
        pose=message_type("geometry_msgs/msg/PoseWithCovariance")(pose=pose, covariance=_diagonal(pose_sigma)),
        twist=message_type("geometry_msgs/msg/TwistWithCovariance")(twist=twist, covariance=_diagonal(twist_sigma)),
    )


def tf(state: Message) -> Message:
    """site -> body as navigation believes."""
    transform = message_type("geometry_msgs/msg/Transform")(
        translation=_vector(state.r_lander_site), rotation=_quaternion(state.q_site_body)
    )
    stamped = message_type("geometry_msgs/msg/TransformStamped")(
        header=_header(state, "site"), child_frame_id="body", transform=transform
    )
    return message_type("tf2_msgs/msg/TFMessage")(transforms=[stamped])


def diagnostics(health: Message) -> Message:
    """Health as diagnostic_msgs/DiagnosticArray, one status per check."""
    status = message_type("diagnostic_msgs/msg/DiagnosticStatus")
    pair = message_type("diagnostic_msgs/msg/KeyValue")
    texts = ("ok", "warning", "error", "stale")
    return message_type("diagnostic_msgs/msg/DiagnosticArray")(
        header=_header(health, ""),
        status=[
            status(
                level=int(verdict),
                name=f"health: {name}",
                message=texts[int(verdict)],
                hardware_id="lander",
                values=[pair(key="value", value=f"{value:.6g}")],
            )
            for name, verdict, value in zip(health.checks, health.verdicts, health.values, strict=True)
        ],
    )


def _diagonal(sigma: Any) -> Any:
    return np.diag(np.square(sigma)).ravel()


VIEWS: dict[str, View] = {
    "clock": clock,
    "imu_data": imu_data,
    "rangefinder_scan": rangefinder_scan,
    "camera_image": camera_image,
    "camera_info": camera_info,
    "odometry": odometry,
    "tf": tf,
    "diagnostics": diagnostics,
}  # key of a `view` topic -> how its messages are derived from those of the topic that it is `of`
