"""BG/NBD: customers buy at a Poisson rate of their own and may leave for good after any purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284 ("FHL" below).
Purchase rates lambda are Gamma(r, alpha) among customers, the chance p to leave after a purchase is Beta(a, b).
"""

import sys
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
import pandas as pd
from scipy.special import betainc, betaln, expit, gammaln, hyp2f1, psi

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.models.fit import case_weights
from crm_analysis.models.histories import Floats, Integers, distinct_rows, histories, once_per_distinct_row
from crm_analysis.models.likelihood import maximize_likelihood
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel, history_arrays, require_repeat_buyers
from crm_analysis.models.quadrature import integral_to, integral_to_infinity, mean_over_beta

__all__ = [
    "BGNBDFit",
    "BGNBDParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_bgnbd",
    "histories",
    "log_likelihood",
    "probability_alive",
    "probability_of_purchases",
    "simulate",
    "simulate_future",
]


class BGNBDParams(NamedTuple):
    """Parameters of the BG/NBD: Gamma(r, alpha) purchase rates, Beta(a, b) dropout; alpha in the unit of T."""

    r: float
    alpha: float
    a: float
    b: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b, in the time unit of `T`.
    frequency, recency, T : array, shape (n_customers,)
        Repeat purchases (count); recency and T in the same time unit.

    Returns
    -------
    array, shape (n_customers,)
        Unscaled. The factor t_x^(x-1) / Gamma(x), free of parameters, is left out as in the paper.

    References
    ----------
    FHL, eq. 6.
    """
    return _log_likelihood_and_score(params, frequency, recency, T)[0]


def _log_dead_to_alive(params: BGNBDParams, x: Floats, t_x: Floats, T: Floats) -> Floats:
    """Log odds that the customer left after the last purchase; -inf before any repeat purchase."""
    r, alpha, a, b = params
    repeat = x > 0
    # b + x - 1 is negative or zero for x = 0 and b <= 1, so the odds are formed where they have a meaning only.
    at_least_one = np.where(repeat, x, 1.0)
    odds = np.log(a) - np.log(b + at_least_one - 1) + (r + x) * np.log1p((T - t_x) / (alpha + t_x))
    return np.where(repeat, odds, -np.inf)


def _log_likelihood_and_score(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood and its gradient in (r, alpha, a, b), per customer."""
    r, alpha, a, b = params
    x, t_x = np.asarray(frequency, float), np.asarray(recency, float)
    log_odds = _log_dead_to_alive(params, x, t_x, T)
    dead = expit(log_odds)

    purchases = gammaln(r + x) - gammaln(r) + r * np.log(alpha) - (r + x) * np.log(alpha + T)
    never_left = betaln(a, b + x) - betaln(a, b)
    # The paper adds the cases alive and dead; as alive * (1 + odds) hundreds of purchases neither under- nor overflow.
    value = purchases + never_left + np.logaddexp(0.0, log_odds)

    silence = np.log1p((T - t_x) / (alpha + t_x))
    d_r = psi(r + x) - psi(r) + np.log(alpha) - np.log(alpha + T) + dead * silence
    d_alpha = r / alpha - (r + x) / (alpha + T) - dead * (r + x) * (T - t_x) / ((alpha + T) * (alpha + t_x))
    d_a = psi(a + b) - psi(a + b + x) + dead / a
    d_b = psi(b + x) - psi(b) + psi(a + b) - psi(a + b + x) - dead / (b + np.where(x > 0, x, 1.0) - 1)
    return value, np.stack([d_r, d_alpha, d_a, d_b], axis=-1)


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer has not left by the end of observation.

    A customer without a repeat purchase has had no chance to leave in this model: exactly 1.

    Returns
    -------
    array, shape (n_customers,)
        Between 0 and 1.

    References
    ----------
    FHL, eq. 6: the share of the likelihood in which the customer is alive.
    """
    return expit(-_log_dead_to_alive(params, np.asarray(frequency, float), np.asarray(recency, float), T))


def expected_purchases(params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected repeat purchases in the next `horizon`, given each customer's history.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b, in the time unit of `T`.
    frequency, recency, T : array, shape (n_customers,)
        Repeat purchases (count); recency and T in the same time unit.
    horizon : float
        Length of the forecast window, same time unit, >= 0.

    Returns
    -------
    array, shape (n_customers,)
        Purchases per customer, >= 0.

    References
    ----------
    FHL, eq. 10, after Euler's transformation of 2F1, in which the power (1 - z)^(r+x) cancels.
    """
    alive = probability_alive(params, frequency, recency, T)
    return alive * once_per_distinct_row(lambda x, T: _expected_while_alive(params, x, T, horizon), frequency, T)


