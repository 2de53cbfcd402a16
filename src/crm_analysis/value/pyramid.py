"""The customer pyramid: tiers by residual value, from the few who hold most of it to the many who hold little."""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.errors import SettingsError
from crm_analysis.messages import _, count
from crm_analysis.segment_rules import PYRAMID_NAMES, PyramidRules, PyramidScale, as_tuple
from crm_analysis.value.segment_base import counts_of_base, share_of_total, valued_customers
from crm_analysis.value.valued import Valued


@dataclass(frozen=True, eq=False)
class CustomerPyramid:
    """Customers in tiers by residual value.

    Attributes
    ----------
    tier : Series of ordered categories, index customer_id
        The most valuable tier is the greatest.
    unprofitable : Series of bool, index customer_id
        Whether the residual value is negative: serving the customer costs more than the margin to come. Such customers
        are in the lowest tier whatever the cut-offs.
    table : DataFrame, index tier (from the top)
        customers (of the base, where a sample was valued); share_of_customers; value; share_of_value (missing where the
        total is not positive); mean_value, lowest_value, highest_value (currency); mean_orders; mean_days_since_last;
        unprofitable (customers). A tier without customers has counts of 0 and nothing else.
    rules : PyramidRules
        The cut-offs, names and scale in use.
    notes : tuple of str
        What a reader should know, in words: customers of equal value on both sides of a cut-off.
    """

    tier: pd.Series
    unprofitable: pd.Series
    table: pd.DataFrame
    rules: PyramidRules
    notes: tuple[str, ...]


def customer_pyramid(
    values: Valued,
    *,
    cut_offs: Sequence[float] = (0.04, 0.20, 0.50),
    names: Sequence[str] = PYRAMID_NAMES,
    by: PyramidScale = "customers",
) -> CustomerPyramid:
    """Divide customers into tiers by residual value.

    Parameters
    ----------
    values : CustomerValues or ContractValues
    cut_offs : sequence of float
        One fewer than names. By customers: shares of the customers, cumulative from the top; the default puts the top
        4% into platinum, the next 16% into gold, the next 30% into iron and the other half into lead. By value: shares
        of the total residual value, cumulative from the top; a tier is the fewest customers that reach its share. By
        money: the lowest residual value of each tier but the last, in currency, falling.
    names : sequence of str
        From the top; three make a pyramid of high, middle and low (`segment_rules.HIGH_MIDDLE_LOW`).
    by : {"customers", "value", "money"}

    Returns
    -------
    CustomerPyramid

    Raises
    ------
    DataError
        When a value is missing.
    SettingsError
        When cut-offs are out of order, out of range or not as many as the names ask for, names are blank or given
        twice; or when `by="value"` and the total is not positive and finite, so that it has no shares.

    Notes
    -----
    The cut-offs are conventions: the four tiers are from the source, which leaves it to each company where they end.
    Customers of equal value are told apart by customer id, as in `value_concentration`, so that the same inputs always
    give the same tiers; where that happens at a cut-off, `notes` says so.

    References
    ----------
    Zeithaml, Rust & Lemon (2001), "The Customer Pyramid: Creating and Serving Profitable Customers", California
    Management Review 43(4), 118-142.
    """
    rules = PyramidRules(as_tuple(cut_offs), as_tuple(names), by)
    customers = valued_customers(values)
    ranked = customers.sort_values("residual_value", ascending=False, kind="stable")
    worth = ranked["residual_value"].to_numpy()
    place = np.where(worth < 0, len(rules.names) - 1, _places(worth, rules)).astype(np.int64)
    tier = pd.Series(
        pd.Categorical.from_codes(len(rules.names) - 1 - place, categories=pd.Index(rules.names[::-1]), ordered=True),
        index=ranked.index,
        name="tier",
    )
    as_given = values.frame.index
    return CustomerPyramid(
        tier.reindex(as_given),
        (customers["residual_value"] < 0).rename("unprofitable").reindex(as_given),
        _table(ranked, place, rules.names, values.stands_for),
        rules,
        _ties(worth, place, rules.names),
    )


def _places(worth: np.ndarray, rules: PyramidRules) -> np.ndarray:
    """Number the tiers from the top, 0 being the first, of values that fall."""
    cut_offs = np.array(rules.cut_offs)
    if rules.by == "money":
        return np.searchsorted(-cut_offs, -worth, side="left")
    # A whole number of customers is not missed because a share such as 0.07 has no exact binary form.
    if rules.by == "customers":
        ends = np.ceil(cut_offs * len(worth) - 1e-9)
        return np.searchsorted(ends, np.arange(len(worth)), side="right")
    total = worth.sum()
    if not 0 < total < np.inf:
        raise SettingsError(
            f"the total residual value is {total:,.2f} and has no shares; use by='customers', or by='money'."
        )
    above = np.cumsum(worth) - worth
    return np.searchsorted(cut_offs * total, above + 1e-12 * total, side="right")


def _table(ranked: pd.DataFrame, place: np.ndarray, names: tuple[str, ...], stands_for: float) -> pd.DataFrame:
    tiers = pd.Series(pd.Categorical.from_codes(place, categories=pd.Index(names)), index=ranked.index)
    groups = ranked.groupby(tiers, observed=False)
    worth = groups["residual_value"]
    value = worth.sum() * stands_for
    unprofitable = (ranked["residual_value"] < 0).groupby(tiers, observed=False).sum()
    table = pd.DataFrame(
        {
            "customers": counts_of_base(groups.size().to_numpy(), stands_for),
            "share_of_customers": groups.size() / len(ranked),
            "value": value,
            "share_of_value": share_of_total(value),
            "mean_value": worth.mean(),
            "lowest_value": worth.min(),
            "highest_value": worth.max(),
            "mean_orders": groups["orders"].mean(),
            "mean_days_since_last": groups["days_since_last"].mean(),
            "unprofitable": (unprofitable * stands_for).round().astype("int64"),
        }
    )
    return table.rename_axis(index="tier")


def _ties(worth: np.ndarray, place: np.ndarray, names: tuple[str, ...]) -> tuple[str, ...]:
    """Name the tiers that customers of one value lie on both sides of."""
    split = np.flatnonzero((np.diff(place) > 0) & (worth[1:] == worth[:-1]))
    return tuple(
        _(
            "{number} customers at the edge of {above} and {below} are worth the same: their ids decide who is above.",
            number=count(int((worth == worth[at]).sum())),
            above=_(names[place[at]]),
            below=_(names[place[at + 1]]),
        )
        for at in split
    )
