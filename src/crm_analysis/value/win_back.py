"""Whom it pays to win back: what a returned customer is worth, how likely a return is, and what asking costs."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import timedelta
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.contracts import Day, to_day
from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.data.purchases_between import purchases_between
from crm_analysis.data.summaries import summarize_customers
from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count, day
from crm_analysis.models.checks import check_whole, is_number
from crm_analysis.models.shares import wilson_interval
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.value.lifetime_value import CustomerValues, of_histories, residual_value


@dataclass(frozen=True, eq=False)
class ComebackRates:
    """How many silent customers came back, by how long they had been silent.

    Attributes
    ----------
    frame : DataFrame, indexed by the least days of silence of each class
        customers, came_back (counts); share with its 95% interval (lower, upper); missing where nobody was so silent.
    within_days : int
        How long they were watched.
    source : str
        Where the shares come from, in words.
    """

    frame: pd.DataFrame
    within_days: int
    source: str

    def of(self, days_silent: pd.Series) -> pd.Series:
        """Return the share of each customer's class; missing for those less silent than the first."""
        place = np.searchsorted(self.frame.index.to_numpy(), days_silent.to_numpy(), side="right") - 1
        shares = np.append(self.frame["share"].to_numpy(), np.nan)  # the last stands for place -1
        return pd.Series(shares[place], index=days_silent.index, name="chance")


def comeback_rates(
    transactions: Any, *, as_of: Day, silent_days: int | Sequence[int], within_days: int
) -> ComebackRates:
    """Learn from the log how many of those who had been silent came back.

    Parameters
    ----------
    transactions : Transactions or anything `read_transactions` accepts
        The purchase log.
    as_of : date or str
        The customers are those of `within_days` before; this is the last day they are watched.
    silent_days : int or sequence of int
        Least days since the last purchase, of each class of silence, rising; a class ends where the next begins.
    within_days : int
        How long they are watched, >= 1.

    Returns
    -------
    ComebackRates
        Of all so silent, whether or not anybody tried to win them back: no measure of what trying achieves. A class
        holds frequent and rare buyers alike, and the chance of one of them may be another than its share.

    Raises
    ------
    DataError
        When the log is refused, or nobody had bought by then.
    SettingsError
        When numbers are no rising counts, or the log was cut before `as_of`.
    """
    check_whole("within_days", within_days, least=1)
    classes = list(silent_days) if isinstance(silent_days, Sequence) else [silent_days]
    for least in classes:
        check_whole("silent_days", least, least=0)
    if not classes or sorted(set(classes)) != classes:
        raise SettingsError(f"silent_days is {silent_days!r}; give days that rise, such as [90, 180, 365].")
    last = to_day(as_of, "as_of")
    first = last - timedelta(days=within_days)
    silent = summarize_customers(transactions, as_of=first).frame["days_since_last"]
    back = silent.index.isin(purchases_between(transactions, after=first, until=last).index)
    place = np.searchsorted(classes, silent.to_numpy(), side="right") - 1
    customers, came_back = (
        np.bincount(place[chosen], minlength=len(classes)) for chosen in (place >= 0, (place >= 0) & back)
    )
    lower, upper = wilson_interval(came_back, customers)
    with np.errstate(invalid="ignore"):
        share = came_back / customers
    frame = pd.DataFrame(
        {"customers": customers, "came_back": came_back, "share": share, "lower": lower, "upper": upper},
        index=pd.Index(classes, name="silent_days"),
    )
    source = _(
        "Share of customers as silent on {date} who bought within {days} days, asked or not.",
        date=day(first),
        days=count(within_days),
    )
    return ComebackRates(frame, within_days, source)


