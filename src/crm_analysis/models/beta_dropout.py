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
from crm_analysis.models.quadrature import integral_to, mean_over_beta


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
    doubtful = _doubtful(expected, inner, c - shape, a, c, z)
    if doubtful.any():
        rows = Alive(shape, rate, a, b).of(doubtful)
        expected[doubtful] = discounted_purchases(rows, 0.0, horizon[doubtful])
    return expected


def discounted_purchases(alive: Alive, discount: float, horizon: Floats | float | None) -> Floats:
    """Expected purchases until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    A customer buys at time s at the rate shape / (rate + s) weighted by the chance to be still there, which averages
    over p to shape / rate 2F1(shape + 1, a; a + b; -s / rate). FHL, eq. 10 is the case without discount.
    """
    shape, rate, a, b = alive
    if horizon is None and discount == 0:
        with np.errstate(divide="ignore"):
            return np.where(a <= 1, np.inf, (a + b - 1) / (a - 1))
    return shape / rate * _integral(alive._replace(shape=shape + 1), discount, horizon)


def discounted_lifetime(alive: Alive, discount: float, horizon: Floats | float | None) -> Floats:
    """Expected time as a customer until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    With rate lambda and dropout p the customer is still there s later with probability exp(-lambda p s), which averages
    to 2F1(shape, a; a + b; -s / rate).
    """
    if discount > 0:
        return _integral(alive, discount, horizon)
    if horizon is not None:
        return _lifetime(*alive, horizon)
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
    doubtful = _doubtful(time, inner, c + 1 - shape, a, c, z) | (np.abs(shape - 1) < 1e-4) | (time > horizon)
    if doubtful.any():
        rows = Alive(shape, rate, a, b).of(doubtful)
        time[doubtful] = _integral(rows, 0.0, np.broadcast_to(horizon, time.shape)[doubtful])
    return time


def _doubtful(value: Floats, inner: Floats, first: Floats, a: Floats, c: Floats, z: Floats) -> NDArray[np.bool_]:
    """Say where a `value` that is a multiple of 1 - `inner` with a 2F1(first, a - 1; c; z) cannot be relied on.

    Next to the removable poles at a = 1 and c = 0 and where `inner` is near 1, digits cancel; where `first` is far
    below 0, the terms of 2F1 do, having changing signs; and near z = 1 scipy takes gammas of c, which overflow.
    """
    near_a_pole = (np.abs(a - 1) < 1e-4) | (np.abs(c) < 1e-4)
    cancelled = (np.abs(1 - inner) < 1e-5) | (first < -10)
    return ~(np.isfinite(value) & (value >= 0)) | near_a_pole | cancelled | _gammas_overflow(c, z)


def _gammas_overflow(c: Floats, z: Floats) -> NDArray[np.bool_]:
    return (c > 120) & (z > 0.9)


def _integral(alive: Alive, discount: float, horizon: Floats | float | None) -> Floats:
    """Return the integral of exp(-discount s) 2F1(shape, a; a + b; -s / rate) to `horizon` (None: without end).

    Notes
    -----
    The chance to be still there begins to fall at the time over which its slope does, rate E[p] / E[p^2] / (shape + 1).
    Of 20,000 parameters drawn log-uniform from e^-4 to e^6 all keep eight digits, nearly all ten.
    """
    shape, rate, a, b = alive
    scale = rate * (a + b + 1) / ((a + 1) * (shape + 1))
    return integral_to(
        horizon, lambda s, shape, rate, a, b: _mean_survival(a, b, shape, s / rate), discount, scale, *alive
    )


def _mean_survival(a: Floats, b: Floats, shape: Floats, u: Floats) -> Floats:
    """E[(1 + p u)^-shape] for p ~ Beta(a, b): 2F1(shape, a; a+b; -u), by Pfaff's transformation.

    In it the large numbers of a frequent buyer cancel: shape and b both grow with x, their difference does not.
    """
    z = u / (1 + u)
    with np.errstate(all="ignore"):
        value = (1 + u) ** -a * hyp2f1(a + b - shape, a, a + b, z)
    doubtful = ~((value >= 0) & (value <= 1)) | _gammas_overflow(a + b, z)
    if doubtful.any():
        a, b, shape, u = (np.broadcast_to(array, value.shape)[doubtful] for array in (a, b, shape, u))
        value[doubtful] = mean_over_beta(_survival, a, b, shape, u, scale=1 / (u * (1 + shape)), power=shape)
    return value


def _survival(p: Floats, shape: Floats, u: Floats) -> Floats:
    return np.exp(-shape * np.log1p(p * u))


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
