"""Complaints, questions and feedback: how often, about what, how long they take, and what that does."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd
from scipy.special import expit

from crm_analysis.company.drawing import Shares, Span, numbered, pick, where_known, words


class Cause(NamedTuple):
    """A cause of cases: its share, and the median days until one is resolved."""

    name: str
    share: float
    median_days: float


@dataclass(frozen=True)
class ServicePlan:
    """How cases come and end.

    Attributes
    ----------
    a_year : float
        Cases a customer and year, of a customer of mean satisfaction, for as long as the customer is one.
    satisfaction : float
        What one standard deviation of satisfaction adds to the logarithm of that rate.
    kinds, channels : tuple of (name, share)
        What cases are and how they come in.
    causes : tuple of Cause
        What they are about; resolution times are lognormal.
    spread : float
        Standard deviation of the logarithm of the resolution time.
    response_hours : tuple of float
        Median of the hours until the first response and the standard deviation of their logarithm; a case is never
        resolved before.
    severities : tuple of (name, share)
        "1" is the least.
    satisfied, slower : float
        Odds of being satisfied after a case that took one day, and what each doubling of the time multiplies them by.
    asked : float
        Share of resolved cases with a known satisfied_after.
    """

    a_year: float = 0.5
    satisfaction: float = -0.35
    kinds: Shares = (("complaint", 0.60), ("question", 0.30), ("feedback", 0.10))
    causes: tuple[Cause, ...] = (
        Cause("delivery", 0.38, 3.0),
        Cause("quality", 0.24, 6.0),
        Cause("billing", 0.16, 2.0),
        Cause("returns", 0.14, 8.0),
        Cause("staff", 0.08, 4.0),
    )
    spread: float = 0.8
    response_hours: tuple[float, float] = (6.0, 0.9)
    channels: Shares = (("phone", 0.35), ("e-mail", 0.40), ("chat", 0.25))
    severities: Shares = (("1", 0.55), ("2", 0.33), ("3", 0.12))
    satisfied: float = 4.0
    slower: float = 0.7
    asked: float = 0.6


def draw_cases(plan: ServicePlan, people: pd.DataFrame, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the cases opened by the as-of date; what came later is missing.

    Parameters
    ----------
    plan : ServicePlan
        What is planted.
    people : DataFrame
        customer_id, acquired, died (day of the last purchase of those who left), satisfaction.
    span : Span
        The time.
    rng : Generator
        Source of randomness.
    """
    start = people["acquired"].to_numpy()
    end = np.minimum(people["died"].fillna(np.inf).to_numpy() + 1, span.days)
    exposed = np.maximum(0.0, end - start)
    rate = plan.a_year / 365.25 * np.exp(plan.satisfaction * people["satisfaction"].to_numpy())
    customer = np.repeat(np.arange(len(people)), rng.poisson(rate * exposed))
    opened = start[customer] + rng.random(len(customer)) * exposed[customer]
    in_time = np.argsort(opened, kind="stable")
    customer, opened = customer[in_time], opened[in_time]
    n = len(customer)
    cause = pick(tuple((each.name, each.share) for each in plan.causes), n, rng)
    median = np.array([each.median_days for each in plan.causes])[cause]
    took = median * np.exp(plan.spread * rng.standard_normal(n))
    hours, spread = plan.response_hours
    answered = opened + np.minimum(took, hours / 24 * np.exp(spread * rng.standard_normal(n)))
    resolved = opened + took
    happy = rng.random(n) < expit(np.log(plan.satisfied) + np.log(plan.slower) * np.log2(took))
    told = (rng.random(n) < plan.asked) & (resolved < span.days)
    names = {
        "kind": plan.kinds,
        "category": tuple((each.name, each.share) for each in plan.causes),
        "channel": plan.channels,
        "severity": plan.severities,
    }
    drawn = {"category": cause} | {name: pick(names[name], n, rng) for name in ("kind", "channel", "severity")}
    texts = {name: words([word for word, _ in names[name]], drawn[name]) for name in names}
    return pd.DataFrame(
        {
            "case_id": numbered("K", n),
            "opened_at": span.dates(opened),
            "customer_id": people["customer_id"].to_numpy()[customer],
            "kind": texts["kind"],
            "category": texts["category"],
            "channel": texts["channel"],
            "first_response_at": span.dates(np.where(answered < span.days, answered, np.nan)),
            "resolved_at": span.dates(np.where(resolved < span.days, resolved, np.nan)),
            "severity": texts["severity"].astype(int),
            "satisfied_after": where_known(happy, told),
        }
    )
