"""BG/NBD: customers buy at a Poisson rate of their own and may leave for good after any purchase.

Fader, Hardie & Lee (2005), "Counting Your Customers" the Easy Way, Marketing Science 24(2), 275-284 ("FHL" below).
Purchase rates lambda are Gamma(r, alpha) among customers, the chance p to leave after a purchase is Beta(a, b).
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, gammaln, psi

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.models import beta_dropout
from crm_analysis.models.beta_dropout import Alive
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.histories import (
    Column,
    Floats,
    dead_or_alive,
    each,
    histories,
    if_alive,
    once_per_distinct_row,
)
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel

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
    "log_likelihood_and_score",
    "probability_alive",
    "probability_of_future_purchases",
    "probability_of_purchases",
    "simulate",
    "simulate_future",
    "starting_values",
]


class BGNBDParams(NamedTuple):
    """Parameters of the BG/NBD: Gamma(r, alpha) purchase rates, Beta(a, b) dropout; alpha in the unit of T.

    With covariates alpha, a and b are arrays, one element a customer; every function here takes either.
    """

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
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def _log_dead_to_alive(params: BGNBDParams, frequency: Column, silence: Floats) -> Floats:
    """Log odds that the customer left after the last purchase; -inf before any repeat purchase."""
    r, _alpha, a, b = params
    return each(_log_leaving, frequency, a, b) + each(np.add, frequency, r) * silence


def _log_leaving(x: Floats, a: float, b: float) -> Floats:
    # b + x - 1 is negative or zero for x = 0 and b <= 1, so the odds are formed where they have a meaning only.
    return np.where(x > 0, np.log(a) - np.log(b + np.maximum(x, 1.0) - 1), -np.inf)


def log_likelihood_and_score(
    params: BGNBDParams, frequency: Column, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha, a, b), shape (n_customers, 4)."""
    r, alpha, a, b = params
    t_x, T = np.asarray(recency, float), np.asarray(T, float)
    shape, rate = each(np.add, frequency, r), alpha + T
    since_last = (T - t_x) / (alpha + t_x)
    log_rate, silence = np.log(rate), np.log1p(since_last)
    dead, log_either = dead_or_alive(_log_dead_to_alive(params, frequency, silence))

    bought = each(lambda x, r: gammaln(r + x) - gammaln(r), frequency, r)
    never_left = each(lambda x, a, b: betaln(a, b + x) - betaln(a, b), frequency, a, b)
    # The paper adds the cases alive and dead; as alive * (1 + odds) hundreds of purchases neither under- nor overflow.
    value = bought + never_left + r * np.log(alpha) - shape * log_rate + log_either

    d_bought = each(lambda x, r: psi(r + x) - psi(r), frequency, r)
    d_stayed_a = each(lambda x, a, b: psi(a + b) - psi(a + b + x), frequency, a, b)
    d_stayed_b = each(lambda x, b: psi(b + x) - psi(b), frequency, b)
    d_left_b = each(lambda x, b: 1 / (b + np.maximum(x, 1.0) - 1), frequency, b)
    d_r = d_bought + np.log(alpha) - log_rate + dead * silence
    d_alpha = r / alpha - shape * (1 + dead * since_last) / rate
    d_a = d_stayed_a + dead / a
    d_b = d_stayed_b + d_stayed_a - dead * d_left_b
    return value, np.stack([d_r, d_alpha, d_a, d_b]).T


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
    t_x, T = np.asarray(recency, float), np.asarray(T, float)
    silence = np.log1p((T - t_x) / (params.alpha + t_x))
    return expit(-_log_dead_to_alive(params, frequency, silence))


