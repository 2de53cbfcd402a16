"""Answers as the measures and models take them: a frame or a `Survey`, columns that are numbers, weights that count."""

from collections.abc import Hashable, Iterable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.survey import Survey
from crm_analysis.errors import DataError, SettingsError, Violation, listing, refuse
from crm_analysis.models.histories import Floats

_TABLE = "survey answers"
_NO_NUMBERS = "mMc"  # kinds of numpy: spans of time, dates and complex numbers, all of which it makes floats of


@dataclass(frozen=True, eq=False)
class Responses:
    """Answers to some questions.

    Attributes
    ----------
    frame : DataFrame of float
        One row a respondent, one column a question; missing where there is no answer.
    weights : array, shape (n_respondents,)
        What each respondent counts, >= 0; all 1 without weights.
    not_applicable : DataFrame of bool
        Same rows and columns; true where the answer was "not applicable". Such an answer is missing in `frame`.
    is_weighted : bool
        Whether weights differ.
    """

    frame: pd.DataFrame
    weights: Floats
    not_applicable: pd.DataFrame
    is_weighted: bool

    def __len__(self) -> int:
        return len(self.frame)


def take_responses(responses: Any, columns: Sequence[str], *, weights: Any = None) -> Responses:
    """Return the answers to some questions as numbers.

    Parameters
    ----------
    responses : DataFrame or Survey
        One row a respondent.
    columns : sequence of str
        The questions.
    weights : str, Series, array or None
        A column of `responses`, or one number >= 0 a respondent, in their order (a Series: by their index). None: those
        of the Survey, else all alike.

    Raises
    ------
    SettingsError
        When a column is not there or named twice, or weights do not fit.
    DataError
        When answers are no numbers or infinite, or weights are missing or negative: every column at once.
    """
    columns = names_of("columns", columns)
    frame = frame_of(responses, columns)
    twice = sorted({name for name in columns if columns.count(name) > 1})
    if twice:
        raise SettingsError(f"{listing(twice)}: named more than once.")
    numbers = {name: as_numbers(frame[name]) for name in columns}
    refuse(
        Violation(
            _TABLE,
            str(name),
            "no number, or infinite",
            int(wrong.sum()),
            "give ratings as numbers and leave answers that are missing blank; read_survey does so by a codebook.",
            frame.loc[wrong, [name]].head(5),
        )
        for name in columns
        if (wrong := (numbers[name].isna() & frame[name].notna()) | np.isinf(numbers[name])).any()
    )
    used, is_weighted = _weights(responses, frame, weights)
    known = pd.DataFrame(False, index=frame.index, columns=columns)
    if isinstance(responses, Survey):
        for name in responses.not_applicable.columns.intersection(columns):
            known[name] = responses.not_applicable[name].to_numpy()
    return Responses(pd.DataFrame(numbers, index=frame.index, columns=columns), used, known, is_weighted)


def frame_of(responses: Any, columns: Sequence[Any] = ()) -> pd.DataFrame:
    """Return the answers as they are, numbers or not.

    Raises
    ------
    SettingsError
        When `responses` is neither a DataFrame nor a Survey, or one of `columns` is not there, or there more than once.
    """
    if not isinstance(responses, pd.DataFrame | Survey):
        raise SettingsError(f"responses must be a DataFrame or a Survey, not a {type(responses).__name__}.")
    frame = responses.frame if isinstance(responses, Survey) else responses
    columns = names_of("columns", columns)
    absent = [str(name) for name in columns if name not in frame.columns]
    if absent:
        there = listing([str(name) for name in frame.columns])
        raise SettingsError(f"there is no column {listing(absent)} in the answers; the columns are {there}.")
    twice = frame.columns[frame.columns.duplicated()].unique()
    unclear = [str(name) for name in columns if name in twice]
    if unclear:
        raise SettingsError(f"the answers have more than one column {listing(unclear)}; give each its own name.")
    return frame


