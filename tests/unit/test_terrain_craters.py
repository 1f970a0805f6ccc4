"""The crater population against its laws, and the shape of one crater."""

from __future__ import annotations

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.integrate import quad
from scipy.stats import chi2, chisquare, ks_1samp
from terrain_samples import SITE, changed, mare, only, parameters, part

from lander_terrain import Terrain
from lander_terrain.craters import CraterLaw, depth_to_diameter_limits, profile
from lander_terrain.parameters import Craters

LAW_PARAMETERS = parameters("mare_frigoris").craters
assert LAW_PARAMETERS is not None
LAW = CraterLaw.of(LAW_PARAMETERS)


def test_law_is_the_published_one_where_craters_are_in_equilibrium() -> None:
    assert LAW.cumulative(2.0) == pytest.approx(0.05 * 2.0**-2, rel=1e-3)
    assert LAW.cumulative(20.0) == pytest.approx(0.05 * 20.0**-2, rel=1e-3)


def test_law_is_the_published_one_for_large_craters() -> None:
    for kilometres in (3.0, 5.0, 10.0):
        expected = 1400e-12 * (kilometres**-1.6 - 20.0**-1.6)
        assert LAW.cumulative(kilometres * 1e3) == pytest.approx(expected, rel=1e-12)


def test_law_gives_the_kilometre_craters_of_a_surface_of_three_and_a_half_billion_years() -> None:
    # Neukum, Ivanov and Hartmann 2001, eq. 5: N(1 km) per km2 at an age in 10^9 years
    age = 3.5
    neukum = 5.44e-14 * (np.exp(6.93 * age) - 1.0) + 8.38e-4 * age
    assert LAW.cumulative(1e3) * 1e6 == pytest.approx(neukum, rel=0.15)


def test_law_has_no_step_where_its_parts_join() -> None:
    for edge in LAW.diameters[1:3]:
        assert LAW.cumulative(edge * (1 + 1e-9)) == pytest.approx(LAW.cumulative(edge * (1 - 1e-9)), rel=1e-6)


@given(st.floats(2.0, 19_999.0))
def test_diameter_is_the_inverse_of_the_cumulative_number(diameter: float) -> None:
    assert LAW.diameter(LAW.cumulative(diameter)) == pytest.approx(diameter, rel=1e-7)


def test_a_production_law_that_never_meets_that_of_large_craters_is_refused() -> None:
    for exponent in (1.7, 1.5):
        with pytest.raises(ValueError, match="meets that of large craters at"):
            Craters.model_validate(part("craters", production_exponent=exponent))


@pytest.mark.parametrize(
    ("smallest", "edges"),
    [
        (2.0, [2, 3, 4, 6, 8, 12, 16]),
        (40.0, [40, 60, 100, 150, 200, 400]),
        (500.0, [500, 1000, 2000, 4000, 8000, 20000]),
    ],
)
def test_counts_over_seeds_follow_the_law(smallest: float, edges: list[float]) -> None:
    expected_per_m2 = -np.diff([LAW.cumulative(edge) for edge in edges])
    side = np.sqrt(250.0 / expected_per_m2.min() / 4.0)  # at least 250 craters in the emptiest class over four seeds
    counts = np.zeros(len(edges) - 1)
    for seed in range(1, 5):
        west, south = 3e5 + 1e5 * seed, -2e5  # away from the cleared site
        found = mare(seed).craters((west, west + side, south, south + side), smallest)
        counts += np.histogram(found[:, 2], edges)[0]
    expected = expected_per_m2 * 4.0 * side**2
    misfit = np.sum((counts - expected) ** 2 / expected)  # Poisson: variance equals mean
    assert chi2(len(counts)).ppf(0.001) < misfit < chi2(len(counts)).ppf(0.999)


def test_diameters_within_an_octave_follow_the_law() -> None:
    found = mare(1).craters((1e5, 1.015e5, 1e5, 1.015e5), 4.0)
    diameters = found[found[:, 2] < 8.0, 2]
    low, high = LAW.cumulative(8.0), LAW.cumulative(4.0)
    result = ks_1samp(diameters, lambda d: np.array([(high - LAW.cumulative(x)) / (high - low) for x in d]))
    assert len(diameters) > 4000
    assert result.pvalue > 1e-3


def test_craters_are_scattered_as_a_poisson_process() -> None:
    side, cells = 2400.0, 40
    found = mare(2).craters((2e5, 2e5 + side, 0.0, side), 4.0)
    counts = np.histogram2d(found[:, 0] - 2e5, found[:, 1], cells, [[0, side], [0, side]])[0].ravel()
    dispersion = counts.var(ddof=1) * (len(counts) - 1) / counts.mean()
    assert chi2(len(counts) - 1).ppf(0.001) < dispersion < chi2(len(counts) - 1).ppf(0.999)


def test_places_within_lattice_cells_are_uniform() -> None:
    found = mare(3).craters((0.0, 3000.0, 5e4, 5.3e4), 2.0)
    cell = mare(3).data.craters[-1, 0]
    small = found[found[:, 2] < 4.0]
    for column in (0, 1):
        counts, _ = np.histogram((small[:, column] / cell) % 1.0, 20, (0.0, 1.0))
        assert chisquare(counts).pvalue > 1e-3


