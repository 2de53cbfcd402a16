"""What a caller may get wrong, refused in one way: levels, counts, lengths of time, weights, what is no summary."""

import math
import numbers
from typing import Any, TypeGuard

import numpy as np
import pandas as pd

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.models.histories import Floats
from crm_analysis.models.memberships import Contracts


def is_number(value: object) -> TypeGuard[float]:
    """Whether a value is one finite number; text, truth values and arrays are not."""
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        return False
    return math.isfinite(value)


def check_level(level: object) -> None:
    """Raise `SettingsError` unless `level` is a probability inside (0, 1)."""
    if not (is_number(level) and 0 < level < 1):
        raise SettingsError(f"level is {level!r}; give a probability between 0 and 1, such as 0.95.")


def check_draws(n: object) -> None:
    """Raise `SettingsError` unless `n` is a whole number of draws, at least 1."""
    check_whole("the number of draws", n, least=1)


def check_whole(name: str, value: object, *, least: int) -> None:
    """Raise `SettingsError` unless `value` is a whole number, at least `least`."""
    if isinstance(value, bool) or not isinstance(value, numbers.Integral) or value < least:
        raise SettingsError(f"{name} is {value!r}; give a whole number >= {least}.")


def check_penalty(penalty: object) -> None:
    """Raise `SettingsError` unless `penalty` is a number >= 0."""
    if not (is_number(penalty) and penalty >= 0):
        raise SettingsError(f"penalty is {penalty!r}; give a number >= 0.")


def check_generator(rng: object) -> None:
    """Raise `SettingsError` unless `rng` is a numpy Generator."""
    if not isinstance(rng, np.random.Generator):
        raise SettingsError(f"rng is {rng!r}; give a source of randomness, np.random.default_rng(seed).")


def require_summary(customers: object) -> None:
    """Raise `SettingsError` unless `customers` is a `CustomerSummary`, or the contracts that an sBG has instead."""
    if not isinstance(customers, CustomerSummary | Contracts):
        raise SettingsError(
            f"customers must be a CustomerSummary, not a {type(customers).__name__}; make it with "
            "summarize_customers(log, as_of=...), or of a frame with frequency, recency and T as "
            "CustomerSummary(frame, time_unit=...)."
        )


def lengths_of_time(times: object, name: str) -> Floats:
    """Return lengths of time as an array; refuse what is no number, negative or infinite."""
    try:
        lengths = np.asarray(times)
    except ValueError:  # rows of different lengths
        lengths = np.asarray(None)
    if lengths.dtype.kind not in "iuf" or not (np.isfinite(lengths) & (lengths >= 0)).all():
        raise SettingsError(f"{name} is {times!r}; give lengths of time, finite and not below 0.")
    return lengths.astype(np.float64)


def counted_purchases(purchases: object, customers: pd.Index) -> Floats:
    """Return the purchases of each customer; refuse customers without a count and counts that are none."""
    if not isinstance(purchases, pd.Series):
        raise SettingsError(
            "purchases must be a Series indexed by customer_id, one count a customer, not a "
            f"{type(purchases).__name__}."
        )
    table = "purchases"
    repeated = purchases.index.duplicated(keep=False)
    if repeated.any():
        fix = "give one count for each customer."
        first = purchases[repeated].to_frame("purchases").head(5)
        refuse([Violation(table, "", "customer_id is not unique", int(repeated.sum()), fix, first)])
    here = pd.DataFrame({"purchases": purchases.reindex(customers)})
    counts = pd.to_numeric(here["purchases"], errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    absent = ~customers.isin(purchases.index)
    wrong = ~absent & ~(np.isfinite(counts) & (counts >= 0) & (np.floor(counts) == counts))
    rules = [
        ("there is no count for customers of the summary", absent, "give 0 to those who bought nothing."),
        ("not a count of purchases", wrong, "give whole numbers >= 0."),
    ]
    refuse(
        Violation(table, "", words, int(rows.sum()), fix, here[rows].head(5))
        for words, rows, fix in rules
        if rows.any()
    )
    return counts


def case_weights(weights: Any, customers: pd.Index) -> Floats | None:
    """Return case weights as an array, one for each customer in order; None without weights.

    Parameters
    ----------
    weights : Series, array or None
        A Series is aligned by its index, for its order need not be that of the customers; an array goes by position.
    customers : Index
        Ids of the customers.

    Raises
    ------
    SettingsError
        For a customer without a weight, a wrong length, a weight that is missing, negative, infinite or no number, and
        for weights that are all zero.
    """
    if weights is None:
        return None
    length = len(customers)
    rule = f"weights: give one weight >= 0 for each of the {length:,} customers, not all of them zero"
    if isinstance(weights, pd.Series):
        column = _aligned(weights, customers)
    elif _has_one_dimension(weights):
        column = pd.Series(weights)
    else:
        raise SettingsError(f"{rule}; this is a {type(weights).__name__}.")
    if len(column) != length:
        raise SettingsError(f"{rule}; these are {len(column):,}.")
    if not pd.api.types.is_numeric_dtype(column) or pd.api.types.is_complex_dtype(column):
        raise SettingsError(f"{rule}; these are no numbers but of type {column.dtype}.")
    array = column.to_numpy(dtype=np.float64, na_value=np.nan)
    wrong = ~(np.isfinite(array) & (array >= 0))
    if wrong.any():
        first = column[wrong].head(5).to_string()
        raise SettingsError(f"{rule}; {wrong.sum():,} are missing, negative or infinite, among them\n{first}")
    if array.sum() == 0:
        raise SettingsError(f"{rule}.")
    return array


def _has_one_dimension(values: Any) -> bool:
    try:
        return np.ndim(values) == 1
    except ValueError:  # rows of different lengths
        return False


def _aligned(weights: pd.Series, customers: pd.Index) -> pd.Series:
    if weights.index.equals(customers):
        return weights
    by_position = "give weights.to_numpy() if they are in the order of the customers."
    if not weights.index.is_unique:
        raise SettingsError(f"weights: some customers have several; give one for each, or {by_position}")
    absent = customers[~customers.isin(weights.index)]
    if len(absent):
        raise SettingsError(
            f"weights: there is none for {len(absent):,} of the {len(customers):,} customers, among them "
            f"{', '.join(map(repr, absent[:5].tolist()))}.\n"
            f"To fix: index the weights by customer_id, or {by_position}"
        )
    return weights.reindex(customers)