def value_if_back(values: CustomerValues) -> pd.Series:
    """What each customer would be worth from now on, had they bought once more today.

    The history is the customer's own with one purchase more, made on the as-of date, and spend per purchase as before;
    the margin of that purchase itself is not in it. Everything else is as in `values`.

    Returns
    -------
    Series, indexed by customer_id
        In the currency of the transactions, within the horizon of the values.
    """
    customers = values.customers
    frame = customers.frame.assign(monetary_count=customers.monetary_count)
    frame = frame.assign(frequency=frame["frequency"] + 1, recency=frame["T"])
    if "last_purchase" in frame and customers.as_of is not None:
        frame["last_purchase"] = pd.Timestamp(customers.as_of)
    back = CustomerSummary(frame, customers.time_unit, customers.as_of)
    expected = of_histories(values.fits.purchases, back, values.assumptions)
    expected[["expected_spend", "margin"]] = values.frame[["expected_spend", "margin"]]
    found: pd.Series = residual_value(expected, values.assumptions)
    return found.rename("value_if_back")


def win_backs(
    values: CustomerValues,
    *,
    cost: float,
    chance: float | pd.Series | ComebackRates,
    chance_source: str | None = None,
    silent_days: int,
    most: int = 50,
) -> pd.DataFrame:
    """List the silent customers whom it pays most to win back.

    Parameters
    ----------
    values : CustomerValues
    cost : float
        Of trying to win one customer back, in the log's currency, >= 0.
    chance : float, Series indexed by customer_id, or ComebackRates
        That a customer who is tried for comes back because of it, 0 to 1. Rates of the log are those of customers who
        came back anyhow; taken as the chance they say what trying would be worth if it brought back as many again.
    chance_source : str, optional
        Where the chance comes from, in words; needed unless `ComebackRates` say so themselves.
    silent_days : int
        Who has not bought for so many days counts as lost, >= 0.
    most : int
        Length of the list.

    Returns
    -------
    DataFrame, indexed by customer_id, the highest expected_gain first
        days_silent; probability_alive; residual_value (without trying); value_if_back; chance; cost; expected_gain =
        chance x (value_if_back - residual_value) - cost. `attrs["chance_source"]` holds the source. Customers whose
        expected gain is not above zero, and those without a chance, are not in it.

    Raises
    ------
    SettingsError
        When a number is out of range, or the source of the chance is not named.
    """
    check_whole("silent_days", silent_days, least=0)
    check_whole("most", most, least=1)
    if not (is_number(cost) and cost >= 0):
        raise SettingsError(f"cost is {cost!r}; give an amount of 0 or more for each customer tried for.")
    source = chance_source or (chance.source if isinstance(chance, ComebackRates) else "")
    if not source.strip():
        raise SettingsError("name where the chance comes from: chance_source='test of May 2024, 400 letters'.")
    summary = values.customers
    days = ((summary.frame["T"] - summary.frame["recency"]) * DAYS_PER_UNIT[summary.time_unit]).round().astype("int64")
    silent = days >= silent_days
    back = value_if_back(_only(values, silent))
    table = pd.DataFrame(
        {
            "days_silent": days[silent],
            "probability_alive": values.frame.loc[silent, "probability_alive"],
            "residual_value": values.frame.loc[silent, "residual_value"],
            "value_if_back": back,
            "chance": _chances(chance, days[silent]),
            "cost": float(cost),
        }
    )
    gain = table["chance"] * (table["value_if_back"] - table["residual_value"]) - table["cost"]
    table = table.assign(expected_gain=gain)[gain > 0]
    # Ties are broken by customer id, so that the same inputs always give the same list.
    table = table.sort_index().sort_values("expected_gain", ascending=False, kind="stable").head(most)
    table.attrs["chance_source"] = source
    return table


def _only(values: CustomerValues, chosen: pd.Series) -> CustomerValues:
    customers = replace(values.customers, frame=values.customers.frame[chosen])
    return replace(values, frame=values.frame[chosen], customers=customers)


def _chances(chance: float | pd.Series | ComebackRates, days: pd.Series) -> pd.Series:
    if isinstance(chance, ComebackRates):
        return chance.of(days)
    given = chance.reindex(days.index) if isinstance(chance, pd.Series) else pd.Series(chance, index=days.index)
    chances = pd.to_numeric(given, errors="coerce").astype("float64")
    if (given.notna() & ~chances.between(0, 1)).any():
        raise SettingsError("chance: give probabilities from 0 to 1, such as 0.05 for one in twenty.")
    return chances