def _expected_while_alive(params: BGNBDParams, x: Floats, T: Floats, horizon: Floats | float) -> Floats:
    """Expected purchases in `horizon` of a customer known to be alive; `horizon` is one for all or one for each."""
    r, alpha, a, b = params
    z = horizon / (alpha + T + horizon)
    c = a + b + x - 1
    with np.errstate(all="ignore"):
        inner = np.exp((a - 1) * np.log1p(-z)) * hyp2f1(a + b - 1 - r, a - 1, c, z)
        expected = c / (a - 1) * (1 - inner)
    # Removable poles at a = 1 and at a + b + x = 1, and the overflow of 2F1 on a ridge: integrate the purchase rate.
    # There the difference 1 - inner also loses digits, as many as the distance to the pole has.
    doubtful = ~np.isfinite(expected) | (abs(a - 1) < 1e-4) | (np.abs(c) < 1e-4) | (expected < 0)
    if doubtful.any():
        length = np.broadcast_to(horizon, x.shape)[doubtful]
        expected[doubtful] = _discounted_while_alive(params, x[doubtful], T[doubtful], 0.0, length)
    return expected


def expected_purchases_new_customer(params: BGNBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b.
    horizon : float or array
        Time since the first purchase, in the unit of alpha, >= 0.

    Returns
    -------
    array, shape of `horizon`

    References
    ----------
    FHL, eq. 9.
    """
    length = np.atleast_1d(np.asarray(horizon, float))
    nothing = np.zeros_like(length)
    return _expected_while_alive(params, nothing, nothing, length).reshape(np.shape(horizon))


def discounted_residual_purchases(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted repeat purchases after the end of observation, given each customer's history.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b, in the time unit of `T`.
    frequency, recency, T : array, shape (n_customers,)
        Repeat purchases (count); recency and T in the same time unit.
    rate : float
        Continuous discount rate per time unit, >= 0 (see `annual_to_continuous`).
    horizon : float, optional
        Purchases after this time are left out; None for all of the future.

    Returns
    -------
    array, shape (n_customers,)
        Purchases in today's worth. Infinite where rate is 0, the horizon is None and a <= 1: the expected number
        of purchases has no bound then.

    Notes
    -----
    A customer alive at T buys at time s later at the rate (r+x)/(alpha+T+s) weighted by the chance to be still there,
    which averages over p ~ Beta(a, b+x) to (r+x)/(alpha+T) 2F1(r+x+1, a; a+b+x; -s/(alpha+T)); the integral of that
    rate times exp(-rate s) is taken by Gauss-Legendre in log(1 + s/(alpha+T)).

    References
    ----------
    FHL, eq. 10 is the case rate = 0; Fader, Hardie & Lee (2005), RFM and CLV, JMR 42, for the idea of DERT.
    """
    alive = probability_alive(params, frequency, recency, T)
    while_alive = once_per_distinct_row(lambda x, T: _discounted_while_alive(params, x, T, rate, horizon), frequency, T)
    with np.errstate(invalid="ignore"):
        return np.where(alive > 0, alive * while_alive, 0.0)


def _discounted_while_alive(
    params: BGNBDParams, x: Floats, T: Floats, rate: float, horizon: Floats | float | None
) -> Floats:
    r, alpha, a, b = params

    def purchase_rate(s: Floats, x: Floats, T: Floats) -> Floats:
        return (r + x) / (alpha + T) * _mean_survival(a, b + x, r + x + 1, s / (alpha + T))

    if horizon is not None:
        return integral_to(horizon, purchase_rate, rate, alpha + T, x, T)
    if rate > 0:
        return integral_to_infinity(purchase_rate, rate, alpha + T, x, T)
    return np.full(x.shape, np.inf) if a <= 1 else (a + b + x - 1) / (a - 1)


def discounted_residual_lifetime(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation: what a cost per unit of time is paid for.

    Parameters and units as in `discounted_residual_purchases`; the result is in the time unit of `T`.

    Notes
    -----
    Alive at T, a customer with rate lambda and dropout p is still there s later with probability exp(-lambda p s),
    which averages to 2F1(r+x, a; a+b+x; -s/(alpha+T)).
    """
    r, alpha, a, b = params

    def survival(s: Floats, x: Floats, T: Floats) -> Floats:
        return _mean_survival(a, b + x, r + x, s / (alpha + T))

    def while_alive(x: Floats, T: Floats) -> Floats:
        if horizon is not None:
            return integral_to(horizon, survival, rate, alpha + T, x, T)
        if rate > 0:
            return integral_to_infinity(survival, rate, alpha + T, x, T)
        # E[1 / (lambda p)] is finite only where both means are.
        finite = (r + x > 1) & (a > 1)
        with np.errstate(divide="ignore", invalid="ignore"):
            return np.where(finite, (alpha + T) / (r + x - 1) * (a + b + x - 1) / (a - 1), np.inf)

    alive = probability_alive(params, frequency, recency, T)
    with np.errstate(invalid="ignore"):
        return np.where(alive > 0, alive * once_per_distinct_row(while_alive, frequency, T), 0.0)


def _mean_survival(a: float, b: Floats, shape: Floats, u: Floats) -> Floats:
    """E[(1 + p u)^-shape] for p ~ Beta(a, b): 2F1(shape, a; a+b; -u), by Pfaff's transformation.

    In it the large numbers of a frequent buyer cancel: shape and b both grow with x, their difference does not.
    """
    with np.errstate(all="ignore"):
        value = (1 + u) ** -a * hyp2f1(a + b - shape, a, a + b, u / (1 + u))
    doubtful = ~((value >= 0) & (value <= 1))
    if doubtful.any():
        b, shape, u = (np.broadcast_to(array, value.shape)[doubtful] for array in (b, shape, u))
        value[doubtful] = mean_over_beta(lambda p: np.exp(-shape * np.log1p(p * u)), a, b)
    return value


def probability_of_purchases(params: BGNBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b.
    n : int or array of int
        Repeat purchases, >= 0.
    t : float or array
        Time since the first purchase, in the unit of alpha, >= 0.

    Returns
    -------
    array, broadcast shape of `n` and `t`
        Between 0 and 1; sums to 1 over n.

    References
    ----------
    FHL, eq. 8. Its sum over j < n is the chance of fewer than n events of a negative binomial, written here as a
    regularised incomplete beta function, which neither overflows nor cancels.
    """
    r, alpha, a, b = params
    n, t = np.broadcast_arrays(np.asarray(n, float), np.asarray(t, float))
    repeat = n > 0
    at_least_one = np.where(repeat, n, 1.0)
    with np.errstate(divide="ignore"):  # t = 0: log 0 is the right -inf
        exactly = (
            betaln(a, b + n) - betaln(a, b) + gammaln(r + n) - gammaln(r) - gammaln(n + 1)
            - r * np.log1p(t / alpha) + np.where(repeat, n * np.log(t / (alpha + t)), 0.0)
        )  # fmt: skip
    left_after_n = np.exp(betaln(a + 1, b + at_least_one - 1) - betaln(a, b)) * betainc(
        at_least_one, r, t / (alpha + t)
    )
    return np.exp(exactly) + np.where(repeat, left_after_n, 0.0)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: BGNBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b.
    T : array, shape (n_customers,)
        How long each customer is observed after the first purchase, unit of alpha.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        One row a repeat purchase: `customer` (position in `T`), `time` since the first purchase; sorted.
    """
    T = np.asarray(T, float)
    purchase_rate = rng.gamma(params.r, 1 / params.alpha, size=T.shape)
    dropout = rng.beta(params.a, params.b, size=T.shape)
    events = _simulate_purchases(purchase_rate, dropout, np.arange(len(T)), T, rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history: whether alive, how fast, when gone.

    Returns
    -------
    DataFrame
        One row a purchase: `customer` (position in `T`), `time` since the end of observation; in no order.

    Notes
    -----
    Given alive, lambda ~ Gamma(r+x, alpha+T) and p ~ Beta(a, b+x), independent.
    """
    r, alpha, a, b = params
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, x, recency, T))
    purchase_rate = rng.gamma(r + x[alive]) / (alpha + T[alive])
    dropout = rng.beta(a, b + x[alive])
    return _simulate_purchases(purchase_rate, dropout, alive, np.full(len(alive), float(horizon)), rng)


