"""What a customer base of any size is worth: fitted on its distinct histories, valued where its customers are.

The customers never come to this process. What does is one row for each distinct history, with a count; what goes back
is what the model says of that history, joined in the engine. Where even the distinct histories are too many, the fits
rest on histories folded on a grid, and the customers are valued batch by batch.
"""

from collections.abc import Iterator
from dataclasses import dataclass, replace
from functools import cached_property
from pathlib import Path
from typing import Any

import ibis
import ibis.expr.datatypes as dt
import ibis.expr.types as ir
import pandas as pd
import pyarrow as pa

from crm_analysis.data import engines
from crm_analysis.data.contracts import Day
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.customer_table import HISTORY, CustomerTable, Grid, Histories, check_grid, customer_table
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, percent, signed
from crm_analysis.models.gamma_gamma import GammaGammaParams, fit_gamma_gamma
from crm_analysis.models.purchase_fit import PurchaseFit
from crm_analysis.models.registry import fitter
from crm_analysis.periods import Horizon, TimeUnit
from crm_analysis.progress import Progress
from crm_analysis.value.lifetime_value import (
    VALUES,
    Assumptions,
    Costs,
    Fits,
    assume,
    earned_value,
    of_histories,
    residual_value,
    value_by,
)
from crm_analysis.value.margin_shares import MarginShares, require_margins, shares_of_sums, sums_to_add

# So many rows of a base come to this process at most; beyond it, histories are folded and customers go by batches.
LARGEST_HERE = 5_000_000
_BATCH = 500_000
_SUMMED = dt.Decimal(38, 8)
# So many customers tell how far a grid is off.
_SAMPLE = 50_000
# Of the histories, what is joined back to each customer.
_JOINED = ("probability_alive", "expected_purchases", "discounted_purchases", "service_to_come", "costs_so_far")
_KNOWN = ("customer_id", "frequency", "recency", "T", "monetary_value")


