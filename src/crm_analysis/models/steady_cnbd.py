"""BG/CNBD-k whose forecast lets the silence speak for leaving alone, not for when the next purchase is due.

Reutterer, Platzer & Schroeder (2021), IJRM 38(1), 194-215 ("RPS"), forecast regular buyers this way: given alive, a
customer goes on at the mean rate lambda / k, lambda ~ Gamma(r + k x, alpha + T), as if met at a random moment between
two purchases. Under the model that is an approximation, and `cnbd` has the exact future; in a real shop, where nobody
is as regular as Erlang gaps, it forecasts better (docs/decisions/0010). Past, likelihood and chance to be alive are
those of `cnbd`. What the functions take and return is said once, in `purchase_fit.PurchaseModel`.
"""

import numpy as np
import pandas as pd

from crm_analysis.models import beta_dropout
from crm_analysis.models.beta_dropout import Alive
from crm_analysis.models.cnbd import (
    CNBDParams,
    expected_purchases_new_customer,
    log_likelihood_and_score,
    probability_alive,
    probability_of_purchases,
    simulate,
)
from crm_analysis.models.histories import Floats, if_alive

__all__ = [
    "CNBDParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "log_likelihood_and_score",
    "probability_alive",
    "probability_of_future_purchases",
    "probability_of_purchases",
    "simulate",
    "simulate_future",
]


def _given_alive(params: CNBDParams, frequency: Floats, T: Floats) -> Alive:
    """Purchase rates lambda / k and dropout of a customer known to be alive."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    k, stayed = params.k, x + 1 if params.modified else x
    return Alive(params.r + k * x, k * (params.alpha + T), np.broadcast_to(params.a, x.shape), params.b + stayed)


def expected_purchases(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases in the next `horizon`, given the history (RPS, eq. 12, with its mean over rates exact)."""
    alive = probability_alive(params, frequency, recency, T)
    return if_alive(alive, beta_dropout.expected_purchases, *_given_alive(params, frequency, T), horizon)


def discounted_residual_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0, no horizon and a <= 1."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_purchases(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


def discounted_residual_lifetime(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation, in the time unit of `T`."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: beta_dropout.discounted_lifetime(Alive(*rows), rate, horizon),
        *_given_alive(params, frequency, T),
    )


def probability_of_future_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history. Who has left makes none."""
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(alive, beta_dropout.probability_of_purchases, *_given_alive(params, frequency, T), n, horizon)
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


def simulate_future(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history."""
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    known = _given_alive(params, frequency, T).of(alive)
    return beta_dropout.simulate(known, alive, np.full(len(alive), float(horizon)), rng)
