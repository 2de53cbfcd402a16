"""The sums over discrete moments that sBG and BG/BB share, where scipy's 2F1 fails as much as where it holds."""

import mpmath
import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st
from scipy.special import hyp2f1

from crm_analysis.models import beta_geometric

EXTREMES = [1e-3, 0.067, 1.0, 1 + 1e-9, 2.0, 50.0, 1e5]


def term_by_term(a: float, b: float, rate: float) -> float:
    moments = np.arange(int(45 / np.log1p(rate)))
    return np.exp(np.cumsum(np.log(b + moments) - np.log(a + b + moments) - np.log1p(rate)))[::-1].sum()


@pytest.mark.parametrize("rate", [1e-4, 0.0018, 0.1, 5.0])
def test_the_sum_to_infinity_is_that_of_its_terms_for_all_parameters(rate):
    a, b = (grid.ravel() for grid in np.meshgrid(EXTREMES, [0.05, 1.0, 100.0, 1e6]))
    expected = [term_by_term(*pair, rate) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(beta_geometric.discounted_lifetime(a, b, rate, None), expected, rtol=1e-10)


def test_the_sum_to_infinity_is_the_papers_hypergeometric_function_where_that_can_be_computed():
    a, b, v = np.array([0.657, 3.8]), np.array([8.783, 15.2]), 1 / 1.1
    expected = v * b / (a + b) * hyp2f1(1, b + 1, a + b + 1, v)
    np.testing.assert_allclose(beta_geometric.discounted_lifetime(a, b, 0.1, None), expected, rtol=1e-13)


@pytest.mark.parametrize("a", [0.3, 1.0, 1 + 1e-9, 4.0])
def test_all_of_the_future_is_the_limit_of_long_horizons(a):
    a, b = np.array([a]), np.array([5.0])
    forever = beta_geometric.discounted_lifetime(a, b, 0.008, None)
    np.testing.assert_allclose(forever, beta_geometric.discounted_lifetime(a, b, 0.008, 5_000), rtol=1e-12)


def test_an_undiscounted_life_is_infinite_where_a_is_at_most_one():
    a, b = np.array([0.5, 1.0, 3.0]), np.full(3, 4.0)
    np.testing.assert_array_equal(beta_geometric.discounted_lifetime(a, b, 0.0, None), [np.inf, np.inf, 2.0])


@pytest.mark.parametrize(("a", "b"), [(1.0, 1e6), (100.0, 1e5), (1e5, 1e6), (0.7, 1.2)])
def test_survival_is_the_product_of_the_chances_to_stay(a, b):
    stays = np.log1p(-a / (a + b + np.arange(50)))
    assert beta_geometric.log_survival(a, b, 50) == pytest.approx(stays.sum(), abs=1e-8)


@given(
    a=st.floats(1e-3, 1e4), b=st.floats(1e-3, 1e6), rate=st.floats(1e-3, 1), horizon=st.integers(0, 300),
    longer=st.integers(0, 300),
)  # fmt: skip
def test_a_life_grows_with_the_horizon_up_to_its_limit(a, b, rate, horizon, longer):
    a, b = np.array([a]), np.array([b])
    near, far = (beta_geometric.discounted_lifetime(a, b, rate, h)[0] for h in (horizon, horizon + longer))
    assert 0 <= near <= far <= beta_geometric.discounted_lifetime(a, b, rate, None)[0] * (1 + 1e-10)


@pytest.mark.parametrize("rate", [0.0, 1e-300, 1e-17, 1e-12, 1e-8, 1e-4, 0.01, 1.0])
def test_the_sum_to_infinity_keeps_twelve_digits_at_every_rate(rate):
    values = [0.01, 0.5, 1.0, 1 + 1e-9, 1.1, 2.0, 10.0, 100.0]
    a, b = (grid.ravel() for grid in np.meshgrid(values, values))
    with mpmath.workdps(40):
        exact = [float(_by_many_digits(*map(mpmath.mpf, (*pair, rate)))) for pair in zip(a, b, strict=True)]
    np.testing.assert_allclose(beta_geometric.discounted_lifetime(a, b, rate, None), exact, rtol=2e-12)


def _by_many_digits(a: mpmath.mpf, b: mpmath.mpf, rate: mpmath.mpf) -> mpmath.mpf:
    """The mean of (1 - theta) / (rate + theta), by Euler's integral for 2F1."""
    if rate == 0:
        return b / (a - 1) if a > 1 else mpmath.inf
    return b / (a + b) / rate * mpmath.hyp2f1(1, a, a + b + 1, -1 / rate)


def test_many_rows_are_summed_like_one():
    a, b = np.linspace(0.1, 3, 4_500), np.linspace(5, 0.1, 4_500)
    together = beta_geometric.discounted_lifetime(a, b, 0.002, None)
    alone = beta_geometric.discounted_lifetime(a[4_444:4_445], b[4_444:4_445], 0.002, None)
    assert together[4_444] == pytest.approx(alone[0], rel=1e-14)
