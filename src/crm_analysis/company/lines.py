"""From orders to order lines: categories with margins of their own, products, quantities, and discounts by tier."""

from dataclasses import dataclass
from typing import NamedTuple

import numpy as np
import pandas as pd

from crm_analysis.company.drawing import Shares, pick, words
from crm_analysis.models.histories import Integers


class Category(NamedTuple):
    """A product line: its share of the lines, its margin at list price, and what a unit costs the customer about."""

    name: str
    share: float
    margin: float
    price: float


class Tier(NamedTuple):
    """A tier of customers: the share of them, from the top by mean spend, and the discount they get on list prices."""

    name: str
    share: float
    discount: float


@dataclass(frozen=True)
class LinePlan:
    """What an order is made of.

    Attributes
    ----------
    categories : tuple of Category
        The product lines; 40 products each.
    more_lines : float
        Expected lines of an order beyond the first, Poisson, cut at `most_lines`.
    most_lines : int
        Lines of an order at most.
    tiers : tuple of Tier
        From the top; the last one holds everybody else.
    channels : tuple of (name, share)
        Where orders are placed.
    """

    categories: tuple[Category, ...] = (
        Category("home", 0.30, 0.38, 24.0),
        Category("garden", 0.20, 0.30, 36.0),
        Category("kitchen", 0.22, 0.42, 18.0),
        Category("sport", 0.16, 0.26, 45.0),
        Category("gifts", 0.12, 0.55, 12.0),
    )
    more_lines: float = 0.7
    most_lines: int = 6
    tiers: tuple[Tier, ...] = (Tier("gold", 0.05, 0.10), Tier("silver", 0.15, 0.05), Tier("standard", 0.80, 0.0))
    channels: Shares = (("online", 0.62), ("store", 0.28), ("phone", 0.10))


PRODUCTS = 40


def tier_of(plan: LinePlan, mean_spend: pd.Series) -> Integers:
    """Return the position of each customer's tier, by rank of the mean spend."""
    from_top = mean_spend.rank(ascending=False, method="first").to_numpy() - 0.5
    shares = np.array([tier.share for tier in plan.tiers])
    cuts = np.cumsum(shares)[:-1] / shares.sum() * len(mean_spend)
    return np.searchsorted(cuts, from_top)


def draw_lines(
    plan: LinePlan, orders: pd.DataFrame, people: pd.DataFrame, prefix: str, rng: np.random.Generator
) -> pd.DataFrame:
    """Divide orders into lines whose amounts add up to theirs.

    Parameters
    ----------
    plan : LinePlan
        What is planted.
    orders : DataFrame
        customer (position), day, cents.
    people : DataFrame
        tier of each customer (position in the plan).
    prefix : str
        What order ids begin with.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        One row a line: order (position), line, customer, bought (day of the order), day, order_id, cents, cost (cents),
        category (position), product, quantity, channel, is_refund.
    """
    n = len(orders)
    count = 1 + np.minimum(rng.poisson(plan.more_lines, size=n), plan.most_lines - 1)
    order = np.repeat(np.arange(n), count)
    starts = np.cumsum(count) - count
    line = np.arange(len(order)) - starts[order]
    cents = _divided(orders["cents"].to_numpy(), order, starts, count, rng)
    category = pick(tuple((each.name, each.share) for each in plan.categories), len(order), rng)
    # Lines of an order have different products, so that none is the copy of another by chance.
    number = (rng.integers(0, PRODUCTS, size=n)[order] + line) % PRODUCTS
    customer = orders["customer"].to_numpy()[order]
    discount = np.array([tier.discount for tier in plan.tiers])[people["tier"].to_numpy()[customer]]
    listed = cents / (1 - discount)
    price = np.array([each.price for each in plan.categories])[category]
    margin = np.array([each.margin for each in plan.categories])[category]
    day = orders["day"].to_numpy()
    # Numbers follow the calendar, as those of a shop do.
    rank = np.empty(n, int)
    rank[np.argsort(day, kind="stable")] = np.arange(1, n + 1)
    ids = np.array([f"{prefix}{place:07d}" for place in rank], dtype=object)
    codes = [f"{each.name[:2].upper()}-{place:02d}" for each in plan.categories for place in range(PRODUCTS)]
    return pd.DataFrame(
        {
            "order": order,
            "line": line,
            "customer": customer,
            "bought": day[order],
            "day": day[order],
            "order_id": ids[order],
            "cents": cents,
            "cost": np.rint(listed * (1 - margin)).astype(int),
            "category": category,
            "product": words(codes, category * PRODUCTS + number),
            "quantity": np.maximum(1, np.rint(listed / 100 / price)).astype(int),
            "channel": words([name for name, _ in plan.channels], pick(plan.channels, n, rng))[order],
            "is_refund": np.zeros(len(order), bool),
        }
    )


def _divided(total: Integers, order: Integers, starts: Integers, count: Integers, rng: np.random.Generator) -> Integers:
    """Divide the cents of each order among its lines at random, at least one for each."""
    part = rng.exponential(size=len(order))
    if not len(order):
        return np.zeros(0, int)
    share = part / np.add.reduceat(part, starts)[order]
    cents = 1 + np.floor((total - count)[order] * share).astype(int)
    cents[starts] += total - np.add.reduceat(cents, starts)
    return cents
