"""Pareto/NBD: customers buy at a Poisson rate of their own and leave for good at a moment nobody sees.

Schmittlein, Morrison & Colombo (1987), Counting Your Customers, Management Science 33(1), 1-24; Fader & Hardie (2005),
A note on deriving the Pareto/NBD model ("FH"). Purchase rates lambda are Gamma(r, alpha) among customers, dropout rates
mu are Gamma(s, beta). What its functions take and return is said once, in `purchase_fit.PurchaseModel`.

No hypergeometric function is needed: FH's integral over the moment of leaving is taken by Gauss-Legendre, which gives
exact gradients with the same nodes.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
import pandas as pd
from scipy.special import expit, gammaln, psi, roots_legendre

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.models import poisson
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.histories import (
    Column,
    Floats,
    Integers,
    dead_or_alive,
    each,
    histories,
    if_alive,
    once_per_distinct_row,
)
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel
from crm_analysis.models.quadrature import discounted_power

__all__ = [
    "ParetoNBDFit",
    "ParetoNBDParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_pareto_nbd",
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


def _gauss(nodes: int) -> tuple[Floats, Floats]:
    """Nodes and weights of Gauss-Legendre from 0 to 1."""
    places, weights = roots_legendre(nodes)
    return (places + 1) / 2, weights / 2


_NODES, _WEIGHTS = _gauss(32)
# The integrand is followed until either of its two factors has fallen to e^-30.
_FALL = 30.0
# How far and by which power of e the integrand may fall for so many nodes to give 13 digits; the last rule is for all.
_RULES = ((1.0, 2.0, *_gauss(8)), (2.5, 12.0, *_gauss(16)), (np.inf, np.inf, *_gauss(32)))
# So many values stay in the cache of a processor.
_NODES_AT_ONCE = 1 << 14
# The density of n purchases at the moment of leaving can be a narrow peak: 8 panels of 32 nodes find it.
_PANELS = 8


class ParetoNBDParams(NamedTuple):
    """Parameters of the Pareto/NBD: Gamma(r, alpha) purchase rates, Gamma(s, beta) dropout rates; in the unit of T.

    With covariates alpha and beta are arrays, one element a customer; every function here takes either.
    """

    r: float
    alpha: float
    s: float
    beta: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history (FH, eq. 18, with its integral as it stands)."""
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def log_likelihood_and_score(
    params: ParetoNBDParams, frequency: Column, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha, s, beta), shape (n_customers, 4)."""
    r, alpha, s, beta = params
    x, t_x, T = np.asarray(frequency, float), np.asarray(recency, float), np.asarray(T, float)
    log_alive, log_dead, at_death = _alive_and_dead(params, x, t_x, T)
    dead, log_either = dead_or_alive(log_dead - log_alive)
    bought = each(lambda x, r: gammaln(r + x) - gammaln(r), frequency, r)
    value = bought + r * np.log(alpha) + s * np.log(beta) + log_alive + log_either

    alive = 1 - dead
    log_purchase, log_dropout, by_purchase, by_dropout = at_death
    d_bought = each(lambda x, r: psi(r + x) - psi(r), frequency, r)
    d_r = d_bought + np.log(alpha) - alive * np.log(alpha + T) - dead * log_purchase
    d_alpha = r / alpha - (r + x) * (alive / (alpha + T) + dead * by_purchase)
    d_s = np.log(beta) - alive * np.log(beta + T) + dead * (1 / s - log_dropout)
    d_beta = s / beta - alive * s / (beta + T) - dead * (s + 1) * by_dropout
    return value, np.stack([d_r, d_alpha, d_s, d_beta]).T


def _alive_and_dead(
    params: ParetoNBDParams, x: Floats, t_x: Floats, T: Floats, *, with_means: bool = True
) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    """Log of the two terms of the likelihood, and means over the moment u at which the customer may have left.

    The term of those who left is s times A0, the integral of (alpha+u)^-(r+x) (beta+u)^-(s+1) for u from t_x to T. The
    means, weighted by the integrand, are of log(alpha+u), log(beta+u), 1/(alpha+u) and 1/(beta+u): what the derivatives
    of log A0 are made of.
    """
    r, alpha, s, beta = (np.broadcast_to(np.asarray(value, float), x.shape) for value in params)
    purchases, leaving = r + x, s + 1
    log_alive = -purchases * np.log(alpha + T) - s * np.log(beta + T)
    with np.errstate(over="ignore"):
        fallen = np.minimum(
            (alpha + t_x) * np.exp(_FALL / purchases) - alpha, (beta + t_x) * np.exp(_FALL / leaving) - beta
        )
    # In y = log(near + u), near the smaller of alpha and beta, the integrand is smooth, and its factor of near is known
    # at the nodes without a logarithm there.
    swapped = alpha > beta
    near, far = np.where(swapped, (beta, alpha), (alpha, beta)) + t_x
    near_power, far_power = np.where(swapped, (leaving, purchases), (purchases, leaving))
    length = np.log1p(np.maximum(np.minimum(T, fallen) - t_x, 0.0) / near)
    whole = _moment_of_leaving(near, far, near_power, far_power, length, with_means)
    with np.errstate(divide="ignore"):  # bought on the last day: no time to leave, log 0
        log_integral = np.log(whole[0]) + (1 - near_power) * np.log(near) - far_power * np.log(far)
    if not with_means:
        return log_alive, np.log(s) + log_integral, ()
    log_means, means = np.where(swapped, whole[[2, 1, 4, 3]], whole[1:]).reshape(2, 2, -1)
    return log_alive, np.log(s) + log_integral, (*log_means, *means)


def _moment_of_leaving(
    near: Floats, far: Floats, near_power: Floats, far_power: Floats, length: Floats, with_means: bool
) -> Floats:
    """Integral of e^((1 - near_power) y) (far(y) / far)^-far_power for y from 0 to `length`, and means under it.

    There far(y) = far + near (e^y - 1). The means are of log(near e^y), log far(y), and the reciprocals of what these
    logs are of; one column a row of data. The fewer nodes, the shorter and flatter: 13 digits are kept throughout.
    """
    fall = (near_power - 1) * length + far_power * np.log1p(near * np.expm1(length) / far)
    whole = np.empty((5, len(near)))
    rest = np.ones(len(near), dtype=bool)
    for longest, most, nodes, weights in _RULES:
        rows = np.flatnonzero(rest & ~((length > longest) | (fall > most)))
        rest[rows] = False
        for chunk in np.array_split(rows, len(rows) * len(nodes) // _NODES_AT_ONCE + 1):
            start, gap, end = near[chunk], far[chunk] - near[chunk], length[chunk]
            y = nodes[:, None] * end
            from_near = start * np.exp(y)
            from_far = from_near + gap
            log_far = np.log(from_far)
            log_start = np.log(start), np.log(far[chunk])
            density = np.exp((1 - near_power[chunk]) * y - far_power[chunk] * (log_far - log_start[1]))
            total = weights @ density
            whole[0, chunk] = total * end
            if not with_means:
                continue
            whole[1, chunk] = log_start[0] + (weights * nodes) @ density * end / total
            whole[2, chunk] = weights @ (density * log_far) / total
            whole[3, chunk] = weights @ (density / from_near) / total
            whole[4, chunk] = weights @ (density / from_far) / total
    return whole


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer has not left by the end of observation (FH, eq. 23); 1 where t_x = T."""
    columns = (np.asarray(column, float) for column in (*params, frequency, recency, T))

    def alive(*columns: Floats) -> Floats:
        own = ParetoNBDParams(*columns[:4])  # type: ignore[arg-type]
        log_alive, log_dead, _none = _alive_and_dead(own, *columns[4:], with_means=False)
        return expit(log_alive - log_dead)

    return once_per_distinct_row(alive, *columns)


