"""How long someone stays who may leave at each of a row of discrete moments, every time with the same chance.

The chance to leave theta differs among customers as Beta(a, b). In the sBG the moments are the renewals of a contract,
in the BG/BB the opportunities to buy; what follows from theta is the same, and stands here once. Each parameter may be
a number or an array; having survived k moments turns b into b + k.
"""

import numpy as np
from scipy.special import betaln

from crm_analysis.models.histories import Floats
from crm_analysis.models.quadrature import mean_over_beta


def log_survival(a: Floats | float, b: Floats | float, t: Floats | float) -> Floats:
    """Log of the probability to survive the next `t` moments, the mean of (1 - theta)^t."""
    return betaln(a, b + t) - betaln(a, b)


def discounted_lifetime(a: Floats, b: Floats, rate: float, horizon: Floats | float | None) -> Floats:
    """Expected number of the next moments survived, the k-th of them discounted by (1 + rate)^k.

    Parameters
    ----------
    a, b : array, shape (n,)
        Of Beta(a, b).
    rate : float
        Effective discount rate from one moment to the next, >= 0.
    horizon : float, array or None
        How many moments count, rounded to a whole number; None for all to come.

    Returns
    -------
    array, shape (n,)
        Infinite for rate 0, horizon None and a <= 1.
    """
    if horizon is not None:
        return _discounted_sum(a, b, rate, np.rint(horizon))
    if rate == 0:
        with np.errstate(divide="ignore"):
            return np.where(a > 1, b / (a - 1), np.inf)
    return _discounted_series(a, b, rate)


def _discounted_sum(a: Floats, b: Floats, rate: float, moments: Floats) -> Floats:
    survival, total = np.ones_like(b), np.zeros_like(b)
    for k in range(int(np.max(moments, initial=0))):
        survival = survival * (b + k) / ((a + b + k) * (1 + rate))
        total += np.where(k < moments, survival, 0.0)
    return total


def _discounted_series(a: Floats, b: Floats, rate: float) -> Floats:
    """Sum to infinity: the mean of (1 - theta) / (rate + theta), by quadrature.

    Closed forms fail: scipy's 2F1(1, b + 1; a + b + 1; 1 / (1 + rate)) is NaN for large b, infinite or even negative
    where a is a whole number, and loses half of its digits beside one. Series and continued fractions grow without end
    as the rate falls.
    """
    of_those_who_stay = mean_over_beta(lambda theta: 1 / (1 + theta / rate), a, b + 1, scale=rate, power=1.0)
    return b / (a + b) * of_those_who_stay / rate
