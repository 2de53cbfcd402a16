import numpy as np
import pandas as pd
import pytest
from scipy import stats
from statsmodels.stats.contingency_tables import Table
from statsmodels.stats.weightstats import CompareMeans, DescrStatsW

from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.comments import CommentThemes
from crm_analysis.voice.satisfaction import mean_rating

WAVES = ["2024-06", "2024-12", "2025-06"]
COUNTS = pd.DataFrame({"late": [10, 20, 40], "dear": [40, 35, 30], "other (en)": [50, 45, 30]}, index=WAVES)


def themes_of(assignments: pd.DataFrame, weights: object = None) -> CommentThemes:
    counts = np.ones(len(assignments)) if weights is None else np.asarray(weights, dtype=float)
    return CommentThemes(pd.DataFrame(), assignments, (), 0.95, pd.Series(counts, index=assignments.index))


def comments_of(counts: pd.DataFrame) -> tuple[pd.DataFrame, pd.Series]:
    said = [(wave, theme) for wave, row in counts.iterrows() for theme, n in row.items() for _ in range(n)]
    wave, theme = (pd.Series(values, dtype=object) for values in zip(*said, strict=True))
    return pd.DataFrame({"language": "en", "theme": theme, "strength": 1.0}), wave


@pytest.fixture
def assignments() -> pd.DataFrame:
    return comments_of(COUNTS)[0]


@pytest.fixture
def wave() -> pd.Series:
    return comments_of(COUNTS)[1]


def test_shares_by_group_are_of_the_comments_of_the_group(assignments, wave):
    table = themes_of(assignments).by(wave)
    late = table.loc["late"]
    assert late[["n", "base"]].to_numpy().tolist() == [[10, 100], [20, 100], [40, 100]]
    lower, upper = wilson_interval(late["n"], late["base"])
    np.testing.assert_allclose(late[["share", "lower", "upper"]].T, [[0.1, 0.2, 0.4], lower, upper])


def test_difference_between_groups_is_tested_by_chi_square(assignments, wave):
    table = themes_of(assignments).by(wave)
    for name in COUNTS:
        cells = np.array([COUNTS[name], 100 - COUNTS[name]])
        expected = stats.chi2_contingency(cells, correction=False).pvalue
        assert table.loc[name, "p_value"].iloc[0] == pytest.approx(expected, rel=1e-10)
    assert table["verdict"].groupby(level="theme").first().to_dict() == {
        "late": "differs",
        "dear": "no real change",
        "other (en)": "differs",
    }


def test_trend_over_waves_is_tested_by_armitage(assignments, wave):
    table = themes_of(assignments).by(wave, test="trend")
    for name in COUNTS:
        cells = np.array([100 - COUNTS[name], COUNTS[name]])
        # statsmodels takes both margins as fixed: its variance has n - 1 where Armitage's has n.
        z = Table(cells, shift_zeros=False).test_ordinal_association(np.array([0, 1]), np.arange(3)).zscore
        expected = 2 * stats.norm.sf(abs(z) * np.sqrt(300 / 299))
        assert table.loc[name, "p_value"].iloc[0] == pytest.approx(expected, rel=1e-10)
    assert table["verdict"].groupby(level="theme").first().to_dict() == {
        "late": "rises",
        "dear": "no real change",
        "other (en)": "falls",
    }


def test_trend_follows_the_order_of_categories(assignments, wave):
    backwards = wave.astype(pd.CategoricalDtype(WAVES[::-1], ordered=True))
    table = themes_of(assignments).by(backwards, test="trend")
    assert table.loc["late", "verdict"].iloc[0] == "falls"
    assert table.loc["late"].index.tolist() == WAVES[::-1]


def test_p_values_are_adjusted_over_the_themes(assignments, wave):
    table = themes_of(assignments).by(wave).groupby(level="theme").first()
    ordered = table.sort_values("p_value")
    by_hand = np.minimum(np.maximum.accumulate(ordered["p_value"] * [3, 2, 1]), 1)
    np.testing.assert_allclose(ordered["p_adjusted"], by_hand)


def test_weights_of_two_give_the_shares_of_rows_repeated(assignments, wave):
    weights = np.where(assignments["theme"] == "late", 2.0, 1.0)
    again = assignments.index.repeat(weights.astype(int))
    weighted = themes_of(assignments, weights).by(wave)
    repeated = themes_of(assignments.loc[again].reset_index(drop=True)).by(wave.loc[again].reset_index(drop=True))
    np.testing.assert_allclose(weighted["share"].sort_index(), repeated["share"].sort_index())


def test_unequal_weights_widen_intervals(assignments, wave):
    rng = np.random.default_rng(0)
    alike = themes_of(assignments).by(wave)
    unequal = themes_of(assignments, rng.lognormal(0, 1, len(assignments))).by(wave)
    assert ((unequal["upper"] - unequal["lower"]) > (alike["upper"] - alike["lower"])).mean() > 0.8