def _given_alive(params: ParetoNBDParams, frequency: Floats, T: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Shape and rate of purchase rates, shape and rate of dropout rates, of a customer alive after x purchases in T."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    return params.r + x, params.alpha + T, np.asarray(params.s, float), params.beta + T


def _expected_while_alive(shape: Floats, rate: Floats, s: Floats, beta: Floats, horizon: Floats) -> Floats:
    return shape / rate * discounted_power(s, beta, 0.0, horizon)


def expected_purchases(
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float
) -> Floats:
    """Expected purchases in the next `horizon`, given the history (FH, eq. 26, whole at s = 1 too)."""
    alive = probability_alive(params, frequency, recency, T)
    return if_alive(alive, _expected_while_alive, *_given_alive(params, frequency, T), horizon)


def expected_purchases_new_customer(params: ParetoNBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase (FH, eq. 17)."""
    return once_per_distinct_row(_expected_while_alive, *params, horizon)


def discounted_residual_purchases(
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0, no horizon and s <= 1.

    Fader, Hardie & Lee (2005), RFM and CLV, JMR 42, eq. 6 in continuous time, is the case without a horizon.
    """

    def while_alive(shape: Floats, own_rate: Floats, s: Floats, beta: Floats) -> Floats:
        return shape / own_rate * discounted_power(s, beta, rate, horizon)

    alive = probability_alive(params, frequency, recency, T)
    return if_alive(alive, while_alive, *_given_alive(params, frequency, T))


def discounted_residual_lifetime(
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation, in the time unit of `T`."""
    alive = probability_alive(params, frequency, recency, T)
    _shape, _rate, s, beta = _given_alive(params, frequency, T)
    return if_alive(alive, lambda s, beta: discounted_power(s, beta, rate, horizon), s, beta)


def probability_of_purchases(params: ParetoNBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first.

    FH, eq. 16: of n purchases by t and alive, or by the moment of leaving, the latter integrated over that moment.
    """
    return once_per_distinct_row(_probability_while_alive, *params, n, t)


def _probability_while_alive(shape: Floats, rate: Floats, s: Floats, beta: Floats, n: Floats, t: Floats) -> Floats:
    stays = np.exp(poisson.log_probability(shape, rate, n, t) - s * np.log1p(t / beta))
    smaller = np.minimum(rate, beta)
    panel = np.log1p(t / smaller)[:, None] / _PANELS
    leaves = np.zeros(n.shape)
    shape_, rate_, s_, beta_, n_, smaller_ = (column[:, None] for column in (shape, rate, s, beta, n, smaller))
    for k in range(_PANELS):
        y = panel * (k + _NODES)
        u = smaller_ * np.expm1(y)
        density = np.log(s_ / (beta_ + u)) - s_ * np.log1p(u / beta_) + np.log(smaller_ + u)
        leaves += np.exp(poisson.log_probability(shape_, rate_, n_, u) + density) @ _WEIGHTS * panel[:, 0]
    return stays + leaves


def probability_of_future_purchases(
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history. Who has left makes none."""
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(alive, _probability_while_alive, *_given_alive(params, frequency, T), n, horizon)
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: ParetoNBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers: `customer` (position in `T`) and `time`, sorted."""
    T = np.asarray(T, float)
    start = tuple(np.broadcast_to(np.asarray(value, float), T.shape) for value in params)
    events = _simulate(start, np.arange(len(T)), T, rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history."""
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    posterior = tuple(np.broadcast_to(value, T.shape)[alive] for value in _given_alive(params, frequency, T))
    return _simulate(posterior, alive, np.full(len(alive), float(horizon)), rng)


def _simulate(gammas: tuple[Floats, ...], customer: Integers, end: Floats, rng: np.random.Generator) -> pd.DataFrame:
    shape, rate, s, beta = gammas
    with np.errstate(divide="ignore", over="ignore"):  # a dropout rate of zero: never leaves
        leaves = rng.exponential(size=len(customer)) * beta / rng.gamma(s)
    return poisson.simulate(rng.gamma(shape) / rate, customer, np.minimum(leaves, end), rng)


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float) -> Sequence[ParetoNBDParams]:
    """Where to begin the search, given purchases per unit of time: many and few customers leave."""
    fast = 1.5 * purchase_rate
    return [ParetoNBDParams(r, r / fast, s, s / leaving) for r, s, leaving in [(0.5, 0.6, fast), (1.0, 2.0, fast / 10)]]


@dataclass(frozen=True, eq=False, kw_only=True)
class ParetoNBDFit(PurchaseFit):
    """A Pareto/NBD with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit."""

    model_name: ClassVar[str] = "Pareto/NBD"
    params_type: ClassVar[type] = ParetoNBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: ParetoNBDParams


def fit_pareto_nbd(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    dropout: Covariates = None,
    penalty: float = 0.0,
) -> ParetoNBDFit:
    """Estimate the Pareto/NBD by maximum likelihood.

    Parameters
    ----------
    customers, weights, penalty
        As for `fit_bgnbd`; so are errors and warnings.
    purchase, dropout : str or sequence of str, optional
        Covariates of the two rates: formula text such as "~ channel + age", or names of columns;
        alpha_i = alpha exp(-gamma'z), beta_i = beta exp(-kappa'z), so that a positive coefficient means faster.

    Returns
    -------
    ParetoNBDFit
    """
    effects = [("purchase", {"alpha": -1.0}, purchase), ("dropout", {"beta": -1.0}, dropout)]
    return ParetoNBDFit.estimate(customers, weights=weights, effects=effects, penalty=penalty)
