"""Intervals of shares: against published values, by property, and by simulation."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.models.shares import ratio_interval, wilson_interval


@pytest.mark.parametrize(
    ("part", "whole", "lower", "upper"),
    [(81, 263, 0.2553, 0.3662), (15, 148, 0.0624, 0.1605), (0, 20, 0.0, 0.1611), (1, 29, 0.0061, 0.1718)],
)
def test_wilson_interval_matches_published(part, whole, lower, upper):
    # Newcombe (1998), Statistics in Medicine 17, Table I, method 3.
    assert np.ravel(wilson_interval(part, whole)) == pytest.approx([lower, upper], abs=5e-5)


@given(st.integers(0, 500), st.integers(1, 500))
def test_wilson_interval_holds_the_share_and_stays_within_bounds(part, more):
    whole = part + more
    lower, upper = wilson_interval(part, whole)
    assert 0 <= lower <= part / whole <= upper <= 1


def test_an_interval_of_nobody_is_missing():
    assert np.isnan(wilson_interval(0, 0)).all()


def test_a_ratio_of_equal_customers_is_certain():
    assert ratio_interval(np.full(5, 2.0), np.full(5, 8.0)) == pytest.approx((0.25, 0.25))


def test_ratio_intervals_cover_the_truth_as_often_as_they_say():
    rng = np.random.default_rng(7)
    hits = 0
    for _ in range(400):
        whole = rng.gamma(2.0, size=400)
        lower, upper = ratio_interval(whole * (rng.random(400) < 0.3), whole)
        hits += lower <= 0.3 <= upper
    assert hits / 400 == pytest.approx(0.95, abs=0.035)


def test_a_ratio_to_nothing_is_missing():
    assert np.isnan(ratio_interval(np.zeros(3), np.zeros(3))).all()
