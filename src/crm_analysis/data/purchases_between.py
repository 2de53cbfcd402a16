"""What each customer bought in a stretch of time, summed up inside the log's engine."""

from typing import Any

import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.line_margins import told_margin
from crm_analysis.data.sources import read_transactions
from crm_analysis.errors import SettingsError


def purchases_between(transactions: Any, *, after: Day, until: Day) -> pd.DataFrame:
    """Sum up the purchases of each customer who bought after one day and up to another.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log; what it shows today is counted, a refund that came after `until` included.
    after, until : date or str
        The stretch begins on the day after `after` and ends with `until`.

    Returns
    -------
    DataFrame, index customer_id (text, sorted); who bought nothing is absent
        - purchases: days on which the customer bought (count);
        - spend: what that brought in, in the log's currency, net of refunds;
        - margin: what of it was left after the cost of what was sold: the log's margin, else amount less cost; missing
          where the log does not tell for every line of the customer.

    Raises
    ------
    DataError
        When the log is refused.
    SettingsError
        When the days are not in order, or the log was cut before `until`.
    """
    first, last = to_day(after, "after"), to_day(until, "until")
    if first >= last:
        raise SettingsError(f"after is {first} and until is {last}; give an earlier and a later day.")
    seen = read_transactions(transactions)
    if seen.as_of is not None and last > seen.as_of:
        raise SettingsError(
            f"{seen.source} was cut at {seen.as_of} and cannot show {last}; read it with a later as_of."
        )
    lines = seen.table.filter((seen.table.order_date > first) & (seen.table.order_date <= last))
    lines = lines.mutate(left=told_margin(lines))
    # Days first: distinct days of all customers at once would not fit into the memory of every engine.
    days = lines.group_by("customer_id", "order_date").agg(
        amount=lines.amount.sum(), left=lines.left.sum(), untold=lines.count() - lines.left.count()
    )
    # Decimals become floats at the end, because engines round the last digit in different ways.
    sums = days.group_by("customer_id").agg(
        purchases=days.count(), spend=days.amount.sum().cast(float), margin=days.left.sum().cast(float),
        untold=days.untold.sum(),
    )  # fmt: skip
    frame = engines.fetch_frame(sums).set_index("customer_id").sort_index()
    frame = frame.astype({"purchases": "int64", "spend": "float64", "margin": "float64"})
    return frame.assign(margin=frame["margin"].mask(frame["untold"] > 0)).drop(columns="untold")
