"""Cohorts: who still buys, and what they have brought in."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.models.bgnbd import BGNBDFit
from crm_analysis.models.gamma_gamma import GammaGammaFit
from crm_analysis.value.cohort_retention import cohort_retention
from crm_analysis.value.lifetime_value import lifetime_value

LOG = pd.DataFrame(
    [
        ("A", "2024-01-30", 10.0), ("A", "2024-02-01", 20.0), ("B", "2024-01-02", 30.0), ("A", "2024-03-05", 5.0),
        ("B", "2024-03-06", 15.0), ("C", "2024-02-10", 8.0),
    ],
    columns=["customer_id", "order_date", "amount"],
)  # fmt: skip
AS_OF = "2024-03-15"


@pytest.fixture(scope="module")
def by_month():
    return cohort_retention(LOG, as_of=AS_OF)


@pytest.fixture(scope="module")
def values():
    fits = BGNBDFit.from_params((0.5, 4.0, 0.8, 2.4)), GammaGammaFit.from_params((6.0, 4.0, 15.0), time_unit="")
    customers = summarize_customers(LOG, as_of=AS_OF)
    return lifetime_value(*fits, customers, horizon="1 year", annual_discount_rate=0.1, margin=0.3)


def test_the_triangle_holds_the_share_of_each_cohort_that_bought(by_month):
    np.testing.assert_allclose(by_month.triangle().to_numpy(), [[1.0, 0.5, 1.0], [1.0, 0.0, np.nan]])


def test_periods_that_are_not_over_can_be_left_out_of_the_triangle(by_month):
    whole = by_month.triangle(partial=False)
    assert whole.isna().to_numpy().tolist() == [[False, False, True], [False, True, True]]


def test_spend_is_cumulated_per_customer_of_the_cohort(by_month):
    assert by_month.frame["spend"].loc["2024-01"].to_list() == [20.0, 30.0, 40.0]


def test_without_values_the_margin_is_missing(by_month):
    assert by_month.frame["margin"].isna().all()


def test_the_margin_is_that_of_the_values(by_month, values):
    with_values = cohort_retention(LOG, as_of=AS_OF, values=values)
    pd.testing.assert_series_equal(with_values.frame["margin"], 0.3 * by_month.frame["spend"], check_names=False)


def test_cohorts_hold_the_value_of_all_customers(values):
    cohorts = cohort_retention(LOG, as_of=AS_OF, values=values).cohorts
    assert (cohorts["customers"] * cohorts["residual_value"]).sum() == pytest.approx(values.total)


def test_cohorts_together_count_whole_periods_alone(by_month):
    # In period 1 the cohort of February is in March, which is not over.
    assert by_month.by_period[["customers", "active"]].to_numpy().tolist() == [[3, 3], [2, 1]]


def test_values_of_another_day_are_refused(values):
    with pytest.raises(SettingsError, match="the values are as of 2024-03-15, the cohorts as of 2024-03-14"):
        cohort_retention(LOG, as_of="2024-03-14", values=values)


def test_the_order_of_the_rows_does_not_matter(by_month):
    shuffled = cohort_retention(LOG.sample(frac=1, random_state=3), as_of=AS_OF)
    pd.testing.assert_frame_equal(shuffled.frame, by_month.frame)


def test_about_a_tenth_of_cdnow_buys_in_a_later_month(cdnow):
    found = cohort_retention(cdnow, as_of="1998-06-30").by_period
    assert found.loc[0, "customers"] == 23_570
    assert found.loc[6:15, "share_active"].between(0.03, 0.12).all()


def test_an_unknown_column_is_refused(by_month):
    with pytest.raises(SettingsError, match="column is 'money'; use one of customers"):
        by_month.triangle("money")
