"""What share of a customer's spend is left, where lines of the log have margins of their own.

A customer with a long past is known by it; one with a single order says little. Credibility theory, by which insurers
weigh the claims of one contract against those of all, says how much: it compares how far customers differ from one
another with how far the purchases of one customer do.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
import pandas as pd

from crm_analysis.data.customer_summary import CustomerSummary
from crm_analysis.errors import DataError, SettingsError

# What shares are found from: of each customer, in a summary or in an engine.
NEEDED = ("margin_so_far", "margin_squares", "total_spend")
# Customers whose shares differ by less than a hundredth of a point differ by the rounding of money.
_NO_SPREAD = 1e-4


@dataclass(frozen=True)
class MarginShares:
    """How each customer's share of margin is drawn towards that of all. Made by `margin_shares`.

    Attributes
    ----------
    pooled : float
        Margin of all customers over their spend.
    credibility : float
        K, in currency: a customer who has spent so much is believed by half. Infinite where customers do not differ by
        more than their own purchases do, so that all have the pooled share; 0 where each is known for certain.
    """

    pooled: float
    credibility: float

    def of(self, customers: CustomerSummary) -> pd.Series:
        """Return the share of each customer: (M + K m) / (S + K), with M the margin and S the spend so far.

        Who has spent nothing, net of refunds, has the pooled share m.

        Raises
        ------
        SettingsError
            When the summary carries no margins.
        """
        require_margins(customers.frame.columns)
        margin, spend = (customers.frame[name].to_numpy(dtype=float) for name in ("margin_so_far", "total_spend"))
        share = np.full(len(customers), self.pooled)
        known = (spend > 0) & np.isfinite(self.credibility)
        share[known] = (margin[known] + self.credibility * self.pooled) / (spend[known] + self.credibility)
        return pd.Series(share, index=customers.frame.index, name="margin")


def margin_shares(customers: CustomerSummary) -> MarginShares:
    """Estimate how much the margins of single customers tell.

    Parameters
    ----------
    customers : CustomerSummary
        Of a log that was read with `margins`: margin_so_far, margin_squares, total_spend.

    Returns
    -------
    MarginShares

    Raises
    ------
    DataError
        When all lines together leave nothing, so that no share of spend can be taken for a margin.
    SettingsError
        When the summary carries no margins.

    Notes
    -----
    The share of margin of purchase j of customer i, X_ij, has mean m_i and variance v / w_ij, with the amount w_ij its
    weight; the m_i have variance a. Then (M_i + K m) / (S_i + K) with K = v / a is the best linear estimate of m_i.
    With n_i purchases of each of r customers, and means weighted by the amounts, these are without bias

    - v = sum_ij w_ij (X_ij - X_i)^2 / sum_i (n_i - 1);
    - a = (sum_i S_i (X_i - X)^2 - (r - 1) v) / (S - sum_i S_i^2 / S), where it is above zero.

    What was given away leaves a margin below zero on no amount; it counts among the purchases that differ. The pooled
    share m is that of all money, M / S, so that the past of all is told as it was.

    References
    ----------
    Buhlmann & Straub (1970), Mitteilungen der Vereinigung schweizerischer Versicherungsmathematiker 70, 111-133;
    Klugman, Panjer & Willmot (2012), Loss Models, 4th edition, section 19.2, for v and a.
    """
    require_margins(customers.frame.columns)
    frame = customers.frame[[*NEEDED, "frequency"]].astype(float)
    return shares_of_sums({name: float(column.sum()) for name, column in sums_to_add(frame).items()})


def sums_to_add(customers: Any) -> dict[str, Any]:
    """Return what to add up over customers, from a frame or a table in an engine: `shares_of_sums` takes the sums."""
    margin, squares, spend = (customers[name] for name in NEEDED)
    paid = _ones(spend > 0)
    # One where nothing was paid, so that no engine divides by zero there.
    weight = spend * paid + (1 - paid)
    within = squares - margin * margin / weight
    return {
        "margin": margin,
        "spend": spend,
        "customers": paid,
        "their_margin": margin * paid,
        "their_spend": spend * paid,
        "repeats": customers["frequency"] * paid,
        "within": _ones(within > 0) * within * paid,
        "squares": margin * margin / weight * paid,
        "spend_squares": spend * spend * paid,
    }


def _ones(condition: Any) -> Any:
    return condition.astype(float) if isinstance(condition, pd.Series) else condition.ifelse(1.0, 0.0)


def shares_of_sums(sums: Mapping[str, float]) -> MarginShares:
    """Estimate from the sums over customers; raise `DataError` where nothing is left of all spend."""
    pooled = sums["margin"] / sums["spend"] if sums["spend"] > 0 else np.nan
    if not 0 < pooled <= 1:
        raise DataError(
            f"transactions, margins: of a spend of {sums['spend']:,.2f} the lines left {sums['margin']:,.2f}.\n"
            'To fix: correct the costs or the rates, or set money.margin_from = "rate"; a valuation needs a share of '
            "spend above 0 and at most 1."
        )
    spend, unequal = sums["their_spend"], sums["their_spend"] - sums["spend_squares"] / sums["their_spend"]
    if sums["repeats"] == 0 or unequal <= 0:  # nobody bought twice, or there is one customer: nothing to compare
        return MarginShares(pooled, np.inf)
    within = sums["within"] / sums["repeats"]
    between = sums["squares"] - sums["their_margin"] ** 2 / spend
    spread = (between - (sums["customers"] - 1) * within) / unequal
    return MarginShares(pooled, within / spread if spread > _NO_SPREAD**2 else np.inf)


def has_margins(columns: Any) -> bool:
    """Whether customers carry the margins of their lines."""
    return all(name in columns for name in NEEDED)


def require_margins(columns: Any) -> None:
    """Raise `SettingsError` unless customers carry the margins of their lines."""
    if not has_margins(columns):
        raise SettingsError(
            "the customers carry no margins (margin_so_far, margin_squares): their log was read without. Read it with "
            'margins=LineMargins(told_by="lines") or as crm.toml says, and summarise it again.'
        )
