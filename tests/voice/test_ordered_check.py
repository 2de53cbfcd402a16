import numpy as np
import pandas as pd
import pytest
from statsmodels.discrete.discrete_model import Logit

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.ordered_check import ordered_check
from crm_analysis.voice.parallel_lines import parallel_lines

DRIVERS = ["a", "b", "c"]
CUTS = [-4.5, -3.0, -1.5, 0.0, 1.5, 3.0]


def survey(n, seed, slopes=(1.0, 0.6, 0.3)):
    rng = np.random.default_rng(seed)
    x = rng.normal(size=(n, 3))
    marks = 1 + np.searchsorted(CUTS, x @ slopes + rng.logistic(size=n))
    return pd.DataFrame(x, columns=DRIVERS).assign(y=marks.astype(float))


def uneven(n, seed):
    """A driver that goes with the lower cut only."""
    rng = np.random.default_rng(seed)
    frame = pd.DataFrame(rng.normal(size=(n, 3)), columns=DRIVERS)
    low = rng.random(n) < 1 / (1 + np.exp(1 + 1.5 * frame["a"] + 0.5 * frame["b"]))
    top = rng.random(n) < 1 / (1 + np.exp(0.7 - 0.5 * frame["b"]))
    return frame.assign(y=np.where(low, 1.0, np.where(top, 3.0, 2.0)))


def test_planted_slopes_are_found_with_their_order():
    check = ordered_check(survey(1500, 1), outcome="y", drivers=DRIVERS)
    miss = (check.slopes["slope"] - [1.0, 0.6, 0.3]) / check.slopes["standard_error"]
    assert (miss.abs() < 3).all()
    assert check.shares["rank"].tolist() == [1, 2, 3]
    assert check.shares["contribution"].sum() == pytest.approx(check.pseudo_r_squared)


def test_the_first_three_are_compared_with_the_importance_given():
    frame = survey(800, 2)
    shares = pd.Series({"c": 0.1, "a": 0.6, "b": 0.3})
    assert ordered_check(frame, outcome="y", drivers=DRIVERS, importance=shares).same_first_three
    turned = pd.DataFrame({"share": [0.2, 0.7, 0.1]}, index=DRIVERS)
    assert ordered_check(frame, outcome="y", drivers=DRIVERS, importance=turned).same_first_three is False
    assert ordered_check(frame, outcome="y", drivers=DRIVERS).same_first_three is None


def test_marks_with_few_answers_are_joined_and_said():
    frame = survey(400, 3)
    check = ordered_check(frame, outcome="y", drivers=DRIVERS, least=40)
    assert (check.categories["n"] >= 40).all()
    assert check.categories["n"].sum() == 400
    joined = check.categories[check.categories["lowest"] < check.categories["highest"]]
    assert len(joined)
    assert f"Marks {joined['lowest'].iloc[0]:g} to {joined['highest'].iloc[0]:g} are taken together" in check.notes[0]


def test_nothing_is_joined_where_every_mark_has_answers_enough():
    check = ordered_check(survey(3000, 4), outcome="y", drivers=DRIVERS)
    assert check.categories["lowest"].tolist() == [1, 2, 3, 4, 5, 6, 7]
    assert "taken together" not in " ".join(check.notes)


def test_parallel_lines_are_rejected_no_more_often_than_the_level_says():
    # More than 9 of 60 at 5 % have a chance below 1 in 1,000.
    p = [parallel_lines(x[DRIVERS], np.minimum(x["y"], 5) - 1, np.ones(300))["p_value"] for x in map(_many, range(60))]
    assert (np.array([one.loc["(all)"] for one in p]) < 0.05).sum() <= 9


def _many(seed):
    return survey(300, seed).assign(y=lambda frame: np.clip(frame["y"], 3, 6).sub(2))


def test_lines_that_are_not_parallel_are_found_at_their_driver():
    check = ordered_check(uneven(1500, 5), outcome="y", drivers=DRIVERS)
    p = check.parallel_lines["p_value"]
    assert p["(all)"] < 1e-4
    assert p["a"] < 1e-4
    assert p["c"] > 0.01
    assert any("more closely" in note for note in check.notes)


def test_the_test_keeps_its_level_where_fitted_lines_cross():
    # Eight drivers, 150 answers. With uncorrected covariances 10 of the 60 are rejected.
    p = []
    for seed in range(60):
        rng = np.random.default_rng(seed)
        x = 0.7 * rng.normal(size=(150, 1)) + 0.7 * rng.normal(size=(150, 8))
        y = np.searchsorted([-1.5, -0.5, 0.5, 1.5], x.sum(axis=1) / 5 + rng.logistic(size=150))
        p.append(parallel_lines(pd.DataFrame(x, columns=list("abcdefgh")), y, np.ones(150))["p_value"].iloc[0])
    assert (np.array(p) < 0.05).sum() <= 6


