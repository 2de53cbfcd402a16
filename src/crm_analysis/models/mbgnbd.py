"""MBG/NBD: the BG/NBD in which a customer may leave after the first purchase already.

Batislam, Denizel & Filiztekin (2007), Empirical validation and comparison of models for customer base analysis,
International Journal of Research in Marketing 24(3), 201-209 ("BDF"); Hoppe & Wagner (2007), Marketing JRM 3(2), 75-90.
Purchase rates lambda are Gamma(r, alpha) among customers, the chance p to leave after a purchase is Beta(a, b).
What its functions take and return is said once, in `purchase_fit.PurchaseModel`.
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
from crm_analysis.models.histories import Column, Floats, dead_or_alive, each, histories, if_alive
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel

__all__ = [
    "MBGNBDFit",
    "MBGNBDParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_mbgnbd",
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


class MBGNBDParams(NamedTuple):
    """Parameters of the MBG/NBD: Gamma(r, alpha) purchase rates, Beta(a, b) dropout; alpha in the unit of T.

    With covariates alpha, a and b are arrays, one element a customer; every function here takes either.
    """

    r: float
    alpha: float
    a: float
    b: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history (BDF, eq. 3)."""
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def _log_dead_to_alive(params: MBGNBDParams, frequency: Column, silence: Floats) -> Floats:
    """Log odds that the customer left after the last purchase, be it the first."""
    r, _alpha, a, b = params
    return each(lambda x, a, b: np.log(a) - np.log(b + x), frequency, a, b) + each(np.add, frequency, r) * silence


def log_likelihood_and_score(
    params: MBGNBDParams, frequency: Column, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha, a, b), shape (n_customers, 4)."""
    r, alpha, a, b = params
    t_x, T = np.asarray(recency, float), np.asarray(T, float)
    shape, rate = each(np.add, frequency, r), alpha + T
    since_last = (T - t_x) / (alpha + t_x)
    log_rate, silence = np.log(rate), np.log1p(since_last)
    dead, log_either = dead_or_alive(_log_dead_to_alive(params, frequency, silence))

    bought = each(lambda x, r: gammaln(r + x) - gammaln(r), frequency, r)
    never_left = each(lambda x, a, b: betaln(a, b + x + 1) - betaln(a, b), frequency, a, b)
    value = bought + never_left + r * np.log(alpha) - shape * log_rate + log_either

    d_bought = each(lambda x, r: psi(r + x) - psi(r), frequency, r)
    d_stayed_a = each(lambda x, a, b: psi(a + b) - psi(a + b + x + 1), frequency, a, b)
    d_stayed_b = each(lambda x, b: psi(b + x + 1) - psi(b), frequency, b)
    d_left_b = each(lambda x, b: 1 / (b + x), frequency, b)
    d_r = d_bought + np.log(alpha) - log_rate + dead * silence
    d_alpha = r / alpha - shape * (1 + dead * since_last) / rate
    d_a = d_stayed_a + dead / a
    d_b = d_stayed_b + d_stayed_a - dead * d_left_b
    return value, np.stack([d_r, d_alpha, d_a, d_b]).T


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer has not left by the end of observation (BDF, eq. 3: the share alive).

    Below 1 for a one-time buyer too, who may have left after the first purchase.
    """
    t_x, T = np.asarray(recency, float), np.asarray(T, float)
    silence = np.log1p((T - t_x) / (params.alpha + t_x))
    return expit(-_log_dead_to_alive(params, frequency, silence))


def _given_alive(params: MBGNBDParams, frequency: Floats, T: Floats) -> Alive:
    """Shape and rate of the gamma, a and b of the beta, of a customer alive who has stayed x + 1 times."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    return Alive(params.r + x, params.alpha + T, np.broadcast_to(params.a, x.shape), params.b + x + 1)


def _stays_after_the_first(params: MBGNBDParams) -> Floats:
    return np.asarray(params.b / (params.a + params.b))


def expected_purchases(params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases in the next `horizon`, given the history (BDF, eq. 7, by Euler's transformation)."""
    alive = probability_alive(params, frequency, recency, T)
    return if_alive(alive, beta_dropout.expected_purchases, *_given_alive(params, frequency, T), horizon)


def expected_purchases_new_customer(params: MBGNBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase (BDF, eq. 6)."""
    r, alpha, a, b = params
    return if_alive(_stays_after_the_first(params), beta_dropout.expected_purchases, r, alpha, a, b + 1, horizon)


def discounted_residual_purchases(
    params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0, no horizon and a <= 1."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_purchases(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


def discounted_residual_lifetime(
    params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation, in the time unit of `T`."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_lifetime(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


def probability_of_purchases(params: MBGNBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first (BDF, eq. 5)."""
    r, alpha, a, b = params
    stays = _stays_after_the_first(params)
    bought = if_alive(stays, beta_dropout.probability_of_purchases, r, alpha, a, b + 1, n, t)
    return bought + np.where(np.asarray(n) == 0, 1 - stays, 0.0)


def probability_of_future_purchases(
    params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history. Who has left makes none."""
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(alive, beta_dropout.probability_of_purchases, *_given_alive(params, frequency, T), n, horizon)
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: MBGNBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers: `customer` (position in `T`) and `time`, sorted."""
    T = np.asarray(T, float)
    r, alpha, a, b = params
    stays = np.flatnonzero(rng.random(T.shape) < _stays_after_the_first(params))
    start = Alive(*(np.broadcast_to(np.asarray(value, float), T.shape) for value in (r, alpha, a, b + 1)))
    events = beta_dropout.simulate(start.of(stays), stays, T[stays], rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: MBGNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history."""
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    known = _given_alive(params, frequency, T).of(alive)
    return beta_dropout.simulate(known, alive, np.full(len(alive), float(horizon)), rng)


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float) -> Sequence[MBGNBDParams]:
    """Where to begin the search, given purchases per unit of time: few and many buyers leave."""
    return [MBGNBDParams(r, r / purchase_rate, a, b) for r, a, b in [(0.5, 0.8, 2.0), (1.0, 1.0, 10.0)]]


@dataclass(frozen=True, eq=False, kw_only=True)
class MBGNBDFit(PurchaseFit):
    """An MBG/NBD with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit."""

    model_name: ClassVar[str] = "MBG/NBD"
    params_type: ClassVar[type] = MBGNBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: MBGNBDParams


def fit_mbgnbd(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    dropout: Covariates = None,
    opposite_dropout: bool = False,
    penalty: float = 0.0,
) -> MBGNBDFit:
    """Estimate the MBG/NBD by maximum likelihood; arguments, errors and warnings are those of `fit_bgnbd`."""
    effects = [("purchase", {"alpha": -1.0}, purchase)]
    if opposite_dropout:
        effects += [("dropout", {"a": 1.0, "b": -1.0}, dropout)]
    else:
        effects += [("dropout_a", {"a": 1.0}, dropout), ("dropout_b", {"b": 1.0}, dropout)]
    return MBGNBDFit.estimate(customers, weights=weights, effects=effects, penalty=penalty)
