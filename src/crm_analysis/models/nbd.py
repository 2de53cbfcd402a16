"""NBD: customers buy at a Poisson rate of their own and never leave. The benchmark for every model with dropout.

Ehrenberg (1959), The Pattern of Consumer Purchases, Applied Statistics 8(1), 26-41; Schmittlein, Morrison & Colombo
(1987), Management Science 33(1), eq. 3 for the form with times. Purchase rates lambda are Gamma(r, alpha) among
customers. What its functions take and return is said once, in `purchase_fit.PurchaseModel`.
"""

import sys
from collections.abc import Sequence
from dataclasses import dataclass
from typing import ClassVar, NamedTuple, cast

import numpy as np
import pandas as pd
from scipy.special import gammaln, psi

from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.models import poisson
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.histories import Column, Floats, each, histories, once_per_distinct_row
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel

__all__ = [
    "NBDFit",
    "NBDParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_nbd",
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


class NBDParams(NamedTuple):
    """Parameters of the NBD: Gamma(r, alpha) purchase rates; alpha in the unit of T, an array with covariates."""

    r: float
    alpha: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: NBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history, in the form with times: comparable with the models with dropout.

    The form with counts alone, of the negative binomial, is larger by x ln T - ln x! a customer.
    """
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def log_likelihood_and_score(params: NBDParams, frequency: Column, recency: Floats, T: Floats) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha), shape (n_customers, 2)."""
    r, alpha = params
    shape, rate = each(np.add, frequency, r), alpha + np.asarray(T, float)
    log_rate = np.log(rate)
    value = each(lambda x, r: gammaln(r + x) - gammaln(r), frequency, r) + r * np.log(alpha) - shape * log_rate
    d_r = each(lambda x, r: psi(r + x) - psi(r), frequency, r) + np.log(alpha) - log_rate
    d_alpha = r / alpha - shape / rate
    return value, np.stack([d_r, d_alpha]).T


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: NBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """1 for everybody: nobody leaves."""
    return np.ones(np.shape(frequency))


def expected_purchases(params: NBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases in the next `horizon`, given the history: horizon (r + x) / (alpha + T)."""
    r, alpha = params
    return horizon * (r + np.asarray(frequency, float)) / (alpha + np.asarray(T, float))


def expected_purchases_new_customer(params: NBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase: horizon r / alpha."""
    return np.asarray(horizon, float) * params.r / params.alpha


def discounted_residual_purchases(
    params: NBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0 and no horizon."""
    return expected_purchases(params, frequency, recency, T, 1.0) * _annuity(rate, horizon)


def discounted_residual_lifetime(
    params: NBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Discounted time after the end of observation: all of it, for nobody leaves."""
    return np.full(np.shape(frequency), _annuity(rate, horizon))


def _annuity(rate: float, horizon: float | None) -> float:
    """Integral of exp(-rate s) from 0 to the horizon."""
    if rate == 0:
        return np.inf if horizon is None else horizon
    return 1 / rate if horizon is None else float(-np.expm1(-rate * horizon)) / rate


def probability_of_purchases(params: NBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first."""
    return once_per_distinct_row(lambda *row: np.exp(poisson.log_probability(*row)), *params, n, t)


def probability_of_future_purchases(
    params: NBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history."""
    r, alpha = params
    given = NBDParams(r + np.asarray(frequency, float), alpha + np.asarray(T, float))  # type: ignore[arg-type]
    return probability_of_purchases(given, n, horizon)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: NBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers: `customer` (position in `T`) and `time`, sorted."""
    T = np.asarray(T, float)
    events = poisson.simulate(rng.gamma(params.r, size=T.shape) / params.alpha, np.arange(len(T)), T, rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: NBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history."""
    T = np.asarray(T, float)
    purchase_rate = rng.gamma(params.r + np.asarray(frequency, float)) / (params.alpha + T)
    return poisson.simulate(purchase_rate, np.arange(len(T)), np.full(len(T), float(horizon)), rng)


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float) -> Sequence[NBDParams]:
    """Where to begin the search, given purchases per unit of time."""
    return [NBDParams(r, r / purchase_rate) for r in (0.5, 2.0)]


@dataclass(frozen=True, eq=False, kw_only=True)
class NBDFit(PurchaseFit):
    """An NBD with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit."""

    model_name: ClassVar[str] = "NBD"
    params_type: ClassVar[type] = NBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: NBDParams


def fit_nbd(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    penalty: float = 0.0,
) -> NBDFit:
    """Estimate the NBD by maximum likelihood; arguments, errors and warnings are those of `fit_bgnbd`."""
    return NBDFit.estimate(
        customers, weights=weights, effects=[("purchase", {"alpha": -1.0}, purchase)], penalty=penalty
    )
