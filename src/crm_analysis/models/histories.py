"""Purchase histories as arrays: equal rows folded into one, and event logs folded into histories."""

import math
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd
from numpy.typing import DTypeLike, NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]

_LARGEST_KEY = 2**62


@dataclass(frozen=True)
class Distinct:
    """The distinct rows of some equally long columns.

    Attributes
    ----------
    columns : tuple of array, shape (n_distinct,)
        The columns, each distinct row once, sorted by the first column, then the second, and so on.
    inverse : array, shape (n_rows,)
        For each given row the position of its distinct row.
    counts : array, shape (n_distinct,)
        How many given rows (or how much weight) each distinct row stands for.
    first : array, shape (n_distinct,)
        For each distinct row the position of a given row that equals it.
    """

    columns: tuple[Floats, ...]
    inverse: Integers
    counts: Floats
    first: Integers


def distinct_rows(*columns: Floats, weights: Floats | None = None) -> Distinct:
    """Fold equal rows into one. A customer base holds far fewer distinct histories than customers.

    Parameters
    ----------
    *columns : array, shape (n_rows,)
        The columns, most significant first; finite values.
    weights : array, shape (n_rows,), optional
        Weight of each row, 1 where not given; the counts are their sums.
    """
    parts = [Recurring.of(column) for column in columns]
    key = _keys(parts)
    order = np.argsort(key)
    starts = _starts(key[order])
    inverse = np.empty(len(key), dtype=np.int64)
    inverse[order] = np.cumsum(starts) - 1
    first = np.empty(int(starts.sum()), dtype=np.int64)
    first[inverse[::-1]] = np.arange(len(key))[::-1]  # written last, the first of equal rows remains
    counts = np.bincount(inverse, weights=weights, minlength=len(first)).astype(np.float64)
    return Distinct(tuple(part.rows[first] for part in parts), inverse, counts, first)


def folded(*columns: Floats, weights: Floats | None = None) -> tuple[tuple[Floats, ...], Floats]:
    """Return the columns and counts of `distinct_rows`, without the way back to the rows given: in half the time."""
    parts = [Recurring.of(column) for column in columns]
    key = _keys(parts)
    if weights is None and math.prod(len(part.values) for part in parts) <= _LARGEST_KEY:
        # The keys alone are sorted, and say themselves what they are made of.
        key = np.sort(key)
        starts = np.flatnonzero(_starts(key))
        return _columns(key[starts], parts), np.diff(starts, append=len(key)).astype(np.float64)
    order = np.argsort(key)
    starts = np.flatnonzero(_starts(key[order]))
    first, heavy = order[starts], np.ones(len(key)) if weights is None else weights[order]
    counts = np.add.reduceat(heavy, starts) if len(starts) else np.zeros(0)
    return tuple(part.rows[first] for part in parts), counts


def _columns(key: Integers, parts: Sequence["Recurring"]) -> tuple[Floats, ...]:
    """Return what `_keys` made keys of."""
    columns = []
    for part in reversed(parts):
        key, which = np.divmod(key, max(1, len(part.values)))
        columns.append(part.values[which])
    return tuple(reversed(columns))


def _keys(parts: Sequence["Recurring"]) -> Integers:
    """Return a whole number for each row, in the order of the rows and the same for equal ones."""
    key, distinct = parts[0].which, len(parts[0].values)
    for part in parts[1:]:
        if distinct * len(part.values) > _LARGEST_KEY:
            ranked = Recurring.of(key)
            key, distinct = ranked.which, len(ranked.values)
        key, distinct = key * len(part.values) + part.which, distinct * len(part.values)
    return key


def _starts(ordered: Integers) -> NDArray[np.bool_]:
    """Say where in a sorted array another value begins."""
    starts = np.ones(len(ordered), dtype=bool)
    np.not_equal(ordered[1:], ordered[:-1], out=starts[1:])
    return starts


