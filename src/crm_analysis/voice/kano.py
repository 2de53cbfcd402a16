"""Kano: which features customers take for granted, which they pay attention to, and which delight them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError, Violation, listing, refuse
from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats
from crm_analysis.voice.kano_kinds import KINDS, NEEDS, FeatureSize, feature_row, sorted_features
from crm_analysis.voice.means import mean_estimate
from crm_analysis.voice.responses import as_numbers, effective_n, frame_of, take_responses

ANSWERS = ("like", "must-be", "neutral", "live-with", "dislike")
# Rows: with the feature; columns: without it; both in the order of ANSWERS. Kano (1984), as it is commonly printed.
TABLE = ("QAAAO", "RIIIM", "RIIIM", "RIIIM", "RRRRQ")
# Pouliot: to take for granted that it is there and that it is not, or to bear with either, is a contradiction.
POULIOT = ("QAAAO", "RQIIM", "RIIIM", "RIIQM", "RRRRQ")
TABLES = {"kano": TABLE, "pouliot": POULIOT}
# Scores of the answers, in the order of ANSWERS (DuMouchel). What is liked tells more than what is disliked, hence
# the longer side.
FUNCTIONAL, DYSFUNCTIONAL = (4.0, 2.0, 0.0, -1.0, -2.0), (-2.0, -1.0, 0.0, 2.0, 4.0)


@dataclass(frozen=True, eq=False)
class KanoResult:
    """What each feature is to customers.

    Attributes
    ----------
    features : DataFrame, index feature
        Basic features first, then expected and exciting ones, then the rest; within these by what their absence does
        (`worse`), then by what they add (`better`).

        - A, O, M, I, R, Q: respondents by kind, weighted where weights are: attractive, one-dimensional, must-be,
          indifferent, reverse, questionable;
        - n (who answered both questions), incomplete (who answered only one: left out), effective_n;
        - category (the most frequent kind), runner_up (the second), need: "basic" (M), "expected" (O), "exciting" (A),
          "indifferent" (I), "reverse" (R), "questionable" (Q), or "no single kind" where the two most frequent kinds
          are about as frequent (`fong_holds` is false): it is one of both; "not known" where nobody answered;
        - category_strength (share of the most frequent kind less that of the second), total_strength (share of A, O
          and M);
        - better: (A + O) / (A + O + M + I), and worse: -(O + M) / (A + O + M + I), each with lower and upper.
    continuous : DataFrame, same index
        functional, dysfunctional: mean scores between -2 and 4 of having the feature and of lacking it, each with
        lower and upper; category and need by the quadrant they lie in, parted at 2 (R where both are below 0).
    table : tuple of str
        The evaluation table: rows with the feature, columns without it, in the order of `ANSWERS`.
    """

    features: pd.DataFrame
    continuous: pd.DataFrame
    table: tuple[str, ...]


def kano(
    responses: Any,
    pairs: Mapping[str, tuple[str, str]],
    *,
    table: str | Sequence[str] = "kano",
    answers: Mapping[Any, str] | None = None,
    weights: Any = None,
    level: float = 0.95,
) -> KanoResult:
    """Say what features are to customers, from how they would feel with each and without it.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent. For a segment give its part of the rows.
    pairs : mapping of feature to (functional, dysfunctional)
        The two columns of each feature: how one would feel with it, and without it.
    table : "kano", "pouliot" or five strings of five letters
        Which kind each pair of answers stands for. "pouliot" takes two more pairs for a contradiction. Own tables: rows
        with the feature, columns without it, both as like, must-be, neutral, live-with, dislike.
    answers : mapping, optional
        What the answers mean, such as {1: "like", 2: "must-be", 3: "neutral", 4: "live-with", 5: "dislike"}; without
        it they are these five words.
    weights : str, Series, array or None
        As for `take_responses`.
    level : float
        Probability of the intervals: of Wilson for shares, on the Kish effective n; of t for mean scores.

    Returns
    -------
    KanoResult

    Raises
    ------
    DataError
        When an answer is none of the five: every column at once.
    SettingsError
        When a column is not there or an argument is out of range.

    Notes
    -----
    Fong's test holds where the counts a > b of the two most frequent kinds among n answers differ by more than
    1.65 sqrt((a + b)(2n - a - b) / 2n), whatever `level`; with weights the counts are the shares of the effective n.

    References
    ----------
    Kano, Seraku, Takahashi & Tsuji (1984), Attractive quality and must-be quality, Hinshitsu 14(2); Berger et al.
    (1993), Kano's methods for understanding customer-defined quality, Center for Quality of Management Journal 2(4),
    with Timko's better and worse, Pouliot's table and DuMouchel's scores; Fong (1996), Using the self-stated importance
    questionnaire to interpret Kano questionnaire results, CQM Journal 5(3); Lee & Newcomb (1997), category strength.
    """
    check_level(level)
    rows = _evaluation_table(table)
    columns = _columns(pairs)
    used = take_responses(responses, [], weights=weights).weights
    frame = frame_of(responses, columns)
    codes = _codes(frame, columns, answers)
    kinds = np.array([[KINDS.index(kind) for kind in row] for row in rows])
    features, continuous = [], []
    for functional, dysfunctional in pairs.values():
        first, second = codes[functional], codes[dysfunctional]
        complete = (first >= 0) & (second >= 0) & (used > 0)
        first, second, weight = first[complete], second[complete], used[complete]
        answered = int((((codes[functional] >= 0) | (codes[dysfunctional] >= 0)) & (used > 0)).sum())
        kind = kinds[first, second]
        counts = np.bincount(kind, weights=weight, minlength=len(KINDS)).astype(float)
        size = FeatureSize(len(kind), answered - len(kind), effective_n(weight), effective_n(weight[kind < 4]))
        features.append(feature_row(counts, size, level))
        with_it, without_it = np.array(FUNCTIONAL)[first], np.array(DYSFUNCTIONAL)[second]
        continuous.append(_quadrant(with_it, without_it, weight, level))
    index = pd.Index(list(pairs), name="feature")
    table_of_features = sorted_features(pd.DataFrame(features, index=index))
    means = pd.DataFrame(continuous, index=index).loc[table_of_features.index]
    return KanoResult(table_of_features, means, rows)


def kano_of_counts(counts: Any, *, level: float = 0.95) -> pd.DataFrame:
    """Say what features are to customers, from how many took each for what.

    Parameters
    ----------
    counts : DataFrame or mapping of feature to counts
        Rows (or keys) are features; columns A, O, M, I, R, Q; what is absent is 0.
    level : float
        Probability of the intervals.

    Returns
    -------
    DataFrame, index feature
        As `KanoResult.features`.

    Raises
    ------
    SettingsError
        When the counts are not of these kinds, or negative or missing.

    Examples
    --------
    >>> found = kano_of_counts({"gift wrapping": {"A": 80, "O": 60, "M": 40, "I": 15, "R": 3, "Q": 2}})
    >>> found.loc["gift wrapping", "need"]
    'exciting'
    """
    check_level(level)
    frame = counts if isinstance(counts, pd.DataFrame) else _frame_of_counts(counts)
    unknown = [str(name) for name in frame.columns if name not in KINDS]
    if unknown or not len(frame.columns):
        raise SettingsError(f"counts have the kinds {listing(unknown)}; give {listing(list(KINDS))}.")
    if not frame.columns.is_unique:
        raise SettingsError("counts have more than one column of a kind; add them up.")
    known = frame.reindex(columns=list(KINDS), fill_value=0).apply(as_numbers).to_numpy(float)
    if not (np.isfinite(known) & (known >= 0)).all():
        raise SettingsError("counts must be numbers >= 0, one for each kind of each feature.")
    rows = [
        feature_row(row, FeatureSize(int(row.sum()), 0, float(row.sum()), float(row[:4].sum())), level) for row in known
    ]
    return sorted_features(pd.DataFrame(rows, index=pd.Index(list(frame.index), name="feature")))


def _frame_of_counts(counts: Any) -> pd.DataFrame:
    if not isinstance(counts, Mapping) or not all(isinstance(own, Mapping | pd.Series) for own in counts.values()):
        raise SettingsError(f"counts is {counts!r}; give a DataFrame, or {{feature: {{'A': 80, 'O': 60, ...}}}}.")
    rows = [dict(own) for own in counts.values()]
    kinds = dict.fromkeys(kind for row in rows for kind in row)
    return pd.DataFrame([dict.fromkeys(kinds, 0) | row for row in rows], index=list(counts))


def _quadrant(functional: Floats, dysfunctional: Floats, weights: Floats, level: float) -> dict[str, Any]:
    values: dict[str, Any] = {}
    for name, scores in (("functional", functional), ("dysfunctional", dysfunctional)):
        found = mean_estimate(scores, weights, level=level)
        values |= {name: found.value, f"{name}_lower": found.interval.lower, f"{name}_upper": found.interval.upper}
    y, x = values["functional"], values["dysfunctional"]
    if np.isnan(x) or np.isnan(y):
        kind = "?"
    elif x < 0 and y < 0:
        kind = "R"
    else:
        kind = {(True, True): "O", (True, False): "A", (False, True): "M", (False, False): "I"}[y >= 2, x >= 2]
    return {**values, "category": kind.strip("?"), "need": NEEDS[kind]}


def _evaluation_table(table: Any) -> tuple[str, ...]:
    rows = TABLES.get(table, ()) if isinstance(table, str) else tuple(table) if isinstance(table, Sequence) else ()
    if len(rows) != 5 or not all(isinstance(row, str) and len(row) == 5 and set(row) <= set(KINDS) for row in rows):
        raise SettingsError(
            f"table is {table!r}; give 'kano', 'pouliot' or five strings of five of the letters {listing(list(KINDS))}."
        )
    return rows


def _columns(pairs: Any) -> list[str]:
    if not (isinstance(pairs, Mapping) and pairs):
        raise SettingsError("pairs must name the two columns of each feature: {feature: (functional, dysfunctional)}.")
    for feature, pair in pairs.items():
        if isinstance(pair, str) or not isinstance(pair, Sequence) or len(pair) != 2 or pair[0] == pair[1]:
            raise SettingsError(f"pairs[{feature!r}] is {pair!r}; give two columns, functional and dysfunctional.")
    return [column for pair in pairs.values() for column in pair]


def _codes(frame: pd.DataFrame, columns: list[str], answers: Mapping[Any, str] | None) -> dict[str, Any]:
    """Return the place of each answer among `ANSWERS`; -1 where there is none."""
    if not isinstance(answers, Mapping | None):
        raise SettingsError(f"answers is {answers!r}; give what each answer means: {{answer: word}}.")
    words = dict(answers) if answers is not None else {word: word for word in ANSWERS}
    wrong = [repr(word) for word in words.values() if word not in ANSWERS]
    if wrong:
        raise SettingsError(f"answers mean {listing(wrong)}; give {listing([repr(word) for word in ANSWERS])}.")
    places = {code: ANSWERS.index(word) for code, word in words.items()}
    codes, violations = {}, []
    for name in dict.fromkeys(columns):
        found = frame[name].astype(object).map(places)
        unknown = found.isna() & frame[name].notna()
        if unknown.any():
            rule = f"an answer that is none of {listing([repr(code) for code in places])}"
            fix = "say what the answers mean: answers={answer: word}, with the words " + listing(list(ANSWERS)) + "."
            shown = frame.loc[unknown, [name]].head(5)
            violations.append(Violation("survey answers", str(name), rule, int(unknown.sum()), fix, shown))
        codes[name] = found.fillna(-1).to_numpy(int)
    refuse(violations)
    return codes
