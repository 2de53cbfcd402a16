"""Empirical Bayes on many means: the published example, the equation it solves, and what it gains."""

import numpy as np
import pytest

from crm_analysis.voice.shrinkage import between_variance, shrink


def test_batting_averages_are_drawn_together_as_published(published):
    hits, at_bats = published.column("voice-baseball-stein", "hits"), published["voice-baseball-stein"]["at_bats"]
    averages = hits / at_bats
    whole = averages.mean()
    shrunk = shrink(averages, np.full(18, whole * (1 - whole) / at_bats)).values
    slope, start = np.polyfit(averages, shrunk, 1)
    published.check("voice-baseball-stein", [slope, start / (1 - slope)])


def test_between_variance_makes_the_weighted_squares_what_is_expected_of_them():
    values, variances = np.array([7.0, 8.5, 6.0, 9.0, 7.5]), np.array([0.1, 0.5, 0.2, 0.05, 1.0])
    between = between_variance(values, variances)
    weight = 1 / (variances + between)
    mean = np.average(values, weights=weight)
    assert between > 0
    assert (weight * (values - mean) ** 2).sum() == pytest.approx(4)


def test_means_closer_than_chance_have_no_variance_between_them():
    assert between_variance(np.array([7.0, 7.1, 6.9, 7.0]), np.ones(4)) == 0


def test_errors_of_equally_known_means_are_those_of_morris():
    values, variance = np.array([6.0, 7.0, 7.5, 8.0, 9.5, 5.0]), 0.5
    from_mean = values - values.mean()
    drawn = (6 - 3) * variance / (from_mean**2).sum()
    square = variance * (1 - 5 / 6 * drawn) + 2 / (6 - 3) * drawn**2 * from_mean**2
    np.testing.assert_allclose(shrink(values, np.full(6, variance)).errors, np.sqrt(square))


def test_three_means_are_left_as_they_are():
    values = np.array([1.0, 2.0, 3.0])
    shrunk = shrink(values, np.ones(3))
    assert (shrunk.values == values).all() and (shrunk.errors == 1).all()


def test_what_is_known_least_is_drawn_most():
    values, variances = np.array([8.0, 8.0, 6.0, 6.0]), np.array([1.0, 0.1, 1.0, 0.1])
    moved = np.abs(shrink(values, variances).values - values)
    assert moved[0] > moved[1] and moved[2] > moved[3]


@pytest.mark.parametrize("spread", [0.0, 0.3, 1.0])
def test_shrunk_means_are_nearer_to_the_truth_and_their_intervals_contain_it(spread):
    rng = np.random.default_rng(20240601)
    gain, covered = [], []
    for _ in range(300):
        variances = 4 / rng.integers(5, 100, 8)
        truth = 7 + spread * rng.standard_normal(8)
        values = truth + np.sqrt(variances) * rng.standard_normal(8)
        shrunk = shrink(values, variances)
        gain += [((values - truth) ** 2 - (shrunk.values - truth) ** 2) / variances]
        covered += [np.abs(shrunk.values - truth) < 1.96 * shrunk.errors]
    assert np.mean(gain) > 3 * np.std(gain) / np.sqrt(np.size(gain))
    assert np.mean(covered) > 0.93  # 2,400 intervals of 95%
