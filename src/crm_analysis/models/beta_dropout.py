"""What a customer does from a moment of certain life on, where each purchase may be the last one.

The customer is known to be alive at time 0, buys at a Poisson rate lambda ~ Gamma(shape, rate) and leaves for good
after each purchase with chance p ~ Beta(a, b). BG/NBD and MBG/NBD differ in how a history leads to shape, rate, a and
b; what follows from them is the same, and stands here once.

Fader, Hardie & Lee (2005), Marketing Science 24(2), 275-284 ("FHL"), whose eqs. 8 to 10 are special cases.
"""

from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, betaln, hyp2f1

from crm_analysis.models import poisson
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.quadrature import integral_to, integral_to_infinity, mean_over_beta


class Alive(NamedTuple):
    """What is known of customers who are there: Gamma(shape, rate) purchase rates, Beta(a, b) dropout; one row each."""

    shape: Floats
    rate: Floats
    a: Floats
    b: Floats

    def of(self, rows: NDArray[Any]) -> "Alive":
        """Return what is known of some of them."""
        return Alive(*(column[rows] for column in self))


def expected_purchases(shape: Floats, rate: Floats, a: Floats, b: Floats, horizon: Floats) -> Floats:
    """Expected purchases in `horizon`.

    Notes
    -----
    FHL, eq. 9, after Euler's transformation of 2F1, in which the power (1 - z)^shape cancels.
    """
    z = horizon / (rate + horizon)
    c = a + b - 1
    with np.errstate(all="ignore"):
        inner = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(c - shape, a - 1, c, z)
        expected = c / (a - 1) * (1 - inner)
    # Removable poles at a = 1 and at a + b = 1, and the overflow of 2F1 on a ridge: integrate the purchase rate.
    # There the difference 1 - inner also loses digits, as many as the distance to the pole has.
    doubtful = ~np.isfinite(expected) | (np.abs(a - 1) < 1e-4) | (np.abs(c) < 1e-4) | (expected < 0)
    if doubtful.any():
        rows = Alive(shape, rate, a, b).of(doubtful)
        expected[doubtful] = discounted_purchases(rows, 0.0, horizon[doubtful])
    return expected


def discounted_purchases(alive: Alive, discount: float, horizon: Floats | float | None) -> Floats:
    """Expected purchases until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    A customer buys at time s at the rate shape / (rate + s) weighted by the chance to be still there, which averages
    over p to shape / rate 2F1(shape + 1, a; a + b; -s / rate); the integral of that rate times exp(-discount s) is
    taken by Gauss-Legendre in log(1 + s / rate). FHL, eq. 10 is the case without discount.
    """

    def purchase_rate(s: Floats, shape: Floats, rate: Floats, a: Floats, b: Floats) -> Floats:
        return shape / rate * _mean_survival(a, b, shape + 1, s / rate)

    if horizon is not None:
        return integral_to(horizon, purchase_rate, discount, alive.rate, *alive)
    if discount > 0:
        return integral_to_infinity(purchase_rate, discount, alive.rate, *alive)
    _shape, _rate, a, b = alive
    with np.errstate(divide="ignore"):
        return np.where(a <= 1, np.inf, (a + b - 1) / (a - 1))


def discounted_lifetime(alive: Alive, discount: float, horizon: Floats | float | None) -> Floats:
    """Expected time as a customer until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    With rate lambda and dropout p the customer is still there s later with probability exp(-lambda p s), which averages
    to 2F1(shape, a; a + b; -s / rate).
    """

    def survival(s: Floats, shape: Floats, rate: Floats, a: Floats, b: Floats) -> Floats:
        return _mean_survival(a, b, shape, s / rate)

    if horizon is not None and discount == 0:
        return _lifetime(*alive, horizon)
    if horizon is not None:
        return integral_to(horizon, survival, discount, alive.rate, *alive)
    if discount > 0:
        return integral_to_infinity(survival, discount, alive.rate, *alive)
    shape, rate, a, b = alive
    # E[1 / (lambda p)] is finite only where both means are.
    finite = (shape > 1) & (a > 1)
    with np.errstate(divide="ignore", invalid="ignore"):
        return np.where(finite, rate / (shape - 1) * (a + b - 1) / (a - 1), np.inf)


