"""Weighted moments and those of bootstrap samples, beside numpy and samples drawn one by one."""

import numpy as np
import pytest

from crm_analysis.voice.moments import correlations_of, is_solvable, resampled_moments, weighted_moments


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(1)
    return rng.normal(size=(60, 3)) @ np.tri(3) + 5, rng.uniform(0.2, 3, size=60)


def test_weighted_moments_are_those_of_numpy(answers):
    values, weights = answers
    expected = np.cov(values, rowvar=False, aweights=weights, ddof=0)
    found = weighted_moments(values, weights)
    np.testing.assert_allclose(found.covariances, expected, rtol=1e-12)
    np.testing.assert_allclose(found.means, np.average(values, axis=0, weights=weights), rtol=1e-12)


def test_a_column_that_does_not_vary_correlates_with_nothing():
    covariances = np.array([[4.0, 0.0, 3.0], [0.0, 0.0, 0.0], [3.0, 0.0, 9.0]])
    found = correlations_of(covariances, unvarying=0.0)
    np.testing.assert_allclose(found, [[1, 0, 0.5], [0, 0, 0], [0.5, 0, 1]])
    assert np.isnan(correlations_of(covariances)).sum() == 5


def test_samples_by_matrix_products_are_those_drawn_one_by_one(answers):
    values, weights = answers
    found = resampled_moments(values, weights, draws=5, rng=np.random.default_rng(7), noise=True)
    rng = np.random.default_rng(7)
    rng.multinomial(60, [1.0], size=5)
    which, noise = rng.integers(0, 60, size=5 * 60).reshape(5, 60), rng.standard_normal((5, 60), dtype=np.float32)
    for rows, own, means, covariance in zip(which, noise, *found, strict=True):
        columns = np.column_stack([own, values])[rows]
        expected = np.cov(columns, rowvar=False, aweights=weights[rows], ddof=0)
        np.testing.assert_allclose(covariance, expected, rtol=1e-9, atol=1e-12)
        np.testing.assert_allclose(means, np.average(columns, axis=0, weights=weights[rows]), rtol=1e-9)


def test_samples_of_respondents_gone_through_in_parts_vary_as_they_should():
    n = 9000
    values = np.random.default_rng(2).normal(size=(n, 2))
    values[:, 0] = np.where(np.arange(n) < 8192, -1.0, 1.0)  # which part a respondent is in
    draws = resampled_moments(values, np.ones(n), draws=400, rng=np.random.default_rng(3)).covariances
    whole = weighted_moments(values, np.ones(n)).covariances
    apart = correlations_of(draws) - correlations_of(whole)
    assert apart[:, 0, 1].std() == pytest.approx(1 / np.sqrt(n), rel=4 / np.sqrt(800))
    # By how much a sample varies hangs on how many of either part it has.
    share = 8192 / n
    error = abs(1 - 2 * share) / np.sqrt(n * share * (1 - share))
    assert (draws[:, 0, 0] / whole[0, 0]).std() == pytest.approx(error, rel=4 / np.sqrt(800))


def test_noise_goes_with_nothing_but_by_the_chance_of_being_drawn_and_of_being_resampled():
    n = 400
    values = np.random.default_rng(4).normal(size=(n, 1))
    found = resampled_moments(values, np.ones(n), draws=1000, rng=np.random.default_rng(5), noise=True)
    draws = correlations_of(found.covariances)
    assert draws[:, 0, 1].mean() == pytest.approx(0, abs=4 * np.sqrt(2 / n / 1000))
    assert draws[:, 0, 1].std() == pytest.approx(np.sqrt(2 / n), rel=0.1)


def test_equal_generators_draw_the_same_respondents(answers):
    values, weights = answers
    alone = resampled_moments(values[:, :1], weights, draws=9, rng=np.random.default_rng(8))
    together = resampled_moments(values, weights, draws=9, rng=np.random.default_rng(8))
    np.testing.assert_allclose(alone.covariances, together.covariances[:, :1, :1])


def test_a_sample_in_which_nobody_has_a_weight_is_missing():
    values, weights = np.arange(6.0).reshape(3, 2) ** 2, np.array([1.0, 0.0, 0.0])
    found = resampled_moments(values, weights, draws=50, rng=np.random.default_rng(9))
    missing = np.isnan(found.means[:, 0])
    assert 0 < missing.sum() < 50
    assert np.isnan(found.covariances[missing]).all()
    assert (found.covariances[~missing] == 0).all()  # one answer does not vary, and no rounding says it does


def test_what_does_not_vary_among_those_who_count_has_no_variance_at_all():
    values, weights = np.array([[5.0, 1.0], [0.1, 2.0], [0.1, 4.0], [0.1, 5.0]]), np.array([0.0, 0.3, 0.7, 0.9])
    covariances = weighted_moments(values, weights).covariances
    assert (covariances[0] == 0).all()
    assert covariances[1, 1] > 0


def test_columns_are_solvable_where_all_vary_and_none_is_given_by_others():
    base = np.random.default_rng(10).normal(size=(3, 30, 2))
    base[1, :, 1] = 0.1
    base[2, :, 1] = 2 * base[2, :, 0] + 7
    covariances = np.stack([weighted_moments(each, np.ones(30)).covariances for each in base])
    np.testing.assert_array_equal(is_solvable(covariances), [True, False, False])
