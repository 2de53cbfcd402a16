from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.satisfaction_index import satisfaction_index

MOBI = Path(__file__).parents[3] / "shared" / "data" / "ecsi_mobi.csv"
ITEMS = ["overall", "expected", "ideal"]


def answers(n=150, *, seed=1):
    rng = np.random.default_rng(seed)
    behind = rng.normal(size=n)
    return pd.DataFrame(
        {name: np.clip(np.round(7 + 1.5 * (behind + 0.7 * rng.normal(size=n))), 1, 10) for name in ITEMS}
    )


def test_equal_weights_give_the_sum_of_means_less_three_over_27():
    if not MOBI.is_file():
        pytest.skip("the public survey is not beside the project")
    mobi = pd.read_csv(MOBI)
    items = ["CUSA1", "CUSA2", "CUSA3"]
    index = satisfaction_index(mobi, items, draws=0)
    assert index.value == pytest.approx((mobi[items].mean().sum() - 3) / 27 * 100)


def test_given_weights_give_the_published_formula(published):
    if not MOBI.is_file():
        pytest.skip("the public survey is not beside the project")
    mobi = pd.read_csv(MOBI)
    shares = dict(zip(["CUSA1", "CUSA2", "CUSA3"], published["voice-R17-shares"]["values"], strict=True))
    index = satisfaction_index(mobi, list(shares), item_weights=shares)
    # Weights of four digits leave the index some thousandths open.
    assert index.value == pytest.approx(published["voice-R17-indices"]["values"][4], abs=0.01)


def test_only_proportions_of_item_weights_matter():
    one = satisfaction_index(answers(), ITEMS, item_weights={"overall": 2, "expected": 1, "ideal": 1}, draws=0)
    other = satisfaction_index(
        answers(), ITEMS, item_weights=pd.Series([0.25, 0.5, 0.25], ["ideal", "overall", "expected"]), draws=0
    )
    assert one.value == pytest.approx(other.value)
    np.testing.assert_allclose(one.items["weight"], [0.5, 0.25, 0.25])


@pytest.mark.parametrize(("mark", "expected"), [(1, 0), (10, 100), (5.5, 50)])
def test_ends_of_the_scale_are_0_and_100(mark, expected):
    everybody = pd.DataFrame(float(mark), index=range(40), columns=ITEMS)
    index = satisfaction_index(everybody, ITEMS, draws=20)
    assert (index.value, index.interval.lower, index.interval.upper) == pytest.approx((expected,) * 3)


def test_each_item_may_have_its_scale():
    frame = answers()
    marks = frame.assign(ideal=(frame["ideal"] - 1) / 9 * 4 + 1, overall=(frame["overall"] - 1) / 9 * 10)
    index = satisfaction_index(marks, ITEMS, scale={"ideal": (1, 5), "overall": (0, 10)}, draws=0)
    assert index.value == pytest.approx(satisfaction_index(frame, ITEMS, draws=0).value)
    assert index.items.loc["ideal", "performance"] == pytest.approx(100 * (marks["ideal"].mean() - 1) / 4)


@settings(max_examples=15)
@given(st.lists(st.integers(0, 4), min_size=30, max_size=30).filter(any))
def test_weights_equal_repeated_rows(times):
    frame = answers(30)
    weighted = satisfaction_index(frame, ITEMS, weights=np.array(times, float), draws=0)
    repeated = satisfaction_index(frame.loc[frame.index.repeat(times)], ITEMS, draws=0)
    assert weighted.value == pytest.approx(repeated.value)
    np.testing.assert_allclose(weighted.items["mean"], repeated.items["mean"])


def test_standard_error_without_weights_is_that_of_a_mean():
    index = satisfaction_index(answers(), ITEMS, draws=0)
    assert index.standard_error == pytest.approx(index.scores.std(ddof=1) / np.sqrt(150))
    assert index.method == "linearisation"


def test_bootstrap_and_linearisation_agree():
    weights = np.linspace(0.5, 1.5, 150)
    drawn = satisfaction_index(answers(), ITEMS, weights=weights, draws=2_000)
    closed = satisfaction_index(answers(), ITEMS, weights=weights, draws=0)
    assert drawn.standard_error == pytest.approx(closed.standard_error, rel=0.08)
    assert drawn.interval.lower == pytest.approx(closed.interval.lower, abs=0.35)
    assert drawn.interval.upper == pytest.approx(closed.interval.upper, abs=0.35)
    assert drawn.value in drawn.interval


def test_order_of_items_does_not_matter():
    one, other = (satisfaction_index(answers(), items, draws=50) for items in (ITEMS, ITEMS[::-1]))
    assert other.value == pytest.approx(one.value)
    assert (other.interval.lower, other.interval.upper) == pytest.approx((one.interval.lower, one.interval.upper))


def test_people_without_every_answer_are_left_out_and_said():
    frame = answers()
    frame.loc[:14, "ideal"] = np.nan
    index = satisfaction_index(frame, ITEMS, draws=0)
    assert index.value == pytest.approx(satisfaction_index(frame[15:], ITEMS, draws=0).value)
    assert index.n == 135 and index.items["answered"].tolist() == [150, 150, 135]
    assert index.notes[0].startswith("15 of 150 respondents (10%) are left out")
    assert index.scores.isna().sum() == 15


def test_nobody_who_answered_has_no_index():
    frame = answers(5).assign(ideal=np.nan)
    index = satisfaction_index(frame, ITEMS)
    assert np.isnan(index.value) and np.isnan(index.interval.lower) and index.n == 0
    assert index.items["performance"].isna().all()


def test_one_respondent_has_an_index_and_no_interval():
    index = satisfaction_index(answers(1), ITEMS)
    assert index.value == pytest.approx(index.scores.iloc[0]) and np.isnan(index.interval.upper)


def test_a_survey_brings_its_weights():
    frame = answers()
    survey = Survey(frame, pd.DataFrame(index=frame.index), pd.Series(np.linspace(1, 3, 150), index=frame.index))
    index = satisfaction_index(survey, ITEMS, draws=0)
    assert index.value == pytest.approx(satisfaction_index(frame, ITEMS, weights=survey.weights, draws=0).value)
    assert index.effective_n < 150 and index.n == 150


@pytest.mark.parametrize(
    ("wrong", "words"),
    [
        ({"item_weights": {"overall": 1, "expected": 1, "ideal": 0}}, "above 0, but there is ideal: 0"),
        ({"item_weights": {"overall": 1, "expected": -1, "ideal": -2}}, "expected: -1 and ideal: -2"),
        ({"item_weights": {"overall": 1, "expected": 1}}, "do not name the same: ideal"),
        ({"item_weights": [1, 1, 1]}, "give a mapping"),
        ({"items": []}, "at least 1 of them"),
        ({"items": "overall"}, "at least 1 of them"),
        ({"items": ["overall", "price"]}, "no column price"),
        ({"scale": (1, 1)}, "lowest and highest"),
        ({"draws": 1.5}, "number of draws"),
    ],
)
def test_wrong_settings_are_refused(wrong, words):
    with pytest.raises(SettingsError, match=words):
        satisfaction_index(answers(), **({"items": ITEMS} | wrong))


def test_answers_off_the_scale_are_refused_for_all_items_at_once():
    with pytest.raises(DataError) as refusal:
        satisfaction_index(answers() + 5, ITEMS)
    assert all(f"column {name!r}: outside the scale of 1 to 10" in str(refusal.value) for name in ITEMS)
