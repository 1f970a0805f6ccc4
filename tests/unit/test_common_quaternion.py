"""Quaternions against transforms3d (which puts w first)."""

from __future__ import annotations

from math import pi

import numpy as np
import transforms3d
from hypothesis import assume, given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lander_common.quaternion import (
    IDENTITY,
    Quaternion,
    Vector,
    conjugate,
    from_axes,
    from_rotation_vector,
    multiply,
    normalised,
    rotate,
    to_rotation_vector,
)

components = st.floats(-1.0, 1.0)
vectors = st.tuples(components, components, components)


@st.composite
def unit_quaternions(draw: st.DrawFn) -> Quaternion:
    q = draw(st.tuples(components, components, components, components))
    assume(sum(c * c for c in q) > 1e-3)
    return normalised(q)


def w_first(q: Quaternion) -> tuple[float, float, float, float]:
    return (q[3], q[0], q[1], q[2])


def matrix(q: Quaternion) -> np.ndarray:
    return transforms3d.quaternions.quat2mat(w_first(q))


def same_rotation(p: Quaternion, q: Quaternion, tolerance: float) -> bool:
    return bool(np.allclose(matrix(p), matrix(q), rtol=0.0, atol=tolerance))


@given(unit_quaternions(), unit_quaternions())
def test_the_product_is_that_of_transforms3d(p: Quaternion, q: Quaternion) -> None:
    assert_allclose(w_first(multiply(p, q)), transforms3d.quaternions.qmult(w_first(p), w_first(q)), atol=1e-15)


@given(unit_quaternions(), unit_quaternions(), vectors)
def test_rotating_by_a_product_is_rotating_twice(p: Quaternion, q: Quaternion, v: Vector) -> None:
    assert_allclose(rotate(multiply(p, q), v), rotate(p, rotate(q, v)), atol=1e-14)


@given(unit_quaternions(), vectors)
def test_rotating_is_multiplying_by_the_matrix_of_transforms3d(q: Quaternion, v: Vector) -> None:
    assert_allclose(rotate(q, v), matrix(q) @ v, atol=1e-14)


@given(unit_quaternions(), vectors)
def test_rotating_keeps_length_and_the_conjugate_turns_back(q: Quaternion, v: Vector) -> None:
    turned = rotate(q, v)
    assert_allclose(np.linalg.norm(turned), np.linalg.norm(v), atol=1e-14)
    assert_allclose(rotate(conjugate(q), turned), v, atol=1e-14)


@given(st.tuples(*[st.floats(-3.0, 3.0)] * 3))
def test_a_rotation_vector_is_axis_and_angle_of_transforms3d(v: Vector) -> None:
    angle = float(np.linalg.norm(v))
    assume(angle > 1e-9)
    expected = transforms3d.axangles.axangle2mat(np.array(v) / angle, angle)
    assert_allclose(matrix(from_rotation_vector(v)), expected, atol=1e-14)


@given(vectors, st.floats(0.0, pi - 1e-6))
def test_a_rotation_vector_below_half_a_turn_comes_back(axis: Vector, angle: float) -> None:
    length = float(np.linalg.norm(axis))
    assume(length > 1e-3)
    v = tuple(angle * c / length for c in axis)
    assert_allclose(to_rotation_vector(from_rotation_vector(v)), v, atol=1e-9)  # type: ignore[arg-type]


@given(st.floats(1e-12, 1e-5))
def test_small_rotation_vectors_come_back_to_rounding(size: float) -> None:
    v = (size, -0.5 * size, 0.25 * size)
    assert_allclose(to_rotation_vector(from_rotation_vector(v)), v, rtol=1e-12)


def test_the_series_for_small_angles_meets_the_exact_formula() -> None:
    below, above = from_rotation_vector((0.999999e-6, 0.0, 0.0)), from_rotation_vector((1.000001e-6, 0.0, 0.0))
    assert_allclose(below[0] / 0.999999e-6, above[0] / 1.000001e-6, rtol=1e-14)


@given(unit_quaternions())
def test_the_rotation_vector_takes_the_short_way(q: Quaternion) -> None:
    v = to_rotation_vector(q)
    assert np.linalg.norm(v) <= pi + 1e-12
    assert same_rotation(from_rotation_vector(v), q, 1e-9)


@given(unit_quaternions())
def test_axes_give_the_quaternion_back(q: Quaternion) -> None:
    axes = [rotate(q, axis) for axis in ((1.0, 0.0, 0.0), (0.0, 1.0, 0.0), (0.0, 0.0, 1.0))]
    assert same_rotation(from_axes(*axes), q, 1e-13)


def test_the_identity_turns_nothing() -> None:
    assert rotate(IDENTITY, (1.0, 2.0, 3.0)) == (1.0, 2.0, 3.0)
    assert to_rotation_vector(IDENTITY) == (0.0, 0.0, 0.0)
