"""The market the company sells in, month by month."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Span


@dataclass(frozen=True)
class MarketPlan:
    """How large the market is.

    Attributes
    ----------
    penetration : float
        Customers ever acquired, as planned, as a share of the customers of the market in the last month.
    growth : float
        Of the market's customers, a month.
    spend : float
        What one of them spends a month, with all companies.
    season : tuple of float
        Factor of that spend in each calendar month, from January.
    noise : float
        Standard deviation of the logarithm of a month's revenue.
    wallet, wallet_trend, wallet_noise : float
        Share of wallet among own customers in the first month, what it gains a month, and the standard deviation of
        what is measured.
    """

    penetration: float = 0.08
    growth: float = 0.003
    spend: float = 26.0
    season: tuple[float, ...] = (0.9, 0.88, 0.96, 1.0, 1.0, 0.96, 0.92, 0.92, 1.0, 1.04, 1.18, 1.24)
    noise: float = 0.02
    wallet: float = 0.28
    wallet_trend: float = 0.001
    wallet_noise: float = 0.006


def draw_market(plan: MarketPlan, customers: int, span: Span, rng: np.random.Generator) -> pd.DataFrame:
    """Draw the market of each month seen, for a company that planned to acquire so many `customers`."""
    month = np.arange(span.months)
    size = np.rint(customers / plan.penetration * (1 + plan.growth) ** (month - span.months + 1)).astype(int)
    season = np.array(plan.season)[span.calendar_month(month)]
    revenue = size * plan.spend * season * np.exp(plan.noise * rng.standard_normal(span.months))
    wallet = plan.wallet + plan.wallet_trend * month + plan.wallet_noise * rng.standard_normal(span.months)
    return pd.DataFrame(
        {
            "period": [span.period(place) for place in range(span.months)],
            "market_customers": size,
            "market_revenue": np.round(revenue, 2),
            "own_share_of_wallet": np.round(np.clip(wallet, 0, 1), 4),
        }
    )
