"""The scikit-learn estimator: the same road as the functions, and cross-validation that respects time."""

from copy import copy
from functools import cache

import numpy as np
import pandas as pd
import pytest
from sklearn.base import clone
from sklearn.exceptions import NotFittedError
from sklearn.model_selection import GridSearchCV, cross_val_score, cross_validate
from sklearn.utils.estimator_checks import parametrize_with_checks

from crm_analysis.data.samples import load_cdnow_sample
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import split_calibration_holdout, summarize_customers
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.bgnbd import fit_bgnbd
from crm_analysis.models.gamma_gamma import fit_gamma_gamma
from crm_analysis.models.pareto_nbd import fit_pareto_nbd
from crm_analysis.settings import MoneySettings
from crm_analysis.value import estimator
from crm_analysis.value.backtest import backtest
from crm_analysis.value.estimator import CustomerValueRegressor, TimeOrigins
from crm_analysis.value.lifetime_value import Costs, lifetime_value
from crm_analysis.value.scores import normalized_gini

ORIGIN, END = "1997-09-30", "1998-06-30"
SPLITS = TimeOrigins([ORIGIN], horizon="39 weeks")
TERMS = {"horizon": "12 months", "annual_discount_rate": 0.12, "margin": 0.4}


@pytest.fixture(scope="module")
def orders() -> pd.DataFrame:
    return load_cdnow_sample()


@pytest.fixture(scope="module")
def log(orders) -> Transactions:
    return read_transactions(orders)


@pytest.fixture(scope="module")
def few_orders(orders) -> pd.DataFrame:
    """Those of about a fifth of the customers."""
    return orders[orders["customer_id"] < "05000"]


@pytest.fixture(scope="module")
def small_log(few_orders) -> Transactions:
    return read_transactions(few_orders)


@pytest.fixture(scope="module")
def past(orders) -> pd.DataFrame:
    return orders[orders["order_date"] <= ORIGIN]


@pytest.fixture(scope="module")
def fitted(past) -> CustomerValueRegressor:
    return CustomerValueRegressor(**TERMS).fit(past)


# --- the road ---------------------------------------------------------------------------------------------------


def test_values_are_those_of_the_functions_by_hand(log):
    costs = {"acquisition_cost": 5.0, "cost_per_order": 1.0, "cost_to_serve_per_year": 2.0}
    model = CustomerValueRegressor(model="Pareto/NBD", **TERMS, **costs, as_of=ORIGIN).fit(log)
    customers = summarize_customers(log, as_of=ORIGIN, annual_discount_rate=0.12)
    by_hand = lifetime_value(
        fit_pareto_nbd(customers), fit_gamma_gamma(customers), customers, **TERMS, costs=Costs(**costs)
    )
    pd.testing.assert_frame_equal(model.predict_frame(log), by_hand.frame)
    pd.testing.assert_frame_equal(model.values_.frame, by_hand.frame)


def test_prediction_is_one_number_a_customer_in_the_order_of_the_summary(fitted, past):
    frame = fitted.predict_frame(past)
    assert list(frame.index) == sorted(past["customer_id"].unique())
    np.testing.assert_array_equal(fitted.predict(past), frame["residual_value"])


def test_with_target_purchases_the_prediction_is_the_expected_purchases(fitted, past):
    predicted = copy(fitted).set_params(target="purchases").predict(past)
    np.testing.assert_array_equal(predicted, fitted.values_.frame["expected_purchases"])


def test_a_table_is_read_at_its_last_day(fitted, past):
    assert fitted.as_of_ == past["order_date"].max().date()


def test_rows_after_as_of_are_not_seen(log, fitted):
    cut = CustomerValueRegressor(**TERMS, as_of=ORIGIN).fit(log)
    np.testing.assert_array_equal(cut.predict(log), fitted.values_.frame["residual_value"])


def test_a_customer_is_worth_the_same_alone_as_among_all(fitted, past):
    frame = fitted.predict_frame(past)
    some = past[past["customer_id"].isin(frame.index[:5])]
    assert some["order_date"].max() < past["order_date"].max()
    pd.testing.assert_frame_equal(fitted.predict_frame(some), frame.head(5))


