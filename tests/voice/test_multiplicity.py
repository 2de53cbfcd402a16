"""Adjusted p-values are those of statsmodels."""

import numpy as np
import pytest
from statsmodels.stats.multitest import multipletests

from crm_analysis.voice.multiplicity import adjust_p_values


@pytest.mark.parametrize(("adjust", "method"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
@pytest.mark.parametrize("n", [1, 2, 7, 30])
def test_adjusted_p_values_are_those_of_statsmodels(adjust, method, n):
    p_values = np.random.default_rng(n).beta(0.4, 2, n).round(2)  # with ties
    np.testing.assert_allclose(adjust_p_values(p_values, adjust), multipletests(p_values, method=method)[1])


def test_a_missing_p_value_stays_missing_and_is_no_test():
    np.testing.assert_allclose(adjust_p_values([np.nan, 0.02, 0.5], "holm"), [np.nan, 0.04, 0.5])


def test_without_adjustment_nothing_changes():
    np.testing.assert_array_equal(adjust_p_values([0.5, 0.01], None), [0.5, 0.01])
