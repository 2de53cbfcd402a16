"""Any attribute of customers as segments: how many have each level, what they are worth, whether they still buy."""

import pandas as pd

from crm_analysis.errors import SettingsError, listing
from crm_analysis.messages import _, count, plural
from crm_analysis.models.checks import check_whole
from crm_analysis.segment_rules import NOT_KNOWN
from crm_analysis.value.frames import named
from crm_analysis.value.segment_base import (
    as_text,
    counts_of_base,
    levels_of,
    of_customers,
    share_of_total,
    valued_customers,
)
from crm_analysis.value.valued import Valued


def segment_table(
    values: Valued,
    by: pd.Series | str,
    *,
    attributes: pd.DataFrame | None = None,
    previous: pd.DataFrame | None = None,
    most: int = 12,
) -> pd.DataFrame:
    """Say of each level of an attribute how many customers have it, what they are worth and whether they still buy.

    Parameters
    ----------
    values : CustomerValues or ContractValues
    by : Series or str
        The level of each customer, indexed by customer_id (a tier, a state, a region, ...), or the name of a column of
        `attributes`; without these, of the customer summary, or of the table of contracts.
    attributes : DataFrame, optional
        One row a customer, indexed by customer_id or with a column of that name. Who is not in it is "not known".
    previous : DataFrame, optional
        The table of an earlier period, made by this function.
    most : int
        So many levels have a row of their own, the largest; the others are folded into "other (n levels)".

    Returns
    -------
    DataFrame, index the attribute
        customers (of the base, where a sample was valued), share_of_customers, value, share_of_value (missing where the
        total is not positive), mean_value, probability_alive (mean), days_since_last (median). With `previous` also
        customers_before, value_before, customers_change and value_change, missing where the level had no row then.
        Ordered categories come from the highest down, other categories in their own order, with a row even where
        nobody is in them; any other attribute comes by value. "other" and "not known" are last. `attrs["notes"]` holds
        what a reader should know, in words.

    Raises
    ------
    DataError
        When customer ids are missing or repeated.
    SettingsError
        When there is no such column, it has fewer than two levels among these customers, or `most` is below 2.
    """
    check_whole("most", most, least=2)
    customers, stands_for = valued_customers(values), values.stands_for
    column = _column(values, by, attributes)
    name = str(column.name) if column.name is not None else "segment"
    levels = as_text(column).reindex(customers.index)
    found = levels.value_counts()
    if len(found) < 2:
        raise SettingsError(_too_few(name, found, len(levels)))
    notes = []
    declared = levels_of(column) if isinstance(column.dtype, pd.CategoricalDtype) else None
    kept = sorted(found.index, key=lambda level: (-found[level], level))[:most]
    rows = kept if declared is None or len(declared) > most else declared
    folded = len(found) - len(kept)
    other = plural("other ({n} level)", "other ({n} levels)", folded)
    if folded:
        levels = levels.where(levels.isna() | levels.isin(kept), other)
        words = _(
            "{name} has {number} levels; the smallest are together in one row.", name=name, number=count(len(found))
        )
        notes.append(words)
    levels = levels.fillna(NOT_KNOWN)
    frame = _described(customers, levels, stands_for)
    if declared is None:
        rows = sorted(rows, key=lambda level: (-frame.loc[level, "value"], level))
    elif len(declared) > most:
        rows = [level for level in declared if level in kept]
    last = [row for row in (other, NOT_KNOWN) if row in frame.index and row not in rows]
    frame = _in_order(frame, [*rows, *last], stands_for).rename_axis(index=name)
    if previous is not None:
        frame, gone = _beside(frame, previous)
        notes += gone
    return named(frame, notes=tuple(notes))


