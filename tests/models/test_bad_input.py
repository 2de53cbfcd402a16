"""Every public fit function refuses what cannot be right, with its rows, and gives no number."""

import warnings
from collections.abc import Callable
from datetime import date
from functools import partial

import numpy as np
import pandas as pd
import pytest

import crm_analysis
from crm_analysis import (
    fit_bgbb,
    fit_bgnbd,
    fit_clocked,
    fit_cnbd,
    fit_gamma_gamma,
    fit_mbgnbd,
    fit_nbd,
    fit_pareto_nbd,
    fit_sbg,
)
from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import CrmAnalysisError, DataError, EstimationWarning, SettingsError

AS_OF = date(2024, 6, 1)
CLOCK = OrderClock((1.0,) * 12, date(2023, 11, 1), AS_OF, 0.0, "week")


def fit_clocked_by_months(customers: CustomerSummary, **how):
    return fit_clocked(customers, CLOCK, k=1, **how)


OF_PURCHASES: dict[str, Callable] = {
    "fit_bgnbd": fit_bgnbd,
    "fit_mbgnbd": fit_mbgnbd,
    "fit_pareto_nbd": fit_pareto_nbd,
    "fit_nbd": fit_nbd,
    "fit_cnbd": fit_cnbd,
    "fit_cnbd, modified": partial(fit_cnbd, modified=True),
    "fit_bgbb": fit_bgbb,
    "fit_clocked": fit_clocked_by_months,
}
OF_CUSTOMERS = OF_PURCHASES | {"fit_gamma_gamma": fit_gamma_gamma}
every_model_of_purchases = pytest.mark.parametrize("fit", OF_PURCHASES.values(), ids=OF_PURCHASES)
every_model_of_customers = pytest.mark.parametrize("fit", OF_CUSTOMERS.values(), ids=OF_CUSTOMERS)


def good() -> pd.DataFrame:
    """Two hundred customers that any model takes, though none may call them its own."""
    rng = np.random.default_rng(0)
    frame = pd.DataFrame({"frequency": rng.integers(0, 6, 200).astype(float)})
    frame["recency"] = np.where(frame["frequency"] > 0, frame["frequency"] + rng.integers(0, 10, 200), 0.0)
    first = pd.Timestamp(AS_OF) - pd.Timedelta(days=210)
    return frame.assign(
        T=30.0,
        sum_log_gap=0.0 * frame["frequency"],
        monetary_value=np.where(frame["frequency"] > 0, rng.gamma(5, 4, 200), np.nan),
        first_purchase=first,
        last_purchase=first + pd.to_timedelta(frame["recency"] * 7, unit="D"),
    ).set_index(frame.index.astype(str))


def spoilt(column: str, value: object) -> pd.DataFrame:
    """Two repeat buyers are no longer right."""
    frame = good()
    frame[column] = frame[column].astype(object if isinstance(value, str) else frame[column].dtype)
    frame.loc[frame.index[frame["frequency"] > 0][[4, 9]], column] = value
    return frame


def summary(frame: pd.DataFrame) -> CustomerSummary:
    return CustomerSummary(frame, "week", AS_OF)


def test_every_public_fit_function_is_tested_here():
    public = {name for name in crm_analysis.__all__ if name.startswith("fit_")} - {"fit_drivers"}  # of answers
    assert public == {name.split(",")[0] for name in OF_CUSTOMERS} | {"fit_sbg"}


# --- customers --------------------------------------------------------------------------------------------------


@every_model_of_customers
@pytest.mark.parametrize(
    ("column", "value", "words"),
    [
        ("frequency", np.nan, "missing or infinite"),
        ("recency", np.inf, "missing or infinite"),
        ("T", np.nan, "missing or infinite"),
        ("frequency", -1.0, "not a whole number"),
        ("frequency", 1.5, "not a whole number"),
        ("recency", 31.0, "recency is greater than T"),
        ("recency", -1.0, "recency is negative"),
        ("T", -30.0, "recency is greater than T"),
        ("frequency", "often", "not a number"),
        ("monetary_value", -5.0, "monetary_value is not positive"),
        ("monetary_value", 0.0, "monetary_value is not positive"),
        ("monetary_value", np.inf, "monetary_value is not positive"),
    ],
)
def test_impossible_histories_are_refused_with_their_rows(fit, column, value, words):
    with pytest.raises(DataError, match=words) as refused:
        fit(summary(spoilt(column, value)))
    assert "2 row(s)" in str(refused.value)
    assert "To fix:" in str(refused.value)


