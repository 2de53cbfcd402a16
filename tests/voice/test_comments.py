from pathlib import Path

import numpy as np
import pandas as pd
import pytest
from sklearn.metrics import adjusted_rand_score

from crm_analysis.company.simulate import simulate_company
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.models.shares import wilson_interval
from crm_analysis.voice.comments import CommentThemes, comment_themes
from crm_analysis.voice.theme_model import find_themes

REVIEWS = Path(__file__).parents[3] / "shared" / "data" / "waimai_10k_reviews_zh.csv"


@pytest.fixture(scope="module")
def survey() -> pd.DataFrame:
    """Respondents of a simulated company: what they say, and the theme, praise and language behind it."""
    company = simulate_company(seed=7, customers=6_000, months=36)
    table = company.tables["survey"].set_index("respondent_id")
    return table.join(company.truth.respondents[["theme", "is_praise", "language"]])


@pytest.fixture(scope="module")
def found(survey: pd.DataFrame) -> CommentThemes:
    return comment_themes(survey["comment"], weights=survey["weight"])


@pytest.fixture(scope="module")
def reviews() -> pd.DataFrame:
    if not REVIEWS.exists():
        pytest.skip("the public reviews are not here")
    return pd.read_csv(REVIEWS).sample(3000, random_state=0, ignore_index=True)


@pytest.mark.parametrize("language", ["en", "zh"])
def test_themes_that_were_planted_are_found_again(survey, found, language):
    own = survey["language"] == language
    table = pd.crosstab(found.assignments.loc[own, "theme"], survey.loc[own, "theme"])
    purity = table.max(axis=1).sum() / table.to_numpy().sum()
    # The largest planted theme holds a third: that much any one theme would reach.
    assert table.sum().max() / table.to_numpy().sum() < 0.4
    assert purity > 0.8


def test_planted_themes_are_found_as_they_are_where_their_words_part_them():
    rng = np.random.default_rng(1)
    planted = {
        "delivery": ["parcel", "courier", "late", "van", "rain", "driver"],
        "price": ["cheap", "price", "discount", "bill", "money", "value"],
        "food": ["soup", "taste", "bread", "salt", "fresh", "warm"],
    }
    truth = rng.choice(list(planted), 300)
    comments = pd.Series([" ".join(rng.choice(planted[name], 3, replace=False)) for name in truth])
    themes = comment_themes(comments)
    assert adjusted_rand_score(truth, themes.assignments["theme"]) == 1
    assert len(themes.themes) == 4  # and the comments without a theme
    assert themes.themes["agreement"].min() == pytest.approx(1.0)


def test_languages_of_comments_are_told(survey, found):
    said = survey["comment"].notna()
    assert (found.assignments.loc[said, "language"] == survey.loc[said, "language"]).all()


def test_silence_is_no_comment(survey, found):
    silent = survey["comment"].isna()
    assert found.assignments[silent].isna().all(axis=None)
    assert found.themes["n"].sum() == (~silent).sum()
    blank = comment_themes(pd.Series(["", "  ", None, np.nan, "fine"]))
    assert blank.themes["n"].tolist() == [1]


def test_shares_are_of_the_comments_in_the_language_and_weighted(survey, found):
    name = found.themes.index[0]
    has, own = found.assignments["theme"] == name, survey["language"] == found.themes.loc[name, "language"]
    weights = survey["weight"]
    share, worth = weights[has].sum() / weights[own].sum(), weights[own].sum() ** 2 / (weights[own] ** 2).sum()
    row = found.themes.loc[name]
    lower, upper = wilson_interval(share * worth, worth)
    np.testing.assert_allclose([row["share"], row["lower"], row["upper"]], [share, lower, upper], rtol=1e-12)
    assert (row["n"], row["base"]) == (has.sum(), own.sum())
    np.testing.assert_allclose(found.themes.groupby("language")["share"].sum(), 1.0, rtol=1e-12)


def test_the_same_comments_in_another_order_have_the_same_themes(survey, found):
    mixed = survey.sample(frac=1, random_state=3)
    again = comment_themes(mixed["comment"], weights=mixed["weight"])
    pd.testing.assert_frame_equal(again.themes, found.themes, rtol=1e-9)
    pd.testing.assert_frame_equal(again.assignments.loc[survey.index], found.assignments)


def test_weights_change_shares_and_not_themes(survey, found):
    alike = comment_themes(survey["comment"])
    pd.testing.assert_frame_equal(alike.assignments, found.assignments)
    np.testing.assert_allclose(alike.themes["share"], alike.themes["n"] / alike.themes["base"], rtol=1e-12)
    assert not np.allclose(alike.themes["share"], found.themes["share"].loc[alike.themes.index], atol=1e-4)


def test_every_theme_shows_its_words_and_its_own_comments(survey, found):
    for name, row in found.themes[~found.themes["is_other"]].iterrows():
        assert name == ", ".join(row["words"][:3])
        own = set(survey.loc[found.assignments["theme"] == name, "comment"])
        assert 1 <= len(row["examples"]) <= 3
        assert len(set(row["examples"])) == len(row["examples"])
        # Full-width marks of Chinese comments are shown as plain ones.
        assert {text.replace(",", "").replace("，", "") for text in row["examples"]} <= {
            text.replace(",", "").replace("，", "") for text in own
        }


