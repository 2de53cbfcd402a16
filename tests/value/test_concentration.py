"""Who holds the value."""

import numpy as np
import pandas as pd
import pytest
from hypothesis import given
from hypothesis import strategies as st

from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.value.concentration import gini, value_by_history, value_concentration
from crm_analysis.value.lifetime_value import lifetime_value


@pytest.fixture(scope="module")
def concentration(cdnow_customers):
    values = lifetime_value(
        fit_bgnbd(cdnow_customers), fit_gamma_gamma(cdnow_customers), cdnow_customers,
        horizon="24 months", annual_discount_rate=0.10, margin=0.30,
    )  # fmt: skip
    return value_concentration(values)


def test_tenths_hold_all_customers_and_all_value(concentration):
    assert concentration.tenths["customers"].tolist() == [2357] * 10
    assert concentration.tenths["share"].sum() == pytest.approx(1)


def test_the_top_tenth_of_cdnow_holds_almost_two_thirds(concentration):
    assert concentration.tenths.loc[1, "share"] == pytest.approx(0.644, abs=0.002)  # the mock-up's figure


def test_tenths_fall_in_mean_value(concentration):
    assert concentration.tenths["mean_value"].is_monotonic_decreasing


def test_the_curve_runs_from_nothing_to_everything(concentration):
    assert concentration.curve.iloc[0].tolist() == [0, 0]
    assert concentration.curve.iloc[-1].tolist() == pytest.approx([1, 1])


def test_share_of_top_reads_the_curve(concentration):
    assert concentration.share_of_top(0.1) == pytest.approx(concentration.tenths.loc[1, "share"], abs=1e-9)


def test_gini_of_equal_amounts_is_zero():
    assert gini(pd.Series([3.0, 3.0, 3.0])) == pytest.approx(0)


def test_gini_of_one_holder_among_ten():
    assert gini(pd.Series([0.0] * 9 + [5.0])) == pytest.approx(0.9)


def test_gini_of_nothing_is_missing():
    assert np.isnan(gini(pd.Series([0.0, 0.0])))


@given(st.lists(st.floats(0.01, 1e6), min_size=2, max_size=40))
def test_gini_is_half_the_mean_difference_over_the_mean(amounts):
    array = np.array(amounts)
    by_pairs = np.abs(array[:, None] - array[None, :]).mean() / (2 * array.mean())
    assert gini(pd.Series(array)) == pytest.approx(by_pairs, abs=1e-9)


@pytest.fixture(scope="module")
def cdnow_values(cdnow_customers):
    return lifetime_value(
        fit_bgnbd(cdnow_customers), fit_gamma_gamma(cdnow_customers), cdnow_customers,
        horizon="24 months", annual_discount_rate=0.10, margin=0.30,
    )  # fmt: skip


def test_cells_by_history_hold_every_customer_and_all_value(cdnow_values):
    mean_value, customers = value_by_history(cdnow_values)
    assert customers.to_numpy().sum() == 23_570
    assert np.nansum(mean_value.to_numpy() * customers.to_numpy()) == pytest.approx(cdnow_values.total)


def test_cells_by_history_without_customers_are_missing(cdnow_values):
    mean_value, customers = value_by_history(cdnow_values)
    np.testing.assert_array_equal(mean_value.isna().to_numpy(), (customers == 0).to_numpy())


def test_cells_by_history_are_as_in_the_mock_up(cdnow_values):
    mean_value, customers = value_by_history(cdnow_values)
    assert customers.loc["10+", "0–30"] == 432
    assert mean_value.loc["10+", "0–30"] == pytest.approx(240, rel=0.01)
    assert customers.loc["0", "366+"] == 12_054
