"""What is asked of a log once it is through the door, and how two answers are compared."""

from collections.abc import Callable
from datetime import date, timedelta
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.activity import base_by_date, daily_purchases, monthly_activity
from crm_analysis.data.baskets import Baskets, basket_counts
from crm_analysis.data.cohorts import cohort_counts
from crm_analysis.data.customer_table import customer_table
from crm_analysis.data.order_clock import is_open_shop, order_clock, with_gaps
from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.sources import Transactions, read_transactions
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import DataError
from crm_analysis.settings import DoorRules, EngineSettings
from crm_analysis.value.known_share import known_share

from .hostile import Log

IN_PLACE = EngineSettings(copy_rows=0)
# Engines differ in the last digit of a logarithm or an exponential. These go into sums as decimals, so that a digit may
# also tip over in the last place kept. PostgreSQL rounds a mean to fifteen digits.
RELATIVE = 1e-12
LAST_PLACE = {"spend_carried": 1.01e-4, "orders_carried": 1.01e-10, "sum_log_gap": 1.01e-10, "monetary_value": 0.0}


def read(source: Any, log: Log, engine: EngineSettings | None = None) -> Transactions:
    return read_transactions(
        source, rules=DoorRules(**log.rules), timezone=log.timezone, currency=log.currency, engine=engine
    )


def used_lines(log: Transactions) -> list[str]:
    """The used lines in an order that does not depend on the engine."""
    return sorted(str(row) for row in engines.rows_of(log.table))


def account(log: Transactions) -> list[tuple[Any, ...]]:
    """What became of how many rows and how much money, and the first and last day."""
    frame = log.reconciliation
    rows = list(zip(frame["outcome"], frame["rows"], frame["money"], strict=True))
    return [*rows, ("days", log.first_date, log.last_date)]


Question = Callable[[Transactions, date], Any]
QUESTIONS: dict[str, Question] = {
    "counters": lambda log, day: log.counters,
    "account until a day before": lambda log, day: account(log.until(before(log, day))),
    "lines until a day before": lambda log, day: used_lines(log.until(before(log, day))),
    "customers": lambda log, day: summarize_customers(log, as_of=day, annual_discount_rate=0.05, gaps=True).frame,
    "customers in months": lambda log, day: summarize_customers(log, as_of=day, time_unit="month").frame,
    "histories": lambda log, day: counted(customer_table(log, as_of=day).histories()),
    "histories by the week": lambda log, day: counted(customer_table(log, as_of=day).histories("week")),
    "spending": lambda log, day: counted(customer_table(log, as_of=day).spending(rows=1000)),
    "daily purchases": lambda log, day: daily_purchases(log),
    "monthly activity": lambda log, day: monthly_activity(log),
    "base by date": lambda log, day: base_by_date(log, dates=[before(log, day), day], active_days=10),
    "a sample of customers": lambda log, day: summarize_customers(log.sample_of_customers(3), as_of=day).frame,
    "order clock": lambda log, day: np.array(order_clock(log, as_of=day).factors),
    "gaps by the clock": lambda log, day: with_gaps(
        log, summarize_customers(log, as_of=day), order_clock(log, as_of=day)
    ).frame["sum_log_gap"],
    "open shop": lambda log, day: is_open_shop(log, as_of=day),
    "cohorts by the month": lambda log, day: cohort_counts(log, as_of=day),
    "cohorts by the year": lambda log, day: cohort_counts(log, as_of=day, by="year"),
    "bought since": lambda log, day: purchases_between(log, after=day - timedelta(days=40), until=day),
    "items in baskets": lambda log, day: baskets(log, day).items,
    "pairs in baskets": lambda log, day: baskets(log, day).pairs,
    "baskets": lambda log, day: repr(basket_counts(log, as_of=day, of="category", min_baskets=1)),
    "known share": lambda log, day: known_share(log, as_of=day, months=1),
}


def before(log: Transactions, day: date) -> date:
    """A day in the middle of the log, at its beginning where it is short."""
    first = log.first_date or day
    return first + (day - first) // 2


def answer(question: str, log: Transactions) -> Any:
    """On the last day of the log, or why there is none."""
    try:
        return QUESTIONS[question](log, log.last_date or date(1998, 6, 30))
    except DataError as error:
        return str(error)


def baskets(log: Transactions, day: date) -> Baskets:
    return basket_counts(log, as_of=day, min_baskets=1)


def counted(histories: Any) -> pd.DataFrame:
    return histories.customers.frame.assign(customers=histories.counts)


def assert_same(found: Any, expected: Any) -> None:
    """Identical; but for the last digit of what logarithms and exponentials went into."""
    if isinstance(expected, pd.DataFrame):
        assert list(found.columns) == list(expected.columns)
        for name in expected.columns:
            assert_same(found[name], expected[name])
    elif isinstance(expected, pd.Series) and expected.name in LAST_PLACE:
        pd.testing.assert_series_equal(found, expected, rtol=RELATIVE, atol=LAST_PLACE[str(expected.name)])
    elif isinstance(expected, pd.Series):
        pd.testing.assert_series_equal(found, expected, check_exact=True)
    else:
        np.testing.assert_equal(found, expected)
