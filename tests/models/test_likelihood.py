"""The one optimiser, on likelihoods whose maximum is known."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import EstimationWarning
from crm_analysis.models.histories import distinct_rows, histories, once_per_distinct_row
from crm_analysis.models.likelihood import Maximum, maximize_likelihood, profile_interval


def exponential(times: np.ndarray, counts: np.ndarray | float = 1.0):
    """Log-likelihood of exponential times: the maximum is 1 / mean, its variance rate^2 / n."""
    size, whole = (counts * np.ones(len(times))).sum(), (counts * times).sum()
    return lambda params: (size * np.log(params[0]) - params[0] * whole, np.array([size / params[0] - whole]))


def test_the_maximum_and_its_variance_are_the_textbook_ones():
    times = np.array([0.5, 1.0, 2.5, 4.0])
    found = maximize_likelihood(exponential(times), names=["rate"], starts=[[5.0]], total=4)
    assert found.params[0] == pytest.approx(0.5, rel=1e-9)
    assert found.covariance[0, 0] == pytest.approx(0.5**2 / 4, rel=1e-6)
    assert found.log_likelihood == pytest.approx(4 * np.log(0.5) - 4)
    assert found.converged


def test_counts_equal_repeated_rows():
    times, counts = np.array([1.0, 3.0]), np.array([3.0, 1.0])
    folded = maximize_likelihood(exponential(times, counts), names=["rate"], starts=[[1.0]], total=4)
    repeated = np.array([1.0, 1.0, 1.0, 3.0])
    unfolded = maximize_likelihood(exponential(repeated), names=["rate"], starts=[[1.0]], total=4)
    assert folded.params == pytest.approx(unfolded.params)
    assert folded.covariance == pytest.approx(unfolded.covariance)


def test_a_parameter_without_a_maximum_stops_at_its_bound_and_says_so():
    def rises_for_ever(params):
        return float(np.log(params[0])), 1 / params

    with pytest.warns(EstimationWarning, match="ran to the bound"):
        found = maximize_likelihood(rises_for_ever, names=["size"], starts=[[1.0]], total=1)
    assert not found.converged


def test_a_direction_without_information_still_has_a_finite_spread():
    def only_the_first(params):
        miss = np.log(params[0])
        return -(miss**2), np.array([-2 * miss / params[0], 0.0])

    with pytest.warns(EstimationWarning, match="nearly flat along v"):
        found = maximize_likelihood(only_the_first, names=["u", "v"], starts=[[3.0, 2.0]], total=1)
    assert np.sqrt(found.covariance[1, 1]) / found.params[1] == pytest.approx(3.0, rel=1e-6)


def test_a_ridge_is_named_with_its_parameters():
    def only_the_product(params):
        miss = np.log(params[0]) + np.log(params[1])
        return -(miss**2), np.array([-2 * miss / params[0], -2 * miss / params[1]])

    with pytest.warns(EstimationWarning, match="nearly flat along u, v"):
        maximize_likelihood(only_the_product, names=["u", "v"], starts=[[3.0, 2.0]], total=1)


def test_distinct_rows_are_sorted_counted_and_found_again():
    folded = distinct_rows(np.array([2.0, 1, 2, 2]), np.array([5.0, 7, 5, 4]))
    assert [column.tolist() for column in folded.columns] == [[1, 2, 2], [7, 4, 5]]
    assert folded.counts.tolist() == [1, 1, 2]
    assert folded.inverse.tolist() == [2, 0, 2, 1]


def test_weights_add_up_over_equal_rows():
    folded = distinct_rows(np.array([1.0, 1, 2]), weights=np.array([0.5, 0.25, 3]))
    assert folded.counts.tolist() == [0.75, 3]


def test_a_function_is_computed_once_for_each_distinct_row():
    seen = []
    result = once_per_distinct_row(lambda x: (seen.append(len(x)), x**2)[1], np.array([3.0, 1, 3, 3]))
    assert result.tolist() == [9, 1, 9, 9]
    assert seen == [2]


def test_an_event_log_folds_into_histories():
    events = pd.DataFrame({"customer": [1, 1, 2], "time": [2.0, 9.0, 4.0]})
    frame = histories(events, np.array([10.0, 10.0, 5.0]))
    assert frame["frequency"].tolist() == [0, 2, 1]
    assert frame["recency"].tolist() == [0, 9, 4]
    assert frame["T"].tolist() == [10, 10, 5]


# --- coefficients, penalty, profile -----------------------------------------------------------------------------


def normal(values: np.ndarray):
    """Log-likelihood of normal values with unknown scale (positive) and mean (any sign)."""

    def function(params):
        sigma, mean = params
        z = (values - mean) / sigma
        score = np.array([((z**2 - 1) / sigma).sum(), (z / sigma).sum()])
        return float((-np.log(sigma) - z**2 / 2).sum()), score

    return function


VALUES = np.array([-3.0, 1.0, -2.5, 2.5, -2.0, 1.0])


def fit_normal(penalty: float = 0.0):
    return maximize_likelihood(
        normal(VALUES), names=["sigma", "mean"], starts=[[1.0, 0.0]], total=6, coefficients=1, penalty=penalty
    )


def test_a_coefficient_may_be_negative_and_keeps_its_textbook_variance():
    found = fit_normal()
    assert found.params == pytest.approx([VALUES.std(), VALUES.mean()])
    assert found.covariance[1, 1] == pytest.approx(VALUES.var() / 6, rel=1e-6)
    assert found.covariance[0, 1] == pytest.approx(0, abs=1e-8)


def test_a_penalty_draws_coefficients_to_zero_and_leaves_the_positive_parameters_free():
    means = [fit_normal(penalty).params[1] for penalty in (0.0, 1.0, 10.0, 1e8)]
    assert means[0] < means[1] < means[2] < 0
    assert means[3] == pytest.approx(0, abs=1e-6)
    assert fit_normal(1e8).params[0] == pytest.approx(np.sqrt((VALUES**2).mean()), rel=1e-6)


def test_the_log_likelihood_of_a_penalised_maximum_is_that_of_the_data():
    found = fit_normal(1.0)
    assert found.log_likelihood == pytest.approx(normal(VALUES)(found.params)[0])


def test_a_profile_interval_of_a_parabola_is_the_wald_interval():
    rng = np.random.default_rng(0)
    many = rng.normal(2.0, 1.0, 20_000)
    found = maximize_likelihood(
        normal(many), names=["sigma", "mean"], starts=[[1.0, 0.0]], total=len(many), coefficients=1
    )
    lower, upper = profile_interval(normal(many), found, position=1, coefficients=1)
    half = 1.959964 * np.sqrt(found.covariance[1, 1])
    assert (lower, upper) == pytest.approx((found.params[1] - half, found.params[1] + half), rel=1e-4)


def test_a_profile_interval_is_where_the_likelihood_has_fallen_by_half_a_chi_square():
    times = np.array([0.5, 1.0, 2.5, 4.0])
    found = maximize_likelihood(exponential(times), names=["rate"], starts=[[5.0]], total=4)
    for end in profile_interval(exponential(times), found, position=0):
        assert exponential(times)(np.array([end]))[0] == pytest.approx(found.log_likelihood - 3.841459 / 2, abs=1e-6)


def test_an_interval_without_an_end_is_called_infinite():
    # Nothing was seen to happen: any small rate is as good.
    survived = np.array([1.0, 2.0, 3.0])

    def nothing_happened(params):
        return -params[0] * survived.sum(), -survived.sum(keepdims=True)

    flat = Maximum(np.array([1e-4]), np.array([[1e-8]]), float(-1e-4 * survived.sum()), False, ())
    lower, upper = profile_interval(nothing_happened, flat, position=0)
    assert lower == 0
    assert np.isfinite(upper)


def test_other_starts_are_tried_when_the_given_one_runs_to_a_bound():
    # Left of log 2 the likelihood rises without end to the left; the only maximum lies at log 3.
    def two_sides(params):
        log = np.log(params)
        right = log > np.log(2)
        value = np.where(right, -((log - np.log(3)) ** 2), -1e3 - log)
        return 1e3 * float(value[0]), 1e3 * np.where(right, -2 * (log - np.log(3)), -1.0) / params

    found = maximize_likelihood(two_sides, names=["size"], starts=[[1.8]], total=1e3)
    assert found.params[0] == pytest.approx(3.0, rel=1e-6)


def test_a_rehearsal_that_leads_nowhere_is_forgotten():
    def rises_for_ever(params):
        return float(np.log(params[0])), 1 / params

    times = np.array([0.5, 1.0, 2.5, 4.0])
    found = maximize_likelihood(exponential(times), names=["rate"], starts=[[5.0]], total=4, rehearsal=rises_for_ever)
    assert found.params[0] == pytest.approx(0.5, rel=1e-9)


def test_a_rehearsal_of_something_else_does_not_move_the_maximum():
    times = np.array([0.5, 1.0, 2.5, 4.0])
    found = maximize_likelihood(
        exponential(times), names=["rate"], starts=[[5.0]], total=4, rehearsal=exponential(times * 1.3)
    )
    assert found.params[0] == pytest.approx(0.5, rel=1e-9)
    assert found.covariance[0, 0] == pytest.approx(0.5**2 / 4, rel=1e-6)