def test_few_comments_have_shares_and_no_verdict():
    frame, wave = comments_of(COUNTS // 10)
    table = themes_of(frame).by(wave)
    assert set(table["verdict"]) == {"too few comments"}
    assert table["p_value"].isna().all()


def test_a_theme_that_a_group_does_not_have_has_a_share_of_zero():
    counts = COUNTS.copy()
    counts.loc["2025-06", "dear"] = 0
    frame, wave = comments_of(counts)
    row = themes_of(frame).by(wave).loc[("dear", "2025-06")]
    assert (row["n"], row["base"], row["share"], row["lower"]) == (0, 70, 0.0, 0.0)


def test_themes_of_one_language_are_shares_of_that_language(assignments, wave):
    chinese = assignments.assign(language="zh", theme=assignments["theme"].replace({"late": "慢", "dear": "贵"}))
    chinese["theme"] = chinese["theme"].replace({"other (en)": "other (zh)"})
    both = pd.concat([assignments, chinese.iloc[:150]], ignore_index=True)
    table = themes_of(both).by(pd.concat([wave, wave.iloc[:150]], ignore_index=True))
    assert table.loc["late", "base"].tolist() == [100, 100, 100]
    assert table.loc["慢", "base"].tolist() == [100, 50, 0]
    assert table.index.get_level_values("theme").unique()[-1] == "other (zh)"


def test_comments_without_a_group_are_left_out(assignments, wave):
    known = wave.mask(wave == "2025-06")
    assert themes_of(assignments).by(known).index.get_level_values("group").unique().tolist() == WAVES[:2]


def test_groups_are_matched_by_index(assignments, wave):
    pd.testing.assert_frame_equal(
        themes_of(assignments).by(wave.sample(frac=1, random_state=0)), themes_of(assignments).by(wave)
    )


@pytest.mark.parametrize("groups", [["a"], pd.Series(["a"] * 300, index=range(1000, 1300)), [None] * 300], ids=len)
def test_groups_that_do_not_fit_are_refused(assignments, groups):
    with pytest.raises(SettingsError):
        themes_of(assignments).by(groups)


def test_an_unknown_test_is_refused(assignments, wave):
    with pytest.raises(SettingsError, match="difference"):
        themes_of(assignments).by(wave, test="anova")


def test_ratings_of_a_theme_are_compared_with_the_others_by_welch(assignments):
    rng = np.random.default_rng(2)
    ratings = pd.Series(rng.integers(1, 11, 300).astype(float)) - 1.5 * (assignments["theme"] == "late")
    table = themes_of(assignments).ratings(ratings)
    late, others = ratings[assignments["theme"] == "late"], ratings[assignments["theme"] != "late"]
    test = stats.ttest_ind(late, others, equal_var=False)
    row = table.loc["late"]
    assert row["p_value"] == pytest.approx(test.pvalue, rel=1e-10)
    low, high = test.confidence_interval()
    np.testing.assert_allclose(row[["difference_lower", "difference_upper"]].astype(float), [low, high])
    np.testing.assert_allclose(row[["lower", "upper"]].astype(float), DescrStatsW(late).tconfint_mean())
    assert (row["mean"], row["without"]) == (pytest.approx(late.mean()), pytest.approx(others.mean()))
    compared = CompareMeans(DescrStatsW(late), DescrStatsW(others)).tconfint_diff(usevar="unequal")
    np.testing.assert_allclose(row[["difference_lower", "difference_upper"]].astype(float), compared)
    assert row["verdict"] == "lower"


def test_missing_ratings_and_weights_of_zero_do_not_count(assignments):
    ratings = pd.Series(np.tile([1.0, 5.0, np.nan], 100))
    weights = np.ones(300)
    weights[:30] = 0
    rows = ratings.notna() & (weights > 0)
    table = themes_of(assignments, weights).ratings(ratings)
    assert table["n"].sum() == rows.sum()
    own = rows & (assignments["theme"] == "dear")
    assert table.loc["dear", "mean"] == pytest.approx(ratings[own].mean())


def test_a_single_rating_has_a_mean_and_no_interval(assignments):
    ratings = pd.Series(np.nan, index=assignments.index)
    ratings[0] = 7.0
    row = themes_of(assignments).ratings(ratings).loc["late"]
    assert (row["n"], row["mean"], row["verdict"]) == (1, 7.0, "too few comments")
    assert np.isnan(row["lower"])


def test_ratings_that_are_all_alike_have_no_verdict(assignments):
    table = themes_of(assignments).ratings(pd.Series(5.0, index=assignments.index))
    assert set(table["verdict"]) == {"too few comments"}
    assert (table["difference"] == 0).all()


def test_ratings_that_are_no_numbers_are_refused(assignments):
    with pytest.raises(DataError, match="no number"):
        themes_of(assignments).ratings(["good"] * 300)


def test_the_mean_of_a_theme_has_as_many_degrees_of_freedom_as_its_weights_are_worth(assignments):
    ratings = pd.Series(np.random.default_rng(3).integers(1, 11, 300).astype(float))
    weights = np.random.default_rng(4).uniform(0.1, 4, 300)
    row = themes_of(assignments, weights).ratings(ratings).loc["late"]
    own = assignments["theme"] == "late"
    expected = mean_rating(ratings[own], weights=weights[own]).interval
    assert (row["lower"], row["upper"]) == (pytest.approx(expected.lower), pytest.approx(expected.upper))


def test_groups_of_several_kinds_are_put_in_order_by_their_text(assignments):
    table = themes_of(assignments).by(["a", 1, None] * 100)
    assert table.loc["late"].index.tolist() == [1, "a"]


@pytest.mark.parametrize("values", [np.ones((300, 2)), pd.DataFrame({"a": [1] * 300}), None, "late", 5], ids=type)
def test_values_that_are_not_one_for_each_comment_are_refused(assignments, values):
    with pytest.raises(SettingsError, match="groups must be"):
        themes_of(assignments).by(values)
    with pytest.raises(SettingsError, match="ratings must be"):
        themes_of(assignments).ratings(values)
