"""Comments as they come: text or nothing, each in a language."""

from collections.abc import Iterable, Mapping
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.voice.words import language_of

LANGUAGES = ("en", "zh")


def comment_texts(comments: Any) -> pd.Series:
    """Return comments as text, missing where nothing is written.

    Parameters
    ----------
    comments : Series or array of str
        One comment a respondent.

    Returns
    -------
    Series of object
        The index of `comments`, if they have one.

    Raises
    ------
    SettingsError
        When they are no Series, array or list.
    DataError
        When comments are neither text nor missing.
    """
    series = one_column(comments, "comments").astype(object)
    wrong = series.notna() & ~series.map(lambda value: isinstance(value, str)).astype(bool)
    if wrong.any():
        fix = "give comments as text, missing where nothing was written."
        shown = series[wrong].head(5).to_frame("comment")
        refuse([Violation("comments", "comment", "no text", int(wrong.sum()), fix, shown)])
    return series.where(series.notna() & (series.str.strip() != ""), None)


def one_column(values: Any, name: str) -> pd.Series:
    """Return values as a Series, one a comment; a Series as it is.

    Raises
    ------
    SettingsError
        When they are not in one row.
    """
    if isinstance(values, pd.Series):
        return values
    if isinstance(values, str | bytes | Mapping | pd.DataFrame) or not isinstance(values, Iterable):
        raise SettingsError(f"{name} must be a Series, an array or a list, not a {type(values).__name__}.")
    found = list(values)
    if any(np.ndim(value) > 0 for value in found):
        raise SettingsError(f"{name} must be one value for each comment, not a table.")
    return pd.Series(found, dtype=None if found else object)


def languages_of(texts: pd.Series, language: str) -> pd.Series:
    """Return the language of each comment.

    Parameters
    ----------
    texts : Series
        As `comment_texts` returns them.
    language : {"auto", "en", "zh"}
        "auto": by the share of Han characters; a comment without a word, such as a smiley, joins the language that most
        others are in.

    Returns
    -------
    Series of object
        "en" or "zh", missing where there is no comment.

    Raises
    ------
    SettingsError
        When there is no such language.
    """
    if language not in ("auto", *LANGUAGES):
        raise SettingsError(f"language is {language!r}; give 'auto', 'en' or 'zh'.")
    if language != "auto":
        return texts.map(lambda _text: language, na_action="ignore")
    codes = texts.map(language_of, na_action="ignore")
    usual = "zh" if (codes == "zh").sum() > (codes == "en").sum() else "en"
    return codes.where(codes != "", usual)