def _lifetime(shape: Floats, rate: Floats, a: Floats, b: Floats, horizon: Floats | float) -> Floats:
    """Expected time as a customer until `horizon`, undiscounted: the integral of 2F1(shape, a; a + b; -s / rate).

    It is again a 2F1, all three parameters lower by one (DLMF 15.5.1), written by Pfaff's transformation.
    """
    z = horizon / (rate + horizon)
    c = a + b - 1
    with np.errstate(all="ignore"):
        inner = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(c + 1 - shape, a - 1, c, z)
        time = rate * c / ((shape - 1) * (a - 1)) * (1 - inner)
    # Poles that cancel, digits that cancel next to them or because almost nobody has left yet, and overflow.
    cancelled = np.minimum(np.abs(shape - 1) * np.abs(a - 1) * z, np.abs(c)) < 1e-5
    doubtful = cancelled | ~((time >= 0) & (time <= horizon))
    if doubtful.any():
        rows = Alive(shape, rate, a, b).of(doubtful)
        upto = np.broadcast_to(horizon, time.shape)[doubtful]
        time[doubtful] = integral_to(upto, lambda s, k, c, a, b: _mean_survival(a, b, k, s / c), 0.0, rows.rate, *rows)
    return time


def _mean_survival(a: Floats, b: Floats, shape: Floats, u: Floats) -> Floats:
    """E[(1 + p u)^-shape] for p ~ Beta(a, b): 2F1(shape, a; a+b; -u), by Pfaff's transformation.

    In it the large numbers of a frequent buyer cancel: shape and b both grow with x, their difference does not.
    """
    with np.errstate(all="ignore"):
        value = (1 + u) ** -a * hyp2f1(a + b - shape, a, a + b, u / (1 + u))
    doubtful = ~((value >= 0) & (value <= 1))
    if doubtful.any():
        a, b, shape, u = (np.broadcast_to(array, value.shape)[doubtful] for array in (a, b, shape, u))
        value[doubtful] = mean_over_beta(lambda p: np.exp(-shape * np.log1p(p * u)), a, b)
    return value


def probability_of_purchases(shape: Floats, rate: Floats, a: Floats, b: Floats, n: Floats, t: Floats) -> Floats:
    """Probability of exactly `n` purchases by time `t`; all arrays of one shape.

    Notes
    -----
    FHL, eq. 8. Its sum over j < n is the chance of fewer than n events of a negative binomial, written here as a
    regularised incomplete beta function, which neither overflows nor cancels.
    """
    repeat = n > 0
    at_least_one = np.where(repeat, n, 1.0)
    exactly = betaln(a, b + n) - betaln(a, b) + poisson.log_probability(shape, rate, n, t)
    left_after_n = np.exp(betaln(a + 1, b + at_least_one - 1) - betaln(a, b)) * betainc(
        at_least_one, shape, t / (rate + t)
    )
    return np.exp(exactly) + np.where(repeat, left_after_n, 0.0)


def simulate(alive: Alive, customer: Integers, end: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate purchases from time 0 to `end`; one row a purchase: `customer` (as given) and `time`, in no order.

    Purchase after purchase is drawn for all customers at once, until each has left or reached the end.
    """
    purchase_rate = rng.gamma(alive.shape) / alive.rate
    dropout = rng.beta(alive.a, alive.b)
    clock = np.zeros(len(customer))
    buyers, times = [np.empty(0, np.int64)], [np.empty(0)]
    while len(customer):
        with np.errstate(divide="ignore", over="ignore"):  # a rate of zero never buys: an infinite gap
            clock = clock + rng.exponential(size=len(clock)) / purchase_rate
        bought = clock <= end
        buyers.append(customer[bought])
        times.append(clock[bought])
        stays = bought & (rng.random(len(clock)) >= dropout)
        customer, clock, end = customer[stays], clock[stays], end[stays]
        purchase_rate, dropout = purchase_rate[stays], dropout[stays]
    return pd.DataFrame({"customer": np.concatenate(buyers), "time": np.concatenate(times)})