@dataclass(frozen=True, eq=False)
class Recurring:
    """A column that knows its distinct values: what is made of them need be worked out only once for each (`each`).

    Everywhere else it is the array it stands for: `np.asarray` gives that.

    Attributes
    ----------
    values : array, shape (n_values,)
        The distinct values, ascending.
    which : array of int, shape (n_rows,)
        For each row the position of its value.
    rows : array, shape (n_rows,)
        The column itself.
    """

    values: NDArray[Any]
    which: Integers
    rows: NDArray[Any]

    @classmethod
    def of(cls, column: NDArray[Any]) -> "Recurring":
        """Find the distinct values of a column; hashed, so that nothing but these is sorted."""
        which, values = pd.factorize(column, use_na_sentinel=False)
        order = np.argsort(values)
        rank = np.empty(len(order), dtype=np.int64)
        rank[order] = np.arange(len(order))
        return cls(values[order], rank[which], column)

    def __array__(self, dtype: DTypeLike | None = None, copy: bool | None = None) -> NDArray[Any]:
        return np.array(self.rows, dtype, copy=copy)

    def __len__(self) -> int:
        return len(self.rows)


Column = Floats | Recurring


def each(function: Callable[..., Floats], column: Column, *params: Floats | float) -> Floats:
    """Return `function(column, *params)`, row by row.

    Where values recur and the parameters are the same for all rows, it is computed once for each value; a single one
    is returned alone, for it goes with all rows.
    """
    if not isinstance(column, Recurring):
        return function(np.asarray(column, dtype=np.float64), *params)
    if 2 * len(column.values) > len(column) > 1 or not all(isinstance(value, float | int) for value in params):
        return function(column.rows, *params)
    of_values = function(column.values, *params)
    return of_values if len(of_values) == 1 else of_values[column.which]


def once_per_distinct_row(function: Callable[..., Floats], *columns: Floats | float) -> Floats:
    """Return `function(*columns)`, computed once for each distinct row of the columns, which may be numbers."""
    arrays = [np.asarray(column, dtype=np.float64) for column in columns]
    shape = np.broadcast_shapes(*(array.shape for array in arrays))
    # What is the same in all rows tells none apart; the others are held against each other.
    alike = [array.size == 1 or (array.size > 1 and not any(array.strides)) for array in arrays]
    rows = distinct_rows(
        *(np.broadcast_to(array, shape).ravel() for array, same in zip(arrays, alike, strict=True) if not same),
        *([np.zeros(math.prod(shape))] if all(alike) else []),
    )
    varying = iter(rows.columns)
    distinct = [
        np.full(len(rows.counts), array.flat[0]) if same else next(varying)
        for array, same in zip(arrays, alike, strict=True)
    ]
    return function(*distinct)[rows.inverse].reshape(shape)


def if_alive(alive: Floats, function: Callable[..., Floats], *columns: Floats | float) -> Floats:
    """Return `alive * function(*columns)`, the function computed once for each distinct row; 0 where alive is 0."""
    value = once_per_distinct_row(function, *columns)
    with np.errstate(invalid="ignore"):  # 0 * inf: who has left brings nothing, for all of the future
        return np.where(alive > 0, alive * value, 0.0)


def dead_or_alive(log_odds: Floats) -> tuple[Floats, Floats]:
    """Return the chance to have left, odds / (1 + odds), and log(1 + odds), from the log of the odds (-inf: alive).

    In whole-array steps, which take half the time that `expit` and `logaddexp` take row by row.
    """
    rarer = np.exp(-np.abs(log_odds))
    return np.exp(np.minimum(log_odds, 0.0)) / (1 + rarer), np.maximum(log_odds, 0.0) + np.log1p(rarer)


def histories(events: pd.DataFrame, T: Floats) -> pd.DataFrame:
    """Return frequency, recency and T of customers whose repeat purchases are given as an event log.

    Parameters
    ----------
    events : DataFrame
        `customer` (position in `T`) and `time` of each repeat purchase, counted from the customer's first
        purchase, in the unit of `T`.
    T : array, shape (n_customers,)
        First purchase to the end of observation.

    Returns
    -------
    DataFrame, n_customers rows
        Columns frequency (count), recency and T (unit of `T`), indexed by `customer_id` (the position as text).
    """
    T = np.asarray(T, dtype=np.float64)
    customer = events["customer"].to_numpy(dtype=np.int64)
    recency = np.zeros(len(T))
    np.maximum.at(recency, customer, events["time"].to_numpy(dtype=np.float64))
    frequency = np.bincount(customer, minlength=len(T))
    index = pd.Index([str(position) for position in range(len(T))], name="customer_id")
    return pd.DataFrame({"frequency": frequency, "recency": recency, "T": T}, index=index)
