"""From transactions to one row per customer, as models see it.

A purchase is a customer's day: what a customer orders on one day is one purchase, its amounts summed. That is decided
in `customer_days`, and every count starts there.
"""

from dataclasses import dataclass, replace
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.customer_table import customer_days, customer_table, days_between, seen_by
from crm_analysis.data.sources import Transactions
from crm_analysis.errors import SettingsError
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit

__all__ = [
    "CalibrationHoldout",
    "CustomerSummary",
    "customer_days",
    "split_calibration_holdout",
    "summarize_customers",
]


# Sums of floats depend on the order in which threads add.
LOG_GAPS = dt.Decimal(38, 10)


@dataclass(frozen=True, eq=False)
class CalibrationHoldout:
    """A log split in two: what was known on a date, and what followed.

    Attributes
    ----------
    known : Transactions
        The log as it stood on the calibration date.
    calibration : CustomerSummary
        The customers as they stood on that date.
    holdout : DataFrame, index customer_id
        The same customers: `purchases` (repeat purchases after the calibration date, up to the as-of date) and `spend`
        (what these brought in).
    last_period : Series, index customer_id
        The same customers: repeat purchases in the time before the calibration date that is as long as the holdout.
    holdout_length : float
        From the calibration date to the as-of date, in the summary's time unit.
    """

    known: Transactions
    calibration: CustomerSummary
    holdout: pd.DataFrame
    last_period: pd.Series
    holdout_length: float


def summarize_customers(
    transactions: Any,
    *,
    as_of: Day,
    time_unit: TimeUnit = "week",
    annual_discount_rate: float | None = None,
    gaps: bool = False,
    kept: bool = False,
) -> CustomerSummary:
    """Summarise each customer's purchases up to a date.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation. Later rows are not seen, and customers who first bought later do not appear.
    time_unit : {"day", "week", "month"}
        Unit of recency and T; a month has 365.25 / 12 days.
    annual_discount_rate : float, optional
        A fraction a year. When given, past purchases are also carried to `as_of` at this rate.
    gaps : bool
        Also sum the logarithms of the gaps between purchases, which models of regular buying need.
    kept : bool
        Of a log that came in deliveries, fold what is new into the sums of the last date that was kept, and keep them
        for the next one (see `kept_sums`).

    Returns
    -------
    CustomerSummary
        Sorted by customer_id (text), with columns

        - frequency: purchase days after the first (count);
        - recency, T: first to last purchase, first purchase to `as_of` (`time_unit`);
        - monetary_value: mean amount of a repeat purchase with positive amount, missing when there is none;
        - monetary_count: how many purchases that mean is over;
        - total_spend: amount of all purchases, the first included;
        - first_purchase, last_purchase: days; days_since_last: days from the last purchase to `as_of`;
        - spend_carried, orders_carried (with a rate): the sum over all purchases of amount x (1 + rate)^years and of
          (1 + rate)^years, years of 365.25 days from the purchase to `as_of`;
        - sum_log_gap (with gaps): sum over the repeat purchases of ln(time since the purchase before, `time_unit`).

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `as_of`.
    SettingsError
        When the time unit or the rate is wrong, or the log was cut before `as_of`.

    References
    ----------
    Fader, Hardie & Lee (2005), "RFM and CLV", Journal of Marketing Research 42(4), for (x, t_x, T) and m_x.
    """
    seen = seen_by(transactions, to_day(as_of, "as_of"))
    table = customer_table(seen, as_of=as_of, time_unit=time_unit, annual_discount_rate=annual_discount_rate)
    customers = (table.keep() if kept and seen.log.store is not None else table).summary()
    if not gaps:
        return customers
    days, start = customer_days(seen), ibis.literal(seen.first_date)
    timed = days.mutate(time=days_between(start, days.order_date).cast(float) / DAYS_PER_UNIT[time_unit])
    summed = sum_log_gaps(timed).reindex(customers.frame.index, fill_value=0.0)
    return replace(customers, frame=customers.frame.assign(sum_log_gap=summed))


def split_calibration_holdout(
    transactions: Any, *, calibration_end: Day, as_of: Day, time_unit: TimeUnit = "week"
) -> CalibrationHoldout:
    """Split a log into what was known on a date and what the same customers did next.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    calibration_end : date or str
        Last day of the calibration period. A refund that came later is not seen in it.
    as_of : date or str
        Last day of the holdout period, after `calibration_end`.
    time_unit : {"day", "week", "month"}
        Unit of recency, T and the holdout's length.

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `calibration_end`.
    SettingsError
        When the dates are not in order, or the log was cut before `as_of`.
    """
    known_until, day = to_day(calibration_end, "calibration_end"), to_day(as_of, "as_of")
    if known_until >= day:
        raise SettingsError(
            f"calibration_end is {known_until} and as_of is {day}; the holdout needs days between them."
        )
    seen = seen_by(transactions, day)
    known = seen.until(known_until)
    calibration = summarize_customers(known, as_of=known_until, time_unit=time_unit)
    days = customer_days(seen)
    start = known_until - (day - known_until)
    around = days.filter(days.order_date > start)
    is_later = around.order_date > known_until
    counts = around.group_by("customer_id").agg(
        purchases=is_later.sum(),
        spend=around.amount.sum(where=is_later).cast(float).fill_null(0.0),
        before=(~is_later).sum(),
    )
    table = engines.fetch_frame(counts).set_index("customer_id").reindex(calibration.frame.index, fill_value=0)
    # The first purchase starts the clock and is not a repeat purchase.
    first_in_it = pd.to_datetime(calibration.frame["first_purchase"]) > pd.Timestamp(start)
    last_period = (table["before"] - first_in_it).astype("int64").rename("last_period")
    holdout = table[["purchases", "spend"]].astype({"purchases": "int64", "spend": "float64"})
    length = (day - known_until).days / DAYS_PER_UNIT[time_unit]
    return CalibrationHoldout(known, calibration, holdout, last_period, length)


def sum_log_gaps(timed_days: ir.Table) -> pd.Series:
    """Sum of ln(gap) of each customer with a repeat purchase, from purchase days with their `time` by any clock."""
    by_customer = ibis.window(group_by=timed_days.customer_id, order_by=timed_days.order_date)
    gaps = timed_days.mutate(gap=timed_days.time - timed_days.time.lag().over(by_customer))
    repeat = gaps.filter(gaps.gap > 0)  # a first purchase has no gap
    # As decimals: sums of floats depend on the order in which threads add.
    summed = repeat.group_by("customer_id").agg(sum_log_gap=repeat.gap.ln().cast(LOG_GAPS).sum().cast(float))
    frame: pd.DataFrame = engines.fetch_frame(summed)
    return frame.set_index("customer_id")["sum_log_gap"]
