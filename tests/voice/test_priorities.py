import numpy as np
import pandas as pd
import pytest
from scipy import stats

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.voice.priorities import importance_performance

MARKS = pd.DataFrame(
    {"a": [9.0, 10, 9, 8], "b": [3.0, 4, 2, 3], "c": [2.0, 3, 2, 1], "d": [8.0, 9, np.nan, 10]}
)  # fmt: skip
SHARES = pd.Series({"a": 0.4, "b": 0.4, "c": 0.1, "d": 0.1})


def test_the_four_quadrants_are_named():
    table = importance_performance(SHARES, MARKS)
    assert list(table["quadrant"]) == ["keep up", "concentrate here", "low priority", "possible overkill"]


def test_lines_are_at_the_means_or_at_the_middle_of_the_scale():
    means = importance_performance(SHARES, MARKS)
    assert means["performance_line"].tolist() == pytest.approx([(9 + 3 + 2 + 9) / 4] * 4)
    assert means["importance_line"].tolist() == pytest.approx([0.25] * 4)
    middle = importance_performance(SHARES.head(3), MARKS, cross="scale", scale=(0, 10))
    assert middle["performance_line"].tolist() == [5] * 3
    assert middle["importance_line"].tolist() == pytest.approx([1 / 3] * 3)


def test_where_the_lines_cross_can_move_a_driver():
    high = MARKS[["a"]].assign(b=[7.0, 8, 7, 6])
    both = {
        cross: importance_performance(pd.Series({"a": 0.5, "b": 0.5}), high, cross=cross) for cross in ("mean", "scale")
    }
    assert both["mean"].loc["b", "quadrant"] == "concentrate here"
    assert both["scale"].loc["b", "quadrant"] == "keep up"


def test_performance_has_the_t_interval_of_those_who_answered():
    table = importance_performance(SHARES, MARKS, level=0.9)
    given = MARKS["d"].dropna()
    expected = stats.t.interval(0.9, 2, given.mean(), stats.sem(given))
    assert tuple(table.loc["d", ["performance_lower", "performance_upper"]]) == pytest.approx(expected)
    assert table.loc["d", "n"] == 3


def test_a_driver_whose_interval_contains_a_line_is_not_certain():
    shares = SHARES.to_frame("share").assign(lower=[0.3, 0.2, 0.05, 0.05], upper=[0.5, 0.5, 0.2, 0.2])
    table = importance_performance(shares, MARKS)
    assert table["certain"].to_dict() == {"a": True, "b": False, "c": True, "d": True}


def test_nothing_is_certain_without_limits():
    assert not importance_performance(SHARES, MARKS)["certain"].any()


def test_equal_shares_are_on_the_line_of_equal_shares():
    table = importance_performance(pd.Series(1 / 3, index=["a", "b", "c"]), MARKS)
    assert list(table["quadrant"]) == ["keep up", "concentrate here", "concentrate here"]


def test_the_mark_of_a_group_is_the_mean_of_its_drivers():
    table = importance_performance(
        pd.Series({"one": 0.6, "two": 0.4}), MARKS, groups={"one": ["a", "b"], "two": ["c", "d"]}
    )
    assert table.loc["one", "performance"] == pytest.approx(6)
    assert table.loc["two", "performance"] == pytest.approx((5 + 6 + 2 + 5.5) / 4)


def test_weights_of_two_give_the_means_of_rows_given_twice():
    weighted = importance_performance(SHARES, MARKS, weights=[2, 1, 1, 1])["performance"]
    twice = importance_performance(SHARES, pd.concat([MARKS, MARKS.head(1)], ignore_index=True))["performance"]
    pd.testing.assert_series_equal(weighted, twice)


@pytest.mark.parametrize(
    ("options", "words"),
    [({"cross": "median"}, "cross"), ({"scale": (10, 1)}, "scale"), ({"groups": {"a": ["a"]}}, "no such group")],
)
def test_wrong_arguments_are_refused(options, words):
    with pytest.raises(SettingsError, match=words):
        importance_performance(SHARES, MARKS, **options)


def test_marks_on_different_scales_are_compared_as_points_from_0_to_100():
    marks = pd.DataFrame({"a": [1.0, 3, 5], "b": [2.0, 3, 4], "y": [50.0, 60, 70]})
    shares = pd.Series({"a": 0.6, "b": 0.4})
    scale = {"a": (1, 5), "b": (0, 10), "y": (0, 100)}
    table = importance_performance(shares, marks, scale=scale, cross="scale")
    assert table["performance"].tolist() == pytest.approx([50, 30])
    assert table["performance_line"].tolist() == [50, 50]
    expected = stats.t.interval(0.95, 2, 30, stats.sem([20, 30, 40]))
    assert tuple(table.loc["b", ["performance_lower", "performance_upper"]]) == pytest.approx(expected)


def test_a_mapping_of_equal_scales_is_that_scale():
    scale = dict.fromkeys(MARKS.columns, (1, 10))
    pd.testing.assert_frame_equal(
        importance_performance(SHARES, MARKS, scale=scale), importance_performance(SHARES, MARKS)
    )


def test_marks_off_their_scale_are_refused():
    with pytest.raises(DataError, match="'a': outside the scale of 1 to 7"):
        importance_performance(SHARES, MARKS, scale=(1, 7))
