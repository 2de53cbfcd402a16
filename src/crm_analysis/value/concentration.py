"""Who holds the value: tenths of customers, the concentration curve and its Gini coefficient."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.value.lifetime_value import CustomerValues
from crm_analysis.value.segment_base import counts_of_base, share_of_total
from crm_analysis.value.valued import Valued


@dataclass(frozen=True, eq=False)
class Concentration:
    """How unequally residual value is spread.

    Attributes
    ----------
    tenths : DataFrame, indexed by tenth (1 holds the most valuable customers)
        customers and value (of the base, where a sample was valued); share of the total (missing when that is not
        positive); mean_value; mean expected_purchases and expected_spend; mean orders so far; median days_since_last.
    curve : DataFrame
        Concentration curve from the most valuable customer down: share_of_customers, share_of_value, from (0, 0)
        to (1, 1); missing when the total is not positive.
    gini : float
        0 when all customers are worth the same, near 1 when one holds everything; above 1 is possible when some
        values are negative. Missing when the total is not positive.
    """

    tenths: pd.DataFrame
    curve: pd.DataFrame
    gini: float

    def share_of_top(self, share_of_customers: float) -> float:
        """Return the share of the value that the most valuable `share_of_customers` hold."""
        return float(np.interp(share_of_customers, self.curve["share_of_customers"], self.curve["share_of_value"]))


def value_concentration(values: Valued) -> Concentration:
    """Rank customers by residual value and say who holds how much of it.

    Parameters
    ----------
    values : CustomerValues or ContractValues
        At least ten customers make all tenths; fewer leave some out.

    Returns
    -------
    Concentration
    """
    # Ties are broken by customer id, so that the same inputs always give the same tenths.
    ranked = values.described().sort_index().sort_values("residual_value", ascending=False, kind="stable")
    tenth = pd.Series(np.arange(len(ranked)) * 10 // len(ranked) + 1, index=ranked.index, name="tenth")
    tenths = _tenths(ranked, tenth, values.stands_for)
    return Concentration(tenths, _curve(ranked["residual_value"]), gini(ranked["residual_value"]))


def _tenths(ranked: pd.DataFrame, tenth: pd.Series, stands_for: float) -> pd.DataFrame:
    groups = ranked.groupby(tenth)
    value = groups["residual_value"].sum() * stands_for
    columns = {
        "customers": counts_of_base(groups.size().to_numpy(), stands_for),
        "value": value,
        "share": share_of_total(value),
        "mean_value": groups["residual_value"].mean(),
        "expected_purchases": groups["expected_purchases"].mean(),
        "expected_spend": groups["expected_spend"].mean(),
        "orders": groups["orders"].mean(),
        "days_since_last": groups["days_since_last"].median(),
    }
    return pd.DataFrame(columns)


def _curve(ranked: pd.Series) -> pd.DataFrame:
    total = ranked.sum()
    shares = np.concatenate([[0.0], ranked.cumsum() / total]) if total > 0 else np.full(len(ranked) + 1, np.nan)
    return pd.DataFrame({"share_of_customers": np.linspace(0, 1, len(shares)), "share_of_value": shares})


def gini(values: pd.Series) -> float:
    """Gini coefficient of some amounts: half their mean absolute difference over their mean.

    Parameters
    ----------
    values : Series
        One amount a customer.

    Returns
    -------
    float
        Missing when the amounts do not add up to more than zero.
    """
    amounts = np.sort(values.to_numpy(dtype=np.float64))
    n, total = len(amounts), amounts.sum()
    if not total > 0:
        return float("nan")
    return float(2 * (np.arange(1, n + 1) @ amounts) / (n * total) - (n + 1) / n)


FREQUENCY_CLASSES = {"0": 0, "1": 1, "2": 2, "3–4": 3, "5–9": 5, "10+": 10}
SILENCE_CLASSES = {"0–30": 0, "31–90": 31, "91–180": 91, "181–270": 181, "271–365": 271, "366+": 366}


def value_by_history(values: CustomerValues) -> tuple[pd.DataFrame, pd.DataFrame]:
    """Mean residual value by how often customers have come back and how long they have been silent.

    Parameters
    ----------
    values : CustomerValues
        Its summary must have days_since_last.

    Returns
    -------
    mean_value, customers : DataFrame
        One row a class of repeat purchases, one column a class of days since the last purchase; the mean is missing
        where there are no customers; where a sample was valued, customers are those it stands for.
    """
    summary = values.customers.frame
    rows = _classes(summary["frequency"], FREQUENCY_CLASSES).rename("repeat_purchases")
    columns = _classes(summary["days_since_last"], SILENCE_CLASSES).rename("days_since_last")
    cells = values.frame["residual_value"].groupby([rows, columns], observed=False)
    customers = (cells.size() * values.customers.stands_for).round().astype("int64")
    return cells.mean().unstack(), customers.unstack()


def _classes(numbers: pd.Series, starts: dict[str, int]) -> pd.Series:
    edges = [*starts.values(), np.inf]
    return pd.cut(numbers, edges, right=False, labels=list(starts))
