"""BG/CNBD-k and MBG/CNBD-k: regular buyers, who may leave for good after any purchase.

Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting customer behavior the easy way,
International Journal of Research in Marketing 38(1), 194-215 ("RPS"); Platzer & Reutterer (2016), Ticking away the
moments, Marketing Science 35(5), 779-799, for what regularity tells.

A customer passes stages at a rate lambda ~ Gamma(r, alpha) and buys at every k-th one, so that the gaps between
purchases are Erlang-k: the larger k, the more regular. After each repeat purchase, in the modified (MBG) variant after
the first purchase too, the customer leaves with a chance p ~ Beta(a, b). With k = 1 these are BG/NBD and MBG/NBD.

What a customer does next depends on the silence so far: who buys every month and last bought four weeks ago is due. RPS
leave the silence out of their forecast; here it is in. Of a customer still there, j = 0, ..., k - 1 stages have passed
since the last purchase, with a chance proportional to

    Gamma(A + j) / (Gamma(A) j!) (T - t_x)^j / (alpha + T)^(A + j),        A = r + k x,

and given j, lambda ~ Gamma(A + j, alpha + T) and p ~ Beta(a, b + times stayed) are independent. So the stages passed in
the next h are negative binomial; the n-th purchase comes with stage k n - j, within h with the chance
I_z(k n - j, A + j), z = h / (alpha + T + h), provided that the customer has stayed n - 1 times, E[(1 - p)^(n - 1)].

What the functions take and return is said once, in `purchase_fit.PurchaseModel`.
"""

import sys
import warnings
from collections.abc import Callable, Sequence
from dataclasses import dataclass, replace
from typing import Any, ClassVar, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, gammaln, logsumexp, psi, roots_legendre, softmax

from crm_analysis.data.customer_summary import TABLE, CustomerSummary
from crm_analysis.errors import EstimationWarning, SettingsError, Violation, refuse, warn_of_doubt
from crm_analysis.models import histories as purchase_histories
from crm_analysis.models import poisson
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.fit import EffectRequest, case_weights
from crm_analysis.models.histories import Floats, Integers, if_alive
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel, require_repeat_buyers
from crm_analysis.models.quadrature import integral_to

