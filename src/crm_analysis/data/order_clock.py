"""The shop's own flow of orders as a clock: time runs faster in the months in which the shop sells more.

A year holds seasons and the slow loss of customers at once, and no model can tell them apart by the calendar. Measured
in this clock a customer who orders at the pace of the shop orders evenly, and one who falls behind is on the way out.
"""

from dataclasses import dataclass, replace
from datetime import date, timedelta
from functools import cached_property
from typing import Any

import ibis
import numpy as np
import pandas as pd
from numpy.typing import NDArray

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_table import customer_days
from crm_analysis.data.sources import read_transactions
from crm_analysis.data.summaries import CustomerSummary, sum_log_gaps
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit

Floats = NDArray[np.float64]

# So many orders of an average month are added to each month, so that a month seen for a few days is not believed alone.
_SHRINKAGE = 30.0
# From two years on a trend can be told from the seasons.
_DAYS_FOR_A_TREND = 730
# The clock is laid out for so many years after the log: no horizon looks farther than discounting does.
_YEARS_AHEAD = 60


@dataclass(frozen=True, eq=False)
class OrderClock:
    """Time as the shop lives it, in the unit of the models; on average a year is as long as by the calendar.

    Attributes
    ----------
    factors : tuple of float, length 12
        Speed of the clock in each calendar month, January first: orders a day over the mean of the year.
    first_day, last_day : date
        Of the log behind it.
    growth : float
        By how much what the same customers order in the coming years exceeds the year before, as a fraction a year.
    time_unit : {"day", "week", "month"}
        Unit of `time`.
    """

    factors: tuple[float, ...]
    first_day: date
    last_day: date
    growth: float
    time_unit: TimeUnit

    @cached_property
    def _laid_out(self) -> tuple[np.datetime64, Floats]:
        """First day laid out, and the time at the beginning of each day from it on."""
        start = np.datetime64(self.first_day)
        days = np.arange(start, np.datetime64(self.last_day) + np.timedelta64(366 * _YEARS_AHEAD, "D"))
        speed = np.array(self.factors)[days.astype("datetime64[M]").astype(int) % 12]
        years_after = np.maximum(0, np.ceil((days - np.datetime64(self.last_day)).astype(int) / 365.25))
        speed = speed * (1 + self.growth) ** years_after
        return start, np.concatenate([[0.0], np.cumsum(speed)]) / DAYS_PER_UNIT[self.time_unit]

    def time(self, days: Any) -> Floats:
        """Return the time at the beginning of days, counted from the first day of the log on.

        Parameters
        ----------
        days : array-like of dates
            Not before the first day of the log.
        """
        start, elapsed = self._laid_out
        position = (np.asarray(days, dtype="datetime64[D]") - start).astype(np.int64)
        if (position < 0).any():
            raise SettingsError(f"the clock begins on {self.first_day}; a purchase before it cannot be placed.")
        return elapsed[np.minimum(position, len(elapsed) - 1)]

    def length(self, start: date, calendar: float) -> float:
        """Return how long by this clock the days after `start` are: a stretch of the calendar, in the time unit."""
        return float(self.lengths(start, np.array([calendar]))[0])

    def lengths(self, start: date, calendar: Floats) -> Floats:
        """Return how long by this clock some stretches of the calendar after `start` are."""
        first, elapsed = self._laid_out
        begin = (np.datetime64(start) - first).astype(int) + 1
        ends = begin + calendar * DAYS_PER_UNIT[self.time_unit]
        return np.interp(ends, np.arange(len(elapsed)), elapsed) - elapsed[begin]

    def calendar(self, start: date, times: Floats) -> Floats:
        """Return the calendar's reading, in the time unit, of times by this clock in the days after `start`."""
        first, elapsed = self._laid_out
        begin = (np.datetime64(start) - first).astype(int) + 1
        days = np.interp(elapsed[begin] + times, elapsed, np.arange(len(elapsed))) - begin
        return days / DAYS_PER_UNIT[self.time_unit]