def _simulate_purchases(
    purchase_rate: Floats, dropout: Floats, customer: Integers, end: Floats, rng: np.random.Generator
) -> pd.DataFrame:
    """Purchase after purchase for all customers at once, until each has left or reached the end."""
    clock = np.zeros(len(customer))
    buyers, times = [], []
    while len(customer):
        with np.errstate(divide="ignore", over="ignore"):  # a rate of zero never buys: an infinite gap
            clock = clock + rng.exponential(size=len(clock)) / purchase_rate
        bought = clock <= end
        buyers.append(customer[bought])
        times.append(clock[bought])
        stays = bought & (rng.random(len(clock)) >= dropout)
        customer, clock, end = customer[stays], clock[stays], end[stays]
        purchase_rate, dropout = purchase_rate[stays], dropout[stays]
    return pd.DataFrame(
        {"customer": np.concatenate([*buyers, np.empty(0, int)]), "time": np.concatenate([*times, np.empty(0)])}
    )


# --- fit --------------------------------------------------------------------------------------------------------


@dataclass(frozen=True, eq=False, kw_only=True)
class BGNBDFit(PurchaseFit):
    """A BG/NBD with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit."""

    model_name: ClassVar[str] = "BG/NBD"
    params_type: ClassVar[type] = BGNBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: BGNBDParams


