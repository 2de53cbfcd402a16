"""Key accounts under review, scored by people who know more or less; and what customers on credit still owe."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Span, on_scale
from crm_analysis.models.histories import Floats


@dataclass(frozen=True)
class AccountPlan:
    """Who is a key account, how well scores follow the truth, and how bills are paid.

    Attributes
    ----------
    kinds : tuple of str
        Kinds of customers that can be key accounts.
    share, least : float, int
        How many of them are: a share of all customers, of those still there the ones with the highest expected revenue,
        and this many at least where there are so many.
    insight : float
        Correlation of each score with what it is of, before rounding: cooperation with satisfaction, size with mean
        spend, wallet with expected revenue, potential with the purchase rate. strategic_weight follows nothing.
    terms : int
        Days after which the last order of a customer on credit is due.
    unpaid : float
        Share of the orders that are due and have not been paid.
    doubtful_after : int
        Days overdue from which on a receivable is doubtful.
    """

    kinds: tuple[str, ...] = ("company", "intermediary", "public")
    share: float = 0.01
    least: int = 10
    insight: float = 0.7
    terms: int = 30
    unpaid: float = 0.10
    doubtful_after: int = 90


def draw_accounts(plan: AccountPlan, people: pd.DataFrame, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the key accounts and their scores, 1 to 10."""
    there = ~(people["died"] < span.days) & people["kind"].isin(plan.kinds)
    revenue = (people["purchase_rate"] * people["mean_spend"])[there]
    count = max(plan.least, round(plan.share * len(people)))
    chosen = people.loc[revenue.sort_values(ascending=False, kind="stable").index[:count].sort_values()]

    def score(truth: pd.Series | None) -> Floats:
        luck = rng.standard_normal(len(chosen))
        latent = luck if truth is None else plan.insight * _standardised(truth) + np.sqrt(1 - plan.insight**2) * luck
        return on_scale(latent, 5.5, 2.0, 1, 10).astype(int)

    spend, rate = np.log(chosen["mean_spend"]), np.log(chosen["purchase_rate"])
    return pd.DataFrame(
        {
            "customer_id": chosen["customer_id"].to_numpy(),
            "cooperation": score(chosen["satisfaction"]),
            "potential": score(rate),
            "strategic_weight": score(None),
            "wallet": score(spend + rate),
            "size": score(spend),
        }
    )


def _standardised(values: pd.Series) -> Floats:
    spread = float(values.std(ddof=0)) if len(values) else 0.0
    return ((values - values.mean()) / spread).to_numpy(float) if spread > 0 else np.zeros(len(values))


def draw_receivables(
    plan: AccountPlan, people: pd.DataFrame, orders: pd.DataFrame, span: Span, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw receivable_status (none, current, overdue, doubtful), receivable_amount and receivable_due.

    Only the last order of a customer on credit can be open: it is until it is due, and after that where it is unpaid.
    """
    n = len(people)
    is_unpaid = rng.random(n) < plan.unpaid
    last = orders[orders["day"] < span.days].groupby("customer")[["day", "cents"]].last().reindex(range(n))
    due = last["day"].to_numpy() + plan.terms
    overdue = (span.days - 1) - due
    is_open = people["settlement"].eq("credit").to_numpy() & ((overdue <= 0) | is_unpaid)
    status = np.select(
        [~is_open, overdue <= 0, overdue < plan.doubtful_after], ["none", "current", "overdue"], "doubtful"
    )
    return pd.DataFrame(
        {
            "receivable_status": status.astype(object),
            "receivable_amount": np.where(is_open, last["cents"].to_numpy() / 100, 0.0),
            "receivable_due": span.dates(np.where(is_open, due, np.nan)),
        }
    )
