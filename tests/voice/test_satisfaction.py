"""Measures of one question: published figures, what weights mean, and what is refused."""

from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from scipy import stats

from crm_analysis.company import simulate_company
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.responses import effective_n
from crm_analysis.voice.satisfaction import (
    effort_score,
    mean_rating,
    net_promoter_score,
    satisfaction_grades,
    top_box,
)

MOBI = Path(__file__).parents[3] / "shared" / "data" / "ecsi_mobi.csv"
needs_mobi = pytest.mark.skipif(not MOBI.exists(), reason=f"no {MOBI.name}: public data is not part of the repository")


def answers(promoters, passives, detractors):
    return np.repeat([10, 8, 3], [promoters, passives, detractors])


def ends(estimate):
    return [estimate.interval.lower, estimate.interval.upper]


@pytest.fixture(scope="module")
def survey():
    return simulate_company(seed=1, customers=300, months=12).tables["survey"]


# --- Net promoter score -----------------------------------------------------------------------------------------


def test_net_promoter_score_and_its_error_are_as_published(published):
    found = net_promoter_score(answers(162, 108, 54))
    published.check("voice-R22-score", [found.value, found.standard_error])


def test_wald_interval_is_as_published(published):
    published.check("voice-R22-wald", ends(net_promoter_score(answers(162, 108, 54), method="wald")))


def test_adjusted_interval_is_as_published(published):
    published.check("voice-R22-adjusted", ends(net_promoter_score(answers(162, 108, 54))))


def test_adjusted_interval_has_a_width_where_all_are_promoters_and_ends_at_100(published):
    published.check("voice-R23-adjusted", ends(net_promoter_score(answers(10, 0, 0))))


def test_wald_interval_of_promoters_alone_is_warned_of():
    with pytest.warns(EstimationWarning, match="its width is 0"):
        found = net_promoter_score(answers(50, 0, 0), method="wald")
    assert ends(found) == [100, 100]


def test_wald_interval_of_few_answers_is_warned_of():
    with pytest.warns(EstimationWarning, match="12 answers"):
        net_promoter_score(answers(6, 4, 2), method="wald")


@pytest.mark.parametrize(("answer", "score"), [(0, -100), (6, -100), (7, 0), (8, 0), (9, 100), (10, 100)])
def test_answers_are_promoters_passives_and_detractors_by_the_usual_cuts(answer, score):
    assert net_promoter_score([answer]).value == score


def test_shares_of_promoters_and_the_rest_add_up_and_make_the_score():
    found = net_promoter_score([10, 9, 8, 3, np.nan], weights=[2, 1, 1, 4, 9])
    assert [found.promoters, found.passives, found.detractors] == pytest.approx([3 / 8, 1 / 8, 4 / 8])
    assert found.value == pytest.approx(100 * (found.promoters - found.detractors))


def test_adjusted_interval_with_weights_is_that_of_equal_answers_as_many_as_they_are_worth():
    scores, weights = answers(40, 30, 30), np.tile([0.5, 1.5], 50)
    found, n = net_promoter_score(scores, weights=weights), effective_n(weights)
    p, d = found.promoters, found.detractors
    p, d = (n * p + 0.75) / (n + 3), (n * d + 0.75) / (n + 3)
    reach = stats.norm.ppf(0.975) * np.sqrt((p + d - (p - d) ** 2) / (n + 3))
    assert ends(found) == pytest.approx([100 * (p - d - reach), 100 * (p - d + reach)])


@pytest.mark.parametrize("wrong", [11, -1, 7.5])
def test_a_recommendation_that_cannot_be_is_refused_with_its_row(wrong):
    scores = pd.Series([9, wrong, 10], index=["Anna", "Ben", "Cem"])
    with pytest.raises(DataError, match=r"not a whole number from 0 to 10 in 1 row\(s\)[\s\S]*Ben"):
        net_promoter_score(scores)