def test_the_test_of_two_cuts_is_that_of_logits_of_statsmodels_by_hand():
    frame = survey(400, 6).assign(y=lambda frame: np.searchsorted([3, 5], frame["y"]) + 1.0)
    x = np.column_stack([np.ones(400), frame[DRIVERS]])
    low, high = (Logit((frame["y"] > cut).astype(float), x).fit(disp=0) for cut in (1, 2))
    p, q = low.predict(), high.predict()
    assert (p > q).all()  # where lines cross ours is corrected
    shared = low.cov_params().to_numpy() @ (x.T @ ((q - p * q)[:, None] * x)) @ high.cov_params().to_numpy()
    spread = low.cov_params() + high.cov_params() - shared - shared.T
    apart = (low.params - high.params).to_numpy()
    expected = apart[1:] @ np.linalg.solve(spread.to_numpy()[1:, 1:], apart[1:])
    table = parallel_lines(frame[DRIVERS], frame["y"].astype(int) - 1, np.ones(400))
    assert table.loc["(all)", "statistic"] == pytest.approx(expected, rel=1e-5)
    assert table.loc["(all)", "df"] == 3
    assert table.loc["b", "statistic"] == pytest.approx(apart[2] ** 2 / spread.iloc[2, 2], rel=1e-5)


def test_the_test_with_weights_is_calibrated():
    rng = np.random.default_rng(7)
    p = [
        parallel_lines(x[DRIVERS], x["y"].astype(int) - 1, rng.uniform(0.2, 3, 300)).loc["(all)", "p_value"]
        for x in map(_many, range(200, 260))
    ]
    assert (np.array(p) < 0.05).sum() <= 9


def test_lines_cannot_be_told_of_two_categories():
    frame = survey(300, 8).assign(y=lambda frame: (frame["y"] > 4).astype(float))
    check = ordered_check(frame, outcome="y", drivers=DRIVERS)
    assert check.parallel_lines["p_value"].isna().all()
    assert "Whether drivers go with all marks alike cannot be told." in check.notes


def test_weights_of_two_give_the_shares_of_rows_given_twice():
    frame = survey(300, 9)
    weights = np.where(np.arange(300) < 100, 2.0, 1.0)
    weighted = ordered_check(frame, outcome="y", drivers=DRIVERS, weights=weights, least=1)
    twice = ordered_check(pd.concat([frame, frame.head(100)], ignore_index=True), outcome="y", drivers=DRIVERS, least=1)
    pd.testing.assert_frame_equal(weighted.shares, twice.shares)


def test_the_order_of_drivers_changes_nothing_else():
    frame = survey(300, 10)
    one = ordered_check(frame, outcome="y", drivers=DRIVERS)
    other = ordered_check(frame, outcome="y", drivers=DRIVERS[::-1])
    pd.testing.assert_frame_equal(other.shares.loc[DRIVERS], one.shares)
    pd.testing.assert_frame_equal(other.parallel_lines.loc[["(all)", *DRIVERS]], one.parallel_lines)


def test_a_driver_given_by_the_others_is_refused():
    frame = survey(200, 11).assign(copy=lambda frame: frame["a"] + frame["b"])
    with pytest.raises(DataError, match="given by the others"):
        ordered_check(frame, outcome="y", drivers=[*DRIVERS, "copy"])


def test_small_samples_are_said():
    with pytest.warns(EstimationWarning, match="60 answers"):
        ordered_check(survey(60, 12), outcome="y", drivers=["a"])


def test_slopes_without_end_are_said():
    frame = survey(200, 13).assign(y=lambda frame: (frame["a"] > 0).astype(float))
    with pytest.warns(EstimationWarning, match="slopes have no end"):
        check = ordered_check(frame, outcome="y", drivers=["a", "b"])
    assert not check.converged


def test_an_outcome_that_hardly_varies_is_refused():
    frame = survey(200, 14).assign(y=lambda frame: np.where(frame.index < 3, 1.0, 2.0))
    with pytest.raises(DataError, match="all but 3 respondents"):
        ordered_check(frame, outcome="y", drivers=["a"])


def test_importance_of_other_drivers_is_refused():
    with pytest.raises(SettingsError, match="other drivers"):
        ordered_check(survey(200, 15), outcome="y", drivers=DRIVERS, importance=pd.Series({"a": 1.0}))
