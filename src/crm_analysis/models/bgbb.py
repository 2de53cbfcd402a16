"""BG/BB: at each opportunity a customer still there buys with a chance of their own, or may have left for good before.

Fader, Hardie & Shang (2010), Customer-Base Analysis in a Discrete-Time Noncontractual Setting, Marketing Science 29(6),
1086-1108 ("FHS" below). The chance p to buy at an opportunity is Beta(alpha, beta) among customers, the chance theta to
leave right before one is Beta(gamma, delta). Opportunities are counted from the first purchase: `T` is their number n,
`recency` the one of the last purchase. What the functions take and return is said in `purchase_fit.PurchaseModel`, with
opportunities where time stands there, and a discount rate per opportunity.
"""

import sys
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass
from typing import Any, ClassVar, NamedTuple, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betaln, psi

from crm_analysis.data.customer_summary import TABLE
from crm_analysis.data.summaries import CustomerSummary
from crm_analysis.errors import Violation, refuse
from crm_analysis.models import beta_geometric
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.histories import Floats, Integers, histories, if_alive, once_per_distinct_row
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel
from crm_analysis.periods import Horizon, annual_to_continuous

__all__ = [
    "BGBBFit",
    "BGBBParams",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_bgbb",
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


class BGBBParams(NamedTuple):
    """Parameters of the BG/BB: Beta(alpha, beta) chances to buy, Beta(gamma, delta) chances to leave.

    With covariates they are arrays, one element a customer; every function here takes either.
    """

    alpha: float
    beta: float
    gamma: float
    delta: float


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: BGBBParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history.

    Parameters
    ----------
    params : BGBBParams
        alpha, beta, gamma, delta.
    frequency, recency, T : array, shape (n_customers,)
        Whole numbers with frequency <= recency <= T: repeat purchases, the opportunity of the last one (0 for none),
        and the opportunities there were.

    Returns
    -------
    array, shape (n_customers,)

    References
    ----------
    FHS, section 3: L(alpha, beta, gamma, delta | x, t_x, n).
    """
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def log_likelihood_and_score(
    params: BGBBParams, frequency: Floats, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each history, and its gradient in (alpha, beta, gamma, delta), shape (n_customers, 4)."""
    outcomes = _outcomes(params, frequency, recency, T)
    return outcomes.log_likelihood, outcomes.score


class _Outcomes(NamedTuple):
    """What became of the customer after the last purchase, summed over all it may have been."""

    log_likelihood: Floats
    score: Floats
    alive: Floats


# Slope of the log of a factor in (alpha, beta, gamma, delta), from the reciprocals of its numerators and denominators.
_SLOPE_OF_FACTOR = np.array([[0, 0, -1, 0], [1, 0, -1, 0], [0, 0, 0, -1], [0, 1, 0, -1]])


def _outcomes(params: BGBBParams, frequency: Floats, recency: Floats, T: Floats) -> _Outcomes:
    """Sum over when the customer left: right after the last purchase, one opportunity later, ..., not before T.

    The term of leaving right after opportunity t is B(alpha + x, beta + t - x) / B(alpha, beta) times
    B(gamma + 1, delta + t) / B(gamma, delta). The first is taken on the log scale; each next one is the one before
    times a ratio below 1, so the sum, in units of the first term, can neither overflow nor vanish.
    """
    columns = (*params, frequency, recency, T)
    alpha, beta, gamma, delta, x, t_x, n = np.broadcast_arrays(*(np.asarray(column, float) for column in columns))
    longest_silence_first = np.argsort(t_x - n, kind="stable")
    alpha, beta, gamma, delta, x, t_x, n = (
        column[longest_silence_first] for column in (alpha, beta, gamma, delta, x, t_x, n)
    )
    silence = n - t_x

    log_first = betaln(alpha + x, beta + t_x - x) - betaln(alpha, beta)
    log_first += betaln(gamma + 1, delta + t_x) - betaln(gamma, delta)
    buying = psi(alpha + beta) - psi(alpha + beta + t_x)
    leaving = psi(gamma + delta) - psi(gamma + delta + t_x + 1)
    slope_of_first = np.stack([
        buying + psi(alpha + x) - psi(alpha),
        buying + psi(beta + t_x - x) - psi(beta),
        leaving + 1 / gamma,
        leaving + psi(delta + t_x) - psi(delta),
    ])  # fmt: skip

    # From t to t + 1 a term changes by (beta + t - x) (delta + t) / ((alpha + beta + t) (gamma + delta + t + 1)).
    of_factor = np.stack([beta + t_x - x, delta + t_x, alpha + beta + t_x, gamma + delta + t_x + 1])
    term, reciprocals = np.ones_like(x), np.zeros_like(of_factor)
    total, weighted_reciprocals = np.zeros_like(x), np.zeros_like(of_factor)
    for step in range(int(silence.max(initial=0))):
        here = slice(np.searchsorted(-silence, -step))  # whose silence is longer than this
        total[here] += term[here]
        weighted_reciprocals[:, here] += term[here] * reciprocals[:, here]
        now = of_factor[:, here] + step
        term[here] *= now[0] * now[1] / (now[2] * now[3])
        reciprocals[:, here] += 1 / now

    # Who has not left by n has B(gamma, delta + n) where the term of leaving then has B(gamma + 1, delta + n).
    moments = gamma + delta + n
    alive = term * moments / gamma
    total += alive
    weighted_slope = _SLOPE_OF_FACTOR @ (weighted_reciprocals + alive * reciprocals)
    weighted_slope[2] += alive * (1 / moments - 1 / gamma)
    weighted_slope[3] += alive / moments

    given = np.argsort(longest_silence_first)
    value, score = log_first + np.log(total), slope_of_first + weighted_slope / total
    return _Outcomes(value[given], score.T[given], (alive / total)[given])


# --- expectations -----------------------------------------------------------------------------------------------


def _alive_at_last(params: BGBBParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer was still there at opportunity T, the last one seen."""

    def alive(*columns: Floats) -> Floats:
        return _outcomes(BGBBParams._make(columns[:4]), *columns[4:]).alive

    return once_per_distinct_row(alive, *params, frequency, recency, T)


def _given_alive(params: BGBBParams, frequency: Floats, T: Floats) -> tuple[Floats, Floats, Floats, Floats]:
    """Both beta distributions of a customer known to have been there at all of T opportunities."""
    x, n = np.asarray(frequency, float), np.asarray(T, float)
    alpha, beta, gamma, delta = params
    return alpha + x, beta + n - x, np.asarray(gamma, float), delta + n


def probability_alive(params: BGBBParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer will be there at opportunity T + 1, the next one (FHS, eq. A10 with m = 1).

    As in the paper, the chance to leave right before the next opportunity is part of it.

    Returns
    -------
    array, shape (n_customers,)
        Between 0 and 1.
    """
    _, _, gamma, delta = _given_alive(params, frequency, T)
    return _alive_at_last(params, frequency, recency, T) * delta / (gamma + delta)


def expected_purchases(params: BGBBParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases at the next `horizon` opportunities (rounded to a whole number), given the history.

    Notes
    -----
    FHS, eq. 13, as a sum over the opportunities: it has no pole at gamma = 1.
    """
    return discounted_residual_purchases(params, frequency, recency, T, 0.0, horizon)


def expected_purchases_new_customer(params: BGBBParams, horizon: Floats | float) -> Floats:
    """Expected purchases of a new customer at the `horizon` opportunities after the first purchase: FHS, E[X(n)]."""

    def expected(alpha: Floats, beta: Floats, gamma: Floats, delta: Floats, horizon: Floats) -> Floats:
        return alpha / (alpha + beta) * beta_geometric.discounted_lifetime(gamma, delta, 0.0, horizon)

    return once_per_distinct_row(expected, *params, horizon)


def discounted_residual_purchases(
    params: BGBBParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after opportunity T, given each customer's history.

    Parameters
    ----------
    params : BGBBParams
        alpha, beta, gamma, delta.
    frequency, recency, T : array, shape (n_customers,)
        As in `log_likelihood`.
    rate : float
        Effective discount rate d from one opportunity to the next, >= 0: a purchase k opportunities from now is worth
        (1 + d)^-k.
    horizon : float, optional
        How many opportunities count, rounded to a whole number; None for all to come.

    Returns
    -------
    array, shape (n_customers,)
        Purchases in today's worth. Infinite where rate is 0, the horizon None and gamma <= 1.

    References
    ----------
    FHS, eq. 14 (DERT).
    """
    alpha, beta, _, _ = _given_alive(params, frequency, T)
    lifetime = discounted_residual_lifetime(params, frequency, recency, T, rate, horizon)
    return alpha / (alpha + beta) * lifetime


def discounted_residual_lifetime(
    params: BGBBParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted number of opportunities after T at which the customer is still there.

    Parameters as in `discounted_residual_purchases`.
    """
    _, _, gamma, delta = _given_alive(params, frequency, T)
    return if_alive(
        _alive_at_last(params, frequency, recency, T),
        lambda gamma, delta: beta_geometric.discounted_lifetime(gamma, delta, rate, horizon),
        gamma,
        delta,
    )


def probability_of_purchases(params: BGBBParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` purchases at `t` opportunities after the first one.

    Parameters
    ----------
    params : BGBBParams
        alpha, beta, gamma, delta.
    n, t : whole numbers or arrays of them
        Purchases and opportunities, >= 0.

    Returns
    -------
    array, broadcast shape of `n` and `t`
        Between 0 and 1; sums to 1 over n, of which none exceeds t.

    References
    ----------
    FHS, eq. 7.
    """
    return once_per_distinct_row(_probability_of_purchases, *params, n, t)


def _probability_of_purchases(
    alpha: Floats, beta: Floats, gamma: Floats, delta: Floats, n: Floats, t: Floats
) -> Floats:
    """Sum over the last opportunity i at which the customer is there, from n up, by the ratio of neighbouring terms."""
    t = np.rint(t)
    log_term = betaln(alpha + n, beta) - betaln(alpha, beta) + betaln(gamma + 1, delta + n) - betaln(gamma, delta)
    total = np.full_like(log_term, -np.inf)
    for step in range(int((t - n).max(initial=0))):
        i = n + step
        ratio = (i + 1) / (step + 1) * (beta + step) / (alpha + beta + i) * (delta + i) / (gamma + delta + i + 1)
        total = np.where(i < t, np.logaddexp(total, log_term), total)
        log_term = np.where(i < t, log_term + np.log(ratio), log_term)
    never_left = log_term + np.log1p((delta + t) / gamma)
    return np.where(n <= t, np.exp(np.logaddexp(total, never_left)), 0.0)


def probability_of_future_purchases(
    params: BGBBParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases at the next `horizon` opportunities, given the history."""
    alive = _alive_at_last(params, frequency, recency, T)
    bought = if_alive(alive, _probability_of_purchases, *_given_alive(params, frequency, T), n, horizon)
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: BGBBParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers.

    Parameters
    ----------
    params : BGBBParams
        alpha, beta, gamma, delta.
    T : array, shape (n_customers,)
        Opportunities each customer is observed for, whole numbers.
    rng : Generator
        Source of randomness.

    Returns
    -------
    DataFrame
        One row a repeat purchase: `customer` (position in `T`), `time` (number of the opportunity, from 1); sorted.
    """
    T = np.asarray(T, float)
    alpha, beta, gamma, delta = (np.broadcast_to(value, T.shape) for value in params)
    events = _simulate(alpha, beta, gamma, delta, np.arange(len(T)), T, rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: BGBBParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does at the next `horizon` opportunities: whether there, how keen, when gone.

    Returns
    -------
    DataFrame
        One row a purchase: `customer` (position in `T`), `time` in opportunities after T; in no order.
    """
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < _alive_at_last(params, frequency, recency, T))
    alpha, beta, gamma, delta = (np.broadcast_to(value, T.shape)[alive] for value in _given_alive(params, frequency, T))
    return _simulate(alpha, beta, gamma, delta, alive, np.full(len(alive), np.rint(horizon)), rng)


def _simulate(
    alpha: Floats,
    beta: Floats,
    gamma: Floats,
    delta: Floats,
    customer: Integers,
    end: Floats,
    rng: np.random.Generator,
) -> pd.DataFrame:
    """Simulate opportunity after opportunity for all customers at once, until each has left or reached the end."""
    buys, leaves = rng.beta(alpha, beta), rng.beta(gamma, delta)
    buyers, times = [np.empty(0, np.int64)], [np.empty(0)]
    opportunity = 0
    while len(customer):
        opportunity += 1
        there = (opportunity <= end) & (rng.random(len(customer)) >= leaves)
        customer, end, buys, leaves = customer[there], end[there], buys[there], leaves[there]
        bought = customer[rng.random(len(customer)) < buys]
        buyers.append(bought)
        times.append(np.full(len(bought), float(opportunity)))
    return pd.DataFrame({"customer": np.concatenate(buyers), "time": np.concatenate(times)})


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float) -> Sequence[BGBBParams]:
    """Where to begin the search, given purchases per opportunity: some have left, so the others buy more often."""
    return [
        BGBBParams(keen * certainty, (1 - keen) * certainty, gamma, delta)
        for keen, certainty, gamma, delta in [
            (min(0.9, 2.0 * purchase_rate), 2.0, 0.5, 2.0),
            (min(0.9, 1.2 * purchase_rate), 2.0, 1.0, 10.0),
        ]
    ]


@dataclass(frozen=True, eq=False, kw_only=True)
class BGBBFit(PurchaseFit):
    """A BG/BB with estimated parameters. Its methods answer for any `CustomerSummary` that counts like opportunities.

    `time_unit` says how long it is from one opportunity to the next; by it annual rates and horizons given as text are
    converted. A horizon is rounded to the nearest whole number of opportunities.
    """

    model_name: ClassVar[str] = "BG/BB"
    params_type: ClassVar[type] = BGBBParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    params: BGBBParams

    def data(self, customers: CustomerSummary) -> tuple[tuple[Floats, ...], NDArray[np.bool_]]:
        """Return frequency, recency and T of all customers; refuse what cannot be counts of opportunities."""
        refuse(_impossible(customers.frame))
        return super().data(customers)

    def discounted_residual_purchases(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected purchases of each customer at the opportunities to come, in today's worth."""
        values = self._discounted(discounted_residual_purchases, customers, annual_discount_rate, horizon)
        return pd.Series(values, index=customers.frame.index, name="discounted_residual_purchases")

    def discounted_residual_lifetime(
        self, customers: CustomerSummary, *, annual_discount_rate: float, horizon: Horizon | None = None
    ) -> pd.Series:
        """Expected number of opportunities to come at which each customer is still there, discounted to today."""
        values = self._discounted(discounted_residual_lifetime, customers, annual_discount_rate, horizon)
        return pd.Series(values, index=customers.frame.index, name="discounted_residual_lifetime")

    def _discounted(
        self,
        function: Callable[..., Floats],
        customers: CustomerSummary,
        annual_discount_rate: float,
        horizon: Horizon | None,
    ) -> Floats:
        per_opportunity = float(np.expm1(annual_to_continuous(annual_discount_rate, self.time_unit)))
        length = None if horizon is None else self._length(customers, horizon)
        return function(self.params_of(customers), *self._history(customers), per_opportunity, length)

    def _history(self, customers: CustomerSummary) -> tuple[Floats, Floats, Floats]:
        refuse(_impossible(customers.frame))
        return super()._history(customers)


def fit_bgbb(
    customers: CustomerSummary,
    *,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    dropout: Covariates = None,
    opposite: bool = False,
    penalty: float = 0.0,
) -> BGBBFit:
    """Estimate the BG/BB by maximum likelihood.

    Parameters
    ----------
    customers : CustomerSummary
        One row a customer: T counts the opportunities to buy since the first purchase, recency is the number of the one
        at which the last purchase was made (0 for none), frequency counts those at which a purchase was made. Its time
        unit says how long it is from one opportunity to the next.
    weights : Series or array, shape (n_customers,), optional
        Case weights, >= 0; a weight of 2 equals the row given twice.
    purchase, dropout : str or sequence of str, optional
        Covariates of buying and of leaving: formula text such as "~ channel + age", or names of columns.
        alpha_i = alpha exp(c_alpha'z) and beta_i = beta exp(c_beta'z); gamma_i and delta_i likewise.
    opposite : bool
        One coefficient a covariate, c_beta = -c_alpha and c_delta = -c_gamma, which moves the mean chance alone.
    penalty : float
        Weight of the squared coefficients (for a covariate in standard deviations) in the log-likelihood, >= 0.

    Returns
    -------
    BGBBFit

    Raises
    ------
    DataError
        When recency or T is not a whole number, a frequency exceeds its recency, no customer has a repeat purchase, or
        a covariate is missing.

    Warns
    -----
    EstimationWarning
        On a ridge, a parameter at its bound, too few repeat buyers, or a search that did not converge; with advice.

    References
    ----------
    FHS, section 3.
    """
    if opposite:
        effects = [("purchase", {"alpha": 1.0, "beta": -1.0}, purchase)]
        effects += [("dropout", {"gamma": 1.0, "delta": -1.0}, dropout)]
    else:
        effects = [("purchase_alpha", {"alpha": 1.0}, purchase), ("purchase_beta", {"beta": 1.0}, purchase)]
        effects += [("dropout_gamma", {"gamma": 1.0}, dropout), ("dropout_delta", {"delta": 1.0}, dropout)]
    return BGBBFit.estimate(customers, weights=weights, effects=effects, penalty=penalty)


def _impossible(frame: pd.DataFrame) -> Iterator[Violation]:
    """Say which rows cannot be counts of opportunities."""

    def rule(column: str, words: str, broken: Any, columns: list[str], fix: str) -> Iterator[Violation]:
        if broken.any():
            yield Violation(TABLE, column, words, int(broken.sum()), fix, frame.loc[broken.to_numpy(), columns].head(5))

    for column, counted in {"recency": "the one of the last purchase", "T": "how many there were"}.items():
        yield from rule(
            column,
            "not a whole number of opportunities",
            frame[column] % 1 != 0,
            [column],
            f"number the opportunities to buy after the first purchase from 1 on and give {counted}, not a time.",
        )
    yield from rule(
        "frequency",
        "more purchases than opportunities up to the last purchase",
        frame["frequency"] > frame["recency"],
        ["frequency", "recency"],
        "count each opportunity with any purchase once.",
    )
