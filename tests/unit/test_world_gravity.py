"""Gravity against finite differences of its potential, Laplace's equation and published gravity."""

from __future__ import annotations

from math import cos, radians, sin

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from numpy.testing import assert_allclose

from lander_common.frames import R_mci_mcmf
from lander_common.moon import C22, GM_M3_S2, GRAVITY_RADIUS_M, J2, REFERENCE_RADIUS_M
from lander_world.gravity import gravity_mci, gravity_mcmf, gravity_model, potential_mcmf

MODEL = gravity_model()
places = st.builds(
    lambda lat, lon, height: tuple(
        (REFERENCE_RADIUS_M + height) * c for c in (cos(lat) * cos(lon), cos(lat) * sin(lon), sin(lat))
    ),
    st.floats(-1.57, 1.57),
    st.floats(-3.14, 3.14),
    st.floats(-5e3, 2e5),
)
Place = tuple[float, float, float]


def gradient(model: np.ndarray, place: Place, step: float = 50.0) -> np.ndarray:
    shifts = step * np.eye(3)
    return np.array(
        [(potential_mcmf(model, *(place + s)) - potential_mcmf(model, *(place - s))) / (2.0 * step) for s in shifts]
    )


@given(places)
def test_gravity_is_the_gradient_of_the_potential(place: Place) -> None:
    assert_allclose(gravity_mcmf(MODEL, *place), gradient(MODEL, place), atol=2e-8)


@pytest.mark.parametrize("model", [gravity_model(J2, 0.0), gravity_model(0.0, 2.24e-5)], ids=["J2", "C22"])
@given(place=places)
def test_each_term_alone_is_the_gradient_of_its_potential(model: np.ndarray, place: Place) -> None:
    round_part = gravity_model(0.0, 0.0)
    term = np.array(gravity_mcmf(model, *place)) - np.array(gravity_mcmf(round_part, *place))
    assert_allclose(term, gradient(model - round_part, place), atol=1e-10)


@given(places)
def test_the_field_has_no_divergence(place: Place) -> None:
    step = 100.0
    divergence = sum(
        (gravity_mcmf(MODEL, *(place + s))[i] - gravity_mcmf(MODEL, *(place - s))[i]) / (2.0 * step)
        for i, s in enumerate(step * np.eye(3))
    )
    assert abs(divergence) < 1e-13  # 1/s2; each of the three terms is of order 1e-6


def test_the_legendre_form_gives_the_same_potential() -> None:
    lat, lon, r = radians(60.5), radians(-4.6), 1_750_000.0
    ratio = (GRAVITY_RADIUS_M / r) ** 2
    zonal, sectoral = 1.5 * sin(lat) ** 2 - 0.5, 3.0 * cos(lat) ** 2 * cos(2.0 * lon)
    expected = GM_M3_S2 / r * (1.0 - J2 * ratio * zonal + C22 * ratio * sectoral)
    place = (r * cos(lat) * cos(lon), r * cos(lat) * sin(lon), r * sin(lat))
    assert_allclose(potential_mcmf(MODEL, *place), expected, rtol=1e-15)


def test_surface_gravity_is_the_published_one() -> None:
    assert_allclose(-gravity_mcmf(MODEL, REFERENCE_RADIUS_M, 0.0, 0.0)[0], 1.62, atol=0.01)


@given(places, st.floats(0.0, 6000.0))
def test_the_field_turns_with_the_moon(place: Place, time_s: float) -> None:
    R = R_mci_mcmf(time_s)
    expected = R @ np.array(gravity_mcmf(MODEL, *(R.T @ np.array(place))))
    assert_allclose(gravity_mci(MODEL, *place, time_s), expected, atol=1e-15)
