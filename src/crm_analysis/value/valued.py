"""What segments, tiers and tables ask of a valuation, whether its customers buy or have contracts."""

from datetime import date
from typing import Protocol, runtime_checkable

import pandas as pd

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.periods import DAYS_PER_UNIT


@runtime_checkable
class Valued(Protocol):
    """Customers with what each is worth: `CustomerValues` and `ContractValues`."""

    @property
    def frame(self) -> pd.DataFrame:
        """One row a customer, indexed by customer_id, with residual_value in currency."""
        ...

    @property
    def as_of(self) -> date | None:
        """Last day that is known."""
        ...

    @property
    def total(self) -> float:
        """Residual value of the base."""
        ...

    @property
    def number_of_customers(self) -> int:
        """Customers of the base."""
        ...

    @property
    def stands_for(self) -> float:
        """Customers of the base for each that was valued; 1 where all were."""
        ...

    @property
    def attributes(self) -> pd.DataFrame:
        """What else is known of each customer, indexed by customer_id."""
        ...

    def described(self) -> pd.DataFrame:
        """Say of each customer what segments are described by.

        Returns
        -------
        DataFrame, indexed by customer_id
            probability_alive, residual_value; orders so far (count), days_since_last (where known); expected_purchases
            within the horizon and expected_spend at each.
        """
        ...


def days_since_last(customers: CustomerSummary) -> pd.Series:
    """Days from the last purchase to the end of observation: as the summary has them, or T less recency."""
    frame = customers.frame
    if "days_since_last" in frame.columns:
        return frame["days_since_last"].astype("float64")
    # Rounded, so that equal silences stay equal after the change of unit.
    silence = ((frame["T"] - frame["recency"]) * DAYS_PER_UNIT[customers.time_unit]).round(6).clip(lower=0)
    return silence.rename("days_since_last")