@every_model_of_customers
def test_repeated_ids_are_refused(fit):
    frame = good()
    with pytest.raises(DataError, match=r"customer_id is not unique in 4 row\(s\)"):
        fit(summary(pd.concat([frame, frame.head(2)])))


@every_model_of_customers
@pytest.mark.parametrize("column", ["frequency", "recency", "T"])
def test_a_column_that_is_not_there_is_named(fit, column):
    with pytest.raises(DataError, match=f"column '{column}': there is no such column"):
        fit(summary(good().drop(columns=column)))


@every_model_of_customers
def test_nobody_is_refused(fit):
    with pytest.raises(DataError, match="To fix:"):
        fit(summary(good().head(0)))


@every_model_of_customers
def test_one_time_buyers_alone_are_refused(fit):
    with pytest.raises(DataError, match=r"no customer has a repeat purchase|0 customer\(s\) with repeat spend"):
        fit(summary(good().query("frequency == 0")))


@pytest.mark.parametrize("name", [name for name in OF_PURCHASES if name not in {"fit_bgbb", "fit_clocked"}])
def test_customers_who_were_watched_for_no_time_are_refused(name):
    with pytest.raises(DataError, match="T is 0 for everybody"):
        OF_PURCHASES[name](
            summary(good().assign(T=0.0, recency=0.0, sum_log_gap=lambda frame: -9.0 * frame["frequency"]))
        )


def test_words_in_place_of_dates_are_refused():
    words = good().assign(first_purchase="in spring")
    with pytest.raises(DataError, match="hold something else than days"):
        fit_clocked_by_months(summary(words))


def test_a_clock_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="must be an OrderClock, not a NoneType"):
        fit_clocked(summary(good()), None)


@every_model_of_purchases
def test_one_customer_is_fitted_with_advice(fit):
    with pytest.warns(EstimationWarning):
        assert fit(summary(good().query("frequency == 3").head(1))).advice


@every_model_of_customers
@pytest.mark.parametrize("weights", [np.ones(3), np.full(200, -1.0), np.full(200, np.nan), np.zeros(200)])
def test_weights_that_cannot_be_are_refused(fit, weights):
    with pytest.raises(SettingsError, match="weights: give one weight >= 0"):
        fit(summary(good()), weights=weights)


@every_model_of_customers
def test_a_bare_frame_is_refused(fit):
    with pytest.raises(SettingsError, match="must be a CustomerSummary, not a DataFrame"):
        fit(good())


def test_a_unit_that_is_none_is_refused():
    with pytest.raises(SettingsError, match="time_unit is 'fortnight'"):
        CustomerSummary(good(), "fortnight")


@pytest.fixture(scope="module")
def fitted() -> dict[str, object]:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore", EstimationWarning)  # these customers are no model's
        return {name: fit(summary(good())) for name, fit in OF_PURCHASES.items()}


@pytest.mark.parametrize("name", OF_PURCHASES)
@pytest.mark.parametrize("horizon", [-1.0, np.nan, np.inf, "two weeks", "0 parsecs"])
def test_horizons_that_cannot_be_are_refused(fitted, name, horizon):
    with pytest.raises(SettingsError):
        fitted[name].expected_purchases(summary(good()), horizon=horizon)


@pytest.mark.parametrize("name", OF_PURCHASES)
def test_customers_in_another_unit_are_refused(fitted, name):
    with pytest.raises(SettingsError, match="this fit counts time in weeks, the customer summary in days"):
        fitted[name].expected_purchases(CustomerSummary(good(), "day", AS_OF), horizon=10)


# --- gaps, dates and opportunities ------------------------------------------------------------------------------


@pytest.mark.parametrize("modified", [False, True])
@pytest.mark.parametrize("value", [np.nan, -np.inf])
def test_gaps_that_cannot_be_are_refused_with_their_rows(modified, value):
    with pytest.raises(DataError, match=r"column 'sum_log_gap': missing or infinite .* in 2 row\(s\)"):
        fit_cnbd(summary(spoilt("sum_log_gap", value)), k=2, modified=modified)


def test_purchases_before_the_clock_are_refused():
    with pytest.raises(SettingsError, match="the clock begins on 2023-11-01"):
        fit_clocked_by_months(summary(spoilt("first_purchase", pd.Timestamp(2020, 1, 1))))


def test_a_clock_in_another_unit_is_refused():
    with pytest.raises(SettingsError, match="the clock counts in weeks, the summary in days"):
        fit_clocked(CustomerSummary(good(), "day", AS_OF), CLOCK)


@pytest.mark.parametrize("column", ["recency", "T"])
def test_times_that_are_no_opportunities_are_refused_with_their_rows(column):
    with pytest.raises(DataError, match=rf"column '{column}': not a whole number of opportunities in 2 row\(s\)"):
        fit_bgbb(summary(spoilt(column, 29.5)))


