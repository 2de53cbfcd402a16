"""Summaries by hand, against lifetimes on CDNOW, and by property."""

import warnings
from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.data.samples import load_cdnow
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import split_calibration_holdout, summarize_customers
from crm_analysis.errors import DataError, SettingsError

AS_OF = date(1998, 6, 30)
CALIBRATION_END = date(1997, 9, 30)

LOG = pd.DataFrame(
    [
        ("B", "2024-01-01", 10.0),
        ("B", "2024-01-01", 5.0),  # the same day: one purchase of 15
        ("B", "2024-01-08", 20.0),
        ("B", "2024-01-15", 0.0),  # free: counts for timing, stays out of spend
        ("B", "2024-01-29", 40.0),
        ("A", "2024-01-29", 7.0),
        ("C", "2024-02-20", 9.0),
    ],
    columns=["customer_id", "order_date", "amount"],
)


@pytest.fixture(scope="module")
def customers() -> pd.DataFrame:
    return summarize_customers(LOG, as_of="2024-02-12").frame


def test_customers_are_sorted_and_newcomers_after_the_as_of_date_left_out(customers):
    assert customers.index.tolist() == ["A", "B"]


def test_frequency_counts_purchase_days_after_the_first(customers):
    assert customers["frequency"].tolist() == [0, 3]


def test_recency_and_T_are_in_weeks(customers):
    assert customers[["recency", "T"]].to_numpy().tolist() == [[0.0, 2.0], [4.0, 6.0]]


@pytest.mark.parametrize(("time_unit", "T"), [("day", 42.0), ("week", 6.0), ("month", 42 / (365.25 / 12))])
def test_T_follows_the_time_unit(time_unit, T):
    customers = summarize_customers(LOG, as_of="2024-02-12", time_unit=time_unit)
    assert customers.frame.loc["B", "T"] == pytest.approx(T, rel=1e-15)


def test_monetary_value_is_the_mean_of_paid_repeat_purchases(customers):
    assert customers.loc["B", "monetary_value"] == 30.0


def test_monetary_value_is_missing_without_a_repeat_purchase(customers):
    assert np.isnan(customers.loc["A", "monetary_value"])


def test_monetary_count_leaves_free_purchases_out(customers):
    assert customers["monetary_count"].tolist() == [0, 2]


def test_total_spend_holds_the_first_purchase(customers):
    assert customers["total_spend"].tolist() == [7.0, 75.0]


def test_first_and_last_purchase_are_days(customers):
    assert customers.loc["B", ["first_purchase", "last_purchase"]].tolist() == [
        pd.Timestamp("2024-01-01"),
        pd.Timestamp("2024-01-29"),
    ]


def test_days_since_last_runs_to_the_as_of_date(customers):
    assert customers["days_since_last"].tolist() == [14, 14]


def test_past_purchases_are_carried_to_the_as_of_date():
    customers = summarize_customers(LOG, as_of="2024-02-12", annual_discount_rate=0.10).frame
    growth = 1.1 ** (np.array([42, 35, 28, 14]) / 365.25)
    assert customers.loc["B", "spend_carried"] == pytest.approx(
        growth @ [15, 20, 0, 40], abs=1e-4
    )  # money has four decimals
    assert customers.loc["B", "orders_carried"] == pytest.approx(growth.sum(), rel=1e-10)


def test_carrying_at_a_rate_of_zero_changes_nothing():
    customers = summarize_customers(LOG, as_of="2024-02-12", annual_discount_rate=0.0).frame
    assert customers["spend_carried"].tolist() == customers["total_spend"].tolist()
    assert customers["orders_carried"].tolist() == (customers["frequency"] + 1).tolist()


def test_without_a_rate_nothing_is_carried(customers):
    assert not {"spend_carried", "orders_carried"} & set(customers.columns)


def test_a_date_before_the_first_purchase_is_refused():
    with pytest.raises(DataError, match="nobody has bought by 2023-12-31"):
        summarize_customers(LOG, as_of="2023-12-31")


