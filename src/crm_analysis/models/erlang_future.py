"""What a regular buyer does from a moment of certain life on, where each purchase may be the last one.

As `beta_dropout`, with Erlang-k gaps between purchases. The customer passes stages at a rate lambda and buys at every
k-th one, so that the silence so far tells when the next purchase is due. j = 0, ..., k - 1 stages have passed since the
last purchase, with a chance proportional to

    Gamma(A + j) / (Gamma(A) j!) (silence / rate)^j,        A = shape,

and given j, lambda ~ Gamma(A + j, rate) and p ~ Beta(a, b), the chance to leave after a purchase, are independent. So
the stages passed in the next h are negative binomial; the n-th purchase comes with stage k n - j, within h with the
chance I_z(k n - j, A + j), z = h / (rate + h), provided that the customer has stayed n - 1 times, E[(1 - p)^(n - 1)].

How a history leads to shape, rate, silence, a and b is said in `cnbd`; what follows from them stands here.
"""

from collections.abc import Callable
from dataclasses import dataclass
from typing import Any, NamedTuple

import numpy as np
import pandas as pd
from numpy.typing import NDArray
from scipy.special import betainc, betaln, expit, gammaln, roots_legendre, softmax

from crm_analysis.models import poisson
from crm_analysis.models.histories import Floats, Integers
from crm_analysis.models.quadrature import integral_to

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


@dataclass(frozen=True)
class Alive:
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
        """All but k."""
        return self.shape, self.rate, self.silence, self.a, self.b

    def __getitem__(self, rows: NDArray[Any]) -> "Alive":
        return Alive(self.k, *(column[rows] for column in self.columns))

    def __len__(self) -> int:
        return len(self.shape)

    def stage_chances(self) -> Floats:
        """Chance that j = 0, ..., k - 1 stages have passed since the last purchase, shape (k, n)."""
        return softmax(log_stage_weights(self.k, self.shape, self.silence / self.rate), axis=0)

    def within_reach(self, n: Floats, time: Floats) -> Floats:
        """Chance that the n-th purchase comes within `time`; n of shape (rows, any number), real and >= 1."""
        z = (time / (self.rate + time))[:, None]
        return sum(
            chance[:, None] * betainc(self.k * n - j, (self.shape + j)[:, None], z)
            for j, chance in enumerate(self.stage_chances())
        )


def log_stage_weights(k: int, shape: Floats, silence: Floats) -> Floats:
    """Log of Gamma(A + j) / (Gamma(A) j!) silence^j, j = 0, ..., k - 1 along a new first axis.

    A is `shape`; `silence` is in units of the rate.
    """
    j = np.arange(1, k).reshape(-1, *(1,) * silence.ndim)
    with np.errstate(divide="ignore"):  # no silence, no stage passed: log 0 is the right -inf
        steps = np.log((shape + j - 1) / j * silence)
    return np.concatenate([np.zeros((1, *silence.shape)), np.cumsum(steps, axis=0)])


# --- purchases and time as a customer ---------------------------------------------------------------------------


def expected_purchases(alive: Alive, horizon: Floats | float) -> Floats:
    """Expected purchases in `horizon`."""
    return _mean_after(_PURCHASES, alive, horizon)


def probability_of_purchases(alive: Alive, n: Floats, time: Floats) -> Floats:
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


def discounted_purchases(alive: Alive, discount: float, horizon: float | None) -> Floats:
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


def discounted_lifetime(alive: Alive, discount: float, horizon: float | None) -> Floats:
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


def simulate(alive: Alive, customer: Integers, end: Floats, rng: np.random.Generator) -> pd.DataFrame:
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


# --- means some time later --------------------------------------------------------------------------------------


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


def _mean_after(quantity: _Quantity, alive: Alive, time: Floats | float) -> Floats:
    return _mean(quantity, alive, np.broadcast_to(time, alive.shape.shape)[:, None])[:, 0]


def _mean(quantity: _Quantity, alive: Alive, time: Floats) -> Floats:
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


def _most_purchases(alive: Alive, time: Floats) -> Floats:
    """Return a number of purchases that is exceeded with a negligible chance even if the customer never leaves."""
    odds = time / alive.rate[:, None]
    mean = (alive.shape + alive.k - 1)[:, None] * odds
    # The tail of a negative binomial falls like a normal one first, and by a factor z a stage in the end.
    with np.errstate(divide="ignore"):
        scale = 1 / 3 + 1 / np.log1p(1 / odds)
    stages = mean + np.sqrt(2 * _NEGLIGIBLE * mean * (1 + odds)) + scale * _NEGLIGIBLE
    return np.ceil(stages / alive.k) + 1


def _mean_of_block(quantity: _Quantity, alive: Alive, time: Floats, most: Floats) -> Floats:
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


def _beyond(quantity: _Quantity, alive: Alive, time: Floats, most: Floats, last: int, at_last: Floats) -> Floats:
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


# --- discounted means -------------------------------------------------------------------------------------------


def _integral(quantity: _Quantity, alive: Alive, discount: float, horizon: float) -> Floats:
    """Return the integral of exp(-discount s) times the mean of a quantity at s, for s from 0 to `horizon`."""

    def mean(s: Floats, begin: Floats, *columns: Floats) -> Floats:
        return _mean(quantity, Alive(alive.k, *(column[:, 0] for column in columns)), begin + s)

    # The mean moves in steps of one gap between purchases at first; by and by they blur, and longer steps will do.
    gap = alive.k * alive.rate / (alive.shape + 1)
    blurred = np.minimum(horizon, 30 * gap)
    integral = integral_to(blurred, mean, discount, gap, np.zeros_like(gap), *alive.columns)
    if (longer := blurred < horizon).any():
        begin = blurred[longer]
        rest = integral_to(horizon - begin, mean, discount, begin, begin, *alive[longer].columns)
        integral[longer] += np.exp(-discount * begin) * rest
    return integral


def _mean_worth(alive: Alive, discount: float, share: Callable[[Floats], Floats]) -> Floats:
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


def _worth_of_a_stage(alive: Alive, discount: float) -> tuple[Floats, Floats]:
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
