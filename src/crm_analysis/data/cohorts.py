"""Cohorts: customers by when they first bought, and what each cohort bought since, counted inside the log's engine."""

from datetime import timedelta
from typing import Any, Literal, get_args

import ibis.expr.types as ir
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days, seen_by
from crm_analysis.errors import SettingsError

Calendar = Literal["month", "year"]
_MONEY = {"spend": "amount", "margin": "margin"}


def cohort_counts(transactions: Any, *, as_of: Day, by: Calendar = "month") -> pd.DataFrame:
    """Count, for each acquisition cohort and each period since, who bought, how often and for how much.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation: the log is counted as it stood then.
    by : {"month", "year"}
        Calendar months or calendar years, of cohorts and of periods alike.

    Returns
    -------
    DataFrame, index (cohort, period)
        A cohort is everyone whose first purchase falls into the same month ("1997-01") or year ("1997"); cohorts that
        nobody joined are absent. Period 0 is the cohort's own month or year, 1 the next, and so on to the one that
        holds `as_of`: periods without purchases are rows of zeros, periods that are still to come have no row. Columns

        - customers: size of the cohort (count), the same in each of its rows;
        - active: how many of them bought in the period (count); all of them in period 0;
        - purchases: days on which they bought (count), the first included;
        - spend: what that brought in, in the log's currency, net of refunds;
        - margin: what of it was left, of a log that was read with `margins`;
        - is_partial: whether the period was not over at the end of `as_of`. Its counts are still to grow.

        Rates follow: `active / customers` is the share of a cohort that is active, and
        `frame["active"].unstack("period")` the triangle, with gaps where nothing was observed.

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `as_of`.
    SettingsError
        When `as_of` or `by` is wrong, or the log was cut before `as_of`.

    Notes
    -----
    In period 0 a customer can be seen from the first purchase on, half a period on average: compare cohorts in it with
    one another, not with their later periods.

    Examples
    --------
    >>> orders = pd.DataFrame({"customer_id": ["C1", "C1"], "order_date": ["2024-01-31", "2024-03-01"], "amount": 9.5})
    >>> cohort_counts(orders, as_of="2024-03-30")[["active", "spend", "is_partial"]]
                    active  spend  is_partial
    cohort  period
    2024-01 0            1    9.5       False
            1            0    0.0       False
            2            1    9.5        True
    """
    if by not in get_args(Calendar):
        raise SettingsError(f"by is {by!r}; use 'month' or 'year'.")
    day = to_day(as_of, "as_of")
    days = customer_days(seen_by(transactions, day))
    cells = {(row["cohort"], row["number"]): row for row in engines.rows_of(_cells(days, by))}
    last, next_day = _number(day.year, day.month, by), day + timedelta(days=1)
    is_over = _number(next_day.year, next_day.month, by) > last
    rows, money = [], ["spend", "margin"] if "margin" in days.columns else ["spend"]
    for cohort in sorted({cohort for cohort, _ in cells}):
        size = cells[cohort, cohort]["active"]  # a first purchase falls into the cohort's own period
        for number in range(cohort, last + 1):
            cell = cells.get((cohort, number), dict.fromkeys(["active", "purchases", *money], 0))
            # Decimals become floats here, because engines round the last digit in different ways.
            counts = (size, cell["active"], cell["purchases"], *(float(cell[name]) for name in money))
            rows.append((_label(cohort, by), number - cohort, *counts, number == last and not is_over))
    columns = ["cohort", "period", "customers", "active", "purchases", *money, "is_partial"]
    frame = pd.DataFrame(rows, columns=columns).set_index(["cohort", "period"])
    return frame.astype(dict.fromkeys(["customers", "active", "purchases"], "int64"))


def _cells(days: ir.Table, by: Calendar) -> ir.Table:
    """One row per cohort and period in which it bought, from one row a purchase; both numbered along the calendar."""
    number = _number(days.order_date.year(), days.order_date.month(), by).cast("int64")
    # Customer by customer first: counting distinct ids would hold all of them in memory.
    money = {name: days[column].sum() for name, column in _MONEY.items() if column in days.columns}
    stretches = days.group_by("customer_id", number=number).agg(purchases=days.count(), **money)
    stretches = stretches.mutate(cohort=stretches.number.min().over(group_by="customer_id"))
    return stretches.group_by("cohort", "number").agg(
        active=stretches.count(),
        purchases=stretches.purchases.sum(),
        **{name: stretches[name].sum() for name in money},
    )


def _number(year: Any, month: Any, by: Calendar) -> Any:
    """Number of a month or a year, on and on along the calendar; of numbers as of columns."""
    return year * 12 + month - 1 if by == "month" else year


def _label(number: int, by: Calendar) -> str:
    return f"{number // 12:04d}-{number % 12 + 1:02d}" if by == "month" else f"{number:04d}"
