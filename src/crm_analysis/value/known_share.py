"""A second opinion on the total that needs no customer model: how many of a shop's orders come from people it knows."""

from datetime import date, timedelta
from typing import Any

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.order_clock import OrderClock
from crm_analysis.data.sources import read_transactions
from crm_analysis.periods import DAYS_PER_UNIT

_EVERY_DAYS = 10
_MOST_DATES = 40
_LONGEST_MONTHS = 6
_A_DAY = timedelta(days=1)
_KINDS = ("orders", "known")


def known_share(transactions: Any, *, as_of: Day, months: int) -> float:
    """Share of the orders of some months that came from customers seen in as many months before.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The log.
    as_of : date or str
        Later orders are not seen.
    months : int
        Length of both stretches, 365.25 / 12 days each.

    Returns
    -------
    float
        Over every tenth day (in long logs, some forty days) of the log that has both stretches around it. In a log
        shorter than both, over its halves.
    """
    last = to_day(as_of, "as_of")
    seen = read_transactions(transactions, as_of=last)
    days = customer_days(seen)
    first = seen.first_date
    if first is None:
        return float("nan")
    # Six months before and six after fit into a year, by a day's grace.
    length = min(round(months * DAYS_PER_UNIT["month"]), ((last - first).days + 1) // 2)
    end = (last - first).days + 2 - length
    step = max(_EVERY_DAYS, (end - length) // _MOST_DATES)
    middles = [first + timedelta(days=offset) for offset in range(length, end, step)]
    stretch, counts = timedelta(days=length), {}
    for number, middle in enumerate(middles):
        counts[f"before {number}"] = days.order_date.between(middle - stretch, middle - _A_DAY).sum()
        counts[f"after {number}"] = days.order_date.between(middle, middle + stretch - _A_DAY).sum()
    # One pass over the log for all dates: first by customer, then over the customers.
    customer = days.group_by("customer_id").agg(**counts)
    sums = {}
    for number in range(len(middles)):
        after = customer[f"after {number}"]
        sums[f"orders {number}"] = after.sum()
        sums[f"known {number}"] = after.sum(where=customer[f"before {number}"] > 0)
    [row] = engines.rows_of(customer.aggregate(**sums))
    orders, known = (sum(value or 0 for name, value in row.items() if name.startswith(kind)) for kind in _KINDS)
    return float(known / orders) if orders else float("nan")


def orders_of_known_customers(transactions: Any, *, as_of: date, clock: OrderClock, horizon: float) -> float:
    """Orders that customers known by `as_of` will make: the flow of the shop times the share that such made before.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The log.
    as_of : date
        Last day that is known.
    clock : OrderClock
        How the flow of the coming months is taken to be.
    horizon : float
        In the unit of the clock.

    Returns
    -------
    float
        Orders; missing where the log is too short. The share is that of 6 months after 6 months, or of half of the log
        after the other half; for a horizon much longer it is too high, because ever more orders come from newcomers.
    """
    seen = read_transactions(transactions, as_of=as_of)
    days = (as_of - clock.first_day).days + 1
    # The flow of the last year, or of all there is; years before it may have been another shop.
    recent = min(days, 365)
    before = as_of - timedelta(days=recent)
    purchases = customer_days(seen)
    orders = engines.count(purchases.filter(purchases.order_date > before))
    per_unit = orders / clock.length(before, recent / DAYS_PER_UNIT[clock.time_unit])
    months = max(1, min(_LONGEST_MONTHS, int((days + 1) / 2 / DAYS_PER_UNIT["month"] + 0.01)))
    return per_unit * clock.length(as_of, horizon) * known_share(seen, as_of=as_of, months=months)