__all__ = [
    "CNBDFit",
    "CNBDParams",
    "ModifiedCNBDFit",
    "discounted_residual_lifetime",
    "discounted_residual_purchases",
    "expected_purchases",
    "expected_purchases_new_customer",
    "fit_by_regularity",
    "fit_cnbd",
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

# Erlang-12 gaps vary by 29% of their mean. Beyond, customers all but keep to a calendar, and k makes little difference.
_MOST_REGULAR = 12
# So many purchases are summed one by one; those after them, which only a long horizon or a very frequent buyer has, by
# an integral.
_ONE_BY_ONE = 512
# Probabilities below exp(-37), 1e-16, are left out of sums and integrals.
_NEGLIGIBLE = 37.0
# Numbers in an array that fits a processor's cache.
_AT_ONCE = 30_000
_LARGE = 1e200

_TAIL_NODES, _TAIL_WEIGHTS = roots_legendre(64)
_RATE_NODES, _RATE_WEIGHTS = roots_legendre(128)
_DROPOUT_NODES, _DROPOUT_WEIGHTS = roots_legendre(256)


class CNBDParams(NamedTuple):
    """Parameters of the (M)BG/CNBD-k: Erlang-k gaps, Gamma(r, alpha) stage rates, Beta(a, b) dropout.

    k is a whole number and not estimated. alpha is in the unit of T, and k times smaller than that of a BG/NBD with the
    same mean gap. `modified` tells that a customer may leave after the first purchase already (MBG). With covariates
    alpha, a and b are arrays, one element a customer; every function here takes either.
    """

    k: int
    r: float
    alpha: float
    a: float
    b: float
    modified: bool = False


# --- likelihood -------------------------------------------------------------------------------------------------


def log_likelihood(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Log-likelihood of each customer's history, see `log_likelihood_and_score`."""
    return log_likelihood_and_score(params, frequency, recency, T)[0]


def log_likelihood_and_score(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats
) -> tuple[Floats, Floats]:
    """Log-likelihood of each customer's history, and its gradient in (r, alpha, a, b), shape (n_customers, 4).

    To compare different k, (k - 1) times the sum of the logs of the gaps belongs to it, which frequency, recency and T
    do not tell; `fit_cnbd` adds it.

    References
    ----------
    RPS, the likelihoods of the BG/CNBD-k and the MBG/CNBD-k.
    """
    k, r, alpha, a, b, _modified = params
    x, t_x, T = np.asarray(frequency, float), np.asarray(recency, float), np.asarray(T, float)
    shape, stayed = r + k * x, _times_stayed(params, x)
    log_stages = _log_stages(k, shape, (T - t_x) / (alpha + T))
    log_silent = logsumexp(log_stages, axis=0)
    log_odds = _log_dead_to_alive(params, x, t_x, T, log_silent)
    dead = expit(log_odds)

    purchases = gammaln(shape) - gammaln(r) + r * np.log(alpha) - shape * np.log(alpha + T) - x * gammaln(k)
    never_left = betaln(a, b + stayed) - betaln(a, b)
    value = purchases + never_left + log_silent + np.logaddexp(0.0, log_odds)

    stage = _along_first_axis(np.arange(k), log_silent)
    weight = (1 - dead) * np.exp(log_stages - log_silent)
    slope = psi(shape + stage) - psi(shape)
    silence = np.log1p((T - t_x) / (alpha + t_x))
    d_r = psi(shape) - psi(r) + np.log(alpha) - np.log(alpha + T) + dead * silence + (weight * slope).sum(axis=0)
    d_alpha = (
        r / alpha - (shape + (weight * stage).sum(axis=0)) / (alpha + T)
        - dead * shape * (T - t_x) / ((alpha + T) * (alpha + t_x))
    )  # fmt: skip
    d_a = psi(a + b) - psi(a + b + stayed) + dead / a
    d_b = (
        psi(b + stayed) - psi(b) + psi(a + b) - psi(a + b + stayed)
        - dead / (b + np.maximum(stayed, 1) - 1)
    )  # fmt: skip
    return value, np.stack([d_r, d_alpha, d_a, d_b], axis=-1)


def _times_stayed(params: CNBDParams, x: Floats) -> Floats:
    """How often a customer still there after x repeat purchases has had a chance to leave."""
    return x + 1 if params.modified else x


def _log_stages(k: int, shape: Floats, silence: Floats) -> Floats:
    """Log of Gamma(A + j) / (Gamma(A) j!) silence^j, j = 0, ..., k - 1 along a new first axis; silence in alpha + T."""
    j = _along_first_axis(np.arange(1, k), silence)
    with np.errstate(divide="ignore"):  # no silence, no stage passed: log 0 is the right -inf
        steps = np.log((shape + j - 1) / j * silence)
    return np.concatenate([np.zeros((1, *silence.shape)), np.cumsum(steps, axis=0)])


def _along_first_axis(values: Integers, rows: Floats) -> Integers:
    return values.reshape(-1, *(1,) * rows.ndim)


def _log_dead_to_alive(params: CNBDParams, x: Floats, t_x: Floats, T: Floats, log_silent: Floats) -> Floats:
    """Log odds that the customer left after the last purchase; -inf where there was no chance to."""
    k, r, alpha, a, b, _modified = params
    stayed = _times_stayed(params, x)
    # b + stayed - 1 is negative or zero for stayed = 0 and b <= 1: odds are formed where they have a meaning only.
    odds = (
        np.log(a) - np.log(b + np.maximum(stayed, 1) - 1)
        + (r + k * x) * np.log1p((T - t_x) / (alpha + t_x)) - log_silent
    )  # fmt: skip
    return np.where(stayed > 0, odds, -np.inf)


# --- expectations -----------------------------------------------------------------------------------------------


def probability_alive(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats) -> Floats:
    """Probability that a customer has not left by the end of observation: the share alive of the likelihood."""
    x, t_x, T = np.asarray(frequency, float), np.asarray(recency, float), np.asarray(T, float)
    log_silent = logsumexp(_log_stages(params.k, params.r + params.k * x, (T - t_x) / (params.alpha + T)), axis=0)
    return expit(-_log_dead_to_alive(params, x, t_x, T, log_silent))


def expected_purchases(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases in the next `horizon`, given the history and its silence. Exact; RPS approximate it."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: _mean_after(_PURCHASES, _Alive(params.k, *rows), horizon),
        *_given_alive(params, frequency, recency, T),
    )


def expected_purchases_new_customer(params: CNBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase."""
    stays, start = _when_new(params)
    return if_alive(stays, lambda time, *rows: _mean_after(_PURCHASES, _Alive(params.k, *rows), time), horizon, *start)


def discounted_residual_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0, no horizon and a <= 1."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: _discounted_purchases(_Alive(params.k, *rows), rate, horizon),
        *_given_alive(params, frequency, recency, T),
    )


def discounted_residual_lifetime(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted time as a customer after the end of observation, until the purchase after which they leave.

    In the time unit of `T`.
    """
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: _discounted_lifetime(_Alive(params.k, *rows), rate, horizon),
        *_given_alive(params, frequency, recency, T),
    )


def probability_of_purchases(params: CNBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first."""
    stays, start = _when_new(params)
    bought = if_alive(stays, lambda n, t, *rows: _probability(_Alive(params.k, *rows), n, t), n, t, *start)
    return bought + np.where(np.asarray(n) == 0, 1 - stays, 0.0)


def probability_of_future_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history. Who has left makes none."""
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(
        alive,
        lambda n, *rows: _probability(_Alive(params.k, *rows), n, np.full_like(n, horizon)),
        n,
        *_given_alive(params, frequency, recency, T),
    )
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


# --- what a customer does from a moment of certain life on --------------------------------------------------------


@dataclass(frozen=True)
class _Alive:
    """Customers known to be there, one element a row.

    Attributes
    ----------
    k : int
    shape, rate : array, shape (n,)
        Of the gamma of the stage rate if no stage has passed since the last purchase; each stage adds 1 to the shape.
    silence : array, shape (n,)
        Time since the last purchase; part of the time behind `rate`.
    a, b : array, shape (n,)
        Of the beta of the chance to leave.
    """

    k: int
    shape: Floats
    rate: Floats
    silence: Floats
    a: Floats
    b: Floats

    @property
    def columns(self) -> tuple[Floats, ...]:
        return self.shape, self.rate, self.silence, self.a, self.b

    def __getitem__(self, rows: NDArray[Any]) -> "_Alive":
        return _Alive(self.k, *(column[rows] for column in self.columns))

    def __len__(self) -> int:
        return len(self.shape)

    def stage_chances(self) -> Floats:
        """Chance that j = 0, ..., k - 1 stages have passed since the last purchase, shape (k, n)."""
        return softmax(_log_stages(self.k, self.shape, self.silence / self.rate), axis=0)

    def within_reach(self, n: Floats, time: Floats) -> Floats:
        """Chance that the n-th purchase comes within `time`; n of shape (rows, any number), real and >= 1."""
        z = (time / (self.rate + time))[:, None]
        return sum(
            chance[:, None] * betainc(self.k * n - j, (self.shape + j)[:, None], z)
            for j, chance in enumerate(self.stage_chances())
        )


def _given_alive(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats) -> tuple[Floats, ...]:
    """Columns of `_Alive` of customers with these histories."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    b = params.b + _times_stayed(params, x)
    return params.r + params.k * x, params.alpha + T, T - recency, np.asarray(params.a, float), b


def _when_new(params: CNBDParams) -> tuple[Floats, tuple[Floats | float, ...]]:
    """Chance to stay after the first purchase, and columns of `_Alive` of who did."""
    _k, r, alpha, a, b, modified = params
    stays = np.asarray(b / (a + b) if modified else 1.0)
    return stays, (r, alpha, 0.0, a, b + 1 if modified else b)


class _Quantity(NamedTuple):
    """Something that depends on how many purchases the customer would make by some time, if never leaving.

    Attributes
    ----------
    values : callable
        E[(1 - p)^n] for n = 0, 1, ... along the first axis, to the quantity at n such purchases.
    step : callable
        a, b, n to the quantity at n less that at n - 1; n may be any real number >= 1.
    """

    values: Callable[[Floats], Floats]
    step: Callable[[Floats, Floats, Floats], Floats]


# How many are made before leaving: the n-th is, if the customer has stayed n - 1 times.
_PURCHASES = _Quantity(
    values=lambda stayed: np.cumsum(stayed, axis=0) - stayed,
    step=lambda a, b, n: np.exp(betaln(a, b + n - 1) - betaln(a, b)),
)
# Whether the customer is still there: until the n-th, if that is the one after which to leave.
_PRESENCE = _Quantity(
    values=lambda stayed: stayed,
    step=lambda a, b, n: -np.exp(betaln(a + 1, b + n - 1) - betaln(a, b)),
)


def _mean_after(quantity: _Quantity, alive: _Alive, time: Floats | float) -> Floats:
    return _mean(quantity, alive, np.broadcast_to(time, alive.shape.shape)[:, None])[:, 0]


def _mean(quantity: _Quantity, alive: _Alive, time: Floats) -> Floats:
    """Return the mean of a quantity `time` later, shape (rows, any number)."""
    most = _most_purchases(alive, time)
    result = np.empty_like(time)
    # Rows with similarly long sums share a block: arrays stay small, and sums no longer than they need to be.
    for rows in _blocks(np.argsort(most.max(axis=1)), alive.k * time.shape[1]):
        result[rows] = _mean_of_block(quantity, alive[rows], time[rows], most[rows])
    return result


def _blocks(rows: Integers, size: int) -> list[Integers]:
    """Split rows of `size` numbers each into blocks that stay in the processor's cache."""
    return np.array_split(rows, max(1, len(rows) * size // _AT_ONCE))


def _most_purchases(alive: _Alive, time: Floats) -> Floats:
    """Return a number of purchases that is exceeded with a negligible chance even if the customer never leaves."""
    odds = time / alive.rate[:, None]
    mean = (alive.shape + alive.k - 1)[:, None] * odds
    # The tail of a negative binomial falls like a normal one first, and by a factor z a stage in the end.
    with np.errstate(divide="ignore"):
        scale = 1 / 3 + 1 / np.log1p(1 / odds)
    stages = mean + np.sqrt(2 * _NEGLIGIBLE * mean * (1 + odds)) + scale * _NEGLIGIBLE
    return np.ceil(stages / alive.k) + 1


def _mean_of_block(quantity: _Quantity, alive: _Alive, time: Floats, most: Floats) -> Floats:
    """Sum over the stages passed meanwhile, which are negative binomial of shape A + j.

    Notes
    -----
    The terms stand to each other as z (A + j + m) / (m + 1), so that the sum is nested as in Horner's rule, from the
    last stage to the first. Numbers that grow too large are carried in a smaller unit.
    """
    k = alive.k
    last = int(min(_ONE_BY_ONE, most.max()))
    n = np.arange(last)[:, None]
    stayed = np.cumprod((alive.b + n) / (alive.a + alive.b + n), axis=0)
    values = quantity.values(np.concatenate([np.ones((1, len(alive))), stayed]))
    # Beyond the last purchase that is summed stands zero.
    values_and_zero = np.concatenate([values, np.zeros((1, len(alive)))])

    j = np.arange(k)
    shape = alive.shape + j[:, None]
    z = time / (alive.rate[:, None] + time)
    total, unit, log_unit = np.zeros((k, *time.shape)), np.ones(()), np.zeros(())
    for stages in range((last + 1) * k - 1, -1, -1):
        total *= z
        total *= ((shape + stages) / (stages + 1))[:, :, None]
        total += values_and_zero[(stages + j) // k][:, :, None] * unit
        if stages % 16 == 0 and (large := total > _LARGE).any():
            total, unit = np.where(large, total / _LARGE, total), np.where(large, unit / _LARGE, unit)
            log_unit = np.where(large, log_unit + np.log(_LARGE), log_unit)
    log_none = -shape[:, :, None] * np.log1p(time / alive.rate[:, None])
    mean = (alive.stage_chances()[:, :, None] * total * np.exp(log_unit + log_none)).sum(axis=0)
    if (longer := most > last).any():
        rows = np.nonzero(longer)[0]
        mean[longer] += _beyond(quantity, alive[rows], time[longer], most[longer], last, values[-1, rows])
    return mean


def _beyond(quantity: _Quantity, alive: _Alive, time: Floats, most: Floats, last: int, at_last: Floats) -> Floats:
    """Return what the cases add to a mean in which more than `last` purchases are within reach.

    Notes
    -----
    That is the quantity at `last` times their chance, and the sum of step(n) times the chance of n over n > `last`. Its
    terms f are smooth in n, so it is, by Euler and Maclaurin, the integral from last + 1/2 plus 1/24 of f' less 17/5760
    of the third derivative there, in central differences, to an error of 4e-4 times the fifth. The integral is split
    where the chances begin to fall below 1.
    """

    def term(n: Floats) -> Floats:
        return quantity.step(alive.a[:, None], alive.b[:, None], n) * alive.within_reach(n, time)

    odds = time / alive.rate
    mean = alive.shape * odds
    certain = (mean - np.sqrt(2 * _NEGLIGIBLE * mean * (1 + odds))) / alive.k
    begin = np.full_like(time, last + 0.5)
    middle = np.clip(certain, begin, most)
    integral = _integral_over_logs(term, begin, middle) + _integral_over_logs(term, middle, most)
    f = term(last + np.array([[-1.0, 0, 1, 2]]))
    corrections = (f[:, 2] - f[:, 1]) / 24 - 17 / 5760 * (f[:, 3] - 3 * f[:, 2] + 3 * f[:, 1] - f[:, 0])
    return at_last * alive.within_reach(np.array([[last + 1.0]]), time)[:, 0] + integral + corrections


def _integral_over_logs(function: Callable[[Floats], Floats], begin: Floats, end: Floats) -> Floats:
    """Return the integral of `function` from `begin` > 0 to `end`, row by row, by Gauss-Legendre in log n."""
    half = np.log(end / begin) / 2
    n = begin[:, None] * np.exp(half[:, None] * (_TAIL_NODES + 1))
    return half * ((function(n) * n) @ _TAIL_WEIGHTS)


def _probability(alive: _Alive, n: Floats, time: Floats) -> Floats:
    """Probability of exactly `n` purchases within `time`.

    Notes
    -----
    Either the n-th purchase is within reach and the next one is not, and the customer has stayed n - 1 times; or the
    next one is too, and the customer left after the n-th. No difference is taken, so that tails keep their digits.
    """
    not_next = np.zeros_like(time)
    for j, chance in enumerate(alive.stage_chances()):
        for stage in range(alive.k):
            passed = alive.k * n + stage - j
            log_probability = poisson.log_probability(alive.shape + j, alive.rate, np.maximum(passed, 0.0), time)
            not_next += np.where(passed >= 0, chance * np.exp(log_probability), 0.0)
    next_too = alive.within_reach(n[:, None] + 1, time)[:, 0]
    repeat = n > 0
    at_least_one = np.where(repeat, n, 1.0)
    stayed = np.where(repeat, _PURCHASES.step(alive.a, alive.b, at_least_one), 1.0)
    left = np.where(repeat, -_PRESENCE.step(alive.a, alive.b, at_least_one), 0.0)
    return stayed * not_next + left * next_too


def _discounted_purchases(alive: _Alive, discount: float, horizon: float | None) -> Floats:
    """Expected purchases until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    With E(s) the expected purchases by time s, integration by parts turns the integral of exp(-d s) dE(s), whose
    integrand peaks whenever a purchase is due, into exp(-d h) E(h) + d times the integral of exp(-d s) E(s).
    """
    if horizon is not None:
        undiscounted = _mean_after(_PURCHASES, alive, horizon)
        if discount == 0:
            return undiscounted
        return np.exp(-discount * horizon) * undiscounted + discount * _integral(_PURCHASES, alive, discount, horizon)
    if discount > 0:
        return _mean_worth(alive, discount, lambda p: np.ones_like(p))
    with np.errstate(divide="ignore"):
        return np.where(alive.a <= 1, np.inf, (alive.a + alive.b - 1) / (alive.a - 1))


def _discounted_lifetime(alive: _Alive, discount: float, horizon: float | None) -> Floats:
    """Expected time as a customer until `horizon` (None: in all of the future), discounted at a continuous rate.

    Notes
    -----
    In all of the future this is (1 - E[exp(-discount time of leaving)]) / discount; undiscounted, k / p - j stages lie
    ahead, of mean length E[1 / lambda].
    """
    if horizon is not None:
        return _integral(_PRESENCE, alive, discount, horizon)
    if discount > 0:
        return (1 - _mean_worth(alive, discount, lambda p: p)) / discount
    shape, a, b = alive.shape, alive.a, alive.b
    j = np.arange(alive.k)[:, None]
    with np.errstate(divide="ignore", invalid="ignore"):
        stages, length = alive.k * (a + b - 1) / (a - 1) - j, alive.rate / (shape + j - 1)
        return np.where((shape > 1) & (a > 1), (alive.stage_chances() * stages * length).sum(axis=0), np.inf)


def _integral(quantity: _Quantity, alive: _Alive, discount: float, horizon: float) -> Floats:
    """Return the integral of exp(-discount s) times the mean of a quantity at s, for s from 0 to `horizon`."""

    def mean(s: Floats, begin: Floats, *columns: Floats) -> Floats:
        return _mean(quantity, _Alive(alive.k, *(column[:, 0] for column in columns)), begin + s)

    # The mean moves in steps of one gap between purchases at first; by and by they blur, and longer steps will do.
    gap = alive.k * alive.rate / (alive.shape + 1)
    blurred = np.minimum(horizon, 30 * gap)
    integral = integral_to(blurred, mean, discount, gap, np.zeros_like(gap), *alive.columns)
    if (longer := blurred < horizon).any():
        begin = blurred[longer]
        rest = integral_to(horizon - begin, mean, discount, begin, begin, *alive[longer].columns)
        integral[longer] += np.exp(-discount * begin) * rest
    return integral


def _mean_worth(alive: _Alive, discount: float, share: Callable[[Floats], Floats]) -> Floats:
    """Return what all purchases to come are worth today, each share(p) when it is made, averaged over lambda and p.

    Notes
    -----
    A stage is worth f = lambda / (lambda + discount) of the one before it. So given lambda, p and j the purchases are
    worth f^(k - j) / (1 - (1 - p) f^k), which is averaged by Gauss-Legendre in log lambda and in logit p.
    """
    result = np.empty_like(alive.shape)
    for rows in _blocks(np.arange(len(alive)), len(_RATE_NODES)):
        log_worth, weight = _worth_of_a_stage(alive[rows], discount)
        following, lost = np.exp(alive.k * log_worth), -np.expm1(alive.k * log_worth)

        def worth(p: Floats, weight: Floats = weight, following: Floats = following, lost: Floats = lost) -> Floats:
            total = np.zeros_like(p)
            for node in range(len(weight)):
                total += weight[node] / (lost[node] + p * following[node])
            return total * share(p)

        result[rows] = _mean_over_dropout(worth, alive.a[rows], alive.b[rows], lost.min(axis=0))
    return result


def _worth_of_a_stage(alive: _Alive, discount: float) -> tuple[Floats, Floats]:
    """Return log f at nodes of lambda, and the weights of the nodes times f^(k - j), shape (nodes, n)."""
    k, shape, scaled = alive.k, alive.shape, discount * alive.rate
    # In log(rate lambda): below `low` lie negligibly many customers, or they buy too slowly to be worth anything.
    few = np.where(
        shape > 4 * _NEGLIGIBLE,
        np.log(np.maximum(shape - np.sqrt(2 * _NEGLIGIBLE * shape), 1.0)),
        (gammaln(shape + 1) - _NEGLIGIBLE) / shape,
    )
    low = np.maximum(few, np.minimum(np.log(scaled), 0.0) - _NEGLIGIBLE / (shape + 1))
    high = np.log(shape + k + np.sqrt(2 * _NEGLIGIBLE * (shape + k)) + _NEGLIGIBLE)
    log_rate = low + (high - low) / 2 * (_RATE_NODES[:, None] + 1)
    log_worth = -np.log1p(scaled * np.exp(-log_rate))
    density = sum(
        chance * np.exp((shape + j) * log_rate - np.exp(log_rate) - gammaln(shape + j) + (k - j) * log_worth)
        for j, chance in enumerate(alive.stage_chances())
    )
    return log_worth, (high - low) / 2 * _RATE_WEIGHTS[:, None] * density


def _mean_over_dropout(function: Callable[[Floats], Floats], a: Floats, b: Floats, scale: Floats) -> Floats:
    """Return E[function(p)] for p ~ Beta(a, b) of a function that is constant where p is far below `scale`, or near 1.

    Notes
    -----
    On the logit scale the density falls like exp(a logit) to the left and exp(-b logit) to the right, for small a or b
    far beyond where the function has settled; such a tail is a regularised incomplete beta function.
    """
    centre, spread = np.log(a / b), 8 * np.sqrt(1 / a + 1 / b)
    left = np.maximum(centre - spread - _NEGLIGIBLE / a, np.log(scale) - _NEGLIGIBLE)
    right = np.maximum(np.minimum(centre + spread + _NEGLIGIBLE / b, _NEGLIGIBLE), left + 1)
    logit = left + (right - left) / 2 * (_DROPOUT_NODES[:, None] + 1)
    log_p, log_q = -np.logaddexp(0, -logit), -np.logaddexp(0, logit)
    weight = _DROPOUT_WEIGHTS[:, None] * np.exp(a * log_p + b * log_q - betaln(a, b))
    small, large = betainc(a, b, expit(left)), betainc(b, a, expit(-right))
    between = (function(np.exp(log_p)) * weight).sum(axis=0) / weight.sum(axis=0)
    at_ends = function(np.array([np.zeros_like(a), np.ones_like(a)]))
    return small * at_ends[0] + (1 - small - large) * between + large * at_ends[1]


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: CNBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers: `customer` (position in `T`) and `time`, sorted."""
    T = np.asarray(T, float)
    stays, start = _when_new(params)
    staying = np.flatnonzero(rng.random(T.shape) < stays)
    alive = _Alive(params.k, *(np.broadcast_to(value, T.shape)[staying] for value in start))
    events = _simulate(alive, staying, T[staying], rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history: who is due buys soon."""
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    columns = (np.broadcast_to(value, T.shape)[alive] for value in _given_alive(params, frequency, recency, T))
    return _simulate(_Alive(params.k, *columns), alive, np.full(len(alive), float(horizon)), rng)


def _simulate(alive: _Alive, customer: Integers, end: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate purchases from time 0 to `end`; one row a purchase: `customer` (as given) and `time`, in no order.

    Purchase after purchase is drawn for all customers at once, until each has left or reached the end.
    """
    below = np.cumsum(alive.stage_chances(), axis=0)[:-1]
    passed = (rng.random(len(alive)) > below).sum(axis=0)
    stage_rate = rng.gamma(alive.shape + passed) / alive.rate
    dropout = rng.beta(alive.a, alive.b)
    stages_to_go = alive.k - passed
    clock = np.zeros(len(alive))
    buyers, times = [np.empty(0, np.int64)], [np.empty(0)]
    while len(customer):
        with np.errstate(divide="ignore", over="ignore"):  # a rate of zero never buys: an infinite gap
            clock = clock + rng.standard_gamma(stages_to_go) / stage_rate
        bought = clock <= end
        buyers.append(customer[bought])
        times.append(clock[bought])
        stays = bought & (rng.random(len(clock)) >= dropout)
        customer, clock, end = customer[stays], clock[stays], end[stays]
        stage_rate, dropout, stages_to_go = stage_rate[stays], dropout[stays], np.full(len(customer), alive.k)
    return pd.DataFrame({"customer": np.concatenate(buyers), "time": np.concatenate(times)})


def histories(events: pd.DataFrame, T: Floats) -> pd.DataFrame:
    """Return frequency, recency, T and sum_log_gap of customers, see `models.histories.histories`.

    sum_log_gap is the sum over the repeat purchases of the log of the time since the purchase before.
    """
    frame = purchase_histories.histories(events, T)
    ordered = events.sort_values(["customer", "time"])
    gap = ordered.groupby("customer")["time"].diff().fillna(ordered["time"])
    return frame.assign(sum_log_gap=np.bincount(ordered["customer"], weights=np.log(gap), minlength=len(frame)))


# --- fit --------------------------------------------------------------------------------------------------------


def starting_values(purchase_rate: float, k: int = 1) -> Sequence[tuple[float, float, float, float]]:
    """Where to begin the search for (r, alpha, a, b), given purchases per unit of time: few and many buyers leave."""
    return [(r, r / (k * purchase_rate), a, b) for r, a, b in [(0.5, 0.5, 2.0), (1.0, 1.0, 10.0)]]


@dataclass(frozen=True, eq=False, kw_only=True)
class CNBDFit(PurchaseFit):
    """A BG/CNBD-k with estimated parameters. Its methods answer for any `CustomerSummary` in the same time unit.

    The log-likelihood counts the gaps between purchases: fits of different k can be compared by it, also with a BG/NBD.
    """

    model_name: ClassVar[str] = "BG/CNBD-k"
    params_type: ClassVar[type] = CNBDParams
    model: ClassVar[PurchaseModel] = cast(PurchaseModel, sys.modules[__name__])

    modified: ClassVar[bool] = False

    params: CNBDParams

    def __post_init__(self) -> None:
        if self.params.modified != self.modified:
            raise SettingsError(
                f"these parameters have modified = {self.params.modified}, those of a {self.model_name} fit "
                f"{self.modified}; use the other one of CNBDFit and ModifiedCNBDFit."
            )

    @classmethod
    def names(cls) -> list[str]:
        """Names of the parameters that are estimated; k is given, or chosen among whole numbers."""
        return ["r", "alpha", "a", "b"]

    def log_likelihood_constant(self, customers: CustomerSummary, weights: pd.Series | Floats | None) -> float:
        """(k - 1) times the sum of the logs of all gaps: what makes different k comparable."""
        return _log_likelihood_of_gaps(self.params.k, customers, weights)


FitType = TypeVar("FitType", bound=CNBDFit)


@dataclass(frozen=True, eq=False, kw_only=True)
class ModifiedCNBDFit(CNBDFit):
    """An MBG/CNBD-k with estimated parameters: as `CNBDFit`, but a customer may leave after the first purchase too."""

    model_name: ClassVar[str] = "MBG/CNBD-k"
    modified: ClassVar[bool] = True


def fit_cnbd(
    customers: CustomerSummary,
    *,
    k: int | None = None,
    weights: pd.Series | Floats | None = None,
    purchase: Covariates = None,
    dropout: Covariates = None,
    opposite_dropout: bool = False,
    penalty: float = 0.0,
    modified: bool = False,
) -> CNBDFit:
    """Estimate the BG/CNBD-k, or the MBG/CNBD-k, by maximum likelihood.

    Parameters
    ----------
    customers : CustomerSummary
        As for `fit_bgnbd`. Unless k is 1, the column sum_log_gap as well: the sum over the repeat purchases of the log
        of the time since the purchase before, 0 for none, as `summarize_customers(..., gaps=True)` gives it.
    k : int, optional
        Stages between two purchases, >= 1. None: 1, 2, 3, ..., at most 12, for as long as the likelihood rises.
    weights, purchase, dropout, opposite_dropout, penalty
        As for `fit_bgnbd`.
    modified : bool
        Whether a customer may leave after the first purchase already: the MBG variant.

    Returns
    -------
    CNBDFit
        A `ModifiedCNBDFit` for the MBG variant.

    Raises
    ------
    DataError
        When sum_log_gap is needed and missing, or no customer has a repeat purchase.
    SettingsError
        When k is not a whole number >= 1, or a weight, covariate or penalty is wrong.

    Warns
    -----
    EstimationWarning
        As `fit_bgnbd`; for the chosen k alone.
    """
    effects: list[EffectRequest] = [("purchase", {"alpha": -1.0}, purchase)]
    if opposite_dropout:
        effects += [("dropout", {"a": 1.0, "b": -1.0}, dropout)]
    else:
        effects += [("dropout_a", {"a": 1.0}, dropout), ("dropout_b", {"b": 1.0}, dropout)]

    fit_type = ModifiedCNBDFit if modified else CNBDFit
    start = fit_type.from_params(CNBDParams(1, 1.0, 1.0, 1.0, 1.0, bool(modified)), time_unit=customers.time_unit)
    return fit_by_regularity(start, customers, k=k, weights=weights, effects=effects, penalty=penalty)


def fit_by_regularity(
    template: FitType,
    customers: CustomerSummary,
    *,
    k: int | None,
    weights: pd.Series | Floats | None,
    effects: Sequence[EffectRequest],
    penalty: float = 0.0,
) -> FitType:
    """Estimate a fit of this family like `template`, for a given k or the one with the highest likelihood."""
    if k is None:
        return _most_likely(lambda stages: _fit_of_regularity(stages, template, customers, weights, effects, penalty))
    if k < 1 or k != int(k):
        raise SettingsError(f"k is {k!r}; give a whole number >= 1, or None to choose it by likelihood.")
    return _fit_of_regularity(int(k), template, customers, weights, effects, penalty)


def _fit_of_regularity(
    k: int,
    template: FitType,
    customers: CustomerSummary,
    weights: pd.Series | Floats | None,
    effects: Sequence[EffectRequest],
    penalty: float,
) -> FitType:
    def starts(columns: tuple[Floats, ...], counts: Floats) -> Sequence[tuple[float, ...]]:
        frequency, T = columns[0], columns[2]
        require_repeat_buyers(frequency, counts)
        return starting_values(float(counts @ frequency / (counts @ T)), k)

    own = replace(template, params=template.params._replace(k=k))
    return own.estimated(starts, customers, weights=weights, effects=effects, penalty=penalty)


def _most_likely(fit: Callable[[int], FitType]) -> FitType:
    """Fit k = 1, 2, 3, ... until the likelihood falls; pass on the warnings of the best fit alone."""
    best: FitType | None = None
    doubts: list[warnings.WarningMessage] = []
    for k in range(1, _MOST_REGULAR + 1):
        with warnings.catch_warnings(record=True) as caught:
            warnings.simplefilter("always", EstimationWarning)
            found = fit(k)
        if best is not None and found.log_likelihood <= best.log_likelihood:
            break
        best, doubts = found, caught
    assert best is not None
    for doubt in doubts:
        warn_of_doubt(str(doubt.message))
    return best


def _log_likelihood_of_gaps(k: int, customers: CustomerSummary, weights: pd.Series | Floats | None) -> float:
    """Return the part of the log-likelihood that only k moves: (k - 1) times the sum of the logs of all gaps."""
    if k == 1:
        return 0.0
    frame = customers.frame
    name = "sum_log_gap"
    make_it = "make the summary with summarize_customers(..., gaps=True)."
    if name not in frame:
        refuse(
            [Violation(TABLE, name, "there is no such column, and k > 1 needs the gaps between purchases", 0, make_it)]
        )
    gaps = frame[name].to_numpy(float)
    broken = ~np.isfinite(gaps)
    if broken.any():
        rule = "missing or infinite (a gap of zero is not a gap: same-day orders are one purchase)"
        refuse([Violation(TABLE, name, rule, int(broken.sum()), make_it, frame.loc[broken].head(5))])
    case = case_weights(weights, len(frame))
    return (k - 1) * float(gaps.sum() if case is None else case @ gaps)
