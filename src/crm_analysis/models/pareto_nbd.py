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
from crm_analysis.models.histories import Floats, Integers, histories, if_alive, once_per_distinct_row
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

_NODES, _WEIGHTS = roots_legendre(32)
# The integrand is followed until either of its two factors has fallen to e^-30; 32 nodes then give 13 digits.
_FALL = 30.0
_ROWS_AT_ONCE = 1 << 14
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
    params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha, s, beta), shape (n_customers, 4)."""
    r, alpha, s, beta = params
    x, t_x, T = np.asarray(frequency, float), np.asarray(recency, float), np.asarray(T, float)
    log_alive, log_dead, at_death = _alive_and_dead(params, x, t_x, T)
    dead = expit(log_dead - log_alive)
    value = (
        gammaln(r + x) - gammaln(r) + r * np.log(alpha) + s * np.log(beta) + np.logaddexp(log_alive, log_dead)
    )  # fmt: skip

    alive = 1 - dead
    log_purchase, log_dropout, by_purchase, by_dropout = at_death
    d_r = psi(r + x) - psi(r) + np.log(alpha) - alive * np.log(alpha + T) - dead * log_purchase
    d_alpha = r / alpha - (r + x) * (alive / (alpha + T) + dead * by_purchase)
    d_s = np.log(beta) - alive * np.log(beta + T) + dead * (1 / s - log_dropout)
    d_beta = s / beta - alive * s / (beta + T) - dead * (s + 1) * by_dropout
    return value, np.stack([d_r, d_alpha, d_s, d_beta], axis=-1)


def _alive_and_dead(
    params: ParetoNBDParams, x: Floats, t_x: Floats, T: Floats
) -> tuple[Floats, Floats, tuple[Floats, ...]]:
    """Log of the two terms of the likelihood, and means over the moment u at which the customer may have left.

    The term of those who left is s times A0, the integral of (alpha+u)^-(r+x) (beta+u)^-(s+1) for u from t_x to T. The
    means, weighted by the integrand, are of log(alpha+u), log(beta+u), 1/(alpha+u) and 1/(beta+u): what the derivatives
    of log A0 are made of.
    """
    r, alpha, s, beta = (np.broadcast_to(np.asarray(value, float), x.shape) for value in params)
    log_alive = -(r + x) * np.log(alpha + T) - s * np.log(beta + T)
    parts = [
        _moment_of_leaving(*(column[start : start + _ROWS_AT_ONCE] for column in (r, alpha, s, beta, x, t_x, T)))
        for start in range(0, max(1, len(x)), _ROWS_AT_ONCE)
    ]
    log_integral, *means = (np.concatenate(part) for part in zip(*parts, strict=True))
    return log_alive, np.log(s) + log_integral, tuple(means)


def _moment_of_leaving(
    r: Floats, alpha: Floats, s: Floats, beta: Floats, x: Floats, t_x: Floats, T: Floats
) -> tuple[Floats, ...]:
    """Log of A0 and the four means. In y = log(m + u), m the smaller of alpha and beta, the integrand is smooth."""
    purchases, leaving = r + x, s + 1
    with np.errstate(over="ignore"):
        fallen = np.minimum(
            (alpha + t_x) * np.exp(_FALL / purchases) - alpha, (beta + t_x) * np.exp(_FALL / leaving) - beta
        )
    smaller = np.minimum(alpha, beta)
    length = np.log((smaller + np.minimum(T, fallen)) / (smaller + t_x))
    u = (smaller + t_x)[:, None] * np.exp(length[:, None] * (_NODES + 1) / 2)  # m + u, so far
    from_purchase, from_dropout = u + (alpha - smaller)[:, None], u + (beta - smaller)[:, None]
    log_purchase, log_dropout = np.log(from_purchase), np.log(from_dropout)
    start_purchase, start_dropout = np.log(alpha + t_x), np.log(beta + t_x)
    density = u * np.exp(
        -purchases[:, None] * (log_purchase - start_purchase[:, None])
        - leaving[:, None] * (log_dropout - start_dropout[:, None])
    )
    weight = density * _WEIGHTS
    total = weight.sum(axis=1)
    with np.errstate(divide="ignore"):  # bought on the last day: no time to leave, log 0
        log_integral = np.log(total * length / 2) - purchases * start_purchase - leaving * start_dropout
    means = (
        (weight * of_u).sum(axis=1) / total for of_u in (log_purchase, log_dropout, 1 / from_purchase, 1 / from_dropout)
    )
    return log_integral, *means


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: ParetoNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer has not left by the end of observation (FH, eq. 23); 1 where t_x = T."""
    columns = (np.asarray(column, float) for column in (*params, frequency, recency, T))

    def alive(*columns: Floats) -> Floats:
        log_alive, log_dead, _means = _alive_and_dead(ParetoNBDParams(*columns[:4]), *columns[4:])  # type: ignore[arg-type]
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
        y = panel * (k + (_NODES + 1) / 2)
        u = smaller_ * np.expm1(y)
        density = np.log(s_ / (beta_ + u)) - s_ * np.log1p(u / beta_) + np.log(smaller_ + u)
        leaves += np.exp(poisson.log_probability(shape_, rate_, n_, u) + density) @ _WEIGHTS * panel[:, 0] / 2
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
