"""How busy the customer base was, by day and by month; for tracking plots and the scorecard."""

from collections.abc import Sequence
from datetime import date, timedelta
from typing import Any

import ibis
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.sources import Transactions, read_transactions
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
    days, firsts = customer_days(seen), _first_days(seen)
    if first_by is not None:
        firsts = firsts.filter(firsts.first_day <= to_day(first_by, "first_by"))
        days = days.semi_join(firsts, "customer_id")
    counts = pd.DataFrame(
        {
            "first": _by(firsts.group_by(period=firsts.first_day).agg(value=firsts.count())),
            "purchases": _by(days.group_by(period=days.order_date).agg(value=days.count())),
        }
    )
    counts = counts.set_axis(pd.DatetimeIndex(counts.index)).reindex(_calendar(seen)).fillna(0).astype("int64")
    return counts.assign(repeat=counts["purchases"] - counts["first"])[["first", "repeat"]]


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
    days, firsts = customer_days(seen), _first_days(seen)
    # Customers of a month first, so that none is counted twice and no engine has to keep them apart a second time.
    buyers = days.group_by("customer_id", month=_month(days.order_date)).agg(
        orders=days.count(), revenue=days.amount.sum()
    )
    months = buyers.group_by("month").agg(
        customers=buyers.count(), orders=buyers.orders.sum(), revenue=buyers.revenue.sum().cast(float)
    )
    new_customers = _by(firsts.group_by(period=_month(firsts.first_day)).agg(value=firsts.count()))
    frame: pd.DataFrame = engines.fetch_frame(months).set_index("month").assign(new_customers=new_customers)
    calendar = pd.Index(_calendar(seen).strftime("%Y-%m").unique(), name="month")
    counts = dict.fromkeys(["customers", "new_customers", "orders"], "int64")
    frame = frame.set_axis(pd.Index([_written(month) for month in frame.index])).reindex(calendar).fillna(0)
    return frame.astype(counts)[["customers", "new_customers", "orders", "revenue"]]


def base_by_date(transactions: Any, *, dates: Sequence[date], active_days: int) -> pd.DataFrame:
    """Count the customer base on several dates, in one pass over the log.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log; what it shows today is counted, a refund of later months included.
    dates : sequence of date
        As-of dates, none after that of the log.
    active_days : int
        A customer with a purchase in the last so many days, the date included, is active.

    Returns
    -------
    DataFrame, index as_of
        `customers` (who have bought), `repeat_customers` (who have bought on two days or more), `active_customers`.
    """
    if active_days < 1:
        raise SettingsError(f"active_days is {active_days}; look back at least one day.")
    days = customer_days(read_transactions(transactions))
    days = days.mutate(purchase=ibis.row_number().over(group_by="customer_id", order_by="order_date"))
    counts = {}
    for number, day in enumerate(dates):
        by_then = days.order_date <= day
        recent = by_then & (days.order_date > day - timedelta(days=active_days))
        counts[f"customers {number}"] = ((days.purchase == 0) & by_then).sum()
        counts[f"repeat_customers {number}"] = ((days.purchase == 1) & by_then).sum()
        counts[f"active_customers {number}"] = days.customer_id.nunique(where=recent)
    [row] = engines.rows_of(days.aggregate(**counts))
    names = ("customers", "repeat_customers", "active_customers")
    table = [{name: row[f"{name} {number}"] or 0 for name in names} for number in range(len(dates))]
    return pd.DataFrame(table, index=pd.Index(list(dates), name="as_of"), dtype="int64")


def _first_days(seen: Transactions) -> ir.Table:
    return seen.table.group_by("customer_id").agg(first_day=seen.table.order_date.min())


def _by(counted: ir.Table) -> pd.Series:
    """Bring the column value over, by the column period."""
    frame: pd.DataFrame = engines.fetch_frame(counted)
    return frame.set_index("period")["value"]


def _month(day: ir.DateValue) -> ir.IntegerValue:
    """Months since the year 0: numbers are told apart at less cost than words."""
    return (day.year() * 12 + day.month() - 1).cast("int64")


def _written(month: int) -> str:
    return f"{month // 12:04d}-{month % 12 + 1:02d}"


def _calendar(seen: Transactions) -> pd.DatetimeIndex:
    if seen.first_date is None or seen.last_date is None:
        return pd.DatetimeIndex([], name="order_date")
    return pd.date_range(seen.first_date, seen.as_of or seen.last_date, name="order_date")
