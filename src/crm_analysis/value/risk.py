"""What could go wrong with the customer asset: value in few hands, and value about to fall silent."""

from dataclasses import dataclass, replace
from datetime import timedelta

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.models.checks import is_number
from crm_analysis.models.histories import Floats
from crm_analysis.periods import DAYS_PER_UNIT
from crm_analysis.value.concentration import Concentration, value_concentration
from crm_analysis.value.lifetime_value import CustomerValues, of_histories, residual_value

TOP_SHARES = (0.01, 0.05, 0.10)


@dataclass(frozen=True, eq=False)
class EquityAtRisk:
    """What silence could cost within some days, and in how few hands the value is.

    Attributes
    ----------
    customers : DataFrame, indexed by customer_id
        - residual_value: as valued;
        - probability_silent: of no purchase within the days (by the purchase model; who left already is silent too);
        - value_after_silence: what the customer will be worth at their end if silent until then: valued again with the
          same purchases and the longer T, over the same horizon;
        - value_with_silent: probability_silent x residual_value;
        - expected_loss: probability_silent x (residual_value - value_after_silence), never below 0.
    value : float
        Residual value of the base.
    with_silent : float
        Sum of value_with_silent: the part of the value that is with customers who will not buy within the days. Most of
        them will not have left for that: an upper bound of what leaves.
    expected_loss : float
        Sum of expected_loss: by how much silence within the days is expected to lower the value of those who fall
        silent. Those who buy instead gain; the gain is not set against it.
    days : float
        The time looked ahead.
    concentration : Concentration
        Tenths, curve and Gini coefficient of the residual value.
    top_shares : Series, indexed by share of customers (0.01, 0.05, 0.10)
        Share of the value the most valuable so many hold; missing when the total is not positive.
    herfindahl : float
        Sum of squared shares of the positive values: 1 where one customer holds all. Missing where none is positive.
    effective_customers : float
        1 / herfindahl: so many customers of equal value would be as concentrated.

    Totals are those of the base, where a sample was valued.
    """

    customers: pd.DataFrame
    value: float
    with_silent: float
    expected_loss: float
    days: float
    concentration: Concentration
    top_shares: pd.Series
    herfindahl: float

    @property
    def effective_customers(self) -> float:
        """Customers of equal value that would be as concentrated."""
        return 1 / self.herfindahl

    @property
    def share_with_silent(self) -> float:
        """Share of the value that is with customers who will not buy within the days; missing without value."""
        return self.with_silent / self.value if self.value > 0 else float("nan")

    @property
    def share_lost(self) -> float:
        """Share of the value that silence is expected to cost within the days; missing without value."""
        return self.expected_loss / self.value if self.value > 0 else float("nan")


def equity_at_risk(values: CustomerValues, *, days: float = 90) -> EquityAtRisk:
    """Say how much of the value is with customers who will fall silent, and how few hold it.

    Parameters
    ----------
    values : CustomerValues
    days : float
        How far to look ahead, > 0.

    Returns
    -------
    EquityAtRisk

    Raises
    ------
    SettingsError
        When `days` is no length of time.
    """
    if not (is_number(days) and days > 0):
        raise SettingsError(f"days is {days!r}; give a number above 0, such as 90.")
    fit, customers, held = values.fits.purchases, values.customers, values.frame["residual_value"]
    horizon = days / DAYS_PER_UNIT[customers.time_unit]
    silent = fit.purchase_distribution(customers, horizon=horizon, most=0)[0]
    later = _after_silence(values, days)
    table = pd.DataFrame(
        {
            "residual_value": held,
            "probability_silent": silent,
            "value_after_silence": later,
            "value_with_silent": silent * held,
            "expected_loss": silent * (held - later).clip(lower=0),
        }
    )
    concentration = value_concentration(values)
    shares = pd.Series([concentration.share_of_top(top) for top in TOP_SHARES], index=pd.Index(TOP_SHARES, name="top"))
    return EquityAtRisk(
        customers=table,
        value=values.total,
        with_silent=float(table["value_with_silent"].sum()) * customers.stands_for,
        expected_loss=float(table["expected_loss"].sum()) * customers.stands_for,
        days=float(days),
        concentration=concentration,
        top_shares=shares,
        herfindahl=herfindahl(held.to_numpy()) / customers.stands_for,
    )


def herfindahl(amounts: Floats) -> float:
    """Sum of squared shares of the amounts above zero, 1/n to 1; missing where there is none.

    References
    ----------
    Hirschman (1964), The Paternity of an Index, American Economic Review 54(5).
    """
    positive = amounts[amounts > 0]
    return float(np.sum((positive / positive.sum()) ** 2)) if len(positive) else float("nan")


def _after_silence(values: CustomerValues, days: float) -> pd.Series:
    """Residual value of each customer so many days later, without a purchase in them."""
    customers = values.customers
    frame = customers.frame.assign(T=customers.frame["T"] + days / DAYS_PER_UNIT[customers.time_unit])
    as_of = None if customers.as_of is None else customers.as_of + timedelta(days=round(days))
    later = replace(customers, frame=frame, as_of=as_of)
    expected = of_histories(values.fits.purchases, later, values.assumptions)
    expected[["expected_spend", "margin"]] = values.frame[["expected_spend", "margin"]]
    found: pd.Series = residual_value(expected, values.assumptions)
    return found
