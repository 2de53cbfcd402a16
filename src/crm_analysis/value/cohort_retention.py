"""Do newer cohorts stay longer and spend more? The share of each cohort that buys, period by period, and its money."""

from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.cohorts import Calendar, cohort_counts
from crm_analysis.data.contracts import Day, to_day
from crm_analysis.errors import SettingsError
from crm_analysis.models.shares import wilson_interval
from crm_analysis.value.lifetime_value import CustomerValues


@dataclass(frozen=True, eq=False)
class CohortRetention:
    """How many of each cohort bought in each period since, and what they brought in.

    Who does not buy in a period has not left for that: the share active is no retention rate of a contract, and can
    rise again.

    Attributes
    ----------
    frame : DataFrame, index (cohort, period); period 0 is the cohort's own month or year
        customers (size of the cohort), active (who bought in the period); share_active with its 95% interval (lower,
        upper; missing in period 0, where it is 1 by definition); purchases and spend per customer of the cohort,
        cumulated from period 0 on, and margin likewise (missing without `values`, unless the log was read with
        `margins`); is_partial.
    cohorts : DataFrame, index cohort
        customers; spend_so_far and margin_so_far per customer; residual_value per customer (with `values`: of all of
        them, those who left included; otherwise missing).
    by_period : DataFrame, index period
        The cohorts together: customers, active and share_active with its interval, from whole periods alone.
    by : {"month", "year"}
    """

    frame: pd.DataFrame
    cohorts: pd.DataFrame
    by_period: pd.DataFrame
    by: Calendar

    def triangle(self, column: str = "share_active", *, partial: bool = True) -> pd.DataFrame:
        """Return one column as a triangle: one row a cohort, one column a period, missing where nothing was observed.

        Parameters
        ----------
        column : str
            Of `frame`.
        partial : bool
            Whether to show periods that are not over; otherwise they are missing.
        """
        if column not in self.frame.columns:
            raise SettingsError(f"column is {column!r}; use one of {', '.join(self.frame.columns)}.")
        values = self.frame[column]
        return (values if partial else values.mask(self.frame["is_partial"])).unstack("period")


def cohort_retention(
    transactions: Any, *, as_of: Day, by: Calendar = "month", values: CustomerValues | None = None
) -> CohortRetention:
    """Follow each acquisition cohort: who still buys, and what its customers have brought in so far.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        End of observation: the log is counted as it stood then.
    by : {"month", "year"}
        Calendar months or years, of cohorts and of periods alike.
    values : CustomerValues, optional
        As of the same day: gives the margin, and what the customers of a cohort are worth from now on. A log that was
        read with `margins` tells the margin itself. The costs per order, of service and of acquisition are not taken
        off it.

    Returns
    -------
    CohortRetention

    Raises
    ------
    DataError
        When the log is refused, or nobody has bought by `as_of`.
    SettingsError
        When `as_of` or `by` is wrong, or the values are of another day or know no first purchases.
    """
    day = to_day(as_of, "as_of")
    if values is not None and (values.customers.as_of != day or "first_purchase" not in values.customers.frame):
        raise SettingsError(
            f"the values are as of {values.customers.as_of}, the cohorts as of {day}; value the customers that "
            f"summarize_customers(log, as_of={day}) finds."
        )
    counts = cohort_counts(transactions, as_of=day, by=by)
    margin = np.nan if values is None else values.assumptions.margin
    size, period = counts["customers"], counts.index.get_level_values("period")
    lower, upper = wilson_interval(counts["active"], size)
    summed = [name for name in ("purchases", "spend", "margin") if name in counts]
    cumulated = counts[summed].groupby(level="cohort").cumsum().div(size, axis=0)
    frame = pd.DataFrame(
        {
            "customers": size,
            "active": counts["active"],
            "share_active": counts["active"] / size,
            "lower": np.where(period == 0, np.nan, lower),
            "upper": np.where(period == 0, np.nan, upper),
            "purchases": cumulated["purchases"],
            "spend": cumulated["spend"],
            "margin": cumulated["margin"] if "margin" in cumulated else cumulated["spend"] * margin,
            "is_partial": counts["is_partial"],
        }
    )
    return CohortRetention(frame, _cohorts(frame, values, by), _by_period(frame), by)


def _cohorts(frame: pd.DataFrame, values: CustomerValues | None, by: Calendar) -> pd.DataFrame:
    last = frame.groupby(level="cohort")[["customers", "spend", "margin"]].last()
    cohorts = last.rename(columns={"spend": "spend_so_far", "margin": "margin_so_far"})
    if values is None:
        return cohorts.assign(residual_value=np.nan)
    first = pd.to_datetime(values.customers.frame["first_purchase"])
    cohort = first.dt.strftime("%Y-%m" if by == "month" else "%Y").rename("cohort")
    return cohorts.assign(residual_value=values.frame["residual_value"].groupby(cohort).mean())


def _by_period(frame: pd.DataFrame) -> pd.DataFrame:
    whole = frame[~frame["is_partial"]]
    totals = whole.groupby(level="period")[["customers", "active"]].sum()
    lower, upper = wilson_interval(totals["active"], totals["customers"])
    is_first = totals.index == 0
    return totals.assign(
        share_active=totals["active"] / totals["customers"],
        lower=np.where(is_first, np.nan, lower),
        upper=np.where(is_first, np.nan, upper),
    )