@dataclass(frozen=True, eq=False)
class BaseValues:
    """What every customer of a base is worth, as a table of its engine. Made by `value_customer_base`.

    Attributes
    ----------
    fits : Fits
        purchases and spend.
    customers : CustomerTable
        Kept in its engine.
    histories : Histories
        The distinct rows the purchase model was fitted to, with their counts.
    assumptions : Assumptions
    grid : {"day", "week", "month"}
        What the histories were rounded to for the fit; values are those of the exact days in any case.
    joined_back : Histories or None
        The exact histories, valued once each and joined back to their customers; None where they are too many.
    grid_error : float
        By what share the grid moves the purchases expected of a sample of customers who are fitted both ways; 0 for the
        days themselves and for a fit that was given.
    """

    fits: Fits
    customers: CustomerTable
    histories: Histories
    assumptions: Assumptions
    grid: Grid
    joined_back: Histories | None
    grid_error: float

    @property
    def by_batches(self) -> bool:
        """Whether customers are valued batch by batch, because their histories are too many to be joined back."""
        return self.joined_back is None

    @property
    def number_of_customers(self) -> int:
        """Customers valued."""
        return int(self.histories.counts.sum())

    @property
    def method(self) -> str:
        """What was fitted to how many rows, and how the values reach the customers, in words."""
        rows = _(
            "{model} and {spend}, fitted to {histories} distinct histories of {customers} customers",
            model=self.fits.purchases.model_name,
            spend=self.fits.spend.model_name,
            histories=count(len(self.histories)),
            customers=count(self.number_of_customers),
        )
        if self.grid != "day":
            rows = _(
                "{rows}, rounded to the {grid} (which moves what is expected of a sample of customers by {error})",
                rows=rows,
                grid=_(self.grid),
                error=signed(percent(self.grid_error, 2), self.grid_error),
            )
        how = (
            _("customers are valued batch by batch.")
            if self.by_batches
            else _("each history is valued once and joined back to its customers in the engine.")
        )
        return f"{rows}; {how}"

    @cached_property
    def table(self) -> ir.Table:
        """One row a customer: customer_id, frequency, recency, T, monetary_value and the columns of `CustomerValues`.

        Raises
        ------
        SettingsError
            When customers are valued batch by batch: then there is no such table before it is written.
        """
        if self.joined_back is None:
            raise SettingsError("the customers are valued batch by batch; write the values, then read them.")
        known = self.customers.table
        predicted = engines.join_small(known, _predictions(self.fits.purchases, self.joined_back, self.assumptions))
        joined = known.inner_join(predicted, list(HISTORY))
        valued = joined.mutate(
            expected_spend=_expected_spend(self.fits.spend.params, joined), margin=_margin(self.assumptions, joined)
        )
        valued = valued.mutate(residual_value=residual_value(valued, self.assumptions))
        has_past = self.customers.annual_discount_rate is not None
        earned = earned_value(valued, self.assumptions) if has_past else ibis.null(float)
        valued = valued.mutate(earned_value=earned)
        return valued.mutate(lifetime_value=valued.earned_value + valued.residual_value).select(*_KNOWN, *VALUES)

    def write(self, path: str | Path, *, folder: bool = False) -> None:
        """Write the table to Parquet, from the engine: a file, or a folder of files; complete or not at all."""
        if self.by_batches:
            # Spark sends what it needs to its workers; a table of an engine cannot go there, and is not needed.
            nothing: Any = None
            bare = replace(
                self, histories=nothing, customers=replace(self.customers, sums=nothing, transactions=nothing)
            )
            engines.write_mapped(self.customers.table, bare._valued, Path(path), rows=_BATCH, folder=folder)
        else:
            engines.write_parquet(self.table, Path(path), folder=folder)

    def write_table(self, name: str) -> None:
        """Write the table as a new table of the engine the customers are in."""
        if self.by_batches:
            raise SettingsError("the customers are valued batch by batch; write a folder of Parquet files instead.")
        engines.write_table(self.table, name)

    def _valued(self, batches: Iterator[pa.RecordBatch]) -> Iterator[pa.RecordBatch]:
        """Value customers batch by batch, here or on the engine's own workers."""
        for batch in batches:
            customers = CustomerSummary(
                batch.to_pandas(), self.customers.time_unit, self.customers.as_of, self.customers.annual_discount_rate
            )
            values = value_by(self.fits, customers, self.assumptions)
            known = customers.frame.reset_index()[list(_KNOWN)]
            frame = pd.concat([known, values.frame.reset_index(drop=True)], axis=1)
            yield pa.RecordBatch.from_pandas(frame, preserve_index=False)


