"""Words that go with bad grades and words that go with good ones."""

from collections import Counter
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import check_whole, is_number
from crm_analysis.voice.comment_tables import fitting
from crm_analysis.voice.comment_texts import LANGUAGES, comment_texts, languages_of
from crm_analysis.voice.responses import take_responses
from crm_analysis.voice.words import find_words

_COLUMNS = ["n_bad", "n_good", "share_bad", "share_good", "log_odds", "standard_error", "z", "side"]


def word_contrast(
    comments: Any,
    is_good: Any,
    *,
    top: int | None = 20,
    least: int = 5,
    prior: float = 100.0,
    language: Literal["auto", "en", "zh"] = "auto",
    weights: Any = None,
) -> pd.DataFrame:
    """Return the words that tell comments with good grades from comments with bad ones, each language by itself.

    Parameters
    ----------
    comments : Series or array of str
        One comment a respondent; missing or blank where nothing was written.
    is_good : Series or array of bool
        Whether the grade that came with it was good (a Series: by the index of the comments). Missing: neither, such as
        a middle grade; the comment is left out.
    top : int or None
        At most so many words on each side in each language; None: all words.
    least : int
        Comments a word is in, at least.
    prior : float
        Words that the prior is worth, > 0. The larger, the more a rare word must differ to be shown.
    language : {"auto", "en", "zh"}
        As in `comment_themes`.
    weights : Series, array or None
        What each comment counts.

    Returns
    -------
    DataFrame, index language and word, by z: the most telling word of the bad side first, that of the good side last
        n_bad, n_good (comments with the word), share_bad, share_good (of the comments of a side, weighted), log_odds
        (of the word among the words of good comments, less the same of bad ones), standard_error, z (their ratio) and
        side: "bad" below 0, "good" above. A word counts once a comment. Empty where a language lacks a side. Of many
        words a few are beyond -2 and 2 by chance.

    Raises
    ------
    SettingsError
        When an option is out of range, or grades or weights do not fit.
    DataError
        When comments are no text, or weights are missing or negative.

    References
    ----------
    Monroe, Colaresi & Quinn (2008), Political Analysis 16(4), 372-403, eq. 16, 20 and 22, with the words of both sides
    as the informative Dirichlet prior (section 3.5.1).

    Examples
    --------
    >>> said = ["slow delivery", "delivery was slow", "slow!", "quick delivery", "so quick", "quick and friendly"]
    >>> word_contrast(said, [False] * 3 + [True] * 3, least=2, prior=10)["side"].to_dict()
    {('en', 'slow'): 'bad', ('en', 'delivery'): 'bad', ('en', 'quick'): 'good'}
    """
    check_whole("least", least, least=1)
    if top is not None:
        check_whole("top", top, least=1)
    if not (is_number(prior) and prior > 0):
        raise SettingsError(f"prior is {prior!r}; give a number > 0.")
    texts = comment_texts(comments)
    spoken = languages_of(texts, language).to_numpy(dtype=object)
    good = _sides(fitting(is_good, texts.index, "is_good"))
    counts_for = take_responses(pd.DataFrame(index=texts.index), [], weights=weights).weights
    tables = {}
    for code in LANGUAGES:
        rows = np.flatnonzero((spoken == code) & np.isfinite(good))
        table = _contrast(texts.iloc[rows].tolist(), good[rows] > 0, counts_for[rows], least, prior)
        if top is not None:
            bad = table[table["z"] < 0].head(top)
            table = pd.concat([bad, table[table["z"] >= 0].tail(top)])
        tables[code] = table
    return pd.concat(tables, names=["language", "word"]).astype({"n_bad": int, "n_good": int})


def _sides(values: pd.Series) -> Any:
    """Return 1 for good, 0 for bad, missing for neither."""
    known = values.dropna()
    if not known.isin([True, False]).all():
        raise SettingsError("is_good: give True, False or missing, such as satisfaction >= 8, for each comment.")
    return pd.to_numeric(values.astype(object)).to_numpy(dtype=float, na_value=np.nan)


def _contrast(texts: list[str], good: Any, weights: Any, least: int, prior: float) -> pd.DataFrame:
    lexicon = find_words(texts)
    said = [set(lexicon.tokens(text)) for text in texts]
    frequent = Counter(word for words in said for word in words)
    words = sorted(word for word, n in frequent.items() if n >= least)
    if not words or good.all() or not good.any():
        return pd.DataFrame(columns=_COLUMNS, index=pd.Index([], dtype=object), dtype=float).astype({"side": object})
    place = {word: j for j, word in enumerate(words)}
    n, weighted = np.zeros((2, len(words)), dtype=int), np.zeros((2, len(words)))
    for own, is_good, weight in zip(said, good, weights, strict=True):
        for word in own & place.keys():
            n[int(is_good), place[word]] += 1
            weighted[int(is_good), place[word]] += weight
    sides = np.array([weights[~good].sum(), weights[good].sum()])
    # Counts at the size of the sample: weights say who counts how much, not how many were asked.
    counts = weighted * len(weights) / sides.sum()
    usual = prior * counts.sum(axis=0) / counts.sum()
    own = counts + usual
    with np.errstate(divide="ignore", invalid="ignore"):
        odds = np.log(own) - np.log(own.sum(axis=1, keepdims=True) - own)
        error = np.sqrt((1 / own).sum(axis=0))
        shares = weighted / sides[:, None]
    log_odds = odds[1] - odds[0]
    table = pd.DataFrame(
        {
            "n_bad": n[0],
            "n_good": n[1],
            "share_bad": shares[0],
            "share_good": shares[1],
            "log_odds": log_odds,
            "standard_error": error,
            "z": log_odds / error,
            "side": np.where(log_odds < 0, "bad", "good"),
        },
        index=pd.Index(words, dtype=object),
    )
    return table.sort_values("z", kind="stable")
