"""Club memberships: renewed month by month or year by year, each at a chance of the member's own (sBG)."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Span, add_months, pick, words
from crm_analysis.models import sbg
from crm_analysis.models.sbg import SBGParams


class ClubPlan(NamedTuple):
    """One kind of contract: its share of the members, months between renewals, and how members leave."""

    name: str
    share: float
    months: int
    renewal: SBGParams


@dataclass(frozen=True)
class ContractPlan:
    """Who is a member, and for how long.

    Attributes
    ----------
    share : float
        Of customers who ever join, whatever else they are.
    joins_within : int
        Days from the first purchase until they do, evenly.
    clubs : tuple of ClubPlan
        The contracts there are.
    """

    share: float = 0.33
    joins_within: int = 60
    clubs: tuple[ClubPlan, ...] = (
        ClubPlan("club monthly", 0.6, 1, SBGParams(alpha=0.8, beta=6.0)),
        ClubPlan("club yearly", 0.4, 12, SBGParams(alpha=0.9, beta=2.1)),
    )


def draw_memberships(plan: ContractPlan, people: pd.DataFrame, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the contracts that have started by the as-of date, with their ends as far as these are known."""
    n = len(people)
    joins = rng.random(n) < plan.share
    day = people["acquired"].to_numpy() + rng.integers(0, plan.joins_within + 1, size=n)
    kind = pick(tuple((club.name, club.share) for club in plan.clubs), n, rng)
    leaves_at = np.zeros(n)
    for place, club in enumerate(plan.clubs):
        leaves_at = np.where(kind == place, sbg.simulate(club.renewal, n, rng), leaves_at)
    members = np.flatnonzero(joins & (day < span.days))
    length = np.array([club.months for club in plan.clubs])[kind[members]]
    # Who stays longer than anybody is seen only has to end after that.
    months = length * np.minimum(leaves_at[members], span.months + 1).astype(int)
    started = pd.Series(span.dates(day[members]))
    ended = add_months(started, months)
    return pd.DataFrame(
        {
            "customer_id": people["customer_id"].to_numpy()[members],
            "started_on": started,
            "ended_on": ended.where(ended <= pd.Timestamp(span.as_of)),
            "plan": words([club.name for club in plan.clubs], kind[members]),
            "renewal_period": words(
                [
                    "1 year" if club.months == 12 else f"{club.months} month{'s' * (club.months > 1)}"
                    for club in plan.clubs
                ],
                kind[members],
            ),
        }
    )
