"""Quaternions x, y, z, w as plain tuples of floats; `q_a_b` maps vectors from frame b to frame a.

Scalars, because small numpy arrays cost ten times as much. Every function here also compiles with `numba.njit`.
"""

from __future__ import annotations

from math import atan2, cos, sin, sqrt

Quaternion = tuple[float, float, float, float]
Vector = tuple[float, float, float]

IDENTITY: Quaternion = (0.0, 0.0, 0.0, 1.0)


def multiply(p: Quaternion, q: Quaternion) -> Quaternion:
    """Hamilton product: `q_a_c = multiply(q_a_b, q_b_c)`."""
    px, py, pz, pw = p
    qx, qy, qz, qw = q
    return (
        pw * qx + px * qw + py * qz - pz * qy,
        pw * qy - px * qz + py * qw + pz * qx,
        pw * qz + px * qy - py * qx + pz * qw,
        pw * qw - px * qx - py * qy - pz * qz,
    )


def conjugate(q: Quaternion) -> Quaternion:
    """The inverse of a unit quaternion: `q_b_a` from `q_a_b`."""
    return (-q[0], -q[1], -q[2], q[3])


def normalised(q: Quaternion) -> Quaternion:
    """The quaternion at unit length. Raises ZeroDivisionError for zero."""
    scale = 1.0 / sqrt(q[0] * q[0] + q[1] * q[1] + q[2] * q[2] + q[3] * q[3])
    return (q[0] * scale, q[1] * scale, q[2] * scale, q[3] * scale)


def rotate(q: Quaternion, v: Vector) -> Vector:
    """`v_a = rotate(q_a_b, v_b)`."""
    x, y, z, w = q
    tx = 2.0 * (y * v[2] - z * v[1])
    ty = 2.0 * (z * v[0] - x * v[2])
    tz = 2.0 * (x * v[1] - y * v[0])
    return (
        v[0] + w * tx + y * tz - z * ty,
        v[1] + w * ty + z * tx - x * tz,
        v[2] + w * tz + x * ty - y * tx,
    )


def from_rotation_vector(v: Vector) -> Quaternion:
    """Quaternion of a rotation by |v| rad about v."""
    angle_squared = v[0] * v[0] + v[1] * v[1] + v[2] * v[2]
    if angle_squared < 1e-12:  # the series is exact to double precision here
        scale = 0.5 - angle_squared / 48.0
        return (v[0] * scale, v[1] * scale, v[2] * scale, 1.0 - angle_squared / 8.0)
    angle = sqrt(angle_squared)
    scale = sin(0.5 * angle) / angle
    return (v[0] * scale, v[1] * scale, v[2] * scale, cos(0.5 * angle))


def to_rotation_vector(q: Quaternion) -> Vector:
    """Rotation vector, rad, of at most pi in length."""
    sign = 1.0 if q[3] >= 0.0 else -1.0
    x, y, z, w = sign * q[0], sign * q[1], sign * q[2], sign * q[3]
    length = sqrt(x * x + y * y + z * z)
    if length < 1e-9:
        return (2.0 * x, 2.0 * y, 2.0 * z)
    scale = 2.0 * atan2(length, w) / length
    return (x * scale, y * scale, z * scale)


def from_axes(x_axis: Vector, y_axis: Vector, z_axis: Vector) -> Quaternion:
    """`q_a_b` from the axes of b, unit and orthogonal, in coordinates of a (Shepperd 1978)."""
    m00, m10, m20 = x_axis
    m01, m11, m21 = y_axis
    m02, m12, m22 = z_axis
    trace = m00 + m11 + m22
    if trace >= m00 and trace >= m11 and trace >= m22:
        return normalised((m21 - m12, m02 - m20, m10 - m01, 1.0 + trace))
    if m00 >= m11 and m00 >= m22:
        return normalised((1.0 + m00 - m11 - m22, m01 + m10, m02 + m20, m21 - m12))
    if m11 >= m22:
        return normalised((m01 + m10, 1.0 - m00 + m11 - m22, m12 + m21, m02 - m20))
    return normalised((m02 + m20, m12 + m21, 1.0 - m00 - m11 + m22, m10 - m01))
