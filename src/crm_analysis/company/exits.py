"""Why customers left, of those who said so, and to whom they went."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Shares, Span, pick, words

SERVICE = "service"


@dataclass(frozen=True)
class ExitPlan:
    """What customers say when they leave.

    Attributes
    ----------
    told : float
        Share of the customers who have left of whom it is known.
    notice : float
        Mean days from the last purchase to the exit.
    reasons : tuple of (name, share)
        Why, of customers without an unhappy case.
    unhappy_case : float
        What a case after which the customer was not satisfied multiplies the weight of "service" by.
    no_rival : tuple of str
        Reasons for which a customer goes to nobody else.
    rivals : tuple of (name, share)
        Where the others go.
    wallet : tuple of float
        Share of wallet held before the exit: parameters of a beta distribution.
    """

    told: float = 0.45
    notice: float = 12.0
    reasons: Shares = (("price", 0.30), ("quality", 0.20), (SERVICE, 0.15), ("no need", 0.22), ("moved away", 0.13))
    unhappy_case: float = 4.0
    no_rival: tuple[str, ...] = ("no need", "moved away")
    rivals: Shares = (("Rival A", 0.50), ("Rival B", 0.30), ("Rival C", 0.20))
    wallet: tuple[float, float] = (2.0, 4.0)


def draw_exits(
    plan: ExitPlan, people: pd.DataFrame, cases: pd.DataFrame, span: Span, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the exits known by the as-of date: customer_id, left_on, reason, went_to, share_of_wallet.

    Parameters
    ----------
    plan : ExitPlan
        What is planted.
    people : DataFrame
        customer_id and died (day of the last purchase of those who left).
    cases : DataFrame
        The table of cases, for who was left unhappy.
    span : Span
        The time.
    rng : Generator
        Source of randomness.
    """
    n = len(people)
    left_on = people["died"].to_numpy() + np.ceil(rng.exponential(plan.notice, size=n))
    is_told = rng.random(n) < plan.told
    luck, rival = rng.random(n), pick(plan.rivals, n, rng)
    wallet = np.round(rng.beta(*plan.wallet, size=n), 3)

    unhappy = people["customer_id"].isin(cases.loc[cases["satisfied_after"].eq(False).fillna(False), "customer_id"])
    names = [name for name, _ in plan.reasons]
    weights = np.tile([share for _, share in plan.reasons], (n, 1))
    weights[unhappy.to_numpy(), names.index(SERVICE)] *= plan.unhappy_case
    cuts = np.cumsum(weights, axis=1) / weights.sum(axis=1, keepdims=True)
    reason = words(names, np.minimum((luck[:, None] > cuts).sum(axis=1), len(names) - 1))
    goes = ~np.isin(reason, plan.no_rival)

    known = np.flatnonzero(is_told & (left_on < span.days))  # never true of who has not left
    table = pd.DataFrame(
        {
            "customer_id": people["customer_id"].to_numpy()[known],
            "left_on": span.dates(left_on[known]),
            "reason": reason[known],
            "went_to": words([name for name, _ in plan.rivals], np.where(goes, rival, -1))[known],
            "share_of_wallet": wallet[known],
        }
    )
    return table.sort_values(["left_on", "customer_id"], ignore_index=True)
