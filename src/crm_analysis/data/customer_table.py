"""Every customer of a log in one row, inside the log's engine, and what of it a model needs to see.

A customer base holds far fewer distinct histories than customers: two customers with the same number of purchases, the
same first and the same last day are one row to a model. `CustomerTable.histories` brings these over with their counts;
the customers themselves stay where they are.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass, replace
from datetime import date
from functools import cached_property
from typing import Any, Literal

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import numpy as np
import pandas as pd

from crm_analysis.data import engines
from crm_analysis.data.casting import MONEY
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.kept_sums import CARRIED, keep_sums
from crm_analysis.data.sources import Transactions, is_drawn, read_transactions
from crm_analysis.errors import DataError, SettingsError
from crm_analysis.messages import _
from crm_analysis.periods import DAYS_PER_UNIT, TimeUnit, annual_to_continuous, check_time_unit
from crm_analysis.progress import Progress, Step
from crm_analysis.settings import EngineSettings

Grid = Literal["day", "week", "month"]

# Sums of floats depend on the order in which threads add; carried amounts are summed as decimals instead. Narrow ones
# are several times faster in the embedded engine, and wide enough while the whole log, carried, stays below a limit.
_NARROW, _NARROW_ORDERS, _WIDE = MONEY, dt.Decimal(18, 10), dt.Decimal(38, 10)
_NARROW_LIMIT, _NARROW_GROWTH = 1e13, 1e7
# Columns by which customers with the same history are told from others.
HISTORY = ("frequency", "first_purchase", "last_purchase")
# What summing up customers takes in the embedded engine for each line of the log; measured with text ids.
_BYTES_PER_LINE = 110
_OF_MEMORY = 0.8
# Spend within so small a step of its logarithm counts as equal when spend is folded.
_SPEND_STEP = 0.01


@dataclass(frozen=True, eq=False)
class Histories:
    """The distinct histories of a customer base, and how many customers have each.

    Attributes
    ----------
    customers : CustomerSummary
        One row a history: frequency, recency, T, first_purchase, last_purchase.
    counts : Series
        Customers of each, same index. Handed to a fit as `weights`.
    """

    customers: CustomerSummary
    counts: pd.Series

    def __len__(self) -> int:
        return len(self.counts)


@dataclass(frozen=True, eq=False)
class FoldedHistories:
    """The same, kept in the engine: counted before they are brought over. Made by `CustomerTable.fold`.

    Attributes
    ----------
    table : ibis Table
        frequency, T_days, silent_days (days since the last purchase) and the number of customers.
    time_unit : {"day", "week", "month"}
        Unit of recency and T.
    as_of : date
        End of observation.
    grid : {"day", "week", "month"}
        What the days are rounded to.
    """

    table: ir.Table
    time_unit: TimeUnit
    as_of: date
    grid: Grid

    def __len__(self) -> int:
        return engines.count(self.table)

    def bring(self) -> Histories:
        """Bring the histories over, sorted."""
        columns = engines.fetch(self.table.order_by("frequency", "T_days", "silent_days"))
        x, T_days, silent, count = (
            columns[name].to_numpy().astype(np.int64) for name in ("frequency", "T_days", "silent_days", "customers")
        )
        per_unit, last = DAYS_PER_UNIT[self.time_unit], np.datetime64(self.as_of, "us")
        frame = pd.DataFrame(
            {
                "frequency": x,
                "recency": (T_days - silent) / per_unit,
                "T": T_days / per_unit,
                "first_purchase": last - T_days * np.timedelta64(1, "D"),
                "last_purchase": last - silent * np.timedelta64(1, "D"),
            },
            index=pd.RangeIndex(len(x), name="customer_id"),
        )
        customers = CustomerSummary(frame, self.time_unit, self.as_of)
        return Histories(customers, pd.Series(count.astype(float), index=frame.index, name="customers"))


@dataclass(frozen=True, eq=False)
class CustomerTable:
    """Every customer of a log on a date, in the engine of the log. Made by `customer_table`.

    Attributes
    ----------
    sums : ibis Table
        One row a customer: what adds up over his purchases, as of `customer_sums`.
    time_unit : {"day", "week", "month"}
        Unit of recency and T.
    as_of : date
        End of observation.
    annual_discount_rate : float or None
        The rate behind spend_carried and orders_carried, where these columns are present.
    transactions : Transactions
        The log behind it.
    carries_orders : bool
        Whether orders_carried is present where spend_carried is.
    """

    sums: ir.Table
    time_unit: TimeUnit
    as_of: date
    annual_discount_rate: float | None
    transactions: Transactions
    carries_orders: bool = True

    @cached_property
    def table(self) -> ir.Table:
        """One row a customer: the columns of `summarize_customers`, customer_id among them."""
        return _in_units(self.sums, self.as_of, DAYS_PER_UNIT[self.time_unit], all_paid=self.transactions.log.all_paid)

    def keep(self, progress: Progress | None = None) -> "CustomerTable":
        """Compute the sums once and keep them in their engine, for whoever asks several times.

        Parameters
        ----------
        progress : callable, optional
            Told in words what is being done, and how far it is where that is slice by slice.

        Notes
        -----
        Of a log that came in deliveries the sums are kept from date to date (see `kept_sums`).
        """
        log, tell = self.transactions.log, progress or (lambda _words: None)
        if log.store is None:
            return replace(self, sums=self._from_scratch(tell))
        tell(_("Folding in what is new"))
        sums = keep_sums(
            log,
            log.store,
            self._sum_up,
            lambda: self._from_scratch(tell),
            as_of=self.as_of,
            rate=self.annual_discount_rate,
            carries_orders=self.carries_orders,
        )
        return replace(self, sums=sums)

    def _from_scratch(self, tell: Progress) -> ir.Table:
        log = self.transactions.log
        number_of_slices = slices(log.rows, log.engine) if engines.tries(self.sums) else 1
        if number_of_slices == 1:
            tell(_("Summing up customers"))
            return engines.keep(self.sums)

        def parts() -> Iterator[ir.Table]:
            for number in range(number_of_slices):
                place = {"slice": number + 1, "all": number_of_slices}
                tell(Step(_("Summing up customers, slice {slice} of {all}", **place), *place.values()))
                yield self._sum_up(engines.slice_of(self.transactions.table, "customer_id", number, number_of_slices))

        return engines.keep_in_files(parts(), log.engine)

    def _sum_up(self, lines: ir.Table) -> ir.Table:
        return _per_customer(
            lines, self.as_of, self.annual_discount_rate, self.transactions, carries_orders=self.carries_orders
        )

    def sample(self, share: float) -> "CustomerTable":
        """Return about this share of the customers, drawn by the digests of their ids; the same at every call."""
        return self if share >= 1 else replace(self, sums=self.sums.filter(is_drawn(self.sums.customer_id, share)))

    def check_unchanged(self) -> None:
        """Raise `DataError` when a log read in place no longer holds the money that the door counted."""
        counted = self.transactions.reconciliation["money"].iloc[0]
        [row] = engines.rows_of(self.sums.aggregate(spend=self.sums.total.sum()))
        if row["spend"] != counted:
            now = f"{counted:,.2f} used at first, {row['spend'] or 0:,.2f} later"
            raise engines.changed_while_read(self.transactions.source, now)

    def summary(self) -> CustomerSummary:
        """Bring every customer over, sorted by customer_id."""
        frame = engines.fetch_frame(self.table)
        dates = dict.fromkeys(["first_purchase", "last_purchase"], "datetime64[us]")
        # Sorted here, because engines sort text in different ways.
        frame = frame.set_index("customer_id").sort_index().astype(dates)
        stands_for = self.transactions.stands_for
        return CustomerSummary(frame, self.time_unit, self.as_of, self.annual_discount_rate, stands_for)

    def fold(self, grid: Grid = "day") -> "FoldedHistories":
        """Count the customers of each distinct history, in their engine.

        Parameters
        ----------
        grid : {"day", "week", "month"}
            "day" is exact. "week" and "month" (30.4375 days) round the time since the first and since the last purchase
            to whole steps, never beyond what the days themselves allow, and so fold more customers into one row.
        """
        end = ibis.literal(self.as_of)
        counted = self.sums.select(
            frequency=self.sums.purchases - 1,
            T_days=days_between(self.sums.first_purchase, end),
            silent_days=days_between(self.sums.last_purchase, end),
        )
        if grid != "day":
            step = DAYS_PER_UNIT[grid]
            counted = counted.mutate(
                **{name: _on_grid(counted[name], step) for name in ("T_days", "silent_days")}
            ).mutate(silent_days=lambda rows: (rows.frequency == 0).ifelse(rows.T_days, rows.silent_days))
        folded = counted.group_by("frequency", "T_days", "silent_days").agg(customers=counted.count())
        return FoldedHistories(engines.keep(folded), self.time_unit, self.as_of, grid)

    def histories(self, grid: Grid = "day") -> Histories:
        """Bring over the distinct histories with their counts; `grid` as for `fold`."""
        return self.fold(grid).bring()

    def spending(self, rows: int) -> Histories:
        """Bring over how often and how much repeat buyers spend, folded where there are more than `rows` of them.

        Returns
        -------
        Histories
            frequency (as monetary_count), monetary_value and their counts. Folded, customers with the same count whose
            mean differs by less than 1% are one row at their mean; its error is of second order.
        """
        payers = self.table.filter(self.table.monetary_count > 0)
        payers = payers.select("monetary_count", "monetary_value")
        if engines.count(payers) > rows:
            step = (payers.monetary_value.ln() / _SPEND_STEP).round().cast("int64")
            folded = payers.group_by(payers.monetary_count, step=step).agg(
                monetary_value=payers.monetary_value.mean(), customers=payers.count()
            )
        else:
            folded = payers.mutate(customers=ibis.literal(1, "int64"))
        columns = engines.fetch(folded.select("monetary_count", "monetary_value", "customers"))
        count, value, customers = (columns[name].to_numpy() for name in columns.column_names)
        order = np.lexsort((value, count))
        frame = pd.DataFrame(
            {
                "frequency": count[order],
                "recency": 0.0,
                "T": 0.0,
                "monetary_value": value[order],
                "monetary_count": count[order],
            },
            index=pd.RangeIndex(len(order), name="customer_id"),
        )
        summary = CustomerSummary(frame, self.time_unit, self.as_of)
        return Histories(summary, pd.Series(customers[order].astype(float), index=frame.index, name="customers"))


def customer_table(
    transactions: Any,
    *,
    as_of: Day,
    time_unit: TimeUnit = "week",
    annual_discount_rate: float | None = None,
    carries_orders: bool = True,
) -> CustomerTable:
    """Summarise each customer's purchases up to a date, without bringing the customers over.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of, time_unit, annual_discount_rate
        As for `summarize_customers`, whose columns the table has.
    carries_orders : bool
        Whether orders_carried is wanted too, with a rate: only costs of an order need it.

    Returns
    -------
    CustomerTable
        An expression: nothing is computed before it is asked for.

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `as_of`.
    SettingsError
        When the time unit or the rate is wrong, or the log was cut before `as_of`.
    """
    check_time_unit(time_unit)
    day = to_day(as_of, "as_of")
    seen = seen_by(transactions, day)
    sums = _per_customer(seen.table, day, annual_discount_rate, seen, carries_orders=carries_orders)
    return CustomerTable(sums, time_unit, day, annual_discount_rate, seen, carries_orders)


def _per_customer(
    lines: ir.Table, as_of: date, annual_discount_rate: float | None, log: Transactions, *, carries_orders: bool
) -> ir.Table:
    """From used lines of a log to one row a customer."""
    days = _days_of(lines, log)
    if annual_discount_rate is not None:
        days = _carried(days, as_of, annual_discount_rate, log, orders=carries_orders)
    return customer_sums(days, log)


def slices(lines: int, engine: EngineSettings) -> int:
    """In how many slices customers are summed up, so that each fits into the engine's memory."""
    if engine.memory is None:
        return 1
    return max(1, math.ceil(lines * _BYTES_PER_LINE / (engine.memory_bytes * _OF_MEMORY)))