def test_a_log_cut_earlier_is_not_summarised_later():
    with pytest.raises(SettingsError, match="was cut at 2024-01-31"):
        summarize_customers(read_transactions(LOG, as_of="2024-01-31"), as_of="2024-02-12")


def test_the_split_shows_each_calibration_customer_after_the_date():
    split = split_calibration_holdout(LOG, calibration_end="2024-01-08", as_of="2024-02-29", time_unit="day")
    assert split.calibration.frame.index.tolist() == ["B"]
    assert split.holdout.loc["B"].tolist() == [2, 40.0]
    assert split.holdout_length == 52


def test_a_refund_in_the_holdout_is_unknown_to_the_calibration():
    refund = pd.DataFrame([("B", "2024-02-01", -20.0)], columns=LOG.columns)
    log = pd.concat([LOG, refund], ignore_index=True)
    split = split_calibration_holdout(log, calibration_end="2024-01-29", as_of="2024-02-29")
    assert split.calibration.frame.loc["B", "frequency"] == 3


def test_the_holdout_comes_after_the_calibration():
    with pytest.raises(SettingsError, match="the holdout needs days between them"):
        split_calibration_holdout(LOG, calibration_end="2024-02-29", as_of="2024-02-29")


@pytest.fixture(scope="module")
def cdnow() -> Transactions:
    return read_transactions(load_cdnow())


@pytest.fixture(scope="module")
def ours(cdnow) -> pd.DataFrame:
    return summarize_customers(cdnow, as_of=AS_OF).frame


@pytest.fixture(scope="module")
def oracle() -> pd.DataFrame:
    """The summary of lifetimes 0.11.3, which warns on today's pandas."""
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        from lifetimes.utils import summary_data_from_transaction_data

        return summary_data_from_transaction_data(
            load_cdnow(),
            "customer_id",
            "order_date",
            "amount",
            observation_period_end=AS_OF,
            freq="D",
            freq_multiplier=7,
        ).sort_index()


def test_cdnow_has_the_customers_of_lifetimes(ours, oracle):
    assert ours.index.tolist() == oracle.index.tolist()


@pytest.mark.parametrize("column", ["frequency", "recency", "T"])
def test_cdnow_equals_lifetimes_customer_by_customer(ours, oracle, column):
    np.testing.assert_allclose(ours[column], oracle[column], rtol=0, atol=1e-9)


def test_cdnow_spend_equals_lifetimes_where_every_repeat_was_paid(ours, oracle):
    paid = ours["monetary_count"] == ours["frequency"]
    np.testing.assert_allclose(
        ours.loc[paid, "monetary_value"].fillna(0), oracle.loc[paid, "monetary_value"], atol=1e-9
    )


def test_cdnow_spend_leaves_out_the_zeros_lifetimes_averages_in(ours, oracle):
    some_free = ours["monetary_count"] < ours["frequency"]
    of_all = oracle.loc[some_free, "monetary_value"] * ours.loc[some_free, "frequency"]
    of_paid = (ours["monetary_value"].fillna(0) * ours["monetary_count"])[some_free]
    assert some_free.sum() > 0
    np.testing.assert_allclose(of_paid, of_all, atol=1e-9)


def test_cdnow_at_the_end_of_calibration_equals_lifetimes(cdnow, oracle):
    ours = split_calibration_holdout(cdnow, calibration_end=CALIBRATION_END, as_of=AS_OF)
    purchases = ours.calibration.frame["frequency"] + ours.holdout["purchases"]
    np.testing.assert_array_equal(purchases, oracle["frequency"])


def test_summaries_are_the_same_bit_for_bit(cdnow, ours):
    log = load_cdnow().sample(frac=1, random_state=20240601)
    options = {"as_of": AS_OF, "annual_discount_rate": 0.1}
    first, second = summarize_customers(cdnow, **options), summarize_customers(log, **options)
    pd.testing.assert_frame_equal(first.frame, second.frame, check_exact=True)
