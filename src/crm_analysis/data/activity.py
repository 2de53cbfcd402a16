"""How busy the customer base was, by day and by month; for tracking plots and the scorecard."""

from datetime import timedelta
from typing import Any

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import customer_days
from crm_analysis.errors import SettingsError


def daily_purchases(transactions: Any, *, first_by: Day | None = None) -> pd.DataFrame:
    """Count newcomers and repeat purchases on each day.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    first_by : date or str, optional
        Count only the customers who first bought by this day; all of them when not given.

    Returns
    -------
    DataFrame, index DatetimeIndex
        Every day from the first purchase to the as-of date (to the last purchase when the log is not cut), days
        without purchases included: `first` (customers' first purchases) and `repeat` (their later purchase days).
    """
    seen = read_transactions(transactions)
    days = _with_first_day(seen)
    if first_by is not None:
        days = days.filter(days.first_day <= to_day(first_by, "first_by"))
    is_first = days.order_date == days.first_day
    counts = days.group_by("order_date").agg(first=is_first.sum(), repeat=(~is_first).sum())
    frame: pd.DataFrame = counts.to_pandas()
    frame = frame.set_index(pd.DatetimeIndex(frame["order_date"]))[["first", "repeat"]]
    return frame.reindex(_calendar(seen), fill_value=0).astype("int64")


def repeat_purchases_by_day(transactions: Any) -> pd.Series:
    """Return the repeat purchases of each day: `daily_purchases`, the column `repeat` alone."""
    return daily_purchases(transactions)["repeat"].rename("repeat_purchases")


def first_purchases_by_day(transactions: Any) -> pd.Series:
    """Return the newcomers of each day: `daily_purchases`, the column `first` alone."""
    return daily_purchases(transactions)["first"].rename("first_purchases")


def monthly_activity(transactions: Any) -> pd.DataFrame:
    """Summarise each calendar month.

    Returns
    -------
    DataFrame, index month ("1998-06")
        Every month from the first purchase to the as-of date (to the last purchase when the log is not cut), empty
        months included: `customers` (who bought), `new_customers` (who bought for the first time), `orders` (purchase
        days) and `revenue` (in the log's currency, net of refunds).
    """
    seen = read_transactions(transactions)
    days = _with_first_day(seen)
    days = days.mutate(month=days.order_date.strftime("%Y-%m"), is_first=days.order_date == days.first_day)
    months = days.group_by("month").agg(
        customers=days.customer_id.nunique(),
        new_customers=days.is_first.sum(),
        orders=days.count(),
        revenue=days.amount.sum().cast(float),
    )
    calendar = pd.Index(_calendar(seen).strftime("%Y-%m").unique(), name="month")
    counts = dict.fromkeys(["customers", "new_customers", "orders"], "int64")
    frame: pd.DataFrame = months.to_pandas().set_index("month")
    return frame.reindex(calendar, fill_value=0).astype(counts)


def active_customers(transactions: Any, *, as_of: Day, days: int) -> int:
    """Count the customers who bought within the last `days` days up to and including `as_of`."""
    if days < 1:
        raise SettingsError(f"days is {days}; look back at least one day.")
    day = to_day(as_of, "as_of")
    table = read_transactions(transactions, as_of=day).table
    recent = table.filter(table.order_date > day - timedelta(days=days))
    return int(recent.customer_id.nunique().execute())


def _with_first_day(seen: Transactions) -> ir.Table:
    days = customer_days(seen)
    return days.mutate(first_day=days.order_date.min().over(group_by="customer_id"))


def _calendar(seen: Transactions) -> pd.DatetimeIndex:
    if seen.first_date is None or seen.last_date is None:
        return pd.DatetimeIndex([], name="order_date")
    return pd.date_range(seen.first_date, seen.as_of or seen.last_date, name="order_date")
