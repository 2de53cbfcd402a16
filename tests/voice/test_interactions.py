import numpy as np
import pandas as pd
import pytest
from statsmodels.formula.api import ols

from crm_analysis.errors import DataError, EstimationWarning, SettingsError
from crm_analysis.voice.interactions import segment_interactions


def survey(n, seed, slopes=(0.2, 0.8, 0.2)):
    rng = np.random.default_rng(seed)
    segment = np.arange(n) % 3
    x = pd.DataFrame(rng.normal(size=(n, 2)), columns=["a", "b"])
    y = np.array(slopes)[segment] * x["a"] + 0.5 * x["b"] + rng.normal(size=n)
    return x.assign(y=y, region=np.array(["east", "north", "west"])[segment])


def ask(frame, **options):
    return segment_interactions(frame, outcome="y", drivers=["a", "b"], by="region", **options)


def test_a_planted_difference_is_found_and_only_that():
    verdicts = ask(survey(900, 1))["verdict"].groupby("driver").first()
    assert verdicts.to_dict() == {"a": "differs between segments", "b": "no real difference"}


def test_slopes_of_segments_are_those_of_the_model_with_all_interactions():
    frame = survey(300, 2)
    table = ask(frame)
    theirs = ols("y ~ C(region) + C(region):a + C(region):b - 1", frame).fit(cov_type="HC3")
    named = [f"C(region)[{segment}]:{name}" for name in "ab" for segment in ("east", "north", "west")]
    assert table["slope"].tolist() == pytest.approx(theirs.params[named].tolist())
    assert table["standard_error"].tolist() == pytest.approx(theirs.bse[named].tolist())


def test_the_test_is_the_wald_test_of_statsmodels():
    frame = survey(300, 3, slopes=(0.3, 0.4, 0.3))
    fit = ols("y ~ C(region) + C(region):a + C(region):b - 1", frame).fit(cov_type="HC3", use_t=True)
    wald = fit.wald_test(
        "C(region)[east]:a = C(region)[north]:a, C(region)[north]:a = C(region)[west]:a", scalar=True, use_f=True
    )
    row = ask(frame).loc[("a", "east")]
    assert row["statistic"] / row["df"] == pytest.approx(float(wald.statistic))
    assert row["p_value"] == pytest.approx(float(wald.pvalue))


def test_equal_slopes_are_called_different_no_more_often_than_the_level_says():
    # 60 samples: more than 9 false findings at 5 % have a chance below 1 in 1,000.
    false = sum((ask(survey(150, seed, slopes=(0.4, 0.4, 0.4)))["p_adjusted"] < 0.05).any() for seed in range(100, 160))
    assert false <= 9


def test_small_segments_are_said_and_kept():
    frame = pd.concat([survey(120, 4), survey(30, 5).assign(region="south")])
    with pytest.warns(EstimationWarning, match="fewer than 30 answers in tiny"):
        table = ask(pd.concat([frame, survey(15, 6).assign(region="tiny")]))
    assert table.loc[("a", "tiny"), "is_small"]
    assert not table.loc[("a", "south"), "is_small"]


def test_segments_without_slopes_are_left_out_and_said():
    alone = survey(3, 7).assign(region="tiny")
    with pytest.warns(EstimationWarning, match="slopes of tiny: left out"):
        table = ask(pd.concat([survey(120, 4), alone]))
    assert "tiny" not in table.index.get_level_values("segment")


def test_respondents_without_a_segment_are_left_out():
    frame = survey(150, 8)
    nowhere = frame.assign(region=frame["region"].where(np.arange(150) >= 30))
    pd.testing.assert_frame_equal(ask(nowhere), ask(frame.iloc[30:]))


def test_a_single_segment_is_refused():
    with pytest.raises(DataError, match="fewer than two segments"):
        ask(survey(90, 9).assign(region="east"))


def test_a_column_that_is_not_there_is_refused():
    with pytest.raises(SettingsError, match="no column district"):
        segment_interactions(survey(30, 1), outcome="y", drivers=["a"], by="district")