def test_a_later_table_is_valued_at_its_own_last_day(fitted, log, orders):
    customers = summarize_customers(log, as_of=END, annual_discount_rate=0.12)
    later = fitted.values_.fits.purchases.probability_alive(customers)
    pd.testing.assert_series_equal(fitted.predict_frame(orders)["probability_alive"], later)


def test_customers_who_were_not_fitted_to_are_valued_as_well(small_log, log):
    values = CustomerValueRegressor().fit(small_log).predict(log)
    assert len(values) == 2357
    assert np.isfinite(values).all()


def test_the_defaults_are_those_of_the_settings():
    ours = CustomerValueRegressor().get_params()
    # No parts of a value, or of contracts; where margins come from is one argument here, left out by default.
    apart = {"win_back_cost", "receivable_loss_rates", "margin_from", "margins", "fee", "fees"}
    for name, value in MoneySettings().model_dump(exclude=apart).items():
        assert ours[name] == value


def test_the_table_is_left_alone(fitted, past):
    before = past.copy()
    fitted.predict(past)
    pd.testing.assert_frame_equal(past, before)


# --- what is refused --------------------------------------------------------------------------------------------


@pytest.mark.parametrize("X", [np.ones((20, 3)), [["c1", "1997-01-01", 3.0]], None], ids=["array", "list", "None"])
def test_what_is_no_table_is_refused(X):
    with pytest.raises(SettingsError, match="give a path to a CSV or Parquet file, a DataFrame"):
        CustomerValueRegressor().fit(X)


def test_a_table_without_amounts_is_refused(past):
    with pytest.raises(DataError, match="'amount': there is no such column"):
        CustomerValueRegressor().fit(past.drop(columns="amount"))


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"model": "NBD/BG"}, "unknown purchase model 'NBD/BG'"),
        ({"target": "profit"}, "target is 'profit'; use one of value, purchases"),
        ({"metric": "r2"}, "metric is 'r2'; use one of rmse, gini"),
        ({"margin": 0.0}, "margin is 0.0"),
        ({"cost_per_order": -1.0}, "cost_per_order is -1.0"),
        ({"horizon": "soon"}, "horizon is 'soon'"),
        ({"time_unit": "year"}, "time_unit is 'year'"),
        ({"as_of": "today"}, "as_of is 'today'"),
    ],
    ids=lambda value: next(iter(value)) if isinstance(value, dict) else "",
)
def test_a_wrong_parameter_is_refused_when_fitting(small_log, wrong, words):
    with pytest.raises(SettingsError, match=words):
        CustomerValueRegressor(**{"as_of": ORIGIN, **wrong}).fit(small_log)


@pytest.mark.parametrize("method", ["predict", "predict_frame", "compare", "score"])
def test_nothing_is_answered_before_fit(log, method):
    with pytest.raises(NotFittedError):
        getattr(CustomerValueRegressor(), method)(log)


# --- the comparison and the score -------------------------------------------------------------------------------


def test_the_forecast_is_compared_with_what_the_same_customers_did(fitted, orders, log):
    frame = fitted.compare(orders[orders["order_date"] > ORIGIN])
    split = split_calibration_holdout(log, calibration_end=ORIGIN, as_of=END)
    np.testing.assert_array_equal(frame["actual_purchases"], split.holdout["purchases"])
    np.testing.assert_allclose(frame["actual_spend"], split.holdout["spend"])
    expected = fit_bgnbd(split.calibration).expected_purchases(split.calibration, horizon=39)
    np.testing.assert_allclose(frame["expected_purchases"], expected, rtol=1e-9)
    spend = fit_gamma_gamma(split.calibration).expected_spend(split.calibration)
    np.testing.assert_allclose(frame["expected_spend"], expected * spend, rtol=1e-9)


def test_earlier_rows_and_later_customers_do_not_change_the_comparison(fitted, orders):
    later = orders[orders["order_date"] > ORIGIN]
    newcomer = later.head(1).assign(customer_id="newcomer")
    pd.testing.assert_frame_equal(fitted.compare(pd.concat([orders, newcomer])), fitted.compare(later))