def _given_alive(params: BGNBDParams, frequency: Floats, T: Floats) -> Alive:
    """Shape and rate of the gamma, a and b of the beta, of a customer known to be alive after x purchases in T."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    return Alive(params.r + x, params.alpha + T, np.broadcast_to(params.a, x.shape), params.b + x)


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
    FHL, eq. 10.
    """
    alive = probability_alive(params, frequency, recency, T)
    return if_alive(alive, beta_dropout.expected_purchases, *_given_alive(params, frequency, T), horizon)


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
    return once_per_distinct_row(beta_dropout.expected_purchases, *params, horizon)


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

    References
    ----------
    FHL, eq. 10 is the case rate = 0; Fader, Hardie & Lee (2005), RFM and CLV, JMR 42, for the idea of DERT.
    """
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_purchases(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


def discounted_residual_lifetime(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation: what a cost per unit of time is paid for.

    Parameters and units as in `discounted_residual_purchases`; the result is in the time unit of `T`.
    """
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_lifetime(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


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
    FHL, eq. 8.
    """
    return once_per_distinct_row(beta_dropout.probability_of_purchases, *params, n, t)


def probability_of_future_purchases(
    params: BGNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given each customer's history.

    Parameters
    ----------
    params : BGNBDParams
        r, alpha, a, b, in the time unit of `T`.
    frequency, recency, T : array, shape (n_customers,)
        Repeat purchases (count); recency and T in the same time unit.
    n : int or array, broadcasting with the histories
        Purchases, >= 0; shape (m, 1) gives a table of m rows.
    horizon : float
        Length of the forecast window, same time unit.

    Returns
    -------
    array, broadcast shape
        Between 0 and 1; sums to 1 over n. Who has left makes none.
    """
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(alive, beta_dropout.probability_of_purchases, *_given_alive(params, frequency, T), n, horizon)
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


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
    start = Alive(*(np.broadcast_to(np.asarray(value, float), T.shape) for value in params))
    events = beta_dropout.simulate(start, np.arange(len(T)), T, rng)
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
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    known = _given_alive(params, frequency, T).of(alive)
    return beta_dropout.simulate(known, alive, np.full(len(alive), float(horizon)), rng)


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float) -> Sequence[BGNBDParams]:
    """Where to begin the search, given purchases per unit of time: few and many buyers leave."""
    return [BGNBDParams(r, r / purchase_rate, a, b) for r, a, b in [(0.5, 0.5, 2.0), (1.0, 1.0, 10.0)]]


@dataclass(frozen=True, eq=False, kw_only=True)
class BGNBDFit(PurchaseFit):
    """A BG/NBD with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit."""

    model_name: ClassVar[str] = "BG/NBD"
    params_type: ClassVar[type] = BGNBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: BGNBDParams


def fit_bgnbd(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    dropout: Covariates = None,
    opposite_dropout: bool = False,
    penalty: float = 0.0,
) -> BGNBDFit:
    """Estimate the BG/NBD by maximum likelihood.

    Parameters
    ----------
    customers : CustomerSummary
        One row a customer: frequency, recency, T, and the columns of the covariates. Customers without a repeat
        purchase belong in it.
    weights : Series or array, shape (n_customers,), optional
        Case weights, >= 0; a weight of 2 equals the row given twice.
    purchase, dropout : str or sequence of str, optional
        Covariates of purchase rate and of dropout: formula text such as "~ channel + age", or names of columns.
        alpha_i = alpha exp(-gamma'z); a_i = a exp(kappa_a'z) and b_i = b exp(kappa_b'z).
    opposite_dropout : bool
        One coefficient of dropout a covariate, kappa_b = -kappa_a, which moves the mean chance to leave alone.
    penalty : float
        Weight of the squared coefficients (for a covariate in standard deviations) in the log-likelihood, >= 0.

    Returns
    -------
    BGNBDFit

    Raises
    ------
    DataError
        When no customer has a repeat purchase: there is nothing to learn dropout from. When a covariate is missing.

    Warns
    -----
    EstimationWarning
        On a ridge, a parameter at its bound, too few repeat buyers, or a search that did not converge; with advice.

    References
    ----------
    Fader & Hardie (2007), Incorporating time-invariant covariates into the Pareto/NBD and BG/NBD models (note 019).

    Examples
    --------
    >>> from crm_analysis import fit_bgnbd, load_cdnow_sample, summarize_customers
    >>> customers = summarize_customers(load_cdnow_sample(), as_of="1997-09-30")
    >>> round(fit_bgnbd(customers).params.r, 3)
    0.243
    """
    effects = [("purchase", {"alpha": -1.0}, purchase)]
    if opposite_dropout:
        effects += [("dropout", {"a": 1.0, "b": -1.0}, dropout)]
    else:
        effects += [("dropout_a", {"a": 1.0}, dropout), ("dropout_b", {"b": 1.0}, dropout)]
    return BGNBDFit.estimate(customers, weights=weights, effects=effects, penalty=penalty)
