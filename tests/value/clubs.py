"""Clubs for tests: simulated members of several plans, stored one row a member."""

import numpy as np
import pandas as pd

from crm_analysis.models.sbg import SBGParams, simulate

PLANS = {"month": ("1 month", 1, SBGParams(0.8, 6.0)), "year": ("1 year", 12, SBGParams(1.0, 3.0))}


def simulated_club(seed: int, members: int, *, since: str, until: str, plans: dict = PLANS) -> pd.DataFrame:
    """Members who join evenly between two days, with their true ends, whenever these come."""
    rng = np.random.default_rng(seed)
    days = (pd.Timestamp(until) - pd.Timestamp(since)).days
    parts = []
    for name, (period, months, truth) in plans.items():
        n = members // len(plans)
        # Up to the 28th, so that renewals fall on the same day of every month.
        start = pd.Timestamp(since) + pd.to_timedelta(rng.integers(0, days + 1, n), unit="D")
        start = pd.Series(start).where(start.day <= 28, start - pd.Timedelta(days=4))
        lasts = months * np.minimum(simulate(truth, n, rng), 600 // months).astype(int)
        ended = [day + pd.DateOffset(months=int(months)) for day, months in zip(start, lasts, strict=True)]
        parts.append(pd.DataFrame({"started_on": start, "ended_on": ended, "plan": name, "renewal_period": period}))
    club = pd.concat(parts, ignore_index=True)
    return club.assign(customer_id=[f"m{place:05}" for place in range(len(club))])


def seen(club: pd.DataFrame, as_of: str) -> pd.DataFrame:
    """The table as it stood on a day: who joins later is not in it, and a later end is not known."""
    day = pd.Timestamp(as_of)
    known = club[club["started_on"] <= day]
    return known.assign(ended_on=known["ended_on"].where(known["ended_on"] <= day)).reset_index(drop=True)


def realised(club: pd.DataFrame, members: pd.Index, as_of: str, until: str, fees: dict, rate: float) -> float:
    """What some members of a club then pay between two days, discounted to the first at a rate a year."""
    first, last = pd.Timestamp(as_of), pd.Timestamp(until)
    paid = 0.0
    for row in club[club["customer_id"].isin(members) & (club["started_on"] <= first)].itertuples():
        step = pd.DateOffset(months=12 if row.renewal_period == "1 year" else 1)
        due = row.started_on
        while due < row.ended_on and due <= last:
            if due > first:
                paid += fees[row.plan] * (1 + rate) ** (-(due - first).days / 365.25)
            due += step
    return paid