def test_a_cleared_site_has_no_wide_crater_that_reaches_it() -> None:
    for seed in range(1, 6):
        e, n, diameter, _ = mare(seed).craters((-2e4, 2e4, -2e4, 2e4), 300.0).T
        assert np.all(np.hypot(e, n) - 1.25 * diameter >= 1500.0)
        assert len(mare(seed).craters((-1500.0, 1500.0, -1500.0, 1500.0), 100.0)) > 3


def test_depths_lie_between_degraded_and_fresh() -> None:
    for bounds, smallest, low, high in (
        ((0.0, 2e3, 1e5, 1.02e5), 2.0, 0.04, 0.15),
        ((0.0, 1.5e5, 1e5, 2.5e5), 1024.0, 0.1, 0.2),
    ):
        found = mare(1).craters(bounds, smallest)
        found = found[found[:, 2] < max(100.0, 4 * smallest)]
        ratio = found[:, 3] / found[:, 2]
        assert low <= ratio.min() < 1.05 * low
        assert 0.93 * high < ratio.max() <= high


def test_complex_craters_are_as_shallow_as_measured() -> None:
    assert LAW_PARAMETERS is not None
    # Pike 1977: 20 km wide, 1.044 * 20^0.301 = 2.57 km deep
    assert depth_to_diameter_limits(LAW_PARAMETERS, 20e3)[1] * 20.0 == pytest.approx(2.57, abs=0.01)
    assert depth_to_diameter_limits(LAW_PARAMETERS, 5e3)[1] == 0.2


@given(st.floats(0.0, 3.0), st.floats(0.1, 100.0), st.floats(0.0, 0.3), st.floats(0.0, 0.6))
def test_slope_of_the_profile_is_that_of_its_heights(rho: float, depth: float, rim: float, floor_share: float) -> None:
    step = 1e-6
    _, slope = profile(rho, depth, rim * depth, floor_share)
    after, before = (
        profile(rho + step, depth, rim * depth, floor_share)[0],
        profile(max(rho - step, 0.0), depth, rim * depth, floor_share)[0],
    )
    assert slope == pytest.approx((after - before) / (step + min(step, rho)), abs=1e-3 * depth)


def test_profile_has_its_depth_its_rim_and_its_reach() -> None:
    assert profile(0.0, 20.0, 4.0, 0.0)[0] == pytest.approx(-16.0)
    assert profile(1.0, 20.0, 4.0, 0.0)[0] == pytest.approx(4.0)
    heights = [profile(rho, 20.0, 4.0, 0.0)[0] for rho in np.linspace(0.0, 2.5, 501)]
    assert max(heights) == pytest.approx(4.0)
    assert heights[-1] == 0.0


def test_ejecta_thin_out_about_as_the_inverse_cube_of_the_distance() -> None:
    # McGetchin et al. 1973: volume between the rim and 2 radii, of a rim of height 1, relative to rho^-3
    ours = quad(lambda rho: profile(rho, 5.0, 1.0, 0.0)[0] * rho, 1.0, 2.5)[0]
    published = quad(lambda rho: rho**-3 * rho, 1.0, 10.0)[0]
    assert ours == pytest.approx(published, rel=0.4)


def _lone_crater() -> tuple[Terrain, np.ndarray]:
    """A terrain of sparse craters only, and one of them that no other reaches."""
    sparse = part("craters", equilibrium_coefficient=1e-4, large_per_1e6_km2=10.0, cleared_radius_m=0.0)
    terrain = only(craters=sparse)
    found = terrain.craters((-2e4, 2e4, -2e4, 2e4), 2.0)
    for crater in found[np.argsort(-found[:, 2])]:
        gaps = np.hypot(found[:, 0] - crater[0], found[:, 1] - crater[1]) - 1.3 * (found[:, 2] + crater[2])
        if np.sum(gaps < 0.0) == 1:
            return terrain, crater
    raise AssertionError("no lone crater")


def test_a_crater_of_the_terrain_has_the_depth_and_the_rim_of_its_entry() -> None:
    terrain, (e, n, diameter, depth) = _lone_crater()
    turns = np.linspace(0.0, 2.0 * np.pi, 90, endpoint=False)
    radii = np.linspace(0.0, 1.4, 701) * diameter
    heights = terrain.heights(e + np.outer(np.cos(turns), radii), n + np.outer(np.sin(turns), radii))
    level = heights[:, -1].mean()
    crest, crest_radius = heights.max(axis=1), radii[heights.argmax(axis=1)]
    np.testing.assert_allclose(heights[:, -1], level, atol=1e-9)
    np.testing.assert_allclose(crest - heights[0, 0], depth, rtol=1e-4)
    np.testing.assert_allclose(crest - level, 0.2 * depth, rtol=1e-4)
    assert 2.0 * crest_radius.mean() == pytest.approx(diameter, rel=0.02)
    assert np.all(np.abs(2.0 * crest_radius / diameter - 1.0) < 0.12)  # irregularity 0.05, twice


def test_the_law_of_another_file_is_another_population() -> None:
    craters = part("craters", equilibrium_coefficient=0.02)
    few = Terrain.build(changed("mare_frigoris", craters=craters), SITE, 1).craters((1e5, 1.01e5, 0.0, 1e3), 2.0)
    many = mare(1).craters((1e5, 1.01e5, 0.0, 1e3), 2.0)
    assert len(few) == pytest.approx(0.4 * len(many), rel=0.05)
