"""How long someone stays who may leave at each of a row of discrete moments, every time with the same chance.

The chance to leave theta differs among customers as Beta(a, b). In the sBG the moments are the renewals of a contract,
in the BG/BB the opportunities to buy; what follows from theta is the same, and stands here once. Each parameter may be
a number or an array; having survived k moments turns b into b + k.
"""

import numpy as np
from scipy.special import betaln

from crm_analysis.models.histories import Floats


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
    """Sum to infinity: v b / (a + b) 2F1(1, b + 1; a + b + 1; v), v = 1 / (1 + rate), by Gauss's continued fraction.

    scipy's 2F1 is NaN for large b, infinite or even negative where a is a whole number, and loses half of its digits
    beside one. The fraction has coefficients between 0 and 1 for all a and b, and its error falls by
    (1 - s) / (1 + s) a level, s = sqrt(1 - v), so that its depth is known beforehand.
    """
    v = 1 / (1 + rate)
    # 18 / s levels bring the error below exp(-36), and each turn takes two.
    turns = int(np.ceil(9 / np.sqrt(1 - v)))
    c = a + b
    tail = np.zeros_like(b)
    for m in range(turns, -1, -1):
        even = (m + 1) * (a + m) / ((c + 2 * m + 1) * (c + 2 * m + 2))
        odd = (b + m + 1) * (c + m) / ((c + 2 * m) * (c + 2 * m + 1))
        tail = v * odd / (1 - v * even / (1 - tail))
    return v * b / (c * (1 - tail))
