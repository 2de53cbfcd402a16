"""BG/CNBD-k and MBG/CNBD-k: regular buyers, who may leave for good after any purchase.

Reutterer, Platzer & Schroeder (2021), Leveraging purchase regularity for predicting customer behavior the easy way,
International Journal of Research in Marketing 38(1), 194-215 ("RPS"); Platzer & Reutterer (2016), Ticking away the
moments, Marketing Science 35(5), 779-799, for what regularity tells.

A customer passes stages at a rate lambda ~ Gamma(r, alpha) and buys at every k-th one, so that the gaps between
purchases are Erlang-k: the larger k, the more regular. After each repeat purchase, in the modified (MBG) variant after
the first purchase too, the customer leaves with a chance p ~ Beta(a, b). With k = 1 these are BG/NBD and MBG/NBD.

What a customer does next depends on the silence so far: who buys every month and last bought four weeks ago is due. RPS
leave the silence out of their forecast; here it is in. Of a customer still there who has passed j stages since the
last purchase, lambda ~ Gamma(r + k x + j, alpha + T) and p ~ Beta(a, b + times stayed). How likely each j is, and what
such a customer will do, stands in `erlang_future`.

What the functions take and return is said once, in `purchase_fit.PurchaseModel`.
"""

import sys
import warnings
from collections.abc import Callable, Iterator, Sequence
from dataclasses import dataclass, replace
from typing import ClassVar, NamedTuple, TypeVar, cast

import numpy as np
import pandas as pd
from scipy.special import betaln, expit, gammaln, psi

from crm_analysis.data.customer_summary import TABLE, CustomerSummary
from crm_analysis.errors import EstimationWarning, SettingsError, Violation, refuse, warn_of_doubt
from crm_analysis.messages import _
from crm_analysis.models import erlang_future
from crm_analysis.models import histories as purchase_histories
from crm_analysis.models.checks import case_weights, check_whole, require_summary
from crm_analysis.models.covariates import Covariates
from crm_analysis.models.erlang_future import Alive, log_stage_weights
from crm_analysis.models.fit import EffectRequest
from crm_analysis.models.histories import Column, Floats, dead_or_alive, each, if_alive
from crm_analysis.models.purchase_fit import PurchaseFit, PurchaseModel, require_repeat_buyers, require_time
from crm_analysis.periods import DAYS_PER_UNIT

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
    params: CNBDParams, frequency: Column, recency: Floats, T: Floats
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
    shape, rate = r + k * x, alpha + T
    log_rate = np.log(rate)
    log_stages = log_stage_weights(k, shape, (T - t_x) / rate)
    log_silent = np.logaddexp.reduce(log_stages, axis=0)
    dead, log_either = dead_or_alive(_log_dead_to_alive(params, x, t_x, T, log_silent))

    bought = each(lambda x, r: gammaln(r + k * x) - gammaln(r) - x * gammaln(k), frequency, r)
    never_left = each(lambda x, a, b: betaln(a, b + _times_stayed(params, x)) - betaln(a, b), frequency, a, b)
    value = bought + never_left + r * np.log(alpha) - shape * log_rate + log_silent + log_either

    stage = np.arange(k).reshape(-1, *(1,) * log_silent.ndim)
    weight = (1 - dead) * np.exp(log_stages - log_silent)
    slope = psi(shape + stage) - psi(shape)
    since_last = (T - t_x) / (alpha + t_x)
    d_bought = each(lambda x, r: psi(r + k * x) - psi(r), frequency, r)
    d_stayed_a = each(lambda x, a, b: psi(a + b) - psi(a + b + _times_stayed(params, x)), frequency, a, b)
    d_stayed_b = each(lambda x, b: psi(b + _times_stayed(params, x)) - psi(b), frequency, b)
    d_left_b = each(lambda x, b: 1 / (b + np.maximum(_times_stayed(params, x), 1) - 1), frequency, b)
    d_r = d_bought + np.log(alpha) - log_rate + dead * np.log1p(since_last) + (weight * slope).sum(axis=0)
    d_alpha = r / alpha - (shape * (1 + dead * since_last) + (weight * stage).sum(axis=0)) / rate
    d_a = d_stayed_a + dead / a
    d_b = d_stayed_b + d_stayed_a - dead * d_left_b
    return value, np.stack([d_r, d_alpha, d_a, d_b]).T


