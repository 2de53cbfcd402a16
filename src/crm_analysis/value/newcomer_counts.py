"""How many customers joined in each month: counted in a purchase log, or given as counts and checked."""

from datetime import date
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.activity import daily_purchases
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import SettingsError, Violation, refuse
from crm_analysis.periods import months_after


def monthly_newcomers(transactions: Any, *, as_of: Day) -> pd.Series:
    """Count first purchases in the whole months up to a date.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        Last day that is known.

    Returns
    -------
    Series, indexed by the last day of each month
        Months end on the day of `as_of`: calendar months for the last day of one. The month in which the log begins is
        whole only where the log holds all of its days.
    """
    day = to_day(as_of, "as_of")
    first = daily_purchases(read_transactions(transactions, as_of=day))["first"]
    if first.empty:
        return pd.Series(dtype="int64", index=pd.Index([], name="month"))
    begin, ends = first.index[0].date(), [day]
    while months_after(day, -len(ends)) >= begin:
        ends.append(months_after(day, -len(ends)))
    oldest = months_after(day, -len(ends))
    if (begin - oldest).days == 1:
        ends.append(oldest)
    edges = pd.DatetimeIndex(ends[::-1])
    so_far = np.concatenate([[0], first.cumsum().to_numpy()])
    at_edges = so_far[first.index.searchsorted(edges, side="right")]
    return pd.Series(np.diff(at_edges), index=pd.Index([edge.date() for edge in edges[1:]], name="month"))


def checked_newcomers(newcomers: Any, *, as_of: date) -> pd.Series:
    """Check counts that were given, as `monthly_newcomers` returns them; those of later months are not seen.

    Raises
    ------
    DataError
        When the index holds no days, months are missing, repeated or do not end on the day of `as_of`, or a number is
        no count: every rule at once.
    SettingsError
        When it is no Series.
    """
    if not isinstance(newcomers, pd.Series):
        raise SettingsError(
            f"newcomers is a {type(newcomers).__name__}; give a Series of counts indexed by the last day of each month."
        )
    days = pd.to_datetime(pd.Series(newcomers.index, dtype=object), errors="coerce").to_numpy()
    numbers = pd.to_numeric(newcomers, errors="coerce").to_numpy(dtype=np.float64, na_value=np.nan)
    known = pd.DataFrame({"month": newcomers.index, "newcomers": newcomers.to_numpy(), "day": days, "number": numbers})
    known = known[~(known["day"] > pd.Timestamp(as_of))].sort_values("day", kind="stable")
    wanted = [pd.Timestamp(months_after(as_of, -back)) for back in range(len(known))][::-1]
    no_day = known["day"].isna()
    no_count = ~(np.isfinite(known["number"]) & (known["number"] >= 0))
    rules = [
        ("month", "is no day", no_day, "index the counts by the last day of each month."),
        (
            "month",
            f"is not one of the months that end on the day of {as_of}, each there once",
            ~no_day & (known["day"] != np.array(wanted, dtype="datetime64[ns]")) & (not no_day.any()),
            f"give every month from the first to the one that ends on {as_of}, a zero where nobody joined.",
        ),
        ("newcomers", "is no count", no_count, "give numbers of 0 or more."),
    ]
    refuse(
        Violation("newcomers", column, rule, int(rows.sum()), fix, known.loc[rows, ["month", "newcomers"]].head(5))
        for column, rule, rows, fix in rules
        if rows.any()
    )
    return pd.Series(known["number"].to_numpy(), index=pd.Index(known["day"].dt.date, name="month"))
