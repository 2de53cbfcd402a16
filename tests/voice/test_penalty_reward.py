import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.penalty_reward import penalty_reward

DRIVERS = ["basic", "exciting", "expected", "neither"]


@pytest.fixture(scope="module")
def planted():
    rng = np.random.default_rng(1)
    marks = pd.DataFrame(rng.integers(1, 11, (1500, 4)).astype(float), columns=DRIVERS)
    return marks.assign(
        y=6.0
        - 1.5 * (marks["basic"] <= 2)
        + 1.5 * (marks["exciting"] >= 9)
        - (marks["expected"] <= 2)
        + (marks["expected"] >= 9)
        + rng.normal(size=1500)
    )


def test_planted_kinds_are_found(planted):
    table = penalty_reward(planted, outcome="y", drivers=DRIVERS, level=0.99)
    assert list(table["kind"]) == ["basic", "exciting", "expected", "unclear"]
    assert table.loc["basic", "penalty"] == pytest.approx(-1.5, abs=0.3)
    assert table.loc["exciting", "reward"] == pytest.approx(1.5, abs=0.3)


def test_the_contrast_tells_the_asymmetric_from_the_symmetric(planted):
    table = penalty_reward(planted, outcome="y", drivers=DRIVERS)
    assert (table.loc[["basic", "exciting"], "p_adjusted"] < 0.001).all()
    assert (table.loc[["expected", "neither"], "p_adjusted"] > 0.01).all()
    assert table.loc["basic", "asymmetry"] < 0 < table.loc["exciting", "asymmetry"]


def test_slopes_and_contrast_are_those_of_statsmodels(planted):
    table = penalty_reward(planted, outcome="y", drivers=["basic", "expected"], low=3, high={"basic": 8, "expected": 9})
    fit = ols("y ~ I(basic <= 3) + I(basic >= 8) + I(expected <= 3) + I(expected >= 9)", planted)
    theirs = fit.fit(cov_type="HC3", use_t=True)
    assert list(table[["penalty", "reward"]].to_numpy().ravel()) == pytest.approx(theirs.params.tolist()[1:])
    assert list(table["penalty_upper"]) == pytest.approx(theirs.conf_int()[1].tolist()[1::2])
    contrast = theirs.t_test(np.array([0, 1, 1, 0, 0]))
    assert table.loc["basic", "p_value"] == pytest.approx(float(contrast.pvalue), rel=1e-6)


def test_by_default_about_a_fifth_of_the_marks_are_low_and_a_fifth_high(planted):
    table = penalty_reward(planted, outcome="y", drivers=DRIVERS)
    assert (table["low"] == 2).all()
    assert (table["high"] == 9).all()
    assert table["n_low"].between(250, 350).all()


def test_marks_crowded_at_the_top_leave_some_in_between():
    rng = np.random.default_rng(2)
    marks = rng.choice([8.0, 9.0, 10.0], p=[0.1, 0.2, 0.7], size=600)
    frame = pd.DataFrame({"a": marks, "y": marks + rng.normal(size=600)})
    table = penalty_reward(frame, outcome="y", drivers=["a"])
    assert table.loc["a", ["low", "high"]].tolist() == [8, 10]


def test_weights_of_two_give_the_points_of_rows_given_twice(planted):
    part = planted.head(300)
    weights = np.where(np.arange(300) < 100, 2.0, 1.0)
    columns = ["penalty", "reward", "asymmetry"]
    options = {"outcome": "y", "drivers": DRIVERS, "low": 3, "high": 8}
    weighted = penalty_reward(part, weights=weights, **options)[columns]
    twice = penalty_reward(pd.concat([part, part.head(100)], ignore_index=True), **options)[columns]
    pd.testing.assert_frame_equal(weighted, twice)


def test_who_lacks_an_answer_is_left_out_and_counted(planted):
    gaps = planted.copy()
    gaps.loc[:99, "basic"] = np.nan
    assert (penalty_reward(gaps, outcome="y", drivers=DRIVERS)["n"] == 1400).all()


def test_the_order_of_drivers_changes_nothing_else(planted):
    table = penalty_reward(planted, outcome="y", drivers=DRIVERS)
    turned = penalty_reward(planted, outcome="y", drivers=DRIVERS[::-1])
    pd.testing.assert_frame_equal(turned.loc[DRIVERS], table)


def test_few_low_marks_are_said(planted):
    with pytest.warns(EstimationWarning, match="fewer than 30 low or high marks of basic"):
        penalty_reward(planted.head(200), outcome="y", drivers=["basic"], low=1)


@pytest.mark.parametrize(("low", "high"), [(0, 9), (5, 6), (3, 11)])
def test_cut_offs_with_nobody_beyond_or_between_are_refused(planted, low, high):
    with pytest.raises(DataError, match="nobody is low, high or in between"):
        penalty_reward(planted, outcome="y", drivers=["basic"], low=low, high=high)


def test_dummies_that_cannot_be_told_apart_are_refused(planted):
    with pytest.raises(DataError, match="cannot be told apart"):
        penalty_reward(planted.assign(copy=planted["basic"]), outcome="y", drivers=["basic", "copy"])


@pytest.mark.parametrize("low", ["3", {"other": 3}, {"basic": "3"}])
def test_cut_offs_that_are_no_marks_are_refused(planted, low):
    with pytest.raises(SettingsError, match="low"):
        penalty_reward(planted, outcome="y", drivers=["basic"], low=low)


def test_a_kind_is_unclear_where_it_rests_on_fewer_than_ten_marks(planted):
    part = planted[planted["basic"] > 2].head(400)
    part = pd.concat([part, planted[planted["basic"] <= 2].head(9)])
    with pytest.warns(EstimationWarning, match="fewer than 30"):
        table = penalty_reward(part, outcome="y", drivers=["basic"], low=2, high=9)
    assert table.loc["basic", "penalty_upper"] < 0
    assert table.loc["basic", ["n_low", "kind"]].tolist() == [9, "unclear"]