# --- spend ------------------------------------------------------------------------------------------------------


def test_spend_that_is_not_there_is_asked_for():
    with pytest.raises(DataError, match="monetary_value"):
        fit_gamma_gamma(summary(good().drop(columns="monetary_value")))


@pytest.mark.parametrize("spenders", [0, 1, 3])
def test_too_few_spends_are_refused(spenders):
    frame = good().assign(monetary_value=np.nan)
    frame.loc[frame.index[frame["frequency"] > 0][:spenders], "monetary_value"] = 10.0
    with pytest.raises(DataError, match=f"{spenders} customer"):
        fit_gamma_gamma(summary(frame))


# --- contracts --------------------------------------------------------------------------------------------------


def contracts(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"customer_id": list("abcd"), "periods": [1.0, 2.0, 0.0, 3.0], "churned": [True, False] * 2})
    return frame.assign(**columns)


def dated(**columns: object) -> pd.DataFrame:
    frame = pd.DataFrame({"started_on": ["2024-01-01"] * 3, "ended_on": ["2024-03-15", None, "2024-02-03"]})
    return frame.assign(renewal_period="1 month").assign(**columns)


@pytest.mark.parametrize("periods", [np.nan, np.inf, -1.0, 1.5, "often"])
def test_renewals_that_cannot_be_are_refused_with_their_rows(periods):
    with pytest.raises(DataError, match=r"'periods': not a whole number of renewals in 2 row\(s\)"):
        fit_sbg(memberships=contracts(periods=[1, periods, periods, 2]))


@pytest.mark.parametrize(
    ("columns", "words"),
    [
        ({"ended_on": "2023-12-31"}, "'ended_on': before the contract started"),
        ({"started_on": "2024-12-31"}, "'started_on': after the as-of date"),
        ({"started_on": None}, "'started_on': not a date"),
        ({"renewal_period": "1 parsec"}, "'renewal_period': not a length of time"),
        ({"renewal_period": ["1 month", "1 year", "1 month"]}, "'renewal_period': another length"),
    ],
)
def test_dates_and_units_that_cannot_be_are_refused_with_their_rows(columns, words):
    with pytest.raises(DataError, match=words) as refused:
        fit_sbg(memberships=dated(**columns), as_of="2024-06-01")
    assert "row(s)" in str(refused.value)


@pytest.mark.parametrize(
    ("active", "words"),
    [
        ([90, np.nan, 70], r"not a number of customers in 1 row\(s\)"),
        ([90, -1], r"not a number of customers in 1 row\(s\)"),
        ([90, 95], r"more active customers than before the renewal in 1 row\(s\)"),
        ([], "there is no count"),
        ([100, 100], "no contract has ended"),
    ],
)
def test_counts_that_cannot_be_are_refused(active, words):
    with pytest.raises(DataError, match=words):
        fit_sbg(active, cohort_size=100)


@pytest.mark.parametrize("size", [0, -100, np.nan])
def test_a_cohort_of_nobody_is_refused(size):
    with pytest.raises(DataError, match="the cohort size is"):
        fit_sbg([0], cohort_size=size)


def test_no_contracts_are_refused():
    with pytest.raises(DataError, match="there are no rows"):
        fit_sbg(memberships=contracts().head(0))


def test_contracts_of_which_none_ended_are_refused():
    with pytest.raises(DataError, match="no contract has ended"):
        fit_sbg(memberships=contracts(churned=False))


def test_one_contract_is_fitted_with_advice():
    with pytest.warns(EstimationWarning):
        assert fit_sbg(memberships=contracts().head(1)).advice


@pytest.mark.parametrize("weights", [np.ones(3), np.full(4, -1.0), np.full(4, np.nan), np.zeros(4)])
def test_weights_of_contracts_that_cannot_be_are_refused(weights):
    with pytest.raises(SettingsError, match="weights: give one weight >= 0"):
        fit_sbg(memberships=contracts(), weights=weights)


@pytest.mark.parametrize(("active", "size"), [(5, 100), ([90], "many"), ("often", 100)])
def test_what_is_no_count_is_refused(active, size):
    with pytest.raises(CrmAnalysisError):
        fit_sbg(active, cohort_size=size)


def test_arguments_that_do_not_go_together_are_refused():
    for how in ({}, {"active": [90]}, {"memberships": contracts(), "cohort_size": 100}, {"memberships": dated()}):
        with pytest.raises(CrmAnalysisError):
            fit_sbg(**how)
