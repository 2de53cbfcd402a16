"""What customers write about: themes of their comments, how many there are of each, when, and with which ratings."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any, Literal

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import _
from crm_analysis.models.checks import check_level, check_whole
from crm_analysis.models.histories import Floats
from crm_analysis.voice.comment_tables import THEMES, rating_by_theme, theme_shares, theme_shares_by_group
from crm_analysis.voice.comment_texts import LANGUAGES, comment_texts, languages_of
from crm_analysis.voice.language_themes import themes_in
from crm_analysis.voice.responses import take_responses

_COLUMNS = ["language", "is_other", "words", "examples", "agreement"]


@dataclass(frozen=True, eq=False)
class CommentThemes:
    """What comments are about.

    Attributes
    ----------
    themes : DataFrame, index theme
        The themes of each language, the most frequent first; a theme is named by its three most telling words. `other
        (en)` and `other (zh)` count the comments of a language that belong to no theme. Columns: language; is_other;
        words (tuple, the most telling first) and examples (tuple of up to three comments, cut to 120 letters or 50 Han
        characters, without long numbers and e-mail addresses); agreement (0 to 1: how far it has the same comments when
        it is found in random parts of them; below 0.4 take it as a hint); n (comments), base (comments of the
        language), share (of the base, weighted), lower and upper.
    assignments : DataFrame, index as the comments
        language, theme and strength (share of the theme in what the comment says, 0 to 1, as far as its words are in a
        theme; 0 without a theme); missing where there is no comment.
    notes : tuple of str
        What a reader should beware of.
    level : float
        Of the intervals.
    weights : Series
        What each comment counts.
    """

    themes: pd.DataFrame
    assignments: pd.DataFrame
    notes: tuple[str, ...]
    level: float
    weights: pd.Series = field(repr=False)

    def by(self, groups: Any, *, test: Literal["difference", "trend"] = "difference") -> pd.DataFrame:
        """Return the share of each theme in each group, such as wave or grade of satisfaction, and whether it differs.

        Parameters
        ----------
        groups : Series or array
            The group of each comment, in their order (a Series: by their index); a comment without one is left out.
        test : {"difference", "trend"}
            Whether the share differs between groups at all, or rises or falls over groups in order (of the categories,
            else sorted), which sees a slow change earlier.

        Returns
        -------
        DataFrame, index theme and group
            As `theme_shares_by_group` says.

        Raises
        ------
        SettingsError
            When groups do not fit the comments, or there is no such test.
        """
        return theme_shares_by_group(self.assignments, self._weights, groups, test=test, level=self.level)

    def ratings(self, ratings: Any) -> pd.DataFrame:
        """Return the mean rating that goes with each theme, and how far it is from that of the other comments.

        Parameters
        ----------
        ratings : Series or array
            The rating that came with each comment, in their order (a Series: by their index); missing allowed.

        Returns
        -------
        DataFrame, index theme
            As `rating_by_theme` says.

        Raises
        ------
        SettingsError
            When ratings do not fit the comments.
        DataError
            When ratings are no numbers.
        """
        return rating_by_theme(self.assignments, self._weights, ratings, level=self.level)

    @property
    def _weights(self) -> Floats:
        return self.weights.to_numpy(dtype=float)


def comment_themes(
    comments: Any,
    *,
    themes: int | Mapping[str, int] | None = None,
    language: Literal["auto", "en", "zh"] = "auto",
    weights: Any = None,
    seed: int = 0,
    level: float = 0.95,
) -> CommentThemes:
    """Find what comments are about, in English and in Chinese, each language by itself.

    Parameters
    ----------
    comments : Series or array of str
        One comment a respondent; missing or blank where nothing was written. At least 30 in a language.
    themes : int or mapping of language to int, optional
        How many themes to find in each language, if the comments have that many. None: of 3 to 12, and at
        most one for ten comments, the largest number whose themes are found again, in random parts of the comments,
        nearly as well as those of any other.
    language : {"auto", "en", "zh"}
        The language of all comments; "auto" tells it for each by the share of Han characters. Any language written with
        letters counts as English, but for its stop words.
    weights : Series, array or None
        What each comment counts in shares and intervals. The themes themselves are those of the comments as written.
    seed : int
        Of the random parts.
    level : float
        Probability of the intervals.

    Returns
    -------
    CommentThemes
        The same comments, in whatever order, have the same themes. A comment belongs to the one theme that holds most
        of it, if that is a third at least.

    Raises
    ------
    SettingsError
        When an option is out of range or weights do not fit.
    DataError
        When comments are no text, or weights are missing or negative.

    Notes
    -----
    Nothing is downloaded, and no comment leaves the machine. Themes are words that are written in the same company: two
    ways to say a thing whose words are never met together are two themes, as praise and blame of one thing may be.
    Intervals are Wilson's on the Kish effective number of comments; which themes were found is not in them.
    """
    check_level(level)
    check_whole("seed", seed, least=0)
    wanted = _wanted(themes)
    texts = comment_texts(comments)
    counts_for = take_responses(pd.DataFrame(index=texts.index), [], weights=weights).weights
    spoken = languages_of(texts, language)
    assignments = pd.DataFrame(
        {"language": spoken, "theme": pd.Series(None, index=texts.index, dtype=object), "strength": np.nan}
    )
    described: dict[str, dict[str, Any]] = {}
    notes: list[str] = []
    for code in LANGUAGES:
        rows = np.flatnonzero(spoken.to_numpy() == code)
        if not len(rows):
            continue
        # In the order of the texts, whatever order they came in: the same comments have the same themes.
        rows = rows[np.argsort(texts.to_numpy(dtype=object)[rows], kind="stable")]
        found = themes_in(texts.iloc[rows].tolist(), code, n_themes=wanted.get(code), seed=seed)
        assignments.iloc[rows, 1] = found.theme
        assignments.iloc[rows, 2] = found.strength
        described |= found.described
        notes += [found.note] if found.note else []
    frame = pd.DataFrame.from_dict(described, orient="index", columns=_COLUMNS).rename_axis(index=THEMES)
    spoken_in = {name: str(about["language"]) for name, about in described.items()}
    frame = frame.join(theme_shares(assignments, counts_for, spoken_in, level=level))
    frame = frame.sort_values(
        ["language", "is_other", "n"], ascending=[True, True, False], kind="stable", key=_language_by_size(spoken)
    )
    frame["is_other"] = frame["is_other"].astype(bool)
    if not len(frame):
        notes.append(_("There are no comments."))
    return CommentThemes(frame, assignments, tuple(notes), level, pd.Series(counts_for, index=texts.index))


def _wanted(themes: Any) -> dict[str, int]:
    if themes is None:
        return {}
    wanted = dict(themes) if isinstance(themes, Mapping) else dict.fromkeys(LANGUAGES, themes)
    for code, number in wanted.items():
        if code not in LANGUAGES:
            raise SettingsError(f"themes names the language {code!r}; there are 'en' and 'zh'.")
        check_whole("the number of themes", number, least=2)
    return wanted


def _language_by_size(spoken: pd.Series) -> Any:
    rank = {code: place for place, code in enumerate(spoken.value_counts().index)}
    return lambda column: column.map(rank) if column.name == "language" else column