def customer_days(transactions: Transactions) -> ir.Table:
    """Return one row per purchase: customer_id, order_date, the summed amount, and the margin where lines have one."""
    return _days_of(transactions.table, transactions)


def _days_of(lines: ir.Table, log: Transactions) -> ir.Table:
    margin = {"margin": lines.margin.sum()} if log.log.margins is not None else {}
    return lines.group_by("customer_id", "order_date").agg(amount=_summed(lines.amount, log), **margin)


def _summed(amounts: ir.DecimalColumn, log: Transactions) -> ir.DecimalScalar:
    """Sum amounts. Engines make wide decimals of sums, which take twice the room and are slow to add and to write."""
    is_narrow = float(log.log.turnover) < _NARROW_LIMIT
    return amounts.sum().cast(MONEY) if is_narrow else amounts.sum()


def seen_by(transactions: Any, as_of: date) -> Transactions:
    """Return a log as it stood on a date; refuse one in which nobody had bought by then."""
    seen = read_transactions(transactions, as_of=as_of)
    if seen.first_date is None:
        raise DataError(
            f"{seen.source}: nobody has bought by {as_of}.\n"
            "To fix: choose a later date; the reconciliation tells what became of the rows."
        )
    return seen


def days_between(start: ir.DateValue, end: ir.DateValue) -> ir.IntegerValue:
    """Whole days from one day to another."""
    return end.delta(start, unit="day")