def test_a_table_without_later_rows_cannot_be_compared(fitted, past):
    with pytest.raises(DataError, match="all up to 1997-09-30 is known to the model"):
        fitted.score(past)


def test_the_score_is_the_error_of_the_backtest_with_its_sign_turned(orders, log):
    proof = backtest(log, origins=[ORIGIN], horizon="39 weeks", draws=100)
    [score] = cross_val_score(CustomerValueRegressor(target="purchases"), orders, cv=SPLITS)
    assert score == pytest.approx(-proof.scorecard["rmse"].xs("BG/NBD", level="method").iloc[0], rel=1e-9)


def test_the_score_of_value_is_in_currency_a_customer(fitted, log):
    frame = fitted.compare(log)
    miss = frame["expected_spend"] - frame["actual_spend"]
    assert fitted.score(log) == pytest.approx(-np.sqrt((miss**2).mean()))


def test_the_gini_score_ranks_customers_better_than_chance(fitted, log):
    assert 0.3 < copy(fitted).set_params(metric="gini").score(log) < 1


def ranked(actual: list[float], expected: list[float]) -> float:
    return normalized_gini(pd.Series(actual, dtype=float), pd.Series(expected, dtype=float))


def test_the_gini_score_is_one_for_the_right_order_and_less_for_the_reverse():
    assert ranked([0, 1, 2, 7], [0.1, 0.2, 0.3, 0.4]) == pytest.approx(1)
    assert ranked([0, 1, 2, 7], [0.4, 0.3, 0.2, 0.1]) == pytest.approx(-1)


def test_the_gini_score_of_ties_is_the_mean_over_all_their_orders():
    orders_of_ties = [[1, 2, 3, 4], [1, 3, 2, 4]]  # the two customers in the middle in either order
    mean = np.mean([ranked([3, 0, 2, 7], order) for order in orders_of_ties])
    assert ranked([3, 0, 2, 7], [1, 2, 2, 4]) == pytest.approx(mean)


def test_the_gini_score_is_missing_where_all_did_the_same():
    assert np.isnan(ranked([2, 2, 2], [1, 2, 3]))
    assert np.isnan(ranked([0, 0, 0], [1, 2, 3]))


# --- splits by time ---------------------------------------------------------------------------------------------


def test_a_split_trains_on_the_rows_up_to_the_origin_and_tests_on_those_of_the_horizon(orders):
    [(train, test)] = TimeOrigins([ORIGIN], horizon="90 days").split(orders)
    days = orders["order_date"]
    assert days.iloc[train].max() == pd.Timestamp(ORIGIN)
    assert days.iloc[test].min() == pd.Timestamp("1997-10-01")
    assert days.iloc[test].max() == pd.Timestamp("1997-12-29")
    assert len(train) + len(test) == (days <= "1997-12-29").sum()


def test_several_origins_give_as_many_splits_in_the_order_of_the_calendar(orders):
    splits = TimeOrigins(["1997-12-31", "1997-06-30"], horizon=25)
    sizes = [len(train) for train, _test in splits.split(orders)]
    assert sizes == sorted(sizes)
    assert len(sizes) == splits.get_n_splits() == 2


def test_times_with_a_zone_are_cut_to_the_day_as_when_they_are_read(orders):
    shifted = orders.assign(order_date=orders["order_date"].dt.tz_localize("UTC") + pd.Timedelta(hours=23))
    in_tokyo = shifted.assign(order_date=shifted["order_date"].dt.tz_convert("Asia/Tokyo"))
    for plain, zoned in zip(next(SPLITS.split(orders)), next(SPLITS.split(in_tokyo)), strict=True):
        np.testing.assert_array_equal(plain, zoned)
    assert read_transactions(in_tokyo).last_date == read_transactions(orders).last_date


@pytest.mark.parametrize("origin", ["1996-12-31", "1998-06-30", "1998-01-01"])
def test_a_split_that_the_table_does_not_hold_is_refused(orders, origin):
    with pytest.raises(DataError, match="choose an origin and a horizon inside the table"):
        list(TimeOrigins([origin], horizon="39 weeks").split(orders))


def test_dates_that_cannot_be_read_are_shown(orders):
    with pytest.raises(DataError, match=r"no date in 1 row\(s\)"):
        list(SPLITS.split(orders.astype({"order_date": str}).replace({"order_date": {"1997-01-01": "soon"}}).head(1)))


