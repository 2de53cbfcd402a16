"""How sure a share is: of customers, who count alike, and of money, of which some hold more than others."""

from typing import Any

import numpy as np
from scipy.special import ndtri

from crm_analysis.models.checks import check_level
from crm_analysis.models.histories import Floats


def wilson_interval(part: Any, whole: Any, *, level: float = 0.95) -> tuple[Floats, Floats]:
    """Interval of the chance behind a share, from how many of some customers did something.

    Parameters
    ----------
    part, whole : float or array
        Customers who did, and all of them (counts); broadcast.
    level : float
        Probability of the interval.

    Returns
    -------
    lower, upper : array
        Within 0 and 1; missing where there are no customers. Contains the randomness of single customers, who are taken
        to be independent of one another.

    References
    ----------
    Wilson (1927), Journal of the American Statistical Association 22, 209-212.
    """
    check_level(level)
    k, n = np.asarray(part, float), np.asarray(whole, float)
    z = float(ndtri((1 + level) / 2))
    with np.errstate(divide="ignore", invalid="ignore"):
        share = k / n
        shrunk = 1 + z**2 / n
        centre = (share + z**2 / (2 * n)) / shrunk
        half = z * np.sqrt(share * (1 - share) / n + z**2 / (4 * n**2)) / shrunk
    # At a share of 0 or 1 the interval ends there, but for the rounding of its two parts.
    return np.clip(centre - half, 0.0, share), np.clip(centre + half, share, 1.0)


def ratio_interval(part: Floats, whole: Floats, *, level: float = 0.95) -> tuple[float, float]:
    """Interval of a ratio of two totals, from what each customer adds to either.

    Parameters
    ----------
    part, whole : array, shape (n_customers,)
        What each customer adds to the totals, in one currency.
    level : float
        Probability of the interval.

    Returns
    -------
    lower, upper : float
        Missing for fewer than two customers and where `whole` does not add up to more than zero. Contains which
        customers there happen to be, each drawn independently; rough where a few hold most of the money.

    References
    ----------
    Cochran (1977), Sampling Techniques, chapter 6 (linearised variance of a ratio estimator).
    """
    check_level(level)
    n, total = len(whole), float(np.sum(whole))
    if n < 2 or not total > 0:
        return float("nan"), float("nan")
    ratio = float(np.sum(part)) / total
    error = float(np.sqrt(n / (n - 1) * np.sum((part - ratio * whole) ** 2))) / total
    reach = float(ndtri((1 + level) / 2)) * error
    return ratio - reach, ratio + reach