def customer_sums(days: ir.Table, log: Transactions) -> ir.Table:
    """One row a customer from one row a purchase: first and last day, counts and sums, which add up over stretches."""
    carried = [name for name in CARRIED if name in days.columns]
    sums = {
        "first_purchase": days.order_date.min(),
        "last_purchase": days.order_date.max(),
        "purchases": days.count(),
        "total": _summed(days.amount, log),
        # As a float: the least of pairs of decimals is slow to find, and rounding brings the decimal back.
        "first_amount": engines.at_least(days.amount.cast(float), days.order_date),
    }
    if not log.log.all_paid:
        paid = days.amount > 0
        sums |= {"paid_total": days.amount.sum(where=paid).fill_null(0), "paid_count": paid.sum()}
    if "margin" in days.columns:
        # How far purchases differ in their margin, beside how far customers do; see `margin_shares`.
        squared = days.margin.cast(float) ** 2 / days.amount.cast(float).nullif(0)
        squares = (days.amount > 0).ifelse(squared, 0.0).cast(_WIDE).sum()
        sums |= {"margin_so_far": days.margin.sum().cast(float), "margin_squares": squares.cast(float)}
    sums |= {name: days[name].sum().cast(float) for name in carried}
    return days.group_by("customer_id").agg(**sums)


