from pathlib import Path

import numpy as np
import pandas as pd
import pytest

from crm_analysis.errors import SettingsError
from crm_analysis.voice.word_contrast import word_contrast

REVIEWS = Path(__file__).parents[3] / "shared" / "data" / "waimai_10k_reviews_zh.csv"
SAID = ["slow delivery"] * 6 + ["rude staff"] * 4 + ["quick delivery"] * 8 + ["kind staff"] * 2
GOOD = [False] * 10 + [True] * 10


def test_log_odds_are_those_of_monroe_colaresi_and_quinn():
    table = word_contrast(SAID, GOOD, least=1, prior=10.0, top=None)
    # Eq. 16 and 20, word by word; 20 words on each side, 40 in the prior, which counts as 10.
    counts = {"slow": (6, 0), "rude": (4, 0), "quick": (0, 8), "kind": (0, 2), "delivery": (6, 8), "staff": (4, 2)}
    for word, (bad, good) in counts.items():
        alpha = 10 * (bad + good) / 40
        log_odds = np.log((good + alpha) / (20 + 10 - good - alpha)) - np.log((bad + alpha) / (20 + 10 - bad - alpha))
        error = np.sqrt(1 / (good + alpha) + 1 / (bad + alpha))
        row = table.loc[("en", word)]
        np.testing.assert_allclose(
            row[["log_odds", "standard_error", "z"]].astype(float), [log_odds, error, log_odds / error], rtol=1e-12
        )
        assert (row["n_bad"], row["n_good"]) == (bad, good)
        assert (row["share_bad"], row["share_good"]) == (bad / 10, good / 10)


def test_words_are_in_order_of_what_they_tell():
    table = word_contrast(SAID, GOOD, least=1, prior=10.0, top=2)
    assert table.index.get_level_values("word").tolist() == ["slow", "rude", "kind", "quick"]
    assert table["side"].tolist() == ["bad", "bad", "good", "good"]


def test_exchanging_the_sides_turns_the_signs():
    one = word_contrast(SAID, GOOD, least=1, top=None)
    other = word_contrast(SAID, [not good for good in GOOD], least=1, top=None)
    np.testing.assert_allclose(one["z"].sort_index(), -other["z"].sort_index(), atol=1e-12)


def test_a_word_counts_once_a_comment():
    loud = ["slow slow slow delivery", *SAID[1:]]
    pd.testing.assert_frame_equal(word_contrast(loud, GOOD, least=1), word_contrast(SAID, GOOD, least=1))


def test_words_of_few_comments_are_left_out():
    words = word_contrast(SAID, GOOD, least=6).index.get_level_values("word")
    assert set(words) == {"slow", "quick", "delivery", "staff"}


def test_a_larger_prior_draws_all_words_together():
    weak, strong = (
        word_contrast(SAID, GOOD, least=1, prior=prior, top=None)["z"].abs().sort_index() for prior in (1, 1e4)
    )
    assert (strong <= weak + 1e-12).all()


def test_comments_without_a_grade_are_left_out():
    table = word_contrast([*SAID, "slow", "middling"], [*GOOD, None, None], least=1)
    pd.testing.assert_frame_equal(table, word_contrast(SAID, GOOD, least=1))


def test_weights_move_shares_and_odds():
    weights = [3.0 if text == "kind staff" else 1.0 for text in SAID]
    weighted, alike = (word_contrast(SAID, GOOD, least=1, prior=1.0, weights=each) for each in (weights, None))
    assert weighted.loc[("en", "kind"), "share_good"] == pytest.approx(6 / 14)
    assert weighted.loc[("en", "kind"), "n_good"] == 2
    # Staff is said on both sides, and good comments on it now count three times.
    assert weighted.loc[("en", "staff"), "log_odds"] > alike.loc[("en", "staff"), "log_odds"]


def test_weights_that_are_all_alike_change_nothing():
    doubled = word_contrast(SAID, GOOD, least=1, weights=np.full(20, 2.0))
    pd.testing.assert_frame_equal(doubled, word_contrast(SAID, GOOD, least=1))


def test_a_language_without_one_of_the_sides_has_no_words():
    table = word_contrast([*SAID, "送货很快", "送货快"], [*GOOD, True, True], least=1)
    assert set(table.index.get_level_values("language")) == {"en"}


@pytest.mark.parametrize(
    ("is_good", "options"),
    [
        (GOOD, {"least": 0}),
        (GOOD, {"top": 0}),
        (GOOD, {"prior": 0}),
        (GOOD, {"language": "de"}),
        (GOOD[:-1], {}),
        ([*GOOD[:-1], "yes"], {}),
    ],
)
def test_wrong_options_are_refused(is_good, options):
    with pytest.raises(SettingsError):
        word_contrast(SAID, is_good, **options)


def test_words_of_real_reviews_are_on_the_side_a_reader_expects():
    if not REVIEWS.exists():
        pytest.skip("the public reviews are not here")
    reviews = pd.read_csv(REVIEWS).sample(3000, random_state=0)
    table = word_contrast(reviews["review"], reviews["label"] == 1, top=40).loc["zh"]
    side = table["side"]
    assert side.loc[["小时", "难吃", "不好吃", "太慢", "差评"]].eq("bad").all()
    assert side.loc[["好吃", "很快", "不错", "赞", "谢谢"]].eq("good").all()
    assert table["z"].iloc[0] < -3
    assert table["z"].iloc[-1] > 10