def fit_bgnbd(customers: CustomerSummary, *, weights: pd.Series | Floats | None = None) -> BGNBDFit:
    """Estimate the BG/NBD by maximum likelihood.

    Parameters
    ----------
    customers : CustomerSummary
        One row a customer: frequency, recency, T. Customers without a repeat purchase belong in it.
    weights : Series or array, shape (n_customers,), optional
        Case weights, >= 0; a weight of 2 equals the row given twice.

    Returns
    -------
    BGNBDFit

    Raises
    ------
    DataError
        When no customer has a repeat purchase: there is nothing to learn dropout from.

    Warns
    -----
    EstimationWarning
        On a ridge, a parameter at its bound, or a search that did not converge; with advice.

    Examples
    --------
    >>> from crm_analysis import fit_bgnbd, load_cdnow_sample, summarize_customers
    >>> customers = summarize_customers(load_cdnow_sample(), as_of="1997-09-30")
    >>> round(fit_bgnbd(customers).params.r, 3)
    0.243
    """
    x, t_x, T = history_arrays(customers)
    rows = distinct_rows(x, t_x, T, weights=case_weights(weights, len(x)))
    require_repeat_buyers(rows.columns[0], rows.counts)
    mean_rate = float(rows.counts @ rows.columns[0] / (rows.counts @ rows.columns[2]))
    maximum = maximize_likelihood(
        lambda values: _log_likelihood_and_score(BGNBDParams(*values), *rows.columns),
        names=BGNBDParams._fields,
        starts=[(r, r / mean_rate, a, b) for r, a, b in [(0.5, 0.5, 2.0), (1.0, 1.0, 10.0)]],
        counts=rows.counts,
    )
    return BGNBDFit.from_maximum(maximum, number_of_customers=float(rows.counts.sum()), time_unit=customers.time_unit)
