"""Scores of forecasts, on cases small enough to know the answer."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.value.scores import (
    by_class,
    by_decile,
    coverage,
    frequency_classes,
    log_scores,
    normalized_gini,
    point_scores,
    probability_transform,
)

ACTUAL = pd.Series([0, 0, 1, 3, 6], index=list("abcde"))


def test_a_perfect_forecast_has_no_error_and_ranks_perfectly():
    scores = point_scores(ACTUAL, ACTUAL.astype(float))
    assert scores["error"] == scores["mae"] == scores["rmse"] == 0
    assert scores["gini"] == 1


def test_errors_are_those_of_the_textbook():
    scores = point_scores(ACTUAL, ACTUAL + np.array([1.0, 0, 0, 0, -3]))
    assert scores["mae"] == pytest.approx(4 / 5)
    assert scores["rmse"] == pytest.approx(np.sqrt(2))
    assert scores["error"] == pytest.approx(-0.2)


def test_a_forecast_that_is_off_by_one_factor_misses_nobody_at_the_true_total():
    scores = point_scores(ACTUAL, ACTUAL * 0.5)
    assert scores["mae"] > 0
    assert scores["mae_at_total"] == pytest.approx(0)


def test_one_forecast_for_all_ranks_nobody():
    assert normalized_gini(ACTUAL, pd.Series(2.0, index=ACTUAL.index)) == pytest.approx(0)


def test_the_opposite_ranking_is_minus_one():
    assert normalized_gini(ACTUAL, -ACTUAL) == pytest.approx(-1)


def test_the_order_of_customers_with_one_forecast_does_not_matter():
    expected = pd.Series([1.0, 1, 1, 2, 2], index=ACTUAL.index)
    assert normalized_gini(ACTUAL, expected) == pytest.approx(normalized_gini(ACTUAL[::-1], expected[::-1]))


def test_nobody_buying_leaves_shares_missing():
    scores = point_scores(ACTUAL * 0, ACTUAL.astype(float))
    assert np.isnan([scores["error"], scores["gini"], scores["lift"], scores["top_tenth"]]).all()


def test_lift_is_the_mean_of_the_top_tenth_over_that_of_all():
    actual = pd.Series([10] + [0] * 9 + [2] * 10)
    expected = pd.Series(np.arange(20.0, 0, -1))
    assert point_scores(actual, expected)["lift"] == pytest.approx(5 / (30 / 20))


def test_tenths_are_of_equal_size_and_ordered_by_expectation():
    expected = pd.Series(np.arange(95.0))
    table = by_decile(expected, expected)
    assert table["customers"].between(9, 10).all()
    assert table["expected"].is_monotonic_decreasing


def test_classes_hold_all_who_bought_as_often_or_more_at_the_end():
    classes = frequency_classes(ACTUAL, most=3)
    assert list(classes) == ["0", "0", "1", "3+", "3+"]
    assert list(classes.cat.categories) == ["0", "1", "2", "3+"]


def test_means_by_class_have_the_limits_of_the_textbook():
    actual = pd.Series([4, 6, 8, 5])
    table = by_class(actual, actual / 2, frequency_classes(pd.Series([1, 1, 1, 0])))
    assert list(table.index) == ["0", "1"]
    assert table["expected"].tolist() == [2.5, 3.0]
    half = 4.302653 * 2 / np.sqrt(3)  # Student's t with two degrees of freedom
    assert table.loc["1", ["customers", "actual", "lower", "upper"]].tolist() == pytest.approx(
        [3, 6, 6 - half, 6 + half]
    )
    assert table.loc["0", ["lower", "upper"]].isna().all()


def outcomes(distribution: np.ndarray, counts: np.ndarray) -> pd.DataFrame:
    cumulated = np.concatenate([[0], np.cumsum(distribution)])
    return pd.DataFrame({"below": cumulated[counts], "equal": distribution[counts]})


def test_counts_drawn_from_the_forecast_are_covered_at_the_stated_rate():
    distribution = np.array([0.5, 0.3, 0.15, 0.05])
    counts = np.random.default_rng(1).choice(4, p=distribution, size=40_000)
    assert coverage(outcomes(distribution, counts)) == pytest.approx(0.9, abs=0.005)
    share = probability_transform(outcomes(distribution, counts))["share"]
    np.testing.assert_allclose(share, 0.1, atol=0.005)


def test_customers_who_buy_more_than_forecast_stand_at_the_right():
    distribution = np.array([0.7, 0.2, 0.1])
    counts = np.random.default_rng(1).choice(3, p=distribution[::-1], size=2_000)
    share = probability_transform(outcomes(distribution, counts))["share"]
    assert share.iloc[-1] > 0.5 > 0.1 > share.iloc[0]


def test_the_log_score_is_best_for_the_true_distribution():
    truth, other = np.array([0.6, 0.3, 0.1]), np.array([0.5, 0.3, 0.2])
    counts = np.random.default_rng(1).choice(3, p=truth, size=5_000)
    assert log_scores(outcomes(truth, counts)).mean() > log_scores(outcomes(other, counts)).mean()