def value_customer_base(
    transactions: Any,
    *,
    as_of: Day,
    horizon: Horizon | None,
    annual_discount_rate: float,
    margin: float | None,
    costs: Costs | None = None,
    model: str | PurchaseFit = "BG/NBD",
    time_unit: TimeUnit = "week",
    grid: Grid = "day",
    largest_here: int = LARGEST_HERE,
    progress: Progress | None = None,
) -> BaseValues:
    """Value every customer of a log on a date, without bringing the customers over.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log, in any engine.
    as_of : date or str
        Last day that is known.
    horizon, annual_discount_rate, costs
        As for `lifetime_value`.
    margin : float or None
        Share of spend that is left; None: that of each customer, of a log that was read with `margins`.
    model : str or PurchaseFit
        A purchase model by name, one that lives on frequency, recency and T, or a fit to take as it is.
    time_unit : {"day", "week", "month"}
        Unit the model counts in.
    grid : {"day", "week", "month"}
        "day" fits the exact histories; a coarser grid folds more customers into one row (see `CustomerTable`).
    largest_here : int
        So many distinct histories come to this process at most. Where there are more, the fit is on the week's grid, or
        the month's, and customers are valued batch by batch.
    progress : callable, optional
        Told in words what is being done, and how far it is where that is known.

    Returns
    -------
    BaseValues

    Raises
    ------
    DataError
        When the log is refused, nobody has bought by `as_of`, or nobody has bought again.
    SettingsError
        When a parameter is wrong.
    """
    check_grid(grid)
    tell = progress or (lambda _words: None)
    base = customer_table(
        transactions,
        as_of=as_of,
        time_unit=time_unit,
        annual_discount_rate=annual_discount_rate,
        carries_orders=costs is not None and costs.cost_per_order > 0,
    ).keep(progress)
    base.check_unchanged()
    tell(_("Counting distinct histories"))
    taken = assume(
        time_unit,
        base.as_of,
        horizon=horizon,
        annual_discount_rate=annual_discount_rate,
        margin=_shares(base) if margin is None else margin,
        costs=costs,
    )
    exact = base.fold()
    by_batches = len(exact) > largest_here
    fitted_on: Grid = "week" if by_batches and grid == "day" else grid
    folded = exact if fitted_on == "day" else base.fold(fitted_on)
    if len(folded) > largest_here:
        folded = base.fold("month")
    histories = folded.bring()
    tell(_("Fitting to {histories} distinct histories", histories=count(len(histories))))
    purchases = _purchase_fit(model, histories)
    spending = base.spending(largest_here // 5)
    spend = fit_gamma_gamma(spending.customers, weights=spending.counts)
    joined_back = None if by_batches else histories if folded is exact else exact.bring()
    error = 0.0
    if folded.grid != "day" and not isinstance(model, PurchaseFit):
        error = _grid_error(base.sample(_SAMPLE / histories.counts.sum()), folded.grid, model, taken)
    return BaseValues(Fits(purchases, spend), base, histories, taken, folded.grid, joined_back, error)


def _shares(base: CustomerTable) -> MarginShares:
    """Estimate how much the margins of single customers tell, from sums over them in their engine."""
    require_margins(base.table.columns)
    # As decimals: sums of floats depend on the order in which threads add.
    wanted = {name: column.cast(_SUMMED).sum() for name, column in sums_to_add(base.table).items()}
    [sums] = engines.rows_of(base.table.aggregate(**wanted))
    return shares_of_sums({name: float(total) for name, total in sums.items()})


def _margin(taken: Assumptions, customers: ir.Table) -> ir.Value:
    """Share of spend that is left of each customer, as an expression of the engine; see `MarginShares.of`."""
    own = taken.own_margins
    if own is None or own.credibility == float("inf"):
        return ibis.literal(repr(taken.margin)).cast(float)  # a bare 0.3 is a decimal to DuckDB
    has_spent = customers.total_spend > 0
    known = (has_spent.ifelse(customers.total_spend, 1.0) + own.credibility).cast(float)
    share = has_spent.ifelse((customers.margin_so_far + own.credibility * own.pooled) / known, own.pooled)
    return share * (taken.margin / own.pooled)


def _grid_error(sample: CustomerTable, grid: Grid, model: str, taken: Assumptions) -> float:
    """By what share a grid moves what is expected of all in a sample: fitted both ways, predicted on the exact days."""
    exact = sample.histories()

    def expected(fitted_on: Histories) -> float:
        purchases = of_histories(_purchase_fit(model, fitted_on), exact.customers, taken)["discounted_purchases"]
        return float((purchases * exact.counts).sum())

    return expected(sample.histories(grid)) / expected(exact) - 1


def _purchase_fit(model: str | PurchaseFit, histories: Histories) -> PurchaseFit:
    if isinstance(model, PurchaseFit):
        return model
    fit: Any = fitter(model)
    return fit(histories.customers, weights=histories.counts)


def _predictions(purchases: PurchaseFit, histories: Histories, taken: Assumptions) -> pa.Table:
    """What the model says of each distinct history, by the columns a history is told by."""
    frame = of_histories(purchases, histories.customers, taken)
    known = histories.customers.frame
    days = {name: pa.array(known[name].to_numpy(), pa.timestamp("us")).cast(pa.date32()) for name in HISTORY[1:]}
    columns = {"frequency": pa.array(known["frequency"].to_numpy()), **days}
    return pa.table(columns | {name: pa.array(frame[name].to_numpy(float)) for name in _JOINED})


def _expected_spend(params: GammaGammaParams, customers: ir.Table) -> ir.FloatingValue:
    """Expected value of the next purchase (Fader & Hardie 2013, eq. 5), as an expression of the engine."""
    p, q, v = params
    x = customers.monetary_count.cast(float)
    paid = (x > 0).ifelse(x * customers.monetary_value, 0.0).fill_null(0.0)
    weight = x * p + (q - 1)
    return (weight > 0).ifelse((paid + v) * p / weight.nullif(0), float("inf"))
