"""Gaps of expectation and perception: the paired test, words, and what is left out."""

import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.multitest import multipletests

from crm_analysis.company import simulate_company
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.gap import satisfaction_gap

PAIRS = {"price": ("e_price", "p_price"), "range": ("e_range", "p_range"), "advice": ("e_advice", "p_advice")}


@pytest.fixture(scope="module")
def ratings():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.integers(4, 9, size=(80, 6)), columns=[name for pair in PAIRS.values() for name in pair])
    frame["p_price"] -= 2
    frame["p_advice"] += 2
    return frame.astype(float)


def test_gap_is_the_paired_t_test_of_scipy(ratings):
    gaps = satisfaction_gap(ratings, PAIRS)
    for attribute, (expected, perceived) in PAIRS.items():
        test = stats.ttest_rel(ratings[perceived], ratings[expected])
        interval = test.confidence_interval()
        found = gaps.loc[attribute, ["p_value", "lower", "upper"]].astype(float)
        np.testing.assert_allclose(found, [test.pvalue, interval.low, interval.high], rtol=1e-9)


def test_gap_is_perception_less_expectation_of_those_who_rated_both(ratings):
    frame = ratings.copy()
    frame.loc[:29, "e_price"] = np.nan
    gaps = satisfaction_gap(frame, PAIRS)
    both = frame.loc[30:]
    assert gaps.loc["price", "n"] == 50 and gaps.loc["range", "n"] == 80
    assert gaps.loc["price", "perception"] == pytest.approx(both["p_price"].mean())
    np.testing.assert_allclose(gaps["gap"], gaps["perception"] - gaps["expectation"])


@pytest.mark.parametrize(("adjust", "method"), [("holm", "holm"), ("benjamini-hochberg", "fdr_bh")])
def test_p_values_are_adjusted_for_the_number_of_attributes(ratings, adjust, method):
    gaps = satisfaction_gap(ratings, PAIRS, adjust=adjust)
    np.testing.assert_allclose(gaps["p_adjusted"], multipletests(gaps["p_value"], method=method)[1])


def test_p_values_are_left_alone_where_asked(ratings):
    gaps = satisfaction_gap(ratings, PAIRS, adjust=None)
    assert gaps["p_adjusted"].equals(gaps["p_value"])


def test_the_verdict_says_in_words_on_which_side_a_gap_is(ratings):
    verdicts = satisfaction_gap(ratings, PAIRS)["verdict"]
    assert verdicts.to_dict() == {
        "price": "below expectation",
        "range": "no real difference",
        "advice": "above expectation",
    }


def test_few_answers_are_not_tested_and_do_not_count_as_a_test(ratings):
    frame = ratings.copy()
    frame.loc[9:, "e_advice"] = np.nan
    gaps = satisfaction_gap(frame, PAIRS)
    assert gaps.loc["advice", "verdict"] == "too few answers" and np.isnan(gaps.loc["advice", "p_adjusted"])
    assert gaps.loc["price", "p_adjusted"] == pytest.approx(2 * gaps.loc["price", "p_value"])


def test_whole_weights_give_the_means_of_repeated_rows(ratings):
    weights = np.arange(80) % 3 + 1
    weighted = satisfaction_gap(ratings, PAIRS, weights=weights)
    repeated = satisfaction_gap(ratings.loc[ratings.index.repeat(weights)], PAIRS)
    columns = ["expectation", "perception", "gap"]
    np.testing.assert_allclose(weighted[columns], repeated[columns])


def test_weights_that_differ_are_worth_fewer_answers(ratings):
    gaps = satisfaction_gap(ratings, PAIRS, weights=np.arange(80) % 3 + 1)
    assert (gaps["effective_n"] < gaps["n"]).all()


def test_the_planted_gaps_of_the_company_are_found():
    company = simulate_company(seed=5, customers=1_500, months=12)
    planted = company.truth.plan.survey.expected_marks()
    pairs = {name: (f"expectation_{name}", f"perception_{name}") for name in planted.index}
    # Those who give one mark to everything have no gap: out of the truth, so out of the table.
    survey = company.tables["survey"].set_index("respondent_id")
    gaps = satisfaction_gap(survey[~company.truth.respondents["straight_liner"]], pairs, weights="weight", level=0.999)
    assert ((gaps["lower"] < planted["gap"]) & (planted["gap"] < gaps["upper"])).all()
    assert set(gaps["verdict"]) >= {"below expectation"}


def test_text_among_ratings_is_refused(ratings):
    frame = ratings.astype(object)
    frame.loc[3, "p_price"] = "good"
    with pytest.raises(DataError, match="p_price"):
        satisfaction_gap(frame, PAIRS)


@pytest.mark.parametrize("wrong", [{}, {"price": "e_price"}, {"price": ("e_price", "e_price")}, {"price": ("e", "p")}])
def test_pairs_that_are_none_are_refused(ratings, wrong):
    with pytest.raises(SettingsError):
        satisfaction_gap(ratings, wrong)


def test_an_unknown_adjustment_is_refused(ratings):
    with pytest.raises(SettingsError, match="holm"):
        satisfaction_gap(ratings, PAIRS, adjust="bonferroni")