def _carried(days: ir.Table, as_of: date, annual_discount_rate: float, log: Transactions, *, orders: bool) -> ir.Table:
    """Add what each purchase's amount, and the purchase itself, is worth when carried to the as-of date."""
    rate = annual_to_continuous(annual_discount_rate, "day")
    # Days as floats: DuckDB reads the rate as a decimal, and whole numbers times decimals are wide decimals, slowly.
    growth = (days_between(days.order_date, ibis.literal(as_of)).cast(float) * rate).exp()
    most = math.exp(min(rate * (as_of - (log.first_date or as_of)).days, 700))
    money = _NARROW if float(log.log.turnover) * most < _NARROW_LIMIT else _WIDE
    carried = {"spend_carried": (days.amount.cast(float) * growth).cast(money)}
    if "margin" in days.columns:
        carried["margin_carried"] = (days.margin.cast(float) * growth).cast(_WIDE)
    if orders:
        carried["orders_carried"] = growth.cast(_NARROW_ORDERS if most < _NARROW_GROWTH else _WIDE)
    return days.mutate(**carried)


def _in_units(sums: ir.Table, as_of: date, days_per_unit: float, *, all_paid: bool) -> ir.Table:
    """Turn sums into the columns of a `CustomerSummary`."""
    if all_paid:
        sums = sums.mutate(paid_total=sums.total, paid_count=sums.purchases)
    # The first order starts the clock and is not a repeat purchase (Fader, Hardie & Lee 2005): its amount is taken off,
    # which spares the engine a second pass over the days.
    first_paid = sums.first_amount > 0
    count = sums.paid_count - first_paid.ifelse(1, 0)
    repeat_spend = (sums.paid_total.cast(float) - first_paid.ifelse(sums.first_amount, 0.0)).round(4)
    end = ibis.literal(as_of)
    return sums.select(
        "customer_id",
        frequency=sums.purchases - 1,
        recency=days_between(sums.first_purchase, sums.last_purchase).cast(float) / days_per_unit,
        T=days_between(sums.first_purchase, end).cast(float) / days_per_unit,
        monetary_value=(count > 0).ifelse(repeat_spend / count.nullif(0), ibis.null(float)),
        monetary_count=count,
        total_spend=sums.total.cast(float),
        first_purchase=sums.first_purchase,
        last_purchase=sums.last_purchase,
        days_since_last=days_between(sums.last_purchase, end),
        **{name: sums[name] for name in (*CARRIED, "margin_so_far", "margin_squares") if name in sums.columns},
    )


def _on_grid(days: ir.IntegerValue, step: float) -> ir.IntegerValue:
    """Days rounded to whole steps."""
    return ((days.cast(float) / step).round() * step).round().cast("int64")


def check_grid(grid: str) -> None:
    """Raise `SettingsError` unless histories can be folded on this grid."""
    if grid not in ("day", "week", "month"):
        raise SettingsError(f"grid is {grid!r}; use 'day', 'week' or 'month'.")
