"""What cannot be asked is refused in words, by every analysis of answers alike."""

from datetime import date

import numpy as np
import pandas as pd
import pytest

from crm_analysis.codebook import read_codebook
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.comment_tables import theme_shares_by_group
from crm_analysis.voice.drivers import fit_drivers
from crm_analysis.voice.kano import kano, kano_of_counts
from crm_analysis.voice.ordered_check import ordered_check
from crm_analysis.voice.path_settings import path_settings
from crm_analysis.voice.priorities import importance_performance
from crm_analysis.voice.rating_scale import scale_ends
from crm_analysis.voice.responses import take_responses
from crm_analysis.voice.satisfaction import mean_rating
from crm_analysis.voice.segments import segment_scores
from crm_analysis.voice.waves import compare_waves, wave_trend
from crm_analysis.voice.weighting import rake
from crm_analysis.voice.what_if import what_if

ANSWERS = pd.DataFrame({"y": [5.0, 6, 7, 8], "a": [4.0, 6, 6, 9], "wave": ["w1", "w1", "w2", "w2"]})
TWICE = pd.concat([ANSWERS, ANSWERS[["a"]]], axis=1)
SLOPES = pd.Series({"a": 0.5})
COVARIANCE = pd.DataFrame({"a": [0.01]}, index=["a"])


@pytest.mark.parametrize(
    "values",
    [
        pd.to_datetime(["2024-01-01", "2024-01-02"]),
        pd.to_timedelta([1, 2], unit="D"),
        pd.period_range("2024-01", periods=2, freq="M"),
        np.array([1 + 2j, 3]),
        pd.Series([date(2024, 1, 1), 3], dtype=object),
        pd.Series([1 + 2j, 3], dtype=object),
    ],
    ids=["dates", "spans", "periods", "complex", "a date", "a complex number"],
)
def test_what_is_no_mark_is_refused_by_the_name_of_its_column(values):
    with pytest.raises(DataError, match="column 'staff': no number"):
        take_responses(pd.DataFrame({"staff": values}), ["staff"])
    with pytest.raises(DataError, match="no number"):
        mean_rating(pd.Series(values))


@pytest.mark.parametrize("weights", [pd.to_datetime(["2024-01-01"] * 4), np.full(4, 1j)], ids=["dates", "complex"])
def test_weights_that_are_no_numbers_are_refused(weights):
    with pytest.raises(SettingsError, match="weights are no numbers"):
        take_responses(ANSWERS, ["y"], weights=weights)


def test_numbers_of_every_kind_are_taken():
    kinds = {"text": ["1", None], "whole": pd.array([1, None], dtype="Int64"), "flag": [True, None]}
    frame = pd.DataFrame({**kinds, "level": pd.Categorical(["1", None])})
    assert take_responses(frame, list(frame)).frame.iloc[0].tolist() == [1.0] * 4


@pytest.mark.parametrize(
    "ask",
    [
        lambda: take_responses(TWICE, ["y", "a"]),
        lambda: take_responses(TWICE, ["y"], weights="a"),
        lambda: kano(TWICE, {"f": ("a", "y")}),
        lambda: rake(TWICE, margins={"a": {4: 0.5, 6: 0.5}}),
        lambda: segment_scores(TWICE, "y", by="a"),
        lambda: compare_waves(TWICE, ["y"], before="w1", after="w2", respondent="a"),
    ],
)
def test_a_name_of_several_columns_is_refused(ask):
    with pytest.raises(SettingsError, match="more than one column a"):
        ask()


def test_a_name_of_several_columns_that_is_not_asked_for_does_no_harm():
    assert len(take_responses(TWICE, ["y"])) == 4


@pytest.mark.parametrize(
    "ask",
    [
        lambda: take_responses(ANSWERS, [["a"]]),
        lambda: segment_scores(ANSWERS, "y", by=["wave"]),
        lambda: segment_scores(ANSWERS, ["y"], by="wave"),
        lambda: wave_trend(ANSWERS, "y", wave=["wave"]),
        lambda: compare_waves(ANSWERS, [["y"]], before="w1", after="w2"),
        lambda: compare_waves(ANSWERS, ["y"], before="w1", after="w2", respondent=["a"]),
        lambda: ordered_check(ANSWERS, outcome=["y"], drivers=["a"]),
        lambda: fit_drivers(ANSWERS, outcome="y", drivers=[["a"]]),
        lambda: what_if(ANSWERS, slopes=SLOPES, covariance=COVARIANCE, changes={"a": 1}, outcome=["y"]),
        lambda: kano(ANSWERS, {"f": (["a"], "y")}),
        lambda: importance_performance(SLOPES, ANSWERS, groups={"a": [["y"]]}),
    ],
)
def test_a_list_is_no_name_of_a_column(ask):
    with pytest.raises(SettingsError, match="give the name of one column"):
        ask()


