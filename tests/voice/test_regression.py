import numpy as np
import pandas as pd
import pytest
from statsmodels.regression.linear_model import WLS
from statsmodels.tools import add_constant

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.regression import complete_answers, robust_fit


@pytest.fixture
def data():
    rng = np.random.default_rng(1)
    x = pd.DataFrame(rng.normal(size=(120, 3)), columns=list("abc"))
    y = x["a"].to_numpy() + rng.normal(size=120) * (1 + x["b"].abs().to_numpy())
    return x, y, rng.uniform(0.5, 3, 120)


def test_slopes_and_hc3_errors_are_those_of_statsmodels(data):
    design, y, weights = data
    ours, theirs = robust_fit(design, y, weights), WLS(y, add_constant(design), weights=weights).fit(cov_type="HC3")
    np.testing.assert_allclose(ours.slopes, theirs.params.drop("const"))
    np.testing.assert_allclose(ours.covariance, theirs.cov_params().loc["a":, "a":])


def test_weights_of_two_give_the_slopes_of_rows_given_twice(data):
    design, y, _ = data
    weights = np.where(np.arange(120) < 40, 2.0, 1.0)
    twice = np.concatenate([np.arange(120), np.arange(40)])
    repeated = robust_fit(design.iloc[twice], y[twice], np.ones(160))
    np.testing.assert_allclose(robust_fit(design, y, weights).slopes, repeated.slopes)


def test_only_ratios_of_weights_matter(data):
    design, y, weights = data
    one, other = robust_fit(design, y, weights), robust_fit(design, y, 1000 * weights)
    np.testing.assert_allclose(one.covariance, other.covariance)
    assert one.degrees == pytest.approx(other.degrees)


def test_columns_that_depend_on_one_another_or_do_not_vary_have_no_slopes_and_the_others_keep_theirs(data):
    design, y, weights = data
    fit = robust_fit(design.assign(d=design["a"] + design["b"], e=4.0), y, weights)
    assert fit.slopes.isna().to_dict() == {"a": True, "b": True, "c": False, "d": True, "e": True}
    without = robust_fit(design, y, weights)
    np.testing.assert_allclose(fit.slopes["c"], without.slopes["c"])
    np.testing.assert_allclose(fit.covariance.loc["c", "c"], without.covariance.loc["c", "c"])


def test_a_contrast_of_one_slope_is_its_t_test(data):
    design, y, _ = data
    fit = robust_fit(design, y, np.ones(120))
    theirs = WLS(y, add_constant(design)).fit(cov_type="HC3", use_t=True)
    value, error, lower, upper, p = fit.contrast(np.array([1.0, 0, 0]), level=0.9)
    assert (value, error, p) == pytest.approx((theirs.params["a"], theirs.bse["a"], theirs.pvalues["a"]))
    assert (lower, upper) == pytest.approx(tuple(theirs.conf_int(0.1).loc["a"]))


def test_who_lacks_an_answer_or_counts_nothing_is_left_out():
    frame = pd.DataFrame({"y": [1, 2, 3, 4.0], "a": [1, np.nan, 2, 5], "w": [1, 1, 0, 2]})
    with pytest.warns(EstimationWarning, match="only 2 of 3 respondents"):
        taken, whole = complete_answers(frame, outcome="y", drivers=["a"], weights="w")
    np.testing.assert_array_equal(whole, [True, False, False, True])
    assert list(taken.frame["y"]) == [1, 4]
    assert list(taken.weights) == [1, 2]


def test_answers_that_are_all_the_same_are_refused_by_name():
    frame = pd.DataFrame({"y": [1.0, 2, 3], "a": [5.0, 5, 5], "b": [7.0, 7, 7]})
    with pytest.raises(DataError, match=r"(?s)'a': everybody gave.*'b': everybody gave"):
        complete_answers(frame, outcome="y", drivers=["a", "b"])


@pytest.mark.parametrize(("drivers", "words"), [(["y", "a"], "among the drivers"), ([], "at least one")])
def test_wrong_drivers_are_refused(drivers, words):
    with pytest.raises(SettingsError, match=words):
        complete_answers(pd.DataFrame({"y": [1.0, 2], "a": [2.0, 1]}), outcome="y", drivers=drivers)


def test_it_is_said_when_many_respondents_are_left_out():
    frame = pd.DataFrame({"y": [1.0, 2, 3, 4, 5], "a": [1, np.nan, np.nan, 5, np.nan]})
    with pytest.warns(EstimationWarning, match="only 2 of 5 respondents"):
        complete_answers(frame, outcome="y", drivers=["a"])


def test_it_is_said_how_many_a_driver_did_not_apply_to_and_how_many_lack_an_answer():
    rng = np.random.default_rng(3)
    frame = pd.DataFrame(rng.normal(size=(50, 3)), columns=["y", "a", "b"])
    barred = pd.DataFrame(False, index=frame.index, columns=["a", "b"])
    barred.loc[:6, "a"] = True
    frame = frame.assign(a=frame["a"].mask(barred["a"]))
    frame.loc[5:9, "b"] = np.nan
    words = "only 40 of 50 .* 7 because a did not apply to them and 3 because an answer is missing"
    with pytest.warns(EstimationWarning, match=words):
        complete_answers(Survey(frame, barred, pd.Series(1.0, index=frame.index)), outcome="y", drivers=["a", "b"])


def test_nothing_is_said_of_fewer_than_a_fifth_left_out():
    frame = pd.DataFrame({"y": np.arange(50.0), "a": np.arange(50.0) ** 2})
    frame.loc[:8, "a"] = np.nan
    taken, _ = complete_answers(frame, outcome="y", drivers=["a"])
    assert len(taken) == 41


@pytest.mark.parametrize("drivers", ["a", None, 5])
def test_drivers_that_are_no_list_are_refused(drivers):
    with pytest.raises(SettingsError, match="give a list of columns"):
        complete_answers(pd.DataFrame({"y": [1.0, 2], "a": [2.0, 1]}), outcome="y", drivers=drivers)
