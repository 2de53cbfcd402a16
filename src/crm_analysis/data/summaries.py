"""From transactions to one row per customer, inside the engine.

A purchase is a customer's day: what a customer orders on one day is one purchase, its amounts summed. That is decided
in `customer_days`, and every count below starts there.
"""

from dataclasses import dataclass
from datetime import date
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit, annual_to_continuous, check_time_unit

__all__ = [
    "CalibrationHoldout",
    "CustomerSummary",
    "customer_days",
    "split_calibration_holdout",
    "summarize_customers",
]

# Sums of floats depend on the order in which threads add; carried amounts are summed as decimals instead.
CARRIED = dt.Decimal(38, 10)


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


def customer_days(transactions: Transactions) -> ir.Table:
    """Return one row per purchase: customer_id, order_date and the day's summed amount."""
    table = transactions.table
    return table.group_by("customer_id", "order_date").agg(amount=table.amount.sum())


def summarize_customers(
    transactions: Any,
    *,
    as_of: Day,
    time_unit: TimeUnit = "week",
    annual_discount_rate: float | None = None,
    gaps: bool = False,
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
    check_time_unit(time_unit)
    day = to_day(as_of, "as_of")
    seen = _seen_by(transactions, day)
    days = _carried(customer_days(seen), day, annual_discount_rate)
    frame = _one_row_per_customer(days, day, DAYS_PER_UNIT[time_unit]).to_pandas()
    if gaps:
        start = ibis.literal(seen.first_date)
        timed = days.mutate(time=_days_between(start, days.order_date) / DAYS_PER_UNIT[time_unit])
        frame["sum_log_gap"] = sum_log_gaps(timed).reindex(frame["customer_id"], fill_value=0.0).to_numpy()
    dates = dict.fromkeys(["first_purchase", "last_purchase"], "datetime64[us]")
    return CustomerSummary(frame.set_index("customer_id").astype(dates), time_unit, day, annual_discount_rate)


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
    seen = _seen_by(transactions, day)
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
    table = counts.to_pandas().set_index("customer_id").reindex(calibration.frame.index, fill_value=0)
    # The first purchase starts the clock and is not a repeat purchase.
    first_in_it = pd.to_datetime(calibration.frame["first_purchase"]) > pd.Timestamp(start)
    last_period = (table["before"] - first_in_it).astype("int64").rename("last_period")
    holdout = table[["purchases", "spend"]].astype({"purchases": "int64", "spend": "float64"})
    length = (day - known_until).days / DAYS_PER_UNIT[time_unit]
    return CalibrationHoldout(known, calibration, holdout, last_period, length)


def _seen_by(transactions: Any, as_of: date) -> Transactions:
    seen = read_transactions(transactions, as_of=as_of)
    if seen.first_date is None:
        raise DataError(
            f"{seen.source}: nobody has bought by {as_of}.\n"
            "To fix: choose a later date; the reconciliation tells what became of the rows."
        )
    return seen


def _carried(days: ir.Table, as_of: date, annual_discount_rate: float | None) -> ir.Table:
    if annual_discount_rate is None:
        return days
    growth = (
        _days_between(days.order_date, ibis.literal(as_of)) * annual_to_continuous(annual_discount_rate, "day")
    ).exp()
    return days.mutate(
        spend_carried=(days.amount.cast(float) * growth).cast(CARRIED), orders_carried=growth.cast(CARRIED)
    )


def _one_row_per_customer(days: ir.Table, as_of: date, days_per_unit: float) -> ir.Table:
    carried = [name for name in ("spend_carried", "orders_carried") if name in days.columns]
    paid = days.amount > 0
    history = days.group_by("customer_id").agg(
        first_purchase=days.order_date.min(),
        last_purchase=days.order_date.max(),
        purchases=days.count(),
        total=days.amount.sum(),
        first_amount=days.amount.argmin(days.order_date),
        paid_total=days.amount.sum(where=paid).fill_null(0),
        paid_count=paid.sum(),
        **{name: days[name].sum().cast(float) for name in carried},
    )
    # The first order starts the clock and is not a repeat purchase (Fader, Hardie & Lee 2005): its amount is taken off,
    # which spares the engine a second pass over the days.
    first_paid = history.first_amount > 0
    count = history.paid_count - first_paid.cast("int64")
    repeat_spend = history.paid_total - first_paid.ifelse(history.first_amount, 0)
    end = ibis.literal(as_of)
    return history.select(
        "customer_id",
        frequency=history.purchases - 1,
        recency=_days_between(history.first_purchase, history.last_purchase) / days_per_unit,
        T=_days_between(history.first_purchase, end) / days_per_unit,
        monetary_value=(count > 0).ifelse(repeat_spend.cast(float) / count, ibis.null(float)),
        monetary_count=count,
        total_spend=history.total.cast(float),
        first_purchase=history.first_purchase,
        last_purchase=history.last_purchase,
        days_since_last=_days_between(history.last_purchase, end),
        **{name: history[name] for name in carried},
    ).order_by("customer_id")


def sum_log_gaps(timed_days: ir.Table) -> pd.Series:
    """Sum of ln(gap) of each customer with a repeat purchase, from purchase days with their `time` by any clock."""
    by_customer = ibis.window(group_by=timed_days.customer_id, order_by=timed_days.order_date)
    gaps = timed_days.mutate(gap=timed_days.time - timed_days.time.lag().over(by_customer))
    repeat = gaps.filter(gaps.gap > 0)  # a first purchase has no gap
    # As decimals: sums of floats depend on the order in which threads add.
    summed = repeat.group_by("customer_id").agg(sum_log_gap=repeat.gap.ln().cast(CARRIED).sum().cast(float))
    frame: pd.DataFrame = summed.to_pandas()
    return frame.set_index("customer_id")["sum_log_gap"]


def _days_between(start: ir.DateValue, end: ir.DateValue) -> ir.IntegerValue:
    return end.delta(start, unit="day")
