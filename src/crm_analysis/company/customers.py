"""Who the customers are: when and by which channel each was acquired, at what cost, and who referred whom."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Shares, Span, numbered, pick, words
from crm_analysis.models.histories import Floats, Integers

REFERRAL = "referral"


class Channel(NamedTuple):
    """A channel of acquisition: its share of newcomers, its cost for each, and how good its customers are.

    `purchase` and `dropout` are coefficients of the purchase process: alpha exp(-purchase), a exp(dropout),
    b exp(-dropout).
    """

    name: str
    share: float
    cost: float
    purchase: float
    dropout: float


@dataclass(frozen=True)
class AcquisitionPlan:
    """How customers come.

    Attributes
    ----------
    growth : float
        Growth of the expected number of newcomers from month to month.
    season : tuple of float
        Factor of each calendar month, from January.
    noise : float
        Standard deviation of the gamma factor, of mean 1, of each month: 0 leaves Poisson counts.
    channels : tuple of Channel
        A referred customer comes by the channel "referral".
    cost_noise : float
        Coefficient of variation of the cost of a customer within a channel.
    referring : float
        Customers refer in proportion to exp(referring x satisfaction), satisfaction in standard deviations.
    regions, kinds, settlements : tuple of (name, share)
        What else is known of customers, all independent of each other.
    """

    growth: float = 0.02
    season: tuple[float, ...] = (0.9, 0.9, 1.0, 1.05, 1.05, 0.95, 0.85, 0.9, 1.0, 1.05, 1.2, 1.15)
    noise: float = 0.08
    channels: tuple[Channel, ...] = (
        Channel("search", 0.34, 42.0, 0.0, 0.0),
        Channel("social", 0.22, 28.0, -0.25, 0.20),
        Channel("store", 0.18, 15.0, 0.10, -0.10),
        Channel("partner", 0.12, 60.0, 0.20, 0.0),
        Channel(REFERRAL, 0.14, 10.0, 0.30, -0.25),
    )
    cost_noise: float = 0.30
    referring: float = 0.5
    regions: Shares = (("North", 0.30), ("South", 0.30), ("East", 0.25), ("West", 0.15))
    kinds: Shares = (
        ("consumer", 0.70),
        ("company", 0.16),
        ("intermediary", 0.06),
        ("public", 0.05),
        ("internal", 0.03),
    )
    settlements: Shares = (("cash", 0.62), ("prepaid", 0.13), ("credit", 0.25))


def expected_newcomers(plan: AcquisitionPlan, span: Span, customers: int) -> Floats:
    """Expected number of newcomers of each month; those of the months seen add up to `customers`."""
    month = np.arange(span.months + span.horizon_months)
    shape = (1 + plan.growth) ** month * np.array(plan.season)[span.calendar_month(month)]
    return customers * shape / shape[: span.months].sum()


def count_newcomers(plan: AcquisitionPlan, expected: Floats, span: Span, rng: np.random.Generator) -> Integers:
    """Draw the number of newcomers of each month, the horizon included; at least one customer is seen."""
    factor = np.ones(len(expected))
    if plan.noise > 0:
        certainty = plan.noise**-2
        factor = rng.gamma(certainty, 1 / certainty, size=len(expected))
    newcomers = rng.poisson(expected * factor)
    if newcomers[: span.months].sum() == 0:
        newcomers[span.months - 1] = 1
    return newcomers


def draw_customers(
    plan: AcquisitionPlan, newcomers: Integers, satisfaction: Floats, span: Span, rng: np.random.Generator
) -> pd.DataFrame:
    """Draw the customers of the months seen, in the order in which they came.

    Parameters
    ----------
    plan : AcquisitionPlan
        What is planted.
    newcomers : array, shape (n_months,)
        Number of each month.
    satisfaction : array, shape (n_customers,)
        Of each customer, in standard deviations.
    span : Span
        The time.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        customer_id, acquired (day), channel (position in the plan), acquisition_channel, acquisition_cost, region,
        kind, settlement, referrer (position of a customer, -1 for none), referred_by, satisfaction.
    """
    month = np.repeat(np.arange(span.months), newcomers[: span.months])
    n = len(month)
    start, length = span.month_starts[month], np.diff(span.month_starts)[month]
    acquired = np.sort(start + np.floor(rng.random(n) * length).astype(int))
    names = [channel.name for channel in plan.channels]
    channel = pick(tuple((each.name, each.share) for each in plan.channels), n, rng)
    referrer = _referrers(np.exp(plan.referring * satisfaction), acquired, rng)
    if REFERRAL in names:
        # On the first day there is nobody yet who could have sent somebody.
        by_referral = names.index(REFERRAL)
        elsewhere = next((place for place in range(len(names)) if place != by_referral), by_referral)
        channel = np.where((channel == by_referral) & (referrer < 0), elsewhere, channel)
        referrer = np.where(channel == by_referral, referrer, -1)
    else:
        referrer = np.full(n, -1)
    ids = numbered("S", n)
    cost = np.array([each.cost for each in plan.channels])[channel]
    if plan.cost_noise > 0:
        certainty = plan.cost_noise**-2
        cost = cost * rng.gamma(certainty, 1 / certainty, size=n)
    return pd.DataFrame(
        {
            "customer_id": ids,
            "acquired": acquired,
            "channel": channel,
            "acquisition_channel": words(names, channel),
            "acquisition_cost": np.round(cost, 2),
            "region": words([name for name, _ in plan.regions], pick(plan.regions, n, rng)),
            "kind": words([name for name, _ in plan.kinds], pick(plan.kinds, n, rng)),
            "settlement": words([name for name, _ in plan.settlements], pick(plan.settlements, n, rng)),
            "referrer": referrer,
            "referred_by": words(list(ids), referrer),
            "satisfaction": satisfaction,
        }
    )


def _referrers(eagerness: Floats, acquired: Integers, rng: np.random.Generator) -> Integers:
    """Draw for each customer one who came on an earlier day, in proportion to eagerness; -1 where there is none."""
    total = np.concatenate([[0.0], np.cumsum(eagerness)])
    earlier = np.searchsorted(acquired, acquired, side="left")
    place = np.searchsorted(total, rng.random(len(acquired)) * total[earlier], side="right") - 1
    return np.where(earlier > 0, np.minimum(place, earlier - 1), -1)