def test_an_unknown_method_is_refused():
    with pytest.raises(SettingsError, match="'adjusted' or 'wald'"):
        net_promoter_score([9], method="exact")


# --- Mean and top boxes -----------------------------------------------------------------------------------------


@needs_mobi
def test_mean_satisfaction_with_mobile_phones_is_as_published(published):
    published.check("voice-csat-mean", mean_rating(pd.read_csv(MOBI)["CUSA1"]).value)


@needs_mobi
def test_top_box_of_mobile_phones_is_as_published(published):
    found = top_box(pd.read_csv(MOBI)["CUSA1"])
    published.check("voice-csat-top-box", [found.value, *ends(found)])


def test_mean_has_the_t_interval_of_scipy():
    ratings = np.array([8, 9, 7, 10, 4, 6], float)
    expected = stats.t.interval(0.9, 5, ratings.mean(), stats.sem(ratings))
    assert ends(mean_rating(ratings, level=0.9)) == pytest.approx(expected)


def test_weighted_error_is_the_linearised_one():
    x, w = np.array([8.0, 9, 7, 10]), np.array([1.0, 2, 1, 3])
    mean = (w * x).sum() / w.sum()
    error = np.sqrt(4 / 3 * (w**2 * (x - mean) ** 2).sum()) / w.sum()
    found = mean_rating(x, weights=w)
    assert [found.value, found.standard_error] == pytest.approx([mean, error])


def test_degrees_of_freedom_with_weights_are_what_answers_are_worth_less_one():
    x, w = np.array([8.0, 9, 7, 10]), np.array([1.0, 2, 1, 3])
    found = mean_rating(x, weights=w)
    reach = stats.t.ppf(0.975, 49 / 15 - 1) * found.standard_error
    assert ends(found) == pytest.approx([found.value - reach, found.value + reach])


@settings(max_examples=25)
@given(st.lists(st.tuples(st.integers(0, 10), st.integers(1, 3)), min_size=2, max_size=20))
def test_whole_weights_give_the_values_of_repeated_rows(rows):
    scores, weights = np.array(rows).T
    repeated = np.repeat(scores, weights)
    for measure in (net_promoter_score, lambda x, **k: top_box(x, scale=(0, 10), **k)):
        assert measure(scores, weights=weights).value == pytest.approx(measure(repeated).value, abs=1e-9)


@settings(max_examples=25)
@given(st.lists(st.integers(1, 10), min_size=2, max_size=30), st.floats(0.1, 50), st.randoms())
def test_neither_order_nor_the_unit_of_weights_matters(ratings, unit, random):
    weights = [1 + place % 3 for place in range(len(ratings))]
    rows = list(zip(ratings, weights, strict=True))
    random.shuffle(rows)
    other, moved = np.array(rows, float).T
    before, after = top_box(ratings, weights=weights), top_box(other, weights=moved * unit)
    assert [after.value, *ends(after)] == pytest.approx([before.value, *ends(before)])


def test_missing_answers_and_weights_of_zero_are_left_out():
    found = mean_rating(pd.Series([8, None, 2, 10], dtype="Int64"), weights=[1, 1, 0, 1])
    assert (found.value, found.n) == (9, 2)


def test_weights_go_by_the_index_of_the_ratings():
    ratings = pd.Series([10, 1], index=["a", "b"])
    assert mean_rating(ratings, weights=pd.Series([3.0, 1.0], index=["b", "a"])).value == pytest.approx(3.25)


@pytest.mark.parametrize("measure", [mean_rating, top_box, net_promoter_score, effort_score])
@pytest.mark.parametrize("nobody", [[np.nan, None], []])
def test_nobody_answering_gives_a_missing_value_of_no_answers(measure, nobody):
    found = measure(nobody)
    assert np.isnan([found.value, *ends(found)]).all() and found.n == 0 and found.is_small


def test_one_answer_has_no_interval():
    assert np.isnan(ends(mean_rating([7]))).all()


def test_ratings_that_are_all_alike_are_warned_of():
    with pytest.warns(EstimationWarning, match="All 12 ratings are 9"):
        mean_rating([9] * 12)