def _column(values: Valued, by: pd.Series | str, attributes: pd.DataFrame | None) -> pd.Series:
    """The level of each customer, sorted by id."""
    if isinstance(by, pd.Series):
        return of_customers(by, str(by.name) if by.name is not None else "by")
    if not isinstance(by, str):
        raise SettingsError(
            f"by is a {type(by).__name__}; give a Series indexed by customer_id or the name of a column."
        )
    table = values.attributes if attributes is None else attributes
    where = "what is known of the customers" if attributes is None else "attributes"
    if not isinstance(table, pd.DataFrame):
        raise SettingsError(f"attributes is a {type(table).__name__}; give a DataFrame with one row per customer.")
    if "customer_id" in table.columns:
        table = table.set_index("customer_id")
    if by not in table.columns:
        there = listing([repr(str(name)) for name in table.columns])
        raise SettingsError(f"{where} has no column {by!r} (there are {there}); name one of these.")
    return of_customers(table[by], where)


def _too_few(name: str, found: pd.Series, customers: int) -> str:
    if not len(found):
        return f"{name} is missing for all {customers:,} customers; check that both have the same customer ids."
    [level] = found.index
    unknown = customers - int(found.iloc[0])
    others = f" ({unknown:,} customers have none)" if unknown else ""
    return (
        f"{name} has one level only, {level!r}{others}, so there are no segments to compare; choose an attribute with "
        "two levels or more."
    )


def _described(customers: pd.DataFrame, levels: pd.Series, stands_for: float) -> pd.DataFrame:
    groups = customers.groupby(levels)
    worth = groups["residual_value"]
    return pd.DataFrame(
        {
            "customers": groups.size(),
            "share_of_customers": groups.size() / len(customers),
            "value": worth.sum() * stands_for,
            "share_of_value": share_of_total(worth.sum()),
            "mean_value": worth.mean(),
            "probability_alive": groups["probability_alive"].mean(),
            "days_since_last": groups["days_since_last"].median(),
        }
    )


def _in_order(frame: pd.DataFrame, rows: list[str], stands_for: float) -> pd.DataFrame:
    """Put rows in order, with zeros where nobody is, and scale the counts so that they add up to the base."""
    frame = frame.reindex(rows)
    nothing = {"customers": 0, "share_of_customers": 0.0, "value": 0.0}
    if frame["share_of_value"].notna().any():
        nothing["share_of_value"] = 0.0
    frame = frame.fillna(nothing)
    return frame.assign(customers=counts_of_base(frame["customers"].to_numpy(), stands_for))


def _beside(frame: pd.DataFrame, previous: pd.DataFrame) -> tuple[pd.DataFrame, list[str]]:
    """Put an earlier table beside this one; say which of its rows are not here any more."""
    check_table(previous, "previous")
    earlier = previous[["customers", "value"]].reindex(frame.index)
    frame = frame.assign(
        customers_before=earlier["customers"].astype("Int64"),
        value_before=earlier["value"],
        customers_change=frame["customers"].astype("Int64") - earlier["customers"].astype("Int64"),
        value_change=frame["value"] - earlier["value"],
    )
    gone = previous.index.difference(frame.index)
    words = [
        plural(
            "{level} had {n} customer in the earlier table and has no row in this one.",
            "{level} had {n} customers in the earlier table and has no row in this one.",
            int(previous.loc[level, "customers"]),
            level=level,
        )
        for level in gone
        if previous.loc[level, "customers"]
    ]
    return frame, words


def check_table(table: object, name: str, *, worth: str = "value") -> None:
    """Raise `SettingsError` unless a table has one row a segment, with customers and what they are worth."""
    if not isinstance(table, pd.DataFrame):
        raise SettingsError(
            f"{name} is a {type(table).__name__}; give a table of segments, such as segment_table makes."
        )
    absent = [column for column in ("customers", worth) if column not in table.columns]
    if absent:
        raise SettingsError(f"{name} has no column {listing(absent)}; give a table such as segment_table makes.")
    if not table.index.is_unique:
        twice = sorted({str(row) for row in table.index[table.index.duplicated()]})
        raise SettingsError(f"{name} has several rows for {listing(twice)}; give one row per segment.")
