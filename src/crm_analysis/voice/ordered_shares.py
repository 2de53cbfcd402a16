"""How much each driver adds to the pseudo R-squared of an ordered logit, averaged over orders of entry."""

from collections.abc import Iterator
from math import factorial
from typing import Any

import numpy as np

from crm_analysis.models.histories import Floats
from crm_analysis.voice.ordered_logit import pseudo_r_squared

# Up to so many drivers every set of them is fitted (2^8 fits); with more, so many orders of entry are drawn.
MOST_EXACT, ORDERS = 8, 100


def pseudo_contributions(x: Floats, y: Any, weights: Floats, *, seed: int = 0) -> Floats:
    """What each driver adds to McFadden's pseudo R-squared; they add up to that of all drivers.

    Parameters
    ----------
    x, y, weights
        As `fit_ordered_logit`.
    seed : int
        Of the orders that are drawn where there are more than eight drivers.

    Returns
    -------
    array, shape (k,)

    References
    ----------
    Azen & Traxel (2009), Journal of Educational and Behavioral Statistics 34, 319-347; Castro, Gomez & Tejada (2009),
    Computers & Operations Research 36, 1726-1730 (drawn orders).
    """
    k = x.shape[1]
    known: dict[frozenset[int], float] = {frozenset(): 0.0}

    def explained(drivers: frozenset[int]) -> float:
        if drivers not in known:
            known[drivers] = pseudo_r_squared(x[:, sorted(drivers)], y, weights)
        return known[drivers]

    added = np.zeros(k)
    if k > MOST_EXACT:
        for order in _drawn_orders(k, seed):
            before: frozenset[int] = frozenset()
            for driver in order:
                added[driver] += (explained(before | {driver}) - explained(before)) / ORDERS
                before = before | {driver}
        return added
    for driver in range(k):
        others = [other for other in range(k) if other != driver]
        for bits in range(2 ** len(others)):
            before = frozenset(other for at, other in enumerate(others) if bits >> at & 1)
            size = len(before)
            weight = factorial(size) * factorial(k - size - 1) / factorial(k)
            added[driver] += weight * (explained(before | {driver}) - explained(before))
    return added


def _drawn_orders(k: int, seed: int) -> Iterator[Any]:
    """Draw orders of entry, each with its reverse: who comes first in one comes last in the other."""
    rng = np.random.default_rng(seed)
    for _pair in range(ORDERS // 2):
        order = rng.permutation(k)
        yield order
        yield order[::-1]