def names_of(name: str, given: Any) -> list[Any]:
    """Return columns as a list; refuse one name alone, which would be taken for its letters, and what is no list."""
    if isinstance(given, str):
        raise SettingsError(f"{name} is {given!r}; give a list of columns, such as [{given!r}].")
    if not isinstance(given, Iterable):
        raise SettingsError(f"{name} is {given!r}; give a list of columns.")
    names = list(given)
    wrong = [repr(one) for one in names if not isinstance(one, Hashable)]
    if wrong:
        raise SettingsError(f"{name}: {listing(wrong)} cannot be a column; give the name of one column.")
    return names


def named_items(items: Any, *, least: int) -> list[Any]:
    """Return names of items as a list; raise `SettingsError` for what is no list of at least so many names."""
    if isinstance(items, str) or not isinstance(items, Sequence | pd.Index) or len(items) < least:
        raise SettingsError(f"items is {items!r}; give a list with the names of at least {least} of them.")
    return list(items)


def as_numbers(column: pd.Series) -> pd.Series:
    """Return answers as floats; missing where there is no number, as are dates, spans of time and complex numbers."""
    if column.dtype.kind in _NO_NUMBERS or isinstance(column.dtype, pd.PeriodDtype):
        return pd.Series(np.nan, index=column.index, name=column.name)
    found = pd.to_numeric(column, errors="coerce")
    if found.dtype.kind == "c":
        found = pd.Series(np.real(found), index=column.index).where(column.astype(object).map(np.isrealobj))
    return found.astype(float)


def labels_of(responses: Any, column: str) -> "np.ndarray[Any, np.dtype[np.object_]]":
    """Return a column of labels, such as segments or waves, by position; missing ones as None.

    The name of the index stands for what is in it, such as the ids of respondents, where no column has this name.

    Raises
    ------
    SettingsError
        When there is no such column.
    """
    frame = frame_of(responses)
    of_index = [name for name in frame.index.names if name is not None]
    if column in of_index and column not in frame.columns:
        values = frame.index.get_level_values(column).to_series()
    else:
        values = frame_of(frame, [column])[column]
    return np.asarray(values.astype(object).where(values.notna(), None).to_numpy(dtype=object))


def effective_n(weights: Floats) -> float:
    """Number of respondents of equal weight that would tell as much: (sum of w)^2 / sum of w^2.

    References
    ----------
    Kish (1965), Survey Sampling, section 11.7.
    """
    squares = float(np.sum(weights**2))
    return float(np.sum(weights)) ** 2 / squares if squares > 0 else 0.0


def _weights(responses: Any, frame: pd.DataFrame, weights: Any) -> tuple[Floats, bool]:
    if weights is None:
        weights = responses.weights if isinstance(responses, Survey) else np.ones(len(frame))
    elif isinstance(weights, str):
        weights = frame_of(frame, [weights])[weights]
    elif isinstance(weights, pd.Series) and not weights.index.equals(frame.index):
        if not (weights.index.is_unique and frame.index.isin(weights.index).all()):
            raise SettingsError("weights do not have the index of the answers; give one weight a respondent.")
        weights = weights.reindex(frame.index)
    try:
        if np.asarray(weights).dtype.kind in _NO_NUMBERS:
            raise TypeError("numpy would make floats of them")
        values = np.asarray(weights, dtype=float)
    except (TypeError, ValueError):
        raise SettingsError("weights are no numbers; give one number >= 0 a respondent.") from None
    if values.shape != (len(frame),):
        raise SettingsError(f"there are {len(frame):,} respondents and {values.size:,} weights; give one each.")
    wrong = ~(np.isfinite(values) & (values >= 0))
    if wrong.any():
        shown = pd.DataFrame({"weight": values[wrong]}, index=frame.index[wrong]).head(5)
        refuse([Violation(_TABLE, "weight", "missing, infinite or negative", int(wrong.sum()), _FIX_WEIGHT, shown)])
    if len(values) and not values.sum() > 0:
        raise DataError("survey answers: all weights are 0, so that nobody counts.")
    return values, bool(len(values)) and bool(np.ptp(values) > 0)


_FIX_WEIGHT = "give every respondent a weight >= 0; 0 leaves somebody out, and rake() makes weights."
