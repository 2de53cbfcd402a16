"""What all segments of customers share: one row a customer, counts that add up, shares that mean something."""

from typing import Any

import numpy as np
import pandas as pd
import pandas.api.types as pdt

from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.value.valued import Valued


def valued_customers(values: Valued) -> pd.DataFrame:
    """Return what segments are made of, one row a customer, sorted by customer id.

    Parameters
    ----------
    values : CustomerValues or ContractValues

    Returns
    -------
    DataFrame, index customer_id
        probability_alive; residual_value (currency); orders (purchase days, count); days_since_last. Sorted, so that
        ties and sums do not depend on the order of the rows that came in.

    Raises
    ------
    DataError
        When a value or a probability is missing.
    SettingsError
        When these are no values of customers, or nobody was valued.
    """
    if not isinstance(values, Valued):
        raise SettingsError(
            f"values is a {type(values).__name__}; give the CustomerValues of lifetime_value, or the ContractValues of "
            "contract_values."
        )
    if not len(values.frame):
        raise SettingsError("values holds no customers; there is nothing to divide into segments.")
    frame = values.described()[["probability_alive", "residual_value", "orders", "days_since_last"]]
    missing = frame[frame.isna().any(axis=1)]
    if len(missing):
        fix = "value these customers again, or leave them out of values and summary alike."
        refuse([Violation("customer values", "", "a value is missing", len(missing), fix, missing)])
    return frame.rename_axis(index="customer_id").sort_index()


def counts_of_base(sizes: np.ndarray, stands_for: float) -> np.ndarray:
    """Scale counts of a sample to the base, in whole customers that add up to it.

    Parameters
    ----------
    sizes : array of int
        Customers of the sample in each group; of any shape, counted row by row.
    stands_for : float
        Customers of the base for each of these.

    Returns
    -------
    array of int, the same shape
    """
    # Ends of the groups rounded, not the groups, so that these add up.
    ends = (np.cumsum(sizes) * stands_for).round().astype(np.int64)
    return np.diff(ends, prepend=0).reshape(np.shape(sizes))


def share_of_total(amounts: pd.Series) -> pd.Series:
    """Shares of the total; missing where that is not positive or not finite, for they would mean nothing."""
    total = float(amounts.sum())
    return amounts / total if 0 < total < np.inf else pd.Series(np.nan, index=amounts.index)


def of_customers(column: pd.Series, name: str) -> pd.Series:
    """Return a column of customers sorted by id; refuse ids that are missing or come twice.

    Raises
    ------
    DataError
        When an id is missing or repeated.
    SettingsError
        When it is no Series.
    """
    if not isinstance(column, pd.Series):
        raise SettingsError(f"{name} is a {type(column).__name__}; give a Series indexed by customer_id.")
    refuse(wrong_ids(column.to_frame(column.name if column.name is not None else name), name))
    return column.rename_axis(index="customer_id").sort_index()


def wrong_ids(frame: pd.DataFrame, table: str) -> list[Violation]:
    """Say which rows have no customer id, or one that another row has too."""
    rules: list[tuple[str, Any, str]] = [
        ("customer_id is missing", frame.index.isna(), "leave out rows without a customer, or say whose they are."),
        ("customer_id is not unique", frame.index.duplicated(keep=False), "give one row per customer."),
    ]
    return [
        Violation(table, "customer_id", rule, int(rows.sum()), fix, frame.loc[rows].head(5))
        for rule, rows, fix in rules
        if rows.any()
    ]


def levels_of(column: pd.Series) -> list[str]:
    """Return the levels of a column of categories, the highest first where they have an order, as text."""
    if isinstance(column.dtype, pd.CategoricalDtype):
        levels = [str(level) for level in column.cat.categories]
        return levels[::-1] if column.cat.ordered else levels
    return sorted({str(level) for level in column.dropna()})


def is_ordered(column: pd.Series) -> bool:
    """Whether the levels of a column have an order."""
    return isinstance(column.dtype, pd.CategoricalDtype) and bool(column.cat.ordered)


def as_text(column: pd.Series) -> pd.Series:
    """Return levels as text; blank text is missing, and missing stays missing."""
    if pdt.is_float_dtype(column) and (column.dropna() % 1 == 0).all():
        column = column.astype("Int64")  # whole numbers that had to live beside a missing one
    text = pd.Series([str(level) for level in column], index=column.index, name=column.name, dtype=object)
    return text.mask(column.isna() | (text.map(str.strip) == ""))
