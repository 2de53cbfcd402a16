"""Scores by segment: intervals of the measure, shrinkage, small and unknown segments."""

import numpy as np
import pandas as pd
import pytest

from crm_analysis.company import simulate_company
from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.satisfaction import mean_rating, net_promoter_score, top_box
from crm_analysis.voice.segments import segment_scores
from crm_analysis.voice.shrinkage import shrink


@pytest.fixture(scope="module")
def answers():
    rng = np.random.default_rng(7)
    segment = rng.choice(["North", "South", "East", "West", None], 300, p=[0.4, 0.3, 0.18, 0.02, 0.1])
    mean = pd.Series(segment).map({"North": 7.0, "South": 8.0, "East": 5.5, "West": 6.5}).fillna(6.0)
    rating = np.clip(np.round(mean + 2 * rng.standard_normal(300)), 1, 10)
    return pd.DataFrame({"region": segment, "rating": rating, "weight": rng.uniform(0.5, 2, 300)})


@pytest.mark.parametrize(
    ("name", "measure"), [("mean", mean_rating), ("top_box", top_box), ("nps", net_promoter_score)]
)
def test_each_segment_has_the_interval_of_its_measure(answers, name, measure):
    scores = segment_scores(answers, "rating", by="region", measure=name, weights="weight")
    part = answers[answers["region"] == "South"]
    alone = measure(part["rating"], weights=part["weight"])
    expected = [alone.n, alone.effective_n, alone.value, alone.interval.lower, alone.interval.upper]
    row = scores.loc["South", ["n", "effective_n", "value", "lower", "upper"]].astype(float)
    np.testing.assert_allclose(row, expected)


def test_who_has_no_segment_is_one_of_its_own_and_last(answers):
    scores = segment_scores(answers, "rating", by="region")
    assert scores.index.tolist() == ["East", "North", "South", "West", "not known"]
    assert scores["n"].sum() == len(answers)


def test_segments_come_in_the_order_of_their_categories(answers):
    order = ["South", "North", "West", "East"]
    frame = answers.assign(region=pd.Categorical(answers["region"], order))
    assert segment_scores(frame, "rating", by="region").index.tolist() == [*order, "not known"]


def test_segments_are_drawn_by_the_variance_within_all_of_them(answers):
    scores = segment_scores(answers, "rating", by="region")
    groups = answers.assign(region=answers["region"].fillna("?")).groupby("region")["rating"]
    within = ((groups.size() - 1) * groups.var()).sum() / (groups.size() - 1).sum()
    expected = shrink(scores["value"].to_numpy(), within / scores["n"].to_numpy())
    np.testing.assert_allclose(scores["shrunk"], expected.values)
    np.testing.assert_allclose(scores["shrunk_upper"] - scores["shrunk"], 1.959964 * expected.errors, rtol=1e-6)


def test_with_weights_segments_are_drawn_by_what_their_answers_are_worth(answers):
    scores = segment_scores(answers, "rating", by="region", weights="weight")
    parts = answers.assign(region=answers["region"].fillna("not known")).groupby("region")
    squares = [len(part) * np.cov(part["rating"], aweights=part["weight"], ddof=0) for _, part in parts]
    within = np.sum(squares) / (len(answers) - len(squares))
    expected = shrink(scores["value"].to_numpy(), within / scores["effective_n"].to_numpy())
    np.testing.assert_allclose(scores["shrunk"], expected.values)


def test_who_is_named_not_known_joins_those_who_are_not_named(answers):
    named = answers.assign(region=answers["region"].replace("West", "not known"))
    scores = segment_scores(named, "rating", by="region")
    assert scores.loc["not known", "n"] == (answers["region"].isna() | (answers["region"] == "West")).sum()


def test_small_segments_are_shown_flagged_and_drawn_most(answers):
    scores = segment_scores(answers, "rating", by="region")
    assert scores.index[scores["is_small"]].tolist() == ["West", "not known"]
    small, large = scores.loc["West"], scores.loc["North"]
    whole = answers["rating"].mean()
    assert (small["value"] - small["shrunk"]) / (small["value"] - whole) > (large["value"] - large["shrunk"]) / (
        large["value"] - whole
    )


def test_segments_that_are_all_alike_are_left_where_they_are():
    frame = pd.DataFrame({"group": np.repeat(list("abcde"), 4), "rating": np.tile([5.0, 6, 7, 10], 5)})
    scores = segment_scores(frame, "rating", by="group")
    np.testing.assert_allclose(scores["shrunk"], 7)
    assert (scores["shrunk_upper"] - scores["shrunk_lower"] < scores["upper"] - scores["lower"]).all()


def test_answers_without_any_variation_have_scores_but_no_shrunk_interval():
    frame = pd.DataFrame({"group": list("abcd") * 3, "rating": 8.0})
    scores = segment_scores(frame, "rating", by="group")
    assert (scores["shrunk"] == 8).all() and scores["shrunk_lower"].isna().all()


def test_a_segment_in_which_nobody_answered_stays_in_the_table(answers):
    frame = answers.assign(rating=answers["rating"].where(answers["region"] != "West"))
    scores = segment_scores(frame, "rating", by="region")
    assert scores.loc["West", "n"] == 0 and scores.loc["West", ["value", "shrunk"]].isna().all()
    assert scores.drop("West")["shrunk"].notna().all()


def test_shrunk_intervals_of_shares_and_points_stay_in_their_range():
    frame = pd.DataFrame({"group": np.repeat(list("abcde"), 6), "score": [10] * 28 + [8, 3]})
    for measure, lowest, highest in [("top_box", 0, 1), ("nps", -100, 100)]:
        scores = segment_scores(frame, "score", by="group", measure=measure)
        assert scores["shrunk_upper"].max() == highest and scores["shrunk_lower"].min() >= lowest


def test_the_order_of_rows_does_not_matter(answers):
    shuffled = answers.sample(frac=1, random_state=1)
    expected = segment_scores(answers, "rating", by="region", weights="weight")
    found = segment_scores(shuffled, "rating", by="region", weights="weight")
    pd.testing.assert_frame_equal(found, expected)


def test_a_survey_brings_its_weights(answers):
    survey = Survey(answers, pd.DataFrame(index=answers.index), answers["weight"])
    expected = segment_scores(answers, "rating", by="region", weights="weight")
    pd.testing.assert_frame_equal(segment_scores(survey, "rating", by="region"), expected)


def test_regions_of_the_simulated_company_have_scores():
    company = simulate_company(seed=1, customers=300, months=12)
    region = company.tables["customers"].set_index("customer_id")["region"]
    survey = company.tables["survey"]
    survey = survey.assign(region=survey["customer_id"].map(region))
    scores = segment_scores(survey, "recommend", by="region", measure="nps", weights="weight")
    assert scores.index.tolist() == ["East", "North", "South", "West", "not known"]
    assert ((scores["lower"] < scores["shrunk"]) & (scores["shrunk"] < scores["upper"])).all()


def test_an_answer_off_the_scale_is_refused(answers):
    frame = answers.assign(rating=answers["rating"] + 1)
    with pytest.raises(DataError, match="from 0 to 10"):
        segment_scores(frame, "rating", by="region", measure="nps")


@pytest.mark.parametrize("wrong", [{"by": "town"}, {"by": "region", "measure": "median"}])
def test_unknown_columns_and_measures_are_refused(answers, wrong):
    with pytest.raises(SettingsError):
        segment_scores(answers, "rating", **wrong)