def test_number_of_themes_can_be_given_for_each_language(survey):
    themes = comment_themes(survey["comment"], themes={"en": 5, "zh": 2}).themes
    assert themes[~themes["is_other"]].groupby("language").size().to_dict() == {"en": 5, "zh": 2}


def test_few_comments_are_counted_and_not_read(survey):
    english = survey.loc[survey["language"] == "en", "comment"].head(60)
    chinese = survey.loc[survey["language"] == "zh", "comment"].head(29)
    result = comment_themes(pd.concat([english, chinese]))
    assert result.themes.loc["other (zh)", ["n", "share"]].tolist() == [29, 1.0]
    assert result.notes == ("29 comments in Chinese are too few for themes, which take 30; they are counted as other.",)


def test_comments_without_a_common_word_have_no_theme():
    letters = "abcdefghijklmnopqrstuvwxyz"
    result = comment_themes([f"{first}{second}{first}" for first in letters[:6] for second in letters[:6]])
    assert result.themes.index.tolist() == ["other (en)"]
    assert "too few words in common" in result.notes[0]


def test_the_language_of_all_comments_can_be_given(survey):
    chinese = survey.loc[survey["language"] == "zh", "comment"]
    assert set(comment_themes(chinese, language="en").themes["language"]) == {"en"}


def test_grades_of_satisfaction_are_groups(survey, found):
    grades = pd.cut(survey["overall_satisfaction"], [0, 6, 8, 10], labels=["low", "middle", "high"])
    late = next(name for name, row in found.themes.iterrows() if {"late", "nobody"} & set(row["words"]))
    table = found.by(grades, test="trend").loc[late]
    assert table.index.tolist() == ["low", "middle", "high"]
    assert set(table["verdict"]) == {"falls"}


@pytest.mark.parametrize("comments", [[], [None, ""], pd.Series([], dtype=object)])
def test_no_comments_are_said_to_be_none(comments):
    result = comment_themes(comments)
    assert result.themes.empty
    assert result.notes == ("There are no comments.",)


def test_a_smiley_is_counted_among_the_comments_without_a_theme(survey):
    comments = pd.concat([survey["comment"].dropna().head(60), pd.Series(["👍👍", "10/10"], index=["x", "y"])])
    assert comment_themes(comments).assignments.loc[["x", "y"], "theme"].tolist() == ["other (en)"] * 2


def test_examples_show_no_telephone_numbers_and_addresses():
    comments = [f"Parcel late, call {13800000000 + i} or me{i}@mail.example about my parcel" for i in range(40)]
    comments += [f"Price too high, price list {90000 + i}" for i in range(40)]
    shown = " ".join(text for texts in comment_themes(comments).themes["examples"] for text in texts)
    assert "•••" in shown
    assert "138" not in shown
    assert "@" not in shown
    assert "900" not in shown


def test_long_examples_are_cut():
    comments = [f"parcel late {'very ' * 60}{word}" for word in ("van", "courier", "rain")] * 12
    comments += ["price high discount bill"] * 36
    assert max(len(text) for texts in comment_themes(comments).themes["examples"] for text in texts) == 120


def test_themes_that_are_not_found_again_are_named_in_a_note():
    rng = np.random.default_rng(0)
    words = [f"{first}{last}" for first in ("ba", "do", "ki", "mu") for last in ("ran", "lot", "sen", "tip", "fez")]
    result = comment_themes([" ".join(rng.choice(words, 4, replace=False)) for _ in range(200)], themes=5)
    weak = int((result.themes["agreement"] < 0.4).sum())
    assert weak > 0
    note = f"Themes in English that are hardly found again in parts of the comments, and are hints: {weak} of 5."
    assert result.notes == (note,)


def test_no_more_themes_are_found_than_words_differ():
    model = find_themes([["one", "two"]] * 5 + [["three"]] * 5, n_themes=12, seed=0)
    assert model.parts.shape == (10, 2)


def test_comments_that_are_no_text_are_refused():
    with pytest.raises(DataError, match=r"no text in 2 row\(s\)"):
        comment_themes(["good", 3, 4.5])


@pytest.mark.parametrize(
    "options",
    [
        {"themes": 1},
        {"themes": {"de": 3}},
        {"language": "de"},
        {"seed": -1},
        {"level": 95},
        {"weights": [1.0]},
    ],
    ids=str,
)
def test_wrong_options_are_refused(options):
    with pytest.raises(SettingsError):
        comment_themes(["good", "bad"], **options)


def test_themes_of_real_reviews_part_late_orders_from_bad_food(reviews):
    found = comment_themes(reviews["review"], themes=6)
    theme_of = {word: name for name, row in found.themes.iterrows() for word in row["words"]}
    assert theme_of["等了一个"] == theme_of["小时"]
    assert theme_of["难吃"] not in (theme_of["小时"], theme_of["味道"])
    marks = found.ratings(reviews["label"])
    assert marks.loc[theme_of["小时"], "verdict"] == "lower"
    assert marks.loc[theme_of["很快"], "verdict"] == "higher"


@pytest.mark.parametrize(
    "comments", ["one text", None, {"a": "good"}, pd.DataFrame({"a": ["good"]}), np.array([["good", "bad"]])], ids=type
)
def test_comments_that_are_no_column_are_refused(comments):
    with pytest.raises(SettingsError, match="comments must be"):
        comment_themes(comments)
