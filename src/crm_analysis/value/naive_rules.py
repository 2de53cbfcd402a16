"""What one would forecast without a model: the rules that a model must beat to be worth its words."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

import pandas as pd

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.periods import DAYS_PER_UNIT

_RECENT_DAYS = 90.0


@dataclass(frozen=True, eq=False)
class KnownPast:
    """What is known on the day of a forecast.

    Attributes
    ----------
    customers : CustomerSummary
        As they stood on that day.
    last_period : Series, indexed by customer_id
        Repeat purchases of each customer in the `horizon` before that day.
    horizon : float
        How far to look, in the summary's time unit.
    """

    customers: CustomerSummary
    last_period: pd.Series
    horizon: float


NaiveRule = Callable[[KnownPast], pd.Series]
"""What is known to the expected purchases of each customer."""


def as_often_as_before(past: KnownPast) -> pd.Series:
    """Each customer goes on at the rate observed so far, frequency / T."""
    frame = past.customers.frame
    rate = (frame["frequency"] / frame["T"]).where(frame["T"] > 0, 0.0)
    return rate * past.horizon


def only_recent_buyers(past: KnownPast) -> pd.Series:
    """Who bought within the last 90 days goes on as before, the others have left."""
    frame = past.customers.frame
    silent = (frame["T"] - frame["recency"]) * DAYS_PER_UNIT[past.customers.time_unit]
    return as_often_as_before(past).where(silent <= _RECENT_DAYS, 0.0)


def same_as_last_period(past: KnownPast) -> pd.Series:
    """Each customer makes as many repeat purchases as in the period of the same length before."""
    return past.last_period.astype(float)


def mean_of_the_cohort(past: KnownPast) -> pd.Series:
    """Each customer goes on at the mean rate of those who first bought in the same month."""
    frame = past.customers.frame
    month = pd.to_datetime(frame["first_purchase"]).dt.to_period("M")
    sums = frame.groupby(month)[["frequency", "T"]].transform("sum")
    return (sums["frequency"] / sums["T"]).where(sums["T"] > 0, 0.0) * past.horizon


NAIVE_RULES: Mapping[str, NaiveRule] = {
    "as often as before": as_often_as_before,
    "only recent buyers": only_recent_buyers,
    "same as last period": same_as_last_period,
    "mean of the cohort": mean_of_the_cohort,
}