@pytest.mark.parametrize("given", [None, 5])
@pytest.mark.parametrize(
    ("name", "ask"),
    [
        ("columns", lambda given: take_responses(ANSWERS, given)),
        ("items", lambda given: compare_waves(ANSWERS, given, before="w1", after="w2")),
        ("drivers", lambda given: ordered_check(ANSWERS, outcome="y", drivers=given)),
        ("drivers", lambda given: fit_drivers(ANSWERS, outcome="y", drivers=given)),
        ("controls", lambda given: fit_drivers(ANSWERS, outcome="y", drivers=["a"], controls=given)),
        ("groups", lambda given: fit_drivers(ANSWERS, outcome="y", drivers=["a"], groups={"g": given})),
        ("groups", lambda given: importance_performance(SLOPES, ANSWERS, groups={"a": given})),
        ("changes", lambda given: what_if(ANSWERS, slopes=SLOPES, covariance=COVARIANCE, changes=given)),
        ("scale", lambda given: scale_ends(given, ["a"])),
        ("scale", lambda given: what_if(ANSWERS, slopes=SLOPES, covariance=COVARIANCE, changes={"a": 1}, scale=given)),
        ("scale", lambda given: importance_performance(SLOPES, ANSWERS, scale=given)),
        ("pairs", lambda given: kano(ANSWERS, {"f": given})),
        ("slopes", lambda given: what_if(ANSWERS, slopes=given, covariance=COVARIANCE, changes={"a": 1})),
        ("importance", lambda given: importance_performance(given, ANSWERS)),
        ("counts", lambda given: kano_of_counts(given)),
        ("counts", lambda given: kano_of_counts({"x": given})),
        ("margins", lambda given: rake(ANSWERS, margins=given)),
    ],
)
def test_what_is_no_list_or_mapping_is_refused_by_its_name(name, ask, given):
    with pytest.raises(SettingsError, match=name):
        ask(given)


@pytest.mark.parametrize(
    "ask",
    [
        lambda: fit_drivers(ANSWERS, outcome="y", drivers=["a"], groups=5),
        lambda: importance_performance(SLOPES, ANSWERS, groups=5),
        lambda: importance_performance(pd.Series({"a": "much"}), ANSWERS),
        lambda: kano(ANSWERS, {"f": ("a", "y")}, answers=5),
        lambda: kano(ANSWERS, {"f": ("a", "y")}, table=5),
        lambda: scale_ends("high", ["a"]),
        lambda: path_settings({}, {}, None, "path"),
        lambda: path_settings({"a": [["y"]]}, {"a": ["b"]}, None, "path"),
    ],
)
def test_other_kinds_of_arguments_are_refused(ask):
    with pytest.raises(SettingsError):
        ask()


@pytest.mark.parametrize("counts", [{"x": {"A": "a"}}, {"x": {"A": None}}, {"x": {"A": 1j}}])
def test_counts_that_are_no_numbers_are_not_counted_as_nobody(counts):
    with pytest.raises(SettingsError, match="counts must be numbers"):
        kano_of_counts(counts)


def test_a_kind_that_a_feature_leaves_out_counts_nobody():
    found = kano_of_counts({"x": {"A": 5}, "y": {"M": 7}})
    assert found.loc["x", ["A", "M"]].tolist() == [5, 0]


def test_respondents_can_be_named_by_the_index():
    answers = pd.DataFrame({"y": np.arange(24.0) % 7, "wave": ["w1"] * 12 + ["w2"] * 12, "who": [*range(12)] * 2})
    by_column = compare_waves(answers, ["y"], before="w1", after="w2", respondent="who")
    by_index = compare_waves(answers.set_index("who"), ["y"], before="w1", after="w2", respondent="who")
    pd.testing.assert_frame_equal(by_column, by_index)
    assert by_index.loc["y", "n_both"] == 12


def test_waves_are_in_the_order_of_their_numbers():
    answers = pd.DataFrame({"y": [5.0, 6, 7], "wave": ["wave 10", "wave 9", "wave 1"]})
    assert list(wave_trend(answers, "y").index) == ["wave 1", "wave 9", "wave 10"]


def test_themes_are_counted_in_waves_in_the_order_of_their_numbers():
    assignments = pd.DataFrame({"language": "en", "theme": "price"}, index=range(3))
    waves = pd.Series(["wave 10", "wave 9", "wave 1"])
    found = theme_shares_by_group(assignments, np.ones(3), waves, test="trend", level=0.95)
    assert list(found.index.get_level_values("group")) == ["wave 1", "wave 9", "wave 10"]


@pytest.mark.parametrize(
    ("given", "words"),
    [
        ({"index": "price"}, r"index: give a list such as \['price'\]"),
        ({"drivers": {"service": 5}}, r"drivers.service: give a list such as \["),
        ({"not_applicable": 98}, r"not_applicable: give a list such as \[98\]"),
        ({"scale": 10}, r"scale: give a list such as \[1, 10\]"),
        ({"items": {"price": {"scale": 10}}}, r"scale: give a list such as \[1, 10\]"),
    ],
)
def test_a_codebook_says_how_a_list_is_given(given, words):
    with pytest.raises(SettingsError, match=words):
        read_codebook(given)
