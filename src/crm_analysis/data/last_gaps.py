"""How long customers were silent before their last purchase: what tells who was won back."""

from typing import Any

import ibis
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days, days_between, seen_by


def last_gaps(transactions: Any, *, as_of: Day) -> pd.Series:
    """Return the days between each customer's last purchase and the one before.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation: the log is seen as it stood then.

    Returns
    -------
    Series, index customer_id
        Days, sorted by customer; missing for customers with one purchase.

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `as_of`.
    SettingsError
        When `as_of` is wrong, or the log was cut before it.
    """
    days = customer_days(seen_by(transactions, to_day(as_of, "as_of")))
    in_order = ibis.window(group_by=days.customer_id, order_by=days.order_date)
    of_customer = ibis.window(group_by=days.customer_id)
    gaps = days.mutate(
        gap=days_between(days.order_date.lag().over(in_order), days.order_date),
        last=days.order_date.max().over(of_customer),
    )
    latest = gaps.filter(gaps.order_date == gaps["last"]).select("customer_id", "gap")
    frame: pd.DataFrame = engines.fetch_frame(latest)
    return frame.set_index("customer_id")["gap"].astype("float64").rename("last_gap").sort_index()