def test_only_a_table_with_dates_can_be_split(orders):
    with pytest.raises(SettingsError, match="a split by time needs a DataFrame of transactions, not a ndarray"):
        list(SPLITS.split(orders.to_numpy()))
    with pytest.raises(DataError, match="'order_date': there is no such column"):
        list(SPLITS.split(orders.drop(columns="order_date")))


def test_a_grid_search_chooses_a_model_by_what_happened_later(few_orders):
    search = GridSearchCV(
        CustomerValueRegressor(target="purchases"),
        {"model": ["NBD", "BG/NBD"]},
        cv=SPLITS,
    ).fit(few_orders)
    assert search.best_params_ == {"model": "BG/NBD"}  # NBD has no dropout, and sees none coming
    assert str(search.best_estimator_.as_of_) == END  # the best is fitted again to all rows
    assert len(search.predict(few_orders)) == few_orders["customer_id"].nunique()


def test_other_scores_can_be_made_from_the_comparison(few_orders):
    def customers(model, X, y=None):
        return len(model.compare(X))

    result = cross_validate(CustomerValueRegressor(), few_orders, cv=SPLITS, scoring={"customers": customers})
    assert result["test_customers"] == [few_orders["customer_id"].nunique()]


# --- scikit-learn's own checks ----------------------------------------------------------------------------------

# They hand over arrays of random numbers, in whose place a part of CDNOW is read. So all checks run that ask how an
# estimator behaves: is it cloned, does it keep its parameters, can it be fitted twice, pickled, put in a pipeline? The
# others ask what it does with the array itself; they are expected to fail, strictly, for the reason beside their name.
_NOT_ROWS = "results are by customer, not by row of X"
_NO_ARRAY = "X is a table of orders; anything else is refused by SettingsError or DataError, see the tests above"
CANNOT_APPLY = {
    "check_n_features_in_after_fitting": "columns are found by name, so there is no n_features_in_",
    "check_n_features_in": "columns are found by name, so there is no n_features_in_",
    "check_complex_data": _NO_ARRAY,
    "check_dtype_object": _NO_ARRAY,
    "check_estimators_empty_data_messages": _NO_ARRAY,
    "check_estimators_nan_inf": _NO_ARRAY,
    "check_estimator_sparse_array": _NO_ARRAY,
    "check_estimator_sparse_matrix": _NO_ARRAY,
    "check_estimator_sparse_tag": _NO_ARRAY,
    "check_fit1d": _NO_ARRAY,
    "check_fit2d_predict1d": _NO_ARRAY,
    "check_methods_sample_order_invariance": _NOT_ROWS,
    "check_methods_subset_invariance": _NOT_ROWS,
}


class OnOrders(CustomerValueRegressor):
    """The estimator, called one of arrays, so that scikit-learn runs its checks at all."""

    def __sklearn_tags__(self):
        tags = super().__sklearn_tags__()
        tags.input_tags.two_d_array = True
        return tags


@pytest.fixture(scope="module")
def summarize_once():
    return cache(summarize_customers)


@pytest.fixture
def orders_for_arrays(small_log, summarize_once, monkeypatch):
    monkeypatch.setattr(estimator, "read_transactions", lambda X: small_log)
    monkeypatch.setattr(estimator, "summarize_customers", summarize_once)


@pytest.mark.usefixtures("orders_for_arrays")
@parametrize_with_checks([OnOrders(as_of=ORIGIN)], expected_failed_checks=lambda _estimator: CANNOT_APPLY)
def test_scikit_learn_finds_an_estimator(estimator, check):
    check(estimator)


def test_scikit_learn_is_told_that_x_is_no_array_and_y_not_needed():
    tags = CustomerValueRegressor().__sklearn_tags__()
    assert not tags.input_tags.two_d_array
    assert not tags.target_tags.required


def test_a_clone_of_a_fitted_estimator_is_unfitted_with_the_same_parameters(fitted):
    twin = clone(fitted)
    assert twin.get_params() == fitted.get_params()
    assert not hasattr(twin, "values_")
