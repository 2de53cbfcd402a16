"""Leads and how far they came: one row for each stage that a prospect has entered."""

from dataclasses import dataclass

import numpy as np
import pandas as pd
from scipy.special import expit, logit

from crm_analysis.company.drawing import Shares, Span, numbered, pick, words

STAGES = ("lead", "qualified", "proposal", "won")
LOST = "lost"
TRAITS = ("has_budget", "has_authority", "has_need")


@dataclass(frozen=True)
class ProspectPlan:
    """How leads come and what becomes of them.

    Attributes
    ----------
    a_customer : float
        Leads for each customer acquired.
    advance : tuple of float
        Chance to reach the next stage from lead, qualified and proposal, of a prospect with half of the traits.
    odds : float
        What each of budget, authority and need multiplies the odds to advance by, against not having it.
    trait_share : float
        Share of prospects that have each of them, independently.
    days : tuple of float
        Mean time in each of these stages, exponential, before the next stage or before the lead is lost.
    value : tuple of float
        Median of the expected value, and its standard deviation on the log scale.
    sources : tuple of (name, share)
        Where leads come from.
    """

    a_customer: float = 0.4
    advance: tuple[float, float, float] = (0.45, 0.55, 0.40)
    odds: float = 2.0
    trait_share: float = 0.5
    days: tuple[float, float, float] = (15.0, 25.0, 30.0)
    value: tuple[float, float] = (900.0, 0.6)
    sources: Shares = (("web form", 0.45), ("trade fair", 0.20), ("referral", 0.20), ("cold call", 0.15))

    def chance(self, stage: int, traits: np.ndarray) -> np.ndarray:
        """Return the chance to advance from a stage, given how many traits each prospect has."""
        return expit(logit(self.advance[stage]) + np.log(self.odds) * (traits - len(TRAITS) / 2))


def draw_prospects(plan: ProspectPlan, customers: int, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the leads of the months seen, in proportion to the `customers` acquired, evenly over time."""
    n = int(rng.poisson(plan.a_customer * customers))
    entered = np.sort(rng.integers(0, span.days, size=n)).astype(float)
    has = rng.random((n, len(TRAITS))) < plan.trait_share
    lead = pd.DataFrame(
        {
            "prospect_id": numbered("P", n),
            "expected_value": np.round(plan.value[0] * np.exp(plan.value[1] * rng.standard_normal(n)), 2),
            "source": words([name for name, _ in plan.sources], pick(plan.sources, n, rng)),
            **{name: has[:, place] for place, name in enumerate(TRAITS)},
            "willingness": rng.integers(1, 11, size=n),
            "influence": rng.integers(1, 11, size=n),
        }
    )
    histories = []
    still = np.arange(n)
    for place, stage in enumerate(STAGES):
        histories.append(_entering(lead, still, stage, entered[still]))
        if place == len(STAGES) - 1:
            break
        entered[still] += np.ceil(rng.exponential(plan.days[place], size=len(still)))
        advances = rng.random(len(still)) < plan.chance(place, has[still].sum(axis=1))
        histories.append(_entering(lead, still[~advances], LOST, entered[still[~advances]]))
        still = still[advances]
    rows = pd.concat(histories, ignore_index=True)
    rows = rows[rows["day"] < span.days].sort_values(["prospect_id", "day"], kind="stable", ignore_index=True)
    entered_on = span.dates(rows["day"].to_numpy())
    first = ["prospect_id", "stage", "entered_stage_on"]
    rows = rows.assign(entered_stage_on=entered_on)
    return rows[first + [name for name in rows.columns if name not in (*first, "day")]]


def _entering(lead: pd.DataFrame, rows: np.ndarray, stage: str, day: np.ndarray) -> pd.DataFrame:
    return lead.iloc[rows].assign(stage=stage, day=day)