def order_clock(transactions: Any, *, as_of: Day, time_unit: TimeUnit = "week", growth: float = 0.0) -> OrderClock:
    """Read the clock off the orders of all customers, first ones included.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The log. Months that it has not seen run at the average speed.
    as_of : date or str
        Later orders are not seen.
    time_unit : {"day", "week", "month"}
        Unit of the clock.
    growth : float
        Volume plan: growth of what the same customers order in the years to come, as a fraction a year, above -1.
        Orders that only newcomers will add do not belong in it.

    Returns
    -------
    OrderClock
        The coming months are taken to be like the same months so far, times (1 + growth): an assumption, to be stated.
        With two years or more a steady growth of the past is taken out before the months are compared.
    """
    if not growth > -1:
        raise SettingsError(f"growth is {growth}; give a fraction a year above -1, such as 0.05.")
    seen = read_transactions(transactions, as_of=as_of)
    if seen.first_date is None:
        raise DataError(f"{seen.source}: nobody has bought by {as_of}, so there is no flow of orders to read.")
    days = customer_days(seen)
    by_day = engines.fetch_frame(days.group_by("order_date").agg(orders=days.count())).set_index("order_date")["orders"]
    last = to_day(as_of, "as_of")
    orders = by_day.reindex(pd.date_range(seen.first_date, last), fill_value=0).astype(float)
    month = pd.DatetimeIndex(orders.index).month
    steady = _steady_flow(orders)
    seen_orders = orders.groupby(month).sum().reindex(range(1, 13), fill_value=0.0)
    expected = steady.groupby(month).sum().reindex(range(1, 13), fill_value=0.0)
    factors = (seen_orders + _SHRINKAGE) / (expected + _SHRINKAGE)
    return OrderClock(tuple(float(value) for value in factors), seen.first_date, last, growth, time_unit)


def _steady_flow(orders: pd.Series) -> pd.Series:
    """Orders a day without seasons: their mean, with two years or more a constant growth over whole years."""
    if len(orders) < _DAYS_FOR_A_TREND:
        return pd.Series(orders.mean(), index=orders.index)
    # Whole years hold every season once, so a line through their logs is a trend alone.
    years = len(orders) // 365
    whole = orders.to_numpy()[-years * 365 :].reshape(years, 365).sum(axis=1)
    slope = np.polyfit(np.arange(years), np.log(np.maximum(whole, 1.0)), 1)[0] if years > 1 else 0.0
    trend = np.exp(slope * np.arange(len(orders)) / 365)
    return pd.Series(trend * orders.sum() / trend.sum(), index=orders.index)


def is_open_shop(transactions: Any, *, as_of: Day) -> bool:
    """Whether customers still join, as in a running shop, or all joined at the beginning, as in a cohort extract.

    Open: the last three months brought more newcomers a month than a tenth of the mean over the log.
    """
    seen = read_transactions(transactions, as_of=as_of)
    if seen.first_date is None:
        return False
    days = customer_days(seen)
    customers = days.group_by("customer_id").agg(first_day=days.order_date.min())
    last = to_day(as_of, "as_of")
    is_recent = customers.first_day > last - timedelta(days=91)
    [joined] = engines.rows_of(customers.aggregate(all=customers.count(), recent=is_recent.sum()))
    return bool(joined["recent"] / 91 > 0.1 * joined["all"] / ((last - seen.first_date).days + 1))


def with_gaps(transactions: Any, customers: CustomerSummary, clock: OrderClock) -> CustomerSummary:
    """Return the summary with `sum_log_gap` in the time of the clock: what regular buying is fitted from."""
    seen = read_transactions(transactions, as_of=customers.as_of)
    if seen.last_date is None:
        raise DataError(f"{seen.source}: nobody has bought by {customers.as_of}, so there are no gaps to measure.")
    span = pd.date_range(clock.first_day, seen.last_date)
    table = pd.DataFrame({"order_date": span, "time": clock.time(span)}).astype({"order_date": "datetime64[us]"})
    times = ibis.memtable(table)
    timed = customer_days(seen).join(times.mutate(order_date=times.order_date.date()), "order_date")
    gaps = sum_log_gaps(timed).reindex(customers.frame.index, fill_value=0.0)
    return replace(customers, frame=customers.frame.assign(sum_log_gap=gaps))