def _times_stayed(params: CNBDParams, x: Floats) -> Floats:
    """How often a customer still there after x repeat purchases has had a chance to leave."""
    return x + 1 if params.modified else x


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
    weights = log_stage_weights(params.k, params.r + params.k * x, (T - t_x) / (params.alpha + T))
    log_silent = np.logaddexp.reduce(weights, axis=0)
    return expit(-_log_dead_to_alive(params, x, t_x, T, log_silent))


def expected_purchases(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float) -> Floats:
    """Expected purchases in the next `horizon`, given the history and its silence. Exact; RPS approximate it."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: erlang_future.expected_purchases(Alive(params.k, *rows), horizon),
        *_given_alive(params, frequency, recency, T),
    )


def expected_purchases_new_customer(params: CNBDParams, horizon: Floats | float) -> Floats:
    """Expected repeat purchases of a new customer in the `horizon` after the first purchase."""
    stays, start = _when_new(params)
    return if_alive(
        stays, lambda time, *rows: erlang_future.expected_purchases(Alive(params.k, *rows), time), horizon, *start
    )


def discounted_residual_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, rate: float, horizon: float | None = None
) -> Floats:
    """Expected discounted purchases after the end of observation; infinite for rate 0, no horizon and a <= 1."""
    return if_alive(
        probability_alive(params, frequency, recency, T),
        lambda *rows: erlang_future.discounted_purchases(Alive(params.k, *rows), rate, horizon),
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
        lambda *rows: erlang_future.discounted_lifetime(Alive(params.k, *rows), rate, horizon),
        *_given_alive(params, frequency, recency, T),
    )


def probability_of_purchases(params: CNBDParams, n: Floats | int, t: Floats | float) -> Floats:
    """Probability that a new customer makes exactly `n` repeat purchases in the `t` after the first."""
    stays, start = _when_new(params)
    bought = if_alive(
        stays, lambda n, t, *rows: erlang_future.probability_of_purchases(Alive(params.k, *rows), n, t), n, t, *start
    )
    return bought + np.where(np.asarray(n) == 0, 1 - stays, 0.0)


def probability_of_future_purchases(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, n: Floats | int, horizon: float
) -> Floats:
    """Probability of exactly `n` purchases in the next `horizon`, given the history. Who has left makes none."""
    alive = probability_alive(params, frequency, recency, T)
    bought = if_alive(
        alive,
        lambda n, *rows: erlang_future.probability_of_purchases(Alive(params.k, *rows), n, np.full_like(n, horizon)),
        n,
        *_given_alive(params, frequency, recency, T),
    )
    return bought + np.where(np.asarray(n) == 0, 1 - alive, 0.0)


def _given_alive(params: CNBDParams, frequency: Floats, recency: Floats, T: Floats) -> tuple[Floats, ...]:
    """Columns of `Alive` of customers with these histories."""
    x, T = np.asarray(frequency, float), np.asarray(T, float)
    b = params.b + _times_stayed(params, x)
    return params.r + params.k * x, params.alpha + T, T - recency, np.asarray(params.a, float), b


def _when_new(params: CNBDParams) -> tuple[Floats, tuple[Floats | float, ...]]:
    """Chance to stay after the first purchase, and columns of `Alive` of who did."""
    _k, r, alpha, a, b, modified = params
    stays = np.asarray(b / (a + b) if modified else 1.0)
    return stays, (r, alpha, 0.0, a, b + 1 if modified else b)


# --- simulation -------------------------------------------------------------------------------------------------


def simulate(params: CNBDParams, T: Floats, rng: np.random.Generator) -> pd.DataFrame:
    """Simulate the repeat purchases of new customers: `customer` (position in `T`) and `time`, sorted."""
    T = np.asarray(T, float)
    stays, start = _when_new(params)
    staying = np.flatnonzero(rng.random(T.shape) < stays)
    alive = Alive(params.k, *(np.broadcast_to(value, T.shape)[staying] for value in start))
    events = erlang_future.simulate(alive, staying, T[staying], rng)
    return events.sort_values(["customer", "time"], ignore_index=True)


def simulate_future(
    params: CNBDParams, frequency: Floats, recency: Floats, T: Floats, horizon: float, rng: np.random.Generator
) -> pd.DataFrame:
    """Simulate what each customer does in the next `horizon`, given the history: who is due buys soon."""
    T = np.asarray(T, float)
    alive = np.flatnonzero(rng.random(T.shape) < probability_alive(params, frequency, recency, T))
    columns = (np.broadcast_to(value, T.shape)[alive] for value in _given_alive(params, frequency, recency, T))
    return erlang_future.simulate(Alive(params.k, *columns), alive, np.full(len(alive), float(horizon)), rng)


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
    how_to_get_gaps: ClassVar[str] = (
        "make the summary with summarize_customers(..., gaps=True): gaps, recency and T in the same time unit."
    )

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
        if self.params.k == 1:
            return 0.0
        gaps, case = self.sum_log_gap(customers), case_weights(weights, customers.frame.index)
        return (self.params.k - 1) * float(gaps.sum() if case is None else case @ gaps)

    def sum_log_gap(self, customers: CustomerSummary) -> Floats:
        """Return the sum of the logs of each customer's gaps, in the time of this fit; refuse what cannot be one."""
        x, t_x, _ = self._history(customers)
        a_day = 1 / DAYS_PER_UNIT[self.time_unit]
        refuse(_impossible_gaps(customers.frame, x, t_x, a_day, self.how_to_get_gaps))
        return customers.frame["sum_log_gap"].to_numpy(float)


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
        When sum_log_gap is needed and missing, or in another time than recency; when no customer has a repeat purchase.
    SettingsError
        When k is not a whole number >= 1, or a weight, covariate or penalty is wrong.

    Warns
    -----
    EstimationWarning
        As `fit_bgnbd`, for the chosen k alone; and when that is the largest one tried.
    """
    require_summary(customers)
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
    if k is not None:
        check_whole("k (None to choose it by likelihood)", k, least=1)
    if k != 1:
        template.sum_log_gap(customers)  # refused before, not after, a search
    if k is None:
        return _most_likely(lambda stages: _fit_of_regularity(stages, template, customers, weights, effects, penalty))
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
        require_time(T, counts)
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
    if best.params.k == _MOST_REGULAR:
        doubt_of_k = _(
            "k = {k}, the largest tried, has the highest likelihood, and the best k may be larger: customers buy as if "
            "by the calendar, as with a standing order. Give a larger k, or value them as contracts (fit_sbg).",
            k=_MOST_REGULAR,
        )
        warn_of_doubt(doubt_of_k)
        return replace(best, advice=(*best.advice, doubt_of_k))
    return best


def _impossible_gaps(frame: pd.DataFrame, x: Floats, t_x: Floats, a_day: float, fix: str) -> Iterator[Violation]:
    """Say where `sum_log_gap` cannot be of x gaps that add up to t_x.

    Notes
    -----
    By the inequality of means it is at most x ln(t_x / x), which it reaches where all gaps are equal. A day is allowed
    for recencies that were rounded; another unit, or the calendar for a clock, goes far beyond.
    """
    name = "sum_log_gap"
    if name not in frame:
        yield Violation(TABLE, name, "there is no such column, and k > 1 needs the gaps between purchases", 0, fix)
        return
    gaps = pd.to_numeric(frame[name], errors="coerce").to_numpy(float)
    unknown = ~np.isfinite(gaps)
    most = x * np.log((t_x + a_day) / np.maximum(x, 1))
    too_large = ~unknown & (gaps > most + 1e-6 * (x + np.abs(most)))
    gaps_of_none = ~unknown & (x == 0) & (gaps < 0)
    for rule, broken in [
        ("missing or infinite or no number (a gap of zero is no gap: same-day orders are one purchase)", unknown),
        ("larger than gaps that add up to recency allow: they are in another time", too_large),
        ("not 0 although there is no repeat purchase", gaps_of_none),
    ]:
        if broken.any():
            rows = frame.loc[broken, ["frequency", "recency", name]]
            rows = rows.assign(**{"at most": most[broken]}) if broken is too_large else rows
            yield Violation(TABLE, name, rule, int(broken.sum()), fix, rows.head(5))