def test_top_box_counts_the_boxes_asked_for():
    ratings = [1, 2, 3, 4, 5, 5]
    assert top_box(ratings, top=1, scale=(1, 5)).value == pytest.approx(2 / 6)
    assert top_box(ratings, top=3, scale=(1, 5)).value == pytest.approx(4 / 6)


def test_a_zero_on_a_scale_from_one_is_refused():
    with pytest.raises(DataError, match="from 1 to 10 in 2 row"):
        top_box([0, 0, 5])


@pytest.mark.parametrize(
    "wrong",
    [{"top": 0}, {"top": 10}, {"top": 1.5}, {"scale": (10, 1)}, {"scale": 5}, {"level": 1}, {"weights": [1]}],
)
def test_arguments_out_of_range_are_refused(wrong):
    with pytest.raises(SettingsError):
        top_box([5, 6], **wrong)


@pytest.mark.parametrize("wrong", ["ratings", [[1, 2], [3, 4]], pd.DataFrame({"a": [1]})])
def test_what_is_no_column_of_ratings_is_refused(wrong):
    with pytest.raises(SettingsError, match="ratings must be a Series or an array"):
        mean_rating(wrong)


# --- Effort and grades ------------------------------------------------------------------------------------------


def test_easy_is_what_lies_above_the_middle_of_the_scale():
    found = effort_score([1, 4, 5, 6, 7, np.nan])
    assert (found.easy.value, found.value) == (0.6, pytest.approx(4.6))
    assert [found.easy.interval.lower, found.easy.interval.upper] == pytest.approx(wilson_interval(3, 5))


def test_an_effort_off_the_scale_is_refused():
    with pytest.raises(DataError, match="outside the scale of 1 to 7"):
        effort_score([8, 3])


def test_grades_are_nested_in_one_base():
    grades = satisfaction_grades([9, 9, 8, 4, 9, np.nan], [9, 8, 2, 9, 9, 9], [10, 5, 9, 9, np.nan, 9])
    assert grades["n"].tolist() == [3, 2, 1]
    assert grades["base"].tolist() == [4, 4, 4]
    assert grades["share"].tolist() == [0.75, 0.5, 0.25]


def test_who_recommends_but_is_not_satisfied_is_in_no_grade():
    assert satisfaction_grades([4], [10], [10])["n"].tolist() == [0, 0, 0]


def test_grades_have_the_interval_of_wilson_on_what_weights_are_worth():
    weights = np.array([1.0, 2, 3, 1])
    grades = satisfaction_grades([9, 9, 1, 9], [9, 1, 9, 9], [9, 9, 9, 9], weights=weights)
    n = effective_n(weights)
    assert grades.loc["satisfied and will return", "share"] == pytest.approx(2 / 7)
    lower, upper = wilson_interval(n * 2 / 7, n)
    assert grades.loc["satisfied and will return", ["lower", "upper"]].tolist() == pytest.approx([lower, upper])


def test_who_weighs_nothing_is_in_no_base():
    grades = satisfaction_grades([9, 9], [9, 9], [9, 9], weights=[0, 1])
    assert grades["n"].tolist() == [1, 1, 1] and grades["base"].tolist() == [1, 1, 1]


def test_answers_of_other_respondents_are_refused():
    ratings = pd.Series([9.0, 8.0], index=["a", "b"])
    with pytest.raises(SettingsError, match="same respondents"):
        satisfaction_grades(ratings, ratings[::-1], ratings)


def test_measures_run_on_the_simulated_survey(survey):
    weights = survey["weight"]
    score = net_promoter_score(survey["recommend"], weights=weights)
    assert score.value in score.interval and score.effective_n < score.n < len(survey)
    grades = satisfaction_grades(
        survey["overall_satisfaction"], survey["repurchase_intention"], survey["recommend"], weights=weights
    )
    assert grades["share"].is_monotonic_decreasing
