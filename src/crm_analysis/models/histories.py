"""Purchase histories as arrays: equal rows folded into one, and event logs folded into histories."""

from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import pandas as pd
from numpy.typing import NDArray

Floats = NDArray[np.float64]
Integers = NDArray[np.int64]


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
    matrix = np.column_stack([np.asarray(column, dtype=np.float64) for column in columns])
    order = np.lexsort(matrix.T[::-1])
    ordered = matrix[order]
    starts = np.ones(len(matrix), dtype=bool)
    starts[1:] = (ordered[1:] != ordered[:-1]).any(axis=1)
    inverse = np.empty(len(matrix), dtype=np.int64)
    inverse[order] = np.cumsum(starts) - 1
    kept = ordered[starts]
    counts = np.bincount(inverse, weights=weights, minlength=len(kept)).astype(np.float64)
    return Distinct(tuple(kept.T), inverse, counts, order[starts])


def once_per_distinct_row(function: Callable[..., Floats], *columns: Floats | float) -> Floats:
    """Return `function(*columns)`, computed once for each distinct row of the columns, which may be numbers."""
    arrays = np.broadcast_arrays(*(np.asarray(column, dtype=np.float64) for column in columns))
    distinct = distinct_rows(*(array.ravel() for array in arrays))
    return function(*distinct.columns)[distinct.inverse].reshape(arrays[0].shape)


def if_alive(alive: Floats, function: Callable[..., Floats], *columns: Floats | float) -> Floats:
    """Return `alive * function(*columns)`, the function computed once for each distinct row; 0 where alive is 0."""
    value = once_per_distinct_row(function, *columns)
    with np.errstate(invalid="ignore"):  # 0 * inf: who has left brings nothing, for all of the future
        return np.where(alive > 0, alive * value, 0.0)


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
